"""From a machine that stands to suggestions, and from one of them to the published plan."""

from datetime import timedelta

import pytest
from django.utils import translation

from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.operations.models import JobOrder
from yuheng.scheduling.building import Standing, answering
from yuheng.scheduling.building.moving import How, Move
from yuheng.scheduling.models import Disturbance, Plan, SitePlanning, Suggestion
from yuheng.scheduling.services import loop, moves
from yuheng.scheduling.tests.plant import AT, a_busy_plant, a_calendar, stands
from yuheng.scheduling.tests.test_moves import is_sound
from yuheng.scheduling.tests.test_plans import published
from yuheng.telemetry.models import WorkUnitState
from yuheng.testing.builders import SYSTEM, an_actor

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def plant():
    """Two cutters with a day's work, the dates of the orders soon after."""
    plant = a_busy_plant(6, 120)
    JobOrder.objects.update(due_at=AT + timedelta(hours=7))
    SitePlanning.objects.create(site=plant.site, frozen_min=0, stop_min=480)
    return plant


def look(plant, at=AT, **more):
    return loop.look(actor=SYSTEM, site_id=plant.site_id, at=at, **more)


def open_suggestions():
    return list(Suggestion.objects.filter(state="open").order_by("rank"))


def test_a_machine_that_stands_leads_to_ranked_different_suggestions(plant):
    plan = published(plant)
    stands(plant, "C1", AT)
    found = look(plant, AT + MINUTE)
    row = Disturbance.objects.get()
    assert (found.begun, found.answered) == ((row.pk,), (row.pk,))
    assert (row.kind, row.basis, row.work_unit.code) == ("down", "default", "C1")
    assert row.jobs_hit > 0
    assert row.late_min > 0
    assert all(one["late_min"] > one["before_min"] for one in row.hit)
    made = open_suggestions()
    assert len(made) >= 2
    assert [one.rank for one in made] == list(range(1, len(made) + 1))
    assert {one.base_id for one in made} == {plan.pk}
    waits = next(one for one in made if one.kind == "wait")
    assert made[0].predicted < waits.predicted
    assert made[0].consequences["before"]["weighted_min"] == waits.predicted
    assert OutboxEvent.objects.filter(kind="scheduling.DisturbanceAnswered").count() == 1
    assert Plan.objects.get(is_published=True).pk == plan.pk


def test_looking_again_changes_nothing_and_asks_little(plant, django_assert_max_num_queries):
    published(plant)
    stands(plant, "C1", AT)
    look(plant, AT + MINUTE)
    before = Suggestion.objects.count()
    with django_assert_max_num_queries(4):
        assert not look(plant, AT + 2 * MINUTE, is_whole=False).has_news
    assert Suggestion.objects.count() == before


def test_accepting_publishes_assigns_and_passes_the_others(plant):
    plan = published(plant)
    stands(plant, "C1", AT)
    look(plant, AT + MINUTE)
    best, *others = open_suggestions()
    made = loop.accept_suggestion(actor=plant.ben, suggestion_id=best.pk, at=AT + 2 * MINUTE)
    assert (made.kind, made.parent_id, made.is_published) == ("suggested", plan.pk, True)
    for job in JobOrder.objects.all():
        assert job.work_unit_id == made.work_unit_ids[made.job_order_ids.index(job.pk)]
    states = dict(Suggestion.objects.values_list("pk", "state"))
    assert states[best.pk] == "accepted"
    assert {states[one.pk] for one in others} == {"passed"}
    assert AuditRecord.objects.filter(action="suggestion.accepted").count() == 1
    assert abs(made.measures["weighted_min"] - best.predicted) <= best.predicted * 0.2 + 60
    assert not look(plant, AT + 3 * MINUTE).answered  # it was decided: nobody is asked again


def test_a_suggestion_is_no_answer_to_another_plan(plant):
    plan = published(plant)
    stands(plant, "C1", AT)
    look(plant, AT + MINUTE)
    old = open_suggestions()[0]
    job = plan.job_order_ids[-1]
    command = Move(job, AT + timedelta(hours=30), None, How.INSERT)
    moves.move(actor=plant.ben, site_id=plant.site_id, command=command, expected=plan.number, at=AT + MINUTE)
    with pytest.raises(Conflict, match="published plan"):
        loop.accept_suggestion(actor=plant.ben, suggestion_id=old.pk, at=AT + 2 * MINUTE)
    old.refresh_from_db()
    assert old.state == "expired"
    assert look(plant, AT + 3 * MINUTE).answered  # the planner answers anew, on the plan that holds now
    assert {one.base.number for one in open_suggestions()} == {Plan.objects.get(is_published=True).number}


