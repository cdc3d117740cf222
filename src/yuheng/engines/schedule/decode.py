"""Plans from rules and orders: the general decoder, which knows every rule of a problem.

`first_plan` dispatches (`dispatching`), `decode` follows an order of operations (`serial`). What neither can place is
said in a sentence (`NoPlan`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.bookings import (
    END,
    FAULT,
    FAULT_A,
    FAULT_B,
    FULL,
    MODE,
    START,
    Table,
    reset,
)
from yuheng.engines.schedule.dispatching import Reals, dispatch, hand_back
from yuheng.engines.schedule.faults import gettext_noop
from yuheng.engines.schedule.layout import Layout
from yuheng.engines.schedule.serial import fill, is_kept, put_fixed
from yuheng.engines.schedule.slots import NO_SLOT, OTHER, TOO_FAR, TOO_LATE, TOO_LONG
from yuheng.engines.schedule.tables import Block

_SENTENCES = {
    NO_SLOT: gettext_noop(
        "%(a)s fits nowhere: no machine of it has room between what is fixed. Free a fixed operation."
    ),
    TOO_FAR: gettext_noop("%(b)s cannot follow %(a)s within the longest lag. Lengthen it, or free what is fixed."),
    TOO_LATE: gettext_noop("%(b)s is fixed before %(a)s can be finished. Move the fixed start, or free it."),
    TOO_LONG: gettext_noop("no times were found that keep the longest lag from %(a)s to %(b)s. Lengthen it."),
}


OF_LAYOUT = (
    "op", "op_ptr", "modes", "mach", "cal", "setup", "dem_ptr", "keeps", "cap_ptr", "cap", "inn_ptr", "inn", "out_ptr",
    "out", "grp_ptr", "grp", "fixed",
)  # fmt: skip
OF_BOARD = (
    "place", "ends", "dem", "node", "hint", "state", "waits", "last", "bound", "active", "left", "keys", "values",
)  # fmt: skip


class NoPlan(ValueError):
    """No feasible plan was found; ``sentence`` says why, about operations ``a`` and ``b`` (indices, −1: none)."""

    def __init__(self, fault: int, a: int, b: int) -> None:
        self.fault, self.a, self.b = fault, a, b
        super().__init__(_SENTENCES.get(fault, _SENTENCES[NO_SLOT]))


@dataclass(slots=True)
class Board:
    """A plan under construction: the tables that change.

    Attributes
    ----------
    place, ends, dem, node, hint, state, waits, last, bound
        See `bookings`; ``waits[q]`` says where the part of link ``q`` waits: 1 in the buffer, −1 on its machine, −2
        there while that is set up for it, 0 nowhere.
    active
        1 for operations that are performed: those of the chosen routings.
    """

    layout: Layout
    place: Table
    ends: Table
    dem: Table
    node: Table
    hint: Table
    state: Table
    waits: Table
    last: Table
    bound: Table
    active: Table
    left: Table
    keys: Table
    values: Table
    block: Block = field(default_factory=Block)

    def address(self, **more: npt.NDArray[Any]) -> int:
        """Return where kernels find the tables of the layout, of this plan and ``more``: while the board lives."""
        self.block.set(
            **{name: getattr(self.layout, name) for name in OF_LAYOUT},
            **{name: getattr(self, name) for name in OF_BOARD},
            **more,
        )
        return self.block.address

    @property
    def mode(self) -> Table:
        """``(n,)`` absolute modes, −1: absent."""
        return self.place[:, MODE].copy()

    @property
    def start(self) -> Table:
        """``(n,)``, −1: absent."""
        return np.where(self.place[:, MODE] >= 0, self.place[:, START], -1)

    @property
    def end(self) -> Table:
        """``(n,)``, −1: absent."""
        return np.where(self.place[:, MODE] >= 0, self.place[:, END], -1)

    @property
    def leave(self) -> Table:
        """``(n,)``: when each operation's part left its machine; later than its end where that was blocked."""
        return leave_of(self.layout, self.start, self.end, self.waits)


def leave_of(layout: Layout, start: Table, end: Table, waits: Table) -> Table:
    """Return when each part left its machine: at its end, or when the operation it waited for on the machine began."""
    leave = end.copy()
    held = np.flatnonzero(waits == -1)
    if len(held):
        after = np.repeat(np.arange(len(leave)), np.diff(layout.inn_ptr))[held]
        np.maximum.at(leave, layout.inn[held, 0], start[after])
    return leave


