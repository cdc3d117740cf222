"""Deciding on conflicts: try again, or discard for a reason. What waited for it then takes its turn by itself."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.operations.terminal.models import StationDevice, TerminalAction
from yuheng.operations.terminal.rules import (
    OPEN,
    ConflictSettled,
    Kind,
    OlderConflictOpen,
    Outcome,
    dependency_keys,
    waits_for,
)
from yuheng.operations.terminal.services.merging import Perform, open_before, try_now
from yuheng.operations.terminal.services.performing import perform
from yuheng.people.rules import Permission

DISPATCH = Permission.OPERATIONS_DISPATCH


@transaction.atomic
def retry_action(*, actor: Actor, action_id: int, at: datetime, perform: Perform = perform) -> TerminalAction:
    """Try a conflict once more, as the person who reported it and for the moment at which it happened.

    Raises
    ------
    PermissionRefused, NotVisible
        Without ``operations.dispatch`` at the site.
    ConflictSettled
        It is no longer open.
    OlderConflictOpen
        One before it must be decided first.
    """
    row, device = _locked_open(actor, action_id)
    if waits_for(_keys(row), open_before(device, before=row.pk)):
        raise OlderConflictOpen(_("Decide on the earlier report first: this one depends on it."))
    try_now(row, device, at, perform)
    if row.outcome == Outcome.APPLIED:
        row.settled_by, row.settled_at = actor.name, at
    row.save()
    _audit(actor, row, "terminal.retry", at, outcome=row.outcome)
    let_go(device, at, perform)
    return row


@transaction.atomic
def discard_action(
    *, actor: Actor, action_id: int, reason: str, at: datetime, perform: Perform = perform
) -> TerminalAction:
    """Decide that what was reported shall not count, and why. The report stays in the list of what was decided.

    Raises
    ------
    PermissionRefused, NotVisible, ConflictSettled
    InvalidInput
        No reason.
    """
    row, device = _locked_open(actor, action_id)
    if not reason.strip():
        message = _("Say why it shall not count.")
        raise InvalidInput(message, {"reason": message})
    row.outcome, row.discard_reason = Outcome.DISCARDED.value, reason.strip()[:500]
    row.settled_by, row.settled_at = actor.name, at
    row.save()
    _audit(actor, row, "terminal.discard", at, reason=row.discard_reason)
    let_go(device, at, perform)
    return row


def let_go(device: StationDevice, at: datetime, perform: Perform = perform) -> None:
    """Try what was held and waits for nothing any more, in the order in which it was reported."""
    for row in TerminalAction.objects.filter(device=device, outcome=Outcome.HELD.value).order_by("id"):
        if not waits_for(_keys(row), open_before(device, before=row.pk)):
            try_now(row, device, at, perform)
            row.save()


def _keys(row: TerminalAction) -> frozenset[str]:
    return dependency_keys(Kind(row.kind), row.session, row.job_order_id)


def _locked_open(actor: Actor, action_id: int) -> tuple[TerminalAction, StationDevice]:
    found = TerminalAction.objects.visible_to(actor).filter(pk=action_id).first()
    if found is None:
        raise NotVisible(_("There is no such report."))
    actor.require(DISPATCH, site_id=found.site_id)
    device = StationDevice.objects.select_for_update().get(pk=found.device_id)
    row = TerminalAction.objects.select_for_update().get(pk=action_id)
    if row.outcome not in OPEN:
        raise ConflictSettled(_("Somebody has already decided on this report."))
    return row, device


def _audit(actor: Actor, row: TerminalAction, action: str, at: datetime, **detail: object) -> None:
    audit.record(
        actor=actor,
        action=action,
        at=at,
        site_id=row.site_id,
        object_kind="terminal_action",
        object_id=row.pk,
        kind=row.kind,
        job_order=row.job_order_id,
        **detail,
    )
