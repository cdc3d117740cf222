"""Why something cannot be done, and what to do: sentences a foreman can read, in the reader's language."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.models import JobOrder
from yuheng.operations.rules import BEFORE_START, OVER, Command, JobState, JobSubstate


def number(quantity: Decimal) -> str:
    """Write a quantity without trailing zeros.

    Examples
    --------
    >>> number(Decimal("12.500000")), number(Decimal("1200")), number(Decimal("0E-6"))
    ('12.5', '1200', '0')
    """
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


def impossible(job: JobOrder, command: Command) -> Conflict:
    """Return why a command does not exist in a job order's state."""
    state, substate = JobState(job.state), JobSubstate(job.substate)
    told = {"job": job.code, "unit": job.work_unit.code if job.work_unit else "–", "reason": job.hold_reason or "–"}
    if state in OVER:
        return Conflict(_("Job %(job)s is over already; nothing can be done with it any more.") % told)
    if substate is JobSubstate.SUSPENDED and command is not Command.PAUSE:
        return Conflict(_("Job %(job)s is on hold (%(reason)s). The dispatcher has to let it go first.") % told)
    if command is Command.BEGIN:
        if state is JobState.RUNNING:
            return Conflict(
                _("Job %(job)s already runs at %(unit)s. Finish or pause it there, or let the dispatcher split it.")
                % told
            )
        if state is JobState.INTERRUPTED:
            return Conflict(_("Job %(job)s is interrupted at %(unit)s. Resume it there.") % told)
        if state is JobState.NOT_ALLOWED_TO_START:
            return Conflict(_("Job %(job)s is on hold (%(reason)s). The dispatcher has to let it go first.") % told)
        return Conflict(_("Job %(job)s cannot start yet: what comes before it is not done.") % told)
    if command in (Command.CANCEL,):
        return Conflict(_("Job %(job)s has begun and cannot be cancelled; abort it instead.") % told)
    if state in BEFORE_START:
        return Conflict(_("Job %(job)s has not begun. Start it first.") % told)
    if command is Command.RESUME:
        return Conflict(_("Job %(job)s is running; there is nothing to resume.") % told)
    if command is Command.INTERRUPT:
        return Conflict(_("Job %(job)s is interrupted already.") % told)
    return Conflict(_("This is not possible in the state of job %(job)s.") % told)


def unit_is_busy(running: str, unit: str) -> Conflict:
    """A work unit runs one job order at a time."""
    return Conflict(
        _("%(unit)s already runs job %(job)s. Finish or pause that one first.") % {"unit": unit, "job": running}
    )


def too_many(job: JobOrder, asked: Decimal, most: Decimal, *, has_arrived: bool) -> Conflict:
    """More pieces than there can be."""
    told = {"job": job.code, "asked": number(asked), "most": number(most)}
    if has_arrived:
        return Conflict(
            _(
                "%(asked)s were reported for job %(job)s, but only %(most)s more have come from the "
                "step before. Count again."
            )
            % told
        )
    return Conflict(
        _(
            "%(asked)s were reported for job %(job)s, but only %(most)s are still open. Count again, "
            "or enlarge the order."
        )
        % told
    )


def too_few(job: JobOrder, missing: Decimal) -> Conflict:
    """Finished before everything was reported."""
    return Conflict(
        _("%(missing)s pieces of job %(job)s are not reported yet. Report them, or finish short with a reason.")
        % {"missing": number(missing), "job": job.code}
    )


def not_in_stock(lot: str, location: str, there: Decimal, asked: Decimal, unit: str) -> Conflict:
    """More than there is."""
    return Conflict(
        _(
            "Lot %(lot)s has %(there)s %(unit)s at %(location)s; %(asked)s are asked for. Take less, "
            "take another lot, or count it."
        )
        % {"lot": lot, "location": location, "there": number(there), "asked": number(asked), "unit": unit}
    )


def reason_needed(field: str = "reason") -> InvalidInput:
    """A reason is missing."""
    return InvalidInput(_("Say why."), {field: _("A reason is needed.")})


def action_used_otherwise(action_id: str) -> Conflict:
    """Two different acts with one id."""
    return Conflict(
        _("The action %(id)s was recorded already, for something else. Send this one with an id of its own.")
        % {"id": action_id}
    )
