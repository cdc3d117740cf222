"""Verbs about people: signing in, persons, roles, passwords, tokens, the demo's cast. The only writers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import ANONYMOUS, Actor, system_actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import Organisation, Site
from yuheng.people.identity import actor_of_person, hash_of_token
from yuheng.people.models import ApiToken, FailedSignIn, Person, Role, RoleAssignment
from yuheng.people.rules import (
    ALL_PERMISSIONS,
    FORGET_AFTER,
    FREE_FAILURES,
    FREE_FAILURES_OF_ADDRESS,
    LONGEST_TOKEN_DAYS,
    USERNAME_PATTERN,
    Grants,
    blocked_until,
    covers,
    merge_grants,
)

MANAGE = "people.manage"
TOKEN_PREFIX = "yh_"
LANGUAGES = ("zh-hans", "en")
THEMES = ("auto", "light", "dark")


class SignInRefused(PermissionRefused):
    """Wrong name or password, or too many attempts; the two read the same to whoever guesses names."""


# ---- signing in ---------------------------------------------------------------------------------------------------


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
    keys = {_key("name", username.lower()): FREE_FAILURES, _key("address", address): FREE_FAILURES_OF_ADDRESS}
    _refuse_while_blocked(keys, at)
    person = Person.objects.filter(username=username).first()
    if person is None:
        Person().set_password(password)  # as slow as a real check: the time must not tell which names exist
    if person is None or not person.check_password(password) or not person.is_active:
        _count_failure(keys, person, address, at)
        raise SignInRefused(_("The name or the password is wrong."))
    with transaction.atomic():
        FailedSignIn.objects.filter(key__in=[_key("name", username.lower())]).delete()
        person.last_login = at
        person.save(update_fields=["last_login"])
        audit.record(actor=_actor(person), action="people.signed_in", at=at, address=address)
    return person


def _key(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()


def _refuse_while_blocked(keys: dict[str, int], at: datetime) -> None:
    for row in FailedSignIn.objects.filter(key__in=keys):
        until = blocked_until(failures=row.failures, last_failed_at=row.last_failed_at, free_failures=keys[row.key])
        if until is not None and at < until:
            wait_s = int((until - at).total_seconds()) + 1
            raise SignInRefused(_("Too many failed attempts. Try again in %(seconds)d s.") % {"seconds": wait_s})


@transaction.atomic
def _count_failure(keys: dict[str, int], person: Person | None, address: str, at: datetime) -> None:
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
    audit.record(actor=_actor(person), action="people.impersonated", at=at, by=actor.impersonator or actor.name)
    return person


# ---- persons ------------------------------------------------------------------------------------------------------


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
    _require_organisation(actor, organisation_id)
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
        language=_one_of(language, LANGUAGES, "language"),
        created_at=at,
        must_change_password=password is None,
    )
    secret = password if password is not None else _generated_password()
    _set_password(person, secret)
    person.save()
    audit.record(actor=actor, action="people.created", at=at, object_kind="person", object_id=person.pk, name=username)
    return person, secret


@transaction.atomic
def rename_person(*, actor: Actor, person_id: int, name_zh: str, name_en: str, at: datetime) -> Person:
    """Change how a person is called."""
    person = _manageable(actor, person_id)
    if not name_zh.strip() or not name_en.strip():
        raise InvalidInput(_("A person has a name in both languages."), {"name_zh": _("Fill in both names.")})
    old = [person.name_zh, person.name_en]
    person.name_zh, person.name_en = name_zh.strip(), name_en.strip()
    person.save(update_fields=["name_zh", "name_en"])
    _audit_person(actor, person, "people.renamed", at, old=old, new=[person.name_zh, person.name_en])
    return person


@transaction.atomic
def deactivate_person(*, actor: Actor, person_id: int, at: datetime) -> Person:
    """Shut a person out at once: sessions and tokens end with the next request."""
    if actor.person_id == person_id:
        raise Conflict(_("You cannot deactivate yourself."))
    person = _manageable(actor, person_id)
    person.is_active = False
    person.save(update_fields=["is_active"])
    _audit_person(actor, person, "people.deactivated", at)
    return person


@transaction.atomic
def reactivate_person(*, actor: Actor, person_id: int, at: datetime) -> Person:
    """Let a person in again, with the roles they had."""
    person = _manageable(actor, person_id)
    person.is_active = True
    person.save(update_fields=["is_active"])
    _audit_person(actor, person, "people.reactivated", at)
    return person


@transaction.atomic
def reset_password(*, actor: Actor, person_id: int, at: datetime) -> str:
    """Give a person a new generated password, ending their sessions; return it once. They must change it."""
    person = _manageable(actor, person_id)
    secret = _generated_password()
    person.set_password(secret)
    person.must_change_password = True
    person.save(update_fields=["password", "must_change_password"])
    _audit_person(actor, person, "people.password_reset", at)
    return secret


@transaction.atomic
def change_own_password(*, actor: Actor, old: str, new: str, at: datetime) -> Person:
    """Replace one's own password; other sessions end.

    Raises
    ------
    InvalidInput
        The old one is wrong, or the new one is too weak (and why).
    """
    person = _oneself(actor)
    if not person.check_password(old):
        message = _("This is not your present password.")
        raise InvalidInput(message, {"old": message})
    _set_password(person, new, field="new")
    person.must_change_password = False
    person.save(update_fields=["password", "must_change_password"])
    _audit_person(actor, person, "people.password_changed", at)
    return person


@transaction.atomic
def change_own_preferences(*, actor: Actor, language: str, theme: str, at: datetime) -> Person:
    """Keep one's language and theme, for every browser one signs in with."""
    person = _oneself(actor)
    person.language = _one_of(language, LANGUAGES, "language")
    person.theme = _one_of(theme, THEMES, "theme")
    person.save(update_fields=["language", "theme"])
    _audit_person(actor, person, "people.preferences_changed", at, language=language, theme=theme)
    return person


