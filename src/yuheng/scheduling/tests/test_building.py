"""The problem of this second: what is open, what it waits for, and what is named instead of being guessed silently."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from yuheng.engineering.rules.specs import LinkSpec, SkillNeed, ToolNeed
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.parts import Link, Status
from yuheng.engines.schedule.solve import solve
from yuheng.operations.models import JobDependency, JobOrder
from yuheng.operations.services import dispatch, execute, floor
from yuheng.operations.tests import plant as orders
from yuheng.scheduling.building import Levers, OpenLonger, build
from yuheng.scheduling.building.carrying import objective
from yuheng.scheduling.selectors.plant import plant_facts
from yuheng.scheduling.tests.plant import AT, HOUR, a_busy_plant, a_calendar, built_of, stands
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db


def codes(built):
    return {notice.code for notice in built.notices}


def test_every_open_job_order_is_an_operation_on_the_machines_that_can_do_it():
    plant = a_busy_plant()
    built = built_of(plant)
    assert len(built.whole().operations) == JobOrder.objects.count() == 8
    cutters = {plant.units["C1"].pk, plant.units["C2"].pk}
    assert all({mode.machine for mode in row.modes} == cutters for row in built.whole().operations)
    assert {row.modes[0].duration for row in built.whole().operations} == {6}  # 60 s + 10 x 30 s
    assert len(built.whole().precedences) == 4


def test_a_plan_of_it_is_feasible_and_reads_back_the_same():
    plant = a_busy_plant()
    built = built_of(plant)
    found = solve(built.whole(), objective(), 1.0, effort=2_000)
    rows = built.rows(built.whole(), found.plan)
    again = built.reference(rows)
    assert check(built.whole(), again) == []
    assert (again.start == found.plan.start).all()


def test_a_constant_number_of_queries(django_assert_max_num_queries):
    plant = a_busy_plant(12)
    a_calendar(plant)
    stands(plant, "C1", AT - HOUR)
    with django_assert_max_num_queries(18):
        plant_facts(actor=SYSTEM, site_id=plant.site_id, now=AT)


def test_what_runs_is_where_it_runs_with_what_is_left():
    plant = a_busy_plant(2)
    row = plant.job("PO1-10") if JobOrder.objects.filter(code="PO1-10").exists() else JobOrder.objects.first()
    execute.start_job_order(actor=plant.ana, job_order_id=row.pk, work_unit_id=plant.units["C2"].pk, at=AT)
    execute.report_quantities(actor=plant.ana, job_order_id=row.pk, at=AT + timedelta(minutes=2), good=4)
    built = built_of(plant, AT + timedelta(minutes=3))
    running = built.whole().operations[built.index_of_job[row.pk]]
    assert running.status is Status.STARTED
    assert [mode.machine for mode in running.modes] == [plant.units["C2"].pk]
    assert running.modes[0].duration == 1 + 3  # six of ten pieces are left of five minutes


def test_a_paused_job_order_keeps_its_machine():
    plant = a_busy_plant(1)
    row = JobOrder.objects.order_by("pk").first()
    execute.start_job_order(actor=plant.ana, job_order_id=row.pk, work_unit_id=plant.units["C2"].pk, at=AT)
    execute.pause_job_order(actor=plant.ana, job_order_id=row.pk, reason="break", at=AT + timedelta(minutes=1))
    found = built_of(plant, AT + timedelta(minutes=2)).whole().operations[0]
    assert (found.status, found.fixed_machine, found.fixed_start) == (Status.PINNED, plant.units["C2"].pk, None)


def test_without_a_calendar_it_is_planned_around_the_clock_and_says_so():
    plant = a_busy_plant(1)
    assert "no_calendar" in codes(built_of(plant))


def test_shifts_breaks_and_weekends_are_closed():
    plant = a_busy_plant(1)
    a_calendar(plant)
    built = built_of(plant)
    assert "no_calendar" not in codes(built)
    calendar = built.whole().calendars[0]
    monday = built.tick(AT)  # 08:00 at the plant
    week = [(start - monday, end - monday) for start, end in calendar.intervals if start >= monday][:2]
    assert week == [(0, 240), (300, 480)]
    assert sum(end - start for start, end in calendar.intervals) == 5 * 7 * 60


def test_an_extra_shift_opens_only_the_machines_named():
    plant = a_busy_plant(1)
    a_calendar(plant)
    evening = OpenLonger((plant.units["C1"].pk,), AT + 8 * HOUR, AT + 12 * HOUR)
    built = built_of(plant, levers=Levers(open_longer=(evening,)))
    longer = {machine.id for machine in built.whole().machines if "+" in str(machine.calendar)}
    assert longer == {plant.units["C1"].pk}
    assert built.levers.overtime_min() == 240


def test_a_step_that_no_machine_can_do_is_named_and_what_follows_too():
    plant = orders.a_plant()
    orders.a_simple_product(plant, "GEAR", orders.a_segment(plant, "10", "nobody"), orders.a_segment(plant, "20"))
    orders.a_simple_product(plant, "PIN")
    orders.a_released_order(plant, "GEAR", code="SO1")
    orders.a_released_order(plant, "PIN", code="SO2")
    built = built_of(plant)
    assert len(built.whole().operations) == 2
    assert [notice.code for notice in built.notices if notice.job_order_id] == ["no_machine", "waits_for"]


def test_nothing_open_is_nothing_to_plan():
    plant = orders.a_plant()
    assert built_of(plant).problem is None


def test_a_machine_that_stands_is_a_disturbance_with_an_expected_end():
    plant = a_busy_plant(1)
    for day in range(1, 4):
        began = AT - timedelta(days=day)
        stands(plant, "C1", began, began + timedelta(minutes=30))
    stands(plant, "C1", AT - timedelta(minutes=10))
    built = built_of(plant)
    estimate = built.standing[plant.units["C1"].pk]
    assert (estimate.basis.value, estimate.end) == ("machine", AT + timedelta(minutes=20))
    assert [down.end for down in built.downs()] == [built.tick(AT) + 20]
    assert "stands" in codes(built)


def test_a_hold_without_an_end_is_taken_to_last_and_said():
    plant = a_busy_plant(1)
    row = JobOrder.objects.order_by("pk").first()
    dispatch.hold_job_orders(actor=plant.ben, job_order_ids=[row.pk], reason="paper", at=AT)
    built = built_of(plant)
    assert built.whole().operations[0].release == built.now + 8 * 60
    assert "on_hold" in codes(built)


def test_material_that_the_plant_keeps_and_lacks_comes_late_and_is_said():
    plant = orders.a_plant()
    orders.a_simple_product(plant)
    orders.in_stock(plant, "STEEL", 25)
    orders.a_released_order(plant, "GEAR", 10, code="SO1")
    orders.a_released_order(plant, "GEAR", 10, code="SO2")
    built = built_of(plant)
    awaited = [row.material_at > 0 for row in built.whole().operations]
    assert awaited.count(True) == 1
    assert "material_short" in codes(built)


def test_people_and_tools_that_run_short_are_resources_others_are_left_out():
    plant = orders.a_plant()
    floor.write_skill(actor=plant.ben, site_id=plant.site_id, code="weld", name_zh="焊", name_en="Weld", at=AT)
    floor.write_tool(
        actor=plant.ben, site_id=plant.site_id, code="J1", kind="jig", name_zh="夹具", name_en="Jig", at=AT
    )
    floor.qualify(
        actor=SYSTEM, site_id=plant.site_id, person_id=plant.ana.person_id, skill="weld", valid_from=AT, at=AT
    )
    step = orders.a_segment(plant, "10", skills=(SkillNeed("weld", 1, 1),), tools=(ToolNeed("jig", 1),))
    orders.a_simple_product(plant, "GEAR", step)
    orders.a_released_order(plant, "GEAR", code="SO1")
    orders.a_released_order(plant, "GEAR", code="SO2")
    built = built_of(plant)
    problem = built.whole()
    assert [row.id for row in problem.resources] == ["tool jig"]
    assert [row.id for row in problem.operators] == [plant.ana.person_id]
    plan = solve(problem, objective(), 1.0, effort=500).plan
    assert check(problem, plan) == []
    first, second = sorted(range(2), key=lambda k: plan.start[k])
    assert plan.start[second] >= plan.end[first]  # one jig, one welder, two machines


def test_a_skill_that_nobody_has_is_named_and_does_not_stop_the_plan():
    plant = orders.a_plant()
    step = orders.a_segment(plant, "10", skills=(SkillNeed("weld", 1, 1),))
    orders.a_simple_product(plant, "GEAR", step)
    orders.a_released_order(plant, "GEAR")
    built = built_of(plant)
    assert "nobody_able" in codes(built)
    assert built.whole().operations[0].demands == ()


def test_set_up_families_become_a_matrix_and_leave_the_running_time():
    plant = orders.a_plant()
    red = orders.a_segment(plant, "10", setup_family="red")
    blue = orders.a_segment(plant, "10", setup_family="blue")
    orders.a_simple_product(plant, "GEAR", red)
    orders.a_simple_product(plant, "PIN", blue)
    orders.a_released_order(plant, "GEAR", code="SO1")
    orders.a_released_order(plant, "PIN", code="SO2")
    problem = built_of(plant).whole()
    (matrix,) = problem.setup_matrices
    assert (matrix.families, matrix.times) == (("blue", "red"), ((0, 1), (1, 0)))
    assert {row.modes[0].duration for row in problem.operations} == {5}


def test_parts_are_made_before_they_are_assembled():
    plant = orders.a_plant()
    orders.a_two_level_product(plant)
    orders.a_released_order(plant, "LIFT", 2)
    built = built_of(plant)
    assert len({job.root_id for job in built.jobs}) == 1  # one due date for the lift and its frames
    assert len(built.whole().precedences) == JobDependency.objects.count()


def test_a_transfer_batch_overlaps():
    plant = orders.a_plant()
    first = orders.a_segment(plant, "10", transfer_batch=Decimal(2))
    orders.a_simple_product(plant, "GEAR", first, orders.a_segment(plant, "20"))
    orders.a_released_order(plant, "GEAR", 10)
    link = built_of(plant).whole().precedences[0]
    assert (link.kind, link.transfer, link.quantity) == (Link.OVERLAP, 2, 10)


def test_a_subcontracted_step_takes_its_lead_time_and_no_machine():
    plant = a_busy_plant(1)
    row = JobOrder.objects.order_by("pk").first()
    built = built_of(plant, levers=Levers(subcontracted={row.pk: 48.0}))
    found = built.whole().operations[built.index_of_job[row.pk]]
    assert [(mode.machine, mode.duration) for mode in found.modes] == [(f"outside {row.pk}", 48 * 60)]


def test_pieces_that_were_lost_before_are_not_waited_for():
    plant = a_busy_plant(1)
    first, second = JobOrder.objects.order_by("position")
    execute.start_job_order(actor=plant.ana, job_order_id=first.pk, work_unit_id=plant.units["C1"].pk, at=AT)
    execute.finish_job_order(
        actor=plant.ana, job_order_id=first.pk, at=AT + timedelta(minutes=5), good=6, scrap=4, reason="burr"
    )
    built = built_of(plant, AT + timedelta(minutes=6))
    assert [job.id for job in built.jobs] == [second.pk]
    assert built.whole().operations[0].modes[0].duration == 1 + 3  # six pieces of half a minute, set-up a minute


def test_what_the_engine_refuses_is_taken_out_and_the_rest_is_planned():
    plant = a_busy_plant(2)
    facts = plant_facts(actor=SYSTEM, site_id=plant.site_id, now=AT)
    first, *others = facts.work.jobs
    step = first.step._replace(run_s=1e12, alternatives={})  # 32,000 years: no engine takes that
    work = replace(facts.work, jobs=[first._replace(step=step), *others])
    built = build(replace(facts, work=work))
    codes = {notice.code: notice.job_order_id for notice in built.notices}
    assert codes["no_times"] == first.id
    planned = {job.id for job in built.jobs}
    assert first.id not in planned
    behind = {link.after_id for link in facts.work.links if link.before_id == first.id}
    assert planned == {job.id for job in others} - behind
    assert len(planned) >= 2


def test_parallel_steps_may_overlap():
    plant = orders.a_plant()
    orders.a_material(plant, "STEEL", unit="kg")
    orders.a_material(plant, "GEAR", source=orders.Source.MAKE)
    orders.a_work_master(
        plant, "GEAR", orders.a_segment(plant, "10"), orders.a_segment(plant, "20"),
        links=(LinkSpec("10", "20", kind="start_start", lag_s=120),),
    )  # fmt: skip
    orders.a_released_order(plant, "GEAR")
    link = built_of(plant).whole().precedences[0]
    assert (link.kind, link.min_lag) == (Link.START_START, 2)


def test_building_twice_gives_the_same():
    plant = a_busy_plant()
    facts = plant_facts(actor=SYSTEM, site_id=plant.site_id, now=AT)
    assert build(facts).whole() == build(facts).whole()
