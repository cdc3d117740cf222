"""Calls for help from a station: called, answered, over."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.operations.events import HelpCalled
from yuheng.operations.models import HelpCall, JobOrder
from yuheng.operations.rules import Act, HelpKind
from yuheng.operations.rules.words import LONGEST_NOTE
from yuheng.operations.services.access import EXECUTE, locked
from yuheng.operations.services.facts import when
from yuheng.operations.services.refusals import action_used_otherwise


@transaction.atomic
def call_for_help(
    *,
    actor: Actor,
    work_unit_id: int,
    kind: str,
    at: datetime,
    job_order_id: int | None = None,
    note: str = "",
    act: Act = Act(),
) -> HelpCall:
    """Call for help at a station; needs ``operations.execute``. The same action id twice is one call.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, Conflict
    """
    site_id = equipment.site_of_work_units([work_unit_id]).get(work_unit_id)
    if site_id is None or not actor.sees_site(site_id):
        actor.require(EXECUTE)
        raise NotVisible(_("There is no such work unit here."))
    actor.require(EXECUTE, site_id=site_id)
    happened = when(act, at)
    if kind not in {one.value for one in HelpKind}:
        raise InvalidInput(_("There is no such kind of help."), {"kind": ", ".join(one.value for one in HelpKind)})
    if len(note) > LONGEST_NOTE:
        raise InvalidInput(_("The note is too long."), {"note": _("At most 1,000 characters.")})
    if act.action_id:
        known: HelpCall | None = HelpCall.objects.filter(site_id=site_id, action_id=act.action_id).first()
        if known is not None:
            if known.work_unit_id != work_unit_id or known.kind != kind:
                raise action_used_otherwise(act.action_id)
            return known
    if job_order_id is not None and not JobOrder.objects.filter(pk=job_order_id, site_id=site_id).exists():
        raise NotVisible(_("There is no such job order here."))
    row = HelpCall.objects.create(
        site_id=site_id,
        work_unit_id=work_unit_id,
        job_order_id=job_order_id,
        kind=kind,
        action_id=act.action_id,
        note=note.strip(),
        called_at=happened,
        called_by=actor.name,
    )
    _tell(row, "called", actor=actor, at=at)
    return row


@transaction.atomic
def answer_help(*, actor: Actor, help_id: int, at: datetime) -> HelpCall:
    """Say that somebody comes. Raises `PermissionRefused`, `NotVisible`, `Conflict`."""
    row = locked(HelpCall, actor=actor, pk=help_id, permission=EXECUTE)
    if row.ended_at is not None or row.answered_at is not None:
        raise Conflict(
            _("Somebody (%(who)s) has answered this call already.") % {"who": row.answered_by or row.ended_by}
        )
    row.answered_at, row.answered_by = at, actor.name
    row.save(update_fields=["answered_at", "answered_by"])
    _tell(row, "answered", actor=actor, at=at)
    return row


@transaction.atomic
def end_help(*, actor: Actor, help_id: int, at: datetime, note: str = "") -> HelpCall:
    """Say that it is over, and what it was. Raises `PermissionRefused`, `NotVisible`, `Conflict`."""
    row = locked(HelpCall, actor=actor, pk=help_id, permission=EXECUTE)
    if row.ended_at is not None:
        raise Conflict(_("This call is over already."))
    row.answered_at, row.answered_by = row.answered_at or at, row.answered_by or actor.name
    row.ended_at, row.ended_by, row.outcome = at, actor.name, note.strip()[:LONGEST_NOTE]
    row.save(update_fields=["answered_at", "answered_by", "ended_at", "ended_by", "outcome"])
    _tell(row, "ended", actor=actor, at=at)
    return row


def _tell(row: HelpCall, change: str, *, actor: Actor, at: datetime) -> None:
    publish(
        HelpCalled(site_id=row.site_id, help_id=row.pk, work_unit_id=row.work_unit_id, kind=row.kind, change=change),
        at=at,
    )
    audit.record(
        actor=actor, action=f"help.{change}", at=at, site_id=row.site_id, object_kind="help", object_id=row.pk,
        kind=row.kind, work_unit=row.work_unit_id,
    )  # fmt: skip
