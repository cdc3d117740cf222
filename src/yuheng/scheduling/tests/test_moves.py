"""One move command: what it does, what it refuses and why, and that it never leaves an infeasible plan behind."""

import random
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import translation

from yuheng.engineering.rules.specs import SkillNeed
from yuheng.engines.schedule.check import check
from yuheng.kernel.errors import Conflict, PermissionRefused
from yuheng.operations.models import JobOrder
from yuheng.operations.services import execute, floor
from yuheng.operations.tests import plant as orders
from yuheng.scheduling.building.moving import How, Move
from yuheng.scheduling.models import Plan
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.services import moves
from yuheng.scheduling.tests.plant import AT, a_busy_plant, a_calendar, built_of, stands
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


MINUTE = timedelta(minutes=1)
LATER = AT + timedelta(hours=2)
"""Behind the frozen zone of what is planned here."""


def a_planned_plant(count=6, quantity=120):
    """Steps of an hour each (61 minutes with set-up): enough of them lie behind the frozen zone."""
    plant = a_busy_plant(count, quantity)
    return plant, published(plant)


def move(plant, plan, job, how=How.INSERT, start=LATER, unit=None, at=AT, **more):
    unit_id = plant.units[unit].pk if unit else None
    command = Move(job, start, unit_id, how)
    return moves.move(actor=plant.ben, site_id=plant.site_id, command=command, expected=plan.number, at=at, **more)


def tried(plant, job, how=How.INSERT, start=LATER, unit=None, at=AT):
    unit_id = plant.units[unit].pk if unit else None
    return moves.try_move(actor=plant.ben, site_id=plant.site_id, command=Move(job, start, unit_id, how), at=at)


def is_sound(plant, at=AT):
    plan = Plan.objects.get(is_published=True)
    built = built_of(plant, at)
    problem = built.whole()
    return check(problem, built.reference(rows_of_plan(plan)))


def behind_the_frozen_zone(plan, *, least=120):
    start = plan.starts[0]
    return [job for job, at in zip(plan.job_order_ids, plan.starts, strict=True) if at - start >= least]


def test_inserting_moves_what_comes_after_and_says_so_before_and_after():
    plant, plan = a_planned_plant()
    job, start = behind_the_frozen_zone(plan)[0], AT + timedelta(hours=5)
    dry = tried(plant, job, start=start)
    assert dry.is_feasible
    assert not dry.is_published
    assert Plan.objects.get(is_published=True).number == plan.number
    done = move(plant, plan, job, start=start)
    assert (done.unit, done.starts_at) == (dry.unit, dry.starts_at)
    assert done.number > plan.number
    assert done.measures["moved"] == dry.measures["moved"] > 0
    assert is_sound(plant) == []


def test_a_slot_moves_nothing_else_or_is_refused():
    plant, plan = a_planned_plant()
    last = plan.job_order_ids[-1]
    end = plan.origin + max(plan.ends) * MINUTE + timedelta(hours=3)
    done = move(plant, plan, last, How.SLOT, end)
    assert done.starts_at == end
    assert done.measures["moved"] == 1
    first = next(job for job in behind_the_frozen_zone(plan) if JobOrder.objects.get(pk=job).position == 0)
    refused = tried(plant, first, How.SLOT, end)
    assert not refused.is_feasible
    assert "Insert it instead" in refused.refusals[0]


def test_an_infinite_move_names_what_it_breaks_and_is_not_published():
    plant, plan = a_planned_plant()
    job = behind_the_frozen_zone(plan)[-1]
    found = tried(plant, job, How.INFINITE, AT + timedelta(minutes=70))
    assert not found.is_feasible
    assert found.refusals
    with pytest.raises(Conflict):
        move(plant, plan, job, How.INFINITE, AT + timedelta(minutes=70))
    assert Plan.objects.get(is_published=True).number == plan.number


def test_a_machine_that_cannot_do_it_is_refused_with_those_that_can():
    plant, plan = a_planned_plant()
    found = tried(plant, behind_the_frozen_zone(plan)[-1], unit="A1")
    assert found.refusals == ("A1 cannot do " + JobOrder.objects.get(pk=found.job_order_id).code
                              + ". Able are: C1, C2.",)  # fmt: skip


def test_what_starts_soon_stays_and_what_runs_too():
    plant, plan = a_planned_plant()
    first = plan.job_order_ids[0]
    assert "frozen zone of 60 minutes" in tried(plant, first).refusals[0]
    unit = JobOrder.objects.get(pk=first).work_unit_id
    execute.start_job_order(actor=plant.ana, job_order_id=first, work_unit_id=unit, at=AT)
    assert "runs already" in tried(plant, first, at=AT + MINUTE).refusals[0]


def test_the_second_step_never_comes_before_the_first():
    plant, plan = a_planned_plant()
    second = next(job for job in reversed(plan.job_order_ids) if JobOrder.objects.get(pk=job).position == 1)
    job = JobOrder.objects.get(pk=second)
    first = JobOrder.objects.get(request_id=job.request_id, position=0)
    found = tried(plant, second, How.INSERT, AT)
    assert found.is_feasible
    assert found.starts_at >= first.planned_end
    exact = tried(plant, second, How.INFINITE, first.planned_start)
    assert any("before what it waits for" in one for one in exact.refusals)


