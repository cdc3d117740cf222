"""Any plant, whatever its rules: a feasible plan, never worse than the one given."""

import pytest

from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.faults import ProblemError
from yuheng.engines.schedule.generate import FEATURES, random_problem
from yuheng.engines.schedule.objective import Objective, evaluate, parse_objective
from yuheng.engines.schedule.searching import Limits
from yuheng.engines.schedule.solve import Cancel, solve


@pytest.mark.parametrize("seed", range(12))
def test_any_plant_gets_a_feasible_plan_that_is_worth_what_is_said(seed: int):
    problem = random_problem(seed, 30)
    objective = parse_objective("tardiness,setup:0.1")

    solution = solve(problem, objective, 0.2, seed=seed)

    assert check(problem, solution.plan) == []
    assert solution.objective_value == pytest.approx(evaluate(problem, objective, solution.plan))


@pytest.mark.parametrize("feature", sorted(FEATURES))
def test_each_rule_of_a_plant_is_kept(feature: str):
    for seed in range(3):
        problem = random_problem(seed, 25, {"alternatives", "due", feature})

        assert check(problem, solve(problem, time_limit_s=0.1).plan) == []


def test_a_given_plan_is_never_made_worse():
    problem = random_problem(5, 40)
    given = solve(problem, time_limit_s=0.5, seed=1)

    again = solve(problem, time_limit_s=0.05, seed=2, start=given.plan)

    assert again.objective_value <= given.objective_value


def test_who_cancels_gets_what_there_is():
    cancel = Cancel()
    problem = random_problem(3, 40)

    solution = solve(problem, time_limit_s=60, cancel=cancel, on_improvement=lambda *_told: cancel.set())

    assert check(problem, solution.plan) == []
    assert solution.finished_by == "cancelled"


@pytest.mark.parametrize("seed", range(6))
def test_every_plan_that_is_told_keeps_every_rule(seed: int):
    problem = random_problem(seed, 60)
    told = []

    solve(problem, time_limit_s=600.0, effort=400, seed=seed, on_improvement=lambda plan, *_rest: told.append(plan))

    assert told
    assert [check(problem, plan) for plan in told] == [[]] * len(told)


def test_a_plan_that_the_checker_refuses_is_not_returned(monkeypatch, caplog):
    problem = random_problem(2, 30)
    told = []
    refused = object()

    def never_the_last(given, plan):
        return [refused] if plan is told[-1] else check(given, plan)

    monkeypatch.setattr("yuheng.engines.schedule.solve.check", never_the_last)
    best = solve(problem, time_limit_s=600.0, effort=50, on_improvement=lambda plan, *_rest: told.append(plan))

    assert check(problem, best.plan) == []
    assert "broke a rule and was dropped" in caplog.text


def test_what_is_compiled_first_is_not_counted_as_search():
    now = [100.0]
    with Limits(5.0, clock=lambda: now[0]) as limits:
        now[0] += 60.0
        limits.forgive(60.0)

        assert limits.seconds == pytest.approx(0.0)
        assert limits.left == pytest.approx(5.0)


def test_no_time_is_no_time():
    with pytest.raises(ProblemError, match="no time to search"):
        solve(random_problem(1, 10), Objective(), 0)
