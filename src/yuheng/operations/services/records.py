"""The floor's records on a job order: checks, parameters, notes, who works, and corrections of what was told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.operations.events import QuantityReported
from yuheng.operations.models import JobOrder, JobResponse
from yuheng.operations.rules import BEFORE_START, Act, Command, JobState, ResponseKind
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.services import ledger
from yuheng.operations.services.access import DISPATCH, EXECUTE, locked_job
from yuheng.operations.services.facts import Done, done, note_audit, repeated, respond, when
from yuheng.operations.services.flow import most_taken_behind, processed, propagate, refresh_request
from yuheng.operations.services.refusals import impossible, number, reason_needed
from yuheng.operations.services.requirements import check_skills

MOST_PARAMETERS = 200


@transaction.atomic
def record_check(
    *,
    actor: Actor,
    job_order_id: int,
    check: str,
    at: datetime,
    value: float | None = None,
    passed: bool | None = None,
    serial: str = "",
    note: str = "",
    act: Act = Act(),
) -> Done:
    """Record the result of a check of the step: a measured ``value`` is judged against its limits.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, Conflict
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.CHECK)) is not None:
        return known
    _must_have_begun(job)
    plan = next((one for one in job.directive.get("checks", ()) if one["code"] == check), None)
    if plan is None:
        raise InvalidInput(
            _("Step %(segment)s has no check %(check)s.") % {"segment": job.segment, "check": check[:40]},
            {"check": _("There is no such check.")},
        )
    result = _judged(plan, value, passed)
    told: dict[str, Any] = {"check": check, "kind": plan.get("kind", ""), "passed": result}
    told |= {"value": value, "unit": plan.get("unit", "")} if value is not None else {}
    told |= {"serial": serial[:80]} if serial else {}
    row = respond(job, ResponseKind.CHECK, actor=actor, at=at, happened=happened, act=act, note=note, data=told)
    note_audit(job, "check", actor=actor, at=at, check=check, passed=result, value=value)
    return done(job, row.pk)


def _judged(plan: Mapping[str, Any], value: float | None, passed: bool | None) -> bool:
    if plan.get("kind") == "measured":
        if value is None or not math.isfinite(value):
            raise InvalidInput(_("This check is measured."), {"value": _("Give the measured value.")})
        low, high = plan.get("low"), plan.get("high")
        return (low is None or value >= float(low)) and (high is None or value <= float(high))
    if passed is None:
        raise InvalidInput(_("Say whether the check passed."), {"passed": _("Passed, or failed?")})
    return passed


@transaction.atomic
def record_parameters(
    *, actor: Actor, job_order_id: int, values: Mapping[str, float | str | bool], at: datetime, act: Act = Act()
) -> Done:
    """Record what the process was run with. Raises as `record_check`."""
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.PARAMETERS)) is not None:
        return known
    _must_have_begun(job)
    if not 0 < len(values) <= MOST_PARAMETERS:
        raise InvalidInput(
            _("Give between 1 and %(count)s parameters.") % {"count": MOST_PARAMETERS}, {"values": _("Give values.")}
        )
    told = {str(name)[:80]: _plain(name, value) for name, value in values.items()}
    row = respond(
        job, ResponseKind.PARAMETERS, actor=actor, at=at, happened=happened, act=act, data={"parameters": told}
    )
    note_audit(job, "parameters", actor=actor, at=at, names=sorted(told)[:50])
    return done(job, row.pk)


def _plain(name: str, value: float | str | bool) -> float | str | bool:
    if isinstance(value, str):
        return value[:200]
    if not isinstance(value, bool) and not math.isfinite(value):
        raise InvalidInput(_("A parameter is not a number."), {f"values.{name}"[:80]: _("Give a number.")})
    return value


@transaction.atomic
def add_note(*, actor: Actor, job_order_id: int, note: str, at: datetime, act: Act = Act()) -> Done:
    """Write a note onto a job order's record. Raises as `record_check`."""
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.NOTE)) is not None:
        return known
    if not note.strip():
        raise InvalidInput(_("Write something."), {"note": _("A text is needed.")})
    row = respond(job, ResponseKind.NOTE, actor=actor, at=at, happened=happened, act=act, note=note.strip())
    note_audit(job, "note", actor=actor, at=at)
    return done(job, row.pk)


