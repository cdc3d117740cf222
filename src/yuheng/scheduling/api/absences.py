"""JSON edge of absences: who is away, entered and ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import AwareDatetime

from yuheng.people.identity import actor_of
from yuheng.scheduling.selectors.plant import absences_from
from yuheng.scheduling.services.absences import end_absence, enter_absence

router = Router(tags=["scheduling"])
Id = Annotated[int, Field(ge=1, lt=2**63)]


def now() -> datetime:
    """Return the time of this machine: what services take as ``at``."""
    return datetime.now(UTC)


class AbsenceIn(Schema):
    """Somebody of the site is away from ``start`` to ``end``."""

    site_id: Id
    person_id: Id
    start: AwareDatetime
    end: AwareDatetime
    note: Annotated[str, Field(max_length=400)] = ""


class AbsenceOut(Schema):
    """An absence that is not over."""

    id: int
    person_id: int
    name_zh: str
    name_en: str
    start: datetime
    end: datetime
    note: str


@router.get("/absences", response=list[AbsenceOut])
def list_absences(request: HttpRequest, site_id: int) -> list[Any]:
    """Who is away now or will be."""
    return list(absences_from(actor=actor_of(request), site_id=site_id, now=now()))


@router.post("/absences", response=list[AbsenceOut])
def add_absence(request: HttpRequest, body: AbsenceIn) -> list[Any]:
    """Enter an absence; suggestions are made where its skills are missing."""
    actor = actor_of(request)
    enter_absence(actor=actor, at=now(), **body.dict())
    return list(absences_from(actor=actor, site_id=body.site_id, now=now()))


@router.post("/absences/{int:absence_id}/over", response={204: None})
def absence_is_over(request: HttpRequest, absence_id: int) -> None:
    """Somebody is back, or does not go."""
    end_absence(actor=actor_of(request), absence_id=absence_id, at=now())
