"""The tardiness search and the dispatching rules, by the independent checker on random problems."""

import numpy as np
import pytest

from yuheng.engines.schedule.arrays import Arrays, compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.dispatch import Dispatcher, Rule, first_plan, sweep
from yuheng.engines.schedule.generate import plant, random_problem
from yuheng.engines.schedule.kpis import measures
from yuheng.engines.schedule.plan import plan_of
from yuheng.engines.schedule.tardiness import Costs, Reference, TardinessSearch, supports
from yuheng.engines.schedule.tardiness.anneal import COST

RULES = frozenset(
    {"alternatives", "assembly", "lags", "release", "due", "calendars", "whole", "setups", "material", "fixed"}
)
SEEDS = range(12)
ALL_COSTS = Costs(tardiness=1.0, flow=0.1, late=5.0, makespan=0.5, setup=0.3)


def a_problem(seed, size=40, rules=RULES):
    problem = random_problem(seed, size, rules)
    arrays = compile_problem(problem)
    if not supports(arrays):
        pytest.skip("a start is pinned without a machine, which only the general decoder knows")
    return problem, arrays


def published(arrays, mode, start, seed):
    g = np.random.default_rng(seed)
    n = arrays.n
    return Reference(mode, start + g.integers(0, 60, n), g.uniform(0, 50, n), g.uniform(0, 1, n), np.full(n, 15))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_rule_makes_a_plan_that_the_checker_accepts(seed):
    problem, arrays = a_problem(seed)
    dispatcher = Dispatcher(arrays)
    for rule in Rule:
        made = dispatcher.by_rule(rule)
        assert check(problem, plan_of(arrays, made.mode, made.start)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_search_with_all_rules_ends_in_a_plan_that_the_checker_accepts(seed):
    problem, arrays = a_problem(seed)
    begun = sweep(arrays)
    search = TardinessSearch(arrays, ALL_COSTS, seed, (begun.mode, begun.start), published(arrays, *begun[1:3], seed))
    before = search.value
    value, mode, start = search.run(60.0, proposals=6000)
    assert value <= before
    assert search.effort.accepted > 0
    assert check(problem, plan_of(arrays, mode, start)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_increments_add_up_to_the_cost_counted_from_nothing(seed):
    _problem, arrays = a_problem(seed)
    begun = sweep(arrays)
    search = TardinessSearch(arrays, ALL_COSTS, seed, (begun.mode, begun.start), published(arrays, *begun[1:3], seed))
    for _ in range(20):
        search.run(60.0, proposals=300)
        increments = float(search.search.amounts[COST])
        times = search.shop.nodes[: arrays.n, :2].copy()
        assert increments == pytest.approx(search.exact_value(), abs=1e-6)
        search.decode_again()
        assert (search.shop.nodes[: arrays.n, :2] == times).all()
        assert increments == pytest.approx(search.exact_value(), abs=1e-6)
        search.search.amounts[COST] = increments


def test_the_fast_kernels_agree_with_the_full_ones():
    problem = plant(60, 4, machines=20)
    arrays = compile_problem(problem)
    begun = sweep(arrays)
    search = TardinessSearch(arrays, Costs(), 1, (begun.mode, begun.start))
    assert search.shop.plant is None
    value, mode, start = search.run(60.0, proposals=40_000)
    assert value < begun.value
    plan = plan_of(arrays, mode, start)
    assert check(problem, plan) == []
    assert measures(problem, plan).weighted_tardiness == pytest.approx(value)
    none = np.zeros(arrays.n)
    nobody_minds = Reference(mode, start, none, none, np.zeros(arrays.n, np.int64))
    full = TardinessSearch(arrays, Costs(), 1, (mode, start), nobody_minds)
    assert full.shop.plant is not None
    assert full.value == pytest.approx(value)


def test_equal_seeds_and_proposals_make_equal_plans():
    arrays = compile_problem(plant(60, 3, machines=20))
    begun = sweep(arrays)
    plans = [
        TardinessSearch(arrays, Costs(), 7, (begun.mode, begun.start)).run(600.0, proposals=30_000) for _ in range(2)
    ]
    assert plans[0][0] == plans[1][0]
    assert (plans[0][1] == plans[1][1]).all()
    assert (plans[0][2] == plans[1][2]).all()


def test_more_time_is_never_worse():
    arrays = compile_problem(plant(60, 5, machines=20))
    begun = sweep(arrays)
    search = TardinessSearch(arrays, Costs(), 1, (begun.mode, begun.start))
    values = [begun.value] + [search.run(60.0, proposals=5_000)[0] for _ in range(6)]
    assert values == sorted(values, reverse=True)


def test_a_raised_stop_byte_ends_a_run_at_once():
    arrays = compile_problem(plant(60, 6, machines=20))
    begun = sweep(arrays)
    search = TardinessSearch(arrays, Costs(), 1, (begun.mode, begun.start))
    search.run(600.0, np.ones(1, np.uint8))
    assert search.effort.proposals == 0


def test_an_improvement_is_told_with_its_plan():
    problem = plant(60, 7, machines=20)
    arrays = compile_problem(problem)
    begun = sweep(arrays)
    told = []
    search = TardinessSearch(arrays, Costs(), 1, (begun.mode, begun.start))
    search.run(60.0, None, lambda value, mode, start: told.append((value, mode, start)), proposals=20_000)
    assert told
    for value, mode, start in (told[0], told[-1]):
        assert measures(problem, plan_of(arrays, mode, start)).weighted_tardiness == pytest.approx(value)


def test_fixed_operations_stay_where_they_are():
    seen = 0
    for seed in range(30):
        problem, arrays = (
            a_problem(seed) if supports(compile_problem(random_problem(seed, 40, RULES))) else (None, None)
        )
        if problem is None:
            continue
        fixed = np.flatnonzero(arrays.fixed_start >= 0)
        seen += len(fixed)
        begun = sweep(arrays)
        _value, mode, start = TardinessSearch(arrays, Costs(), 0, (begun.mode, begun.start)).run(60.0, proposals=3000)
        assert (start[fixed] == arrays.fixed_start[fixed]).all()
        held = np.flatnonzero(arrays.fixed_mode >= 0)
        assert (mode[held] == arrays.fixed_mode[held]).all()
    assert seen > 0


def test_a_published_plan_holds_operations_on_their_machines():
    arrays = compile_problem(plant(60, 8, machines=20))
    begun = sweep(arrays)
    n = arrays.n
    dear = Reference(begun.mode, begun.start, np.full(n, 1e7), np.zeros(n), np.zeros(n, np.int64))
    _value, mode, _start = TardinessSearch(arrays, Costs(), 0, (begun.mode, begun.start), dear).run(
        60.0, proposals=8000
    )
    assert (mode == begun.mode).all()


def test_learned_lead_times_never_lose_against_the_sweep_they_begin_with():
    for seed in range(3):
        arrays: Arrays = compile_problem(plant(60, seed, machines=20))
        assert first_plan(arrays).value <= sweep(arrays).value


def test_a_search_goes_on_where_no_single_operation_promises_anything():
    arrays = compile_problem(plant(50, 1))
    begun = first_plan(arrays)
    assert begun.value > 0
    search = TardinessSearch(arrays, Costs(), 1, (begun.mode, begun.start))
    for _ in range(40):
        search.run(60.0, proposals=50_000)
        if search.finished:
            break
    assert search.value == 0.0
    assert search.finished
