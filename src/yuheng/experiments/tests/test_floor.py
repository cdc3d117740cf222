"""The model of the floor: nothing is made twice, nothing is forgotten, fates belong to things, nobody sees ahead."""

from dataclasses import replace

import pytest

from yuheng.experiments import proof
from yuheng.experiments.advice import Case, summary
from yuheng.experiments.dispatch import POLICIES, _claims, policy_of
from yuheng.experiments.floor import Floor
from yuheng.experiments.measures import figures, weighted_late_min
from yuheng.experiments.orders import Recipes, demands, longest_way
from yuheng.experiments.parameters import Parameters, fingerprint
from yuheng.experiments.policies.rules import EDD, FIFO, Rules
from yuheng.experiments.shifts import OpenMinutes
from yuheng.experiments.statistics import interval, paired, quantile, ratio
from yuheng.simulation.elevator.products import ELEVATOR_PRODUCTS

CATALOGUE = ELEVATOR_PRODUCTS
SMALL = Parameters(
    warm_up_min=60, measured_min=180, orders_per_hour=2.0, plan_min=60, practice_plan_min=60, plan_cpu_s=0.02,
    answer_cpu_s=0.02, loop_stop_min=1, loop_least_min=15,
)  # fmt: skip


@pytest.fixture(scope="module")
def recipes():
    return Recipes(CATALOGUE)


def a_floor(recipes, name, seed=1, parameters=SMALL, orders=None, effort=None):
    orders = demands(CATALOGUE, recipes, parameters, seed) if orders is None else orders
    return Floor(CATALOGUE, parameters, orders, seed, policy_of(name, CATALOGUE, parameters, seed, effort=effort))


def history(floor):
    return [(job.id, job.machine, job.start, job.end) for job in floor.jobs.values()]


def test_an_order_is_exploded_into_what_engineering_says(recipes):
    tasks = recipes.tasks("TE-100", 2, {"stops": 8.0, "load": 1000.0, "finish": "hairline"})
    doors = [task for task in tasks if task.family == "door-panel"]
    assert {task.quantity for task in doors} == {38}  # (2 * 8 + 2) * 2, and 5 % for scrap
    assert [task.code for task in doors] == ["10", "20", "30", "40", "50"]
    assert all(before < place for place, task in enumerate(tasks) for before, _lag in task.before)
    last = tasks[-1]
    assert (last.path, last.code, last.machine) == ("", "40", "packing-station")
    assert longest_way(tasks) >= sum(task.run_min for task in tasks if task.path == "")


@pytest.mark.parametrize("name", list(POLICIES))
def test_whoever_decides_everything_is_made_once_and_breaks_no_rule(recipes, name):
    still = replace(SMALL, answer_cpu_s=0.0)  # by effort: on a loaded machine CPU time finds another plan each time
    floor = a_floor(recipes, name, parameters=still, effort=1)
    floor.run(60 * SMALL.ends_min)
    assert not floor.open_orders
    assert not floor.open
    assert sum(len(order.demand.tasks) for order in floor.orders.values()) == len(floor.jobs)
    assert all(0 <= job.start < job.end for job in floor.jobs.values())
    assert proof.faults(CATALOGUE, floor) == []
    assert 0 <= figures(floor)["on_time"] <= 1


def test_the_proof_can_fail(recipes):
    floor = a_floor(recipes, "fifo")
    floor.run()
    one = next(job for job in floor.jobs.values() if job.task.before and job.start == job.earliest)
    one.start -= 1
    one.end -= 1
    assert proof.faults(CATALOGUE, floor)


def test_what_was_never_shipped_is_said(recipes):
    floor = a_floor(recipes, "fifo")
    floor.run(100)
    with pytest.raises(ValueError, match="never shipped"):
        figures(floor)


@pytest.mark.parametrize("name", ["practice", "fifo", "edd"])
def test_the_same_seed_gives_the_same_history(recipes, name):
    first, second = a_floor(recipes, name), a_floor(recipes, name)
    first.run()
    second.run()
    assert history(first) == history(second)
    other = a_floor(recipes, name, seed=2)
    other.run()
    assert history(first) != history(other)


def test_fates_are_the_same_whoever_decides(recipes):
    floors = [a_floor(recipes, name) for name in ("practice", "fifo", "edd")]
    for floor in floors:
        floor.run()
    works = [{job.id: (job.work, job.setup) for job in floor.jobs.values()} for floor in floors]
    assert works[0] == works[1] == works[2]
    lives = [{one.code: one.stream.random() for one in floor.machines if not floor.stops} for floor in floors]
    assert lives[0] == lives[1] == lives[2]


