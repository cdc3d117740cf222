"""What signals say to jobs: changes of counters and run numbers, gathered on the way of a reading, told durably.

Nothing is decided here. The worker, which knows the jobs, counts each reading once whatever comes twice: so after a
start, when nothing is known of what was told before, the first reading of each signal is told again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from yuheng.bus import subjects
from yuheng.bus.documents import Plant, Tag
from yuheng.bus.messages import JobSeries, JobSignals
from yuheng.engines.points import PointBlock, Quality, TextPoint
from yuheng.historian.routing import TagTable
from yuheng.historian.telling import Teller, type_publish

MAX_READINGS = 5_000
"""In one message, which so stays far below what the broker takes."""
LONGEST_TEXT = 200

_json = msgspec.json.Encoder()

type_reading = tuple[int, int, float | str, int]
"""time_us, seq, value, arrived_us."""


class JobSignalGatherer:
    """Keeps the changes of the signals that jobs listen to until they are taken."""

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self._kinds: dict[int, str] = {}  # tag id -> kind
        self._is_listened: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._told: dict[int, tuple[int, float | str]] = {}  # tag id -> time and value of the newest told
        self._waiting: dict[int, list[type_reading]] = {}

    def load(self, plant: Plant) -> None:
        """Take over which symbols jobs listen to."""
        wanted = {(one.site_id, one.symbol): one.kind for one in plant.job_symbols}
        sites = {unit.id: unit.site_id for unit in plant.work_units}
        self._kinds = {
            tag.id: wanted[key]
            for tag in plant.tags
            if tag.work_unit_id is not None and (key := (sites.get(tag.work_unit_id, 0), tag.symbol)) in wanted
        }
        self._is_listened = np.zeros(len(self._tags), np.bool_)
        for tag_id in self._kinds:
            self._is_listened[self._tags.slot(tag_id)] = True
        self._told = {tag_id: told for tag_id, told in self._told.items() if tag_id in self._kinds}

    def absorb(self, points: PointBlock, slots: npt.NDArray[np.int32], texts: Iterable[TextPoint]) -> None:
        """See points in order of tag and time, and texts."""
        if not self._kinds:
            return
        for at in np.flatnonzero(self._is_listened[slots]).tolist():
            value = float(points.value[at])
            if int(points.quality[at]) < Quality.BAD and np.isfinite(value):
                tag_id = int(points.tag[at])
                self._see(tag_id, int(points.time_us[at]), int(points.seq[at]), value, int(points.arrived_us[at]))
        for text in texts:
            if text.tag in self._kinds and text.quality < Quality.BAD:
                self._see(text.tag, text.time_us, text.seq, text.text[:LONGEST_TEXT], text.arrived_us)

    def _see(self, tag_id: int, time_us: int, seq: int, value: float | str, arrived_us: int) -> None:
        told = self._told.get(tag_id)
        is_newest = told is None or time_us > told[0]
        if is_newest and told is not None and told[1] == value:
            return
        if is_newest:
            self._told[tag_id] = (time_us, value)
        self._waiting.setdefault(tag_id, []).append((time_us, seq, value, arrived_us))

    def take(self) -> list[JobSignals]:
        """Return what was seen since the last call, and forget it."""
        waiting, self._waiting = self._waiting, {}
        found: list[JobSignals] = []
        for tag_id, readings in waiting.items():
            tag = self._tags.tags.get(tag_id)
            if tag is None or tag.work_unit_id is None or tag_id not in self._kinds:
                continue
            readings.sort(key=lambda one: one[:2])
            for start in range(0, len(readings), MAX_READINGS):
                part = readings[start : start + MAX_READINGS]
                found.append(JobSignals(tag.work_unit_id, [_series(tag, self._kinds[tag_id], part)]))
        return found


def _series(tag: Tag, kind: str, readings: Sequence[type_reading]) -> JobSeries:
    times, seqs, values, arrived = (list(column) for column in zip(*readings, strict=True))
    return JobSeries(tag.id, tag.symbol, kind, tag.role, times, seqs, values, arrived)


class JobSignalTeller(Teller):
    """Publishes what signals say to jobs to ``YH_EVENTS``."""

    def __init__(
        self,
        gatherer: JobSignalGatherer,
        *,
        publish_all: Callable[[Sequence[type_publish]], Awaitable[list[type_publish]]],
    ) -> None:
        super().__init__("signals of jobs", publish_all=publish_all)
        self._gatherer = gatherer

    def note(self) -> None:
        """Take over what was gathered; called after every batch."""
        self.put([(subjects.signal_event(one.work_unit_id), b"", _json.encode(one)) for one in self._gatherer.take()])
