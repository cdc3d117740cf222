"""The dispatcher's verbs: assign, hold, let go, split, cancel, abort, rework, subcontract; ``operations.dispatch``.

A hold is the standard's RevokeStart before the work begins (nobody may start it) and its Pause afterwards (suspended:
the operator can neither resume nor finish it until it is let go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.operations.events import JobOrderAborted, JobOrdersChanged
from yuheng.operations.models import JobDependency, JobOrder, Party
from yuheng.operations.rules import (
    BEFORE_START,
    BEGUN,
    Act,
    Command,
    JobState,
    JobSubstate,
    ResponseKind,
    shares,
)
from yuheng.operations.services import ledger, rework
from yuheng.operations.services.access import DISPATCH, locked_job, locked_jobs
from yuheng.operations.services.execute import check_unit
from yuheng.operations.services.facts import Done, done, move, note_audit, place_of, respond, stop_clock
from yuheng.operations.services.flow import processed, propagate, refresh_request
from yuheng.operations.services.refusals import impossible, number, reason_needed
from yuheng.operations.services.requirements import give_back_tools

MOST_AT_ONCE = 2_000
MOST_PARTS = 50


@transaction.atomic
def assign_job_orders(
    *,
    actor: Actor,
    assignments: Mapping[int, int | None],
    at: datetime,
    planned: Mapping[int, tuple[datetime, datetime]] | None = None,
) -> int:
    """Give job orders that have not begun to work units (None: to nobody), perhaps with planned times.

    Returns
    -------
    int
        How many were changed.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        One has begun, or cannot run on its work unit; then none is changed.
    """
    times = planned or {}
    ids = sorted({*assignments, *times})
    _check_many(ids)
    jobs = locked_jobs(actor=actor, job_order_ids=ids, permission=DISPATCH)
    changed = []
    for job in jobs:
        if job.pk in assignments and assignments[job.pk] != job.work_unit_id:
            if JobState(job.state) not in BEFORE_START:
                raise Conflict(
                    _("Job %(job)s has begun at %(unit)s. Pause it and split off the rest to move that.")
                    % {"job": job.code, "unit": job.work_unit.code if job.work_unit else "–"}
                )
            unit_id = assignments[job.pk]
            if unit_id is not None:
                check_unit(job, unit_id)
            job.work_unit_id = unit_id
        if job.pk in times:
            start, end = times[job.pk]
            if start.tzinfo is None or end.tzinfo is None or end < start:
                raise InvalidInput(_("A planned end is after its start; both need an offset."), {"planned": job.code})
            job.planned_start, job.planned_end = start, end
        move(job, Command.UPDATE, at=at) if JobState(job.state) in BEFORE_START else None
        job.changed_at = at
        changed.append(job)
    JobOrder.objects.bulk_update(
        changed, ["work_unit_id", "planned_start", "planned_end", "changed_at"], batch_size=500
    )
    _tell(
        changed, "assigned", actor=actor, at=at, units=sorted({u for u in assignments.values() if u is not None})[:50]
    )
    return len(changed)


@transaction.atomic
def hold_job_orders(*, actor: Actor, job_order_ids: Sequence[int], reason: str, at: datetime) -> int:
    """Put job orders on hold, with a reason; running ones are suspended and their clock stops.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        One is over or on hold already; then none is changed.
    """
    if not reason.strip():
        raise reason_needed()
    _check_many(job_order_ids)
    jobs = locked_jobs(actor=actor, job_order_ids=job_order_ids, permission=DISPATCH)
    for job in jobs:
        hold_one(job, reason=reason.strip(), actor=actor, at=at)
    _tell(jobs, "held", actor=actor, at=at, reason=reason.strip())
    return len(jobs)


def hold_one(job: JobOrder, *, reason: str, actor: Actor, at: datetime) -> None:
    """Put one locked job order on hold and save it."""
    if JobState(job.state) in BEFORE_START:
        if job.state == JobState.NOT_ALLOWED_TO_START.value:
            raise Conflict(_("Job %(job)s is on hold already.") % {"job": job.code})
        move(job, Command.REVOKE_START, at=at)
    else:
        if place_of(job).substate is JobSubstate.SUSPENDED:
            raise Conflict(_("Job %(job)s is on hold already.") % {"job": job.code})
        was_running = job.state == JobState.RUNNING.value
        move(job, Command.PAUSE, at=at)
        if was_running:
            stop_clock(job, at)
            respond(
                job, ResponseKind.PAUSED, actor=actor, at=at, happened=at, act=Act(), reason=reason[:80],
                data={"hold": True},
            )  # fmt: skip
    job.hold_reason = reason[:1000]
    job.save(update_fields=["state", "substate", "hold_reason", "running_since", "worked_s", "changed_at"])


@transaction.atomic
def let_go_job_orders(*, actor: Actor, job_order_ids: Sequence[int], at: datetime) -> int:
    """Take job orders off hold: they may be started; interrupted ones may be resumed at their station.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        One is not on hold, or its whole request is.
    """
    _check_many(job_order_ids)
    jobs = locked_jobs(actor=actor, job_order_ids=job_order_ids, permission=DISPATCH)
    for job in jobs:
        if job.request.state == "held":
            raise Conflict(_("Request %(request)s is on hold as a whole; let that go.") % {"request": job.request.code})
        let_go_one(job, at=at)
    propagate_ready(jobs, at=at)
    _tell(jobs, "let_go", actor=actor, at=at)
    return len(jobs)


def let_go_one(job: JobOrder, *, at: datetime) -> None:
    """Take one locked job order off hold and save it."""
    if job.state == JobState.NOT_ALLOWED_TO_START.value:
        move(job, Command.START, at=at)
    elif job.substate == JobSubstate.SUSPENDED.value:
        move(job, Command.RESUME, at=at)
    else:
        raise Conflict(_("Job %(job)s is not on hold.") % {"job": job.code})
    job.hold_reason = ""
    job.save(update_fields=["state", "substate", "hold_reason", "changed_at"])


def propagate_ready(jobs: Sequence[JobOrder], *, at: datetime) -> None:
    """Look again whether what comes before is done, after a hold: it goes on meanwhile."""
    ids = [job.pk for job in jobs]
    before = JobDependency.objects.filter(after_id__in=ids).values_list("before_id", flat=True).distinct()
    held = {job.request_id for job in jobs}
    propagate(JobOrder.objects.filter(pk__in=list(before)), at=at, locked=held)


@transaction.atomic
def split_job_order(
    *,
    actor: Actor,
    job_order_id: int,
    quantities: Sequence[Decimal | int],
    at: datetime,
    work_unit_ids: Sequence[int | None] = (),
) -> list[int]:
    """Divide a job order over parallel machines: what is open is shared, each part a job order with the same order.

    The job order keeps the first quantity (what it has reported is part of it); the others become new ones.

    Parameters
    ----------
    quantities
        Of all parts; their sum is the job order's quantity.
    work_unit_ids
        One for each part, or none.

    Returns
    -------
    list of int
        Ids of all parts, the job order's own first.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, Conflict
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=DISPATCH)
    if JobState(job.state) not in BEFORE_START | BEGUN:
        raise impossible(job, Command.UPDATE)
    parts = shares(job.quantity, [ledger.clean_quantity(one, "quantities") for one in quantities])
    if parts is None or len(parts) > MOST_PARTS:
        raise InvalidInput(
            _("The parts must be above zero, at most 50, and add up to %(quantity)s.")
            % {"quantity": number(job.quantity)},
            {"quantities": _("Their sum must be the job's quantity.")},
        )
    if parts[0] < processed(job):
        raise Conflict(
            _("%(count)s pieces are reported on job %(job)s already; its own part cannot be smaller.")
            % {"count": number(processed(job)), "job": job.code}
        )
    if work_unit_ids and len(work_unit_ids) != len(parts):
        raise InvalidInput(_("Name a station for each part, or none."), {"work_unit_ids": _("One for each part.")})
    if work_unit_ids and work_unit_ids[0] is not None and JobState(job.state) in BEFORE_START:
        check_unit(job, work_unit_ids[0])
        job.work_unit_id = work_unit_ids[0]
    made = _split_off(job, parts, work_unit_ids, at=at)
    refresh_request(job.request, at=at)
    propagate_ready([job, *made], at=at)
    _tell([job, *made], "split", actor=actor, at=at, parts=[number(part) for part in parts])
    return [job.pk, *(one.pk for one in made)]


