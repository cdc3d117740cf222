"""Compile (or load from disk) every kernel that a problem will need, by planning tiny problems of the same kind.

Whatever `solve` may run for such a problem is run here first, so no list of kernels can be forgotten.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator

from yuheng.engines.schedule import dispatch, makespan, tardiness
from yuheng.engines.schedule.arrays import Arrays, compile_problem
from yuheng.engines.schedule.generate import plant, random_problem
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.solve import solve

STEPS, LONG_S = 200, 600.0
"""Search so much, however long compiling takes: enough to come to every kernel once."""
PLAIN = ("alternatives", "assembly", "lags", "release", "due")
TIMED = (*PLAIN, "calendars", "whole", "setups")

_MAKESPAN, _TARDINESS = Objective((("makespan", 1.0),)), Objective()


def warm(problem: Problem | None = None, objective: Objective | None = None) -> None:
    """Make the kernels ready for a problem and an objective; for every kind of them when none is given.

    Notes
    -----
    Some ten seconds once for a new installation, well below one when the kernels are on disk.
    """
    wanted = None if problem is None else kind_of(compile_problem(problem))
    for kind, tiny, what in _tiny():
        if wanted is None or (kind == wanted and objective in (None, what)):
            solve(tiny, what, LONG_S, effort=STEPS)
    if problem is not None and objective not in (None, _MAKESPAN, _TARDINESS):
        for kind, tiny, what in _tiny():
            if kind == wanted and what == _TARDINESS:
                solve(tiny, objective, LONG_S, effort=STEPS)


def warm_everything() -> None:
    """Compile everything, in two processes where there are two processors: half the wait of an installation."""
    other = None
    if (os.cpu_count() or 1) > 1:
        other = multiprocessing.get_context("spawn").Process(target=_warm_fast_searches, daemon=True)
        try:
            other.start()
        except OSError:  # no more processes allowed here
            other = None
    for kind, tiny, what in _tiny():
        if kind == "general" and what == _MAKESPAN:
            solve(tiny, what, LONG_S, effort=STEPS)
    if other is not None:
        other.join()
    warm()


def _warm_fast_searches() -> None:
    makespan.warm()
    dispatch.warm()
    tardiness.warm()


def load(kind: str, aim: str) -> None:
    """Run everything once that `solve` runs for a kind of problem, to shorten it ("makespan") or to be in time."""
    for other, tiny, what in _tiny():
        if other == kind and what == (_MAKESPAN if aim == "makespan" else _TARDINESS):
            solve(tiny, what, LONG_S, effort=STEPS)


def kind_of(arrays: Arrays) -> str:
    """Return which family of kernels a problem is for."""
    if arrays.needs_general:
        return "general"
    return "timed" if arrays.has_calendars or arrays.has_setups else "plain"


def _tiny() -> Iterator[tuple[str, Problem, Objective]]:
    """Plan one of each kind, large enough that it is searched and not solved by a rule or the exact solver."""
    for objective in (_MAKESPAN, _TARDINESS):
        yield "plain", plant(12, 1, machines=8, load=1.2), objective
        yield "timed", random_problem(1, 200, TIMED), objective
        yield "general", random_problem(1, 200), objective
