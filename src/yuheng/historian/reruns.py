"""Past states derived anew after a change of rules: unit by unit, a day of samples at a time, resumable.

The wish travels in the configuration document, with the rules it is about. What is left of it is kept in the store:
after a kill the next start goes on with the units that were not done, and doing one twice changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from yuheng.bus.documents import Plant, WorkUnit
from yuheng.engines.states.intervals import Change, Derivation
from yuheng.historian.rederive import Rederived, clipped, read_changes, read_history, unit_events
from yuheng.historian.routing import DAY_US
from yuheng.historian.store import Store
from yuheng.historian.units import Emission, add_difference, compiled_rules

LONGEST_US = 400 * DAY_US
_PREFIX = "rederive "


@dataclass(slots=True)
class Job:
    """One wish. ``left``: units that are not done; ``of``: how many there were."""

    name: str
    from_us: int
    left: list[int]
    of: int


@dataclass(slots=True)
class Reruns:
    """All wishes, those that are done included: so that the document does not bring them again."""

    jobs: dict[str, Job] = field(default_factory=dict)

    def load(self, store: Store) -> None:
        """Read what an earlier run left. In a thread."""
        rows = store.rows(f"SELECT name, detail FROM progress FINAL WHERE startsWith(name, '{_PREFIX}')")
        for name, detail in rows:
            known = json.loads(detail)
            job = Job(name.removeprefix(_PREFIX), known["from_us"], known["left"], known["of"])
            self.jobs.setdefault(job.name, job)

    def take(self, plant: Plant) -> list[Job]:
        """Return new wishes of a document."""
        fresh = []
        for wish in plant.rederive:
            name = f"{wish.rule_set}@{wish.asked_us}"
            if name not in self.jobs:
                units = [unit.id for unit in plant.work_units if unit.rule_set == wish.rule_set]
                self.jobs[name] = Job(name, max(wish.from_us, wish.asked_us - LONGEST_US), units, len(units))
                fresh.append(self.jobs[name])
        return fresh

    def next(self) -> Job | None:
        """Return the oldest wish that has units left."""
        return next((job for job in self.jobs.values() if job.left), None)

    def facts(self) -> dict[str, int]:
        """Return units left and units in all of the wishes that are not done."""
        open_jobs = [job for job in self.jobs.values() if job.left]
        return {"left": sum(len(job.left) for job in open_jobs), "of": sum(job.of for job in open_jobs)}


def save(store: Store, job: Job, version: int) -> None:
    """Keep what is left of a wish. In a thread."""
    detail = json.dumps({"from_us": job.from_us, "left": job.left, "of": job.of})
    row = {
        "name": pa.array([_PREFIX + job.name], pa.string()),
        "at": pa.array(np.array([0], "datetime64[us]"), pa.timestamp("us", "UTC")),
        "detail": pa.array([detail], pa.string()),
        "version": np.array([version], np.uint64),
    }
    store.insert("progress", pa.table(row))


@dataclass(slots=True)
class Rerun:
    """One unit on its way through the past. ``reached_us``: all samples before it were seen."""

    unit: WorkUnit
    derivation: Derivation
    from_us: int
    reached_us: int

    @classmethod
    def begun(cls, plant: Plant, unit: WorkUnit, from_us: int) -> Rerun:
        """Return a unit with the rules of the configuration, at the beginning of the past that is asked for."""
        rules, _ = compiled_rules(plant, unit)
        return cls(unit, Derivation(rules, int(unit.no_data_after_s * 1e6)), from_us, from_us)

    def go_on(self, store: Store, until_us: int) -> None:
        """See the samples of ``[reached, until)``. In a thread."""
        tags = sorted(set(self.unit.symbols.values()))
        if tags:
            history = read_history(store, tags, self.reached_us, until_us)
            derivation = self.derivation
            events = unit_events(history, self.unit.symbols, derivation.rules, derivation.timeout_us)
            if self.reached_us > self.from_us:  # what was held before is known to the derivation
                events = [event for event in events if event.time_us >= self.reached_us]
            self.derivation.advance(events)
        self.reached_us = until_us

    def days(self, until_us: int) -> Iterator[int]:
        """Yield the ends of the days up to ``until_us``."""
        at_us = self.reached_us
        while at_us < until_us:
            at_us = min(at_us + DAY_US, until_us)
            yield at_us

    def result(self, store: Store, version: int) -> tuple[Emission, Rederived]:
        """Return what must be told and stored, and the changes of the unit. In a thread; all samples are committed."""
        emission = Emission()
        told = read_changes(store, [self.unit.id], self.from_us).get(self.unit.id, [])
        earlier = [change for change in told if change.start_us < self.from_us]
        fresh: list[Change] = clipped(self.derivation.changes, self.from_us)
        if earlier and fresh and fresh[0].start_us == self.from_us and fresh[0][1:] == earlier[-1][1:]:
            fresh = fresh[1:]
        later = [change for change in told if change.start_us >= self.reached_us]
        changes = [*earlier, *fresh, *later]
        add_difference(emission, self.unit.id, told, changes, version)
        return emission, Rederived(self.unit.id, changes, self.reached_us - 1)
