"""Several plans to choose from: different ones, ranked, each with its consequences; and the trade-off as a curve."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.faults import ProblemError, gettext_noop
from yuheng.engines.schedule.kpis import MOVED_TICKS
from yuheng.engines.schedule.parts import Id
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.repair.consequences import Consequences, consequences
from yuheng.engines.schedule.repair.disturbances import Draft, ExtraShift
from yuheng.engines.schedule.repair.replanning import DISPATCH, KEEP, WAIT, Proposal, Replanner
from yuheng.engines.schedule.repair.situation import Situation

KINDS = {
    "wait": gettext_noop("Change nothing: everything waits in the published order"),
    "overtake": gettext_noop("Keep all machines; orders overtake those that wait"),
    "few": gettext_noop("Few changes: only what helps most goes elsewhere"),
    "balanced": gettext_noop("Balanced: lateness and changes weigh alike"),
    "free": gettext_noop("Plan anew: as little lateness as possible"),
    "overtime": gettext_noop("Overtime on %(machine)s, few changes"),
}
"""What an alternative is called, as English msgids."""

SLIDER = {"few": 0.8, "balanced": 0.5, "free": 0.0}
STEPS = (0.9, 0.7, 0.5, 0.2, 0.0)
"""Positions of the slider that the Pareto curve tries, from still to free."""
DIFFERENT = 0.01
"""Two plans are the same choice when not even this share of the open operations moves or changes machine, and their

