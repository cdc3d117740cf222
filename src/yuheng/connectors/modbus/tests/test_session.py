"""The session against real pymodbus servers: what goes wrong on a shop floor, and what is said about it."""

import asyncio
import json
import struct
from contextlib import asynccontextmanager, suppress

import pytest
from pymodbus.constants import ExcCodes

from yuheng.connectors.modbus import ModbusConnector
from yuheng.connectors.modbus.link import Link
from yuheng.engines.points import Quality
from yuheng.gateway.connector import CommandRefused, ConfigRefused, SourceIdentity, State, TagAddress
from yuheng.simulation.modbus import COILS, HOLDING, INPUT, ModbusServer, UnitMemory
from yuheng.testing.connector_suite import FakeContext, FakeLog
from yuheng.testing.waiting import eventually


class Floor:
    """A server, the session that reads it, and what is in the log."""

    def __init__(self, server, log, context):
        self.server, self.log, self.context = server, log, context
        self.session = None

    def points(self, address):
        """Return (time, value, quality) of an address, in the order of the log."""
        return [
            (time_us, value, quality)
            for batch, _ in self.log.samples
            for name, time_us, value, quality in zip(
                batch.addresses, batch.times_us, batch.values, batch.qualities, strict=True
            )
            if name == address
        ]

    def good(self, address):
        return [value for _, value, quality in self.points(address) if quality == Quality.GOOD]

    def last(self, address):
        points = self.points(address)
        return points[-1][1:] if points else None

    def health(self):
        return self.context.health


def as_tags(addresses):
    return tuple(TagAddress(address, "float", is_writable=True) for address in sorted(addresses))


@asynccontextmanager
async def floor(tmp_path, units, addresses, *, server=None, **settings):
    """Poll ``addresses`` of a server with these units."""
    server = server or ModbusServer(units)
    await server.start()
    log = FakeLog()
    context = FakeContext(SourceIdentity(7, "floor", ()), tmp_path, log)
    context.set_tags(as_tags(addresses))
    config = {"host": "127.0.0.1", "port": server.port, "every_s": 0.02, "timeout_s": 0.2, "retries": 0, **settings}
    here = Floor(server, log, context)
    async with ModbusConnector().open(config, context) as session:
        here.session = session
        task = asyncio.get_running_loop().create_task(session.run())
        try:
            yield here
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    await server.stop()


def unit_with(**registers):
    """Return a unit: ``h5=[1, 2]`` are holding registers 5 and 6, ``c``, ``i`` and ``d`` the other tables."""
    unit = UnitMemory()
    for name, values in registers.items():
        unit.put({"h": HOLDING, "c": COILS, "i": INPUT, "d": "discrete"}[name[0]], int(name[1:]), values)
    return unit


async def test_all_four_tables_and_types_arrive(tmp_path):
    pi = list(struct.unpack(">HH", struct.pack(">f", 3.5)))
    unit = unit_with(h100=pi[::-1], h40=[0b1000], i0=[0xFFFE], c3=[1], d7=[0], h10=[0x4142, 0x4300])
    wanted = {
        "1:holding:100:float32:cdab": 3.5,
        "1:40101:float32:cdab": 3.5,
        "1:holding:40.3": True,
        "1:input:0:int16": -2,
        "1:coil:3": True,
        "1:discrete:7": False,
        "1:holding:10:string4": "ABC",
    }
    async with floor(tmp_path, {1: unit}, wanted) as here:
        await eventually(lambda: all(here.good(address)[:1] == [value] for address, value in wanted.items()))
        await eventually(lambda: here.health().state is State.CONNECTED)
        assert "7 addresses" in here.health().sentence


