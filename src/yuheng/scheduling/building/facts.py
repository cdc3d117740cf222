"""Everything a problem is built from: one moment of one plant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.calendars import Calendar
from yuheng.operations.selectors.planning import OpenWork
from yuheng.scheduling.rules import Policy

STANDS = frozenset({UnitState.DOWN})
"""States in which a machine cannot work. A machine of which nothing is heard may well work: people and terminals do."""


@dataclass(frozen=True, slots=True)
class UnitFact:
    """A work unit in use."""

    id: int
    code: str
    class_id: int | None
    work_center_id: int
    calendar: Calendar | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A work unit stands since; ``said``: when somebody said that it is back."""

    work_unit_id: int
    cause: str
    since: datetime
    said: datetime | None = None


@dataclass(frozen=True, slots=True)
class Slow:
    """A work unit takes ``factor`` times as long as planned for what runs on it."""

    job_id: int
    factor: float


@dataclass(frozen=True, slots=True)
class Away:
    """A person is away from ``start`` to ``end``."""

    id: int
    person_id: int
    name_zh: str
    name_en: str
    start: datetime
    end: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class PlantFacts:
    """One moment of one site. ``usual``: see `rules.estimates.back_at`; ``slow``: work unit -> how slow."""

    site_id: int
    now: datetime
    units: tuple[UnitFact, ...]
    work: OpenWork
    policy: Policy = field(default_factory=Policy)
    standing: tuple[Standing, ...] = ()
    usual: Mapping[tuple[int, str], float] = field(default_factory=dict)
    slow: Mapping[int, Slow] = field(default_factory=dict)
    absences: tuple[Away, ...] = ()
