"""What is true of reasons, stops and views without asking the database. Plain Python.

**How a reason follows its stop.** A reason is given for a stretch of time of a work unit. States are derived from
signals, and late or corrected data may move, merge, cut or remove the stop it was given for. So each edge of the
stretch remembers what it was: an edge of the stop then (*soft*: it moves with the stop), or a cut made by a person
inside the stop (*hard*: it stays where it was put). `pieces_of` lays what was said over a stop as it is now:

1. What was said counts within the stop it overlaps, never outside of any stop.
2. It belongs to the stop when at least half of what was said lies in it, or it covers at least half of the stop;
   then its soft edges reach to the stop's edges. Otherwise only the overlap is explained.
3. Between two that belong to the same stop, the earlier soft edge reaches to the later one.
4. Two different reasons that meet at soft edges were given for two stops that are one now: a conflict, shown as one.
5. Nothing said is ever lost: what overlaps no stop any more is listed as *without a stop*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

MAX_DEPTH = 5
"""Levels of a reason tree: more cannot be chosen from on a tablet."""
MAX_REASONS = 2000
MAX_COMMENT = 1000


class LossKind(StrEnum):
    """What kind of loss a stop with this reason is."""

    BREAKDOWN = "breakdown"
    SETUP = "setup"
    WAITING = "waiting"
    MINOR = "minor"
    PLANNED = "planned"


ISO_22400: Mapping[LossKind, str] = {
    LossKind.BREAKDOWN: "ADOT",
    LossKind.SETUP: "AUST",
    LossKind.WAITING: "ADET",
    LossKind.MINOR: "ADET",
    LossKind.PLANNED: "PDOT",
}
"""Kind of loss -> time element of ISO 22400-2: actual unit down time, set-up time, delay time, planned down time."""


class HandOverPart(StrEnum):
    """Who signs a hand-over."""

    GIVING = "giving"
    TAKING = "taking"


@dataclass(frozen=True, slots=True)
class Said:
    """A reason given for ``[start_us, end_us)``; ``*_cut``: the edge was set by a person inside the stop."""

    id: int
    reason_id: int
    start_us: int
    end_us: int
    is_start_cut: bool = False
    is_end_cut: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a stop with one reason (``said`` None: nobody gave one)."""

    start_us: int
    end_us: int
    said: Said | None
    is_conflict: bool = False


@dataclass(slots=True)
class _Laid:
    low: int
    high: int
    said: Said
    belongs: bool

    @property
    def reaches_back(self) -> bool:
        return self.belongs and not self.said.is_start_cut

    @property
    def reaches_on(self) -> bool:
        return self.belongs and not self.said.is_end_cut


def pieces_of(start_us: int, end_us: int, said: Iterable[Said]) -> list[Piece]:
    """Return the stop ``[start_us, end_us)`` as adjoining pieces, by what was said; see the module's rules.

    ``said`` do not overlap one another.

    Examples
    --------
    >>> [(p.start_us, p.end_us, p.said and p.said.id) for p in pieces_of(0, 100, [Said(7, 1, 0, 60)])]
    [(0, 100, 7)]
    >>> [(p.start_us, p.end_us, p.said and p.said.id) for p in pieces_of(0, 100, [Said(7, 1, 0, 60, is_end_cut=True)])]
    [(0, 60, 7), (60, 100, None)]
    """
    laid = [_lay(one, start_us, end_us) for one in said if one.start_us < end_us and one.end_us > start_us]
    laid.sort(key=lambda one: one.low)
    if not laid:
        return [Piece(start_us, end_us, None)] if end_us > start_us else []
    if laid[0].reaches_back:
        laid[0].low = start_us
    if laid[-1].reaches_on:
        laid[-1].high = end_us
    is_conflict = False
    for one, after in pairwise(laid):
        is_conflict |= one.reaches_on and after.reaches_back and one.said.reason_id != after.said.reason_id
        if one.reaches_on:
            one.high = after.low
        elif after.reaches_back:
            after.low = one.high
    return _filled(start_us, end_us, laid, is_conflict)


def _lay(said: Said, start_us: int, end_us: int) -> _Laid:
    low, high = max(said.start_us, start_us), min(said.end_us, end_us)
    belongs = 2 * (high - low) >= min(end_us - start_us, said.end_us - said.start_us)
    return _Laid(low, high, said, belongs)


def _filled(start_us: int, end_us: int, laid: Sequence[_Laid], is_conflict: bool) -> list[Piece]:
    pieces: list[Piece] = []
    at = start_us
    for one in laid:
        if one.low > at:
            pieces.append(Piece(at, one.low, None))
        if one.high > one.low:
            pieces.append(Piece(one.low, one.high, one.said, is_conflict))
        at = max(at, one.high)
    if at < end_us:
        pieces.append(Piece(at, end_us, None))
    return pieces


def without_stop(stops: Sequence[tuple[int, int]], said: Iterable[Said]) -> list[Said]:
    """Return what was said about times in which no stop is known any more."""
    return [one for one in said if not any(one.start_us < end and one.end_us > start for start, end in stops)]


def remaining(said: Said, stop: tuple[int, int], pieces: Sequence[Piece], taken: tuple[int, int]) -> list[Said]:
    """Return what stays of something said when ``taken``, a part of the stop, gets another reason.

    Within the stop it is what it reached before, without ``taken``, with cuts at all edges but the stop's own; outside
    of the stop it is what was stored, with soft edges at the stop's. Empty: nothing stays. The same,
    unchanged: not concerned.
    """
    mine = [piece for piece in pieces if piece.said == said]
    if not any(piece.start_us < taken[1] and piece.end_us > taken[0] for piece in mine):
        return [said]
    found: list[Said] = []
    if said.start_us < stop[0]:
        found.append(Said(said.id, said.reason_id, said.start_us, stop[0], said.is_start_cut, False))
    for piece in mine:
        if piece.start_us < taken[0]:
            is_cut = piece.start_us > stop[0]
            found.append(Said(said.id, said.reason_id, piece.start_us, min(piece.end_us, taken[0]), is_cut, True))
        if piece.end_us > taken[1]:
            is_cut = piece.end_us < stop[1]
            found.append(Said(said.id, said.reason_id, max(piece.start_us, taken[1]), piece.end_us, True, is_cut))
    if said.end_us > stop[1]:
        found.append(Said(said.id, said.reason_id, stop[1], said.end_us, False, said.is_end_cut))
    return found


# ---- the tree -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """A reason in its tree; ``parent`` "": at the top; ``loss`` "": that of its parent."""

    code: str
    parent: str
    loss: str = ""


def what_is_wrong_with_tree(nodes: Sequence[Node]) -> dict[str, str]:
    """Return code -> ``circle``, ``depth`` or ``loss`` for each node that cannot stand in a tree.

    Examples
    --------
    >>> what_is_wrong_with_tree([Node("a", "b", "setup"), Node("b", "a"), Node("c", "")])
    {'a': 'circle', 'b': 'circle', 'c': 'loss'}
    """
    parents = {node.code: node for node in nodes}
    wrong: dict[str, str] = {}
    for node in nodes:
        path = [node]
        while path[-1].parent in parents and len(path) <= len(nodes):
            path.append(parents[path[-1].parent])
        if len(path) > len(nodes):
            wrong[node.code] = "circle"
        elif len(path) > MAX_DEPTH:
            wrong[node.code] = "depth"
        elif not any(step.loss for step in path):
            wrong[node.code] = "loss"
    return wrong
