"""Re-planning after a breakdown, as a foreman meets it: how soon there is a valid plan, and what it moves.

The case: the plan is published; at 30 % of it the machine that works most stands for eight hours. What runs is fixed,
the next four hours are frozen, the rest is open.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.generate import plant
from yuheng.engines.schedule.kpis import measures, moves
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.repair import MachineDown, Replanner, Situation, situate
from yuheng.engines.schedule.solve import solve

DOWN_TICKS = 480
STABILITY = (0.0, 0.5, 1.0)
"""Positions of the slider: only tardiness counts; the middle; nothing changes its machine."""
RUNS = 3


def published(orders: int, seed: int, seconds: float) -> tuple[Problem, Plan]:
    """Return a plant and the plan that its floor works by."""
    problem = plant(orders, seed)
    return problem, solve(problem, Objective(), seconds, seed=seed).plan


def breakdown(problem: Problem, plan: Plan) -> tuple[int, MachineDown]:
    """Return the moment, and the machine that fails."""
    now = int(plan.end.max() * 0.3)
    open_now = plan.start >= now
    work = np.bincount(plan.machine[open_now], (plan.end - plan.start)[open_now], len(problem.machines))
    return now, MachineDown(problem.machines[int(work.argmax())].id, now, now + DOWN_TICKS)


def first_replan_ms(problem: Problem, plan: Plan, seed: int) -> tuple[float, Situation, bool]:
    """CPU milliseconds from the news to a valid plan, the best of three; the situation; what the checker says."""
    now, down = breakdown(problem, plan)
    took = []
    for _run in range(RUNS):
        began = time.process_time()
        situation = situate(problem, plan, now, [down])
        proposal = Replanner(situation, seed=seed).first()
        took.append(time.process_time() - began)
    return 1000 * min(took), situation, not check(situation.problem, proposal.plan)


def slider(situation: Situation, cpu_seconds: float, seed: int) -> list[dict[str, Any]]:
    """Plans at equal CPU time along the slider: tardiness, and what moves."""
    rows = []
    for stability in STABILITY:
        proposal = Replanner(situation, seed=seed).repair(stability, cpu_seconds)
        problem, plan = situation.problem, proposal.plan
        moved = moves(problem, plan, situation.reference)
        rows.append(
            {
                "stability": stability,
                "tardiness": measures(problem, plan).weighted_tardiness,
                "changed_machine_ratio": round(moved.changed_machine / max(1, moved.operations), 4),
                "next_shift_moved_ratio": round(moved.next_shift / max(1, moved.in_next_shift), 4),
                "feasible": not check(problem, plan),
            }
        )
    return rows
