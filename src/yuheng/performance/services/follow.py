"""Following operations: what its log says new becomes stages, sums, measured times and lead times.

Each job order of which there is news is read whole again, and the sums get the difference. So it does not matter in
which order, how often or how late news comes: what is followed piece by piece equals what is counted anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import connection, transaction

from yuheng.operations.selectors import history
from yuheng.operations.selectors.history import JobHead
from yuheng.operations.services.history import take_touched
from yuheng.performance.models import JobStage, JobTime
from yuheng.performance.rules.stages import Fact, Interval, Stage, Timeline, timeline
from yuheng.performance.rules.tallies import Cell, Change, Place, Stay, Sums, changes, difference
from yuheng.performance.rules.times import measure, runs_of, who_told
from yuheng.performance.selectors.places import Floor, floor_of
from yuheng.performance.services.leads import follow_requests

AT_ONCE = 1_000
BATCH = 2_000
ONE_FOLLOWS = 0x79_68_66_6C
"""Key of the lock: two that follow would both take the old stages away."""


@transaction.atomic
def catch_up(*, limit: int = AT_ONCE) -> int:
    """Follow up to ``limit`` pieces of news; return how many job orders were read. A constant number of queries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_FOLLOWS])
    ids = take_touched(limit=limit)
    if not ids:
        return 0
    heads = history.heads_of(ids)
    lives = lives_of(heads)
    floors = {site_id: floor_of(site_id) for site_id in {head.site_id for head in heads.values()}}
    _write_stages(heads, lives, floors)
    _write_times(heads, lives)
    follow_requests(history.with_those_above({head.request_id for head in heads.values()}))
    return len(ids)


def catch_up_all() -> int:
    """Follow everything that is known now; return how many job orders were read."""
    total = 0
    while read := catch_up():
        total += read
    return total


def lives_of(heads: Mapping[int, JobHead]) -> dict[int, Timeline]:
    """Read the logs of job orders. Two queries."""
    came, moves = history.lots_came_at(heads), history.moves_of(heads)
    return {
        pk: timeline(
            [Fact(one.what.value, one.at, one.work_unit_id, one.work_s, one.reason) for one in moves[pk]],
            came=came.get(pk, ()),
            is_outside=head.is_subcontracted,
        )
        for pk, head in heads.items()
        if moves.get(pk)
    }


# ---- stages and their sums -------------------------------------------------------------------------------------------


def _write_stages(heads: Mapping[int, JobHead], lives: Mapping[int, Timeline], floors: Mapping[int, Floor]) -> None:
    """Replace the stages of job orders that differ, and add the difference to the sums."""
    before = _stored(heads)
    old: dict[int, list[Change]] = defaultdict(list)
    new: dict[int, list[Change]] = defaultdict(list)
    gone: list[int] = []
    rows: list[JobStage] = []
    for pk, life in lives.items():
        head = heads[pk]
        stays = _stays(head, life, floors[head.site_id])
        known, over = before.get(pk, ([], None))
        if known == stays and over == life.over_at:
            continue
        if known or over is not None:
            gone.append(pk)
            old[head.site_id] += changes(known, over, known[-1].place if known else Place(None))
        new[head.site_id] += changes(stays, life.over_at, stays[-1].place if stays else Place(None))
        rows += [_row(head, index, stay) for index, stay in enumerate(stays)]
        if life.over_at is not None:
            rows.append(_over_row(head, len(stays), life, stays))
    JobStage.objects.filter(job_order_id__in=gone).delete()
    JobStage.objects.bulk_create(rows, batch_size=BATCH)
    for site_id in {*old, *new}:
        _add(site_id, difference(old[site_id], new[site_id]))


def _stays(head: JobHead, life: Timeline, floor: Floor) -> list[Stay]:
    return [Stay(one, floor.place(head, one.work_unit_id)) for one in life.intervals]


def _row(head: JobHead, position: int, stay: Stay) -> JobStage:
    one = stay.interval
    return JobStage(
        site_id=head.site_id,
        job_order_id=head.id,
        position=position,
        stage=one.stage.value,
        work_center_id=stay.place.work_center_id,
        equipment_class_id=stay.place.equipment_class_id,
        work_unit_id=one.work_unit_id,
        since=one.since,
        until=one.until,
        work_s=one.work_s,
        reason=one.reason,
        is_shared=head.shares_work_unit,
    )