# ---- roles --------------------------------------------------------------------------------------------------------


@transaction.atomic
def assign_role(*, actor: Actor, person_id: int, role_code: str, site_id: int | None, at: datetime) -> RoleAssignment:
    """Give a person a role at a site, or everywhere.

    Raises
    ------
    PermissionRefused
        The actor does not manage people there, or does not hold everything that the role allows.
    """
    _require_managing(actor, site_id)
    role = Role.objects.filter(code=role_code).first()
    if role is None:
        raise InvalidInput(_("There is no such role."), {"role": role_code})
    if site_id is not None and not Site.objects.filter(pk=site_id).exists():
        raise NotVisible(_("There is no such site here."))
    _require_covering(actor, merge_grants([(site_id, role.permissions)]))
    person = _locked(person_id)
    _require_in_reach(actor, person)
    site = Site.objects.get(pk=site_id) if site_id is not None else None
    assignment, is_new = RoleAssignment.objects.get_or_create(person=person, role=role, site=site)
    if is_new:
        _audit_person(actor, person, "people.role_assigned", at, site_id=site_id, role=role_code)
    return assignment


@transaction.atomic
def withdraw_role(*, actor: Actor, assignment_id: int, at: datetime) -> None:
    """Take a role away."""
    found = RoleAssignment.objects.filter(pk=assignment_id).select_related("role").first()
    if found is None:
        raise NotVisible(_("There is no such thing here."))
    _require_managing(actor, found.site_id)
    _require_covering(actor, merge_grants([(found.site_id, found.role.permissions)]))
    person = _locked(found.person_id)
    if actor.person_id == person.pk and MANAGE in found.role.permissions:
        raise Conflict(_("You cannot take this role from yourself; somebody else must."))
    found.delete()
    _audit_person(actor, person, "people.role_withdrawn", at, site_id=found.site_id, role=found.role.code)


@transaction.atomic
def set_role_permissions(*, actor: Actor, role_code: str, permissions: Iterable[str], at: datetime) -> Role:
    """Decide what a role allows, for everybody who has it.

    Raises
    ------
    PermissionRefused, InvalidInput, Conflict
        Conflict: nobody would be left who can manage people everywhere.
    """
    actor.require_everywhere(MANAGE)
    wanted = set(permissions)
    if unknown := wanted - ALL_PERMISSIONS:
        raise InvalidInput(_("There is no such permission: %(names)s") % {"names": ", ".join(sorted(unknown))})
    role = Role.objects.select_for_update().filter(code=role_code).first()
    if role is None:
        raise NotVisible(_("There is no such role."))
    if role.code == "administrator" and MANAGE not in wanted:
        raise Conflict(_("The administrator keeps the permission to manage people."))
    old, role.permissions = role.permissions, sorted(wanted)
    role.save(update_fields=["permissions"])
    audit.record(
        actor=actor,
        action="people.role_changed",
        at=at,
        object_kind="role",
        object_id=role.code,
        old=old,
        new=role.permissions,
    )
    return role


