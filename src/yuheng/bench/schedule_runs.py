"""What ``yuheng bench schedule`` runs: apart from its options, because it loads the whole engine."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from yuheng.bench.report import Reporter
from yuheng.bench.schedule_peer import best_after
from yuheng.bench.schedule_replan import first_replan_ms, published, slider
from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.decode import by_rule, choose_routings, new_board, urgency
from yuheng.engines.schedule.dispatch import sweep
from yuheng.engines.schedule.generate import plant
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.objective import Objective, parse_objective
from yuheng.engines.schedule.parts import Calendar, Demand, Operator
from yuheng.engines.schedule.plan import plan_of
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.readers import FORMATS
from yuheng.engines.schedule.solve import Solution, solve
from yuheng.engines.schedule.warm import warm

FULL_S = 30.0
MAKESPAN, TARDINESS = parse_objective("makespan"), parse_objective("tardiness")
WEEK = 7 * 1440


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Measure, print the tables, return the numbers."""
    scale = min(1.0, options.seconds / FULL_S)
    reporter.step("compiling the engine (not measured)")
    warm()
    result: dict[str, Any] = {"cpu_scale": scale}
    for name, part in (("makespan", _makespans), ("tardiness", _tardiness), ("first", _first), ("replan", _replan)):
        if options.only in (None, name):
            result |= part(options, reporter, scale)
    return result


@dataclasses.dataclass(frozen=True, slots=True)
class Instance:
    """A problem with what is known of it; ``peer_file`` is what the peer reads."""

    name: str
    kind: str
    path: Path
    best_known: int | None


def instances(options: argparse.Namespace) -> tuple[list[Instance], str]:
    """Return the instances asked for, or generated ones when the folder is not there, and where they are from."""
    table = options.data / "best_known.csv"
    if not table.exists():
        return _own_instances(
            options.seed
        ), "generated (the literature's folder is not here); gaps are to the lower bound"
    with table.open(encoding="utf-8", newline="") as lines:
        rows = {row["instance"]: row for row in csv.DictReader(lines)}
    wanted = [name.strip() for name in options.instances.split(",") if name.strip()]
    found = [
        Instance(name, rows[name]["type"], options.data / rows[name]["file"], int(rows[name]["ub"]))
        for name in wanted
        if name in rows and rows[name]["ub"] and (options.data / rows[name]["file"]).exists()
    ]
    return found, f"literature, best known from best_known.csv ({len(found)} of {len(wanted)})"


