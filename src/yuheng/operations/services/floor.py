"""Skills and who has them, tools, and the plant's own reasons. Need ``operations.dispatch``."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.operations.models import FloorReason, Qualification, Skill, Tool
from yuheng.operations.rules import ReasonKind
from yuheng.operations.services.access import DISPATCH, locked
from yuheng.operations.services.checks import check_code, check_names, refuse
from yuheng.people import selectors as people


@transaction.atomic
def write_skill(*, actor: Actor, site_id: int, code: str, name_zh: str, name_en: str, at: datetime) -> Skill:
    """Create or rename a skill by its code. Raises `PermissionRefused`, `InvalidInput`."""
    actor.require(DISPATCH, site_id=site_id)
    refuse(_("The skill cannot be accepted as it is."), check_code(code) | check_names(name_zh, name_en))
    row, _made = Skill.objects.update_or_create(
        site_id=site_id, code=code.strip(), defaults={"name_zh": name_zh.strip(), "name_en": name_en.strip()}
    )
    audit.record(actor=actor, action="skill.write", at=at, site_id=site_id, object_kind="skill", object_id=row.code)
    return row


@transaction.atomic
def qualify(
    *,
    actor: Actor,
    site_id: int,
    person_id: int,
    skill: str,
    valid_from: datetime,
    at: datetime,
    valid_until: datetime | None = None,
    level: int = 1,
) -> Qualification:
    """Say that a person has a skill, at a level from 1 to 9, for a time.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    actor.require(DISPATCH, site_id=site_id)
    row = Skill.objects.filter(site_id=site_id, code=skill.strip()).first()
    if row is None:
        raise NotVisible(_("There is no such skill here."))
    if person_id not in people.people_of_site(site_id=site_id):
        raise NotVisible(_("There is no such person."))
    wrong = {}
    if not 1 <= level <= 9:
        wrong["level"] = _("A level is from 1 to 9.")
    if valid_from.tzinfo is None or (
        valid_until is not None and (valid_until.tzinfo is None or valid_until < valid_from)
    ):
        wrong["valid_until"] = _("The end is after the beginning; both need an offset.")
    refuse(_("The qualification cannot be accepted as it is."), wrong)
    made = Qualification.objects.create(
        site_id=site_id, person_id=person_id, skill=row, level=level, valid_from=valid_from, valid_until=valid_until,
        given_by=actor.name,
    )  # fmt: skip
    audit.record(
        actor=actor, action="skill.qualify", at=at, site_id=site_id, object_kind="skill", object_id=row.code,
        person=person_id, level=level, valid_until=valid_until.isoformat() if valid_until else "",
    )  # fmt: skip
    return made


@transaction.atomic
def withdraw_qualification(*, actor: Actor, qualification_id: int, at: datetime) -> Qualification:
    """End a qualification now; the row stays. Raises `PermissionRefused`, `NotVisible`, `Conflict`."""
    row = locked(Qualification, actor=actor, pk=qualification_id, permission=DISPATCH)
    if row.valid_until is not None and row.valid_until <= at:
        raise Conflict(_("This qualification has ended already."))
    row.valid_until = max(at, row.valid_from)
    row.save(update_fields=["valid_until"])
    audit.record(
        actor=actor, action="skill.withdraw", at=at, site_id=row.site_id, object_kind="skill", object_id=row.skill_id,
        person=row.person_id,
    )  # fmt: skip
    return row


@transaction.atomic
def write_tool(
    *,
    actor: Actor,
    site_id: int,
    code: str,
    kind: str,
    name_zh: str,
    name_en: str,
    at: datetime,
    serial: str = "",
    calibration_due_at: datetime | None = None,
) -> Tool:
    """Create or change a tool by its code. Raises `PermissionRefused`, `InvalidInput`."""
    actor.require(DISPATCH, site_id=site_id)
    wrong = check_code(code) | check_code(kind, "kind") | check_names(name_zh, name_en)
    refuse(_("The tool cannot be accepted as it is."), wrong)
    row, _made = Tool.objects.update_or_create(
        site_id=site_id,
        code=code.strip(),
        defaults={
            "kind": kind.strip(), "name_zh": name_zh.strip(), "name_en": name_en.strip(), "serial": serial.strip()[:80],
            "calibration_due_at": calibration_due_at, "retired_at": None,
        },
    )  # fmt: skip
    audit.record(actor=actor, action="tool.write", at=at, site_id=site_id, object_kind="tool", object_id=row.code)
    return row


@transaction.atomic
def write_reason(
    *, actor: Actor, site_id: int, kind: str, code: str, name_zh: str, name_en: str, at: datetime
) -> FloorReason:
    """Create or rename one of the plant's own reasons. Raises `PermissionRefused`, `InvalidInput`."""
    actor.require(DISPATCH, site_id=site_id)
    if kind not in {one.value for one in ReasonKind}:
        raise InvalidInput(_("There is no such kind of reason."), {"kind": ", ".join(one.value for one in ReasonKind)})
    refuse(_("The reason cannot be accepted as it is."), check_code(code) | check_names(name_zh, name_en))
    row, _made = FloorReason.objects.update_or_create(
        site_id=site_id, kind=kind, code=code.strip(),
        defaults={"name_zh": name_zh.strip(), "name_en": name_en.strip(), "retired_at": None},
    )  # fmt: skip
    audit.record(
        actor=actor, action="floor_reason.write", at=at, site_id=site_id, object_kind="floor_reason", object_id=row.code
    )
    return row
