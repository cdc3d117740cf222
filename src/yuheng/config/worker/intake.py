"""Taking in a stream: in order, each message exactly once, acknowledged after the commit."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar

import msgspec
from django.db import transaction
from django.db.utils import DatabaseError, DataError, IntegrityError

from yuheng.bus.log_reader import LogMessage, LogReader, PullLimits
from yuheng.bus.messages import BirthNotice, CommandOutcome, JobSignals, SampleBatch, SourceGap, StateRevision
from yuheng.bus.subjects import (
    BORN,
    COUNTED_REPLAYED,
    EVENTS_STREAM,
    HEADER_ARRIVED_US,
    HEADER_COUNTED,
    HEADER_DETAIL,
    HEADER_KIND,
    HEADER_TOPIC,
    KIND_MESSAGE,
    KIND_POINTS,
    KIND_REFUSED_PUBLISH,
    WORKER_DURABLE,
)
from yuheng.bus.wire import Connection, header_value
from yuheng.config.worker.database import Database, DatabaseAway
from yuheng.config.worker.jetstream import stream_made_at
from yuheng.kernel.actor import system_actor
from yuheng.operations.services.signals.intake import look_soon, note_signals
from yuheng.telemetry.services.commands import note_gaps, note_outcomes
from yuheng.telemetry.services.dead_letters import DeadLetter, note_dead_letters, replay_what_a_birth_explains
from yuheng.telemetry.services.log_positions import advance, position_of
from yuheng.telemetry.services.state_intervals import apply_state_revisions

LOGGER = logging.getLogger(__name__)

Fact = TypeVar("Fact", StateRevision, JobSignals, CommandOutcome, SourceGap)

TakeIn = Callable[[Sequence[LogMessage]], int]
"""Writes the messages inside the caller's transaction; returns how many were usable."""

ACTOR = system_actor("worker")
BORN_END = f".{BORN}".encode()
STATE_SUBJECT = b"yh.ev.state."
SIGNAL_SUBJECT = b"yh.ev.signal."
COMMAND_SUBJECT = b"yh.ev.command."
GAP_SUBJECT = b"yh.ev.gap."
BATCH = 2_000
BATCH_BYTES = 4 * 2**20
"""Refused points take some ten times their bytes while they are read: a batch takes at most about 50 MB."""
QUEUE = 10_000
"""Messages waiting for the database. Policy when it is full: hold the log."""
QUEUE_BYTES = 64 * 2**20
RETRY_S = (0.1, 2.0)


class Point(TypedDict):
    """One refused point, as it is stored and shown."""

    address: str
    time_us: int
    value: Any
    quality: int
    seq: int


@dataclass(slots=True)
class Counts:
    """What one stream brought since the worker started."""

    messages: int = 0
    unusable: int = 0
    waiting: int = 0
    waiting_bytes: int = 0


