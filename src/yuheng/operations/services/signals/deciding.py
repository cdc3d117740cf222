"""What a person decides about a disagreement: the report stays, the machine's count is taken, or it is explained."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.operations.models import JobCount, JobException, JobOrder, JobResponse, UnitMeeting
from yuheng.operations.rules import ResponseKind
from yuheng.operations.rules.signals import ExceptionKind, ExceptionState
from yuheng.operations.services.access import DISPATCH
from yuheng.operations.services.records import correct_response
from yuheng.operations.services.signals.comparing import settle

CORRECTABLE = (ExceptionKind.COUNT_DIFFERS, ExceptionKind.AFTER_FINISH)


@transaction.atomic
def accept_report(*, actor: Actor, exception_id: int, at: datetime, note: str = "") -> JobException:
    """The report stays as it is; whoever asks later finds who said so.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        Somebody has decided already.
    """
    row = _locked(actor, exception_id)
    settle(row, ExceptionState.ACCEPTED, by=actor.name, at=at, note=note)
    _audit(row, "accept", actor=actor, at=at, note=note)
    return row


@transaction.atomic
def explain(*, actor: Actor, exception_id: int, note: str, at: datetime) -> JobException:
    """Say what it was; nothing is changed. Raises as `accept_report`; `InvalidInput` without a sentence."""
    row = _locked(actor, exception_id)
    if not note.strip():
        raise InvalidInput(_("Write what it was."), {"note": _("A text is needed.")})
    settle(row, ExceptionState.EXPLAINED, by=actor.name, at=at, note=note)
    _audit(row, "explain", actor=actor, at=at, note=note)
    return row


@transaction.atomic
def take_count(*, actor: Actor, exception_id: int, at: datetime, note: str = "") -> JobException:
    """Correct the job's report so that it says what the machine counted: a new response with the difference.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        Somebody has decided already, there is no count to take, nothing was reported, or the pieces are more than the
        job order, or used by the next step already.
    """
    row = _locked(actor, exception_id)
    if ExceptionKind(row.kind) not in CORRECTABLE or row.job_order_id is None:
        raise Conflict(_("There is no count that could be taken. Explain what it was, or let the report stay."))
    change = _difference(row)
    if not change:
        raise Conflict(_("Report and count are the same already."))
    last = JobResponse.objects.filter(
        job_order_id=row.job_order_id, kind__in=[ResponseKind.QUANTITY.value, ResponseKind.FINISHED.value]
    ).order_by("-pk")
    response_id = last.values_list("pk", flat=True).first()
    if response_id is None:
        raise Conflict(_("Nothing was reported for this job that could be corrected."))
    correct_response(
        actor=actor, response_id=response_id, good=change, reason=note.strip()[:80] or "machine:count", at=at
    )
    JobCount.objects.filter(job_order_id=row.job_order_id).update(is_compared=True)
    settle(row, ExceptionState.CORRECTED, by=actor.name, at=at, note=note)
    _audit(row, "correct", actor=actor, at=at, good=str(change), note=note)
    return row


def _difference(row: JobException) -> Decimal:
    """Return the good pieces to be added (below zero: taken away), as job and count stand now."""
    job = JobOrder.objects.get(pk=row.job_order_id or 0)
    if row.kind == ExceptionKind.AFTER_FINISH.value:
        return row.counted or Decimal(0)
    count = JobCount.objects.filter(job_order_id=job.pk).first()
    if count is None:
        raise Conflict(_("There is no count that could be taken. Explain what it was, or let the report stay."))
    reported = job.good if count.is_good_only else job.good + job.scrap + job.rework
    change: Decimal = count.counted - reported
    return change


def _locked(actor: Actor, exception_id: int) -> JobException:
    """Return an open exception, locked behind its work unit's meeting, as whoever writes it locks."""
    known = JobException.objects.visible_to(actor).filter(pk=exception_id)
    place = known.values_list("site_id", "work_unit_id").first()
    if place is None:
        actor.require(DISPATCH)
        raise NotVisible(_("There is no such thing here."))
    actor.require(DISPATCH, site_id=place[0])
    list(UnitMeeting.objects.select_for_update(of=("self",), no_key=True).filter(work_unit_id=place[1]))
    row: JobException = JobException.objects.select_for_update(of=("self",), no_key=True).get(pk=exception_id)
    if row.state != ExceptionState.OPEN.value:
        raise Conflict(
            _("%(who)s has decided this already.") % {"who": row.decided_by or "–"}
            if row.state != ExceptionState.CLEARED.value
            else _("This is not true any more: what was missing has come.")
        )
    return row


def _audit(row: JobException, action: str, *, actor: Actor, at: datetime, **detail: str) -> None:
    audit.record(
        actor=actor, action=f"job_exception.{action}", at=at, site_id=row.site_id, object_kind="job_exception",
        object_id=row.key, kind=row.kind, **{name: text for name, text in detail.items() if text},
    )  # fmt: skip