def _split_off(
    job: JobOrder, parts: Sequence[Decimal], work_unit_ids: Sequence[int | None], *, at: datetime
) -> list[JobOrder]:
    whole, run_s = job.quantity, job.run_s
    last = (
        JobOrder.objects.filter(request_id=job.request_id, segment=job.segment, is_rework=False)
        .order_by("-split")
        .values_list("split", flat=True)[0]
    )
    base = job.code.split("/", 1)[0] if job.split else job.code
    state = job.state if JobState(job.state) in BEFORE_START else JobState.ALLOWED_TO_START.value
    substate = job.substate if JobState(job.state) in BEFORE_START else JobSubstate.READY.value
    made = []
    for index, part in enumerate(parts[1:], start=1):
        unit_id = work_unit_ids[index] if work_unit_ids else None
        if unit_id is not None:
            check_unit(job, unit_id)
        made.append(
            JobOrder(
                site_id=job.site_id, code=f"{base}/{last + index + 1}"[:100], request_id=job.request_id,
                segment=job.segment, name_zh=job.name_zh, name_en=job.name_en, position=job.position,
                split=last + index, is_rework=job.is_rework, is_last=job.is_last, rework_of_id=job.rework_of_id,
                equipment_class_id=job.equipment_class_id, work_unit_id=unit_id, candidates=job.candidates,
                is_subcontracted=job.is_subcontracted, shares_work_unit=job.shares_work_unit, quantity=part,
                unit=job.unit, transfer_batch=job.transfer_batch, state=state, substate=substate,
                hold_reason=job.hold_reason if state == job.state else "", rank=job.rank, due_at=job.due_at,
                planned_start=job.planned_start, planned_end=job.planned_end, setup_s=job.setup_s,
                run_s=run_s * float(part / whole), directive=job.directive, changed_at=at,
            )
        )  # fmt: skip
    job.quantity, job.run_s, job.changed_at = parts[0], run_s * float(parts[0] / whole), at
    job.save(update_fields=["quantity", "run_s", "work_unit_id", "changed_at"])
    JobOrder.objects.bulk_create(made)
    links = JobDependency.objects.filter(before_id=job.pk) | JobDependency.objects.filter(after_id=job.pk)
    copies = []
    for link in links:
        for one in made:
            before = one.pk if link.before_id == job.pk else link.before_id
            behind = one.pk if link.after_id == job.pk else link.after_id
            copies.append(
                JobDependency(
                    before_id=before, after_id=behind, kind=link.kind, quantity_per=link.quantity_per, lag_s=link.lag_s
                )
            )
    JobDependency.objects.bulk_create(copies)
    return made


