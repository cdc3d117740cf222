"""Machines that are servers: what the real connectors read is what the machines say."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager, suppress

import pytest

from yuheng.config.supervisor.ports import free_port
from yuheng.engines.points import Quality
from yuheng.gateway.connector import SourceIdentity, State, TagAddress, check_config, find_connectors
from yuheng.simulation.appliance.plant import APPLIANCE
from yuheng.simulation.layout import describe
from yuheng.simulation.model import Plant
from yuheng.simulation.outages import Outages
from yuheng.simulation.served import ServedArea
from yuheng.simulation.tests.support import MONDAY_MORNING
from yuheng.testing.connector_suite import FakeContext, FakeLog
from yuheng.testing.waiting import eventually

pytestmark = pytest.mark.engines


def newest(log):
    """Return address -> (value, quality), the newest of each."""
    return {
        address: (value, quality)
        for batch, _ in log.samples
        for address, value, quality in zip(batch.addresses, batch.values, batch.qualities, strict=True)
    }


@asynccontextmanager
async def read_by_its_connector(code, tmp_path):
    """Let an area live, read by the connector and the settings that the plant file names."""
    plant = Plant(APPLIANCE, seed=1, start=MONDAY_MORNING)
    plant.run_until(MONDAY_MORNING + 8 * 3600)
    area = next(area for area in APPLIANCE.areas if area.code == code)
    port = free_port()
    served = ServedArea(area, plant, Outages(plant, seed=1), seed=1, port=port)
    await served.server.prepare()
    await served.scan(plant.now, 1_795_420_800_000)
    await served.server.start()
    described = describe(APPLIANCE, 1, ports={code: port})
    source = next(source for source in described["sources"] if source["code"].startswith(f"{code}-"))
    tags = [tag for tag in described["tags"] if tag["source"] == source["code"]]
    connector = find_connectors()[source["connector"]].load()()
    check_config(connector.manifest, source["settings"])
    log = FakeLog()
    context = FakeContext(SourceIdentity(7, source["code"], ()), tmp_path, log)
    context.set_tags(tuple(TagAddress(tag["address"], tag["data_type"]) for tag in tags))
    try:
        async with connector.open(source["settings"], context) as session:
            task = asyncio.get_running_loop().create_task(session.run())
            try:
                yield served, plant, tags, log, context
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
    finally:
        await served.server.stop()


@pytest.mark.parametrize("code", ["coating", "welding"])
async def test_every_signal_is_read_as_the_machine_says_it(code, tmp_path):
    async with read_by_its_connector(code, tmp_path) as (_served, plant, tags, log, context):
        await eventually(lambda: len(newest(log)) == len(tags), timeout_s=20)
        await eventually(lambda: context.health.state is State.CONNECTED, timeout_s=10)
        found = newest(log)
        assert all(quality == Quality.GOOD for _, quality in found.values())
        for tag in tags:
            machine, value = plant.machines[tag["work_unit"]], found[tag["address"]][0]
            if tag["symbol"] == "good_count":
                assert value == machine.good_count
            if tag["symbol"] == "program":
                assert value == (machine.fitted_family or "none")
            if tag["symbol"] == "run":
                assert bool(value) == (machine.state.name == "PRODUCING")


@pytest.mark.parametrize("code", ["coating", "welding"])
async def test_a_machine_that_falls_silent_is_bad_and_comes_back(code, tmp_path):
    async with read_by_its_connector(code, tmp_path) as (served, plant, tags, log, _context):
        await eventually(lambda: len(newest(log)) == len(tags), timeout_s=20)
        unit = tags[0]["work_unit"]
        own = [tag["address"] for tag in tags if tag["work_unit"] == unit]
        await served.server.show([], [unit])
        await eventually(lambda: all(newest(log)[address][1] >= Quality.BAD for address in own), timeout_s=20)
        others = [address for address, (_, quality) in newest(log).items() if quality == Quality.GOOD]
        assert len(others) == len(tags) - len(own)
        plant.run_until(plant.now + 60)
        await served.scan(plant.now, 1_795_420_860_000)
        await eventually(lambda: all(newest(log)[address][1] == Quality.GOOD for address in own), timeout_s=40)


def test_the_elevator_plant_carries_no_library_of_servers():
    code = (
        "import sys; import yuheng.simulation.__main__; "
        "sys.exit(','.join(n for n in ('asyncua', 'pymodbus') if n in sys.modules) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
