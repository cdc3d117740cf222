"""The exact solver: right plans, right proofs, ended at once when asked, honest when it cannot."""

import threading

import pytest

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.bound import bounds
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.cpsat import process
from yuheng.engines.schedule.exact import ExactSolver, is_available, solve_exact
from yuheng.engines.schedule.generate import plant, random_problem
from yuheng.engines.schedule.objective import evaluate, parse_objective
from yuheng.engines.schedule.problem import Job, Machine, Mode, Operation, Problem, SetupMatrix, chain

needs_solver = pytest.mark.skipif(not is_available(), reason="OR-Tools is not installed")
SMALL = {"alternatives", "assembly", "lags", "release", "due", "routings"}
SETS = [
    SMALL | {"setups", "tools"},
    SMALL | {"calendars", "whole", "setups"},
    SMALL | {"calendars", "people", "material", "fixed"},
    SMALL | {"batches", "max_lags"},
    SMALL | {"overlap", "tools", "fixed"},
]


@pytest.fixture(scope="module")
def solver():
    with ExactSolver() as running:
        yield running


@needs_solver
@pytest.mark.parametrize("features", SETS, ids=lambda row: "+".join(sorted(row - SMALL)))
@pytest.mark.parametrize("terms", ["tardiness", "makespan", "late", "flow"])
def test_a_proven_plan_is_feasible_and_no_bound_is_above_it(solver, features, terms):
    for seed in range(2):
        problem = random_problem(seed, 9, features)
        objective = parse_objective(terms)
        arrays = compile_problem(problem)
        found = solve_exact(problem, objective, arrays=arrays, time_limit_s=60, deterministic_time=4, solver=solver)
        assert found.status in {"optimal", "feasible"}, (found.status, found.reason)
        assert [row.sentence for row in check(problem, found.plan)] == []
        assert found.objective_value == evaluate(problem, objective, found.plan)
        if found.status == "optimal":
            assert found.bound == pytest.approx(found.objective_value)
            relaxed = bounds(arrays).of(objective.terms)
            assert relaxed is None or relaxed <= found.objective_value + 1e-6


def one_machine(*works, due=0, setup=0):
    jobs = tuple(Job(k, due=due) for k in range(len(works)))
    rows = tuple(Operation(1, k, (Mode("M", work),), family=k % 2) for k, work in enumerate(works))
    matrix = SetupMatrix("change", (0, 1), ((0, setup), (setup, 0)))
    return Problem("one", (Machine("M", setup_matrix="change"),), jobs, rows, chain(rows), setup_matrices=(matrix,))


@needs_solver
def test_set_ups_are_put_together(solver):
    found = solve_exact(one_machine(5, 5, 5, 5, setup=10), parse_objective("makespan"), solver=solver)
    assert (found.status, found.objective_value) == ("optimal", 30)


@needs_solver
def test_terms_in_order_are_solved_in_order(solver):
    problem = one_machine(1, 2, 30, due=8, setup=3)
    found = solve_exact(problem, parse_objective("late>flow"), solver=solver)
    assert found.status == "optimal"
    # The longest one is late whatever happens. 2, set-up, 1, then 30 without one: shorter first would cost two set-ups.
    assert evaluate(problem, parse_objective("late"), found.plan) == 1
    assert evaluate(problem, parse_objective("flow"), found.plan) == 2 + 6 + 36


@needs_solver
def test_nearness_to_the_published_plan_is_a_term(solver):
    problem = one_machine(5, 5, 5, setup=0)
    first = solve_exact(problem, parse_objective("makespan"), solver=solver).plan
    kept = solve_exact(problem, parse_objective("makespan>nervousness"), reference=first, solver=solver)
    assert kept.status == "optimal"
    assert kept.plan.start.tolist() == first.start.tolist()


@needs_solver
def test_the_same_task_gives_the_same_plan(solver):
    problem = random_problem(3, 20, SMALL | {"setups"})
    runs = [
        solve_exact(problem, parse_objective("tardiness"), time_limit_s=60, deterministic_time=0.5, seed=4, solver=own)
        for own in (solver, solver)
    ]
    assert runs[0].plan.start.tolist() == runs[1].plan.start.tolist()
    assert runs[0].bound == runs[1].bound


@needs_solver
def test_a_hint_is_never_made_worse_and_comes_back_at_once(solver):
    problem = random_problem(5, 24, SMALL)
    objective = parse_objective("tardiness")
    first = solve_exact(problem, objective, time_limit_s=60, deterministic_time=0.2, solver=solver)
    hinted = solve_exact(
        problem, objective, start=first.plan, time_limit_s=60, deterministic_time=0.2, seed=1, solver=solver
    )
    assert hinted.objective_value <= first.objective_value


@needs_solver
def test_a_cancel_kills_it_and_does_not_ask():
    problem = plant(20, 3)
    asked = threading.Event()

    with ExactSolver() as own:
        timer = threading.Timer(0.3, asked.set)
        timer.start()
        found = solve_exact(
            problem, parse_objective("tardiness"), time_limit_s=60, is_cancelled=asked.is_set, solver=own
        )
        assert own._child is None  # killed, not asked
    assert found.status == "cancelled"
    assert process.POLL_SECONDS <= 0.05


@needs_solver
def test_a_child_that_died_is_replaced(solver):
    problem = one_machine(3, 4)
    assert solve_exact(problem, parse_objective("makespan"), solver=solver).status == "optimal"
    solver._child.kill()
    solver._child.wait()
    assert solve_exact(problem, parse_objective("makespan"), solver=solver, time_limit_s=120).status == "optimal"


@needs_solver
def test_what_cannot_be_modelled_is_said(solver):
    problem = random_problem(2, 20, {"buffers", "alternatives"})
    found = solve_exact(problem, parse_objective("makespan"), solver=solver)
    assert (found.status, found.plan, found.bound) == ("not modelled", None, None)
    assert "buffers" in found.reason


def test_without_the_library_it_says_so(monkeypatch):
    monkeypatch.setattr(process, "is_available", lambda: False)
    found = solve_exact(one_machine(3), parse_objective("makespan"))
    assert (found.status, found.plan, found.reason) == ("unavailable", None, "OR-Tools is not installed")