def new_board(layout: Layout, active: Table | None = None, nodes: int = 0) -> Board:
    """Return an empty board with what is fixed on it. ``nodes``: room in the profiles, at least."""
    n, links = len(layout.op), len(layout.inn)
    nodes = max(nodes, len(layout.cap) + 4 * len(layout.dem) + (2 * n if layout.needs_serial else 0) + 64)
    groups = layout.groups
    return Board(
        layout=layout,
        place=np.empty((n, 6), np.int64),
        ends=np.empty((len(layout.mach), 2), np.int64),
        dem=layout.dem.copy(),
        node=np.empty((nodes, 3), np.int64),
        hint=np.empty((max(1, len(layout.cap_ptr) - 1), layout.slices), np.int64),
        state=np.zeros(8, np.int64),
        waits=np.zeros(links, np.int64),
        last=np.full(len(layout.mach), -1, np.int64),
        bound=np.zeros(n, np.int64),
        active=np.ones(n, np.int64) if active is None else active,
        left=np.zeros(groups, np.int64),
        keys=np.zeros(groups + 1, np.int64),
        values=np.zeros(groups + 1, np.int64),
    )


def clear(board: Board, *, linked: bool) -> None:
    """Empty a board but for what is fixed. ``linked``: fixed operations stand on their machines already."""
    layout = board.layout
    board.place[:, :] = -1
    board.ends[:, :] = -1
    board.waits[:] = 0
    board.last[:] = -1
    board.dem[:, 2] = 0
    address = board.address()
    reset(address, layout.width)
    if len(layout.fixed):
        put_fixed(address, int(linked))


def choose_routings(arrays: Arrays) -> Table:
    """Return which operations are performed: of each job's routings the one that a fixed operation is part of, else

    the one with the least work on machines that are not already crowded.
    """
    active = np.ones(arrays.n, np.int64)
    if not arrays.has_routings:
        return active
    shortest = np.minimum.reduceat(arrays.mode_duration, arrays.op_ptr[:-1])
    owner = np.repeat(np.arange(arrays.n), np.diff(arrays.op_ptr))
    share = arrays.mode_duration / np.diff(arrays.op_ptr)[owner]
    routing = arrays.routing_of_op
    load = np.bincount(arrays.mode_machine, share * (routing[owner] < 0), arrays.machines)
    members: dict[int, list[int]] = {}
    for i in np.flatnonzero(routing >= 0).tolist():
        members.setdefault(int(routing[i]), []).append(i)
    for j in range(arrays.jobs):
        options = range(int(arrays.routing_ptr[j]), int(arrays.routing_ptr[j + 1]))
        if not options:
            continue
        best, best_cost = options[0], np.inf
        for r in options:
            rows = members[r]
            modes = np.concatenate([np.arange(arrays.op_ptr[i], arrays.op_ptr[i + 1]) for i in rows])
            crowded = float((load[arrays.mode_machine[modes]] * share[modes]).sum() / max(1.0, share[modes].sum()))
            cost = float(shortest[rows].sum()) + 0.1 * crowded
            if (arrays.fixed_start[rows] >= 0).any():
                cost = -1.0
            if cost < best_cost:
                best, best_cost = r, cost
        for r in options:
            active[members[r]] = int(r == best)
        for i in members[best]:
            modes = np.arange(arrays.op_ptr[i], arrays.op_ptr[i + 1])
            load[arrays.mode_machine[modes]] += share[modes]
    return active


@dataclass(frozen=True, slots=True)
class Urgency:
    """What dispatching needs to know of a problem: due dates and work handed down from the jobs' ends.

    Attributes
    ----------
    due
        ``(n,)``: the latest end that still lets everything behind it be in time, without waiting.
    tail
        ``(n,)``: shortest work of the longest chain behind the operation.
    weight
        ``(n,)``: of its job.
    """

    due: Table
    tail: Table
    weight: Reals
    mean_work: float
    mean_setup: float


def urgency(layout: Layout) -> Urgency:
    """Hand due dates and work back through the links."""
    arrays = layout.arrays
    work = np.minimum.reduceat(arrays.mode_duration, arrays.op_ptr[:-1])
    due, tail = hand_back(arrays.topo, layout.out_ptr, layout.out, work, arrays.due[arrays.job])
    setup = arrays.setup[arrays.setup > 0]
    return Urgency(
        due=due,
        tail=tail,
        weight=np.maximum(arrays.weight[arrays.job], 1e-9),
        mean_work=float(arrays.mode_duration.mean()),
        mean_setup=float(setup.mean()) if len(setup) else 1.0,
    )


RULES = ("atc", "edd", "mwkr", "spt", "wspt", "fifo", "odd")
"""Apparent tardiness cost (with set-ups), earliest due date, most work remaining, shortest and weighted shortest

processing time, first come first served, operation due date."""


def priorities(layout: Layout, known: Urgency, rule: str) -> tuple[Reals, bool]:
    """Return (base by mode, whether slack counts too) of a rule; see `dispatching`."""
    arrays = layout.arrays
    owner = np.repeat(np.arange(arrays.n), np.diff(arrays.op_ptr))
    work = np.maximum(arrays.mode_duration, 1).astype(np.float64)
    if rule == "atc":
        return np.log(known.weight[owner] / work), True
    if rule == "wspt":
        return np.log(known.weight[owner] / work), False
    if rule == "spt":
        return -work, False
    if rule == "mwkr":
        return (known.tail[owner] + work).astype(np.float64), False
    if rule == "edd":
        return -arrays.due[arrays.job][owner].astype(np.float64), False
    if rule == "odd":
        return -known.due[owner].astype(np.float64), False
    if rule == "fifo":
        return -arrays.release[owner].astype(np.float64), False
    raise ValueError(f"{rule!r} is no rule. Use one of {', '.join(RULES)}.")


