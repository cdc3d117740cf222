"""Sending dead letters through the path again: read from ``YH_DEAD``, put into ``YH_INGEST``, then taken off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from yuheng.bus.subjects import (
    COUNTED_PUT_BACK,
    COUNTED_REPLAYED,
    DEAD_STREAM,
    HEADER_ARRIVED_US,
    HEADER_COUNTED,
    HEADER_DETAIL,
    HEADER_KIND,
    HEADER_REFERENCE,
    HEADER_TOPIC,
    KIND_MESSAGE,
    KIND_POINTS,
    KIND_REFUSED_PUBLISH,
    ingest_points,
    ingest_raw,
)
from yuheng.bus.wire import Connection, header_value
from yuheng.config.worker import jetstream
from yuheng.config.worker.database import Database
from yuheng.config.worker.intake import Point, batch_of, points_of
from yuheng.config.worker.jetstream import Stored
from yuheng.telemetry.rules import EPOCH, microseconds
from yuheng.telemetry.services.dead_letters import ReplayPlan, note_replayed, replay_plans


async def replay_what_waits(connection: Connection, database: Database) -> int:
    """Carry out every replay that was asked for; return how many letters went through.

    Safe to be killed anywhere: a letter is taken off the stream after the log has it, so at worst it goes through
    twice, and points are keyed. Raises `WireError`, `TimeoutError`, `DatabaseAway`; then ask again.
    """
    total = 0
    for plan in await database.run(replay_plans):
        end = await jetstream.last_sequence(connection, DEAD_STREAM)
        counts = await _replay(connection, plan, end)
        for group_id in plan.wanted.values():
            await database.run(
                note_replayed,
                group_id=group_id,
                count=counts[group_id],
                until_sequence=end,
                window=plan.windows.get(group_id),
                at=datetime.now(UTC),
            )
        total += counts.total()
    return total


async def _replay(connection: Connection, plan: ReplayPlan, end: int) -> Counter[int]:
    """Go once through what the stream held when we began: what is refused again comes behind ``end``."""
    counts: Counter[int] = Counter()
    subject = f"yh.dead.{plan.source_id}.{plan.reason}"
    sequence = 1
    while sequence <= end:
        stored = await jetstream.next_message(connection, DEAD_STREAM, subject, sequence)
        if stored is None or stored.sequence > end:
            break
        sequence = stored.sequence + 1
        if header_value(stored.header, HEADER_KIND) == KIND_REFUSED_PUBLISH:
            continue  # a notice of what the broker threw away holds nothing to send
        points = points_of(stored.header, stored.payload)
        if points is None:
            await _replay_message(connection, plan, stored, counts)
        else:
            await _replay_points(connection, plan, stored, points, counts)
    return counts


async def _replay_message(connection: Connection, plan: ReplayPlan, stored: Stored, counts: Counter[int]) -> None:
    topic = header_value(stored.header, HEADER_TOPIC) or ""
    group_id = plan.group_of(KIND_MESSAGE, topic)
    source_id = plan.target(topic)
    arrived = _arrived(stored)
    if group_id is None or source_id is None or not plan.is_in_window(group_id, int(arrived)):
        return
    headers = {
        HEADER_TOPIC: topic,
        HEADER_ARRIVED_US: arrived,
        HEADER_COUNTED: COUNTED_REPLAYED,
        **_reference(stored),
    }
    await jetstream.publish(connection, ingest_raw(source_id), stored.payload, headers=headers)
    await jetstream.delete(connection, DEAD_STREAM, stored.sequence)
    counts[group_id] += 1


async def _replay_points(
    connection: Connection, plan: ReplayPlan, stored: Stored, points: Sequence[Point], counts: Counter[int]
) -> None:
    """Send the wanted points of a batch; put what is left back, marked as counted, before the batch is taken off."""
    wanted: list[Point] = []
    left: list[Point] = []
    went: Counter[int] = Counter()
    for point in points:
        group_id = plan.group_of(KIND_POINTS, point["address"])
        if group_id is None:
            left.append(point)
        else:
            wanted.append(point)
            went[group_id] += 1
    if not wanted or not plan.source_id:
        return
    headers = {HEADER_TOPIC: header_value(stored.header, HEADER_TOPIC) or "", HEADER_ARRIVED_US: _arrived(stored)}
    again = {**headers, HEADER_COUNTED: COUNTED_REPLAYED}
    await jetstream.publish(connection, ingest_points(plan.source_id), batch_of(wanted), headers=again)
    if left:
        back = {
            **headers,
            HEADER_KIND: KIND_POINTS,
            HEADER_COUNTED: COUNTED_PUT_BACK,
            HEADER_DETAIL: header_value(stored.header, HEADER_DETAIL) or "",
        }
        await jetstream.publish(connection, stored.subject, batch_of(left), headers=back)
    await jetstream.delete(connection, DEAD_STREAM, stored.sequence)
    counts.update(went)


def _arrived(stored: Stored) -> str:
    """Return when the message first came, in microseconds: its own header, else when the stream took it."""
    given = header_value(stored.header, HEADER_ARRIVED_US) or ""
    if given.isdigit():
        return given
    whole, _, fraction = stored.time.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC) - EPOCH
    return str(microseconds(EPOCH + seconds) + int((fraction + "000000")[:6]))


def _reference(stored: Stored) -> dict[str, str]:
    reference = header_value(stored.header, HEADER_REFERENCE)
    return {} if reference is None else {HEADER_REFERENCE: reference}