async def test_the_register_that_is_not_there_is_found_and_named_and_the_others_go_on(tmp_path):
    unit = unit_with(h0=list(range(50)))
    del unit.tables[HOLDING][23]
    addresses = [f"1:holding:{n}" for n in range(50)]
    async with floor(tmp_path, {1: unit}, addresses) as here:
        others = [address for address in addresses if address != "1:holding:23"]
        await eventually(lambda: all(here.good(address) for address in others))
        await eventually(lambda: here.health().state is State.DEGRADED)
        assert "1 of 50" in here.health().sentence
        assert "1:holding:23: illegal data address" in here.health().sentence
        assert here.last("1:holding:23") == (None, Quality.BAD)
        assert len(here.points("1:holding:23")) == 1
        assert here.health().facts["1:holding:23"].startswith("illegal data address")
        unit.put(HOLDING, 23, [7])
        assert "1 blocks" in await here.session.carry_out({"kind": "retry"})
        await eventually(lambda: here.good("1:holding:23")[-1:] == [7])
        await eventually(lambda: here.health().state is State.CONNECTED)
        assert here.health().facts["1:holding:23"] == ""


async def test_a_hole_that_nobody_asked_for_splits_the_block_and_nothing_is_bad(tmp_path):
    unit = unit_with(h0=[1], h5=[2])
    async with floor(tmp_path, {1: unit}, ["1:holding:0", "1:holding:5"]) as here:
        await eventually(lambda: here.good("1:holding:0") and here.good("1:holding:5"))
        await eventually(lambda: here.health().state is State.CONNECTED)
        assert not [
            quality for address in ("1:holding:0", "1:holding:5") for *_, quality in here.points(address) if quality
        ]


async def test_a_dead_unit_behind_a_gateway_does_not_stall_the_others(tmp_path, monkeypatch):
    read = Link.read
    probing, meanwhile, most = 0, 0, 0

    async def noted(link, unit, *where):
        """Count the answers of other units from the question to the dead one until its time is over."""
        nonlocal probing, meanwhile, most
        if unit != 2:
            answer = await read(link, unit, *where)
            meanwhile += probing
            most = max(most, meanwhile)
            return answer
        probing, meanwhile = 1, 0
        try:
            return await read(link, unit, *where)
        finally:
            probing = 0

    server = ModbusServer({1: unit_with(h0=[1]), 3: unit_with(h0=[3])}, keeps_silent=True)
    addresses = ["1:holding:0", "2:holding:0", "3:holding:0"]
    async with floor(tmp_path, {}, addresses, server=server, timeout_s=2.0) as here:
        await eventually(lambda: here.last("2:holding:0") == (None, Quality.BAD))
        most = 0
        monkeypatch.setattr(Link, "read", noted)
        await eventually(lambda: most >= 5)  # a probe takes two seconds, over the other connection
        assert "2:holding:0: unit 2: no answer" in here.health().sentence
        server.units[2] = unit_with(h0=[2])
        await eventually(lambda: here.good("2:holding:0"))


async def test_with_one_connection_a_dead_unit_costs_its_probes_only(tmp_path):
    server = ModbusServer({1: unit_with(h0=[1])}, keeps_silent=True)
    async with floor(tmp_path, {}, ["1:holding:0", "2:holding:0"], server=server, connections=1) as here:
        await eventually(lambda: here.last("2:holding:0") == (None, Quality.BAD))
        before = len(here.good("1:holding:0"))
        await eventually(lambda: len(here.good("1:holding:0")) > before + 20)


async def test_a_gateway_that_says_so_is_believed(tmp_path):
    async with floor(tmp_path, {1: unit_with(h0=[1])}, ["1:holding:0", "9:holding:0"]) as here:
        await eventually(lambda: here.last("9:holding:0") == (None, Quality.BAD) and here.good("1:holding:0"))
        await eventually(lambda: "exception 11" in here.health().facts.get("9:holding:0", ""))


