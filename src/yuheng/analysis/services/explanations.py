"""Giving the reasons of stops. What is said is replaced, never changed: who said what, and when, stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.analysis.models import Explanation
from yuheng.analysis.rules import MAX_COMMENT, Said, pieces_of, remaining
from yuheng.analysis.selectors import reasons
from yuheng.analysis.selectors.reasons import EXPLAIN, ReasonRow
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import states

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stop, or a part of one: ``start`` lies in it; ``end`` None: until it ends."""

    work_unit_id: int
    start: datetime
    end: datetime | None = None


def explain_stop(
    *,
    actor: Actor,
    work_unit_id: int,
    start: datetime,
    end: datetime | None,
    reason_id: int,
    comment: str = "",
    at: datetime,
) -> Explanation:
    """Give the reason of a stop or of a part of it; see `explain_stops`."""
    stretch = Stretch(work_unit_id, start, end)
    return explain_stops(actor=actor, stretches=[stretch], reason_id=reason_id, comment=comment, at=at)[0]


@transaction.atomic
def explain_stops(
    *, actor: Actor, stretches: Sequence[Stretch], reason_id: int, comment: str = "", at: datetime
) -> list[Explanation]:
    """Give one reason for several stops, all or none.

    Parameters
    ----------
    stretches
        Each lies in a stop of its work unit (an interval in which it does not produce). A ``start`` or ``end`` within
        the stop cuts it; what was said about that part is replaced, what was said about the rest stays.
    reason_id
        A reason of the same site, not retired, that holds for the units' classes.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, Conflict
        No permission ``states.explain``; no such unit or reason; no stop at that time; somebody else was faster.
    """
    actor.require(EXPLAIN)
    if not 0 < len(stretches) <= MOST_AT_ONCE:
        raise InvalidInput(_("Choose 1 to %(most)d stops.") % {"most": MOST_AT_ONCE})
    comment = _checked_comment(comment)
    reason = reasons.reason(actor=actor, reason_id=reason_id)
    made = []
    for stretch in sorted(stretches, key=lambda one: (one.work_unit_id, one.start)):
        unit = equipment.work_unit(actor=actor, work_unit_id=stretch.work_unit_id)
        actor.require(EXPLAIN, site_id=unit.site_id)
        _check_reason(reason, unit)
        made.append(_explain(actor, unit, stretch, reason, comment, at))
    return made


@transaction.atomic
def withdraw_explanation(*, actor: Actor, explanation_id: int, at: datetime) -> None:
    """Take back a reason: the stop is unexplained again. What was said stays in the history.

    Raises
    ------
    PermissionRefused, NotVisible, Conflict
    """
    actor.require(EXPLAIN)
    row = Explanation.objects.visible_to(actor).select_for_update().filter(pk=explanation_id).first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    actor.require(EXPLAIN, site_id=row.site_id)
    if row.replaced_at is not None:
        raise Conflict(_("Somebody has changed this reason meanwhile. Look again."))
    _replace(actor, row, at)
    audit.record(
        actor=actor,
        action="reason.withdraw",
        at=at,
        site_id=row.site_id,
        object_kind="work_unit",
        object_id=row.work_unit_id,
        start=row.from_at.isoformat(),
        end=row.until_at.isoformat(),
        reason_id=row.reason_id,
    )


def _checked_comment(comment: str) -> str:
    comment = " ".join(comment.split())
    if len(comment) > MAX_COMMENT:
        sentence = _("A comment has at most %(most)d characters.") % {"most": MAX_COMMENT}
        raise InvalidInput(sentence, {"comment": sentence})
    return comment


def _check_reason(reason: ReasonRow, unit: equipment.WorkUnitRow) -> None:
    if reason.site_id != unit.site_id:
        raise NotVisible(_("There is no such reason here."))
    if reason.is_retired:
        raise InvalidInput(_("This reason is retired. Choose another one."), {"reason": reason.code})
    if not reason.holds_for(unit.class_id):
        raise InvalidInput(_("This reason does not hold for machines of this class."), {"reason": reason.code})


