"""Capable to promise: when something new could be done, behind what is planned or before part of it. Decides nothing.

* *behind*: nothing that is planned moves by a minute; what is new takes the time that is left.
* *fitted* and *first*: what is new goes before part of what is planned, or before all that has not begun; what follows
  moves behind it. Nothing starts earlier than it was planned, so whatever was prepared stays right.

Each is a whole plan that the independent checker has accepted. What it costs others is told by order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.explain import Floor, Share, story
from yuheng.engines.schedule.plan import Plan
from yuheng.scheduling.building.built import Built, Rows, outside
from yuheng.scheduling.building.carrying import Carried
from yuheng.scheduling.building.measuring import OrderEnd, order_ends
from yuheng.scheduling.building.placing import Placing
from yuheng.scheduling.rules.promises import OfferKind

Ints = npt.NDArray[np.int64]
SHARES = (0.0, 0.25, 0.5, 0.75)
"""How far what is new is let go before the others: 0 as soon as it can, 1 behind all of them."""
MOST_HURT = 100
MOST_STEPS = 60


@dataclass(frozen=True, slots=True)
class Hurt:
    """Another order, and how many minutes later it is done; ``late_before``, ``late_after``: past its own promise."""

    end: OrderEnd
    later_min: int
    late_before: int
    late_after: int


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of the way to the date: work, or what is waited for.

    Attributes
    ----------
    share
        The engine's `Share`.
    start, end
        Moments.
    job_order_id, work_unit_id
        What works or waits, and where (None: at a supplier).
    root_ids
        Orders in the way, the longest in the way first.
    resource
        The engine's name of a tool or a skill that is waited for, "".
    """

    share: str
    start: datetime
    end: datetime
    job_order_id: int
    work_unit_id: int | None
    root_ids: tuple[int, ...] = ()
    resource: str = ""

    @property
    def minutes(self) -> int:
        """How long."""
        return int((self.end - self.start).total_seconds() // 60)


@dataclass(frozen=True, slots=True)
class Offer:
    """When it could be done, why not earlier, and what that costs others.

    Attributes
    ----------
    steps
        Everything on the way to the date that nothing could shorten alone, in order of time.
    weighted_min
        Minutes of lateness of others, by weight, more than without it.
    """

    kind: OfferKind
    ends_at: datetime
    steps: tuple[Step, ...]
    hurt: tuple[Hurt, ...]
    hurt_count: int
    weighted_min: float

    @property
    def bottleneck(self) -> tuple[Step, int] | None:
        """What is waited for longest, and how many minutes in all; None when work alone takes the time."""
        total: dict[tuple[str, int | None, str], int] = {}
        longest: dict[tuple[str, int | None, str], Step] = {}
        for one in self.steps:
            if one.share == Share.WORK.value:
                continue
            is_place = one.share in _OF_A_PLACE
            key = (one.share, one.work_unit_id if is_place else None, one.resource)
            total[key] = total.get(key, 0) + one.minutes
            if key not in longest or one.minutes > longest[key].minutes:
                longest[key] = one
        if not total:
            return None
        key = max(total, key=lambda one: total[one])
        return longest[key], total[key]

    @property
    def work_min(self) -> int:
        """Minutes on the way in which is worked."""
        return sum(one.minutes for one in self.steps if one.share == Share.WORK.value)


_OF_A_PLACE = frozenset(
    {Share.MACHINE.value, Share.CLOSED.value, Share.SETUP.value, Share.DOWN.value, Share.BREAK.value}
)


class NoOffer(ValueError):
    """Nothing can be said: the line cannot be planned, or the published plan cannot go on. ``code`` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def offers(
    built: Built,
    published: Rows | None,
    base: Carried | None,
    roots: Sequence[int],
    *,
    before: Sequence[int] = (),
    wished: datetime | None = None,
) -> list[Offer]:
    """Return what can be promised, best first.

    Parameters
    ----------
    built
        The problem with what is asked for in it.
    published
        The published plan: what it starts soon is frozen.
    base
        That plan as it goes on, without what is asked for; None: nothing is open.
    roots
        What is asked for: its root requests.
    before
        Root requests that are not planned yet but were promised already: they are placed first, in this order.
    wished
        When it is wanted: offers that keep this with less harm come first, and one is fitted to it.

    Raises
    ------
    NoOffer

    Notes
    -----
    One decode for *behind*, at most four more; each is linear in what is open, but for the profiles of people.
    """
    asked = _Asked(built, published, base, roots, before)
    behind = asked.behind_all()
    found = {OfferKind.BEHIND: asked.told(OfferKind.BEHIND, behind, behind)}
    limit = None if wished is None else built.tick(wished)
    if asked.moves_any(behind) and (limit is None or asked.done(behind) > limit):
        tried = [plan for share in SHARES if (plan := asked.before_others(behind, share)) is not None]
        better = [plan for plan in tried if asked.done(plan) < asked.done(behind)]
        if better:
            first = min(better, key=lambda plan: (asked.done(plan), asked.harm(plan, behind)))
            found[OfferKind.FIRST] = asked.told(OfferKind.FIRST, first, behind)
            gentle = [plan for plan in better if limit is None or asked.done(plan) <= limit]
            chosen = min(gentle or better, key=lambda plan: (asked.harm(plan, behind), asked.done(plan)))
            if asked.harm(chosen, behind) < asked.harm(first, behind):
                found[OfferKind.FITTED] = asked.told(OfferKind.FITTED, chosen, behind)
    return sorted(found.values(), key=lambda one: _rank(one, wished))


def _rank(one: Offer, wished: datetime | None) -> tuple[bool, float, datetime]:
    """Kept wishes first, then the least harm, then the earliest."""
    return (wished is not None and one.ends_at > wished, one.weighted_min, one.ends_at)


class _Asked(Placing):
    """One question: the problem with everything in it, and plans of it."""

    def __init__(
        self, built: Built, published: Rows | None, base: Carried | None, roots: Sequence[int], before: Sequence[int]
    ) -> None:
        if built.problem is None:
            raise NoOffer("not_planned")
        self.roots = set(roots)
        planned = {job.root_id for job in built.jobs}
        asked_jobs = [job.id for job in built.facts.work.jobs if job.root_id in self.roots]
        if not self.roots <= planned or any(job not in built.index_of_job for job in asked_jobs):
            raise NoOffer("not_planned")
        is_asked = np.array([job.root_id in self.roots for job in built.jobs], np.bool_)
        turn = np.array([_turn(job.root_id, before, self.roots) for job in built.jobs], np.int64)
        super().__init__(built, published, base, turn, is_asked)
        self.is_asked = is_asked

    def behind_all(self) -> Plan:
        """Return the plan in which nothing known moves. Raises `NoOffer`."""
        plan = self.behind()
        if plan is None:
            raise NoOffer("no_room")
        return plan

    def before_others(self, behind: Plan, share: float) -> Plan | None:
        """Return a plan in which what is asked for goes before others; ``share`` of the way back to *behind*."""
        soonest = self._soonest()
        own = soonest + (share * np.maximum(0, behind.start - soonest)).astype(np.int64)
        known = np.where(self.start >= 0, self.start, behind.start)
        plan = self.placed(np.where(self.is_asked, 2 * own - 1, 2 * known), keep_order=False, known=known)
        return None if plan is None or check(self.problem, plan) else plan

    def _soonest(self) -> Ints:
        """Return when each operation could start if every machine were free."""
        arrays = self.arrays
        least = np.minimum.reduceat(arrays.mode_duration, arrays.op_ptr[:-1])
        head = np.maximum(arrays.release, arrays.now)
        place = np.argsort(self.steps())
        index = self.problem.operation_index
        into: dict[int, list[tuple[int, int]]] = {}
        for link in self.problem.precedences:
            into.setdefault(index[link.after], []).append((index[link.before], link.min_lag))
        for k in place.tolist():
            if self.is_asked[k]:
                for a, lag in into.get(k, ()):
                    head[k] = max(head[k], head[a] + least[a] + lag)
        return head

    # --- what they mean

    def moves_any(self, behind: Plan) -> bool:
        """Whether anything else is planned that could make room."""
        return bool(np.any(~self.is_asked & (self.arrays.fixed_start < 0) & (behind.machine >= 0)))

    def done(self, plan: Plan) -> int:
        """Tick at which everything that is asked for is done."""
        return int(plan.end[self.is_asked].max())

    def harm(self, plan: Plan, behind: Plan) -> float:
        """Weighted minutes of lateness of others, more than in ``behind``."""
        return sum(max(0, one.late_after - one.late_before) * one.end.weight for one in self._hurt(plan, behind))

    def _hurt(self, plan: Plan, behind: Plan) -> list[Hurt]:
        if plan is behind:
            return []
        after, was = order_ends(self.built, plan), order_ends(self.built, behind)
        rows = []
        for root, one in after.items():
            if root in self.roots or root not in was:
                continue
            later = int((one.ends_at - was[root].ends_at).total_seconds() // 60)
            if later > 0:
                rows.append(Hurt(one, later, was[root].late_min, one.late_min))
        return sorted(rows, key=lambda one: ((one.late_before - one.late_after) * one.end.weight, -one.later_min))

    def told(self, kind: OfferKind, plan: Plan, behind: Plan) -> Offer:
        """Return an offer with its reasons."""
        hurt = self._hurt(plan, behind)
        return Offer(
            kind,
            self.built.moment(self.done(plan)),
            self._way(plan),
            tuple(hurt[:MOST_HURT]),
            len(hurt),
            round(self.harm(plan, behind), 1),
        )

    def _way(self, plan: Plan) -> tuple[Step, ...]:
        floor = Floor(self.problem, plan, self.arrays)
        last = int(np.argmax(np.where(self.is_asked, plan.end, -1)))
        found = []
        for one in story(floor, int(self.arrays.job[last])).segments:
            start = max(one.start, self.built.now)
            if start >= one.end:
                continue
            job = self.built.jobs[one.operation]
            machine = self.problem.machines[one.machine].id if one.machine >= 0 else outside(job.id)
            resource = str(self.arrays.resource_ids[one.resource]) if one.resource >= 0 else ""
            roots = [self.problem.jobs[j].id for j in one.orders]
            found.append(
                Step(
                    one.share.value,
                    self.built.moment(start),
                    self.built.moment(one.end),
                    job.id,
                    machine if isinstance(machine, int) else None,
                    tuple(int(root) for root in roots if root not in self.roots)[:5],
                    resource,
                )
            )
        return tuple(found[-MOST_STEPS:])


def _turn(root: int, before: Sequence[int], asked: set[int]) -> int:
    """What was promised is placed in its turn, what nobody promised behind it, what is asked for at last."""
    if root in asked:
        return len(before) + 2
    return list(before).index(root) + 1 if root in before else len(before) + 1
