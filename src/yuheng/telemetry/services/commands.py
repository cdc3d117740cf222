"""Writing to machines: who may, what, at most once, and what became of it.

A command is a row before it is a message. The worker marks it as sent, in a transaction of its own, and only then
sends it; so after a crash in between nothing is sent a second time: what is not known is said to be unknown.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from yuheng.bus.messages import CommandOutcome, WriteCommand
from yuheng.bus.messages import SourceGap as GapMessage
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor, system_actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.telemetry.events import CommandEnded, CommandRequested, SourceChanged, TagsChanged
from yuheng.telemetry.models import DataSource, MachineCommand, SourceGap, Tag, TagWriting
from yuheng.telemetry.rules import CommandState, DataType, may_become, microseconds, moment
from yuheng.telemetry.services.access import locked

COMMAND = "machines.command"
GATEWAY = system_actor("gateway")
EXPIRES_S = 30.0
TIMEOUT_S = 10.0
MOST_EXPIRES_S = 3600.0
MOST_TIMEOUT_S = 120.0
GRACE_S = 15.0
"""After the last moment at which a command can have ended: then nobody will tell any more."""
MAX_TEXT = 1000
MAX_ALLOWED = 100

Scalar = float | int | bool | str

EXPIRED = gettext_noop("The command's time was over before it could be sent.")
NOBODY_TOLD = gettext_noop("Nobody told what became of it. It may have been carried out.")
_OPEN = (CommandState.REQUESTED, CommandState.SENT)


# ---- what may be written ------------------------------------------------------------------------------------------


@transaction.atomic
def allow_writes(*, actor: Actor, source_id: int, is_allowed: bool, at: datetime) -> DataSource:
    """Let commands be written to the machine of a source, or stop it; needs ``telemetry.edit`` and machines.command.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    source = locked(DataSource, actor=actor, pk=source_id)
    actor.require(COMMAND, site_id=source.site_id)
    if source.allows_writes != is_allowed:
        source.allows_writes = is_allowed
        source.save(update_fields=["allows_writes"])
        publish(SourceChanged(source_id=source.pk, site_id=source.site_id), at=at)
        audit.record(
            actor=actor,
            action="source.allow_writes" if is_allowed else "source.forbid_writes",
            at=at,
            site_id=source.site_id,
            object_kind="data_source",
            object_id=source.pk,
            code=source.code,
        )
    return source


@transaction.atomic
def set_tag_writing(
    *,
    actor: Actor,
    tag_id: int,
    is_writable: bool,
    at: datetime,
    low: float | None = None,
    high: float | None = None,
    allowed: Sequence[Scalar] = (),
) -> TagWriting | None:
    """Let a tag be written, within limits in its unit or to some values only, or stop it.

    Needs ``telemetry.edit`` and ``machines.command`` at the tag's site.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The limits or values do not fit the tag's data type.
    """
    tag = locked(Tag, actor=actor, pk=tag_id)
    actor.require(COMMAND, site_id=tag.site_id)
    row = None
    if is_writable:
        _check_limits(tag, low, high, allowed)
        values = {"low": low, "high": high, "allowed": list(allowed)}
        row, _made = TagWriting.objects.update_or_create(tag=tag, defaults=values)
    else:
        TagWriting.objects.filter(tag=tag).delete()
    publish(TagsChanged(site_id=tag.site_id, count=1), at=at)
    audit.record(
        actor=actor,
        action="tag.allow_writing" if is_writable else "tag.forbid_writing",
        at=at,
        site_id=tag.site_id,
        object_kind="tag",
        object_id=tag.pk,
        address=tag.address,
        low=low,
        high=high,
        allowed=list(allowed),
    )
    return row


def _check_limits(tag: Tag, low: float | None, high: float | None, allowed: Sequence[Scalar]) -> None:
    limits = [limit for limit in (low, high) if limit is not None]
    if limits and tag.data_type not in (DataType.FLOAT, DataType.INT):
        sentence = _("Only numbers have a lowest and a highest value.")
        raise InvalidInput(sentence, {"low": sentence})
    if not all(isfinite(limit) for limit in limits) or (low is not None and high is not None and low > high):
        sentence = _("The lowest value must not be above the highest.")
        raise InvalidInput(sentence, {"low": sentence})
    if len(allowed) > MAX_ALLOWED:
        sentence = _("At most %(count)d values can be listed.") % {"count": MAX_ALLOWED}
        raise InvalidInput(sentence, {"allowed": sentence})
    for value in allowed:
        _typed(tag, value)


# ---- asking for it ------------------------------------------------------------------------------------------------


