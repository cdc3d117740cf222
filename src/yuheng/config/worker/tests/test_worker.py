"""The worker against real PostgreSQL and a real nats-server."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from yuheng.bus import documents, subjects
from yuheng.bus.messages import BirthNotice, Interval, SampleBatch, StateRevision
from yuheng.bus.setup import ensure_streams
from yuheng.bus.wire import connect, header_value
from yuheng.config.environment import Environment
from yuheng.config.worker import jetstream
from yuheng.config.worker.process import Worker
from yuheng.engines.points import Refusal
from yuheng.kernel.models import OutboxEvent
from yuheng.telemetry.models import DataSource, DeadLetterGroup, Tag, TagClass, WorkUnitState
from yuheng.telemetry.rules import microseconds
from yuheng.telemetry.services.dead_letters import make_tags_from_dead_letters, replay_dead_letters
from yuheng.telemetry.services.tags import TagSpec, write_tags
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, a_work_unit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines]


async def orm(work, *args, **kwargs):
    """Run synchronous Django code from an async test."""
    return await sync_to_async(work)(*args, **kwargs)


async def until_true(work):
    """Poll until synchronous Django code returns something true; return it."""
    return await until(lambda: orm(work))


KV = f"$KV.{subjects.CONFIG_BUCKET}.{subjects.CONFIG_KEY}"


async def until(condition, *, timeout_s=30.0):
    """Poll until an async condition returns something true; return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := await condition()):
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def broker(fresh_nats):
    await ensure_streams(
        fresh_nats.url,
        fresh_nats.host,
        fresh_nats.mqtt_port,
        fresh_nats.broker.url.split("//")[1].split(":")[0],
        fresh_nats.broker.password,
    )
    yield fresh_nats
    await sync_to_async(connections.close_all)()


@asynccontextmanager
async def a_worker(broker, tmp_path):
    environment = replace(Environment.read(), nats_url=broker.url, data_dir=tmp_path)
    worker = Worker(environment, ready_file=str(tmp_path / "ready"))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)
        worker.database._executor.shutdown(wait=True)


def a_source(code="laser", **fields):
    site = fields.pop("site", None) or a_site()
    return DataSource.objects.create(site=site, code=code, connector="mqtt_json", topics=["plant/#"], **fields)


async def published(connection):
    stored = await jetstream.newest_message(connection, f"KV_{subjects.CONFIG_BUCKET}", KV)
    return None if stored is None else documents.decode(stored.payload)


async def test_the_configuration_is_published_at_the_start_and_after_a_change(broker, tmp_path):
    source = await orm(a_source)
    connection = await connect(broker.url)
    async with a_worker(broker, tmp_path):
        first = await until(lambda: published(connection))
        assert [s.code for s in first.sources] == ["laser"]
        await until(_async(lambda: (tmp_path / "ready").exists()))

        await orm(
            write_tags,
            actor=SYSTEM,
            site_id=source.site_id,
            tags=[TagSpec(source.pk, "L01/run", "bool")],
            at=SHIFT_START,
        )

        async def newer():
            plant = await published(connection)
            return plant if plant.version > first.version else None

        second = await until(newer)
        assert [tag.address for tag in second.tags] == ["L01/run"]
    connection.close()


def _async(condition):
    async def asked():
        return condition()

    return asked


async def test_state_revisions_become_intervals_even_when_the_worker_is_killed_in_between(broker, tmp_path):
    unit = await orm(a_work_unit)
    connection = await connect(broker.url)
    start = microseconds(SHIFT_START)

    async def say(*revisions):
        for revision in revisions:
            await jetstream.publish(
                connection, subjects.state_event(unit.pk), msgspec.json.encode(StateRevision(unit.pk, *revision))
            )

    async with a_worker(broker, tmp_path):
        await say((start, [Interval(2, "", start, None)]), (start + 10, [Interval(5, "12", start + 10, None)]))
        await until_true(lambda: WorkUnitState.objects.count() == 2)
    await say((start + 20, [Interval(2, "", start + 20, None)]))
    async with a_worker(broker, tmp_path):
        rows = await until_true(
            lambda: (found := list(WorkUnitState.objects.order_by("started_at"))) and len(found) == 3 and found
        )
    assert [(row.state, row.cause, row.ended_at is None) for row in rows] == [
        (2, "", False),
        (5, "12", False),
        (2, "", True),
    ]
    connection.close()