def _own_instances(seed: int) -> list[Instance]:
    """Job shops as Taillard makes them: uniform times of 1 to 99, a random order of machines for every job."""
    folder = Path(tempfile.mkdtemp(prefix="yuheng-bench-"))
    found = []
    for jobs, machines in ((10, 10), (15, 15), (20, 15), (20, 20)):
        g = np.random.default_rng(seed * 1000 + jobs * machines)
        lines = [f"{jobs} {machines}"]
        for _job in range(jobs):
            order, times = g.permutation(machines), g.integers(1, 100, machines)
            lines.append(" ".join(f"{m} {t}" for m, t in zip(order, times, strict=True)))
        path = folder / f"own{jobs}x{machines}.jsp"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        found.append(Instance(path.stem, "jsp", path, None))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One solve: what it found, what it cost, whether the checker agrees."""

    solution: Solution
    cpu_s: float
    is_feasible: bool


def solve_for(problem: Problem, objective: Objective, cpu_seconds: float, seed: int) -> Run:
    """Solve with one worker for so many CPU seconds of this process, however busy the machine is."""
    began = time.process_time()
    solution = solve(problem, objective, cpu_seconds, seed=seed, clock=time.process_time)
    cpu_s = time.process_time() - began
    return Run(solution, cpu_s, not check(problem, solution.plan))


def _makespans(options: argparse.Namespace, reporter: Reporter, scale: float) -> dict[str, Any]:
    chosen, source = instances(options)
    rows: list[dict[str, Any]] = []
    for instance in chosen:
        problem = FORMATS[instance.kind](instance.path.read_bytes(), instance.name)
        row: dict[str, Any] = {"instance": instance.name, "operations": len(problem.operations)}
        for name, budget in (("5s", 5.0), ("30s", 30.0)):
            reporter.step(f"{instance.name}: {budget * scale:.1f} CPU-s")
            run = solve_for(problem, MAKESPAN, budget * scale, options.seed)
            against = instance.best_known or run.solution.bound
            row |= {
                "against": against,
                f"makespan_{name}": int(run.solution.objective_value),
                f"gap_{name}": _gap(run.solution.objective_value, against),
                f"cpu_{name}": round(run.cpu_s, 2),
                "feasible": run.is_feasible and row.get("feasible", True),
            }
        if not options.no_peer:
            reporter.step(f"{instance.name}: PyJobShop for {30 * scale:.1f} CPU-s")
            best, why = best_after(instance.kind, instance.path, 30.0 * scale)
            row |= {"peer_30s": best, "peer_gap_30s": None if best is None else _gap(best, row["against"])}
            row |= {"peer_says": why} if why else {}
        rows.append(row)
    shown = ("instance", "operations", "against", "gap_5s", "gap_30s", "peer_gap_30s")
    head = ("instance", "operations", "known", "ours 5 s", "ours 30 s", "PyJobShop 30 s")
    reporter.table(f"makespan, gap in % ({source})", [head, *([row.get(name) for name in shown] for row in rows)])
    return {
        "source": source,
        "mean_gap_5s": _mean([row["gap_5s"] for row in rows]),
        "mean_gap_30s": _mean([row["gap_30s"] for row in rows]),
        "worst_gap_30s": max((row["gap_30s"] for row in rows if row["gap_30s"] is not None), default=None),
        "peer_gap_30s": _mean([row.get("peer_gap_30s") for row in rows]),
        "peer_unsolved": sum("peer_30s" in row and row["peer_30s"] is None for row in rows),
        "infeasible": sum(not row["feasible"] for row in rows),
        "instances": rows,
    }


def _gap(value: float, against: float | None) -> float | None:
    return None if not against else round(100 * (value / against - 1), 3)


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(fmean(there), 3) if there else None


def _tardiness(options: argparse.Namespace, reporter: Reporter, scale: float) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for seed in range(options.seed, options.seed + options.plants):
        problem = plant(options.orders, seed)
        reference = sweep_value(problem)
        row: dict[str, Any] = {"seed": seed, "operations": len(problem.operations), "sweep": reference}
        for name, budget in (("1s", 1.0), ("10s", 10.0)):
            reporter.step(f"plant seed {seed}: {budget * scale:.2f} CPU-s")
            run = solve_for(problem, TARDINESS, budget * scale, options.seed)
            row |= {
                f"tardiness_{name}": run.solution.objective_value,
                f"ratio_{name}": round(run.solution.objective_value / reference, 4) if reference else None,
                f"cpu_{name}": round(run.cpu_s, 2),
                "feasible": run.is_feasible and row.get("feasible", True),
            }
        rows.append(row)
    shown = ("seed", "operations", "sweep", "ratio_1s", "ratio_10s")
    head = ("seed", "operations", "ATC sweep", "1 s", "10 s")
    reporter.table("weighted tardiness by the sweep's", [head, *([row[name] for name in shown] for row in rows)])
    return {
        "tardiness_ratio_1s": _mean([row["ratio_1s"] for row in rows]),
        "tardiness_ratio_10s": _mean([row["ratio_10s"] for row in rows]),
        "plants": rows,
    }


def industrial(orders: int, seed: int) -> Problem:
    """A plant with set-ups of eight families, two shifts with breaks on five days, and people with skills."""
    problem = plant(orders, seed, use_setups=True)
    shifts = [(360, 600), (630, 840), (840, 1080), (1110, 1320)]
    week = tuple((day * 1440 + start, day * 1440 + end) for day in range(5) for start, end in shifts)
    skills = ("mill", "turn", "weld")
    return dataclasses.replace(
        problem,
        calendars=(Calendar("two shifts", week, WEEK),),
        machines=tuple(dataclasses.replace(machine, calendar="two shifts") for machine in problem.machines),
        operators=tuple(
            Operator(f"P{k}", (skills[k % 3], skills[(k + 1) % 3]) if k % 4 == 0 else (skills[k % 3],), "two shifts")
            for k in range(48)
        ),
        operations=tuple(
            dataclasses.replace(operation, demands=(Demand(skills[k % 3]),)) if k % 2 else operation
            for k, operation in enumerate(problem.operations)
        ),
    )


def sweep_value(problem: Problem) -> float:
    """Weighted tardiness of the best of many ATC dispatching passes, which differ in how far they look ahead."""
    return float(sweep(compile_problem(problem)).value)


def _first(options: argparse.Namespace, reporter: Reporter, _scale: float) -> dict[str, Any]:
    """From arrays to the first full plan, with calendars, set-ups and people; the best of five."""
    rows = []
    for orders in (options.orders, 10 * options.orders):
        problem = industrial(orders, options.seed)
        reporter.step(f"first plan of {len(problem.operations):,} operations")
        compiling = time.process_time()
        arrays = compile_problem(problem)
        compiling = time.process_time() - compiling
        took = []
        for _run in range(5):
            began = time.process_time()
            layout = lay_out(arrays)
            board = new_board(layout, choose_routings(arrays))
            by_rule(board, urgency(layout), "atc", 2.0, 0.5)
            plan = plan_of(arrays, board.mode, board.start, board.leave)
            took.append(time.process_time() - began)
        rows.append(
            {
                "operations": arrays.n,
                "first_plan_ms": round(1000 * min(took), 1),
                "compile_ms": round(1000 * compiling, 1),
                "feasible": not check(problem, plan),
            }
        )
    head = ("operations", "first plan, ms", "problem to arrays, ms", "feasible")
    reporter.table("calendars, set-ups, people", [head, *(list(row.values()) for row in rows)])
    return {
        "first_plan_ms": rows[0]["first_plan_ms"],
        "first_plan_30k_ms": rows[1]["first_plan_ms"],
        "first_plans": rows,
    }


def _replan(options: argparse.Namespace, reporter: Reporter, scale: float) -> dict[str, Any]:
    """A machine stands for eight hours: time to a valid plan, and what two seconds of search make of it."""
    rows: list[dict[str, Any]] = []
    for orders in (options.orders, 10 * options.orders):
        reporter.step(f"a breakdown among {15 * orders:,} operations")
        problem, plan = published(orders, options.seed, 10.0 * scale)
        took, situation, is_feasible = first_replan_ms(problem, plan, options.seed)
        rows.append(
            {
                "operations": len(problem.operations),
                "open": sum(not operation.is_fixed for operation in situation.problem.operations),
                "replan_ms": round(took, 1),
                "feasible": is_feasible,
                "slider": slider(situation, 2.0 * scale, options.seed),
            }
        )
    names = ("operations", "open", "replan_ms", "feasible")
    head = ("operations", "open", "valid plan, ms", "feasible")
    reporter.table("after a breakdown of 8 h", [head, *([row[name] for name in names] for row in rows)])
    points = ("stability", "tardiness", "changed_machine_ratio", "next_shift_moved_ratio")
    shown = [[row["operations"], *(point[name] for name in points)] for row in rows for point in row["slider"]]
    above = ("operations", "stability", "tardiness", "machine changed", "next shift moved")
    reporter.table(f"the slider after {2 * scale:.1f} CPU-s", [above, *shown])
    return {"replan_ms": rows[0]["replan_ms"], "replan_30k_ms": rows[1]["replan_ms"], "replans": rows}