@transaction.atomic
def request_command(
    *,
    actor: Actor,
    tag_id: int,
    value: Scalar,
    reason: str,
    at: datetime,
    command_id: uuid.UUID,
    expires_s: float = EXPIRES_S,
    timeout_s: float = TIMEOUT_S,
) -> MachineCommand:
    """Ask for a value to be written to the machine behind a tag; needs ``machines.command`` at its site.

    Parameters
    ----------
    value
        In the tag's unit; a number or a text that spells one, for a tag of numbers.
    command_id
        Chosen by the caller; asking again with the same one is the same command.
    expires_s
        What could not be sent after so long is not sent any more.
    timeout_s
        How long the machine may take to show the value.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        No reason, or the value does not fit the tag.
    Conflict
        Writing is switched off at the source or the tag, or the source is.
    """
    tag = locked(Tag, actor=actor, pk=tag_id, permission=COMMAND)
    earlier: MachineCommand | None = MachineCommand.objects.filter(pk=command_id).first()
    if earlier is not None:
        if earlier.tag_id != tag.pk:
            raise Conflict(_("This command was given for another tag already."))
        return earlier
    _check_switched_on(tag)
    reason = " ".join(reason.split())
    if not reason or len(reason) > 400:
        sentence = _("Give a reason of 1 to 400 characters.")
        raise InvalidInput(sentence, {"reason": sentence})
    if not (0 < expires_s <= MOST_EXPIRES_S and 0 < timeout_s <= MOST_TIMEOUT_S):
        raise InvalidInput(_("A command lasts at most an hour, and waits at most two minutes for the machine."))
    typed = _allowed(tag, _typed(tag, value))
    row: MachineCommand = MachineCommand.objects.create(
        id=command_id,
        site_id=tag.site_id,
        source_id=tag.source_id,
        tag=tag,
        address=tag.address,
        value=typed,
        raw_value=_raw(tag, typed),
        unit=tag.unit,
        reason=reason,
        requested_by=actor.name,
        requested_by_id=actor.person_id,
        requested_at=at,
        expires_at=at + timedelta(seconds=expires_s),
        timeout_s=timeout_s,
    )
    publish(CommandRequested(command_id=str(row.pk), source_id=row.source_id, site_id=row.site_id), at=at)
    _audit(actor, row, "command.request", at, value=typed, reason=reason)
    return row


def _check_switched_on(tag: Tag) -> None:
    source = DataSource.objects.get(pk=tag.source_id)
    if not source.is_enabled:
        raise Conflict(_("The data source is disabled."))
    if not source.allows_writes:
        raise Conflict(_("Writing is not allowed at this data source."))
    if tag.retired_at is not None or not TagWriting.objects.filter(tag=tag).exists():
        raise Conflict(_("Writing is not allowed to this tag."))


def _typed(tag: Tag, value: Scalar) -> Scalar:
    """Return the value as the tag's type. Raises `InvalidInput`."""
    try:
        if tag.data_type == DataType.TEXT:
            if not isinstance(value, str) or len(value) > MAX_TEXT:
                raise ValueError
            return value
        if tag.data_type == DataType.BOOL:
            return _TRUTH[str(value).strip().lower()]
        number = float(value)
        if not isfinite(number) or (tag.data_type == DataType.INT and number != int(number)):
            raise ValueError
        return int(number) if tag.data_type == DataType.INT else number
    except (ValueError, KeyError, OverflowError):
        sentence = _("The value does not fit the tag's data type, %(type)s.") % {"type": tag.data_type}
        raise InvalidInput(sentence, {"value": sentence}) from None


_TRUTH = {"1": True, "1.0": True, "true": True, "on": True, "0": False, "0.0": False, "false": False, "off": False}


def _allowed(tag: Tag, value: Scalar) -> Scalar:
    limits = TagWriting.objects.get(tag=tag)
    sentence = ""
    if limits.allowed and value not in limits.allowed:
        sentence = _("Allowed are: %(values)s.") % {"values": ", ".join(map(str, limits.allowed))}
    elif not isinstance(value, str | bool):
        if limits.low is not None and value < limits.low:
            sentence = _("The value is below the lowest allowed, %(limit)g.") % {"limit": limits.low}
        elif limits.high is not None and value > limits.high:
            sentence = _("The value is above the highest allowed, %(limit)g.") % {"limit": limits.high}
    if sentence:
        raise InvalidInput(sentence, {"value": sentence})
    return value


def _raw(tag: Tag, value: Scalar) -> Scalar:
    """Return a value in the machine's own unit: ``value = raw * scale + offset``, undone."""
    if isinstance(value, str | bool) or (tag.scale == 1.0 and tag.offset == 0.0):
        return value
    return (value - tag.offset) / tag.scale


def _shown(tag: Tag, raw: Any) -> Any:
    """Return what was read back in the tag's unit."""
    if raw is None or isinstance(raw, str | bool) or (tag.scale == 1.0 and tag.offset == 0.0):
        return raw
    return raw * tag.scale + tag.offset


# ---- sending it, once ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToSend:
    """A command marked as sent; ``message`` goes to the gateway now, once."""

    source_id: int
    message: WriteCommand