@pytest.mark.parametrize("name", list(POLICIES))
def test_nobody_sees_what_lies_ahead(recipes, name):
    """Another future from minute 120 on, other orders and other fates of later work: until then all is the same."""
    change = 120
    known = demands(CATALOGUE, recipes, SMALL, 1)
    future = [one for one in demands(CATALOGUE, recipes, SMALL, 7) if one.at > change]
    past = [one for one in known if one.at <= change]
    shuffled = past + [replace(one, number=len(past) + k) for k, one in enumerate(future, start=1)]
    assert past
    assert future
    assert shuffled != known
    # By effort: what a search finds within CPU time differs from run to run.
    still = replace(SMALL, answer_cpu_s=0.0)
    one, other = (a_floor(recipes, name, parameters=still, orders=orders, effort=1) for orders in (known, shuffled))
    one.run(change)
    other.run(change)
    assert history(one) == history(other)
    one.run()
    other.run()
    assert history(one) != history(other)


def test_a_fork_goes_its_own_way_from_the_same_state(recipes):
    floor = a_floor(recipes, "fifo")
    floor.run(150)
    before = history(floor)
    rules = Rules(FIFO)
    twin = floor.fork(rules)
    rules.take_over(twin)
    other = Rules(EDD)
    third = floor.fork(other, without_orders=True)
    other.take_over(third)
    twin.run()
    third.run()
    assert history(floor) == before
    assert len(third.orders) == len(floor.orders)
    floor.run()
    assert history(twin) == history(floor)
    assert weighted_late_min(list(twin.orders.values())) == weighted_late_min(list(floor.orders.values()))


def test_longer_stops_lose_the_same_share_of_time(recipes):
    floors = [a_floor(recipes, "fifo", parameters=replace(SMALL, longer_stops=times)) for times in (1.0, 4.0)]
    for code in range(len(floors[0].machines)):
        short, long = (floor.machines[code] for floor in floors)
        shares = [
            sum(one.repair_s * one.weight for one in machine.causes) / machine.mean_life_min
            for machine in (short, long)
        ]
        assert shares[0] == pytest.approx(shares[1])


def test_the_fingerprint_tells_parameters_apart():
    one = fingerprint(SMALL, CATALOGUE)
    assert one == fingerprint(replace(SMALL), CATALOGUE)
    assert one != fingerprint(replace(SMALL, spread=0.21), CATALOGUE)


def test_breaks_are_not_worked():
    minutes = OpenMinutes([(720, 750)], 3)
    assert minutes.begin(730) == 750
    assert minutes.end(719, 2) == 751
    assert minutes.between(700, 760) == 30
    assert minutes.end(1440 + 100, 10) == 1550


def test_paired_differences_and_quantiles():
    assert paired([3.0, 5.0], [1.0, 3.0]).to_json() == {"mean": 2.0, "low": 2.0, "high": 2.0}
    assert interval([4.0]).low == 4.0
    assert ratio([4.0], [10.0]) == pytest.approx(-0.6)
    assert quantile([10, 20, 30, 40], 0.9) == 40
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_claims_stand_beside_what_was_measured():
    rows = {
        "practice": [{"shipped_per_day": 100.0, "hours_mean": 30.0}],
        "loop": [{"shipped_per_day": 110.0, "hours_mean": 24.0}],
    }
    found = _claims(rows)
    assert found["capacity"] == {"claimed": 0.32, "measured": 0.1}
    assert found["delivery_cycle"]["measured"] == pytest.approx(-0.2)
    assert found["elevator_days"]["measured"] == 1.0


def test_advice_is_judged_by_what_followed():
    def case(advised, waiting, fifo):
        return Case(1, 0, "few", 1, 10, 5.0, advised, waiting, fifo, (3, -1))

    found = summary([case(10.0, 20.0, 9.5), case(30.0, 20.0, 40.0)])
    assert found["no_worse_than_waiting"] == 0.5
    assert found["no_worse_than_fifo"] == 1.0
    assert not found["is_honest"]
    assert found["late_error_median"] == 5.0
    assert found["end_error_min_median_abs"] == 1


def test_a_plan_that_puts_everything_on_one_machine_does_not_leave_its_sisters_idle(recipes):
    floor = a_floor(recipes, "plan", parameters=replace(SMALL, orders_per_hour=6.0), effort=1)
    floor.run(59)
    policy = floor.policy
    policy.plan(floor)
    first = {kind: one.index + 1 for one in reversed(floor.machines) for kind in [one.kind]}
    rows = policy.rows
    policy.follow(floor, replace(rows, work_unit_ids=[first[floor.machines[k - 1].kind] for k in rows.work_unit_ids]))
    before = {job.id for job in floor.jobs.values() if job.start >= 0}
    floor.run(90)
    begun = {job.machine for job in floor.jobs.values() if job.start >= 0 and job.id not in before}
    assert any(machine + 1 not in first.values() for machine in begun)
