"""Compile (or load from disk) every kernel that a problem will need, by planning tiny problems of the same kind.

Whatever `solve` may run for such a problem is run here first, so no list of kernels can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator

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
