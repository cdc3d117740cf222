"""JSON edge of the people context."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Schema

from yuheng.people.identity import actor_of

router = Router(tags=["people"])


class WhoAmIOut(Schema):
    """Who the request acts as; ``permissions`` by site id, "0" for every site."""

    kind: str
    name: str
    person_id: int | None
    impersonator: str
    permissions: dict[str, list[str]]


@router.get("/whoami", response=WhoAmIOut)
def whoami(request: HttpRequest) -> WhoAmIOut:
    """Say who the token or the session acts as, and what it may do where."""
    actor = actor_of(request)
    return WhoAmIOut(
        kind=actor.kind,
        name=actor.name,
        person_id=actor.person_id,
        impersonator=actor.impersonator,
        permissions={str(site_id): sorted(names) for site_id, names in actor.permissions.items()},
    )
