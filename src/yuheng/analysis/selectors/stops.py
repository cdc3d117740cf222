"""Stops with the reasons given for them: the list of what nobody explained, the Pareto, the lanes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from yuheng.analysis.rules import Piece, pieces_of, without_stop
from yuheng.analysis.selectors import reasons
from yuheng.analysis.selectors.reasons import ExplanationRow, ReasonRow
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.names import local_name
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import states
from yuheng.telemetry.selectors.states import StateRow

STOP_STATES = frozenset({UnitState.DOWN, UnitState.IDLE, UnitState.UNKNOWN})
"""What somebody is asked to explain; set-up and planned stops say what they are, and may be explained too."""
EXPLAINABLE = frozenset(UnitState) - {UnitState.PRODUCING}
MOST_STOPS = 20_000


@dataclass(frozen=True, slots=True)
class StopPiece:
    """A part of a stop with one reason (None: nobody gave one)."""

    start: datetime
    end: datetime
    reason: ReasonRow | None
    said: ExplanationRow | None
    is_conflict: bool

    @property
    def lasting_s(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Stop:
    """An interval in which a work unit did not produce. ``end`` is now while it lasts (``is_lasting``).

    ``lost_s`` and ``unexplained_s`` are seconds within the range that was asked about.
    """

    unit: equipment.WorkUnitRow
    state: int
    cause: str
    cause_text: str
    start: datetime
    end: datetime
    is_lasting: bool
    pieces: tuple[StopPiece, ...]
    lost_s: float
    unexplained_s: float

    @property
    def is_conflict(self) -> bool:
        """Whether two reasons were given for what is one stop now."""
        return any(piece.is_conflict for piece in self.pieces)

    @property
    def key(self) -> str:
        """Names it in forms: unit and start in microseconds."""
        return f"{self.unit.id}.{microseconds(self.start)}"

    @property
    def kind(self) -> tuple[int | None, int, str]:
        """Stops of one kind are alike: class, state and what the machine says."""
        return self.unit.class_id, self.state, self.cause


@dataclass(frozen=True, slots=True)
class StopList:
    """Stops of a site, newest first; ``is_cut`` when there were more than are read at once."""

    stops: tuple[Stop, ...]
    orphans: tuple[ExplanationRow, ...]
    reasons: Mapping[int, ReasonRow]
    is_cut: bool


def stops(
    *,
    actor: Actor,
    site_id: int,
    start: datetime,
    end: datetime,
    now: datetime,
    at_least_s: float = 60.0,
    in_states: Collection[int] = STOP_STATES,
    work_unit_ids: Collection[int] | None = None,
    area_id: int | None = None,
) -> StopList:
    """Stops that touch [start, end) with what was said about each. Six queries."""
    units = {unit.id: unit for unit in equipment.work_units(actor=actor, site_id=site_id, with_retired=True)}
    if area_id is not None:
        units = {key: unit for key, unit in units.items() if unit.area_id == area_id}
    if work_unit_ids is not None:
        units = {key: unit for key, unit in units.items() if key in set(work_unit_ids)}
    found = states.stops_of_site(
        actor=actor,
        site_id=site_id,
        start=start,
        end=min(end, now),
        states=in_states,
        at_least_s=at_least_s,
        work_unit_ids=list(units),
        limit=MOST_STOPS + 1,
    )
    tree = {row.id: row for row in reasons.reason_tree(actor=actor, site_id=site_id, with_retired=True)}
    low = min([start, *(row.started_at for row in found)])
    said = reasons.by_unit(
        reasons.explanations(actor=actor, site_id=site_id, start=low, end=max(end, now), work_unit_ids=list(units))
    )
    causes = cause_texts(actor=actor, site_id=site_id)
    listed = [
        _stop(units[row.work_unit_id], row, said.get(row.work_unit_id, ()), tree, causes, (start, end), now)
        for row in found[:MOST_STOPS]
    ]
    orphans = _orphans(found, said, now, start) if at_least_s <= 0 and in_states == EXPLAINABLE else ()
    return StopList(tuple(listed), tuple(orphans), tree, len(found) > MOST_STOPS)


def stop_at(*, actor: Actor, unit: equipment.WorkUnitRow, at: datetime, now: datetime) -> Stop | None:
    """The stop of a unit that holds at an instant, whole; None when it produces. Five queries."""
    rows = states.states_between(actor=actor, start=at, end=_just_after(at), work_unit_ids=[unit.id])
    row = next((one for one in rows if one.state != UnitState.PRODUCING), None)
    if row is None:
        return None
    tree = {one.id: one for one in reasons.reason_tree(actor=actor, site_id=unit.site_id, with_retired=True)}
    end = row.ended_at or now
    said = reasons.explanations(
        actor=actor, site_id=unit.site_id, start=row.started_at, end=end, work_unit_ids=[unit.id]
    )
    causes = cause_texts(actor=actor, site_id=unit.site_id)
    return _stop(unit, row, said, tree, causes, (row.started_at, end), now)


def pieces_of_unit(
    *, actor: Actor, unit: equipment.WorkUnitRow, start: datetime, end: datetime, now: datetime
) -> list[StopPiece]:
    """The explained pieces of a unit's stops that touch [start, end), by time: what lanes show. Four queries."""
    said = reasons.explanations(actor=actor, site_id=unit.site_id, start=start, end=end, work_unit_ids=[unit.id])
    if not said:
        return []
    tree = {row.id: row for row in reasons.reason_tree(actor=actor, site_id=unit.site_id, with_retired=True)}
    found: list[StopPiece] = []
    for row in states.states_between(actor=actor, start=start, end=end, work_unit_ids=[unit.id]):
        if row.state != UnitState.PRODUCING:
            found += [piece for piece in _pieces(row, said, tree, now) if piece.reason is not None]
    return found


