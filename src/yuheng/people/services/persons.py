"""Verbs about persons: adding, renaming, shutting out, passwords, preferences."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.people.models import Person
from yuheng.people.rules import USERNAME_PATTERN
from yuheng.people.services.reach import (
    MANAGE,
    audit_person,
    generated_password,
    manageable,
    one_of,
    oneself,
    require_organisation,
    set_password,
)

LANGUAGES = ("zh-hans", "en")
THEMES = ("auto", "light", "dark")


@transaction.atomic
def create_person(
    *,
    actor: Actor,
    username: str,
    name_zh: str,
    name_en: str,
    organisation_id: int | None,
    at: datetime,
    language: str = "zh-hans",
    password: str | None = None,
) -> tuple[Person, str]:
    """Add a person without any role.

    Returns
    -------
    tuple
        The person and the password: the one given, or a generated one to be handed over once; it must be changed
        at the first sign-in.

    Raises
    ------
    PermissionRefused, InvalidInput
    """
    actor.require(MANAGE)
    require_organisation(actor, organisation_id)
    if not USERNAME_PATTERN.fullmatch(username):
        message = _("Use letters, digits and . @ _ - for the user name, at most 80.")
        raise InvalidInput(message, {"username": message})
    if Person.objects.filter(username__iexact=username).exists():
        message = _("Somebody has this user name already.")
        raise InvalidInput(message, {"username": message})
    person = Person(
        username=username,
        name_zh=name_zh or username,
        name_en=name_en or username,
        organisation_id=organisation_id,
        language=one_of(language, LANGUAGES, "language"),
        created_at=at,
        must_change_password=password is None,
    )
    secret = password if password is not None else generated_password()
    set_password(person, secret)
    person.save()
    audit.record(actor=actor, action="people.created", at=at, object_kind="person", object_id=person.pk, name=username)
    return person, secret


@transaction.atomic
def enter_person(
    *, actor: Actor, username: str, name_zh: str, name_en: str, organisation_id: int | None, at: datetime
) -> Person:
    """Add a person whom a log or a list names: without a role or a password, until somebody gives them these.

    Raises
    ------
    PermissionRefused, InvalidInput
    """
    actor.require(MANAGE)
    require_organisation(actor, organisation_id)
    if not USERNAME_PATTERN.fullmatch(username) or Person.objects.filter(username__iexact=username).exists():
        message = _("Somebody has this user name already.")
        raise InvalidInput(message, {"username": message})
    person = Person(
        username=username, name_zh=name_zh or username, name_en=name_en or username, organisation_id=organisation_id,
        language=LANGUAGES[0], created_at=at, must_change_password=True,
    )  # fmt: skip
    person.set_unusable_password()
    person.save()
    audit.record(actor=actor, action="people.created", at=at, object_kind="person", object_id=person.pk, name=username)
    return person


@transaction.atomic
def rename_person(*, actor: Actor, person_id: int, name_zh: str, name_en: str, at: datetime) -> Person:
    """Change how a person is called."""
    person = manageable(actor, person_id)
    if not name_zh.strip() or not name_en.strip():
        raise InvalidInput(_("A person has a name in both languages."), {"name_zh": _("Fill in both names.")})
    old = [person.name_zh, person.name_en]
    person.name_zh, person.name_en = name_zh.strip(), name_en.strip()
    person.save(update_fields=["name_zh", "name_en"])
    audit_person(actor, person, "people.renamed", at, old=old, new=[person.name_zh, person.name_en])
    return person


@transaction.atomic
def deactivate_person(*, actor: Actor, person_id: int, at: datetime) -> Person:
    """Shut a person out at once: sessions and tokens end with the next request."""
    if actor.person_id == person_id:
        raise Conflict(_("You cannot deactivate yourself."))
    person = manageable(actor, person_id)
    person.is_active = False
    person.save(update_fields=["is_active"])
    audit_person(actor, person, "people.deactivated", at)
    return person


@transaction.atomic
def reactivate_person(*, actor: Actor, person_id: int, at: datetime) -> Person:
    """Let a person in again, with the roles they had."""
    person = manageable(actor, person_id)
    person.is_active = True
    person.save(update_fields=["is_active"])
    audit_person(actor, person, "people.reactivated", at)
    return person


@transaction.atomic
def reset_password(*, actor: Actor, person_id: int, at: datetime) -> str:
    """Give a person a new generated password, ending their sessions; return it once. They must change it."""
    person = manageable(actor, person_id)
    secret = generated_password()
    person.set_password(secret)
    person.must_change_password = True
    person.save(update_fields=["password", "must_change_password"])
    audit_person(actor, person, "people.password_reset", at)
    return secret


@transaction.atomic
def change_own_password(*, actor: Actor, old: str, new: str, at: datetime) -> Person:
    """Replace one's own password; other sessions end.

    Raises
    ------
    InvalidInput
        The old one is wrong, or the new one is too weak (and why).
    """
    person = oneself(actor)
    if not person.check_password(old):
        message = _("This is not your present password.")
        raise InvalidInput(message, {"old": message})
    set_password(person, new, field="new")
    person.must_change_password = False
    person.save(update_fields=["password", "must_change_password", "former_passwords"])
    audit_person(actor, person, "people.password_changed", at)
    return person


@transaction.atomic
def change_own_preferences(*, actor: Actor, language: str, theme: str, at: datetime) -> Person:
    """Keep one's language and theme, for every browser one signs in with."""
    person = oneself(actor)
    person.language = one_of(language, LANGUAGES, "language")
    person.theme = one_of(theme, THEMES, "theme")
    person.save(update_fields=["language", "theme"])
    audit_person(actor, person, "people.preferences_changed", at, language=language, theme=theme)
    return person
