"""What the historian tells of signals and states is written down; `meeting` looks at it at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from yuheng.bus.messages import JobSeries, JobSignals
from yuheng.equipment import selectors as equipment
from yuheng.kernel.moments import EPOCH
from yuheng.operations.models import MachineSignal, UnitMeeting
from yuheng.operations.rules.signals import SignalKind

LARGEST_SEQ = 2**63
TOGETHER = timedelta(seconds=1)


def note_signals(*, facts: Sequence[JobSignals], at: datetime) -> int:
    """Write down readings, each once whatever comes twice, and let their units be looked at.

    Inside the caller's transaction, which also says how far the log was read. Four queries.

    Returns
    -------
    int
        How many of the messages were of a work unit that exists.
    """
    sites = equipment.site_of_work_units({fact.work_unit_id for fact in facts})
    usable = [fact for fact in facts if fact.work_unit_id in sites]
    rows = [
        row
        for fact in usable
        for series in fact.series
        if series.kind in {kind.value for kind in SignalKind}
        for row in _rows(sites[fact.work_unit_id], fact.work_unit_id, series)
    ]
    MachineSignal.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    look_soon(work_unit_ids=[fact.work_unit_id for fact in usable], at=at, sites=sites)
    return len(usable)


def _rows(site_id: int, work_unit_id: int, series: JobSeries) -> list[MachineSignal]:
    found = []
    for time_us, seq, value, arrived_us in zip(
        series.times_us, series.seqs, series.values, series.arrived_us, strict=True
    ):
        taken = EPOCH + timedelta(microseconds=time_us)
        is_number = not isinstance(value, str)
        if series.kind == SignalKind.COUNT.value and not is_number:
            continue
        found.append(
            MachineSignal(
                site_id=site_id, work_unit_id=work_unit_id, tag_id=series.tag_id, symbol=series.symbol[:60],
                kind=series.kind, role=series.role[:40], at=taken, seq=min(seq, LARGEST_SEQ - 1),
                value=float(value) if is_number else None, text=_text(value),
                arrived_at=EPOCH + timedelta(microseconds=arrived_us), happened_at=taken,
            )
        )  # fmt: skip
    return found


def _text(value: float | str) -> str:
    """Return a run number as text: controllers have them as words and as numbers."""
    if isinstance(value, str):
        return value.strip()[:200]
    return f"{value:.0f}" if value == int(value) else repr(value)


def look_soon(*, work_unit_ids: Iterable[int], at: datetime, sites: dict[int, int] | None = None) -> None:
    """Let `meeting.meet` look at these units: after new states, or what people did to their jobs. Three queries."""
    wanted = sorted(set(work_unit_ids))
    if not wanted:
        return
    sites = equipment.site_of_work_units(wanted) if sites is None else sites
    known = [unit for unit in wanted if unit in sites]
    UnitMeeting.objects.bulk_create(
        [UnitMeeting(site_id=sites[unit], work_unit_id=unit) for unit in known], ignore_conflicts=True
    )
    UnitMeeting.objects.filter(work_unit_id__in=known).update(look_at=at)


def units_to_look_at(*, at: datetime, limit: int = 200) -> list[int]:
    """Return the work units that are due, the longest waiting first. One query on an index of what is due.

    One that was looked at within the last second waits: a machine that begins tells of its state, its run and its count
    within moments, and one look sees them all.
    """
    is_rested = Q(met_at__isnull=True) | Q(met_at__lte=at - TOGETHER)
    rows = UnitMeeting.objects.filter(is_rested, look_at__lte=at).order_by("look_at")
    return list(rows.values_list("work_unit_id", flat=True)[:limit])


def forget_signals(*, at: datetime, days: int = 400) -> int:
    """Delete readings that arrived longer ago; return how many. Job orders keep their sums."""
    old = MachineSignal.objects.filter(arrived_at__lt=at - timedelta(days=days))
    keys = list(old.values_list("pk", flat=True)[:50_000])
    return int(MachineSignal.objects.filter(pk__in=keys).delete()[0]) if keys else 0
