"""The floor's verbs on one job order: start, set up, pause, resume, report, finish. Each appends one job response.

All need ``operations.execute``. ``at`` is now, when it is recorded; ``act.happened_at`` is when it happened. The same
``act.action_id`` twice is one act: the second answer says so (`Done.is_repeat`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.operations.events import (
    JobOrderFinished,
    JobOrderPaused,
    JobOrderResumed,
    JobOrderStarted,
    QuantityReported,
)
from yuheng.operations.models import JobOrder, JobResponse
from yuheng.operations.rules import (
    BEGUN,
    Act,
    Arrival,
    Command,
    JobState,
    JobSubstate,
    ResponseKind,
    Source,
    most_to_report,
    still_expected,
)
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.rules.turns import may_go_elsewhere
from yuheng.operations.services import ledger, rework
from yuheng.operations.services.access import DISPATCH, EXECUTE, locked_job
from yuheng.operations.services.facts import Done, done, move, note_audit, repeated, respond, stop_clock, when
from yuheng.operations.services.flow import arrival_of, processed, propagate, refresh_request
from yuheng.operations.services.refusals import impossible, reason_needed, too_few, too_many, unit_is_busy
from yuheng.operations.services.requirements import check_skills, give_back_tools, take_tools

_BEGUN = sorted(state.value for state in BEGUN)
_COUNTS = ["good", "scrap", "rework", "changed_at"]
_STATE = ["state", "substate", "changed_at"]
_CLOCK = ["running_since", "worked_s"]


@transaction.atomic
def start_job_order(
    *,
    actor: Actor,
    job_order_id: int,
    work_unit_id: int | None,
    at: datetime,
    crew: Sequence[int] = (),
    tools: Sequence[str] = (),
    act: Act = Act(),
) -> Done:
    """Begin to work on a job order at a work unit (None only for a subcontracted one).

    This is the standard's transition allowed-to-start → running, not its method ``Start`` (which means "may start").

    Parameters
    ----------
    crew
        Ids of persons who work on it beside the actor.
    tools
        Codes of tools that are used; others are taken from what is free.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        It runs already, is on hold, has nothing to work on yet, the work unit is busy or cannot do it, a skill or a
        tool is missing.
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.STARTED)) is not None:
        return known
    is_loaded = job.substate == JobSubstate.LOADED.value
    move(job, Command.BEGIN, at=at)
    unit = _choose_unit(job, work_unit_id, actor=actor, at=at, is_loaded=is_loaded)
    check_skills(job, actor=actor, crew=crew, at=at)
    taken = take_tools(job, tools, at)
    job.actual_start, job.running_since = job.actual_start or happened, happened
    _work_of(job, actor, act)
    _begin(job, unit, "work_unit", "actual_start")
    told = {name: value for name, value in (("crew", list(crew)), ("tools", taken)) if value}
    row = respond(job, ResponseKind.STARTED, actor=actor, at=at, happened=happened, act=act, data=told)
    if job.request.state != "running":
        refresh_request(job.request, at=at)
    if job.lets_begin:  # type: ignore[attr-defined]  # what may run beside this one may begin now
        propagate([job], at=at)
    publish(
        JobOrderStarted(
            site_id=job.site_id, job_order_id=job.pk, code=job.code, request_id=job.request_id,
            work_unit_id=job.work_unit_id, at=happened,
        ),
        at=at,
    )  # fmt: skip
    note_audit(job, "start", actor=actor, at=at, work_unit=unit, source=act.source.value)
    return done(job, row.pk)


@transaction.atomic
def set_up_done(*, actor: Actor, job_order_id: int, at: datetime, act: Act = Act()) -> Done:
    """Say that the set-up is done and the run begins. Raises as `pause_job_order`."""
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.SET_UP)) is not None:
        return known
    if job.state != JobState.RUNNING.value:
        raise impossible(job, Command.RESUME if job.state == JobState.INTERRUPTED.value else Command.STOP)
    if JobResponse.objects.filter(job_order_id=job.pk, kind=ResponseKind.SET_UP.value).exists():
        raise Conflict(_("The set-up of job %(job)s was told already.") % {"job": job.code})
    row = respond(job, ResponseKind.SET_UP, actor=actor, at=at, happened=happened, act=act)
    note_audit(job, "set_up", actor=actor, at=at)
    return done(job, row.pk)


