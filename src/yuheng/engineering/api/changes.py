"""JSON edge: engineering change orders."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from yuheng.engineering import selectors, services
from yuheng.engineering.api.contents import MadeOut, VersionOut, now
from yuheng.engineering.api.materials import WhereUsedOut
from yuheng.engineering.rules.specs import ChangeSpec
from yuheng.engineering.rules.words import ChangeState, VersionKind
from yuheng.people.identity import actor_of

router = Router(tags=["engineering"])


class ChangeIn(Schema):
    """What a change says. Without a code it gets the next one."""

    title: str
    reason: str
    effective_from: date
    disposition_stock: str = ""
    disposition_wip: str = ""
    disposition_field: str = ""
    code: str = ""

    def spec(self) -> ChangeSpec:
        """Return it as services take it."""
        return ChangeSpec(**self.dict())


class ChangeOut(Schema):
    """An engineering change order."""

    id: int
    site_id: int
    code: str
    title: str
    reason: str
    state: ChangeState
    effective_from: date
    disposition_stock: str
    disposition_wip: str
    disposition_field: str
    created_at: datetime
    created_by: str
    submitted_at: datetime | None
    submitted_by: str
    decided_at: datetime | None
    decided_by: str
    decision_note: str
    implemented_at: datetime | None
    implemented_by: str


class AffectedOut(Schema):
    """A version that a change puts into force, or out of it (``is_end``)."""

    id: int
    kind: VersionKind
    version: VersionOut
    material_id: int
    material_code: str
    is_end: bool


class ChangeWholeOut(Schema):
    """A change with the versions it affects."""

    change: ChangeOut
    affected: list[AffectedOut]


class ImpactRowOut(Schema):
    """Something open that a change touches."""

    kind: str
    code: str
    title: str
    url: str
    state: str
    quantity: str
    unit: str


class ImpactOut(Schema):
    """What a change touches: bills above its materials, and open work."""

    used_in: list[WhereUsedOut]
    open_work: list[ImpactRowOut]


class AffectedIn(Schema):
    """Which version; ``is_end`` for a released one that ends without another."""

    kind: VersionKind
    version_id: int
    is_end: bool = False


class DecisionIn(Schema):
    """What the person who decides has to say."""

    note: str = ""


class ChangeQuestion(Schema):
    """Which changes; ``before`` is the last id of the page before."""

    state: ChangeState | None = None
    before: int = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 50


@router.get("/sites/{int:site_id}/changes", response=list[ChangeOut])
def changes(request: HttpRequest, site_id: int, asked: Query[ChangeQuestion]) -> list[selectors.ChangeRow]:
    """List engineering change orders, newest first."""
    return selectors.changes(
        actor=actor_of(request),
        site_id=site_id,
        state=asked.state.value if asked.state else "",
        before=asked.before,
        limit=asked.limit,
    )


@router.post("/sites/{int:site_id}/changes", response={201: MadeOut})
def create_change(request: HttpRequest, site_id: int, body: ChangeIn) -> Status[MadeOut]:
    """Write an engineering change order."""
    row = services.create_change(actor=actor_of(request), site_id=site_id, spec=body.spec(), at=now())
    return Status(201, MadeOut(id=row.pk, code=row.code))


@router.get("/changes/{int:change_id}", response=ChangeWholeOut)
def change(request: HttpRequest, change_id: int) -> selectors.ChangeWhole:
    """Return one change with the versions it affects."""
    return selectors.change(actor=actor_of(request), change_id=change_id)


@router.put("/changes/{int:change_id}", response=ChangeWholeOut)
def edit_change(request: HttpRequest, change_id: int, body: ChangeIn) -> selectors.ChangeWhole:
    """Write a change's text anew while it is a draft."""
    services.edit_change(actor=actor_of(request), change_id=change_id, spec=body.spec(), at=now())
    return selectors.change(actor=actor_of(request), change_id=change_id)


@router.get("/changes/{int:change_id}/impact", response=ImpactOut)
def change_impact(request: HttpRequest, change_id: int) -> selectors.Impact:
    """Return what a change touches: bills up to the products, and open orders."""
    return selectors.impact(actor=actor_of(request), change_id=change_id)


@router.post("/changes/{int:change_id}/affected", response={201: MadeOut})
def add_to_change(request: HttpRequest, change_id: int, body: AffectedIn) -> Status[MadeOut]:
    """Put a draft version into a change, or the end of a released one."""
    row = services.add_to_change(actor=actor_of(request), change_id=change_id, at=now(), **body.dict())
    return Status(201, MadeOut(id=row.pk))


@router.delete("/changes/{int:change_id}/affected/{int:affected_id}", response={204: None})
def remove_from_change(request: HttpRequest, change_id: int, affected_id: int) -> Status[None]:
    """Take a version out of a change."""
    services.remove_from_change(actor=actor_of(request), change_id=change_id, affected_id=affected_id, at=now())
    return Status(204, None)


@router.post("/changes/{int:change_id}/submit", response=ChangeWholeOut)
def submit_change(request: HttpRequest, change_id: int) -> selectors.ChangeWhole:
    """Ask another person to decide."""
    services.submit_change(actor=actor_of(request), change_id=change_id, at=now())
    return selectors.change(actor=actor_of(request), change_id=change_id)


@router.post("/changes/{int:change_id}/withdraw", response=ChangeWholeOut)
def withdraw_change(request: HttpRequest, change_id: int) -> selectors.ChangeWhole:
    """Take a submitted change back."""
    services.withdraw_change(actor=actor_of(request), change_id=change_id, at=now())
    return selectors.change(actor=actor_of(request), change_id=change_id)


@router.post("/changes/{int:change_id}/approve", response=ChangeWholeOut)
def approve_change(request: HttpRequest, change_id: int, body: DecisionIn) -> selectors.ChangeWhole:
    """Agree to a change as it was submitted; another person than its author."""
    services.approve_change(actor=actor_of(request), change_id=change_id, note=body.note, at=now())
    return selectors.change(actor=actor_of(request), change_id=change_id)


@router.post("/changes/{int:change_id}/reject", response=ChangeWholeOut)
def reject_change(request: HttpRequest, change_id: int, body: DecisionIn) -> selectors.ChangeWhole:
    """Refuse a change for good, and say why."""
    services.reject_change(actor=actor_of(request), change_id=change_id, note=body.note, at=now())
    return selectors.change(actor=actor_of(request), change_id=change_id)


@router.post("/changes/{int:change_id}/implement", response=ChangeWholeOut)
def implement_change(request: HttpRequest, change_id: int) -> selectors.ChangeWhole:
    """Put an approved change into force, whole or not at all."""
    services.implement_change(actor=actor_of(request), change_id=change_id, at=now())
    return selectors.change(actor=actor_of(request), change_id=change_id)