# ---- tokens -------------------------------------------------------------------------------------------------------


@transaction.atomic
def issue_token(*, actor: Actor, name: str, scopes: Iterable[str], days: int, at: datetime) -> tuple[ApiToken, str]:
    """Make a token that acts as oneself within ``scopes``; return it with its secret, which is never shown again.

    Raises
    ------
    InvalidInput
        No name, unknown scopes, or a life that is not 1 to 366 days.
    """
    person = _oneself(actor)
    wanted = set(scopes)
    if not name.strip():
        raise InvalidInput(_("Name the token after what uses it."), {"name": _("Fill in the name.")})
    if not wanted or wanted - ALL_PERMISSIONS:
        message = _("Choose at least one permission, and only existing ones.")
        raise InvalidInput(message, {"scopes": message})
    if not 1 <= days <= LONGEST_TOKEN_DAYS:
        message = _("A token lives 1 to %(days)d days.") % {"days": LONGEST_TOKEN_DAYS}
        raise InvalidInput(message, {"days": message})
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        person=person,
        name=name.strip()[:80],
        token_sha256=hash_of_token(secret),
        scopes=sorted(wanted),
        created_at=at,
        expires_at=at + timedelta(days=days),
    )
    _audit_person(actor, person, "people.token_issued", at, token=token.pk, scopes=token.scopes, days=days)
    return token, secret


@transaction.atomic
def revoke_token(*, actor: Actor, token_id: int, at: datetime) -> None:
    """End one of one's own tokens."""
    person = _oneself(actor)
    if not ApiToken.objects.filter(pk=token_id, person=person, revoked_at__isnull=True).update(revoked_at=at):
        raise NotVisible(_("There is no such token."))
    _audit_person(actor, person, "people.token_revoked", at, token=token_id)


# ---- an installation's first people -------------------------------------------------------------------------------


@transaction.atomic
def ensure_first_administrator(*, at: datetime) -> str | None:
    """Make the person ``admin`` who may do everything, unless somebody already can; return the password once."""
    if _somebody_administers():
        return None
    actor = system_actor("installation")
    person = Person.objects.filter(username="admin").first()
    if person is None:
        person, secret = create_person(
            actor=actor, username="admin", name_zh="管理员", name_en="Administrator", organisation_id=None, at=at
        )
        person.must_change_password = False  # whoever reads it on the console owns the machine anyway
    else:
        secret = _generated_password()
        person.set_password(secret)
        person.is_active = True
    person.save()
    assign_role(actor=actor, person_id=person.pk, role_code="administrator", site_id=None, at=at)
    return secret


def _somebody_administers() -> bool:
    everywhere = RoleAssignment.objects.filter(site__isnull=True, person__is_active=True, person__is_demo=False)
    return any(MANAGE in permissions for permissions in everywhere.values_list("role__permissions", flat=True))


DEMO_CAST: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    # user name, Chinese name, English name, roles at the demo's sites
    ("lin", "林工", "Lin", ("administrator", "engineer")),
    ("ana", "安娜", "Ana", ("operator",)),
    ("ben", "本", "Ben", ("dispatcher",)),
    ("cleo", "柯丽", "Cleo", ("quality",)),
    ("zhao", "赵厂长", "Zhao", ("manager",)),
)
DEMO_KEEPER = ("wei", "卫工", "Wei", ("administrator",))
"""Keeps the whole installation: the only one of the demo who sees the plants of both firms."""
DEMO_STRANGER = ("dora", "朵拉", "Dora", ("viewer",))
"""Of another firm: in the demo to show that she sees nothing of it."""


@transaction.atomic
def ensure_demo_people(*, site_ids: Iterable[int], at: datetime) -> list[str]:
    """Make the demo's cast with their roles at these sites, and Dora at a site of another firm.

    They have no password: one becomes them by `impersonate`. Lin administers the demo's plant, Wei the installation.

    Returns
    -------
    list of str
        User names, in the order in which the sign-in page shows them.
    """
    sites = sorted(site_ids)
    organisation_id = Site.objects.filter(pk__in=sites).values_list("organisation_id", flat=True).first()
    for cast in DEMO_CAST:
        _ensure_demo_person(cast, sites, organisation_id, at)
    _ensure_demo_person(DEMO_KEEPER, [], organisation_id, at, is_everywhere=True)
    RoleAssignment.objects.filter(person__username="lin", person__is_demo=True, site=None).delete()  # of older demos
    elsewhere = _ensure_strangers_site()
    _ensure_demo_person(DEMO_STRANGER, [elsewhere.pk], elsewhere.organisation_id, at)
    return [username for username, *_rest in (*DEMO_CAST, DEMO_KEEPER, DEMO_STRANGER)]


