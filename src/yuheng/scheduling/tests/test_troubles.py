"""What happens to a plan besides breakdowns: noticed once, answered, over when the plan knows."""

from datetime import timedelta

import pytest

from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.models import OutboxEvent
from yuheng.operations.models import JobOrder, OperationsRequest
from yuheng.operations.services import dispatch
from yuheng.scheduling.models import Absence, Disturbance, Plan, SitePlanning, Suggestion
from yuheng.scheduling.selectors.plans import planner_state
from yuheng.scheduling.selectors.suggestions import open_disturbances
from yuheng.scheduling.services import loop, scenarios, watching, words
from yuheng.scheduling.tests.plant import AT, a_busy_plant, stands
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
LATER = AT + 5 * MINUTE


@pytest.fixture
def plant():
    """Two cutters with a day's work, the dates of the orders soon after, and a plan that holds."""
    plant = a_busy_plant(6, 120)
    JobOrder.objects.update(due_at=AT + timedelta(hours=7))
    SitePlanning.objects.create(site=plant.site, frozen_min=0, stop_min=480)
    published(plant)
    return plant


def look(plant, at=LATER):
    return loop.look(actor=SYSTEM, site_id=plant.site_id, at=at)


def test_a_plan_that_knows_everything_is_not_disturbed(plant):
    assert not look(plant).has_news
    assert Disturbance.objects.count() == 0


def test_a_hold_is_noticed_names_its_orders_and_is_over_when_let_go(plant):
    job = JobOrder.objects.order_by("pk").first()
    dispatch.hold_job_orders(actor=plant.ben, job_order_ids=[job.pk], reason="crack", at=AT + MINUTE)
    assert len(look(plant).answered) == 1
    row = Disturbance.objects.get()
    assert (row.kind, row.about, row.details["jobs"]) == ("hold", f"job {job.pk}", [job.code])
    assert row.hit
    assert Suggestion.objects.filter(state="open").count() >= 1
    dispatch.let_go_job_orders(actor=plant.ben, job_order_ids=[job.pk], at=LATER)
    assert look(plant, LATER + MINUTE).over == (row.pk,)
    assert not Suggestion.objects.filter(state="open").exists()


def test_what_was_decided_is_known_to_the_plan_and_is_over(plant):
    job = JobOrder.objects.order_by("pk").first()
    dispatch.hold_job_orders(actor=plant.ben, job_order_ids=[job.pk], reason="crack", at=AT + MINUTE)
    look(plant)
    best = Suggestion.objects.filter(state="open").order_by("rank").first()
    loop.accept_suggestion(actor=plant.ben, suggestion_id=best.pk, at=LATER)
    found = look(plant, LATER + MINUTE)
    assert (len(found.over), found.begun) == (1, ())


def test_an_order_that_becomes_urgent_is_noticed_and_its_own_lateness_is_named(plant):
    request = OperationsRequest.objects.order_by("pk").last()
    JobOrder.objects.filter(request=request).update(rank=0, due_at=AT + 10 * MINUTE)
    look(plant)
    row = Disturbance.objects.get()
    assert (row.kind, row.work_unit_id) == ("rush", None)
    assert [one["request_id"] for one in row.hit][:1] == [request.pk]
    shown = open_disturbances(actor=plant.ben, site_id=plant.site_id)[0]
    assert "SO" in words.disturbance(shown.kind, shown.unit_code, shown.details, shown.expected_end)


def test_an_order_that_nobody_wants_frees_its_machines(plant):
    request = OperationsRequest.objects.order_by("pk").first()
    jobs = list(JobOrder.objects.filter(request=request).values_list("pk", flat=True))
    dispatch.cancel_job_orders(actor=plant.ben, job_order_ids=jobs, reason="gone", at=AT + MINUTE)
    OperationsRequest.objects.filter(pk=request.pk).update(state="cancelled")
    look(plant)
    assert Disturbance.objects.get().kind == "cancelled"


def test_somebody_who_is_away_is_noticed_once(plant):
    row = Absence.objects.create(
        site=plant.site, person_id=plant.ana.person_id, start=AT, end=AT + timedelta(hours=8), said_at=AT, said_by="Ben"
    )
    assert len(look(plant).begun) == 1
    assert Disturbance.objects.get().about == f"absence {row.pk}"
    assert look(plant, LATER + MINUTE).begun == ()


