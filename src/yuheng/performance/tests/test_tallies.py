"""Sums of spans: what is read covers the time between any edges once, and says what was there."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from yuheng.performance.models import JobStage
from yuheng.performance.rules.stages import Stage
from yuheng.performance.rules.tallies import EPOCH, SPANS_S, before, floor_to, stretches
from yuheng.performance.selectors.flow import count, summed
from yuheng.performance.services.follow import catch_up_all
from yuheng.performance.tests.test_follow import a_history

QUARTER = timedelta(minutes=15)


def random_edges(chance):
    """Edges as a period has them: equal parts that begin on some zone's clock, the last one cut short."""
    start = datetime(2026, 3, 1, tzinfo=UTC) + chance.randrange(9_000) * QUARTER
    step = chance.choice([900, 3_600, 14_400, 43_200, 86_400, 604_800])
    edges = [start + timedelta(seconds=step * n) for n in range(chance.randrange(1, 60))]
    return [*edges, edges[-1] + chance.randrange(1, step // 900 + 1) * QUARTER]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_read_covers_the_time_between_edges_once_and_reaches_over_none(seed):
    edges = random_edges(random.Random(seed))
    found = stretches(edges)
    assert (found[0].start, found[-1].end) == (edges[0], edges[-1])
    for one, following in pairwise(found):
        assert one.end == following.start
    for one in found:
        step = timedelta(seconds=one.span_s)
        assert (one.start - EPOCH) % step == (one.end - EPOCH) % step == timedelta()
        for edge in edges:
            assert not one.start < edge < one.end or (edge - EPOCH) % step == timedelta(), "a sum reaches over an edge"
    earlier = before(edges[0])
    assert earlier[-1].end == edges[0]
    assert all(a.end == b.start for a, b in pairwise(earlier))


def test_a_year_reads_few_sums():
    start = datetime(2026, 1, 1, 16, tzinfo=UTC)
    edges = [start + timedelta(days=7 * n) for n in range(53)]
    spans = sum((one.end - one.start) // timedelta(seconds=one.span_s) for one in stretches(edges))
    assert spans < 53 * 13
    assert floor_to(start, timedelta(seconds=SPANS_S[-1])) == before(start)[0].end


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(20, 24))
def test_counts_and_means_are_what_the_stages_say(seed):
    plant = a_history(seed)
    catch_up_all()
    rows = list(JobStage.objects.all())
    chance = random.Random(seed)
    first = floor_to(min(row.since for row in rows), timedelta(days=1)) - timedelta(hours=chance.randrange(40))
    edges = [first + timedelta(seconds=chance.choice([900, 3_600, 43_200]) * n) for n in range(30)]
    edges = sorted({floor_to(edge, QUARTER) for edge in edges})
    counted = count(site_id=plant.site_id, edges=edges)
    for stage in Stage:
        found = summed(counted, (stage,))
        here = [row for row in rows if row.stage == stage]
        for index, edge in enumerate(edges):
            there = [row for row in here if row.since < edge and (row.until is None or row.until >= edge)]
            assert found.jobs[index] == len(there)
            assert found.work_s[index] == pytest.approx(sum(row.work_s for row in there), abs=1e-3)
        for index, (start, end) in enumerate(pairwise(edges)):
            width = (end - start).total_seconds()
            lengths = [
                (max(0.0, (min(row.until or end, end) - max(row.since, start)).total_seconds()), row.work_s)
                for row in here
            ]
            assert found.mean_jobs[index] == pytest.approx(sum(one for one, _work in lengths) / width, abs=1e-5)
            mean_work = sum(one * work for one, work in lengths) / width
            assert found.mean_work_s[index] == pytest.approx(mean_work, rel=1e-5, abs=1e-2)
