"""Who is away from work: entered ahead or in the morning, shortened when they are back. ``operations.dispatch``.

What is entered is a fact of the next look: jobs that need the person's skills become a disturbance with suggestions.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.people import selectors as people
from yuheng.scheduling.models import REASON_LENGTH, Absence
from yuheng.scheduling.services.access import DISPATCH

LONGEST = timedelta(days=400)


@transaction.atomic
def enter_absence(
    *, actor: Actor, site_id: int, person_id: int, start: datetime, end: datetime, note: str, at: datetime
) -> Absence:
    """Say that somebody is away from ``start`` to ``end``.

    Raises
    ------
    PermissionRefused
    InvalidInput
        The times are no time to come, or nobody of this site is meant.
    Conflict
        Somebody has entered a part of it already.
    """
    actor.require(DISPATCH, site_id=site_id)
    wrong = {}
    if person_id not in people.people_of_site(site_id=site_id):
        wrong["person"] = _("Choose somebody who works here.")
    if end <= start:
        wrong["end"] = _("Later than the beginning.")
    elif end <= at:
        wrong["end"] = _("Later than now.")
    elif end - start > LONGEST:
        wrong["end"] = _("At most 400 days.")
    if wrong:
        raise InvalidInput(_("This absence cannot be entered."), wrong)
    known = Absence.objects.select_for_update().filter(site_id=site_id, person_id=person_id)
    if known.filter(start__lt=end, end__gt=start).exists():
        raise Conflict(_("An absence of this person is entered for that time already."))
    row: Absence = Absence.objects.create(
        site_id=site_id, person_id=person_id, start=start, end=end, note=note.strip()[:REASON_LENGTH], said_at=at,
        said_by=actor.name[:150],
    )  # fmt: skip
    audit.record(
        actor=actor, action="plan.absence_entered", at=at, site_id=site_id, object_kind="absence", object_id=row.pk,
        person_id=person_id, start=start.isoformat(), end=end.isoformat(), note=row.note,
    )  # fmt: skip
    return row


@transaction.atomic
def end_absence(*, actor: Actor, absence_id: int, at: datetime) -> None:
    """Say that somebody is back, or does not go: from now on nobody reckons with it.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        It is over already.
    """
    row = Absence.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=absence_id).first()
    if row is None:
        actor.require(DISPATCH)
        raise NotVisible(_("There is no such absence here."))
    actor.require(DISPATCH, site_id=row.site_id)
    if row.end <= at:
        raise Conflict(_("This absence is over already."))
    told = {"person_id": row.person_id, "start": row.start.isoformat(), "former_end": row.end.isoformat()}
    if row.start >= at:
        row.delete()
    else:
        row.end = at
        row.save(update_fields=["end"])
    audit.record(
        actor=actor, action="plan.absence_ended", at=at, site_id=row.site_id, object_kind="absence",
        object_id=absence_id, **told,
    )  # fmt: skip