async def test_a_message_that_is_no_revision_does_not_hold_up_those_behind_it(broker, tmp_path):
    unit = await orm(a_work_unit)
    connection = await connect(broker.url)
    start = microseconds(SHIFT_START)
    await jetstream.publish(connection, subjects.state_event(unit.pk), b"\xff not json")
    await jetstream.publish(connection, subjects.state_event(99_999), msgspec.json.encode(StateRevision(99_999, 0, [])))
    bad = StateRevision(unit.pk, -(2**62), [Interval(2, "", 2**62, None)])
    await jetstream.publish(connection, subjects.state_event(unit.pk), msgspec.json.encode(bad))
    good = StateRevision(unit.pk, start, [Interval(2, "", start, None)])
    await jetstream.publish(connection, subjects.state_event(unit.pk), msgspec.json.encode(good))

    async with a_worker(broker, tmp_path) as worker:
        await until_true(lambda: WorkUnitState.objects.filter(work_unit=unit).exists())
        assert worker.facts()["events_unusable"] == 3
    connection.close()


async def _two_sent(connection):
    return len(await ingested(connection, "yh.in.>")) == 2


async def put_dead_points(connection, source_id, addresses, value=1.5, counted=""):
    batch = SampleBatch(
        addresses, [1_795_000_000_000_000] * len(addresses), [value] * len(addresses), [0] * len(addresses)
    )
    await jetstream.publish(
        connection,
        subjects.dead(source_id, Refusal.UNKNOWN_TAG),
        msgspec.msgpack.encode(batch),
        headers={
            subjects.HEADER_KIND: subjects.KIND_POINTS,
            subjects.HEADER_TOPIC: "plant/L01",
            subjects.HEADER_ARRIVED_US: "1795000000000001",
            **({subjects.HEADER_COUNTED: counted} if counted else {}),
        },
    )


async def ingested(connection, subject):
    found = []
    sequence = 1
    while stored := await jetstream.next_message(connection, subjects.INGEST_STREAM, subject, sequence):
        found.append(stored)
        sequence = stored.sequence + 1
    return found


async def test_unknown_addresses_are_counted_once_made_into_tags_and_replayed(broker, tmp_path):
    source = await orm(a_source)
    connection = await connect(broker.url)
    for _ in range(3):
        await put_dead_points(connection, source.pk, ["L01/temp", "L01/other"])

    async with a_worker(broker, tmp_path):
        group = await until_true(lambda: DeadLetterGroup.objects.filter(what="L01/temp", count=3).first())
    async with a_worker(broker, tmp_path):  # once more: nothing is counted twice
        written = await orm(make_tags_from_dead_letters, actor=SYSTEM, group_ids=[group.pk], at=SHIFT_START)
        assert written.created == 1
        await orm(replay_dead_letters, actor=SYSTEM, group_ids=[group.pk], at=SHIFT_START)
        await until_true(lambda: DeadLetterGroup.objects.filter(pk=group.pk, state="replayed").exists())
        await until_true(lambda: not OutboxEvent.objects.filter(delivered_at__isnull=True).exists())

    sent = [msgspec.msgpack.decode(m.payload, type=SampleBatch) for m in await ingested(connection, "yh.in.>")]
    assert [batch.addresses for batch in sent] == [["L01/temp"]] * 3
    assert [batch.times_us for batch in sent] == [[1_795_000_000_000_000]] * 3
    other = await orm(DeadLetterGroup.objects.get, what="L01/other")
    group = await orm(DeadLetterGroup.objects.get, pk=group.pk)
    assert (group.count, group.replayed_count, other.count, other.state) == (3, 3, 3, "open")
    tag = await orm(Tag.objects.get, address="L01/temp")
    assert (tag.data_type, tag.name_en) == ("float", "temp")
    left = await jetstream.next_message(connection, subjects.DEAD_STREAM, "yh.dead.>", 1)
    assert msgspec.msgpack.decode(left.payload, type=SampleBatch).addresses == ["L01/other"]
    connection.close()


async def test_a_source_that_makes_its_own_tags_does_so_and_the_points_go_through_again(broker, tmp_path):
    source = await orm(a_source)
    await orm(DataSource.objects.filter(pk=source.pk).update, makes_tags_by_itself=True, own_tags_limit=1)
    connection = await connect(broker.url)
    await put_dead_points(connection, source.pk, ["L01/a", "L01/b"], value=True)

    async with a_worker(broker, tmp_path):
        await until_true(lambda: DeadLetterGroup.objects.filter(what="L01/a", state="replayed").exists())
        [sent] = await ingested(connection, "yh.in.>")
        assert header_value(sent.header, subjects.HEADER_COUNTED) == subjects.COUNTED_REPLAYED
        # The historian did not know the tag yet: refused again, it is neither counted nor shown as done, and replayed.
        await put_dead_points(connection, source.pk, ["L01/a"], value=True, counted=subjects.COUNTED_REPLAYED)
        await until_true(lambda: DeadLetterGroup.objects.filter(what="L01/a", samples__sequence__gt=2).exists())
        await until(lambda: _two_sent(connection))
        group = await until_true(lambda: DeadLetterGroup.objects.filter(what="L01/a", state="replayed").first())
        assert (group.count, group.replayed_count) == (1, 1)

    tags = await orm(lambda: list(Tag.objects.values_list("address", "data_type", "is_made_by_itself")))
    assert tags == [("L01/a", "bool", True)]  # the limit is one
    connection.close()


