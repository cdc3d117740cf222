"""New work in the plan that holds: placed by itself, nobody moved, nothing that a person decided undone or outdated."""

from datetime import timedelta

import pytest
from django.utils import translation

from yuheng.engines.schedule.check import check
from yuheng.kernel.errors import Conflict
from yuheng.kernel.models import AuditRecord
from yuheng.operations.models import JobOrder
from yuheng.operations.services import dispatch
from yuheng.operations.tests import plant as orders
from yuheng.scheduling.building.moving import How, Move
from yuheng.scheduling.models import Plan, SitePlanning
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.services import moves, placing, plans
from yuheng.scheduling.tests.plant import AT, a_busy_plant, built_of
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
SOON = AT + 2 * MINUTE


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def plant():
    """Four orders with a plan that holds, then one more of two steps."""
    plant = a_busy_plant(4, 60)
    published(plant)
    orders.a_released_order(plant, "GEAR", 30, code="NEW")
    return plant


def place(plant, at=SOON, tried=None):
    return placing.place_new_work(actor=SYSTEM, at=at, tried={} if tried is None else tried)


def holds():
    return Plan.objects.get(is_published=True)


def places(plan):
    rows = rows_of_plan(plan)
    return {
        job: (rows.work_unit_ids[k], rows.moment(rows.starts[k]), rows.moment(rows.ends[k]))
        for job, k in rows.place.items()
    }


def test_new_work_is_placed_behind_what_is_planned_and_nothing_else_moves(plant, monkeypatch):
    monkeypatch.setattr(placing, "AGAIN", timedelta(0))  # in the minute of the plan, in which nothing has slipped
    before = holds()
    assert place(plant, AT) == [plant.site_id]
    after = holds()
    known, now = places(before), places(after)
    new = set(JobOrder.objects.exclude(pk__in=known).values_list("pk", flat=True))
    assert (after.kind, after.number > before.number, after.measures["moved"]) == ("placed", True, 0)
    assert set(now) - set(known) == new
    assert len(new) == 2
    assert {job: now[job] for job in known} == known
    built = built_of(plant, AT)
    assert check(built.whole(), built.reference(rows_of_plan(after))) == []
    told = {job.pk: (job.work_unit_id, job.planned_start) for job in JobOrder.objects.filter(pk__in=new)}
    assert told == {job: now[job][:2] for job in new}
    assert AuditRecord.objects.filter(action="plan.published").latest("pk").detail["kind"] == "placed"
    assert place(plant, SOON + 5 * MINUTE) == []


def test_a_plan_holds_for_a_minute_before_anything_is_placed_in_it(plant):
    assert place(plant, AT + timedelta(seconds=59)) == []
    assert place(plant, AT + timedelta(seconds=60)) == [plant.site_id]


def test_a_site_that_wants_to_place_by_hand_is_left_alone(plant):
    SitePlanning.objects.update(places_new=False)
    assert place(plant) == []
    assert holds().kind == "solved"


def test_the_most_urgent_of_what_is_new_is_placed_first(plant):
    orders.a_released_order(plant, "GEAR", 30, code="RUSH")
    rush = JobOrder.objects.order_by("-pk").first().request_id
    JobOrder.objects.filter(request_id=rush).update(rank=0)
    place(plant)
    now = places(holds())
    ends = {
        request: max(now[job.pk][2] for job in JobOrder.objects.filter(request_id=request))
        for request in JobOrder.objects.order_by("-request_id").values_list("request_id", flat=True).distinct()[:2]
    }
    assert ends[rush] == min(ends.values())


def test_a_move_that_was_decided_on_the_plan_before_still_counts(plant):
    seen = holds()
    place(plant)
    job = seen.job_order_ids[-1]
    command = Move(job, AT + timedelta(hours=8), None, How.INSERT)
    assert moves.move(actor=plant.ben, site_id=plant.site_id, command=command, expected=seen.number, at=SOON)
    command = Move(job, AT + timedelta(hours=9), None, How.INSERT)
    with pytest.raises(Conflict, match="ben published plan"):
        moves.move(actor=plant.ben, site_id=plant.site_id, command=command, expected=seen.number, at=SOON)


def test_undo_takes_back_what_a_person_decided_not_what_was_placed(plant):
    first = holds()
    job = first.job_order_ids[-1]
    command = Move(job, AT + timedelta(hours=8), None, How.INSERT)
    moves.move(actor=plant.ben, site_id=plant.site_id, command=command, expected=first.number, at=AT + MINUTE)
    orders.a_released_order(plant, "GEAR", 30, code="LATER")
    assert place(plant, AT + 3 * MINUTE) == [plant.site_id]
    at = AT + 4 * MINUTE
    plans.undo(actor=plant.ben, site_id=plant.site_id, expected=holds().number, reason="no", at=at)
    assert (holds().kind, holds().parent_id) == ("restored", first.pk)
    assert len(places(holds())) == JobOrder.objects.count()


def test_what_cannot_be_planned_is_not_tried_again_until_something_else_is_new(plant, monkeypatch):
    tried = {}
    place(plant, tried=tried)
    JobOrder.objects.filter(pk__in=places(holds())).update(rank=500)
    lost = orders.a_released_order(plant, "GEAR", 30, code="LOST")
    assert lost
    JobOrder.objects.filter(pk__gt=max(holds().job_order_ids)).update(candidates=[], equipment_class_id=None)
    JobOrder.objects.filter(pk__gt=max(holds().job_order_ids)).update(work_unit=None)
    calls = []
    monkeypatch.setattr(placing, "place", lambda **_more: calls.append(1))
    for _again in range(3):
        assert place(plant, SOON + 5 * MINUTE, tried) == []
    assert calls == [1]


def test_a_cancelled_order_leaves_its_place_to_others_only_in_a_new_plan(plant):
    place(plant)
    jobs = list(JobOrder.objects.filter(pk__in=holds().job_order_ids).values_list("pk", flat=True))[:2]
    dispatch.cancel_job_orders(actor=plant.ben, job_order_ids=jobs, reason="gone", at=SOON)
    assert place(plant, SOON + 5 * MINUTE) == []
