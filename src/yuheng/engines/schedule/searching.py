"""Which search improves a plan of which problem, and until when: one process's part of `solve`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule import makespan, tardiness
from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.decode import Board, NoPlan, by_order, choose_routings, new_board, urgency
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.objective import MACHINE_CHANGE_TICKS, Objective
from yuheng.engines.schedule.rebuild import RebuildSearch
from yuheng.engines.schedule.scoring import Scorer
from yuheng.engines.schedule.tardiness.layout import is_plain

type_ints = npt.NDArray[np.int64]
type_found = Callable[[type_ints, type_ints, type_ints | None], object]
"""Told of (mode, start, leave) of a better plan; ``None``: nothing blocks."""

COUNTED = 500
"""Up to so many operations a run is cut by counting, well before the time is over: equal seeds make equal plans."""
PROPOSALS_PER_S, FULL_PROPOSALS_PER_S = 250_000, 80_000
"""What any machine manages, of plain and of all other problems; see `tardiness`."""
WATCH_S = 0.008
SLICES = 40
"""Parts of a cooling between two looks at the others."""


class Cancel:
    """Ask a running `solve` to return what it has; it does within 50 ms. May be set from any thread."""

    def __init__(self) -> None:
        self.flag = np.zeros(1, np.uint8)

    def set(self) -> None:
        """Ask."""
        self.flag[0] = 1

    @property
    def is_set(self) -> bool:
        """Whether somebody asked."""
        return bool(self.flag[0])


class Limits:
    """When a run ends: a deadline by a clock, a cancellation, an effort.

    A thread watches clock and cancellation and raises ``stop``, which every kernel looks at: so a deadline is held
    whatever the kernels take for their slices. Use as a context.

    Attributes
    ----------
    effort
        Units of search instead of time; ``None``: time.
    stop
        ``uint8 (1,)``.
    """

    def __init__(
        self,
        seconds: float,
        effort: int | None = None,
        cancel: Cancel | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock, self.begun = clock, clock()
        self.deadline = self.begun + seconds
        self.effort, self.cancel = effort, cancel or Cancel()
        self.stop = np.zeros(1, np.uint8)
        self.until = self.deadline
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="schedule-limits", daemon=True)

    def __enter__(self) -> Limits:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End watching."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(WATCH_S):
            if self.cancel.flag[0] or self.clock() >= self.until:
                self.stop[0] = 1

    def forgive(self, seconds: float) -> None:
        """Begin later by so much: what happened meanwhile is not part of the run."""
        self.begun += seconds
        self.deadline += seconds
        self.until += seconds
        if not self.cancel.is_set:
            self.stop[0] = 0

    def phase(self, fraction: float) -> bool:
        """Let the next phase run until this fraction of the time is used; False if that is over, or all is."""
        self.until = self.begun + fraction * (self.deadline - self.begun)
        if self.cancel.is_set:
            return False
        self.stop[0] = 0
        return self.clock() < self.until

    @property
    def seconds(self) -> float:
        """Time used."""
        return self.clock() - self.begun

    @property
    def left(self) -> float:
        """Time to the deadline."""
        return self.deadline - self.clock()

    @property
    def phase_left(self) -> float:
        """Time to the end of the phase."""
        return self.until - self.clock()

    @property
    def is_over(self) -> bool:
        """Whether time is up or somebody cancelled."""
        return self.cancel.is_set or self.left <= 0


@dataclass(frozen=True, slots=True)
class Found:
    """A plan as searches exchange it."""

    mode: type_ints
    start: type_ints


def costs_of(objective: Objective) -> tardiness.Costs:
    """Return an objective as the tardiness search takes it."""
    weight = objective.weight
    return tardiness.Costs(weight("tardiness"), weight("flow"), weight("late"), weight("makespan"), weight("setup"))


def reference_of(scorer: Scorer) -> tardiness.Reference | None:
    """Return the published plan as the tardiness search takes it; ``None`` if nobody minds."""
    weight = scorer.objective.weight("nervousness")
    known = scorer.reference_start >= 0
    if not weight or not known.any():
        return None
    arrays = scorer.arrays
    owner = np.repeat(np.arange(arrays.n), np.diff(arrays.op_ptr))
    mode = np.full(arrays.n, -1, np.int64)
    same = np.flatnonzero((arrays.mode_machine == scorer.reference_machine[owner]) & known[owner])
    mode[owner[same]] = same
    return tardiness.Reference(
        mode,
        np.where(known, scorer.reference_start, -1),
        scorer.near * MACHINE_CHANGE_TICKS * weight,
        scorer.near * weight,
        np.zeros(arrays.n, np.int64),
    )


def shortens(scorer: Scorer) -> bool:
    """Whether the makespan search is the one for a problem."""
    terms = scorer.objective.terms
    is_span = terms[0][0] == "makespan" and (len(terms) == 1 or scorer.objective.lexicographic)
    return is_span and makespan.supports(scorer.arrays)


def improve(
    scorer: Scorer, given: Found, seed: int, limits: Limits, found: type_found, look: Callable[[], Found | None]
) -> bool:
    """Improve a plan until the phase ends.

    Parameters
    ----------
    look
        Called now and then; returns a better plan of another process, if there is one.

    Returns
    -------
    bool
        Whether the best plan found is known to be optimal.
    """
    if shortens(scorer):
        return _shorten(scorer, given, seed, limits, found)
    if tardiness.supports(scorer.arrays):
        return _anneal(scorer, given, seed, limits, found, look)
    return _rebuild(scorer, given, seed, limits, found)


def _shorten(scorer: Scorer, given: Found, seed: int, limits: Limits, found: type_found) -> bool:
    search = makespan.MakespanSearch(scorer.arrays, seed, (given.mode, given.start))
    search.run(
        1e9 if limits.effort is not None else max(0.0, limits.phase_left),
        limits.stop,
        lambda _span, mode, start: _tell(found, mode, start),
        moves=limits.effort,
    )
    while search.span >= 0 and not search.finished and limits.effort is None and not limits.stop[0]:
        # The search counts CPU time: on a busy machine there is some left.
        search.run(max(0.01, limits.phase_left), limits.stop, lambda _s, mode, start: _tell(found, mode, start))
    return bool(search.finished)


def _tell(found: type_found, mode: type_ints, start: type_ints) -> None:
    found(mode, start, None)


def _anneal(
    scorer: Scorer,
    given: Found,
    seed: int,
    limits: Limits,
    found: type_found,
    look: Callable[[], Found | None],
    arrays: Arrays | None = None,
) -> bool:
    """Cool once over the phase, in slices; by count if the effort is given or the problem small."""
    arrays = scorer.arrays if arrays is None else arrays
    costs = costs_of(scorer.objective)
    reference = reference_of(scorer)
    try:
        search = tardiness.TardinessSearch(arrays, costs, seed, (given.mode, given.start), reference)
    except ValueError:  # the order of a plan that does not decode
        return False
    seconds = max(1e-3, limits.phase_left)
    proposals = limits.effort
    if proposals is None and arrays.n <= COUNTED:
        plain = is_plain(arrays, costs, reference)
        proposals = int(seconds_of(limits) * (PROPOSALS_PER_S if plain else FULL_PROPOSALS_PER_S))
    done = 0.0
    slices = SLICES
    for k in range(1, 1 << 30):
        if done >= 1.0 or limits.stop[0] or search.finished:
            break
        if proposals is None:
            here = min(1.0, 1.0 - limits.phase_left / seconds)
            there = min(1.0, max(here, done) + 1.0 / slices)
            search.run(max(0.005, (there - here) * seconds), limits.stop, _teller(found), part=(max(here, done), there))
        else:
            there = k / slices
            count = proposals * k // slices - proposals * (k - 1) // slices
            search.run(1e9, limits.stop, _teller(found), proposals=max(1, count), part=(done, there))
        done = there
        other = look()
        if other is not None and done < 0.5:
            search = tardiness.TardinessSearch(arrays, costs, seed + k, (other.mode, other.start), reference)
    return False


def seconds_of(limits: Limits) -> float:
    """Return the time of the whole phase as it was asked for, so that counts do not depend on the clock."""
    return limits.until - limits.begun


def _teller(found: type_found) -> Callable[[float, type_ints, type_ints], None]:
    def tell(_value: float, mode: type_ints, start: type_ints) -> None:
        found(mode, start, None)

    return tell


def relaxed(arrays: Arrays) -> Arrays | None:
    """Return the problem without people, tools, buffers and special links, if that leaves one for the fast search."""
    without = ((arrays.fixed_start >= 0) & (arrays.fixed_mode < 0)).any()
    if arrays.has_batches or arrays.has_routings or without:
        return None
    empty = np.zeros(0, np.int64)
    return replace(
        arrays,
        dem_ptr=np.zeros(arrays.n + 1, np.int64),
        dem_res=empty,
        dem_amount=empty,
        buffer_of_machine=np.full(arrays.machines, -1, np.int64),
        link_kind=np.zeros_like(arrays.link_kind),
        link_max=np.full_like(arrays.link_max, -1),
    )


def _rebuild(scorer: Scorer, given: Found, seed: int, limits: Limits, found: type_found) -> bool:
    """Dispatch with urgencies that learn, decode what the fast search makes of a simpler problem, then go step by step.

    All phases are counted up to `COUNTED` operations.
    """
    arrays = scorer.arrays
    layout = lay_out(arrays)
    known = urgency(layout)
    board = new_board(layout, choose_routings(arrays))
    if not load(board, given):
        return False
    search = RebuildSearch(board, known, scorer, seed)
    begin, until = limits.clock(), limits.until
    counted = limits.effort is not None or arrays.n <= COUNTED
    tries = 60 if counted else 1 << 20
    search.dispatch(tries, 0.15 * (until - begin) if not counted else 1e9, limits.stop, found)
    simple = relaxed(arrays)
    if simple is not None and not limits.stop[0]:
        # By count the end must not depend on when this began: equal seeds make equal plans.
        half = limits.begun + 0.5 * (until - limits.begun)
        ends = half if counted else until - 0.6 * (until - limits.clock())
        _guided(search, simple, scorer, seed, limits, found, ends)
        limits.until = until
        if not limits.cancel.is_set and limits.clock() < until:
            limits.stop[0] = 0
    steps = limits.effort
    if steps is None and counted:
        steps = max(50, int(seconds_of(limits) * 1.5e5 / (arrays.n + 20)))
    search.run(1e9, limits.stop, found, steps)  # ``stop`` ends it, whatever clock counts
    return search.is_perfect


def _guided(
    search: RebuildSearch, simple: Arrays, scorer: Scorer, seed: int, limits: Limits, found: type_found, until: float
) -> None:
    """Anneal the simpler problem, decode its orders with every rule, keep what is better."""
    mode, start, _leave = search.best()
    lead = Found(mode, start)

    def decoded(order_mode: type_ints, order_start: type_ints, _none: type_ints | None) -> None:
        nonlocal lead
        lead = Found(order_mode, order_start)

    limits.until = until
    _anneal(replace(scorer, arrays=simple), Found(mode, start), seed, limits, decoded, lambda: None, simple)
    for want in (lead.mode, np.full_like(lead.mode, -1)):
        if limits.cancel.is_set:
            return
        search.try_order(lead.start, want, found)


def load(board: Board, given: Found) -> bool:
    """Decode a plan onto a board, in its order and with its machines; else in its order only."""
    arrays = board.layout.arrays
    present = given.mode >= 0
    board.active[:] = np.where(arrays.routing_of_op >= 0, present, 1)
    order = np.where(present, given.start, FOREVER)
    for want in (given.mode, None):
        for keep_order in (False, True):
            try:
                by_order(board, order, want, keep_order=keep_order)
            except NoPlan:
                continue
            return True
    return False