def _over_row(head: JobHead, position: int, life: Timeline, stays: Sequence[Stay]) -> JobStage:
    """Return the row that says since when a job order is over."""
    assert life.over_at is not None
    last = stays[-1] if stays else Stay(Interval(Stage.DONE, life.over_at, None), Place(None))
    row = _row(
        head, position, Stay(replace(last.interval, stage=Stage.DONE, since=life.over_at, until=None), last.place)
    )
    row.reason = life.outcome
    return row


def _stored(ids: Iterable[int]) -> dict[int, tuple[list[Stay], Any]]:
    """Job order -> its stages as they are kept, and since when it is over. One query."""
    found: dict[int, tuple[list[Stay], Any]] = {}
    rows = JobStage.objects.filter(job_order_id__in=list(ids)).order_by("job_order_id", "position")
    for job, stage, since, until, unit, work_s, reason, center, kind in rows.values_list(
        "job_order_id", "stage", "since", "until", "work_unit_id", "work_s", "reason", "work_center_id",
        "equipment_class_id",
    ):  # fmt: skip
        stays, over = found.get(job, ([], None))
        if stage == Stage.DONE.value:
            over = since
        else:
            stays.append(Stay(Interval(Stage(stage), since, until, unit, work_s, reason), Place(center, kind)))
        found[job] = (stays, over)
    return found


_ADD = """
INSERT INTO performance_flowtally AS t
    (site_id, at, span_s, stage, work_center_id, equipment_class_id, jobs, jobs_ms, work_ms, work_moment)
SELECT %s, * FROM unnest(%s::timestamptz[], %s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
                         %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (site_id, span_s, at, stage, work_center_id, equipment_class_id) DO UPDATE
SET jobs = t.jobs + EXCLUDED.jobs, jobs_ms = t.jobs_ms + EXCLUDED.jobs_ms, work_ms = t.work_ms + EXCLUDED.work_ms,
    work_moment = t.work_moment + EXCLUDED.work_moment
"""


def _add(site_id: int, sums: Mapping[Cell, Sums]) -> None:
    """Add to the sums of a site. One statement, however many there are."""
    if not sums:
        return
    columns = zip(
        *(
            (
                cell.at, cell.span_s, cell.stage.value, cell.place.work_center_id, cell.place.equipment_class_id,
                one.jobs, one.jobs_ms, one.work_ms, one.work_moment,
            )
            for cell, one in sums.items()
        ),
        strict=True,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [site_id, *(list(column) for column in columns)])


# ---- measured times --------------------------------------------------------------------------------------------------


def _write_times(heads: Mapping[int, JobHead], lives: Mapping[int, Timeline]) -> None:
    """Replace the measured times of job orders that are over. Three queries."""
    JobTime.objects.filter(job_order_id__in=list(heads)).delete()
    over = [
        pk
        for pk, life in lives.items()
        if life.outcome == "ended" and not heads[pk].is_rework and not heads[pk].is_subcontracted
    ]
    sources = history.sources_of(over)
    rows = [row for pk in over if (row := _time(heads[pk], lives[pk], sources.get(pk, ()))) is not None]
    JobTime.objects.bulk_create(rows, batch_size=BATCH)


def _time(head: JobHead, life: Timeline, sources: Iterable[str]) -> JobTime | None:
    pieces = float(head.pieces)
    runs = runs_of(pieces, head.run_quantity, head.batch_size) if pieces > 0 else 0.0
    found = measure(
        life, pieces=pieces, runs=runs, planned_setup_s=head.planned_setup_s, shares_unit=head.shares_work_unit
    )
    if found is None or life.over_at is None:
        return None
    began = next(one for one in life.intervals if one.stage in (Stage.SETUP, Stage.PROCESS))
    return JobTime(
        site_id=head.site_id,
        job_order_id=head.id,
        material_id=head.material_id,
        work_master_version_id=head.work_master_version_id,
        segment=head.segment,
        work_unit_id=next((one.work_unit_id for one in reversed(life.intervals) if one.work_unit_id), None),
        source=who_told(sources).value,
        pieces=head.pieces,
        setup_s=found.setup_s,
        run_s=found.run_s,
        planned_setup_s=head.planned_setup_s,
        planned_run_s=head.planned_run_s,
        pauses=found.pauses,
        paused_s=found.paused_s,
        started_at=began.since,
        ended_at=life.over_at,
    )
