"""Questions about reasons, skills, tools and calls for help."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.labels import USUAL_REASON_NAMES
from yuheng.operations.models import FloorReason, HelpCall, Qualification, Skill, Tool
from yuheng.operations.rules import HelpKind, ReasonKind
from yuheng.operations.rules.words import USUAL_REASONS
from yuheng.operations.selectors.pages import VIEW
from yuheng.people import selectors as people


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """A reason to choose."""

    kind: ReasonKind
    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class SkillRow:
    """A skill."""

    id: int
    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class QualificationRow:
    """Somebody has a skill."""

    id: int
    person_id: int
    person_name: str
    person_zh: str
    person_en: str
    skill_code: str
    skill_zh: str
    skill_en: str
    level: int
    valid_from: datetime
    valid_until: datetime | None
    given_by: str

    def is_valid(self, now: datetime) -> bool:
        """Return whether it holds now."""
        return self.valid_from <= now and (self.valid_until is None or self.valid_until > now)


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool, and the job order that uses it."""

    id: int
    code: str
    kind: str
    name_zh: str
    name_en: str
    serial: str
    calibration_due_at: datetime | None
    job_order_id: int | None
    job_code: str


@dataclass(frozen=True, slots=True)
class HelpRow:
    """A call for help."""

    id: int
    site_id: int
    work_unit_id: int
    work_unit_code: str
    work_unit_zh: str
    work_unit_en: str
    job_order_id: int | None
    job_code: str
    kind: HelpKind
    note: str
    called_at: datetime
    called_by: str
    answered_at: datetime | None
    answered_by: str
    ended_at: datetime | None
    ended_by: str
    outcome: str


def reasons(*, actor: Actor, site_id: int, kind: str = "") -> list[ReasonRow]:
    """Reasons to choose: the plant's own, or the usual ones for kinds it wrote none for. One query."""
    actor.require(VIEW, site_id=site_id)
    wanted = [one for one in ReasonKind if not kind or one.value == kind]
    own: dict[ReasonKind, list[ReasonRow]] = {}
    rows = FloorReason.objects.filter(site_id=site_id, retired_at__isnull=True).order_by("pk")
    for row_kind, code, zh, en in rows.values_list("kind", "code", "name_zh", "name_en"):
        own.setdefault(ReasonKind(row_kind), []).append(ReasonRow(ReasonKind(row_kind), code, zh, en))
    found = []
    for one in wanted:
        usual = [ReasonRow(one, code, *USUAL_REASON_NAMES[code]) for code in USUAL_REASONS[one]]
        found += own.get(one, usual)
    return found


def skills(*, actor: Actor, site_id: int) -> list[SkillRow]:
    """The site's skills, by code. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Skill.objects.filter(site_id=site_id).order_by("code")
    return [SkillRow(*one) for one in rows.values_list("pk", "code", "name_zh", "name_en")]


def qualifications(
    *, actor: Actor, site_id: int, person_id: int | None = None, skill: str = ""
) -> list[QualificationRow]:
    """Who has which skill, ended ones included. Two queries."""
    actor.require(VIEW, site_id=site_id)
    names = people.people_of_site(site_id=site_id)
    rows = Qualification.objects.filter(site_id=site_id).order_by("person_id", "skill__code", "valid_from")
    if person_id is not None:
        rows = rows.filter(person_id=person_id)
    if skill:
        rows = rows.filter(skill__code=skill)
    columns = (
        "pk", "person_id", "skill__code", "skill__name_zh", "skill__name_en", "level", "valid_from", "valid_until",
        "given_by",
    )  # fmt: skip
    return [
        QualificationRow(pk, person, *names.get(person, ("", "", "")), *rest)
        for pk, person, *rest in rows.values_list(*columns)
    ]


def skills_of(*, actor: Actor, site_id: int, person_id: int, now: datetime) -> dict[str, int]:
    """Skill -> level that a person has now. Two queries."""
    rows = qualifications(actor=actor, site_id=site_id, person_id=person_id)
    found: dict[str, int] = {}
    for row in rows:
        if row.is_valid(now):
            found[row.skill_code] = max(row.level, found.get(row.skill_code, 0))
    return found


def tools(*, actor: Actor, site_id: int, kind: str = "") -> list[ToolRow]:
    """The site's tools in use, by kind and code. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Tool.objects.filter(site_id=site_id, retired_at__isnull=True)
    if kind:
        rows = rows.filter(kind=kind)
    columns = (
        "pk", "code", "kind", "name_zh", "name_en", "serial", "calibration_due_at", "job_order_id", "job_order__code",
    )  # fmt: skip
    found: list[list[Any]] = [[*one[:8], one[8] or ""] for one in rows.values_list(*columns)]
    return [ToolRow(*one) for one in found]


_HELP = (
    "pk", "site_id", "work_unit_id", "work_unit__code", "work_unit__name_zh", "work_unit__name_en", "job_order_id",
    "job_order__code", "kind", "note", "called_at", "called_by", "answered_at", "answered_by", "ended_at", "ended_by",
    "outcome",
)  # fmt: skip


def open_help(*, actor: Actor, site_id: int, work_unit_id: int | None = None) -> list[HelpRow]:
    """Calls for help that are not over, oldest first. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = HelpCall.objects.filter(site_id=site_id, ended_at__isnull=True).order_by("called_at", "pk")
    if work_unit_id is not None:
        rows = rows.filter(work_unit_id=work_unit_id)
    return [_help(one) for one in rows.values_list(*_HELP)[:500]]


def help_call(*, actor: Actor, help_id: int) -> HelpRow:
    """One call for help, open or over. One query. Raises `NotVisible`."""
    rows = HelpCall.objects.visible_to(actor).filter(pk=help_id)
    one = next(iter(rows.values_list(*_HELP)), None)
    if one is None or not actor.may(VIEW, site_id=one[1]):
        actor.require(VIEW)
        raise NotVisible(_("There is no such thing here."))
    return _help(one)


def _help(values: tuple[Any, ...]) -> HelpRow:
    row: tuple[Any, ...] = (*values[:7], values[7] or "", HelpKind(values[8]), *values[9:])
    return HelpRow(*row)