@transaction.atomic
def cancel_job_orders(*, actor: Actor, job_order_ids: Sequence[int], reason: str, at: datetime) -> int:
    """Take job orders off the list that have not begun. Raises as `hold_job_orders`."""
    if not reason.strip():
        raise reason_needed()
    _check_many(job_order_ids)
    jobs = locked_jobs(actor=actor, job_order_ids=job_order_ids, permission=DISPATCH)
    for job in jobs:
        move(job, Command.CANCEL, at=at)
        job.hold_reason = reason.strip()[:1000]
        job.save(update_fields=["state", "substate", "hold_reason", "changed_at"])
    propagate(jobs, at=at)
    for request in {job.request_id: job.request for job in jobs}.values():
        refresh_request(request, at=at)
    _tell(jobs, "cancelled", actor=actor, at=at, reason=reason.strip())
    return len(jobs)


@transaction.atomic
def abort_job_order(*, actor: Actor, job_order_id: int, reason: str, at: datetime) -> Done:
    """Give a job order up; what it has reported stays.

    Raises `PermissionRefused`, `NotVisible`, `InvalidInput`, `Conflict`.
    """
    if not reason.strip():
        raise reason_needed()
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=DISPATCH)
    response_id = abort_one(job, reason=reason.strip(), actor=actor, at=at)
    propagate([job], at=at)
    refresh_request(job.request, at=at)
    note_audit(job, "abort", actor=actor, at=at, reason=reason.strip())
    return done(job, response_id)


def abort_one(job: JobOrder, *, reason: str, actor: Actor, at: datetime) -> int:
    """Abort one locked job order and save it; return its response's id."""
    has_begun = job.actual_start is not None
    move(job, Command.ABORT, at=at)
    stop_clock(job, at)
    job.hold_reason = reason[:1000]
    fields = ["state", "substate", "hold_reason", "running_since", "worked_s", "changed_at"]
    if has_begun:
        job.actual_end = at
        fields.append("actual_end")
    job.save(update_fields=fields)
    give_back_tools(job)
    row = respond(job, ResponseKind.ABORTED, actor=actor, at=at, happened=at, act=Act(), reason=reason[:80])
    publish(
        JobOrderAborted(
            site_id=job.site_id, job_order_id=job.pk, code=job.code, request_id=job.request_id, reason=reason[:200],
            work_unit_id=job.work_unit_id,
        ),
        at=at,
    )  # fmt: skip
    return row.pk