async def test_the_server_dies_under_load_and_the_gap_is_said_exactly(tmp_path):
    addresses = [f"1:holding:{n}" for n in range(500)]
    unit = unit_with(h0=[5] * 500)
    async with floor(tmp_path, {1: unit}, addresses) as here:
        await eventually(lambda: all(len(here.good(address)) > 2 for address in addresses))
        await here.server.stop()
        await eventually(lambda: here.health().state is State.FAILED)
        await eventually(lambda: all(here.last(address) == (None, Quality.BAD) for address in addresses))
        await here.server.start()
        await eventually(lambda: here.context.gaps, timeout_s=10)
        await eventually(lambda: here.health().state is State.CONNECTED)
        (gap,) = here.context.gaps
        assert gap.addresses == ()
        assert "127.0.0.1" in gap.sentence
        for address in addresses[::100]:
            points = here.points(address)
            (place,) = [n for n, (_, _, quality) in enumerate(points) if quality == Quality.BAD]
            assert points[place - 1][0] < points[place][0] < points[place + 1][0]
            assert gap.start_us <= points[place - 1][0]
            assert points[place + 1][0] <= gap.end_us


async def test_a_server_killed_in_the_middle_of_an_answer_is_noticed_at_once(tmp_path):
    unit = unit_with(h0=[1])
    asked = asyncio.Event()
    never = asyncio.Event()

    async def hang(function, start, count):
        asked.set()
        await never.wait()
        return [0]

    async with floor(tmp_path, {1: unit}, ["1:holding:0"], timeout_s=30) as here:
        await eventually(lambda: here.good("1:holding:0"))
        unit.read = hang
        await asked.wait()
        await here.server.stop()
        await eventually(lambda: here.health().state is State.FAILED)
        never.set()
        del unit.read
        await here.server.start()
        await eventually(lambda: here.context.gaps and here.last("1:holding:0") == (1, Quality.GOOD))


async def test_an_answer_to_another_question_is_ignored_and_counted(tmp_path):
    spoiling = []

    def packet(is_sending, data):
        if is_sending and spoiling:
            spoiling.pop()
            return bytes([data[0] ^ 0x40]) + data[1:]
        return data

    server = ModbusServer({1: unit_with(h0=[1])}, trace_packet=packet)
    async with floor(tmp_path, {}, ["1:holding:0"], server=server, retries=2) as here:
        await eventually(lambda: here.good("1:holding:0"))
        spoiling.append(True)
        await eventually(lambda: here.health().counters.get("stale_answers") == 1)
        before = len(here.good("1:holding:0"))
        await eventually(lambda: len(here.good("1:holding:0")) > before)
        assert all(quality == Quality.GOOD for *_, quality in here.points("1:holding:0"))


@pytest.mark.parametrize(
    "frame",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x01\x00\x00\xff\xff\x01\x03\x02\x00\x01",  # length beyond any frame
        b"\x00\x01\x00\x00\x00\x00\x01",  # length 0
        b"\x00\x00\x00\x00\x00\x05\x01\x03\x04\x00\x01",  # says four bytes, has two
        b"\x00\x00\x00\x00\x00\x05\x01\x03\x02\x00\x01",  # a whole answer, with too few registers
        b"\x00\x00\x00\x00\x00\x03\x01\x2b\x00",  # a function nobody asked for
        b"\x00\x00\x00\x00\x00\x05\x01\x04\x02\x00\x01",  # the other table
    ],
)
async def test_what_is_no_answer_is_counted_and_the_next_one_is_read(tmp_path, frame):
    spoiling = []

    def packet(is_sending, data):
        return spoiling.pop() if is_sending and spoiling else data

    server = ModbusServer({1: unit_with(h0=[1, 2])}, trace_packet=packet)
    async with floor(tmp_path, {}, ["1:holding:0", "1:holding:1"], server=server, retries=1) as here:
        await eventually(lambda: here.good("1:holding:0"))
        spoiling.append(frame)
        await eventually(lambda: here.health().counters.get("malformed_frames", 0) >= 1)
        before = len(here.good("1:holding:0"))
        await eventually(lambda: len(here.good("1:holding:0")) > before)
        await eventually(lambda: here.health().state is State.CONNECTED)
        assert set(here.good("1:holding:0")) == {1}
        assert set(here.good("1:holding:1")) == {2}


