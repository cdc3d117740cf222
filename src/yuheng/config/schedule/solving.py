"""``yuheng schedule solve``: read, search, prove, tell."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from yuheng.config.schedule.checking import figures, sentence_of, violation_row, words_of
from yuheng.config.schedule.explaining import Explained, explained
from yuheng.config.schedule.files import read_bytes, read_problem
from yuheng.config.schedule.words import language_of, translator, type_translate
from yuheng.engines.schedule.check import Violation, check
from yuheng.engines.schedule.faults import gettext_noop
from yuheng.engines.schedule.kpis import kpis, measures
from yuheng.engines.schedule.objective import Objective, parse_objective
from yuheng.engines.schedule.plan import Plan, plan_from_json
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.readers import remarks, write_plant
from yuheng.engines.schedule.solve import Cancel, Solution, solve
from yuheng.engines.schedule.warm import warm

DEFAULT_OBJECTIVE = {"plant": "tardiness"}
LATE_SHOWN = 10
SAID = "said"
"""The one language of a run."""

_STARTS = gettext_noop("The plan to start from lacks %(count)s operations, so the search starts anew.")
_COMPILES = gettext_noop("The engine is being compiled, once; this does not count as search time.")
_SOLVED = gettext_noop("%(objective)s %(value)s after %(seconds).1f s; bound %(bound)s.")
_UNKNOWN = gettext_noop("unknown")
_OPTIMAL = gettext_noop("This is optimal.")
_INFEASIBLE = gettext_noop("No plan was found that keeps every constraint. The best one breaks:")


@dataclass(frozen=True, slots=True)
class Answer:
    """A solved problem with all that is told of it."""

    problem: Problem
    objective: Objective
    solution: Solution
    reference: Plan | None
    violations: list[Violation]
    told: Explained


def run(args: argparse.Namespace) -> int:
    """Solve: 0 with a feasible plan, 1 when none was found."""
    say = translator(language_of(args.lang))
    problem, kind = read_problem(args.file, args.format, use_setups=args.setups)
    objective = parse_objective(args.objective or DEFAULT_OBJECTIVE.get(kind, "makespan"))
    reference = _reference(problem, args.start, say)
    for remark in remarks(problem):
        sys.stderr.write(f"{remark.row}, {remark.field}: {say(remark.message) % remark.values}\n")
    patience = threading.Timer(1.0, lambda: sys.stderr.write(say(_COMPILES) + "\n"))
    patience.start()
    try:
        warm(problem, objective)  # before the clock starts
    finally:
        patience.cancel()
    cancel = Cancel()
    with _stopped_by_interrupt(cancel):
        solution = solve(
            problem, objective, args.time, workers=args.workers, seed=args.seed, start=reference, cancel=cancel
        )
    violations = check(problem, solution.plan)
    told = Explained() if violations else explained(problem, solution.plan, {SAID: say}, objective)
    answer = Answer(problem, objective, solution, reference, violations, told)
    if args.output or args.json:
        text = json.dumps(as_json(answer, say), ensure_ascii=False) + "\n"
        if args.output:
            Path(args.output).write_text(text, encoding="utf-8")
        if args.json:
            sys.stdout.write(text)
    if not args.json:
        sys.stdout.write("\n".join(_lines(answer, say)) + "\n")
    return 1 if violations else 0


@contextmanager
def _stopped_by_interrupt(cancel: Cancel) -> Iterator[None]:
    """Ctrl-C ends the search, not the command: the best plan so far is told."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        cancel.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _reference(problem: Problem, path: str | None, say: type_translate) -> Plan | None:
    if path is None:
        return None
    plan = plan_from_json(problem, read_bytes(path))
    missing = sum(violation.kind == "missing" for violation in check(problem, plan))
    if missing:
        sys.stderr.write(say(_STARTS) % {"count": missing} + "\n")
        return None
    return plan


def as_json(answer: Answer, say: type_translate) -> dict[str, Any]:
    """Return what ``--json`` prints; it carries the problem, so that the file alone can be shown."""
    problem, solution, told = answer.problem, answer.solution, answer.told
    rows = solution.plan.rows(problem)
    for row in rows:
        sentence = told.why.get((row["job"], row["op"]))
        if sentence is not None:
            row["why"] = sentence[SAID]
    tardiness = measures(problem, solution.plan).tardiness.tolist()
    return {
        "name": problem.name,
        "terms": str(answer.objective),
        "objective": _plain(solution.objective_value),
        "bound": None if solution.bound is None else _plain(solution.bound),
        "seconds": round(solution.seconds, 3),
        "finished_by": solution.finished_by,
        "feasible": not answer.violations,
        "violations": [violation_row(violation, say) for violation in answer.violations],
        "kpis": figures(kpis(problem, solution.plan, answer.reference)),
        "late": [
            {"job": job.id, "ticks": late, "why": told.late.get(job.id, {}).get(SAID, "")}
            for job, late in zip(problem.jobs, tardiness, strict=True)
            if late > 0
        ],
        "bottleneck": _narrow(answer),
        "plan": rows,
        "problem": json.loads(write_plant(problem)),
    }


def _narrow(answer: Answer) -> dict[str, Any] | None:
    """The bottleneck: which machine or resource, and what one more hour of it saves."""
    narrow = answer.told.narrow
    if narrow is None:
        return None
    problem = answer.problem
    return {
        "machine": problem.machines[narrow.machine].id if narrow.machine >= 0 else None,
        "value_of_an_hour": _plain(narrow.value),
        "waited": narrow.waited,
        "sentence": answer.told.narrow_said[SAID],
    }


def _plain(value: float) -> float | int:
    return int(value) if float(value).is_integer() else round(float(value), 6)


def _lines(answer: Answer, say: type_translate) -> Iterator[str]:
    """Tell people: figures, the costliest late orders and their causes; or what is broken."""
    solution = answer.solution
    bound = say(_UNKNOWN) if solution.bound is None else str(_plain(solution.bound))
    value = _plain(solution.objective_value)
    yield say(_SOLVED) % {"objective": answer.objective, "value": value, "seconds": solution.seconds, "bound": bound}
    if answer.violations:
        yield say(_INFEASIBLE)
        yield from (f"  {violation.kind}: {words_of(violation, say)}" for violation in answer.violations[:20])
        return
    if solution.bound is not None and solution.objective_value <= solution.bound:
        yield say(_OPTIMAL)
    yield sentence_of(kpis(answer.problem, solution.plan), say)
    yield from answer.told.narrow_said.values()
    yield from (f"  {sentence[SAID]}" for sentence in list(answer.told.late.values())[:LATE_SHOWN])
