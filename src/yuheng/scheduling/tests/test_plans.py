"""The published plan: made by the planner, published once, undone, told to job orders; two dispatchers at once."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import translation

from yuheng.engines.schedule.check import check
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.operations.models import JobOrder
from yuheng.operations.services import execute
from yuheng.scheduling.models import Plan, Scenario
from yuheng.scheduling.selectors import plans as asked
from yuheng.scheduling.services import plans, scenarios
from yuheng.scheduling.tests.plant import AT, a_busy_plant, a_calendar, built_of
from yuheng.testing.builders import an_actor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


MINUTE = timedelta(minutes=1)


def solved(plant, at=AT, **more):
    row = scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=at, seconds=1, **more)
    scenarios.work_once(now=lambda: at)
    row.refresh_from_db()
    return row


def published(plant, at=AT, expected=0, **more):
    row = solved(plant, at, **more)
    return plans.publish_plan(actor=plant.ben, plan_id=row.plan_id, expected=expected, reason="Monday", at=at)


def test_a_plan_is_asked_for_at_once_and_made_by_the_planner():
    plant = a_busy_plant()
    row = scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=AT, seconds=1)
    assert (row.state, row.plan_id) == ("waiting", None)
    scenarios.work_once(now=lambda: AT)
    row.refresh_from_db()
    assert (row.state, row.progress, row.message) == ("done", 1.0, "")
    assert row.plan.measures["jobs"] == 8
    assert scenarios.work_once(now=lambda: AT) is None


def test_publishing_gives_job_orders_their_machines_and_times():
    plant = a_busy_plant()
    made = published(plant)
    assert Plan.objects.filter(is_published=True).count() == 1
    for job in JobOrder.objects.all():
        place = made.job_order_ids.index(job.pk)
        assert job.work_unit_id == made.work_unit_ids[place]
        assert job.planned_start == made.origin + made.starts[place] * MINUTE
        assert job.planned_end == made.origin + made.ends[place] * MINUTE
    assert OutboxEvent.objects.filter(kind="scheduling.PlanPublished").count() == 1
    assert AuditRecord.objects.get(action="plan.published").detail["reason"] == "Monday"


def test_two_dispatchers_one_wins_and_the_other_is_told_who_and_why():
    plant = a_busy_plant()
    first, second = solved(plant), solved(plant)
    plans.publish_plan(actor=plant.ben, plan_id=first.plan_id, expected=0, reason="rush for Hua", at=AT)
    with pytest.raises(Conflict, match=r"ben published plan .*rush for Hua"):
        plans.publish_plan(actor=plant.ben, plan_id=second.plan_id, expected=0, reason="mine", at=AT)
    assert Plan.objects.filter(is_published=True).count() == 1


def test_publishing_needs_a_reason_and_the_right():
    plant = a_busy_plant()
    row = solved(plant)
    with pytest.raises(InvalidInput):
        plans.publish_plan(actor=plant.ben, plan_id=row.plan_id, expected=0, reason=" ", at=AT)
    with pytest.raises(PermissionRefused):
        plans.publish_plan(actor=plant.ana, plan_id=row.plan_id, expected=0, reason="x", at=AT)
    with pytest.raises(NotVisible):
        plans.publish_plan(actor=an_actor("dora"), plan_id=row.plan_id, expected=0, reason="x", at=AT)
    assert not Plan.objects.filter(is_published=True).exists()
    assert not JobOrder.objects.filter(work_unit__isnull=False).exists()


def test_a_plan_that_is_published_later_is_brought_to_that_moment():
    plant = a_busy_plant()
    row = solved(plant)
    late = AT + timedelta(hours=2)
    made = plans.publish_plan(actor=plant.ben, plan_id=row.plan_id, expected=0, reason="later", at=late)
    assert min(made.origin + start * MINUTE for start in made.starts) >= late


def test_undo_takes_the_former_plan_back_and_again_the_one_before():
    plant = a_busy_plant()
    one = published(plant)
    two = published(plant, AT + MINUTE, expected=one.number)
    three = published(plant, AT + 2 * MINUTE, expected=two.number)
    back = plans.undo(actor=plant.ben, site_id=plant.site_id, expected=three.number, reason="", at=AT + 3 * MINUTE)
    assert (back.kind, back.parent_id) == ("restored", two.pk)
    again = plans.undo(actor=plant.ben, site_id=plant.site_id, expected=back.number, reason="", at=AT + 4 * MINUTE)
    assert again.parent_id == one.pk
    with pytest.raises(Conflict):
        plans.undo(actor=plant.ben, site_id=plant.site_id, expected=again.number, reason="", at=AT + 5 * MINUTE)


def test_what_a_plan_says_is_never_changed_even_by_sql():
    plant = a_busy_plant(1)
    made = published(plant)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as database:
        database.execute("UPDATE scheduling_plan SET starts = '{1,2}' WHERE id = %s", [made.pk])
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as database:
        database.execute("DELETE FROM scheduling_plan WHERE id = %s", [made.pk])
    with pytest.raises(RuntimeError):
        made.delete()


def test_actuals_move_the_published_plan():
    plant = a_busy_plant(1)
    made = published(plant)
    first = JobOrder.objects.get(position=0)
    execute.start_job_order(
        actor=plant.ana, job_order_id=first.pk, work_unit_id=first.work_unit_id, at=AT + 30 * MINUTE
    )
    at = AT + 31 * MINUTE
    built = built_of(plant, at)
    found = plans.carry(built, asked.rows_of_plan(made))
    assert check(found.problem, found.plan) == []
    second = built.index_of_job[JobOrder.objects.get(position=1).pk]
    assert built.moment(int(found.plan.start[second])) >= at + 5 * MINUTE


def test_levers_make_another_plan_and_the_comparison_shows_what_it_costs():
    plant = a_busy_plant(3, 400)  # 200 minutes a step
    a_calendar(plant)
    published(plant)
    longer = {
        "kind": "overtime",
        "work_unit_ids": [plant.units["C1"].pk, plant.units["C2"].pk],
        "start": (AT + timedelta(hours=8)).isoformat(),
        "end": (AT + timedelta(hours=14)).isoformat(),
    }
    plain, overtime = solved(plant), solved(plant, levers=[longer])
    rows = asked.compare(actor=plant.ben, scenario_ids=[plain.pk, overtime.pk])
    assert [row.measures["overtime_min"] for row in rows] == [0, 720]
    assert rows[1].measures["ends_at"] < rows[0].measures["ends_at"]


def test_a_fork_has_the_levers_of_both():
    plant = a_busy_plant(1)
    root = JobOrder.objects.first().request_id
    row = solved(plant, levers=[{"kind": "rush", "request_id": root}])
    more = [{"kind": "subcontract", "job_order_id": JobOrder.objects.first().pk, "hours": 4}]
    fork = scenarios.fork_scenario(actor=plant.ben, scenario_id=row.pk, at=AT, levers=more)
    assert [lever["kind"] for lever in fork.levers] == ["rush", "subcontract"]


@pytest.mark.parametrize("lever", [{"kind": "magic"}, {"kind": "overtime"}, {"kind": "rush", "request_id": "x"}])
def test_a_lever_that_makes_no_sense_is_refused(lever):
    plant = a_busy_plant(1)
    with pytest.raises(InvalidInput):
        scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=AT, levers=[lever])
    assert not Scenario.objects.exists()


def test_a_plan_that_waits_is_cancelled_at_once_and_one_that_is_over_not():
    plant = a_busy_plant(1)
    row = scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=AT, seconds=1)
    assert scenarios.cancel_scenario(actor=plant.ben, scenario_id=row.pk, at=AT).state == "cancelled"
    assert scenarios.work_once(now=lambda: AT) is None
    with pytest.raises(Conflict):
        scenarios.cancel_scenario(actor=plant.ben, scenario_id=row.pk, at=AT)


def test_what_a_dead_planner_was_at_is_begun_again_by_the_next():
    plant = a_busy_plant(1)
    row = scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=AT, seconds=1)
    assert scenarios.take_next(at=AT).pk == row.pk  # and it dies
    assert scenarios.take_next(at=AT + timedelta(seconds=5)) is None
    scenarios.work_once(now=lambda: AT + timedelta(minutes=2))
    row.refresh_from_db()
    assert row.state == "done"


def test_nothing_to_plan_is_said():
    plant = a_busy_plant(0)
    row = solved(plant)
    assert (row.state, row.message) == ("failed", "There is nothing to plan.")


def test_too_many_at_once_are_refused():
    plant = a_busy_plant(1)
    for _number in range(scenarios.MOST_UNDER_WAY):
        scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=AT)
    with pytest.raises(Conflict):
        scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=AT)