async def test_a_busy_device_is_asked_again(tmp_path):
    unit = unit_with(h0=[1])
    refusals = [ExcCodes.DEVICE_BUSY, ExcCodes.ACKNOWLEDGE]
    answer = unit.read

    async def busy(function, start, count):
        return refusals.pop() if refusals else await answer(function, start, count)

    unit.read = busy
    async with floor(tmp_path, {1: unit}, ["1:holding:0"], retries=3) as here:
        await eventually(lambda: here.good("1:holding:0"))
        assert here.health().counters["failed_busy"] == 2
        assert all(quality == Quality.GOOD for *_, quality in here.points("1:holding:0"))


async def test_no_number_is_bad_with_its_reason(tmp_path):
    unit = unit_with(h0=list(struct.unpack(">HH", struct.pack(">f", float("nan")))))
    async with floor(tmp_path, {1: unit}, ["1:holding:0:float32"]) as here:
        await eventually(lambda: here.last("1:holding:0:float32") == (None, Quality.BAD))
        await eventually(lambda: "NaN" in here.health().sentence)
        unit.put(HOLDING, 0, list(struct.unpack(">HH", struct.pack(">f", 2.5))))
        await eventually(lambda: here.last("1:holding:0:float32") == (2.5, Quality.GOOD))


async def test_new_tags_are_read_without_a_new_connection_and_wrong_ones_are_said(tmp_path):
    unit = unit_with(h0=[1, 2])
    async with floor(tmp_path, {1: unit}, ["1:holding:0"]) as here:
        await eventually(lambda: here.good("1:holding:0"))
        here.context.set_tags(as_tags(["1:holding:0", "1:holding:1", "oven temperature"]))
        await eventually(lambda: here.good("1:holding:1"))
        await eventually(lambda: here.health().state is State.DEGRADED)
        assert "oven temperature" in here.health().sentence
        assert here.last("oven temperature") == (None, Quality.BAD)
        assert "reconnects" not in here.health().counters
        here.context.set_tags(as_tags(["1:holding:1"]))
        await eventually(lambda: here.health().state is State.CONNECTED and "1 addresses" in here.health().sentence)


async def test_a_closed_log_makes_a_gap_that_is_said(tmp_path):
    async with floor(tmp_path, {1: unit_with(h0=[1])}, ["1:holding:0"]) as here:
        await eventually(lambda: here.good("1:holding:0"))
        here.log.hold()
        await eventually(lambda: here.log.waiting > 0)
        here.context.skew_us += 60_000_000  # a minute goes by
        here.log.release()
        await eventually(lambda: here.context.gaps)
        assert here.context.gaps[0].end_us - here.context.gaps[0].start_us >= 60_000_000


async def test_an_outage_of_ours_has_a_beginning_too(tmp_path):
    unit = unit_with(h0=[1])
    async with floor(tmp_path, {1: unit}, ["1:holding:0"]) as here:
        now_us = here.context.now_us()
    (tmp_path / "position.json").write_text(json.dumps({"last_us": now_us - 3_600_000_000}))
    async with floor(tmp_path, {1: unit}, ["1:holding:0"]) as here:
        await eventually(lambda: here.context.gaps)
        (gap,) = here.context.gaps
        assert gap.start_us == now_us - 3_600_000_000
        assert gap.end_us >= now_us
        assert "not running" in gap.sentence
        first = here.points("1:holding:0")[0]
        assert first[1:] == (None, Quality.BAD)
        assert gap.start_us < first[0] < gap.end_us


