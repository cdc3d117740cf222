"""Plays recordings at a pace: each kind of machine on its own, all at the same time, through one MQTT connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from yuheng.simulation.mqtt import Message, Publisher
from yuheng.simulation.recorded.plant import MACHINES, TOPIC
from yuheng.simulation.recorded.readers import Record, Recording

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 3.0
"""Between two recordings as played: nobody watches a screwdriver lie on the bench overnight."""
FLUSH_EVERY_S = 0.25
RECORDS_A_MESSAGE = 200


@dataclass(frozen=True, slots=True)
class Pace:
    """How time passes.

    Attributes
    ----------
    speed
        Recorded seconds in a real second; None: each kind at the speed at which it is seen to move.
    is_as_recorded
        Keep the original stamps and send as fast as the broker takes (backfill). Else stamps are the moment of playing.
    """

    speed: float | None = None
    is_as_recorded: bool = False


@dataclass(slots=True)
class Progress:
    """What has been played so far."""

    records: int = 0
    recordings: int = 0
    total: int = 0
    now_playing: dict[str, str] = field(default_factory=dict)  # kind -> name of the recording


async def play(
    recordings: Sequence[Recording],
    publisher: Publisher[Message],
    pace: Pace,
    progress: Progress,
    *,
    loops: bool = False,
) -> None:
    """Play all recordings; with ``loops``, again and again until cancelled.

    Returns when everything is acknowledged.
    """
    progress.total = len(recordings)
    by_kind: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_kind.setdefault(recording.kind, []).append(recording)
    async with asyncio.TaskGroup() as group:
        for kind, mine in by_kind.items():
            group.create_task(_play_kind(kind, mine, publisher, pace, progress, loops=loops))
    await publisher.drain()


async def _play_kind(
    kind: str,
    recordings: list[Recording],
    publisher: Publisher[Message],
    pace: Pace,
    progress: Progress,
    *,
    loops: bool,
) -> None:
    topic = f"{TOPIC}/{MACHINES[kind].work_unit}"
    while True:
        if pace.is_as_recorded:
            batches: AsyncIterator[list[Record]] = _unpaced(_all_records(recordings, progress))
        else:
            batches = _paced(recordings, pace.speed or MACHINES[kind].speed, progress)
        async for batch in batches:
            body = [{"ts": round(record.at * 1e6), "seq": record.seq, "values": record.values} for record in batch]
            await publisher.publish(Message(topic, orjson.dumps(body)))
            progress.records += len(batch)
        if not loops:
            return


def _all_records(recordings: Iterable[Recording], progress: Progress) -> Iterator[Record]:
    for recording in recordings:
        progress.now_playing[recording.kind] = recording.name
        yield from recording.records()
        progress.recordings += 1


async def _unpaced(records: Iterator[Record]) -> AsyncIterator[list[Record]]:
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) >= RECORDS_A_MESSAGE:
            yield batch
            batch = []
            await asyncio.sleep(0)  # let the other kinds play too
    if batch:
        yield batch


async def _paced(recordings: list[Recording], speed: float, progress: Progress) -> AsyncIterator[list[Record]]:
    """Yield records with the moment of playing as their time, when that moment has come."""
    starts_at = time.time()
    ended_at: float | None = None  # recorded time at which the recording before ended
    for recording in recordings:
        progress.now_playing[recording.kind] = recording.name
        if ended_at is not None:
            starts_at += min(max(recording.starts_at - ended_at, SHORTEST_PAUSE_S) / speed, LONGEST_PAUSE_S)
        batch: list[Record] = []
        at = starts_at
        for record in recording.records():
            ended_at = record.at
            at = starts_at + (record.at - recording.starts_at) / speed
            if batch and (at - batch[0].at > FLUSH_EVERY_S or len(batch) >= RECORDS_A_MESSAGE):
                await _wait_until(batch[-1].at)
                yield batch
                batch = []
            batch.append(Record(at, record.values, record.seq))
        if batch:
            await _wait_until(batch[-1].at)
            yield batch
        progress.recordings += 1
        starts_at = at


async def _wait_until(moment: float) -> None:
    await asyncio.sleep(max(moment - time.time(), 0))