@transaction.atomic
def claim_commands(*, at: datetime, limit: int = 100) -> list[ToSend]:
    """Mark what is requested as sent and return it, oldest first; what has expired is refused. Run by the worker."""
    rows = (
        MachineCommand.objects.select_for_update(skip_locked=True)
        .filter(state=CommandState.REQUESTED)
        .order_by("requested_at", "pk")[:limit]
    )
    claimed = []
    for row in rows:
        if row.expires_at <= at:
            _end(row, CommandState.REFUSED, EXPIRED, at)
            continue
        row.state, row.sent_at = CommandState.SENT, at
        row.save(update_fields=["state", "sent_at"])
        message = WriteCommand(
            id=str(row.pk),
            address=row.address,
            value=row.raw_value,
            expires_us=microseconds(row.expires_at),
            timeout_s=row.timeout_s,
        )
        claimed.append(ToSend(row.source_id, message))
    return claimed


@transaction.atomic
def note_not_heard(*, command_id: str) -> None:
    """Certainly nobody heard the message: the command waits for the next attempt, until it expires."""
    row = _locked_command(command_id)
    if row is not None and row.state == CommandState.SENT:
        row.state, row.sent_at = CommandState.REQUESTED, None
        row.save(update_fields=["state", "sent_at"])


@transaction.atomic
def note_refused(*, command_id: str, sentence: str, at: datetime) -> None:
    """The gateway did not take the command."""
    row = _locked_command(command_id)
    if row is not None and row.state == CommandState.SENT:
        _end(row, CommandState.REFUSED, sentence, at)


@transaction.atomic
def note_outcomes(*, outcomes: Sequence[CommandOutcome]) -> int:
    """Write down what became of commands; the same outcome twice is once. Returns how many were of a command."""
    known = 0
    for outcome in outcomes:
        row = _locked_command(outcome.id)
        if row is None or outcome.state not in set(CommandState) - set(_OPEN):
            continue
        known += 1
        if may_become(row.state, outcome.state):
            row.read_back = _shown(Tag.objects.get(pk=row.tag_id), outcome.read_back)
            _end(row, CommandState(outcome.state), outcome.sentence, moment(outcome.at_us))
    return known


@transaction.atomic
def note_silence(*, at: datetime) -> int:
    """Say that it is unknown what became of commands of which nobody will tell any more. Returns how many."""
    overdue = []
    rows = MachineCommand.objects.select_for_update(skip_locked=True).filter(state=CommandState.SENT)
    for row in rows.filter(Q(expires_at__lt=at)):
        if row.expires_at + timedelta(seconds=row.timeout_s + GRACE_S) < at:
            overdue.append(row)
    for row in overdue:
        _end(row, CommandState.UNKNOWN, NOBODY_TOLD, at)
    return len(overdue)


def is_command_open() -> bool:
    """Return whether any command waits to be sent or for its outcome. One query on an index of open ones only."""
    return MachineCommand.objects.filter(state__in=_OPEN).exists()


def _locked_command(command_id: str) -> MachineCommand | None:
    try:
        key = uuid.UUID(command_id)
    except ValueError:
        return None
    row: MachineCommand | None = MachineCommand.objects.select_for_update().filter(pk=key).first()
    return row


def _end(row: MachineCommand, state: CommandState, sentence: str, at: datetime) -> None:
    row.state, row.sentence, row.ended_at = state, sentence[:400], at
    row.save(update_fields=["state", "sentence", "ended_at", "read_back"])
    publish(
        CommandEnded(command_id=str(row.pk), source_id=row.source_id, site_id=row.site_id, state=state.value), at=at
    )
    _audit(GATEWAY, row, "command.end", at, state=state.value, sentence=row.sentence, read_back=row.read_back)


def _audit(actor: Actor, row: MachineCommand, action: str, at: datetime, **detail: Any) -> None:
    audit.record(
        actor=actor,
        action=action,
        at=at,
        site_id=row.site_id,
        object_kind="machine_command",
        object_id=str(row.pk),
        address=row.address,
        **detail,
    )


# ---- what could not be had ----------------------------------------------------------------------------------------


def note_gaps(*, gaps: Sequence[GapMessage]) -> int:
    """Write down what sources could not have; the same gap twice is once. Returns how many were of a source."""
    sites = dict(DataSource.objects.filter(pk__in={gap.source_id for gap in gaps}).values_list("pk", "site_id"))
    rows = []
    for gap in gaps:
        try:
            key = uuid.UUID(gap.id)
            started_at = moment(gap.start_us) if gap.start_us > 0 else None
            ended_at, noted_at = moment(gap.end_us), moment(gap.noted_us)
        except (ValueError, OverflowError):
            continue
        if gap.source_id in sites:
            rows.append(
                SourceGap(
                    id=key,
                    site_id=sites[gap.source_id],
                    source_id=gap.source_id,
                    started_at=started_at,
                    ended_at=ended_at,
                    sentence=gap.sentence[:400],
                    addresses=gap.addresses,
                    noted_at=noted_at,
                )
            )
    SourceGap.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)