async def test_a_host_that_is_not_there_is_said_in_a_sentence(tmp_path):
    server = ModbusServer({})
    async with floor(tmp_path, {}, ["1:holding:0"], server=server, port=1) as here:
        await eventually(lambda: here.health().state is State.FAILED)
        assert "127.0.0.1:1 cannot be reached" in here.health().sentence
        assert here.last("1:holding:0") == (None, Quality.BAD)


def test_a_wrong_rate_is_refused_before_anything_is_opened(tmp_path):
    context = FakeContext(SourceIdentity(7, "floor", ()), tmp_path, FakeLog())

    async def opening():
        async with ModbusConnector().open({"host": "x", "rates": [{"every_s": 1, "addresses": ["?"]}]}, context):
            raise AssertionError("It was opened.")

    with pytest.raises(ConfigRefused, match="is no range"):
        asyncio.run(opening())


# ---- writing and looking ------------------------------------------------------------------------------------------


async def test_values_are_written_once_and_read_back(tmp_path):
    writes = []
    unit = UnitMemory(on_write=lambda *what: writes.append(what))
    unit.put(HOLDING, 0, [0] * 20)
    unit.put(COILS, 0, [0] * 8)
    async with floor(tmp_path, {1: unit}, ["1:holding:0"]) as here:
        await eventually(lambda: here.good("1:holding:0"))
        back = await here.session.write("1:holding:4:float32:cdab", 3.5)
        assert back.is_confirmed
        assert back.value == 3.5
        assert (await here.session.write("1:holding:6:int16", -2.0000000000000004)).value == -2
        assert (await here.session.write("1:coil:2", True)).value is True
        assert (await here.session.write("1:holding:8:string4", "AB")).value == "AB"
        unit.put(HOLDING, 10, [0b0101])
        assert (await here.session.write("1:holding:10.1", True)).is_confirmed
        assert unit.tables[HOLDING][10] == 0b0111
        assert (await here.session.write("1:holding:10.4-6", 5)).value == 5
        assert unit.tables[HOLDING][10] == 0b1010111
        assert [write[:2] for write in writes] == [
            (HOLDING, 4), (HOLDING, 6), (COILS, 2), (HOLDING, 8), (HOLDING, 10), (HOLDING, 10)
        ]  # fmt: skip


async def test_what_the_device_refuses_was_not_written(tmp_path):
    unit = unit_with(h0=[1], i0=[1])
    unit.read_only.add((HOLDING, 0))
    async with floor(tmp_path, {1: unit}, ["1:holding:0"]) as here:
        await eventually(lambda: here.good("1:holding:0"))
        for address, value, says in [
            ("1:holding:0", 2, "illegal data address"),
            ("1:holding:99", 2, "illegal data address"),
            ("1:input:0", 2, "can only be read"),
            ("1:holding:0", 70000, "does not fit"),
            ("nonsense", 1, "no Modbus address"),
        ]:
            with pytest.raises(CommandRefused, match=says):
                await here.session.write(address, value)
        assert unit.tables[HOLDING][0] == 1


async def test_a_device_that_does_not_follow_is_not_confirmed(tmp_path):
    unit = unit_with(h0=[1])
    unit.write = lambda function, start, values: asyncio.sleep(0)
    async with floor(tmp_path, {1: unit}, ["1:holding:0"]) as here:
        await eventually(lambda: here.good("1:holding:0"))
        back = await here.session.write("1:holding:0", 5)
        assert not back.is_confirmed
        assert back.value == 1
        assert "shows 1" in back.sentence


async def test_bits_of_a_device_without_the_mask_need_leave(tmp_path):
    def without_mask():
        unit = unit_with(h0=[0b0001])
        write = unit.write

        async def refusing(function, start, values):
            return ExcCodes.ILLEGAL_FUNCTION if function == 22 else await write(function, start, values)

        unit.write = refusing
        return unit

    async with floor(tmp_path, {1: without_mask()}, ["1:holding:0"]) as here:
        await eventually(lambda: here.good("1:holding:0"))
        with pytest.raises(CommandRefused, match="function 22"):
            await here.session.write("1:holding:0.3", True)
    unit = without_mask()
    async with floor(tmp_path, {1: unit}, ["1:holding:0"], merges_bits=True) as here:
        await eventually(lambda: here.good("1:holding:0"))
        assert (await here.session.write("1:holding:0.3", True)).is_confirmed
        assert unit.tables[HOLDING][0] == 0b1001