def _explain(
    actor: Actor, unit: equipment.WorkUnitRow, stretch: Stretch, reason: ReasonRow, comment: str, at: datetime
) -> Explanation:
    stop = _stop_of(actor, unit, stretch, at)
    start_us = max(microseconds(stretch.start), stop[0])
    end_us = stop[1] if stretch.end is None else min(microseconds(stretch.end), stop[1])
    if end_us <= start_us:
        raise InvalidInput(_("The end must be after the start."), {"end": _("The end must be after the start.")})
    _make_room(actor, unit.id, stop, (start_us, end_us), at)
    row = Explanation(
        site_id=unit.site_id,
        work_unit_id=unit.id,
        reason_id=reason.id,
        comment=comment,
        from_at=moment(start_us),
        until_at=moment(end_us),
        is_start_cut=start_us > stop[0],
        is_end_cut=end_us < stop[1],
        given_by=actor.name,
        given_at=at,
    )
    _insert([row])
    audit.record(
        actor=actor,
        action="reason.give",
        at=at,
        site_id=unit.site_id,
        object_kind="work_unit",
        object_id=unit.id,
        work_unit=unit.code,
        start=row.from_at.isoformat(),
        end=row.until_at.isoformat(),
        reason=reason.code,
        comment=comment,
    )
    return row


def _stop_of(actor: Actor, unit: equipment.WorkUnitRow, stretch: Stretch, at: datetime) -> tuple[int, int]:
    after = moment(microseconds(stretch.start) + 1)
    rows = states.states_between(actor=actor, start=stretch.start, end=after, work_unit_ids=[unit.id])
    row = next((one for one in rows if one.state != UnitState.PRODUCING), None)
    if row is None or row.started_at >= at:
        raise InvalidInput(_("%(unit)s has no stop at that time.") % {"unit": unit.code})
    return microseconds(row.started_at), microseconds(row.ended_at or at)


def _make_room(actor: Actor, unit_id: int, stop: tuple[int, int], taken: tuple[int, int], at: datetime) -> None:
    """Replace what was said about ``taken``; what was said about the rest goes on under its own name."""
    rows = list(
        Explanation.objects.select_for_update().filter(
            work_unit_id=unit_id, replaced_at__isnull=True, from_at__lt=moment(stop[1]), until_at__gt=moment(stop[0])
        )
    )
    said = {
        row.pk: Said(
            row.pk,
            row.reason_id,
            microseconds(row.from_at),
            microseconds(row.until_at),
            row.is_start_cut,
            row.is_end_cut,
        )
        for row in rows
    }
    pieces = pieces_of(*stop, said.values())
    left: list[Explanation] = []
    for row in rows:
        stays = remaining(said[row.pk], stop, pieces, taken)
        if stays == [said[row.pk]]:
            continue
        _replace(actor, row, at)
        left += [_continued(row, one) for one in stays]
    _insert(left)


def _continued(row: Explanation, said: Said) -> Explanation:
    return Explanation(
        site_id=row.site_id,
        work_unit_id=row.work_unit_id,
        reason_id=row.reason_id,
        comment=row.comment,
        from_at=moment(said.start_us),
        until_at=moment(said.end_us),
        is_start_cut=said.is_start_cut,
        is_end_cut=said.is_end_cut,
        given_by=row.given_by,
        given_at=row.given_at,
        continues_id=row.pk,
    )


def _replace(actor: Actor, row: Explanation, at: datetime) -> None:
    row.replaced_at, row.replaced_by = at, actor.name
    row.save(update_fields=["replaced_at", "replaced_by"])


def _insert(rows: Sequence[Explanation]) -> None:
    try:
        with transaction.atomic():  # the savepoint lets us turn a broken constraint into a sentence
            Explanation.objects.bulk_create(rows)
    except IntegrityError as error:
        raise Conflict(_("Somebody has changed this reason meanwhile. Look again.")) from error
