"""What a plan means beyond its figures: who gains and who loses, where machines are used, what is set up."""

from __future__ import annotations

from typing import Any

import numpy as np

from yuheng.engines.schedule.explain import Floor
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.scheduling.building.built import Built
from yuheng.scheduling.building.measuring import OrderEnd, order_ends

LEAST_SHIFT_MIN = 5
MOST_ROWS = 200
WINDOW = 5 * 24 * 60
"""Utilisation is told of so many minutes from now on."""


def compared(built: Built, problem: Problem, plan: Plan, before: Plan | None) -> dict[str, Any]:
    """Return the rows behind the numbers that are compared; part of what a plan's ``measures`` keep.

    ``shifts``: orders that are done at another time than in ``before``; ``by_customer``: those by customer;
    ``machines``: share of their open time in which machines work; ``setups``; ``utilisation`` of all together.
    """
    ends = order_ends(built, plan)
    was = {} if before is None else order_ends(built, before)
    machines = _machines(built, problem, plan)
    open_min = sum(row["open_min"] for row in machines)
    work = sum(row["work_min"] for row in machines)
    setup = sum(row["setup_min"] for row in machines)
    return {
        "shifts": _shifts(ends, was),
        "by_customer": _by_customer(ends, was),
        "machines": machines[:MOST_ROWS],
        "utilisation": round((work + setup) / open_min, 3) if open_min else None,
        "planned_oee": round(work / open_min, 3) if open_min else None,
        "setups": _setups(built, problem, plan),
        "overtime_h": round(built.levers.overtime_min() / 60, 1),
        "setup_count": int(((plan.machine >= 0) & (plan.start > plan.setup_start)).sum()),
    }


def _shift(one: OrderEnd, was: OrderEnd) -> int:
    return int((one.ends_at - was.ends_at).total_seconds() // 60)


def _shifts(ends: dict[int, OrderEnd], was: dict[int, OrderEnd]) -> list[dict[str, Any]]:
    rows = []
    for root, one in ends.items():
        shift = _shift(one, was[root]) if root in was else 0
        if abs(shift) >= LEAST_SHIFT_MIN:
            found = one.to_json(was[root].late_min)
            rows.append({**found, "before_at": was[root].ends_at.isoformat(), "shift_min": shift})
    return sorted(rows, key=lambda row: (-abs(row["shift_min"]), row["request_id"]))[:MOST_ROWS]


def _by_customer(ends: dict[int, OrderEnd], was: dict[int, OrderEnd]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for root, one in ends.items():
        if not one.order_id:
            continue
        row = found.setdefault(
            (one.customer_zh, one.customer_en),
            {
                "customer_zh": one.customer_zh, "customer_en": one.customer_en, "orders": 0, "late_orders": 0,
                "late_min": 0, "before_late_min": 0, "earlier": 0, "later": 0, "last_at": "", "before_last_at": "",
            },
        )  # fmt: skip
        row["orders"] += 1
        row["late_orders"] += one.late_min > 0
        row["late_min"] += one.late_min
        row["last_at"] = max(row["last_at"], one.ends_at.isoformat())
        if root in was:
            shift = _shift(one, was[root])
            row["before_late_min"] += was[root].late_min
            row["earlier"] += shift <= -LEAST_SHIFT_MIN
            row["later"] += shift >= LEAST_SHIFT_MIN
            row["before_last_at"] = max(row["before_last_at"], was[root].ends_at.isoformat())
    return sorted(found.values(), key=lambda row: (row["before_late_min"] - row["late_min"], row["customer_zh"]))[:100]


def _machines(built: Built, problem: Problem, plan: Plan) -> list[dict[str, Any]]:
    floor = Floor(problem, plan)
    first, last = built.now, built.now + WINDOW
    rows: list[dict[str, Any]] = []
    for m, indices in enumerate(floor.on_machine):
        unit = problem.machines[m].id
        if not isinstance(unit, int) or not indices:
            continue
        times = floor.times(m)

        def open_between(start: int, end: int, times: Any = times) -> int:
            low, high = max(start, first), min(end, last)
            if high <= low:
                return 0
            return high - low if times is None else int(times.between(low, high))

        spans = _joined([(floor.start[k], floor.end[k]) for k in indices])
        rows.append(
            {
                "unit": built.unit_code.get(unit, ""),
                "open_min": open_between(first, last),
                "work_min": sum(open_between(start, end) for start, end in spans),
                "setup_min": sum(open_between(floor.setup_start[k], floor.start[k]) for k in indices),
                "jobs": len(indices),
            }
        )
    for row in rows:
        row["utilisation"] = round((row["work_min"] + row["setup_min"]) / row["open_min"], 3) if row["open_min"] else 0
    return sorted(rows, key=lambda row: (-row["utilisation"], row["unit"]))


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans without overlaps: an oven's batch counts once."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _setups(built: Built, problem: Problem, plan: Plan) -> list[dict[str, Any]]:
    rows = []
    for k in np.flatnonzero((plan.machine >= 0) & (plan.start > plan.setup_start)).tolist():
        unit = problem.machines[int(plan.machine[k])].id
        rows.append(
            {
                "unit": built.unit_code.get(unit, "") if isinstance(unit, int) else "",
                "job": built.jobs[k].code,
                "job_order_id": built.jobs[k].id,
                "start": built.moment(int(plan.setup_start[k])).isoformat(),
                "minutes": int(plan.start[k] - plan.setup_start[k]),
            }
        )
    return sorted(rows, key=lambda row: (row["start"], row["job"]))[:MOST_ROWS]