def test_a_machine_that_takes_twice_as_long_is_slow_until_it_is_not(plant):
    job = JobOrder.objects.filter(work_unit=plant.units["C1"]).order_by("planned_start").first()
    planned_s = job.run_s / float(job.quantity)
    began = LATER - timedelta(seconds=2 * 41 * planned_s + job.setup_s)
    JobOrder.objects.filter(pk=job.pk).update(
        state="running", substate="", actual_start=began, running_since=began, good=40
    )
    look(plant)
    row = Disturbance.objects.get()
    assert (row.kind, row.work_unit.code, row.details["factor"]) == ("slow", "C1", 2.0)
    JobOrder.objects.filter(pk=job.pk).update(good=85)
    assert look(plant, LATER + MINUTE).over == (row.pk,)


@pytest.mark.parametrize("state", [UnitState.DOWN, UnitState.IDLE, UnitState.PLANNED_STOP])
def test_a_stop_or_a_wait_is_no_slowness(plant, state):
    job = JobOrder.objects.filter(work_unit=plant.units["C1"]).order_by("planned_start").first()
    planned_s = job.run_s / float(job.quantity)
    stood_s = 41 * planned_s
    began = LATER - timedelta(seconds=2 * stood_s + job.setup_s)
    row = stands(plant, "C1", began, began + timedelta(seconds=stood_s))
    row.state = int(state)
    row.save()
    JobOrder.objects.filter(pk=job.pk).update(
        state="running", substate="", actual_start=began, running_since=began, good=40
    )
    assert not look(plant).has_news


def test_a_job_order_that_ends_hardly_later_disturbs_nobody(plant):
    job = JobOrder.objects.filter(work_unit=plant.units["C1"]).order_by("planned_start").first()
    run_s = 600.0  # twice as long is ten minutes later in all
    began = LATER - timedelta(seconds=2 * run_s * 41 / float(job.quantity) + job.setup_s)
    JobOrder.objects.filter(pk=job.pk).update(
        state="running", substate="", actual_start=began, running_since=began, good=40, run_s=run_s
    )
    assert not look(plant).has_news


def test_warm_facts_give_the_same_answer_and_are_read_anew_when_a_job_changed(plant, django_assert_max_num_queries):
    watch = watching.Watch(plant.site_id)
    watching.look_at(actor=SYSTEM, watch=watch, at=AT + MINUTE, told=(), is_urgent=False)
    assert watch.facts is not None
    stands(plant, "C1", AT + MINUTE)
    with django_assert_max_num_queries(40):
        found = watching.look_at(actor=SYSTEM, watch=watch, at=AT + timedelta(seconds=70), told=(), is_urgent=True)
    assert len(found.answered) == 1
    assert Disturbance.objects.get().late_min > 0


def test_the_first_plan_is_asked_for_once_and_published_when_it_is_made(plant):
    Plan.objects.update(is_published=False)
    SitePlanning.objects.update(keeps_plan=True)
    assert watching.make_first_plans(actor=SYSTEM, at=LATER) == []
    assert watching.make_first_plans(actor=SYSTEM, at=LATER) == []
    row = scenarios.work_once(now=lambda: LATER)
    assert row is not None
    assert watching.make_first_plans(actor=SYSTEM, at=LATER) == [plant.site_id]
    assert Plan.objects.get(is_published=True).number > row.plan.number
    assert watching.make_first_plans(actor=SYSTEM, at=LATER) == []


def test_a_planner_that_is_silent_is_named(plant):
    watching.say_alive(site_id=plant.site_id, at=AT)
    assert planner_state(site_id=plant.site_id, now=AT + timedelta(seconds=5)).silent_s is None
    assert planner_state(site_id=plant.site_id, now=AT + MINUTE).silent_s == 60
    watching.say_alive(site_id=plant.site_id, at=AT, trouble="NoPlan")
    assert planner_state(site_id=plant.site_id, now=AT).trouble == "NoPlan"


def test_every_kind_of_event_names_its_kind(plant):
    stands(plant, "C1", AT)
    look(plant)
    assert OutboxEvent.objects.get(kind="scheduling.DisturbanceAnswered").payload["disturbance"] == "down"