def _ensure_strangers_site() -> Site:
    firm, _made = Organisation.objects.get_or_create(
        code="elsewhere", defaults={"name_zh": "另一家企业", "name_en": "Another firm"}
    )
    return Site.objects.get_or_create(
        code="elsewhere1", defaults={"organisation": firm, "name_zh": "另一家工厂", "name_en": "Another firm's plant"}
    )[0]


def _ensure_demo_person(
    cast: tuple[str, str, str, tuple[str, ...]],
    site_ids: list[int],
    organisation_id: int | None,
    at: datetime,
    *,
    is_everywhere: bool = False,
) -> None:
    username, name_zh, name_en, roles = cast
    person, is_new = Person.objects.get_or_create(
        username=username,
        defaults={
            "name_zh": name_zh,
            "name_en": name_en,
            "organisation_id": organisation_id,
            "is_demo": True,
            "created_at": at,
        },
    )
    if is_new:
        person.set_unusable_password()
        person.save(update_fields=["password"])
        audit.record(
            actor=system_actor("demo"), action="people.created", at=at, object_kind="person", object_id=person.pk
        )
    if not person.is_demo:
        return  # a real person of that name: the demo must not give them anything
    wanted: list[Site | None] = [None] if is_everywhere else list(Site.objects.filter(pk__in=site_ids))
    for role in Role.objects.filter(code__in=roles):
        for site in wanted:
            RoleAssignment.objects.get_or_create(person=person, role=role, site=site)


# ---- who may manage whom ------------------------------------------------------------------------------------------


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


def _manageable(actor: Actor, person_id: int) -> Person:
    actor.require(MANAGE)
    person = _locked(person_id)
    _require_in_reach(actor, person)
    if not may_manage(actor=actor, person=person):
        raise PermissionRefused(_("This person has roles beyond yours; somebody with those must do this."))
    return person


def _locked(person_id: int) -> Person:
    """Lock the person, then read them with what they may do (an aggregate cannot be locked)."""
    if Person.objects.select_for_update().filter(pk=person_id).first() is None:
        raise NotVisible(_("There is no such person."))
    return Person.objects.with_grants().get(pk=person_id)


def _require_in_reach(actor: Actor, person: Person) -> None:
    if not _is_in_reach(actor, person):
        raise NotVisible(_("There is no such person."))


def _require_managing(actor: Actor, site_id: int | None) -> None:
    if site_id is None:
        actor.require_everywhere(MANAGE)
    else:
        actor.require(MANAGE, site_id=site_id)


def _require_covering(actor: Actor, grants: Grants) -> None:
    if not _covers(actor, grants):
        raise PermissionRefused(_("The role allows more than you may do yourself."))


def _require_organisation(actor: Actor, organisation_id: int | None) -> None:
    sites = actor.site_ids_with(MANAGE)
    if sites is None:
        return
    if organisation_id not in set(Site.objects.filter(pk__in=sites).values_list("organisation_id", flat=True)):
        raise PermissionRefused(_("You may add people to your own organisation only."))


def _oneself(actor: Actor) -> Person:
    if actor.person_id is None:
        raise PermissionRefused(_("Only a person can do this for themselves."))
    return _locked(actor.person_id)


# ---- small things -------------------------------------------------------------------------------------------------


def _actor(person: Person) -> Actor:
    return actor_of_person(Person.objects.with_grants().get(pk=person.pk))


def _audit_person(
    actor: Actor, person: Person, action: str, at: datetime, *, site_id: int | None = None, **detail: object
) -> None:
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


def _generated_password() -> str:
    """Return 16 characters without look-alikes: 16 x log2(55) = 92 bits."""
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _position in range(16))


def _set_password(person: Person, password: str, *, field: str = "password") -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), {field: " ".join(error.messages)}) from error
    person.set_password(password)


def _one_of(value: str, allowed: tuple[str, ...], field: str) -> str:
    if value not in allowed:
        raise InvalidInput(_("This is not one of the choices."), {field: _("This is not one of the choices.")})
    return value
