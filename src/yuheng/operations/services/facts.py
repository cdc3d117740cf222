"""Writing what happened to a job order: moves along the published table, one job response each, once each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.operations.models import JobOrder, JobResponse
from yuheng.operations.rules import (
    Act,
    Command,
    IllegalTransition,
    JobState,
    JobSubstate,
    Place,
    ResponseKind,
    after,
    worked_until,
)
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.rules.words import AHEAD, LONGEST_ACTION_ID, LONGEST_NOTE, OLDEST_ACT
from yuheng.operations.services.refusals import action_used_otherwise, impossible


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a floor verb. ``is_repeat``: the same act had been recorded before, nothing was done again."""

    response_id: int
    job_order_id: int
    code: str
    state: str
    substate: str
    good: Decimal
    scrap: Decimal
    rework: Decimal
    remaining: Decimal
    is_repeat: bool = False
    material_code: str = ""  # what was used or returned


def done(job: JobOrder, response_id: int, *, is_repeat: bool = False, material_code: str = "") -> Done:
    """Return where the job order stands now."""
    left = max(ZERO, job.quantity - job.good - job.scrap - job.rework)
    return Done(
        response_id,
        job.pk,
        job.code,
        job.state,
        job.substate,
        job.good,
        job.scrap,
        job.rework,
        left if job.state not in (JobState.ENDED, JobState.ABORTED, JobState.CANCELLED) else ZERO,
        is_repeat,
        material_code,
    )


def place_of(job: JobOrder) -> Place:
    """Return a job order's state and substate."""
    return Place(JobState(job.state), JobSubstate(job.substate))


def can(job: JobOrder, command: Command) -> bool:
    """Return whether the published table has the command in the job order's state."""
    try:
        after(place_of(job), command)
    except IllegalTransition:
        return False
    return True


def move(job: JobOrder, command: Command, *, at: datetime) -> None:
    """Put a command's outcome into the columns; the caller saves. Raises `Conflict` with a sentence."""
    try:
        there = after(place_of(job), command)
    except IllegalTransition as refusal:
        raise impossible(job, command) from refusal
    job.state, job.substate = there.state.value, there.substate.value
    job.changed_at = at


def when(act: Act, at: datetime) -> datetime:
    """Return when an act happened; refuse one from the future, or too old to be a terminal's.

    Raises
    ------
    InvalidInput
    """
    if len(act.action_id) > LONGEST_ACTION_ID:
        raise InvalidInput(_("The id of the action is too long."), {"action_id": _("At most 64 characters.")})
    happened = act.happened_at or at
    if happened.tzinfo is None:
        raise InvalidInput(_("Times need an offset."), {"happened_at": _("Give the time with its offset.")})
    if happened > at + AHEAD:
        raise InvalidInput(
            _("This would have happened in the future. Set the terminal's clock."),
            {"happened_at": _("This lies in the future.")},
        )
    if happened < at - OLDEST_ACT:
        raise InvalidInput(
            _("This happened more than 90 days ago. Import it as a log instead."),
            {"happened_at": _("This is too long ago.")},
        )
    return min(happened, at)


def repeated(job: JobOrder, act: Act, *kinds: ResponseKind) -> Done | None:
    """Return the answer to an act that was recorded before, or None. One query, none without an action id.

    Raises
    ------
    Conflict
        The id was used for something else.
    """
    if not act.action_id:
        return None
    known = (
        JobResponse.objects.filter(site_id=job.site_id, action_id=act.action_id)
        .values_list("pk", "job_order_id", "kind")
        .first()
    )
    if known is None:
        return None
    if known[1] != job.pk or known[2] not in kinds:
        raise action_used_otherwise(act.action_id)
    return done(job, known[0], is_repeat=True)


def respond(
    job: JobOrder, kind: ResponseKind, *, actor: Actor, at: datetime, happened: datetime, act: Act, **told: Any
) -> JobResponse:
    """Append one job response. Raises `Conflict` when the action id was used a moment ago on another job order."""
    if len(told.get("note", "")) > LONGEST_NOTE:
        raise InvalidInput(_("The note is too long."), {"note": _("At most 1,000 characters.")})
    try:
        return JobResponse.objects.create(
            site_id=job.site_id,
            job_order=job,
            request_id=job.request_id,
            kind=kind.value,
            action_id=act.action_id,
            at=happened,
            recorded_at=at,
            source=act.source.value,
            run_id=act.run_id[:80],
            work_unit_id=act.work_unit_id or job.work_unit_id,
            actor_kind=actor.kind,
            actor_name=actor.name,
            person_id=actor.person_id,
            impersonator=actor.impersonator,
            **told,
        )
    except IntegrityError as error:
        if "job_response_action_once" in str(error):
            raise action_used_otherwise(act.action_id) from error
        raise


def note_audit(job: JobOrder, action: str, *, actor: Actor, at: datetime, **detail: Any) -> None:
    """Append the audit row of a floor verb."""
    audit.record(
        actor=actor,
        action=f"job_order.{action}",
        at=at,
        site_id=job.site_id,
        object_kind="job_order",
        object_id=job.code,
        **{name: value for name, value in detail.items() if value not in ("", None, [])},
    )


def stop_clock(job: JobOrder, happened: datetime) -> None:
    """Add the time worked since the clock was started."""
    job.worked_s += worked_until(job.running_since, happened)
    job.running_since = None