@transaction.atomic
def change_crew(*, actor: Actor, job_order_id: int, crew: Sequence[int], at: datetime, act: Act = Act()) -> Done:
    """Let a job order that has begun go on with the actor and these persons: the change of shift.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        It has not begun, or they lack a skill.
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.CREW)) is not None:
        return known
    _must_have_begun(job)
    check_skills(job, actor=actor, crew=crew, at=at)
    job.operator, job.operator_zh, job.operator_en = actor.name[:150], actor.name_zh[:80], actor.name_en[:80]
    job.save(update_fields=["operator", "operator_zh", "operator_en"])
    row = respond(
        job, ResponseKind.CREW, actor=actor, at=at, happened=happened, act=act, data={"crew": sorted(set(crew))[:100]}
    )
    note_audit(job, "crew", actor=actor, at=at, crew=sorted(set(crew))[:100])
    return done(job, row.pk)


def _must_have_begun(job: JobOrder) -> None:
    if JobState(job.state) in BEFORE_START or job.state in ("cancelled", "aborted"):
        raise impossible(job, Command.STOP)


@transaction.atomic
def correct_response(
    *,
    actor: Actor,
    response_id: int,
    reason: str,
    at: datetime,
    good: Decimal | int = 0,
    scrap: Decimal | int = 0,
    rework: Decimal | int = 0,
    act: Act = Act(),
) -> Done:
    """Correct the quantities of a report by a new row of signed differences; the old row stays.

    Whoever told it may correct it while the job goes on; afterwards, or for others, ``operations.dispatch`` is needed.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        The totals would be below zero or above the plan, or the next step has used the pieces.
    """
    told = JobResponse.objects.visible_to(actor).filter(pk=response_id).first()
    if told is None:
        actor.require(EXECUTE)
        raise NotVisible(_("There is no such report here."))
    job = locked_job(actor=actor, job_order_id=told.job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.CORRECTION)) is not None:
        return known
    if told.actor_name != actor.name or job.state == JobState.ENDED.value:
        actor.require(DISPATCH, site_id=job.site_id)
    if not reason.strip():
        raise reason_needed()
    if told.kind not in (ResponseKind.QUANTITY.value, ResponseKind.FINISHED.value):
        raise Conflict(_("Only reports of quantities can be corrected; write a note for anything else."))
    change = [Decimal(str(one)).quantize(ledger.STEP) for one in (good, scrap, rework)]
    if not any(change):
        raise InvalidInput(_("Say what was wrong."), {"good": _("Give the difference.")})
    if change[2]:
        raise Conflict(
            _("Pieces sent to rework have a job order of their own; finish that one with their true number.")
        )
    _check_corrected(job, change)
    job.good, job.scrap = job.good + change[0], job.scrap + change[1]
    job.changed_at = at
    row = respond(
        job, ResponseKind.CORRECTION, actor=actor, at=at, happened=happened, act=act, corrects=told,
        good=change[0], scrap=change[1], reason=reason.strip()[:80],
    )  # fmt: skip
    job.save(update_fields=["good", "scrap", "changed_at"])
    if job.is_last:
        _correct_stock(job, change[0], row, actor=actor, at=at, happened=happened)
    propagate([job], at=at)
    refresh_request(job.request, at=at)
    publish(
        QuantityReported(
            site_id=job.site_id, job_order_id=job.pk, code=job.code, request_id=job.request_id,
            work_unit_id=job.work_unit_id, good=str(change[0]), scrap=str(change[1]), rework="0", at=happened,
        ),
        at=at,
    )  # fmt: skip
    note_audit(job, "correct", actor=actor, at=at, good=str(change[0]), scrap=str(change[1]), reason=reason.strip())
    return done(job, row.pk)


def _check_corrected(job: JobOrder, change: Sequence[Decimal]) -> None:
    good, scrap = job.good + change[0], job.scrap + change[1]
    if good < 0 or scrap < 0 or processed(job) + sum(change) > job.quantity:
        raise Conflict(
            _("Then job %(job)s would have %(good)s good and %(scrap)s scrap of %(quantity)s. Count again.")
            % {"job": job.code, "good": number(good), "scrap": number(scrap), "quantity": number(job.quantity)}
        )
    if change[0] < 0 and (used := most_taken_behind(job)) > ZERO and used > good_of_segment(job) + change[0]:
        raise Conflict(
            _("The next step has worked on %(used)s of these pieces already. Correct it there first.")
            % {"used": number(used)}
        )


def good_of_segment(job: JobOrder) -> Decimal:
    """Return the good pieces of the job order's segment, splits and rework included. One query."""
    rows = JobOrder.objects.filter(request_id=job.request_id, segment=job.segment).values_list("good", flat=True)
    return sum(rows, ZERO)


def _correct_stock(
    job: JobOrder, change: Decimal, row: JobResponse, *, actor: Actor, at: datetime, happened: datetime
) -> None:
    more: dict[str, Any] = {"job_order": job, "response": row, "reason": "correction"}
    if change > 0:
        ledger.produce(job.request, change, serials=(), actor=actor, at=at, happened=happened, **more)
    elif change < 0:
        ledger.unmake(job.request, -change, actor=actor, at=at, **more)
