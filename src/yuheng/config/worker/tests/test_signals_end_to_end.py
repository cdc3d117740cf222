"""From a machine's counter to the job's pieces, with a real broker, historian and PostgreSQL; then kill -9."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from yuheng.bus.messages import LiveJobs
from yuheng.bus.setup import ensure_streams
from yuheng.bus.wire import connect
from yuheng.config.worker.tests.test_alarms_end_to_end import a_device, a_worker, until, until_true
from yuheng.engineering.rules import SignalRules
from yuheng.historian.tests.processes import HistorianProcess, credentials
from yuheng.operations.models import JobCount, JobOrder, JobResponse
from yuheng.operations.services import execute
from yuheng.operations.tests.signals import a_counted_job
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.services.tags import TagSpec, write_tags
from yuheng.testing.builders import SHIFT_START, SYSTEM

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines]


def a_running_job():
    """A job of the machine C1 that runs, and C1's counter."""
    plant, job = a_counted_job(SignalRules(counts=True, count_symbol="parts"), quantity=1000)
    unit = plant.units["C1"]
    source = DataSource.objects.create(site=plant.site, code="cut", connector="mqtt_json", topics=["plant/#"])
    tag = TagSpec(source.pk, "C1/parts", "int", work_unit_id=unit.pk, symbol="parts")
    write_tags(actor=SYSTEM, site_id=plant.site_id, tags=[tag], at=SHIFT_START)
    began = datetime.now(UTC) - timedelta(minutes=1)
    execute.start_job_order(actor=plant.ana, job_order_id=job.pk, work_unit_id=unit.pk, at=began)
    return unit, job


async def test_pieces_reach_the_job_and_the_screens_once_whoever_is_killed(fresh_nats, tmp_path):
    broker = fresh_nats
    user, password = credentials(broker)
    await ensure_streams(broker.url, broker.host, broker.mqtt_port, user, password)
    unit, job = await sync_to_async(a_running_job)()
    historian = HistorianProcess(broker.url, tmp_path)
    connection = await connect(broker.url)
    heard: list[LiveJobs] = []
    connection.subscribe(
        f"yh.live.jobs.{unit.site_id}",
        lambda items: heard.extend(msgspec.json.decode(item[3], type=LiveJobs) for item in items),
    )
    device = a_device(broker)

    async def say(value):
        said = device.publish("plant/C1", json.dumps({"parts": value}), qos=1)
        await asyncio.to_thread(said.wait_for_publish, 5)

    def counted():
        row = JobCount.objects.filter(job_order=job).first()
        return int(row.counted) if row else 0

    try:
        async with a_worker(broker, tmp_path) as worker:
            await until(_async(lambda: worker.version))
            historian.start()
            await until(_async(lambda: historian.ready_file.exists()))
            for value in range(40, 46):
                await say(value)
            await until_true(lambda: counted() == 5)
            await until_true(lambda: JobOrder.objects.get(pk=job.pk).good >= 1)
            await until(_async(lambda: heard and heard[-1].jobs[0].made == 5.0))

        # nobody takes in what is told; the historian is killed with readings that are not committed
        await say(46)
        historian.kill()
        await say(47)
        await say(0)
        await say(1)
        historian.start()
        await asyncio.to_thread(historian.wait_ready)
        async with a_worker(broker, tmp_path):
            await until_true(lambda: counted() == 8)
            told = await sync_to_async(
                lambda: sum(row.good for row in JobResponse.objects.filter(job_order=job, source="signal"))
            )()
            good = await sync_to_async(lambda: JobOrder.objects.get(pk=job.pk).good)()
            assert told == good <= 8
    finally:
        device.disconnect()
        device.loop_stop()
        connection.close()
        if historian.is_alive():
            historian.kill()
        await sync_to_async(connections.close_all)()


def _async(condition):
    async def asked():
        return condition()

    return asked
