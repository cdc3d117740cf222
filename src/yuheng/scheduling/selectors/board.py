"""The published plan as a board shows it: bars with names, states and lateness; lanes; what waits; what stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors.units import WorkUnitRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.calendars import Calendar, occurrences
from yuheng.operations.rules import OVER, JobState
from yuheng.operations.selectors import planned
from yuheng.operations.selectors.planned import PlannedJob
from yuheng.scheduling.building import OUTSIDE, read_levers
from yuheng.scheduling.models import Disturbance, ExpectedReturn, Plan
from yuheng.scheduling.rules import Basis, Policy, back_at
from yuheng.scheduling.selectors.plans import VIEW, rows_of_plan
from yuheng.scheduling.selectors.plant import policy_of, standing_now, usual_stops

LONGEST = timedelta(days=62)
"""Calendars are laid out so far ahead, however far the plan reaches."""
AT_LEAST = timedelta(days=7)
KEPT = timedelta(hours=24)
"""What is over stays so long on the board."""
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A job order on the board.

    Attributes
    ----------
    work_unit_id
        0: at a supplier, or without a place.
    has_place
        Whether the published plan knows it; others wait to be placed.
    late_min
        By how much its whole order is late in this plan.
    able
        Work units that can do it; empty for suppliers.
    """

    job_order_id: int
    code: str
    segment: str
    name_zh: str
    name_en: str
    state: JobState
    is_held: bool
    work_unit_id: int
    unit_code: str
    setup_start: datetime
    start: datetime
    end: datetime
    root_id: int
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    due_at: datetime
    done_at: datetime | None
    late_min: int
    is_rush: bool
    is_frozen: bool
    has_place: bool
    work_min: int
    able: tuple[int, ...]

    @property
    def is_running(self) -> bool:
        """Return whether it runs."""
        return self.state is JobState.RUNNING

    @property
    def is_over(self) -> bool:
        """Return whether nothing more happens to it."""
        return self.state in OVER


@dataclass(frozen=True, slots=True)
class Stop:
    """A work unit that stands, and when it is expected back."""

    work_unit_id: int
    cause: str
    since: datetime
    until: datetime
    basis: Basis


@dataclass(frozen=True, slots=True)
class Board:
    """A whole board; ``number`` is 0 when no plan is published: then everything waits.

    ``closed``: per calendar, when it is closed from `now` - `KEPT` on; ``calendar_of``: work unit -> place there, -1
    for one that is always open. ``overtime``: work units that the plan was made to be open longer, and when.
    """

    number: int
    origin: datetime
    now: datetime
    frozen_min: int
    units: tuple[WorkUnitRow, ...]
    rows: tuple[BoardRow, ...]
    waiting: tuple[BoardRow, ...]
    stops: tuple[Stop, ...]
    closed: tuple[tuple[Span, ...], ...]
    calendar_of: dict[int, int]
    overtime: tuple[tuple[int, Span], ...] = ()


@dataclass(frozen=True, slots=True)
class BoardFilter:
    """What is looked at; empty means everything. Texts are codes, a customer is a part of the name."""

    unit: str = ""
    center: str = ""
    order: str = ""
    customer: str = ""
    is_late: bool = False

    def shows(self, row: BoardRow, center_of: dict[int, str]) -> bool:
        """Return whether a row passes. Twin of `passes` in ``static/scheduling/board-data.js``."""
        if self.unit and row.unit_code != self.unit:
            return False
        if self.center and center_of.get(row.work_unit_id, "") != self.center:
            return False
        if self.order and self.order.casefold() not in row.order_code.casefold():
            return False
        named = f"{row.customer_zh}\n{row.customer_en}".casefold()
        return (not self.customer or self.customer.casefold() in named) and (not self.is_late or row.late_min > 0)