async def test_a_write_without_an_answer_is_nobody_knows(tmp_path):
    unit = unit_with(h0=[1])
    never = asyncio.Event()

    async def hang(function, start, values):
        await never.wait()

    unit.write = hang
    async with floor(tmp_path, {1: unit}, ["1:holding:0"]) as here:
        await eventually(lambda: here.good("1:holding:0"))
        with pytest.raises(Exception, match="no answer") as failed:
            await here.session.write("1:holding:0", 5)
        assert not isinstance(failed.value, CommandRefused)
        never.set()


async def test_the_configured_map_can_be_looked_through(tmp_path):
    unit = unit_with(h0=list(range(300)))
    addresses = [f"1:holding:{n}" for n in range(250)] + ["2:coil:1"]
    async with floor(tmp_path, {1: unit}, addresses) as here:
        await eventually(lambda: here.good("1:holding:0"))
        top = await here.session.browse()
        assert [(node.node, node.has_children) for node in top.nodes] == [("unit:1", True), ("unit:2", True)]
        found, cursor = [], ""
        while True:
            page = await here.session.browse("unit:1", cursor)
            found += page.nodes
            cursor = page.cursor
            if not cursor:
                break
        assert [(node.address, node.value) for node in found] == [(f"1:holding:{n}", str(n)) for n in range(250)]
        (one,) = (await here.session.browse(search="holding:249")).nodes
        assert one.value == "249"


async def test_addresses_on_trial_show_what_they_could_be(tmp_path):
    unit = unit_with(h100=list(struct.unpack(">HH", struct.pack(">f", 21.5)))[::-1])
    async with floor(tmp_path, {1: unit}, ["1:holding:100"]) as here:
        await eventually(lambda: here.good("1:holding:100"))
        nodes = (await here.session.browse("try", search="1:holding:100, 1:holding:7:int16 rubbish")).nodes
        values = {node.address: node.value for node in nodes}
        assert values["1:holding:100:float32:cdab"] == "21.5"
        assert values["1:holding:100:uint16"] == "0"
        assert len(nodes) == 2 + 12 + 1 + 1
        assert "illegal data address" in nodes[-2].description
        assert "no Modbus address" in nodes[-1].description
        with pytest.raises(CommandRefused):
            await here.session.browse("try", search="")
        with pytest.raises(CommandRefused, match="retry"):
            await here.session.carry_out({"kind": "rebirth"})


async def test_four_days_away_with_ten_thousand_tags_are_said_in_one_gap(tmp_path):
    addresses = [f"1:holding:{n}" for n in range(10_000)]
    unit = unit_with(h0=[5] * 10_000)
    four_days_us = 4 * 86_400 * 1_000_000
    async with floor(tmp_path, {1: unit}, addresses, every_s=0.2, timeout_s=5) as here:
        await eventually(lambda: here.health().state is State.CONNECTED, timeout_s=20)
        await here.server.stop()
        await eventually(lambda: here.health().state is State.FAILED, timeout_s=20)
        here.context.skew_us += four_days_us
        await here.server.start()
        await eventually(lambda: here.context.gaps and here.health().state is State.CONNECTED, timeout_s=30)
        (gap,) = here.context.gaps
        assert gap.addresses == ()
        assert four_days_us <= gap.end_us - gap.start_us < four_days_us + 60_000_000
        for address in addresses[::2500]:
            assert [quality for *_, quality in here.points(address)].count(Quality.BAD) == 1
            assert here.last(address) == (5, Quality.GOOD)
