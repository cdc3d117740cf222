"""What a plan means in the words of the plant: orders and their promises, set-ups, overtime, what moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from yuheng.engines.schedule.kpis import MOVED_TICKS
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.scheduling.building.built import Built
from yuheng.scheduling.rules import weight_of

MOST_ORDERS = 200
MOST_MOVED = 200
MOST_KNOWN = 2000
NEVER = 1 << 40


@dataclass(frozen=True, slots=True)
class OrderEnd:
    """When everything of a root request is made, and by how many minutes that is late (0: in time)."""

    root_id: int
    root_code: str
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    due_at: datetime
    ends_at: datetime
    late_min: int
    weight: float

    def to_json(self, before_min: int | None = None) -> dict[str, Any]:
        """Return it as plans and suggestions keep it; ``before_min``: lateness in the plan compared with."""
        return {
            "request_id": self.root_id,
            "request": self.root_code,
            "order_id": self.order_id,
            "order": self.order_code,
            "customer_zh": self.customer_zh,
            "customer_en": self.customer_en,
            "due_at": self.due_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "late_min": self.late_min,
            "before_min": before_min,
            "weight": self.weight,
        }


def order_ends(built: Built, plan: Plan) -> dict[int, OrderEnd]:
    """Root request -> when it is done in a plan over ``built``'s operations; those with steps left out are missing."""
    roots = built.roots
    last = np.full(len(roots.first), -1, np.int64)
    np.maximum.at(last, roots.place, np.where(plan.end >= 0, plan.end, NEVER))
    found = {}
    for job, tick in zip(roots.first, last.tolist(), strict=True):
        root_id = job.root_id
        if tick >= NEVER or root_id in roots.partly:
            continue
        ends_at = built.moment(tick)
        late = max(0, int(np.ceil((ends_at - job.due_at).total_seconds() / 60)))
        rank = 0 if root_id in built.levers.rush else job.rank
        found[root_id] = OrderEnd(
            root_id,
            job.root_code,
            job.order_id,
            job.order_code,
            job.customer_zh,
            job.customer_en,
            job.due_at,
            ends_at,
            late,
            weight_of(rank),
        )
    return found


def measure(
    built: Built,
    problem: Problem,
    plan: Plan,
    before: Plan | None = None,
    *,
    ends: dict[int, OrderEnd] | None = None,
    was: dict[int, OrderEnd] | None = None,
) -> dict[str, Any]:
    """Return a plan's figures as they are kept and compared.

    Parameters
    ----------
    before
        What it is compared with (the published plan as it would go on), over the same operations.
    ends, was
        `order_ends` of the two, where they are known already.
    """
    ends = order_ends(built, plan) if ends is None else ends
    if was is None or before is None:
        was = {} if before is None else order_ends(built, before)
    late = [one for one in ends.values() if one.late_min]
    shown = {one.root_id for one in late} | {root for root, one in was.items() if one.late_min and root in ends}

    def gained(root: int) -> float:
        return (ends[root].late_min - (was[root].late_min if root in was else 0)) * ends[root].weight

    ranked = sorted(shown, key=lambda root: (-abs(gained(root)), -ends[root].late_min, root))
    setup = int(np.where(plan.machine >= 0, plan.start - plan.setup_start, 0).sum())
    found: dict[str, Any] = {
        "orders": len({job.root_id for job in built.facts.work.jobs}),
        "jobs": int((plan.machine >= 0).sum()),
        "left_out": len(built.facts.work.jobs) - len(built.jobs),
        "late_orders": len(late),
        "late_min": sum(one.late_min for one in late),
        "weighted_min": round(sum(one.late_min * one.weight for one in late), 1),
        "worst_min": max((one.late_min for one in late), default=0),
        "setup_min": setup,
        "overtime_min": built.levers.overtime_min(),
        "ends_at": built.moment(int(plan.end.max(initial=built.now))).isoformat(),
        "late": [ends[root].to_json(was[root].late_min if root in was else None) for root in ranked[:MOST_ORDERS]],
        "customers": _by_customer(ends),
        **_moved(built, problem, plan, before),
        "known": {
            "rush": sorted({job.root_id for job in built.facts.work.jobs if job.rank == 0})[:MOST_KNOWN],
            "absences": [one.id for one in built.facts.absences][:MOST_KNOWN],
        },
    }
    if before is not None:
        found["before"] = {
            "late_orders": sum(one.late_min > 0 for one in was.values()),
            "late_min": sum(one.late_min for one in was.values()),
            "weighted_min": round(sum(one.late_min * one.weight for one in was.values()), 1),
            "setup_min": int(np.where(before.machine >= 0, before.start - before.setup_start, 0).sum()),
        }
    return found


def _by_customer(ends: dict[int, OrderEnd]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in ends.values():
        if not one.order_id:
            continue
        key = (one.customer_zh, one.customer_en)
        row = found.setdefault(
            key, {"customer_zh": key[0], "customer_en": key[1], "orders": 0, "late_orders": 0, "late_min": 0}
        )
        row["orders"] += 1
        row["late_orders"] += one.late_min > 0
        row["late_min"] += one.late_min
    return sorted(found.values(), key=lambda row: (-row["late_min"], row["customer_zh"], row["customer_en"]))[:100]


def _moved(built: Built, problem: Problem, plan: Plan, before: Plan | None) -> dict[str, Any]:
    if before is None:
        return {"moved": 0, "changed_machine": 0, "moves": []}
    fixed = np.array([row.fixed_start is not None for row in problem.operations], np.bool_)
    both = (plan.machine >= 0) & (before.machine >= 0) & ~fixed
    changed = both & (plan.machine != before.machine)
    moved = both & ((np.abs(plan.start - before.start) > MOVED_TICKS) | changed)
    rows = []
    for k in np.flatnonzero(moved)[np.argsort(plan.start[moved], kind="stable")].tolist()[:MOST_MOVED]:
        rows.append(
            {
                "job_order_id": built.jobs[k].id,
                "job": built.jobs[k].code,
                "from_unit": _unit(built, problem, int(before.machine[k])),
                "to_unit": _unit(built, problem, int(plan.machine[k])),
                "from_start": built.moment(int(before.start[k])).isoformat(),
                "to_start": built.moment(int(plan.start[k])).isoformat(),
            }
        )
    return {"moved": int(moved.sum()), "changed_machine": int(changed.sum()), "moves": rows}


def _unit(built: Built, problem: Problem, machine: int) -> str:
    known = problem.machines[machine].id
    return built.unit_code.get(known, "") if isinstance(known, int) else ""
