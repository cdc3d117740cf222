"""JSON edge: the reason tree, stops, and giving their reasons."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema
from pydantic import AwareDatetime

from yuheng.analysis.selectors import reasons, stops
from yuheng.analysis.selectors.reasons import ExplanationRow, ReasonRow
from yuheng.analysis.selectors.stops import Stop
from yuheng.analysis.services import explanations
from yuheng.analysis.services import reasons as tree
from yuheng.analysis.services.explanations import Stretch
from yuheng.analysis.services.reasons import ReasonSpec
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of

router = Router(tags=["analysis"])


class ReasonOut(Schema):
    """A node of the reason tree; ``loss`` is its own or its parents', ``time_element`` that of ISO 22400-2."""

    id: int
    code: str
    parent_code: str
    name_zh: str
    name_en: str
    loss: str
    time_element: str
    classes: list[str]
    is_leaf: bool
    is_retired: bool


class ReasonIn(Schema):
    """A node to add or to change, by code; parent and classes by code."""

    code: str
    name_zh: str
    name_en: str
    parent: str = ""
    loss: str = ""
    classes: list[str] = []
    position: int = 0
    is_retired: bool = False


class ReasonsIn(Schema):
    """Nodes to add or to change; others stay as they are."""

    reasons: Annotated[list[ReasonIn], Field(min_length=1, max_length=2000)]


class PieceOut(Schema):
    """Part of a stop; without a reason, nobody gave one."""

    start: datetime
    end: datetime
    reason_id: int | None
    reason: str
    explanation_id: int | None
    comment: str
    given_by: str
    is_conflict: bool


class StopOut(Schema):
    """An interval in which a work unit did not produce; seconds lost within the range asked about."""

    work_unit_id: int
    work_unit: str
    state: str
    cause: str
    cause_text: str
    start: datetime
    end: datetime | None
    lost_s: float
    unexplained_s: float
    pieces: list[PieceOut]


class StopsOut(Schema):
    """Stops, newest first. ``is_cut``: there are more; ask for a shorter time."""

    is_cut: bool
    stops: list[StopOut]


class StretchIn(Schema):
    """A stop or a part of one: ``start`` lies in it; without an end, until it ends."""

    work_unit_id: int
    start: AwareDatetime
    end: AwareDatetime | None = None


class ExplainIn(Schema):
    """One reason for some stops: for all or for none."""

    reason_id: int
    comment: str = ""
    stretches: Annotated[list[StretchIn], Field(min_length=1, max_length=500)]


class ExplanationOut(Schema):
    """What somebody said about a stretch of time; with ``replaced_at`` it counts no more."""

    id: int
    work_unit_id: int
    reason_id: int
    comment: str
    from_at: datetime
    until_at: datetime
    given_by: str
    given_at: datetime
    replaced_at: datetime | None
    replaced_by: str


@router.get("/sites/{int:site_id}/reasons", response=list[ReasonOut])
def list_reasons(request: HttpRequest, site_id: int, with_retired: bool = False) -> list[ReasonRow]:
    """List the reason tree of a site, each behind its parent."""
    return reasons.reason_tree(actor=actor_of(request), site_id=site_id, with_retired=with_retired)


@router.put("/sites/{int:site_id}/reasons", response=list[ReasonOut])
def write_reasons(request: HttpRequest, site_id: int, body: ReasonsIn) -> list[ReasonRow]:
    """Add or change reasons; needs ``equipment.edit``."""
    actor = actor_of(request)
    specs = [ReasonSpec(**{**one.dict(), "classes": tuple(one.classes)}) for one in body.reasons]
    tree.write_reasons(actor=actor, site_id=site_id, reasons=specs, at=datetime.now(UTC))
    return reasons.reason_tree(actor=actor, site_id=site_id, with_retired=True)


@router.get("/stops", response=StopsOut)
def list_stops(
    request: HttpRequest,
    site_id: int,
    start: AwareDatetime,
    end: AwareDatetime,
    at_least_s: float = 60.0,
    states: str = "",
    work_unit_ids: str = "",
    only_unexplained: bool = False,
) -> dict[str, Any]:
    """List stops with their reasons; ``states=down,idle`` (usually down, idle, unknown)."""
    if end <= start:
        raise InvalidInput(_("The end must be after the start."), {"end": str(end)})
    found = stops.stops(
        actor=actor_of(request),
        site_id=site_id,
        start=start,
        end=end,
        now=datetime.now(UTC),
        at_least_s=at_least_s,
        in_states=_states(states),
        work_unit_ids=ids_of(work_unit_ids) or None,
    )
    kept = [stop for stop in found.stops if not only_unexplained or stop.unexplained_s > 0]
    return {"is_cut": found.is_cut, "stops": [_stop(stop) for stop in kept]}


@router.post("/explanations", response=list[ExplanationOut])
def explain(request: HttpRequest, body: ExplainIn) -> Any:
    """Give the reason of some stops; needs ``states.explain``."""
    return explanations.explain_stops(
        actor=actor_of(request),
        stretches=[Stretch(one.work_unit_id, one.start, one.end) for one in body.stretches],
        reason_id=body.reason_id,
        comment=body.comment,
        at=datetime.now(UTC),
    )


@router.post("/explanations/{int:explanation_id}/withdraw")
def withdraw(request: HttpRequest, explanation_id: int) -> dict[str, str]:
    """Take back a reason; it stays in the history."""
    explanations.withdraw_explanation(actor=actor_of(request), explanation_id=explanation_id, at=datetime.now(UTC))
    return {"state": "withdrawn"}


@router.get("/work-units/{int:work_unit_id}/explanations", response=list[ExplanationOut])
def list_explanations(
    request: HttpRequest, work_unit_id: int, start: AwareDatetime, end: AwareDatetime
) -> list[ExplanationRow]:
    """List everything ever said about [start, end) of a work unit, newest first."""
    actor = actor_of(request)
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    return reasons.history_of(actor=actor, unit=unit, start=start, end=end)


def _states(text: str) -> frozenset[int]:
    if not text:
        return frozenset(stops.STOP_STATES)
    known = {state.name.lower(): int(state) for state in UnitState}
    words = [word.strip() for word in text.split(",") if word.strip()]
    if unknown := [word for word in words if word not in known]:
        raise InvalidInput(_("There is no state '%(name)s'.") % {"name": unknown[0][:40]}, {"states": text[:200]})
    return frozenset(known[word] for word in words)


def ids_of(text: str) -> list[int]:
    """Read ``1,2,3``. Raises `InvalidInput`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise InvalidInput(_("Give numbers separated by commas."), {"ids": text[:200]})
    return [int(word) for word in words]


def _stop(stop: Stop) -> dict[str, Any]:
    return {
        "work_unit_id": stop.unit.id,
        "work_unit": stop.unit.code,
        "state": UnitState(stop.state).name.lower(),
        "cause": stop.cause,
        "cause_text": stop.cause_text,
        "start": stop.start,
        "end": None if stop.is_lasting else stop.end,
        "lost_s": stop.lost_s,
        "unexplained_s": stop.unexplained_s,
        "pieces": [
            {
                "start": piece.start,
                "end": piece.end,
                "reason_id": piece.reason.id if piece.reason else None,
                "reason": piece.reason.code if piece.reason else "",
                "explanation_id": piece.said.id if piece.said else None,
                "comment": piece.said.comment if piece.said else "",
                "given_by": piece.said.given_by if piece.said else "",
                "is_conflict": piece.is_conflict,
            }
            for piece in stop.pieces
        ],
    }