def board(*, actor: Actor, site_id: int, now: datetime) -> Board:
    """Everything of a site's board. At most fifteen queries, whatever its size.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    actor.require(VIEW, site_id=site_id)
    plan = Plan.objects.filter(site_id=site_id, is_published=True).first()
    policy = policy_of(site_id=site_id)
    units = tuple(
        sorted(
            equipment.work_units(actor=actor, site_id=site_id),
            key=lambda row: (row.area_code, row.work_center_code, row.code),
        )
    )
    jobs = planned.planned_jobs(
        actor=actor, site_id=site_id, job_order_ids=[] if plan is None else list(plan.job_order_ids)
    )
    maker = _Rows(units, now, policy.frozen_min)
    rows = tuple(_placed(maker, plan, jobs)) if plan is not None else ()
    known = set(plan.job_order_ids) if plan is not None else set()
    waiting = tuple(maker.waiting(job) for job in jobs if job.id not in known)
    last = max((row.end for row in rows), default=now)
    until = min(now + LONGEST, max(now + AT_LEAST, last + timedelta(days=1)))
    closed, calendar_of = _calendars(actor, site_id, [row.id for row in units], now - KEPT, until)
    return Board(
        number=plan.number if plan is not None else 0,
        origin=plan.origin if plan is not None else now.replace(second=0, microsecond=0),
        now=now,
        frozen_min=policy.frozen_min,
        units=units,
        rows=rows,
        waiting=waiting,
        stops=_stops(actor, site_id, policy, now),
        closed=closed,
        calendar_of=calendar_of,
        overtime=_overtime(plan, now - KEPT, until),
    )


def board_stamp(*, actor: Actor, site_id: int) -> str:
    """Return a text that differs when the board would look different, the clock apart. Four queries."""
    number = Plan.objects.filter(site_id=site_id, is_published=True).values_list("number", flat=True).first()
    stands = Disturbance.objects.filter(site_id=site_id, over_at__isnull=True)
    stood = ".".join(
        f"{pk}-{int(end.timestamp())}" for pk, end in stands.order_by("pk").values_list("pk", "expected_end")
    )
    said = ExpectedReturn.objects.filter(work_unit__site_id=site_id).aggregate(at=Max("at"))["at"]
    return f"{number or 0}/{planned.stamp(actor=actor, site_id=site_id)}/{stood}/{said or ''}"


class _Rows:
    """Makes rows of job orders."""

    def __init__(self, units: Sequence[WorkUnitRow], now: datetime, frozen_min: int) -> None:
        self.code = {row.id: row.code for row in units}
        self.now = now
        self.frozen = now + timedelta(minutes=frozen_min)
        self.by_class: dict[int, tuple[int, ...]] = {}
        for row in units:
            if row.class_id is not None:
                self.by_class[row.class_id] = (*self.by_class.get(row.class_id, ()), row.id)
        self._known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def able(self, job: PlannedJob) -> tuple[int, ...]:
        """Return the work units that can do it: what `building.build` offers the engine."""
        if job.is_subcontracted:
            return ()
        if job.state in (JobState.RUNNING.value, JobState.INTERRUPTED.value) and job.work_unit_id is not None:
            return (job.work_unit_id,)
        if job.candidates:
            wanted = tuple(job.candidates)
            if wanted not in self._known:
                self._known[wanted] = tuple(unit for unit in wanted if unit in self.code)
            return self._known[wanted]
        if job.class_id is not None:
            return self.by_class.get(job.class_id, ())
        return (job.work_unit_id,) if job.work_unit_id in self.code else ()

    def row(
        self, job: PlannedJob, unit: int, setup: datetime, start: datetime, end: datetime, *,
        done_at: datetime | None = None, has_place: bool = True,
    ) -> BoardRow:  # fmt: skip
        """Return one row; ``done_at``: when everything of its order is made."""
        late = 0 if done_at is None else int((done_at - job.due_at).total_seconds() // 60)
        return BoardRow(
            job.id, job.code, job.segment, job.name_zh, job.name_en, JobState(job.state), job.is_held, unit,
            "" if unit == OUTSIDE else self.code.get(unit, "–"), setup, start, end, job.root_id, job.order_id,
            job.order_code, job.customer_zh, job.customer_en, job.due_at, done_at, max(0, late), job.is_rush,
            start < self.frozen, has_place, max(1, round(job.work_s / 60)), self.able(job),
        )  # fmt: skip

    def waiting(self, job: PlannedJob) -> BoardRow:
        """Return a row of what has no place yet; its times are those of its release."""
        done = self.now if job.due_at < self.now else None
        return self.row(
            job, OUTSIDE, job.planned_start, job.planned_start, job.planned_end, done_at=done, has_place=False
        )


def _placed(maker: _Rows, plan: Plan, jobs: Sequence[PlannedJob]) -> list[BoardRow]:
    """Return the plan's rows by start: what runs where and since when it really does, what is over as it was."""
    rows, ends = rows_of_plan(plan), dict(zip(plan.completed_ids, plan.completed_ends, strict=True))
    place, found = rows.place, []
    for job in jobs:
        k = place.get(job.id)
        if k is None:
            continue
        unit, setup = rows.work_unit_ids[k], rows.moment(rows.setup_starts[k])
        start, end = rows.moment(rows.starts[k]), rows.moment(rows.ends[k])
        state = JobState(job.state)
        if state in OVER:
            if job.actual_end is None or job.actual_start is None or job.actual_end < maker.now - KEPT:
                continue
            setup = start = job.actual_start
            end = job.actual_end
        elif job.actual_start is not None:
            setup = start = job.actual_start
            end = max(end, maker.now, start)
        if state in OVER or state in (JobState.RUNNING, JobState.INTERRUPTED):
            unit = job.work_unit_id or unit
        done = ends.get(job.root_id)
        found.append(
            maker.row(job, unit, min(setup, start), start, end, done_at=None if done is None else rows.moment(done))
        )
    found.sort(key=lambda row: (row.start, row.job_order_id))
    return found


