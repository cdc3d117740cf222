"""What each kind of action does: the one place where a terminal's words become verbs of operations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.operations.terminal.models import StationDevice, TerminalAction
from yuheng.operations.terminal.rules import Kind
from yuheng.operations.terminal.services import sessions
from yuheng.people.services.badges import actor_of_badge
from yuheng.people.services.signing_in import SignInRefused

Verb = Callable[[TerminalAction, Actor, datetime], None]


def perform(row: TerminalAction, device: StationDevice, at: datetime) -> Actor:
    """Do what an action says, as the person who did it; return them. Raises `DomainError` when a rule says no."""
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


VERBS: dict[Kind, Verb] = {}