def cause_texts(*, actor: Actor, site_id: int) -> dict[tuple[int, str], str]:
    """(Class, cause code) -> what the machine means, in the reader's language. One query."""
    is_english = (get_language() or "").startswith("en")
    return {
        key: (name.en or name.zh) if is_english else (name.zh or name.en)
        for key, name in equipment.cause_names(actor=actor, site_id=site_id).items()
    }


def _just_after(at: datetime) -> datetime:
    return moment(microseconds(at) + 1)


def _stop(
    unit: equipment.WorkUnitRow,
    row: StateRow,
    said: Sequence[ExplanationRow],
    tree: Mapping[int, ReasonRow],
    causes: Mapping[tuple[int, str], str],
    span: tuple[datetime, datetime],
    now: datetime,
) -> Stop:
    pieces = _pieces(row, said, tree, now)
    end = row.ended_at or max(now, row.started_at)
    return Stop(
        unit=unit,
        state=row.state,
        cause=row.cause,
        cause_text=causes.get((unit.class_id or 0, row.cause), row.cause),
        start=row.started_at,
        end=end,
        is_lasting=row.ended_at is None,
        pieces=tuple(pieces),
        lost_s=_within(row.started_at, end, span),
        unexplained_s=sum(_within(piece.start, piece.end, span) for piece in pieces if piece.reason is None),
    )


def _within(start: datetime, end: datetime, span: tuple[datetime, datetime]) -> float:
    return max(0.0, (min(end, span[1]) - max(start, span[0])).total_seconds())


def _pieces(
    row: StateRow, said: Sequence[ExplanationRow], tree: Mapping[int, ReasonRow], now: datetime
) -> list[StopPiece]:
    rows = {one.id: one for one in said}
    start_us, end_us = microseconds(row.started_at), microseconds(row.ended_at or max(now, row.started_at))
    return [_piece(piece, rows, tree) for piece in pieces_of(start_us, end_us, [one.said for one in said])]


def _piece(piece: Piece, rows: Mapping[int, ExplanationRow], tree: Mapping[int, ReasonRow]) -> StopPiece:
    said = rows[piece.said.id] if piece.said is not None else None
    reason = tree.get(said.reason_id) if said is not None else None
    return StopPiece(moment(piece.start_us), moment(piece.end_us), reason, said, piece.is_conflict)


def _orphans(
    rows: Iterable[StateRow], said: Mapping[int, Sequence[ExplanationRow]], now: datetime, start: datetime
) -> list[ExplanationRow]:
    """What was said since the start about times in which no stop is known any more."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        span = microseconds(row.started_at), microseconds(row.ended_at or max(now, row.started_at))
        spans.setdefault(row.work_unit_id, []).append(span)
    found: list[ExplanationRow] = []
    for unit_id, of_unit in said.items():
        lost = {one.id for one in without_stop(spans.get(unit_id, []), [row.said for row in of_unit])}
        found += [row for row in of_unit if row.id in lost and row.from_at >= start]
    return found


# ---- Pareto -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ParetoBar:
    """What one reason cost. ``reason`` None: nobody gave one; then ``label`` is what the machine says, or nothing."""

    reason: ReasonRow | None
    label: str
    lost_s: float
    count: int
    cumulated: float  # share of the whole, this bar included


def pareto(found: StopList, span: tuple[datetime, datetime], *, level: int | None = None) -> list[ParetoBar]:
    """Seconds lost in the span by reason, most first; ``level`` 0 adds them up under the top of the tree.

    Nobody's is one bar of its own, so that it is not overlooked.
    """
    seconds: dict[int | None, float] = {}
    counts: dict[int | None, int] = {}
    for stop in found.stops:
        for piece in stop.pieces:
            lost = _within(piece.start, piece.end, span)
            if lost <= 0:
                continue
            key = None if piece.reason is None else piece.reason.id
            if piece.reason is not None and level is not None:
                key = piece.reason.path[min(level, len(piece.reason.path) - 1)]
            seconds[key] = seconds.get(key, 0.0) + lost
            counts[key] = counts.get(key, 0) + 1
    total = sum(seconds.values())
    bars: list[ParetoBar] = []
    so_far = 0.0
    for key in sorted(seconds, key=lambda one: -seconds[one]):
        so_far += seconds[key]
        row = found.reasons.get(key) if key is not None else None
        label = local_name(row) if row is not None else _("No reason given")
        bars.append(ParetoBar(row, label, seconds[key], counts[key], so_far / total if total else 0.0))
    return bars