@transaction.atomic
def pause_job_order(
    *, actor: Actor, job_order_id: int, reason: str, at: datetime, note: str = "", act: Act = Act()
) -> Done:
    """Interrupt the work, with a reason; the clock stops.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, Conflict
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.PAUSED)) is not None:
        return known
    if not reason.strip():
        raise reason_needed()
    move(job, Command.INTERRUPT, at=at)
    stop_clock(job, happened)
    job.save(update_fields=[*_STATE, *_CLOCK])
    row = respond(
        job, ResponseKind.PAUSED, actor=actor, at=at, happened=happened, act=act, reason=reason.strip()[:80], note=note
    )
    publish(
        JobOrderPaused(
            site_id=job.site_id, job_order_id=job.pk, code=job.code, request_id=job.request_id,
            work_unit_id=job.work_unit_id, reason=reason.strip()[:80], at=happened,
        ),
        at=at,
    )  # fmt: skip
    note_audit(job, "pause", actor=actor, at=at, reason=reason.strip())
    return done(job, row.pk)


@transaction.atomic
def resume_job_order(*, actor: Actor, job_order_id: int, at: datetime, act: Act = Act()) -> Done:
    """Go on with an interrupted job order. Raises as `pause_job_order`; `Conflict` when its work unit is busy."""
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.RESUMED)) is not None:
        return known
    if job.state not in {state.value for state in BEGUN} or job.substate == "suspended":
        raise impossible(job, Command.RESUME)
    move(job, Command.RESUME, at=at)
    job.running_since = happened
    _work_of(job, actor, act)
    _begin(job, job.work_unit.code if job.work_unit else "–")
    row = respond(job, ResponseKind.RESUMED, actor=actor, at=at, happened=happened, act=act)
    publish(
        JobOrderResumed(
            site_id=job.site_id, job_order_id=job.pk, code=job.code, request_id=job.request_id,
            work_unit_id=job.work_unit_id, at=happened,
        ),
        at=at,
    )  # fmt: skip
    note_audit(job, "resume", actor=actor, at=at)
    return done(job, row.pk)


@transaction.atomic
def report_quantities(
    *,
    actor: Actor,
    job_order_id: int,
    at: datetime,
    good: Decimal | int = 0,
    scrap: Decimal | int = 0,
    rework: Decimal | int = 0,
    reason: str = "",
    note: str = "",
    serials: Sequence[str] = (),
    act: Act = Act(),
) -> Done:
    """Report pieces that are good, lost or to be worked on again, since the last report; the job goes on.

    Pieces to be reworked become a job order of their own. Scrap and rework need a reason.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        More than is open, or than has come from the step before.
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.QUANTITY)) is not None:
        return known
    counts = _counts(good, scrap, rework, reason, must=True)
    _must_have_begun(job)
    row = _take_report(
        job, ResponseKind.QUANTITY, counts, actor=actor, at=at, happened=happened, act=act,
        reason=reason.strip()[:80], note=note, serials=serials,
    )  # fmt: skip
    job.save(update_fields=_COUNTS)
    propagate([job], at=at)
    refresh_request(job.request, at=at)
    _tell_counts(job, counts, happened, at)
    note_audit(job, "report", actor=actor, at=at, good=str(counts[0]), scrap=str(counts[1]), rework=str(counts[2]))
    return done(job, row.pk)


