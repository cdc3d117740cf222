"""Shifts of a site in order, their notes and signatures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from yuheng.analysis.models import ShiftNote, ShiftSignature
from yuheng.equipment import selectors as equipment
from yuheng.kernel import calendars
from yuheng.kernel.actor import Actor
from yuheng.kernel.calendars import Calendar, ShiftOccurrence

VIEW = "telemetry.view"
LOOK_FOR = timedelta(days=14)
"""A neighbouring shift is searched this far away: longer than any holiday of a plant that works."""


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A note, by whom and when."""

    text: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """A signature: ``part`` is ``giving`` or ``taking``."""

    part: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ShiftInOrder:
    """A shift between its neighbours; None where there is none within two weeks."""

    shift: ShiftOccurrence
    before: ShiftOccurrence | None
    after: ShiftOccurrence | None


def site_calendar(*, actor: Actor, site_id: int) -> Calendar | None:
    """Return the calendar by which a site's shifts are counted: its default one, else its first."""
    calendar = equipment.calendar_for(actor=actor, site_id=site_id)
    return calendar or next(iter(equipment.calendars_of_site(actor=actor, site_id=site_id)), None)


def shift_that_began(*, actor: Actor, site_id: int, shift_start: datetime) -> ShiftOccurrence | None:
    """Return the shift of a site that began at this instant; None when none did."""
    calendar = site_calendar(actor=actor, site_id=site_id)
    shift = calendars.shift_at(calendar, shift_start) if calendar else None
    return shift if shift is not None and shift.start == shift_start else None


def shift_in_order(*, actor: Actor, site_id: int, at: datetime) -> ShiftInOrder | None:
    """Return the shift that runs at an instant, else the last one before it, with its neighbours."""
    actor.require(VIEW, site_id=site_id)
    calendar = site_calendar(actor=actor, site_id=site_id)
    if calendar is None:
        return None
    found = list(calendars.occurrences(calendar, at - LOOK_FOR, at + LOOK_FOR))
    begun = [number for number, shift in enumerate(found) if shift.start <= at]
    if not begun:
        return None
    here = begun[-1]
    before = found[here - 1] if here else None
    after = found[here + 1] if here + 1 < len(found) else None
    return ShiftInOrder(found[here], before, after)


def notes_of(*, actor: Actor, site_id: int, shift_start: datetime) -> list[NoteRow]:
    """Notes of a shift, oldest first. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = ShiftNote.objects.filter(site_id=site_id, shift_start=shift_start)
    return [NoteRow(*row) for row in rows.values_list("text", "written_by", "written_at")]


def signatures_of(*, actor: Actor, site_id: int, shift_start: datetime) -> dict[str, SignatureRow]:
    """Signatures of a shift by part. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = ShiftSignature.objects.filter(site_id=site_id, shift_start=shift_start)
    return {row.part: SignatureRow(row.part, row.signed_by, row.signed_at) for row in rows}