def by_rule(
    board: Board, known: Urgency, rule: str = "atc", slack: float = 2.0, setups: float = 0.5, want: Table | None = None
) -> None:
    """Dispatch by a rule and leave the plan on the board.

    Parameters
    ----------
    slack
        k1 of ATC: how many mean durations ahead a due date begins to press.
    setups
        k2 of ATCS: a set-up of so many mean set-ups makes an operation e times less urgent.

    Raises
    ------
    NoPlan
    """
    base, has_slack = priorities(board.layout, known, rule)
    by_slack = 1.0 / (slack * known.mean_work) if has_slack else 0.0
    by_setup = 1.0 / (setups * known.mean_setup) if has_slack else 0.0
    by_base(board, known, base, by_slack, by_setup, want)


def by_base(
    board: Board, known: Urgency, base: Reals, by_slack: float, by_setup: float, want: Table | None = None
) -> None:
    """Dispatch by an urgency of one's own; see `dispatching`. Raises `NoPlan`."""
    layout = board.layout
    free = np.full(len(layout.op), -1, np.int64) if want is None else want
    fixed = layout.fixed[board.active[layout.fixed] == 1]
    on = layout.modes[layout.op[fixed, 5], 0]
    order = np.argsort(on, kind="stable")
    fix_ptr = np.zeros(len(layout.mach) + 1, np.int64)
    np.cumsum(np.bincount(on, minlength=len(layout.mach)), out=fix_ptr[1:])
    while True:
        clear(board, linked=False)
        address = board.address(want=free, fix_ptr=fix_ptr, fix=fixed[order])
        left = dispatch(address, known.due, base, by_slack, by_setup)
        if board.state[FULL] == 0:
            break
        grow(board)
    kept = left == 0 and is_kept(board.address())
    if left or not kept or layout.needs_serial:
        start = np.where(board.place[:, MODE] >= 0, board.place[:, START], np.iinfo(np.int64).max >> 2)
        try:
            by_order(board, start, want)
        except NoPlan:
            first = after_fixed(layout)
            if not first.any():
                raise
            by_order(board, np.where(first, start - AHEAD, start), want)


AHEAD = 1 << 50
"""Earlier than anything, as an order; see `after_fixed`."""


def after_fixed(layout: Layout) -> npt.NDArray[np.bool_]:
    """Return what must come first where orders fail: the operations that follow fixed ones, and all before those.

    A part whose operation runs already takes its place in a buffer, or blocks its machine, whatever else is planned:
    nothing may be put there before it is known how long.
    """
    first = np.zeros(len(layout.op), np.bool_)
    waiting = [int(b) for i in layout.fixed for b in layout.out[layout.out_ptr[i] : layout.out_ptr[i + 1], OTHER]]
    while waiting:
        i = waiting.pop()
        if not first[i]:
            first[i] = True
            waiting += layout.inn[layout.inn_ptr[i] : layout.inn_ptr[i + 1], OTHER].tolist()
    return first


def by_order(
    board: Board, order: Table, want: Table | None = None, *, keep_order: bool = False, bias: Table | None = None
) -> None:
    """Place operations one after the other, the least ``order`` first, each as early as it fits.

    Parameters
    ----------
    order
        ``(n,)`` int64. Precedences and fixed operations go before it.
    want
        ``(n,)`` the only mode allowed, −1: any.
    keep_order
        Do not fill gaps: each machine performs its operations in this order.
    bias
        ``(K,)`` ticks that count against a mode when modes are compared.

    Raises
    ------
    NoPlan
    """
    layout = board.layout
    free = np.full(len(layout.op), -1, np.int64) if want is None else want
    no_bias = np.zeros((len(layout.modes), 2), np.int64)
    if bias is not None:
        no_bias[:, 0] = bias
    prio = np.minimum.reduceat(order[layout.grp], layout.grp_ptr[:-1])
    todo = np.arange(layout.groups, dtype=np.int64)
    while True:
        clear(board, linked=True)
        address = board.address(want=free, bias=no_bias, prio=prio, todo=todo)
        fault = fill(address, len(todo), int(keep_order))
        if board.state[FULL] == 0:
            break
        grow(board)
    if fault:
        raise NoPlan(int(board.state[FAULT]), int(board.state[FAULT_A]), int(board.state[FAULT_B]))


def grow(board: Board) -> None:
    """Twice the room for profiles."""
    board.node = np.empty((2 * len(board.node), 3), np.int64)