@transaction.atomic
def finish_job_order(
    *,
    actor: Actor,
    job_order_id: int,
    at: datetime,
    good: Decimal | int = 0,
    scrap: Decimal | int = 0,
    rework: Decimal | int = 0,
    reason: str = "",
    note: str = "",
    is_short: bool = False,
    serials: Sequence[str] = (),
    act: Act = Act(),
) -> Done:
    """Finish a job order with its last pieces; what waits for it becomes ready.

    Parameters
    ----------
    is_short
        Fewer than planned, with a reason: what is missing is not made.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        More than is open or has come; fewer without ``is_short``; checks that must be done are not.
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.FINISHED)) is not None:
        return known
    counts = _counts(good, scrap, rework, reason, must=False)
    if is_short and not reason.strip():
        raise reason_needed()
    _must_have_begun(job)
    if job.good + counts[0] > 0:
        _check_checks(job)
    come = arrival_of(job)
    missing = still_expected(job.quantity, processed(job) + sum(counts), come)
    if missing > 0 and not is_short:
        raise too_few(job, missing)
    row = _take_report(
        job, ResponseKind.FINISHED, counts, actor=actor, at=at, happened=happened, act=act,
        reason=reason.strip()[:80], note=note, serials=serials, come=come,
    )  # fmt: skip
    move(job, Command.STOP, at=at)
    stop_clock(job, happened)
    job.actual_end = happened
    job.save(update_fields=[*_STATE, *_CLOCK, *_COUNTS, "actual_end"])
    give_back_tools(job)
    propagate([job], at=at)
    refresh_request(job.request, at=at)
    publish(
        JobOrderFinished(
            site_id=job.site_id, job_order_id=job.pk, code=job.code, request_id=job.request_id,
            work_unit_id=job.work_unit_id, good=str(job.good), scrap=str(job.scrap), rework=str(job.rework),
            at=happened,
        ),
        at=at,
    )  # fmt: skip
    note_audit(
        job, "finish", actor=actor, at=at, good=str(counts[0]), scrap=str(counts[1]), rework=str(counts[2]),
        reason=reason.strip(), is_short=is_short or None,
    )  # fmt: skip
    return done(job, row.pk)


# ---- what they share -------------------------------------------------------------------------------------------------

Counts = tuple[Decimal, Decimal, Decimal]


def _counts(good: Decimal | int, scrap: Decimal | int, rework_: Decimal | int, reason: str, *, must: bool) -> Counts:
    found = (
        ledger.clean_quantity(good, "good", least=ZERO),
        ledger.clean_quantity(scrap, "scrap", least=ZERO),
        ledger.clean_quantity(rework_, "rework", least=ZERO),
    )
    if must and not any(found):
        raise InvalidInput(_("Say how many pieces."), {"good": _("Give a number.")})
    if (found[1] or found[2]) and not reason.strip():
        raise reason_needed()
    return found


def _must_have_begun(job: JobOrder) -> None:
    if JobState(job.state) not in BEGUN or job.substate == "suspended":
        raise impossible(job, Command.STOP)


def _take_report(
    job: JobOrder,
    kind: ResponseKind,
    counts: Counts,
    *,
    actor: Actor,
    at: datetime,
    happened: datetime,
    act: Act,
    reason: str,
    note: str,
    serials: Sequence[str],
    come: Arrival | None = None,
) -> JobResponse:
    """Check and count the pieces, append the response, let rework and stock follow; the caller saves the job order."""
    asked = sum(counts, ZERO)
    if asked > 0:
        come = come or arrival_of(job)
        most = most_to_report(job.quantity, processed(job), come)
        if asked > most:
            has_arrived = come.quantity is not None and come.quantity < job.quantity
            raise too_many(job, asked, most, has_arrived=has_arrived)
    job.good, job.scrap, job.rework = job.good + counts[0], job.scrap + counts[1], job.rework + counts[2]
    job.changed_at = at
    told = {"serials": list(serials)[:500]} if serials else {}
    row = respond(
        job, kind, actor=actor, at=at, happened=happened, act=act, good=counts[0], scrap=counts[1], rework=counts[2],
        reason=reason, note=note, data=told,
    )  # fmt: skip
    if counts[2] > 0:
        rework.make_rework(job, counts[2], reason=reason, at=at)
    if job.is_last and counts[0] > 0:
        ledger.produce(
            job.request, counts[0], serials=serials, actor=actor, at=at, happened=happened, job_order=job, response=row
        )
    return row


def _tell_counts(job: JobOrder, counts: Counts, happened: datetime, at: datetime) -> None:
    publish(
        QuantityReported(
            site_id=job.site_id, job_order_id=job.pk, code=job.code, request_id=job.request_id,
            work_unit_id=job.work_unit_id, good=str(counts[0]), scrap=str(counts[1]), rework=str(counts[2]),
            at=happened,
        ),
        at=at,
    )  # fmt: skip


def _choose_unit(job: JobOrder, work_unit_id: int | None, *, actor: Actor, at: datetime, is_loaded: bool) -> str:
    """Put the work unit into the job order when it may run there; return its code. At most two queries.

    Who dispatches may start it at any that can; others where it is planned, and what waits there at any.
    """
    if work_unit_id is None:
        if not job.is_subcontracted:
            raise InvalidInput(_("Say at which station."), {"work_unit_id": _("A station is needed.")})
        return "–"
    unit = check_unit(job, work_unit_id)
    if job.work_unit_id not in (None, work_unit_id) and not actor.may(DISPATCH, site_id=job.site_id):
        ahead = JobOrder.objects.filter(work_unit_id=job.work_unit_id, state__in=_BEGUN).exclude(pk=job.pk)
        if is_loaded or not may_go_elsewhere(
            job.planned_start if job.placed_at else None, at, waits_behind=ahead.exists()
        ):
            raise Conflict(
                _("Job %(job)s is assigned to %(unit)s. Start it there, or ask the dispatcher to move it.")
                % {"job": job.code, "unit": job.work_unit.code if job.work_unit else "–"}
            )
    job.work_unit_id = work_unit_id
    return unit


def check_unit(job: JobOrder, work_unit_id: int) -> str:
    """Return the code of a work unit that can do a job order. One query.

    Raises
    ------
    Conflict
        It is of another site, retired, or not a machine for this step.
    """
    found = equipment.units_that_work(site_id=job.site_id, ids=[work_unit_id]).get(work_unit_id)
    if found is None:
        raise Conflict(_("There is no such station here."))
    code, class_id = found
    can_do = work_unit_id in job.candidates if job.candidates else job.equipment_class_id in (None, class_id)
    if not can_do:
        raise Conflict(
            _("%(unit)s is not one of the machines on which step %(segment)s may run. Choose another one.")
            % {"unit": code, "segment": job.segment}
        )
    return code


def _begin(job: JobOrder, unit: str, *more: str) -> None:
    """Save a job order that runs from now on. Two queries. Raises `Conflict` when its work unit runs another one.

    Who comes in between is stopped by the constraint; the refusal ends the transaction, so no savepoint is needed.
    """
    if job.work_unit_id is not None and not job.shares_work_unit:
        others = JobOrder.objects.filter(
            work_unit_id=job.work_unit_id, state=JobState.RUNNING.value, shares_work_unit=False
        )
        if (running := others.exclude(pk=job.pk).values_list("code", flat=True).first()) is not None:
            raise unit_is_busy(running, unit)
    try:
        job.save(update_fields=[*_STATE, *_CLOCK, "operator", "operator_zh", "operator_en", *more])
    except IntegrityError as error:
        raise unit_is_busy("–", unit) from error


def _work_of(job: JobOrder, actor: Actor, act: Act) -> None:
    """Note who works on it from now on. A machine that starts it, or lets it go on, is nobody."""
    if act.source is Source.SIGNAL:
        return
    job.operator, job.operator_zh, job.operator_en = actor.name[:150], actor.name_zh[:80], actor.name_en[:80]


def _check_checks(job: JobOrder) -> None:
    """Refuse to finish while checks that must be done have no passed result. One query when there are any."""
    wanted = {check["code"] for check in job.directive.get("checks", ()) if check.get("is_mandatory")}
    if not wanted:
        return
    last: dict[str, bool | None] = {}
    rows = JobResponse.objects.filter(job_order_id=job.pk, kind=ResponseKind.CHECK.value).order_by("pk")
    for data in rows.values_list("data", flat=True):
        last[data.get("check", "")] = data.get("passed")
    undone = sorted(code for code in wanted if code not in last)
    if undone:
        raise Conflict(
            _("Checks of job %(job)s are not done yet: %(checks)s.") % {"job": job.code, "checks": ", ".join(undone)}
        )
    failed = sorted(code for code in wanted if last[code] is False)
    if failed:
        raise Conflict(
            _(
                "Checks of job %(job)s failed: %(checks)s. Check again, or report the pieces as "
                "scrap or rework and call quality."
            )
            % {"job": job.code, "checks": ", ".join(failed)}
        )