async def test_a_message_of_no_source_is_replayed_to_the_source_that_claims_its_topic_now(broker, tmp_path):
    await orm(a_site)
    connection = await connect(broker.url)
    headers = {subjects.HEADER_KIND: "message", subjects.HEADER_TOPIC: "plant/x", subjects.HEADER_ARRIVED_US: "17"}
    await jetstream.publish(connection, subjects.dead(0, Refusal.UNKNOWN_TOPIC), b"\x00\xffraw", headers=headers)

    async with a_worker(broker, tmp_path):
        group = await until_true(lambda: DeadLetterGroup.objects.filter(what="plant/x").first())
        source = await orm(a_source)
        await orm(replay_dead_letters, actor=SYSTEM, group_ids=[group.pk], at=SHIFT_START)
        await until_true(lambda: DeadLetterGroup.objects.filter(pk=group.pk, state="replayed").exists())

    [message] = await ingested(connection, f"yh.in.{source.pk}.raw")
    assert message.payload == b"\x00\xffraw"
    assert b"Yh-Topic: plant/x" in message.header
    assert b"Yh-Arrived-Us: 17" in message.header
    assert await jetstream.next_message(connection, subjects.DEAD_STREAM, "yh.dead.>", 1) is None
    connection.close()


async def test_a_birth_sends_the_data_that_waited_for_it_through_again_once_and_only_those(broker, tmp_path):
    source = await orm(a_source)
    connection = await connect(broker.url)
    topic = "spBv1.0/G/NDATA/edge"

    async def refused(reason, arrived_us, topic=topic):
        headers = {
            subjects.HEADER_KIND: "message",
            subjects.HEADER_TOPIC: topic,
            subjects.HEADER_ARRIVED_US: str(arrived_us),
        }
        await jetstream.publish(connection, subjects.dead(source.pk, reason), str(arrived_us).encode(), headers=headers)

    async def born(since_us, until_us):
        notice = msgspec.json.encode(BirthNotice(topic, since_us, until_us))
        await jetstream.publish(connection, subjects.born(source.pk), notice)

    await refused(Refusal.NOT_BORN, 100)  # of an earlier session
    await refused(Refusal.NOT_BORN, 200)
    await refused(Refusal.UNKNOWN_ALIAS, 300)
    await refused(Refusal.UNDECODABLE, 310)
    await refused(Refusal.NOT_BORN, 320, topic="spBv1.0/G/NDATA/other")
    await refused(Refusal.NOT_BORN, 400)  # after the birth
    async with a_worker(broker, tmp_path):
        await until_true(lambda: DeadLetterGroup.objects.count() == 4)
        await born(200, 400)
        await until_true(lambda: DeadLetterGroup.objects.filter(replayed_count=1).count() == 2)
        await born(200, 400)
        await refused(Refusal.UNDECODABLE, 500)
        await until_true(lambda: DeadLetterGroup.objects.filter(reason="undecodable", count=2).exists())
        await until_true(lambda: not DeadLetterGroup.objects.filter(state="replaying").exists())
        await until_true(lambda: not OutboxEvent.objects.filter(delivered_at__isnull=True).exists())

    assert sorted(m.payload for m in await ingested(connection, "yh.in.>")) == [b"200", b"300"]
    rows = await orm(lambda: set(DeadLetterGroup.objects.values_list("reason", "what", "state", "replayed_count")))
    assert rows == {
        ("not_born", topic, "open", 1),
        ("unknown_alias", topic, "replayed", 1),
        ("undecodable", topic, "open", 0),
        ("not_born", "spBv1.0/G/NDATA/other", "open", 0),
    }
    connection.close()


async def test_the_worker_goes_on_when_nats_server_was_killed_and_restarted(broker, tmp_path):
    unit = await orm(a_work_unit)
    start = microseconds(SHIFT_START)
    async with a_worker(broker, tmp_path) as worker:
        await until(_async(lambda: worker.version))
        await asyncio.to_thread(broker.restart)
        connection = await connect(broker.url)
        revision = StateRevision(unit.pk, start, [Interval(3, "", start, None)])
        await jetstream.publish(connection, subjects.state_event(unit.pk), msgspec.json.encode(revision))
        await until_true(lambda: WorkUnitState.objects.count() == 1)
        connection.close()


async def test_a_site_with_another_class_of_the_same_code_keeps_its_own(broker, tmp_path):
    first, second = await orm(a_site), await orm(a_site, "other", organisation="other")
    await orm(TagClass.objects.create, site=first, code="standard", raw_days=10)
    await orm(TagClass.objects.create, site=second, code="standard", raw_days=20)
    connection = await connect(broker.url)
    async with a_worker(broker, tmp_path):
        plant = await until(lambda: published(connection))
    assert {c.code: c.raw_days for c in plant.tag_classes} == {"standard": 10, f"standard@{second.pk}": 20}
    connection.close()
