"""Questions about badges and PINs."""

from __future__ import annotations

from dataclasses import dataclass

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import PermissionRefused
from yuheng.people.models import FloorCredential, Person
from yuheng.people.rules import Permission


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """What a person has for terminals; ``badge_hint`` is the badge's last characters, "" without one."""

    number: str
    badge_hint: str
    has_pin: bool


@dataclass(frozen=True, slots=True)
class FloorPerson:
    """Somebody who may work at a site's stations; ``badge_sha256`` is "" without a badge."""

    person_id: int
    name_zh: str
    name_en: str
    number: str
    badge_sha256: str


def floor_credential(*, actor: Actor, person_id: int) -> CredentialRow | None:
    """Return what a person has for terminals; for oneself and for who manages people. One query.

    Raises
    ------
    PermissionRefused
        Somebody else, and the actor manages nobody.
    """
    if actor.person_id != person_id and not actor.may(Permission.PEOPLE_MANAGE):
        raise PermissionRefused(f"{actor.name} may not do this ({Permission.PEOPLE_MANAGE}).")
    found = FloorCredential.objects.filter(person_id=person_id).first()
    return CredentialRow(found.number, found.badge_hint, bool(found.pin)) if found else None


def floor_people(*, actor: Actor, site_id: int) -> list[FloorPerson]:
    """Return the active people who may execute job orders at a site and have a number, by number. One query.

    Raises
    ------
    PermissionRefused, NotVisible
        Without ``operations.view`` at the site.
    """
    actor.require(Permission.OPERATIONS_VIEW, site_id=site_id)
    people = Person.objects.with_grants().filter(is_active=True, floor_credential__isnull=False)
    rows = people.select_related("floor_credential").order_by("floor_credential__number")
    return [
        FloorPerson(
            person_id=row.pk,
            name_zh=row.name_zh,
            name_en=row.name_en,
            number=row.floor_credential.number,
            badge_sha256=row.floor_credential.badge_sha256 or "",
        )
        for row in rows
        if Permission.OPERATIONS_EXECUTE in row.grants.get(0, frozenset()) | row.grants.get(site_id, frozenset())
    ]
