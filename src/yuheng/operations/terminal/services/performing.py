"""What each kind of action does: the one place where a terminal's words become verbs of operations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.operations.rules import Act, ResponseKind, Source
from yuheng.operations.selectors import jobs
from yuheng.operations.selectors.jobs import ResponseFilter
from yuheng.operations.services import execute, materials, records
from yuheng.operations.services import help as help_calls
from yuheng.operations.services.signals.meeting import report_now
from yuheng.operations.terminal.models import StationDevice, TerminalAction
from yuheng.operations.terminal.rules import Kind
from yuheng.operations.terminal.services import sessions
from yuheng.people.services.badges import actor_of_badge
from yuheng.people.services.signing_in import SignInRefused

TURNING = tuple(
    kind.value
    for kind in (
        ResponseKind.STARTED,
        ResponseKind.PAUSED,
        ResponseKind.RESUMED,
        ResponseKind.FINISHED,
        ResponseKind.ABORTED,
    )
)
Verb = Callable[[TerminalAction, Actor, datetime], None]


def perform(row: TerminalAction, device: StationDevice, at: datetime) -> Actor:
    """Do what an action says, as the person who did it; return them. Raises `DomainError` when a rule says no."""
    if row.kind == Kind.UNREADABLE:
        raise InvalidInput(_("The terminal sent something that cannot be read: %(why)s") % {"why": row.payload["why"]})
    if row.kind == Kind.SIGN_IN:
        return _sign_in(row, device)
    actor = sessions.actor_of_session(device=device, session=row.session, happened_at=row.happened_at)
    if row.kind == Kind.SIGN_OUT and row.session is not None:
        sessions.close_session(device=device, session=row.session, at=row.happened_at)
        return actor
    VERBS[Kind(row.kind)](row, actor, at)
    return actor


def _sign_in(row: TerminalAction, device: StationDevice) -> Actor:
    """Who scanned a badge while there was no network is looked up now, for the moment of the scan."""
    actor = actor_of_badge(row.payload["badge"])
    if actor is None or row.session is None:
        raise SignInRefused(_("This badge is not known. Ask who manages people here."))
    sessions.open_session(device=device, session=row.session, actor=actor, at=row.happened_at)
    return actor


def _act(row: TerminalAction) -> Act:
    return Act(action_id=str(row.action_id), happened_at=row.happened_at, source=Source.PERSON)


def _job(row: TerminalAction) -> int:
    """Return the job order that the action names; `rules.read_action` has seen to it that it names one."""
    if row.job_order_id is None:
        raise NotVisible(_("There is no such job order."))
    return row.job_order_id


def _machine_was_first(row: TerminalAction, actor: Actor, *kinds: ResponseKind) -> bool:
    """Return whether the station's machine has done by its signals what a person says now: both mean the same.

    A person presses *Go on* in the second in which the machine runs again, or an hour later, when the network is back.
    That is no disagreement, and must not hold up what they report next.
    """
    narrowed = ResponseFilter(job_order_id=_job(row), kinds=TURNING)
    last = jobs.responses(actor=actor, site_id=row.site_id, narrowed=narrowed, limit=1).rows
    return bool(last) and (
        last[0].kind in kinds and last[0].source is Source.SIGNAL and last[0].work_unit_id == row.work_unit_id
    )


def _start(row: TerminalAction, actor: Actor, at: datetime) -> None:
    crew = row.payload["crew"]
    try:
        execute.start_job_order(
            actor=actor, job_order_id=_job(row), work_unit_id=row.work_unit_id, at=at, crew=crew, act=_act(row)
        )
    except Conflict:
        if not _machine_was_first(row, actor, ResponseKind.STARTED, ResponseKind.RESUMED):
            raise
        records.change_crew(actor=actor, job_order_id=_job(row), crew=crew, at=at, act=_act(row))


def _set_up(row: TerminalAction, actor: Actor, at: datetime) -> None:
    execute.set_up_done(actor=actor, job_order_id=_job(row), at=at, act=_act(row))


def _pause(row: TerminalAction, actor: Actor, at: datetime) -> None:
    reason, note = row.payload["reason"], row.payload["note"]
    try:
        execute.pause_job_order(actor=actor, job_order_id=_job(row), reason=reason, note=note, at=at, act=_act(row))
    except Conflict:
        if not _machine_was_first(row, actor, ResponseKind.PAUSED):
            raise
        said = " ".join(part for part in (reason, note) if part)  # the machine knows that it stopped, a person why
        records.add_note(actor=actor, job_order_id=_job(row), note=said, at=at, act=_act(row))


def _resume(row: TerminalAction, actor: Actor, at: datetime) -> None:
    try:
        execute.resume_job_order(actor=actor, job_order_id=_job(row), at=at, act=_act(row))
    except Conflict:
        if not _machine_was_first(row, actor, ResponseKind.STARTED, ResponseKind.RESUMED):
            raise
        note = _("Went on; the machine had said so already.")
        records.add_note(actor=actor, job_order_id=_job(row), note=note, at=at, act=_act(row))


def _report(row: TerminalAction, actor: Actor, at: datetime) -> None:
    said = row.payload
    execute.report_quantities(
        actor=actor,
        job_order_id=_job(row),
        at=at,
        reason=said["reason"],
        note=said["note"],
        act=_act(row),
        good=Decimal(said["good"]),
        scrap=Decimal(said["scrap"]),
        rework=Decimal(said["rework"]),
    )


def _finish(row: TerminalAction, actor: Actor, at: datetime) -> None:
    said = row.payload
    report_now(job_order_id=_job(row), at=at)
    execute.finish_job_order(
        actor=actor,
        job_order_id=_job(row),
        at=at,
        reason=said["reason"],
        note=said["note"],
        is_short=said["is_short"],
        act=_act(row),
        good=Decimal(said["good"]),
        scrap=Decimal(said["scrap"]),
        rework=Decimal(said["rework"]),
    )


def _consume(row: TerminalAction, actor: Actor, at: datetime) -> None:
    said = row.payload
    materials.consume_material(
        actor=actor,
        job_order_id=_job(row),
        lot=said["lot"],
        quantity=Decimal(said["quantity"]),
        requirement_id=said["requirement"],
        at=at,
        act=_act(row),
    )


def _check(row: TerminalAction, actor: Actor, at: datetime) -> None:
    said = row.payload
    records.record_check(
        actor=actor,
        job_order_id=_job(row),
        check=said["check"],
        value=said["value"],
        passed=said["passed"],
        note=said["note"],
        at=at,
        act=_act(row),
    )


def _parameters(row: TerminalAction, actor: Actor, at: datetime) -> None:
    records.record_parameters(actor=actor, job_order_id=_job(row), values=row.payload["values"], at=at, act=_act(row))


def _crew(row: TerminalAction, actor: Actor, at: datetime) -> None:
    records.change_crew(actor=actor, job_order_id=_job(row), crew=row.payload["crew"], at=at, act=_act(row))


def _note(row: TerminalAction, actor: Actor, at: datetime) -> None:
    records.add_note(actor=actor, job_order_id=_job(row), note=row.payload["note"], at=at, act=_act(row))


def _help(row: TerminalAction, actor: Actor, at: datetime) -> None:
    if row.work_unit_id is None:
        raise NotVisible(_("The terminal has no station."))
    help_calls.call_for_help(
        actor=actor,
        work_unit_id=row.work_unit_id,
        kind=row.payload["kind"],
        note=row.payload["note"],
        job_order_id=row.job_order_id,
        at=at,
        act=_act(row),
    )


VERBS: dict[Kind, Verb] = {
    Kind.START: _start,
    Kind.SET_UP: _set_up,
    Kind.PAUSE: _pause,
    Kind.RESUME: _resume,
    Kind.REPORT: _report,
    Kind.FINISH: _finish,
    Kind.CONSUME: _consume,
    Kind.CHECK: _check,
    Kind.PARAMETERS: _parameters,
    Kind.CREW: _crew,
    Kind.NOTE: _note,
    Kind.HELP: _help,
}
"""Every kind but those that `perform` does itself."""
