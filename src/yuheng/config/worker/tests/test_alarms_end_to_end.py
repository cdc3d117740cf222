"""From a device to the journal and the live stream, with a real broker, historian and PostgreSQL; then kill -9."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import paho.mqtt.client as mqtt
import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from yuheng.alarms.models import Alarm, AlarmJournal
from yuheng.alarms.services import operate
from yuheng.alarms.services.definitions import DefinitionSpec, define
from yuheng.bus.messages import AlarmsQuestion, LiveAlarms
from yuheng.bus.setup import ensure_streams
from yuheng.bus.subjects import question
from yuheng.bus.wire import connect
from yuheng.config.environment import Environment
from yuheng.config.worker.process import Worker
from yuheng.historian.tests.processes import HistorianProcess, credentials
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.services.tags import TagSpec, write_tags
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, a_work_unit, an_actor, an_equipment_class

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines]


async def until(condition, timeout_s=40.0):
    deadline = time.monotonic() + timeout_s
    while not (found := await condition()):
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)
    return found


async def until_true(work, timeout_s=40.0):
    return await until(lambda: sync_to_async(work)(), timeout_s)


@asynccontextmanager
async def a_worker(broker, tmp_path):
    worker = Worker(replace(Environment.read(), nats_url=broker.url, data_dir=tmp_path))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await running
        for database in (worker.database, worker.alarms.database, worker.notifications.database):
            database._executor.shutdown(wait=True)


def a_machine():
    kind = an_equipment_class()
    unit = a_work_unit("L01", equipment_class=kind)
    source = DataSource.objects.create(site=a_site(), code="laser", connector="mqtt_json", topics=["plant/#"])
    tag = TagSpec(source.pk, "L01/temperature", "float", work_unit_id=unit.pk, symbol="temperature")
    write_tags(actor=SYSTEM, site_id=unit.site_id, tags=[tag], at=SHIFT_START)
    spec = DefinitionSpec("hot", "temperature > high", "热", "Hot", parameters={"high": 80.0}, chatter_window_s=0.0)
    define(actor=SYSTEM, spec=spec, at=SHIFT_START, equipment_class_id=kind.pk)
    return unit


def a_device(broker):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="device")
    client.username_pw_set(*credentials(broker))
    client.connect(broker.host, broker.mqtt_port)
    client.loop_start()
    return client


async def test_an_alarm_is_on_the_stream_soon_and_in_the_journal_once_whoever_is_killed(fresh_nats, tmp_path):
    broker = fresh_nats
    user, password = credentials(broker)
    await ensure_streams(broker.url, broker.host, broker.mqtt_port, user, password)
    unit = await sync_to_async(a_machine)()
    historian = HistorianProcess(broker.url, tmp_path)
    connection = await connect(broker.url)
    heard: list[LiveAlarms] = []
    connection.subscribe(
        f"yh.live.alarms.{unit.site_id}",
        lambda items: heard.extend(msgspec.json.decode(i[3], type=LiveAlarms) for i in items),
    )
    device = a_device(broker)

    def say(value):
        device.publish("plant/L01", json.dumps({"temperature": value}), qos=1).wait_for_publish(30)

    try:
        async with a_worker(broker, tmp_path) as worker:
            await until(_async(lambda: worker.version))
            historian.start()
            await until(_async(lambda: historian.ready_file.exists()))
            say(20.0)
            await asyncio.to_thread(say, 21.0)
            for number in range(10):
                before = len(heard)
                await asyncio.to_thread(say, 90.0 + number)
                await until(_async(lambda before=before: len(heard) > before))
                before = len(heard)
                await asyncio.to_thread(say, 20.0)
                await until(_async(lambda before=before: len(heard) > before))
            alarm = await until_true(lambda: Alarm.objects.filter(is_active=False).first())
            assert await sync_to_async(AlarmJournal.objects.count)() == 20

            _header, body = await connection.request(
                question("alarms"), msgspec.json.encode(AlarmsQuestion(unit.site_id))
            )
            snapshot = msgspec.json.decode(body, type=LiveAlarms)
            assert [row.alarm_id for row in snapshot.alarms] == [alarm.pk]
            assert (snapshot.seq, snapshot.counts.unacked) == (heard[-1].seq, 1)

            before = len(heard)
            await sync_to_async(_acknowledge)(alarm.pk)
            await until(_async(lambda: len(heard) > before))
            assert not heard[-1].alarms[0].is_shown

        # nobody takes facts in: they wait in the log; the historian is killed with samples that are not committed
        await asyncio.to_thread(say, 95.0)
        await asyncio.to_thread(say, 20.0)
        historian.kill()
        await asyncio.to_thread(say, 96.0)
        historian.start()
        await asyncio.to_thread(historian.wait_ready)
        async with a_worker(broker, tmp_path):
            await until_true(lambda: AlarmJournal.objects.filter(kind="activated").count() == 12)
            await until_true(lambda: Alarm.objects.get().is_active)
            kinds = await sync_to_async(list)(AlarmJournal.objects.order_by("id").values_list("kind", flat=True))
            assert kinds.count("cleared") == 11
    finally:
        device.disconnect()
        device.loop_stop()
        connection.close()
        if historian.is_alive():
            historian.kill()
        await sync_to_async(connections.close_all)()


def _acknowledge(pk):
    operate.acknowledge(actor=an_actor(), alarm_ids=[pk], at=SHIFT_START)


def _async(condition):
    async def asked():
        return condition()

    return asked