class Intake:
    """One stream for the life of one connection."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        take_in: TakeIn,
        database: Database,
        counts: Counts,
        taken: Callable[[Sequence[LogMessage]], None] = lambda _messages: None,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._take_in = take_in
        self._database = database
        self._counts = counts
        self._taken = taken
        self._waiting: deque[LogMessage] = deque()
        self._arrived = asyncio.Event()
        counts.waiting = counts.waiting_bytes = 0
        self._reader = LogReader(
            connection, stream, WORKER_DURABLE, self._deliver, PullLimits(batch=2_000, max_bytes=24_000_000)
        )

    async def run(self) -> None:
        """Take in until the connection is lost. Raises `WireError` or `TimeoutError`."""
        made_at = await stream_made_at(self._connection, self._stream)
        try:
            async with asyncio.TaskGroup() as group:  # a reader that fails must not look like a silent log
                group.create_task(self._read())
                group.create_task(self._take_all(made_at))
        finally:
            await self._reader.close()

    async def _take_all(self, made_at: str) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._take(made_at)

    async def _read(self) -> None:
        await self._reader.start()
        while True:
            await asyncio.sleep(1.0)
            self._reader.check(asyncio.get_running_loop().time())

    def _deliver(self, reader: LogReader, messages: list[LogMessage]) -> None:
        self._waiting.extend(messages)
        self._counts.waiting += len(messages)
        self._counts.waiting_bytes += sum(len(message.payload) for message in messages)
        if self._counts.waiting >= QUEUE or self._counts.waiting_bytes >= QUEUE_BYTES:
            reader.pause()
        self._arrived.set()

    async def _take(self, made_at: str) -> None:
        batch = self._next_batch()
        delay = RETRY_S[0]
        while True:
            try:
                usable = await self._database.run(_take_in_once, self._stream, made_at, batch, self._take_in)
                break
            except DatabaseAway:
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_S[1])
        self._reader.acknowledge(batch[-1].sequence)
        self._counts.messages += len(batch)
        self._counts.unusable += len(batch) - usable
        if self._counts.waiting < QUEUE // 2 and self._counts.waiting_bytes < QUEUE_BYTES // 2:
            self._reader.resume()
        self._taken(batch)

    def _next_batch(self) -> list[LogMessage]:
        batch: list[LogMessage] = []
        size = 0
        while self._waiting and len(batch) < BATCH:
            if batch and size + len(self._waiting[0].payload) > BATCH_BYTES:
                break  # one that is larger goes alone
            message = self._waiting.popleft()
            size += len(message.payload)
            batch.append(message)
        self._counts.waiting -= len(batch)
        self._counts.waiting_bytes -= size
        return batch


@transaction.atomic
def _take_in_once(stream: str, made_at: str, batch: Sequence[LogMessage], take_in: TakeIn) -> int:
    """Write what was not written before, and how far we are, in one transaction."""
    position = position_of(stream=stream, made_at=made_at)
    fresh = [message for message in batch if message.sequence > position]
    usable = _take_in_what_can_be(stream, fresh, take_in) if fresh else 0
    if fresh:
        advance(stream=stream, made_at=made_at, sequence=fresh[-1].sequence)
    return usable + len(batch) - len(fresh)


def _take_in_what_can_be(stream: str, messages: Sequence[LogMessage], take_in: TakeIn) -> int:
    """Write all of them; when one of them cannot be written, find it, say so, and go on without it."""
    try:
        with transaction.atomic():
            return take_in(messages)
    except DatabaseError as error:
        if not isinstance(error, DataError | IntegrityError):
            raise  # not a message's fault: the database is away, read-only, or not migrated
        fault: Exception = error
    except Exception as error:
        fault = error
    if len(messages) == 1:
        LOGGER.error("Message %d of %s could not be taken in: %s", messages[0].sequence, stream, fault, exc_info=fault)
        return 0
    middle = len(messages) // 2
    return sum(_take_in_what_can_be(stream, half, take_in) for half in (messages[:middle], messages[middle:]))


# ---- what the streams hold --------------------------------------------------------------------------------------


def take_in_events(messages: Sequence[LogMessage]) -> int:
    """Apply what ``YH_EVENTS`` holds: state revisions, signals of jobs, outcomes of commands, gaps of sources."""
    at = datetime.now(UTC)
    revisions = _decoded(messages, STATE_SUBJECT, StateRevision)
    signals = _decoded(messages, SIGNAL_SUBJECT, JobSignals)
    outcomes = _decoded(messages, COMMAND_SUBJECT, CommandOutcome)
    gaps = _decoded(messages, GAP_SUBJECT, SourceGap)
    usable = apply_state_revisions(revisions) if revisions else 0
    if revisions:
        look_soon(work_unit_ids=[revision.work_unit_id for revision in revisions], at=at)
    usable += note_signals(facts=signals, at=at) if signals else 0
    usable += note_outcomes(outcomes=outcomes) if outcomes else 0
    return usable + (note_gaps(gaps=gaps) if gaps else 0)


def _decoded(messages: Sequence[LogMessage], prefix: bytes, kind: type[Fact]) -> list[Fact]:
    """Return the messages of a subject, those that cannot be read left out and said so."""
    found: list[Fact] = []
    for message in messages:
        if message.subject.startswith(prefix):
            try:
                found.append(msgspec.json.decode(message.payload, type=kind))
            except msgspec.DecodeError as error:
                LOGGER.warning("Message %d of %s is no %s: %s", message.sequence, EVENTS_STREAM, kind.__name__, error)
    return found


def take_in_dead(messages: Sequence[LogMessage]) -> int:
    """Count the dead letters of ``YH_DEAD``; the messages themselves stay in the stream for replay.

    Notices of births come behind the letters that they explain: those are sent through the path again.
    """
    notices = [message for message in messages if message.subject.endswith(BORN_END)]
    note_dead_letters(
        [letter for message in messages if not message.subject.endswith(BORN_END) for letter in letters_of(message)]
    )
    for message in notices:
        source_id, _ = _source_and_reason(message.subject.decode(errors="replace"))
        notice = msgspec.json.decode(message.payload, type=BirthNotice)
        replay_what_a_birth_explains(
            actor=ACTOR,
            source_id=source_id,
            topic=notice.topic,
            since_us=notice.since_us,
            until_us=notice.until_us,
            at=datetime.now(UTC),
        )
    return len(messages)


def letters_of(message: LogMessage) -> list[DeadLetter]:
    """Return one letter for a whole message, or one for each refused point."""
    source_id, reason = _source_and_reason(message.subject.decode(errors="replace"))
    topic = header_value(message.header, HEADER_TOPIC) or ""
    arrived = header_value(message.header, HEADER_ARRIVED_US) or ""
    counted = header_value(message.header, HEADER_COUNTED)
    points = points_of(message.header, message.payload)
    found = [(topic, message.payload)] if points is None else [(p["address"], msgspec.json.encode(p)) for p in points]
    is_refused = header_value(message.header, HEADER_KIND) == KIND_REFUSED_PUBLISH
    kind = KIND_POINTS if points is not None else KIND_REFUSED_PUBLISH if is_refused else KIND_MESSAGE
    return [
        DeadLetter(
            source_id=source_id,
            reason=reason,
            kind=kind,
            what=what,
            topic=topic,
            arrived_us=int(arrived) if arrived.isdigit() and len(arrived) < 17 else message.arrived_us,
            payload=payload,
            sequence=message.sequence,
            detail=header_value(message.header, HEADER_DETAIL) or "",
            is_counted=counted is not None,
            is_replayed=counted == COUNTED_REPLAYED,
        )
        for what, payload in found
    ]


def points_of(header: bytes, payload: bytes) -> list[Point] | None:
    """Return the refused points of a dead letter of kind ``points``; None when it holds a whole message.

    A batch that cannot be read counts as a whole message: it is shown and kept as it is.
    """
    if header_value(header, HEADER_KIND) != KIND_POINTS:
        return None
    try:
        batch = msgspec.msgpack.decode(payload, type=SampleBatch)
        seqs = batch.seqs or [0] * len(batch.addresses)
        columns = zip(batch.addresses, batch.times_us, batch.values, batch.qualities, seqs, strict=True)
        return [
            Point(address=address, time_us=time_us, value=value, quality=quality, seq=seq)
            for address, time_us, value, quality, seq in columns
        ]
    except (msgspec.DecodeError, ValueError):
        return None


def batch_of(points: Sequence[Point]) -> bytes:
    """Return points as `messages.SampleBatch`, msgpack."""
    return msgspec.msgpack.encode(
        SampleBatch(
            addresses=[point["address"] for point in points],
            times_us=[point["time_us"] for point in points],
            values=[point["value"] for point in points],
            qualities=[point["quality"] for point in points],
            seqs=[point["seq"] for point in points],
        )
    )


def _source_and_reason(subject: str) -> tuple[int, str]:
    words = subject.split(".")
    source = words[2] if len(words) > 3 else ""
    return (int(source) if source.isdigit() else 0, words[3] if len(words) > 3 else "")