def test_a_machine_that_works_again_ends_it(plant):
    published(plant)
    row = stands(plant, "C1", AT)
    look(plant, AT + MINUTE)
    old = open_suggestions()[0]
    WorkUnitState.objects.filter(pk=row.pk).update(ended_at=AT + 2 * MINUTE)
    found = look(plant, AT + 3 * MINUTE)
    assert len(found.over) == 1
    assert open_suggestions() == []
    with pytest.raises(Conflict, match="not open any more"):
        loop.accept_suggestion(actor=plant.ben, suggestion_id=old.pk, at=AT + 4 * MINUTE)


def test_what_was_just_heard_counts_before_the_database_knows(plant):
    published(plant)
    told = Standing(plant.units["C1"].pk, "E12", AT + timedelta(hours=1))  # its clock is an hour ahead
    found = look(plant, AT, told=[told])
    assert found.answered
    assert Disturbance.objects.get().since == AT


def test_when_somebody_says_when_it_is_back_suggestions_are_made_anew(plant):
    published(plant)
    stands(plant, "C1", AT)
    look(plant, AT + MINUTE)
    row = Disturbance.objects.get()
    with pytest.raises(InvalidInput):
        loop.say_return(actor=plant.ben, disturbance_id=row.pk, until=AT, at=AT + MINUTE)
    back = AT + 20 * MINUTE
    loop.say_return(actor=plant.ben, disturbance_id=row.pk, until=back, at=AT + MINUTE)
    look(plant, AT + 2 * MINUTE)
    row.refresh_from_db()
    assert (row.expected_end, row.basis) == (back, "said")
    assert row.answered_at == AT + 2 * MINUTE


def test_without_a_published_plan_it_is_noted_and_nothing_is_suggested(plant):
    stands(plant, "C1", AT)
    assert look(plant, AT + MINUTE).begun
    assert open_suggestions() == []
    assert loop.planned_sites() == []


def test_a_site_may_switch_suggestions_off(plant):
    published(plant)
    SitePlanning.objects.update(suggests=False)
    stands(plant, "C1", AT)
    assert look(plant, AT + MINUTE).answered == ()


def test_only_who_dispatches_may_accept_and_strangers_see_nothing(plant):
    published(plant)
    stands(plant, "C1", AT)
    look(plant, AT + MINUTE)
    best = open_suggestions()[0]
    with pytest.raises(PermissionRefused):
        loop.accept_suggestion(actor=plant.ana, suggestion_id=best.pk, at=AT + MINUTE)
    with pytest.raises(NotVisible):
        loop.accept_suggestion(actor=an_actor("dora"), suggestion_id=best.pk, at=AT + MINUTE)


def test_overtime_is_suggested_with_the_hours_it_takes_and_lasts_in_the_plan(plant, monkeypatch):
    monkeypatch.setattr(answering, "MOST_CHOICES", 9)  # all of them, however they rank
    a_calendar(plant)
    published(plant)
    stands(plant, "C1", AT)
    look(plant, AT + MINUTE)
    longer = [one for one in open_suggestions() if one.kind == "overtime"]
    assert longer
    assert longer[0].consequences["overtime_min"] > 0
    made = loop.accept_suggestion(actor=plant.ben, suggestion_id=longer[0].pk, at=AT + 2 * MINUTE)
    assert [lever["kind"] for lever in made.levers] == ["overtime"]


def test_an_engine_that_fails_is_said_and_the_plan_stays(plant, monkeypatch):
    plan = published(plant)
    stands(plant, "C1", AT)

    def broken(*_args, **_more):
        raise loop.NoPlan(0, -1, -1)

    monkeypatch.setattr(loop, "answer", broken)
    look(plant, AT + MINUTE)
    assert Disturbance.objects.get().message
    assert Plan.objects.get(is_published=True).pk == plan.pk


def test_suggestions_under_many_disturbances_are_never_infeasible(plant):
    published(plant)
    at = AT
    for step in range(8):
        at += 7 * MINUTE
        if step % 2 == 0:
            stands(plant, ("C1", "C2")[step // 2 % 2], at - MINUTE)
        else:
            WorkUnitState.objects.filter(ended_at__isnull=True).update(ended_at=at)
        look(plant, at)
        suggested = open_suggestions()
        if suggested:
            loop.accept_suggestion(actor=plant.ben, suggestion_id=suggested[step % len(suggested)].pk, at=at)
            assert is_sound(plant, at) == []
