"""Questions about people, roles, tokens and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.kernel.models import AuditRecord, Organisation, Site
from yuheng.people.labels import action_label, actions_said_with
from yuheng.people.models import ApiToken, Person, Role, RoleAssignment

MANAGE = "people.manage"
PAGE_LENGTH = 50
LONGEST_OPEN_DETAIL = 160
"""Characters of detail shown without a click."""
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


def own_tokens(*, actor: Actor, now: datetime) -> list[TokenRow]:
    """One's own tokens that still work. One query."""
    rows = ApiToken.objects.filter(person_id=actor.person_id or 0, revoked_at__isnull=True, expires_at__gt=now)
    return [
        TokenRow(row.pk, row.name, tuple(row.scopes), row.created_at, row.expires_at, row.last_used_at) for row in rows
    ]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the audit trail."""

    id: int
    at: datetime
    site_code: str
    actor_name: str
    impersonator: str
    action: str
    object_kind: str
    object_id: str
    detail: Mapping[str, Any]

    @property
    def what(self) -> str:
        """Return the action in the reader's language."""
        return action_label(self.action)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Return the detail as (key, value) to read: lists joined, objects as ``key value``; empty ones left out."""
        told = ((name, _in_line(value)) for name, value in self.detail.items())
        return [(name, text) for name, text in told if text]

    @property
    def is_long(self) -> bool:
        """Return whether the detail would push the other rows off the page."""
        return sum(len(name) + len(text) for name, text in self.facts) > LONGEST_OPEN_DETAIL


def _in_line(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_in_line(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_in_line(item) for item in value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Newest first; ``older_than`` is the cursor of the next page, None on the last one."""

    rows: tuple[AuditRow, ...]
    older_than: int | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to look for; empty fields match everything."""

    who: str = ""
    action: str = ""
    site_id: int | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None


def audit_trail(*, actor: Actor, wanted: AuditFilter, older_than: int | None = None) -> AuditPage:
    """Who did what at the sites where the actor may see it; what belongs to no site needs the permission everywhere.

    One query. Paging goes by id, so rows written meanwhile neither repeat nor hide others.
    """
    actor.require("audit.view", site_id=wanted.site_id)
    rows = AuditRecord.objects.select_related("site").order_by("-id")
    sites = actor.site_ids_with("audit.view")
    if sites is not None:
        rows = rows.filter(site_id__in=sites)
    if wanted.site_id is not None:
        rows = rows.filter(site_id=wanted.site_id)
    if wanted.who:
        text = wanted.who[:LONGEST_TEXT]
        rows = rows.filter(Q(actor_name__icontains=text) | Q(impersonator__icontains=text))
    if wanted.action:
        text = wanted.action[:LONGEST_TEXT]
        rows = rows.filter(Q(action__icontains=text) | Q(action__in=actions_said_with(text)))
    if wanted.from_at is not None:
        rows = rows.filter(at__gte=wanted.from_at)
    if wanted.to_at is not None:
        rows = rows.filter(at__lt=wanted.to_at)
    if older_than is not None:
        rows = rows.filter(pk__lt=older_than)
    found = list(rows[: PAGE_LENGTH + 1])
    shown = tuple(_audit_row(row) for row in found[:PAGE_LENGTH])
    return AuditPage(shown, shown[-1].id if len(found) > PAGE_LENGTH else None)


def _audit_row(row: AuditRecord) -> AuditRow:
    return AuditRow(
        id=row.pk,
        at=row.at,
        site_code=row.site.code if row.site else "",
        actor_name=row.actor_name,
        impersonator=row.impersonator,
        action=row.action,
        object_kind=row.object_kind,
        object_id=row.object_id,
        detail=row.detail,
    )
