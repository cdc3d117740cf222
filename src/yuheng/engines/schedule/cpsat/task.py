"""What crosses the pipe between a solve and its child process: plain values only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays

Ints = npt.NDArray[np.int64]


class NotModelled(ValueError):
    """The problem has a rule that this model cannot say exactly, so a proof would be a lie."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A plan as the solver needs it: start and end in ticks, mode as an absolute index (-1: absent); ``(n,)`` each."""

    start: Ints
    end: Ints
    mode: Ints


@dataclass(frozen=True, slots=True)
class Reference:
    """The published plan, and what leaving it costs: see `objective`.

    ``machine_cost`` and ``tick_cost`` are ``(n,)``: cost of another machine, and of one tick earlier or later.
    """

    start: Ints
    machine: Ints
    machine_cost: npt.NDArray[np.float64]
    tick_cost: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Task:
    """One model to solve.

    Parameters
    ----------
    head, early
        Earliest starts and ends, see `bound_paths.paths`: the child compiles nothing.
    terms, lexicographic
        Names and weights of the objective, summed, or one after the other in the order given.
    deterministic_time
        The solver's own unit of work, about a second; with one worker the same task gives the same answer.
    """

    arrays: Arrays
    head: Ints
    early: Ints
    terms: tuple[tuple[str, float], ...]
    lexicographic: bool = False
    hint: Timing | None = None
    reference: Reference | None = None
    seconds: float = 10.0
    deterministic_time: float | None = None
    workers: int = 1
    memory_mb: int = 1024
    seed: int = 0
    releases: int = 0
    """Sum of the jobs' releases, from which their flow times count."""


@dataclass(frozen=True, slots=True)
class Found:
    """A better plan on its way."""

    timing: Timing
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Proven:
    """A better lower bound of the first objective."""

    bound: float


@dataclass(frozen=True, slots=True)
class Finished:
    """How it ended: "optimal", "feasible", "infeasible", "unknown" or "not modelled", with the reason."""

    status: str
    reason: str = ""
    work: float = 0.0
