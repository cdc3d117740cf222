"""Who may manage whom, and the small things that every verb about people needs."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.contrib.auth.hashers import check_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import Site
from yuheng.people.identity import actor_of_person
from yuheng.people.models import Person
from yuheng.people.rules import FORMER_PASSWORDS, Grants, covers

MANAGE = "people.manage"


def may_manage(*, actor: Actor, person: Person) -> bool:
    """Return whether the actor manages people wherever this person has a role, and holds all that they hold.

    ``person`` was read ``with_grants()``.
    """
    if actor.may_everywhere(MANAGE):
        return _covers(actor, person.grants)
    sites = [site_id for site_id in person.grants if not actor.may(MANAGE, site_id=site_id)]
    return not sites and _is_in_reach(actor, person) and _covers(actor, person.grants)


def _covers(actor: Actor, grants: Grants) -> bool:
    return covers(
        lambda name, site_id: actor.may(name, site_id=site_id) if site_id else actor.may_everywhere(name), grants
    )


def _is_in_reach(actor: Actor, person: Person) -> bool:
    """Return whether the person belongs to a firm, or has a role at a site, where the actor manages people."""
    sites = actor.site_ids_with(MANAGE)
    if sites is None:
        return True
    firms = set(Site.objects.filter(pk__in=sites).values_list("organisation_id", flat=True))
    return person.organisation_id in firms or any(site_id in sites for site_id in person.grants)


def manageable(actor: Actor, person_id: int) -> Person:
    """Lock and return a person whom the actor may manage. Raises `NotVisible`, `PermissionRefused`."""
    actor.require(MANAGE)
    person = locked(person_id)
    require_in_reach(actor, person)
    if not may_manage(actor=actor, person=person):
        raise PermissionRefused(_("This person has roles beyond yours; somebody with those must do this."))
    return person


def locked(person_id: int) -> Person:
    """Lock the person, then read them with what they may do (an aggregate cannot be locked)."""
    if Person.objects.select_for_update().filter(pk=person_id).first() is None:
        raise NotVisible(_("There is no such person."))
    return Person.objects.with_grants().get(pk=person_id)


def require_in_reach(actor: Actor, person: Person) -> None:
    """Raise `NotVisible` for a person of other sites and firms."""
    if not _is_in_reach(actor, person):
        raise NotVisible(_("There is no such person."))


def require_managing(actor: Actor, site_id: int | None) -> None:
    """Raise unless the actor manages people at the site; without a site, everywhere."""
    if site_id is None:
        actor.require_everywhere(MANAGE)
    else:
        actor.require(MANAGE, site_id=site_id)


def require_covering(actor: Actor, grants: Grants) -> None:
    """Raise `PermissionRefused` unless the actor holds all of it."""
    if not _covers(actor, grants):
        raise PermissionRefused(_("The role allows more than you may do yourself."))


def require_organisation(actor: Actor, organisation_id: int | None) -> None:
    """Raise `PermissionRefused` for a firm where the actor manages nobody."""
    sites = actor.site_ids_with(MANAGE)
    if sites is None:
        return
    if organisation_id not in set(Site.objects.filter(pk__in=sites).values_list("organisation_id", flat=True)):
        raise PermissionRefused(_("You may add people to your own organisation only."))


def oneself(actor: Actor) -> Person:
    """Lock and return the person who acts. Raises `PermissionRefused` for processes and devices."""
    if actor.person_id is None:
        raise PermissionRefused(_("Only a person can do this for themselves."))
    return locked(actor.person_id)


def actor_for(person: Person) -> Actor:
    """Return the actor of a person as they are stored now."""
    return actor_of_person(Person.objects.with_grants().get(pk=person.pk))


def audit_person(
    actor: Actor, person: Person, action: str, at: datetime, *, site_id: int | None = None, **detail: object
) -> None:
    """Record something done to a person."""
    audit.record(
        actor=actor,
        action=action,
        at=at,
        site_id=site_id,
        object_kind="person",
        object_id=person.pk,
        name=person.username,
        **detail,
    )


def generated_password() -> str:
    """Return 16 characters without look-alikes: 16 x log2(55) = 92 bits."""
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _position in range(16))


def set_password(person: Person, password: str, *, field: str = "password") -> None:
    """Set a password that the rules allow. Raises `InvalidInput` naming ``field``."""
    try:
        validate_password(password, person)
        former = [person.password, *person.former_passwords][:FORMER_PASSWORDS] if person.pk else []
        if any(check_password(password, known) for known in former):
            raise ValidationError(_("You had this password before. Choose another."))
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), {field: " ".join(error.messages)}) from error
    person.former_passwords = former
    person.set_password(password)


def one_of(value: str, allowed: tuple[str, ...], field: str) -> str:
    """Return a value that is allowed. Raises `InvalidInput`."""
    if value not in allowed:
        raise InvalidInput(_("This is not one of the choices."), {field: _("This is not one of the choices.")})
    return value
