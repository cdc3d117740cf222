"""Verbs about being signed in at a terminal. Several people may be; the running job does not notice."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, PermissionRefused
from yuheng.operations.terminal.models import StationDevice, TerminalSession
from yuheng.operations.terminal.rules import SESSION_LENGTH
from yuheng.people import services as people
from yuheng.people.rules import Permission

EXECUTE = Permission.OPERATIONS_EXECUTE


def sign_in(
    *, device: StationDevice, session: uuid.UUID, at: datetime, badge: str = "", number: str = "", pin: str = ""
) -> TerminalSession:
    """Sign somebody in at a terminal that is connected, by badge (its fingerprint) or by number and PIN.

    Raises
    ------
    SignInRefused
        Not known, wrong, or too many failures.
    PermissionRefused
        Known, but may not execute job orders at this site.
    Conflict
        The terminal's id for this is already somebody else's.
    """
    terminal = f"{device.pk}"
    if badge:
        actor = people.sign_in_with_badge(fingerprint=badge, terminal=terminal, at=at)
    else:
        actor = people.sign_in_with_pin(number=number, pin=pin, terminal=terminal, at=at)
    return open_session(device=device, session=session, actor=actor, at=at)


@transaction.atomic
def open_session(*, device: StationDevice, session: uuid.UUID, actor: Actor, at: datetime) -> TerminalSession:
    """Note that somebody whose badge or PIN was right is here. Saying it again changes nothing."""
    if actor.person_id is None or not actor.may(EXECUTE, site_id=device.site_id):
        raise PermissionRefused(_("You may not work at this station. Ask who manages people here."))
    made, is_new = TerminalSession.objects.get_or_create(
        pk=session,
        defaults={
            "device": device,
            "person_id": actor.person_id,
            "started_at": at,
            "expires_at": at + SESSION_LENGTH,
        },
    )
    if not is_new and (made.device_id, made.person_id) != (device.pk, actor.person_id):
        raise Conflict(_("Somebody else is signed in under this mark. Sign in again."))
    return made


@transaction.atomic
def close_session(*, device: StationDevice, session: uuid.UUID, at: datetime) -> None:
    """Note that somebody has left. Who had left already stays so."""
    TerminalSession.objects.filter(pk=session, device=device, ended_at__isnull=True).update(ended_at=at)


def actor_of_session(*, device: StationDevice, session: uuid.UUID | None, happened_at: datetime) -> Actor:
    """Return who did something at a terminal, with what they may do now. Two queries.

    Raises
    ------
    PermissionRefused
        Nobody was signed in under this mark at that moment, or they are no longer with us.
    """
    found = TerminalSession.objects.filter(pk=session, device=device).first() if session else None
    if found is None:
        raise PermissionRefused(_("Nobody is known under the mark that the terminal gave."))
    is_over = found.ended_at is not None and happened_at > found.ended_at
    if is_over or happened_at > found.expires_at:
        raise PermissionRefused(_("At that moment this person was no longer signed in here."))
    actor = people.floor_actor(found.person_id)
    if actor is None:
        raise PermissionRefused(_("This person's account is deactivated."))
    return actor