def _stops(actor: Actor, site_id: int, policy: Policy, now: datetime) -> tuple[Stop, ...]:
    standing = standing_now(actor=actor, site_id=site_id, now=now)
    if not standing:
        return ()
    usual = usual_stops(actor=actor, site_id=site_id, now=now)
    found = []
    for one in standing:
        back = back_at(
            work_unit_id=one.work_unit_id, cause=one.cause, since=one.since, now=now, usual=usual,
            default_s=policy.stop_min * 60.0, said=one.said,
        )  # fmt: skip
        found.append(Stop(one.work_unit_id, one.cause, one.since, back.end, back.basis))
    return tuple(found)


def _calendars(
    actor: Actor, site_id: int, unit_ids: list[int], start: datetime, end: datetime
) -> tuple[tuple[tuple[Span, ...], ...], dict[int, int]]:
    found = equipment.calendars_for(actor=actor, site_id=site_id, work_unit_ids=list(unit_ids))
    places: dict[str, int] = {}
    closed: list[tuple[Span, ...]] = []
    calendar_of: dict[int, int] = {}
    for unit in unit_ids:
        calendar = found[unit]
        if calendar is None or not calendar.shifts:
            calendar_of[unit] = -1
            continue
        if calendar.code not in places:
            places[calendar.code] = len(closed)
            closed.append(closed_spans(calendar, start, end))
        calendar_of[unit] = places[calendar.code]
    return tuple(closed), calendar_of


def _overtime(plan: Plan | None, start: datetime, end: datetime) -> tuple[tuple[int, Span], ...]:
    """Return when the plan opens work units longer than their calendars, as far as it is looked at."""
    if plan is None:
        return ()
    spans = read_levers(plan.levers).open_longer
    return tuple(
        (unit, (max(one.start, start), min(one.end, end)))
        for one in spans
        for unit in one.work_unit_ids
        if one.end > start and one.start < end
    )


def closed_spans(calendar: Calendar, start: datetime, end: datetime) -> tuple[Span, ...]:
    """Return when nobody works in [start, end): between shifts and in their breaks, in order."""
    found: list[Span] = []
    free = start
    for shift in occurrences(calendar, start, end):
        found.append((free, shift.start))
        found += shift.breaks
        free = max(free, shift.end)
    found.append((free, end))
    cut = ((max(since, start), min(until, end)) for since, until in found)
    return tuple(sorted(one for one in cut if one[0] < one[1]))
