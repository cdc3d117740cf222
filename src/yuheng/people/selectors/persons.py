"""Questions about people, roles and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.kernel.models import Organisation, Site
from yuheng.people.models import ApiToken, FailedSignIn, Person, Role, RoleAssignment
from yuheng.people.rules import blocked_until, failure_key

MANAGE = "people.manage"
LONGEST_TEXT = 80


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    """A role somebody has; ``site_code`` is "" for everywhere."""

    id: int
    role_code: str
    role_name_zh: str
    role_name_en: str
    site_id: int | None
    site_code: str
    site_name_zh: str
    site_name_en: str


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person in the list."""

    id: int
    username: str
    name_zh: str
    name_en: str
    organisation_zh: str
    organisation_en: str
    is_active: bool
    last_seen_at: datetime | None
    assignments: tuple[AssignmentRow, ...]


def people(*, actor: Actor, search: str = "") -> list[PersonRow]:
    """Persons the actor may manage or shares a managed site with, by user name. At most three queries.

    Raises
    ------
    PermissionRefused
        The actor manages people nowhere.
    """
    actor.require(MANAGE)
    rows = _people_in_reach(actor)
    if search:
        text = search[:LONGEST_TEXT]
        rows = rows.filter(Q(username__icontains=text) | Q(name_zh__icontains=text) | Q(name_en__icontains=text))
    return [_person_row(person) for person in rows]


def person(*, actor: Actor, person_id: int) -> PersonRow:
    """One person. At most three queries. Raises `NotVisible`."""
    actor.require(MANAGE)
    found = _people_in_reach(actor).filter(pk=person_id).first()
    if found is None:
        raise NotVisible(_("There is no such person."))
    return _person_row(found)


def _people_in_reach(actor: Actor) -> Any:
    rows = Person.objects.select_related("organisation").prefetch_related(
        Prefetch("assignments", RoleAssignment.objects.select_related("role", "site"))
    )
    sites = actor.site_ids_with(MANAGE)
    if sites is None:
        return rows.order_by("username")
    firms = Site.objects.filter(pk__in=sites).values("organisation_id")
    mine = Q(organisation_id__in=firms) | Q(pk__in=RoleAssignment.objects.filter(site_id__in=sites).values("person_id"))
    return rows.filter(mine).order_by("username")


def _person_row(row: Person) -> PersonRow:
    firm = row.organisation
    return PersonRow(
        id=row.pk,
        username=row.username,
        name_zh=row.name_zh,
        name_en=row.name_en,
        organisation_zh=firm.name_zh if firm else "",
        organisation_en=firm.name_en if firm else "",
        is_active=row.is_active,
        last_seen_at=row.last_login,
        assignments=tuple(_assignment_row(assignment) for assignment in row.assignments.all()),
    )


def _assignment_row(row: RoleAssignment) -> AssignmentRow:
    return AssignmentRow(
        id=row.pk,
        role_code=row.role.code,
        role_name_zh=row.role.name_zh,
        role_name_en=row.role.name_en,
        site_id=row.site_id,
        site_code=row.site.code if row.site else "",
        site_name_zh=row.site.name_zh if row.site else "",
        site_name_en=row.site.name_en if row.site else "",
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose in a form."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A role and what it allows."""

    code: str
    name_zh: str
    name_en: str
    permissions: frozenset[str]


def roles() -> list[RoleRow]:
    """Every role. One query."""
    return [RoleRow(row.code, row.name_zh, row.name_en, frozenset(row.permissions)) for row in Role.objects.all()]


def visible_sites(*, actor: Actor) -> list[Choice]:
    """Sites that the actor sees. One query."""
    sites = actor.site_ids()
    rows = Site.objects.all() if sites is None else Site.objects.filter(pk__in=sites)
    return [Choice(str(row.pk), row.name_zh, row.name_en) for row in rows]


@dataclass(frozen=True, slots=True)
class Lock:
    """Wrong passwords in a row for a person's name; ``until`` None: they may try now."""

    failures: int
    until: datetime | None


def lock_of(*, actor: Actor, person_id: int, now: datetime) -> Lock | None:
    """Return how a person's sign-in is held; None when nothing went wrong. At most four queries."""
    username = person(actor=actor, person_id=person_id).username
    row = FailedSignIn.objects.filter(key=failure_key("name", username.lower())).first()
    if row is None:
        return None
    until = blocked_until(failures=row.failures, last_failed_at=row.last_failed_at)
    return Lock(row.failures, until if until is not None and until > now else None)


def sites_to_manage(*, actor: Actor) -> list[Choice]:
    """Sites where the actor may give roles. One query."""
    sites = actor.site_ids_with(MANAGE)
    rows = Site.objects.all() if sites is None else Site.objects.filter(pk__in=sites)
    return [Choice(str(row.pk), row.name_zh, row.name_en) for row in rows]


def organisations_to_manage(*, actor: Actor) -> list[Choice]:
    """Firms the actor may add people to. One query."""
    sites = actor.site_ids_with(MANAGE)
    rows = Organisation.objects.order_by("id")
    if sites is not None:
        rows = rows.filter(pk__in=Site.objects.filter(pk__in=sites).values("organisation_id"))
    return [Choice(str(row.pk), row.name_zh, row.name_en) for row in rows]


def demo_people() -> list[Person]:
    """The cast, for the sign-in page of a demo; empty elsewhere. Three queries in a demo."""
    if not settings.IS_DEMO:
        return []
    return list(
        Person.objects.filter(is_demo=True, is_active=True).prefetch_related("assignments__role").order_by("id")
    )


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as its owner sees it; the secret is not in it."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    site_zh: str = ""
    site_en: str = ""


def own_tokens(*, actor: Actor, now: datetime) -> list[TokenRow]:
    """One's own tokens that still work. One query."""
    rows = ApiToken.objects.filter(person_id=actor.person_id or 0, revoked_at__isnull=True, expires_at__gt=now)
    return [
        TokenRow(
            row.pk,
            row.name,
            tuple(row.scopes),
            row.created_at,
            row.expires_at,
            row.last_used_at,
            row.site.name_zh if row.site else "",
            row.site.name_en if row.site else "",
        )
        for row in rows.select_related("site")
    ]


def people_of_site(*, site_id: int) -> dict[int, tuple[str, str, str]]:
    """Id -> (user name, Chinese, English name) of active people who have a role at a site; for higher contexts."""
    roles_there = RoleAssignment.objects.filter(Q(site_id=site_id) | Q(site_id__isnull=True)).values("person_id")
    rows = Person.objects.filter(pk__in=roles_there, is_active=True).order_by("username")
    return {pk: (name, zh, en) for pk, name, zh, en in rows.values_list("pk", "username", "name_zh", "name_en")}
