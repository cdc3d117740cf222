"""Verbs about badges and PINs: how people are known at a station terminal. They open nothing else."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.people.identity import actor_of_person
from yuheng.people.models import FailedSignIn, FloorCredential, Person
from yuheng.people.rules import (
    BADGE_PATTERN,
    BADGE_PREFIX,
    FREE_FAILURES,
    FREE_FAILURES_OF_TERMINAL,
    PIN_PATTERN,
    badge_fingerprint,
    badge_text,
    failure_key,
)
from yuheng.people.services.reach import audit_person, locked, manageable
from yuheng.people.services.signing_in import SignInRefused, count_failure, refuse_while_blocked

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Upper case without what is mistaken for something else; every scanner and code can carry them."""

_CODE_LENGTH = 20
_TRIES = 50


@transaction.atomic
def issue_badge(*, actor: Actor, person_id: int, at: datetime, code: str = "") -> tuple[str, str]:
    """Give a person a badge; return their number and the badge's code, which is never shown again.

    Parameters
    ----------
    code
        What is on a card that they already have; empty to make a new one (printed as a code).

    Raises
    ------
    NotVisible, PermissionRefused
        Not somebody whom the actor manages.
    InvalidInput
        A code that no scanner types, or the card of somebody else.
    """
    person = manageable(actor, person_id)
    text = badge_text(code) or BADGE_PREFIX + "".join(secrets.choice(_LETTERS) for _n in range(_CODE_LENGTH))
    if not BADGE_PATTERN.fullmatch(text):
        message = _("A badge has 8 to 80 letters, digits or signs that a scanner types.")
        raise InvalidInput(message, {"code": message})
    credential = _credential(person, at)
    credential.badge_sha256, credential.badge_hint, credential.changed_at = badge_fingerprint(text), text[-4:], at
    try:
        with transaction.atomic():
            credential.save(update_fields=["badge_sha256", "badge_hint", "changed_at"])
    except IntegrityError as error:
        message = _("This card already belongs to somebody.")
        raise InvalidInput(message, {"code": message}) from error
    audit_person(actor, person, "people.badge_issued", at, number=credential.number)
    return credential.number, text


@transaction.atomic
def set_pin(*, actor: Actor, person_id: int, pin: str, at: datetime) -> str:
    """Set the PIN of oneself, or of somebody whom one manages; return the number that goes with it.

    Raises
    ------
    InvalidInput
        Not 4 to 8 digits, or one that everybody tries first.
    """
    person = locked(person_id) if actor.person_id == person_id else manageable(actor, person_id)
    if not PIN_PATTERN.fullmatch(pin):
        message = _("A PIN has 4 to 8 digits.")
        raise InvalidInput(message, {"pin": message})
    if len(set(pin)) == 1 or pin in "01234567890" or pin in "09876543210":
        message = _("Choose a PIN that is not one digit repeated, nor digits in order.")
        raise InvalidInput(message, {"pin": message})
    credential = _credential(person, at)
    credential.pin, credential.changed_at = make_password(pin), at
    credential.save(update_fields=["pin", "changed_at"])
    audit_person(actor, person, "people.pin_set", at, number=credential.number)
    return credential.number


@transaction.atomic
def withdraw_badge(*, actor: Actor, person_id: int, at: datetime) -> None:
    """End a person's badge and PIN; terminals know them no more."""
    person = manageable(actor, person_id)
    gone, _rows = FloorCredential.objects.filter(person=person).delete()
    if not gone:
        raise NotVisible(_("This person has no badge."))
    audit_person(actor, person, "people.badge_withdrawn", at)


def _credential(person: Person, at: datetime) -> FloorCredential:
    """Return the person's credential, locked; made with a free number when there is none."""
    found = FloorCredential.objects.select_for_update().filter(person=person).first()
    if found is not None:
        return found
    for _attempt in range(_TRIES):
        number = str(1000 + secrets.randbelow(9000))
        made, is_new = FloorCredential.objects.get_or_create(
            number=number, defaults={"person": person, "changed_at": at}
        )
        if is_new:
            return made
    for length in (5, 6, 7, 8):  # thousands of people: longer numbers are still free
        number = str(10 ** (length - 1) + secrets.randbelow(9 * 10 ** (length - 1)))
        made, is_new = FloorCredential.objects.get_or_create(
            number=number, defaults={"person": person, "changed_at": at}
        )
        if is_new:
            return made
    raise Conflict(_("No number is free: try again."))


# ---- at the terminal ----------------------------------------------------------------------------------------------


def sign_in_with_badge(*, fingerprint: str, terminal: str, at: datetime) -> Actor:
    """Return who a badge belongs to; failures are counted for the terminal.

    Parameters
    ----------
    fingerprint
        `rules.badge_fingerprint` of what was scanned.
    terminal
        The registered terminal's identity: the badge is worth nothing elsewhere.

    Raises
    ------
    SignInRefused
        No such badge, its person is deactivated, or too many failures here.
    """
    keys = {failure_key("terminal", terminal): FREE_FAILURES_OF_TERMINAL}
    refuse_while_blocked(keys, at)
    actor = actor_of_badge(fingerprint)
    if actor is None:
        count_failure(keys, None, terminal, at)
        raise SignInRefused(_("This badge is not known. Ask who manages people here."))
    audit.record(actor=actor, action="people.signed_in_at_terminal", at=at, terminal=terminal, by="badge")
    return actor


def sign_in_with_pin(*, number: str, pin: str, terminal: str, at: datetime) -> Actor:
    """Return whose number and PIN these are; failures are counted by number and by terminal.

    Raises
    ------
    SignInRefused
        Wrong, or too many failures.

    Notes
    -----
    Not one transaction: a failure must be counted although the attempt is refused.
    """
    keys = {
        failure_key("number", number): FREE_FAILURES,
        failure_key("terminal", terminal): FREE_FAILURES_OF_TERMINAL,
    }
    refuse_while_blocked(keys, at)
    found = FloorCredential.objects.select_related("person").filter(number=number).first()
    hashed = found.pin if found else ""
    if not hashed:
        make_password(pin)  # as slow as a real check: the time must not tell which numbers exist
    if found is None or not hashed or not check_password(pin, hashed) or not found.person.is_active:
        count_failure(keys, found.person if found else None, terminal, at)
        raise SignInRefused(_("The number or the PIN is wrong."))
    with transaction.atomic():
        FailedSignIn.objects.filter(key=failure_key("number", number)).delete()
        actor = actor_of_person(Person.objects.with_grants().get(pk=found.person_id))
        audit.record(actor=actor, action="people.signed_in_at_terminal", at=at, terminal=terminal, by="pin")
    return actor


def actor_of_badge(fingerprint: str) -> Actor | None:
    """Return the actor of an active person with this badge, as their roles are now; None when there is none."""
    person = (
        Person.objects.with_grants().filter(floor_credential__badge_sha256=fingerprint, is_active=True).first()
        if fingerprint
        else None
    )
    return actor_of_person(person) if person else None


def floor_actor(person_id: int) -> Actor | None:
    """Return the actor of an active person, as their roles are now; None when they are gone. One query."""
    person = Person.objects.with_grants().filter(pk=person_id, is_active=True).first()
    return actor_of_person(person) if person else None