@transaction.atomic
def add_rework(*, actor: Actor, job_order_id: int, quantity: Decimal | int, reason: str, at: datetime) -> JobOrder:
    """Have good pieces of a finished step worked on again: found later, by a test or by the customer's inspector.

    The pieces are taken from the step's good ones by a correction and become a rework job order. Raises as
    `records.correct_response`.
    """
    if not reason.strip():
        raise reason_needed()
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=DISPATCH)
    amount = ledger.clean_quantity(quantity)
    if amount > job.good:
        raise Conflict(
            _("Job %(job)s has %(good)s good pieces; more cannot be reworked.")
            % {"job": job.code, "good": number(job.good)}
        )
    if job.outgoing.filter(after__actual_start__isnull=False).exists():
        raise Conflict(_("The next step has begun with these pieces. Report them there, as rework."))
    told = job.responses.filter(good__gt=0).order_by("-pk").first()
    if told is None:
        raise Conflict(_("Nothing was reported on job %(job)s yet.") % {"job": job.code})
    if job.is_last:
        ledger.unmake(job.request, amount, actor=actor, at=at, job_order=job, reason="rework")
    job.good, job.rework, job.changed_at = job.good - amount, job.rework + amount, at
    job.save(update_fields=["good", "rework", "changed_at"])
    respond(
        job, ResponseKind.CORRECTION, actor=actor, at=at, happened=at, act=Act(), corrects=told, good=-amount,
        rework=amount, reason=reason.strip()[:80],
    )  # fmt: skip
    made = rework.make_rework(job, amount, reason=reason.strip(), at=at)
    propagate([job], at=at)
    refresh_request(job.request, at=at)
    _tell([job, made], "rework", actor=actor, at=at, quantity=number(amount), reason=reason.strip())
    return made


@transaction.atomic
def send_out(*, actor: Actor, job_order_id: int, supplier_id: int, at: datetime) -> JobOrder:
    """Give a subcontracted step to a supplier; the floor's start and finish then tell its leaving and coming back.

    Raises
    ------
    PermissionRefused, NotVisible, Conflict
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=DISPATCH)
    if JobState(job.state) not in BEFORE_START:
        raise impossible(job, Command.UPDATE)
    supplier = Party.objects.filter(
        pk=supplier_id, site_id=job.site_id, is_supplier=True, retired_at__isnull=True
    ).first()
    if supplier is None:
        raise Conflict(_("There is no such supplier here. Enter the supplier first."))
    move(job, Command.UPDATE, at=at)
    job.supplier, job.is_subcontracted, job.work_unit_id = supplier, True, None
    job.save(update_fields=["supplier", "is_subcontracted", "work_unit_id", "changed_at"])
    _tell([job], "sent_out", actor=actor, at=at, supplier=supplier.code)
    return job


@transaction.atomic
def load_job_order(*, actor: Actor, job_order_id: int, at: datetime, is_loaded: bool = True) -> JobOrder:
    """Say that a job order's program is in the machine, or is not any more. Raises as `send_out`."""
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=DISPATCH)
    move(job, Command.LOAD if is_loaded else Command.UNLOAD, at=at)
    job.save(update_fields=["state", "substate", "changed_at"])
    _tell([job], "loaded" if is_loaded else "unloaded", actor=actor, at=at)
    return job


def _check_many(ids: Sequence[int]) -> None:
    if not 0 < len(ids) <= MOST_AT_ONCE:
        raise InvalidInput(_("Choose between 1 and %(count)s job orders.") % {"count": MOST_AT_ONCE})


def _tell(jobs: Sequence[JobOrder], change: str, *, actor: Actor, at: datetime, **detail: Any) -> None:
    by_site: dict[int, list[JobOrder]] = {}
    for job in jobs:
        by_site.setdefault(job.site_id, []).append(job)
    for site_id, rows in by_site.items():
        publish(
            JobOrdersChanged(site_id=site_id, job_order_ids=tuple(job.pk for job in rows)[:1000], change=change), at=at
        )
        audit.record(
            actor=actor, action=f"job_order.{change}", at=at, site_id=site_id, object_kind="job_order",
            object_id=rows[0].code if len(rows) == 1 else "", job_orders=[job.code for job in rows[:50]],
            count=len(rows), **detail,
        )  # fmt: skip
