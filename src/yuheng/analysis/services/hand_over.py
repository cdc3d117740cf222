"""What one shift tells the next: notes, and the signatures of who gave and who took over."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.analysis.models import ShiftNote, ShiftSignature
from yuheng.analysis.rules import HandOverPart
from yuheng.analysis.selectors.hand_over import shift_that_began
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused
from yuheng.kernel.models import Site

EXPLAIN = "states.explain"
LONGEST_NOTE = 2000
MOST_NOTES = 200
OPEN_FOR = timedelta(days=7)


@transaction.atomic
def write_note(*, actor: Actor, site_id: int, shift_start: datetime, text: str, at: datetime) -> ShiftNote:
    """Add a note to a shift; needs ``states.explain`` at the site.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        No such shift, nothing written, too long, or the shift is over for more than a week.
    """
    _check(actor, site_id, shift_start, at)
    text = text.strip()
    if not text:
        raise InvalidInput(_("Write what the next shift should know."), {"text": _("Nothing is written.")})
    if len(text) > LONGEST_NOTE:
        raise InvalidInput(_("A note has at most %(most)d characters.") % {"most": LONGEST_NOTE}, {"text": ""})
    if ShiftNote.objects.filter(site_id=site_id, shift_start=shift_start).count() >= MOST_NOTES:
        raise InvalidInput(_("This shift has %(most)d notes already.") % {"most": MOST_NOTES}, {"text": ""})
    row = ShiftNote.objects.create(
        site_id=site_id, shift_start=shift_start, text=text, written_by=actor.name, written_at=at
    )
    audit.record(
        actor=actor,
        action="shift.note",
        at=at,
        site_id=site_id,
        object_kind="shift",
        object_id=f"{shift_start:%FT%TZ}",
        text=text,
    )
    return row


@transaction.atomic
def sign_shift(
    *, actor: Actor, site_id: int, shift_start: datetime, part: HandOverPart, at: datetime
) -> ShiftSignature:
    """Sign for giving a shift away, or for taking over from it; needs ``states.explain``. Two people, once each.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        This part is signed already, or the same person signed the other one.
    """
    _check(actor, site_id, shift_start, at)
    if actor.person_id is None:
        raise PermissionRefused(_("Only a person can sign."))
    Site.objects.select_for_update().get(pk=site_id)  # one signature after the other: each is checked against the rest
    signed = {row.part: row for row in ShiftSignature.objects.filter(site_id=site_id, shift_start=shift_start)}
    if part in signed:
        raise Conflict(_("%(who)s has signed here already.") % {"who": signed[part].signed_by})
    if any(row.signed_by == actor.name for row in signed.values()):
        raise Conflict(_("You signed the other part: a shift is given and taken by two people."))
    row = ShiftSignature.objects.create(
        site_id=site_id, shift_start=shift_start, part=part.value, signed_by=actor.name, signed_at=at
    )
    audit.record(
        actor=actor,
        action="shift.sign",
        at=at,
        site_id=site_id,
        object_kind="shift",
        object_id=f"{shift_start:%FT%TZ}",
        part=part.value,
    )
    return row


def _check(actor: Actor, site_id: int, shift_start: datetime, at: datetime) -> None:
    actor.require(EXPLAIN, site_id=site_id)
    shift = shift_that_began(actor=actor, site_id=site_id, shift_start=shift_start)
    if shift is None or shift.start > at:
        raise InvalidInput(_("No shift begins at that time."), {"shift": ""})
    if at - shift.end > OPEN_FOR:
        raise InvalidInput(_("That shift ended more than a week ago; nothing is added to it any more."), {"shift": ""})
