"""Taking what terminals report: each action once, in the order of its stream, conflicts kept and never guessed.

One transaction for each action: what was taken before a power cut is exactly a beginning of the stream, and the
terminal sends the rest again. An action's row and its effect become true together.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput
from yuheng.operations.terminal.models import StationDevice, StationStream, TerminalAction
from yuheng.operations.terminal.rules import (
    CLOCK_SLACK,
    LONGEST_LOOK_BACK,
    OPEN,
    Action,
    Kind,
    Outcome,
    StreamCollides,
    dependency_keys,
    moment_taken,
    waits_for,
)
from yuheng.operations.terminal.selectors.devices import device_actor
from yuheng.operations.terminal.services.performing import perform
from yuheng.people.services.badges import actor_of_badge

log = logging.getLogger(__name__)

Perform = Callable[[TerminalAction, StationDevice, datetime], Actor]
"""Does what an action says, or raises a `DomainError`; returns who did it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one action.

    ``is_new`` is False when it had been taken before; ``outcome`` is None when it must be sent again after those
    before it ("early").
    """

    id: uuid.UUID
    sequence: int
    outcome: Outcome | None
    sentence: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """The answers of a batch by sequence, and how far the stream is taken."""

    answers: list[Answer]
    last_sequence: int


def merge(
    *,
    device: StationDevice,
    stream: uuid.UUID,
    actions: Sequence[Action],
    at: datetime,
    perform: Perform = perform,
) -> Merged:
    """Take a batch of a terminal's stream.

    Parameters
    ----------
    actions
        In any order, with any repetitions; those after a gap in the sequence are not taken yet.
    at
        When the batch was received.

    Raises
    ------
    StreamCollides
        An unknown action has a number that this stream already used. What stood before it in the batch is taken.
    """
    answers: list[Answer] = []
    for action in sorted(actions, key=lambda one: one.sequence):
        answers.append(_take(device, stream, action, at, perform))
    last = StationStream.objects.filter(device=device, stream=stream).values_list("last_sequence", flat=True).first()
    return Merged(answers, last or 0)


@transaction.atomic
def _take(device: StationDevice, stream: uuid.UUID, action: Action, at: datetime, perform: Perform) -> Answer:
    """Take one action, or say that it was taken, or that it comes too early."""
    # The device's row serialises everything that concerns one terminal: its streams, and decisions on its conflicts.
    StationDevice.objects.select_for_update().get(pk=device.pk)
    position, _is_new = StationStream.objects.get_or_create(device=device, stream=stream)
    found = TerminalAction.objects.filter(action_id=action.id).first()
    if found is not None and found.device_id != device.pk:
        raise InvalidInput(f"Action {action.id} was reported by another terminal.")
    if found is None and action.sequence <= position.last_sequence:
        raise StreamCollides(f"Sequence {action.sequence} of this stream is another action's.")
    if action.sequence > position.last_sequence + 1:
        return Answer(action.id, action.sequence, None if found is None else Outcome(found.outcome), "", is_new=False)
    if action.sequence == position.last_sequence + 1:
        position.last_sequence = action.sequence
        position.save(update_fields=["last_sequence"])
    if found is not None:
        return Answer(action.id, action.sequence, Outcome(found.outcome), found.sentence, is_new=False)
    row = _row(device, stream, action, at)
    if waits_for(action.keys, open_before(device)):
        row.outcome, row.sentence = Outcome.HELD, _("Waits for an earlier report that is in conflict.")
    else:
        try_now(row, device, at, perform)
    row.save()
    return Answer(action.id, action.sequence, Outcome(row.outcome), row.sentence, is_new=True)


def _row(device: StationDevice, stream: uuid.UUID, action: Action, at: datetime) -> TerminalAction:
    return TerminalAction(
        site_id=device.site_id,
        device=device,
        action_id=action.id,
        stream=stream,
        sequence=action.sequence,
        kind=action.kind.value,
        payload=dict(action.payload),
        session=action.session,
        job_order_id=action.job_order_id,
        work_unit_id=device.work_unit_id,
        said_at=action.happened_at,
        happened_at=moment_taken(action.happened_at, at),
        received_at=at,
        outcome=Outcome.CONFLICT.value,
    )


def open_before(device: StationDevice, *, before: int | None = None) -> list[tuple[Kind, frozenset[str]]]:
    """Return what is in conflict or held at a terminal, as `rules.waits_for` reads it. One query."""
    rows = TerminalAction.objects.filter(device=device, outcome__in=sorted(OPEN))
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = rows.order_by("id").values_list("kind", "session", "job_order_id")
    return [(Kind(kind), dependency_keys(Kind(kind), session, job)) for kind, session, job in found]


def try_now(row: TerminalAction, device: StationDevice, at: datetime, perform: Perform = perform) -> None:
    """Do what an action says and note what became of it on the row (not saved); a refusal leaves nothing behind.

    A fault of ours is a conflict, too: it must neither vanish nor stop everything after it. A database that does not
    answer is no outcome: the error goes up, nothing is taken, and the terminal sends it again.
    """
    row.tried_at = at
    try:
        _refuse_strange_moments(row)
        with transaction.atomic():
            actor = perform(row, device, at)
    except (OperationalError, InterfaceError):
        raise
    except DomainError as refusal:
        row.outcome, row.sentence = Outcome.CONFLICT.value, str(refusal)
    except Exception:
        log.exception("Action %s of terminal %s broke.", row.action_id, device.pk)
        row.outcome = Outcome.CONFLICT.value
        row.sentence = _("Something broke on our side; the details are in the server's log.")
    else:
        row.outcome, row.sentence, row.person_id = Outcome.APPLIED.value, "", actor.person_id
    if row.outcome == Outcome.CONFLICT:
        row.person_id = row.person_id or _who_said_it(row)
        audit.record(
            actor=device_actor(device),
            action="terminal.conflict",
            at=at,
            site_id=device.site_id,
            object_kind="terminal",
            object_id=device.pk,
            kind=row.kind,
            job_order=row.job_order_id,
            sentence=row.sentence[:300],
        )


def _refuse_strange_moments(row: TerminalAction) -> None:
    if row.said_at > row.received_at + CLOCK_SLACK:
        raise InvalidInput(_("The terminal's clock was wrong: it reports the future. Decide by hand."))
    if row.said_at < row.received_at - LONGEST_LOOK_BACK:
        raise InvalidInput(_("This happened more than a week before it was reported. Decide by hand."))


def _who_said_it(row: TerminalAction) -> int | None:
    """Return the person behind a conflict, for the list; None when even that is unknown."""
    from_session = (
        row.device.sessions.filter(pk=row.session or uuid.UUID(int=0)).values_list("person_id", flat=True).first()
    )
    if from_session is None and row.kind == Kind.SIGN_IN:
        actor = actor_of_badge(row.payload.get("badge", ""))
        return actor.person_id if actor else None
    return from_session
