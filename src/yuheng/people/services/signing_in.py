"""Signing in and out, with failures counted."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import ANONYMOUS, Actor
from yuheng.kernel.errors import NotVisible, PermissionRefused
from yuheng.people.models import FailedSignIn, Person
from yuheng.people.rules import FORGET_AFTER, FREE_FAILURES, FREE_FAILURES_OF_ADDRESS, blocked_until, failure_key
from yuheng.people.services.reach import actor_for, audit_person, manageable


class SignInRefused(PermissionRefused):
    """Wrong name or password, or too many attempts; the two read the same to whoever guesses names."""


def sign_in(*, username: str, password: str, address: str, at: datetime) -> Person:
    """Check a name and a password, counting failures by name and by address.

    Raises
    ------
    SignInRefused
        Wrong, or still waiting after too many failures (then the password is not even looked at).

    Notes
    -----
    Not one transaction: a failure must be counted although the attempt is refused.
    """
    keys = {
        failure_key("name", username.lower()): FREE_FAILURES,
        failure_key("address", address): FREE_FAILURES_OF_ADDRESS,
    }
    refuse_while_blocked(keys, at)
    person = Person.objects.filter(username=username).first()
    if person is None:
        Person().set_password(password)  # as slow as a real check: the time must not tell which names exist
    if person is None or not person.check_password(password) or not person.is_active:
        count_failure(keys, person, address, at)
        raise SignInRefused(_("The name or the password is wrong."))
    with transaction.atomic():
        FailedSignIn.objects.filter(key__in=[failure_key("name", username.lower())]).delete()
        person.last_login = at
        person.save(update_fields=["last_login"])
        audit.record(actor=actor_for(person), action="people.signed_in", at=at, address=address)
    return person


def refuse_while_blocked(keys: dict[str, int], at: datetime) -> None:
    """Raise `SignInRefused` while one of the keys (hash -> free failures) still has to wait."""
    for row in FailedSignIn.objects.filter(key__in=keys):
        until = blocked_until(failures=row.failures, last_failed_at=row.last_failed_at, free_failures=keys[row.key])
        if until is not None and at < until:
            wait_s = int((until - at).total_seconds()) + 1
            raise SignInRefused(_("Too many failed attempts. Try again in %(seconds)d s.") % {"seconds": wait_s})


@transaction.atomic
def count_failure(keys: dict[str, int], person: Person | None, address: str, at: datetime) -> None:
    """Count one failure under each key, and record it; ``person`` is whom it was about, when that is known."""
    FailedSignIn.objects.filter(last_failed_at__lt=at - FORGET_AFTER).delete()
    FailedSignIn.objects.bulk_create(
        [FailedSignIn(key=key, last_failed_at=at) for key in sorted(keys)], ignore_conflicts=True
    )
    blocked = False
    for row in FailedSignIn.objects.select_for_update().filter(key__in=keys).order_by("key"):
        row.failures += 1
        row.last_failed_at = at
        row.save(update_fields=["failures", "last_failed_at"])
        blocked = blocked or row.failures >= keys[row.key]
    audit.record(
        actor=ANONYMOUS,
        action="people.sign_in_blocked" if blocked else "people.sign_in_failed",
        at=at,
        object_kind="person",
        object_id=person.username if person else "",  # an unknown name may be a password typed in the wrong field
        address=address,
    )


def sign_out(*, actor: Actor, at: datetime) -> None:
    """Record that somebody signed out."""
    if actor.kind == "person":
        audit.record(actor=actor, action="people.signed_out", at=at)


@transaction.atomic
def impersonate(*, actor: Actor, username: str, at: datetime) -> Person:
    """Become one of the demo's cast; only in demo mode, and only them.

    Raises
    ------
    NotVisible
        This is no demo, or no such demo person.
    """
    person = (
        Person.objects.filter(username=username, is_demo=True, is_active=True).first() if settings.IS_DEMO else None
    )
    if person is None:
        raise NotVisible(_("There is no such thing here."))
    audit.record(actor=actor_for(person), action="people.impersonated", at=at, by=actor.impersonator or actor.name)
    return person


@transaction.atomic
def unlock_person(*, actor: Actor, person_id: int, at: datetime) -> None:
    """Let a person try again at once, whose name had too many wrong passwords.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    person = manageable(actor, person_id)
    gone, _rows = FailedSignIn.objects.filter(key=failure_key("name", person.username.lower())).delete()
    if gone:
        audit_person(actor, person, "people.unlocked", at)
