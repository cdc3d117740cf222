"""Taking in what the historian worked out: the states of work units as exact merged intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from yuheng.bus.messages import StateRevision
from yuheng.equipment import selectors as equipment
from yuheng.telemetry.models import WorkUnitState
from yuheng.telemetry.rules import Lasting, microseconds, moment, revised


def apply_state_revision(revision: StateRevision) -> bool:
    """Apply one revision; see `apply_state_revisions`. Return whether it was usable."""
    return apply_state_revisions([revision]) == 1


@transaction.atomic
def apply_state_revisions(revisions: Sequence[StateRevision]) -> int:
    """Replace each unit's states from ``from_us`` on by those given, in the order of the sequence.

    Parameters
    ----------
    revisions
        In the order of the log. Applying a revision again right after itself changes nothing.

    Returns
    -------
    int
        How many were usable: revisions of a work unit that does not exist, or whose intervals overlap, are not.

    Notes
    -----
    Revisions of one unit are worked out in memory from the rows they touch and written once:
    1 query for the units, and for each unit 1 to read and at most 3 to write.
    """
    sites = equipment.site_of_work_units({revision.work_unit_id for revision in revisions})
    by_unit: dict[int, list[StateRevision]] = {}
    for revision in revisions:
        if revision.work_unit_id in sites:
            by_unit.setdefault(revision.work_unit_id, []).append(revision)
    return sum(_revise_unit(unit_id, sites[unit_id], of_unit) for unit_id, of_unit in by_unit.items())


def _revise_unit(unit_id: int, site_id: int, revisions: list[StateRevision]) -> int:
    first_us = min(revision.from_us for revision in revisions)
    touched = Q(ended_at__isnull=True) | Q(ended_at__gte=moment(first_us))
    rows = list(WorkUnitState.objects.filter(touched, work_unit_id=unit_id).order_by("started_at").select_for_update())
    stored = [_lasting(row) for row in rows]
    usable = 0
    for revision in revisions:
        given = [Lasting(i.state, i.cause[:400], i.start_us, i.end_us) for i in revision.intervals]
        try:
            stored = revised(stored, given, from_us=revision.from_us)
        except (ValueError, OverflowError):
            continue
        usable += 1
    _write(unit_id, site_id, rows, stored)
    return usable


def _write(unit_id: int, site_id: int, rows: list[WorkUnitState], wanted: Iterable[Lasting]) -> None:
    """Make the rows what is wanted: delete first, then update, then insert, so that no two ever overlap."""
    missing = {interval.start_us: interval for interval in wanted}
    gone: list[int] = []
    changed: list[WorkUnitState] = []
    for row in rows:
        interval = missing.pop(microseconds(row.started_at), None)
        if interval is None:
            gone.append(row.pk)
        elif _lasting(row) != interval:
            row.state, row.cause, row.ended_at = interval.state, interval.cause, _moment(interval.end_us)
            changed.append(row)
    if gone:
        WorkUnitState.objects.filter(pk__in=gone).delete()
    if len(changed) == 1:
        changed[0].save(update_fields=["state", "cause", "ended_at"])
    elif changed:
        WorkUnitState.objects.bulk_update(changed, ["state", "cause", "ended_at"])
    if missing:
        WorkUnitState.objects.bulk_create(_row(unit_id, site_id, interval) for interval in missing.values())


def _row(unit_id: int, site_id: int, interval: Lasting) -> WorkUnitState:
    return WorkUnitState(
        site_id=site_id,
        work_unit_id=unit_id,
        state=interval.state,
        cause=interval.cause,
        started_at=moment(interval.start_us),
        ended_at=_moment(interval.end_us),
    )


def _lasting(row: WorkUnitState) -> Lasting:
    end_us = None if row.ended_at is None else microseconds(row.ended_at)
    return Lasting(row.state, row.cause, microseconds(row.started_at), end_us)


def _moment(us: int | None) -> datetime | None:
    return None if us is None else moment(us)
