"""What the job orders of products went through, read from the kept stages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from yuheng.operations.selectors import history
from yuheng.performance.models import JobStage
from yuheng.performance.rules.leads import Life
from yuheng.performance.rules.stages import Interval, Stage


def lives_of_trees(root_ids: Iterable[int]) -> tuple[dict[int, Life], dict[int, int]]:
    """Job order -> its life, and job order -> production order, of products and the parts made for them. Three queries.

    Notes
    -----
    Rework comes after the job order whose pieces it mends; a part that was split off after the one it was split from.
    """
    heads = history.heads_of_trees(root_ids)
    before: dict[int, list[int]] = defaultdict(list)
    for first, then in history.links_of(heads):
        before[then].append(first)
    whole = {(one.request_id, one.segment): one.id for one in heads.values() if not one.is_rework and not one.split}
    for one in heads.values():
        if one.rework_of_id is not None:
            before[one.id].append(one.rework_of_id)
        elif one.split and (source := whole.get((one.request_id, one.segment))):
            before[one.id].append(source)
    stages: dict[int, list[Interval]] = defaultdict(list)
    over = {}
    rows = JobStage.objects.filter(job_order_id__in=list(heads)).order_by("job_order_id", "position")
    for job, stage, since, until, unit, work_s, reason in rows.values_list(
        "job_order_id", "stage", "since", "until", "work_unit_id", "work_s", "reason"
    ):
        if stage == Stage.DONE.value:
            over[job] = since
        else:
            stages[job].append(Interval(Stage(stage), since, until, unit, work_s, reason))
    lives = {}
    for pk in heads:
        made_at = stages[pk][0].since if stages[pk] else over.get(pk)
        if made_at is not None:
            lives[pk] = Life(pk, made_at, over.get(pk), tuple(stages[pk]), tuple(before[pk]))
    return lives, {pk: heads[pk].request_id for pk in lives}