lateness differs by no more than this share."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One plan that a dispatcher can choose.

    Parameters
    ----------
    kind
        One of `KINDS`; ``title`` and ``values`` are its name as an English msgid.
    stability
        Position of the slider.
    situation
        What the plan is a plan of: with overtime, the problem has it in its calendars.
    cost
        Objective and price of the changes at the middle of the slider: by which alternatives are ranked.
    """

    kind: str
    stability: float
    situation: Situation
    plan: Plan
    cost: float
    consequences: Consequences
    values: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """English msgid; ``values`` fill it."""
        return KINDS[self.kind]


def alternatives(
    replanner: Replanner,
    k: int = 4,
    *,
    cpu_seconds: float = 0.5,
    overtime: ExtraShift | None = None,
    stop: npt.NDArray[np.uint8] | None = None,
) -> list[Alternative]:
    """Return up to ``k`` plans that really differ, the best first.

    Parameters
    ----------
    cpu_seconds
        For all searches together; 0 gives only what is there at once.
    overtime
        Also offer this extra shift; without it, one on the machine that is struck or most loaded is tried where its
        calendar closes within two days.

    Notes
    -----
    "wait" is always computed first: it says what happens when nobody does anything.
    """
    made: list[Alternative] = []
    middle = replanner.weigh(0.5)

    def offer(
        kind: str, stability: float, proposal: Proposal | None, of: Replanner = replanner, machine: str = ""
    ) -> None:
        if proposal is None:
            return
        weighing = middle if of is replanner else of.weigh(0.5)
        found = consequences(of.situation, of.arrays, proposal.plan)
        values = (("machine", machine),) if machine else ()
        cost = weighing.cost(proposal.plan)
        made.append(Alternative(kind, stability, of.situation, proposal.plan, cost, found, values))

    waiting = _at_once(replanner, WAIT)
    offer("wait", 1.0, waiting)
    offer("overtake", 1.0, _at_once(replanner, KEEP))
    begun, shares = time.process_time(), {"few": 0.45, "balanced": 0.25, "free": 0.3}
    extra = _overtime(replanner, overtime) if k > 2 else None
    if extra is not None:
        shares = {"few": 0.35, "balanced": 0.15, "free": 0.25}
    best: Proposal | None = None
    for kind, share in shares.items():
        slider = SLIDER[kind]
        start = replanner.first(slider) if best is None else _better(replanner, slider, best)
        best = replanner.search(start, slider, share * cpu_seconds, stop)
        offer(kind, slider, best)
    if extra is not None:
        longer, machine = extra
        start = longer.first(SLIDER["few"])
        left = cpu_seconds - (time.process_time() - begun)
        offer("overtime", SLIDER["few"], longer.improve(start, SLIDER["few"], left, stop=stop), longer, str(machine))
    return _ranked(made, k)


def _at_once(replanner: Replanner, kind: str) -> Proposal | None:
    plan = replanner.at_once(kind)
    return None if plan is None else replanner.judged(kind, plan, 0.5)


def _better(replanner: Replanner, stability: float, known: Proposal) -> Proposal:
    """The better start at this position of the slider: the last plan found, or one that is there at once."""
    at_once = replanner.first(stability)
    before = replanner.judged(known.kind, known.plan, stability)
    return before if before.cost <= at_once.cost else at_once


def _ranked(made: Sequence[Alternative], k: int) -> list[Alternative]:
    """Best first, without those that hardly differ from a better one; "wait" stays, as what happens by itself."""
    kept: list[Alternative] = []
    for row in sorted(made, key=lambda row: row.cost):
        if all(are_different(row, other) for other in kept):
            kept.append(row)
    waiting = [row for row in kept if row.kind == "wait"]
    others = [row for row in kept if row.kind != "wait"]
    chosen = others[: k - len(waiting)] + waiting
    return sorted(chosen, key=lambda row: row.cost)


def are_different(one: Alternative, other: Alternative) -> bool:
    """Whether two alternatives are worth being shown side by side."""
    if len(one.plan.start) != len(other.plan.start):
        return True
    a, b = one.plan, other.plan
    differs = (a.machine != b.machine) | (np.abs(a.start - b.start) > MOVED_TICKS)
    if differs.mean() > DIFFERENT:
        return True
    late, other_late = one.consequences.tardiness, other.consequences.tardiness
    return abs(late - other_late) > DIFFERENT * max(late, other_late, 1.0)


def _overtime(replanner: Replanner, asked: ExtraShift | None) -> tuple[Replanner, Id] | None:
    """The same situation with an extra shift; ``None`` where none is possible."""
    shift = asked or _possible_shift(replanner)
    if shift is None:
        return None
    problem = replanner.situation.problem
    draft = Draft.of(problem)
    try:
        shift.apply(draft)
        changed = replace(
            problem,
            machines=tuple(draft.machines),
            operators=tuple(draft.operators),
            resources=tuple(draft.resources),
            calendars=tuple(draft.calendars),
        )
    except ProblemError:
        return None
    situation = replace(replanner.situation, problem=changed)
    arrays = compile_problem(changed)
    return Replanner(situation, replanner.objective, arrays=arrays, seed=replanner.seed), shift.machines[0]


def _possible_shift(replanner: Replanner) -> ExtraShift | None:
    """The first closed stretch of the struck, else the most loaded machine with a calendar; at most a shift of it."""
    arrays, situation = replanner.arrays, replanner.situation
    known = situation.problem.machine_index
    struck = [known[machine] for machine in situation.struck if machine in known]
    open_rows = (arrays.fixed_start < 0) & situation.reference.is_present
    length = np.where(open_rows, situation.reference.end - situation.reference.start, 0)
    load = np.bincount(np.maximum(situation.reference.machine, 0), weights=length, minlength=arrays.machines)
    for m in [*struck, *np.argsort(-load, kind="stable").tolist()]:
        if situation.problem.machines[m].calendar is None:
            continue
        after = max(
            [arrays.now, *(end for start, end in situation.problem.machines[m].closures if start <= arrays.now)]
        )
        code = int(arrays.cal_of_machine[m])
        part = slice(int(arrays.cal_ptr[code]), int(arrays.cal_ptr[code + 1]))
        ends, starts = arrays.cal_end[part], arrays.cal_start[part]
        k = int(np.searchsorted(ends, after, side="right"))
        if k + 1 < len(ends) and ends[k] < after + 2 * 1440:
            return ExtraShift((situation.problem.machines[m].id,), int(ends[k]), int(min(starts[k + 1], ends[k] + 480)))
        return None
    return None


@dataclass(frozen=True, slots=True)
class Point:
    """One plan of the trade-off between lateness and change."""

    stability: float
    plan: Plan
    objective: float
    changed_machine: int
    moved: int
    consequences: Consequences

    @property
    def changes(self) -> int:
        """Operations that change machine or start."""
        return self.changed_machine + self.moved


def pareto(
    replanner: Replanner,
    *,
    cpu_seconds: float = 2.0,
    steps: Iterable[float] = STEPS,
    stop: npt.NDArray[np.uint8] | None = None,
) -> list[Point]:
    """Return 3 to 5 plans of which none is beaten in both lateness and changes, the fewest changes first.

    Fewer than 3 only where so few different ones exist: a disturbance that hurts nobody has one answer.
    """
    points: list[Point] = []
    wanted = list(steps)
    for kind in (WAIT, KEEP, DISPATCH):
        plan = replanner.at_once(kind)
        if plan is not None:
            points.append(_point(replanner, 1.0 if kind != DISPATCH else 0.0, plan))
    best: Proposal | None = None
    for stability in wanted:
        start = replanner.first(stability) if best is None else _better(replanner, stability, best)
        best = replanner.search(start, stability, cpu_seconds / max(1, len(wanted)), stop)
        points.append(_point(replanner, stability, best.plan))
    return _spread(_unbeaten(points), 5)


def _point(replanner: Replanner, stability: float, plan: Plan) -> Point:
    found = consequences(replanner.situation, replanner.arrays, plan)
    objective = replanner.weigh(0.0).objective(plan)
    return Point(stability, plan, objective, found.changed_machine, found.moved, found)


def _unbeaten(points: Sequence[Point]) -> list[Point]:
    kept: list[Point] = []
    for point in sorted(points, key=lambda row: (row.changes, row.objective)):
        if not kept or point.objective < kept[-1].objective - 1e-9:
            kept.append(point)
    return kept


def _spread(points: list[Point], most: int) -> list[Point]:
    """At most so many, ends included, as evenly spread over the lateness as they lie."""
    while len(points) > most:
        gaps = [points[i - 1].objective - points[i + 1].objective for i in range(1, len(points) - 1)]
        points.pop(1 + gaps.index(min(gaps)))
    return points