def test_outside_of_shifts_and_on_a_machine_that_stands_it_waits():
    plant = a_busy_plant(6, 120)
    a_calendar(plant)
    plan = published(plant)
    job = behind_the_frozen_zone(plan)[-1]
    found = tried(plant, job, How.INSERT, AT + timedelta(hours=4))  # noon
    assert found.starts_at >= AT + timedelta(hours=5)
    stands(plant, "C2", AT - MINUTE)
    again = tried(plant, job, How.INSERT, AT, unit="C2")
    assert again.starts_at >= AT + 55 * MINUTE  # an hour is assumed


def test_people_who_are_busy_are_waited_for():
    plant = orders.a_plant()
    floor.write_skill(actor=plant.ben, site_id=plant.site_id, code="weld", name_zh="焊", name_en="Weld", at=AT)
    floor.qualify(
        actor=SYSTEM, site_id=plant.site_id, person_id=plant.ana.person_id, skill="weld", valid_from=AT, at=AT
    )
    step = orders.a_segment(plant, "10", skills=(SkillNeed("weld", 1, 1),))
    orders.a_simple_product(plant, "GEAR", step)
    for number in range(4):
        orders.a_released_order(plant, "GEAR", 120, code=f"SO{number}")
    plan = published(plant)
    job = plan.job_order_ids[-1]
    there = next(unit for unit in ("C1", "C2") if plant.units[unit].pk != plan.work_unit_ids[-1])
    exact = tried(plant, job, How.INFINITE, plan.origin + plan.starts[1] * MINUTE, unit=there)
    assert any("Nobody able" in one for one in exact.refusals)
    assert tried(plant, job, How.INSERT, LATER, unit=there).is_feasible


def test_two_dispatchers_one_wins_and_the_other_hears_what_was_done():
    plant, plan = a_planned_plant()
    one, two = behind_the_frozen_zone(plan)[-2:]
    move(plant, plan, one)
    with pytest.raises(Conflict, match=r"ben published plan \d+ .*Look at the new one"):
        move(plant, plan, two)


def test_operators_do_not_move_plans():
    plant, plan = a_planned_plant(1)
    with pytest.raises(PermissionRefused):
        moves.try_move(actor=plant.ana, site_id=plant.site_id, command=Move(plan.job_order_ids[0], LATER), at=AT)


def test_hundreds_of_random_moves_never_publish_an_infeasible_plan():
    plant = a_busy_plant(8, 60)
    a_calendar(plant)
    plan = published(plant)
    chance = random.Random(7)
    done = refused = 0
    for _step in range(150):
        how = chance.choice(list(How))
        unit = chance.choice(["C1", "C2", "A1", None])
        job = chance.choice(plan.job_order_ids)
        start = AT + chance.randrange(-60, 2_000) * MINUTE
        dry = tried(plant, job, how, start, unit)
        if not dry.is_feasible:
            refused += 1
            assert dry.refusals
            with pytest.raises(Conflict) as refusal:
                move(plant, plan, job, how, start, unit)
            assert str(refusal.value)
            continue
        done += 1
        assert move(plant, plan, job, how, start, unit).starts_at == dry.starts_at
        plan = Plan.objects.get(is_published=True)
        assert sorted(plan.job_order_ids) == sorted(JobOrder.objects.values_list("pk", flat=True))
        assert is_sound(plant) == []
    assert done > 20
    assert refused > 20


@pytest.mark.django_db(transaction=True)
def test_moves_at_the_same_time_are_published_one_after_the_other_and_each_is_sound():
    plant = a_busy_plant(8, 60)
    plan = published(plant)
    outcomes: list[str] = []

    def dispatcher(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _step in range(8):
                seen = Plan.objects.get(is_published=True)
                job = chance.choice(seen.job_order_ids)
                try:
                    move(plant, seen, job, chance.choice([How.INSERT, How.SLOT]), AT + chance.randrange(900) * MINUTE)
                    outcomes.append("done")
                except Conflict as refusal:
                    outcomes.append("late" if "published plan" in str(refusal) else "refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=dispatcher, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(outcomes) == 24
    assert "done" in outcomes
    assert Plan.objects.filter(is_published=True).count() == 1
    assert Plan.objects.filter(published_at__isnull=False).count() == 1 + outcomes.count("done")
    assert is_sound(plant) == []
    assert plan.number < Plan.objects.get(is_published=True).number


def test_a_bar_that_is_carried_about_is_tried_on_what_was_read_a_moment_ago(django_assert_max_num_queries):
    plant, plan = a_planned_plant()
    jobs_ = behind_the_frozen_zone(plan)[:2]
    starts = (LATER, AT + timedelta(hours=4), AT + timedelta(hours=5))
    first = [tried(plant, job, start=start) for job in jobs_ for start in starts]
    with django_assert_max_num_queries(6 * len(first)):  # the stamp, and no reading of the plant
        again = [tried(plant, job, start=start, at=AT + timedelta(seconds=3)) for job in jobs_ for start in starts]
    assert again == first
    moves._WARM.clear()
    assert [tried(plant, job, start=start) for job in jobs_ for start in starts] == first


def test_what_changed_is_read_anew_before_the_next_place_is_tried():
    plant, plan = a_planned_plant()
    job = behind_the_frozen_zone(plan)[-1]
    before = tried(plant, job, start=LATER)
    moved = move(plant, plan, behind_the_frozen_zone(plan)[0], start=AT + timedelta(hours=6))
    after = tried(plant, job, start=LATER)
    assert (before.number, after.number) == (plan.number, moved.number)
    moves._WARM.clear()
    assert tried(plant, job, start=LATER) == after
