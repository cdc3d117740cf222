"""Decoding: every rule is kept, an order is never decoded later than the plan it comes from, and why none exists."""

import numpy as np
import pytest

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.decode import (
    RULES,
    NoPlan,
    after_fixed,
    by_order,
    by_rule,
    choose_routings,
    new_board,
    urgency,
)
from yuheng.engines.schedule.faults import ProblemError
from yuheng.engines.schedule.generate import random_problem
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.plan import plan_of
from yuheng.engines.schedule.problem import (
    Demand,
    Job,
    Link,
    Machine,
    Mode,
    Operation,
    Precedence,
    Problem,
    Resource,
    Status,
)
from yuheng.engines.schedule.rules import sweep
from yuheng.engines.schedule.solve import solve


def board_of(problem):
    arrays = compile_problem(problem)
    layout = lay_out(arrays)
    return arrays, new_board(layout, choose_routings(arrays)), urgency(layout)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [1, 2, 4, 6])
def test_every_rule_keeps_every_rule_of_the_plant(rule: str, seed: int):
    problem = random_problem(seed, 40)
    arrays, board, known = board_of(problem)

    by_rule(board, known, rule)

    assert check(problem, plan_of(arrays, board.mode, board.start, board.leave)) == []


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_a_plan_is_never_decoded_later(seed: int):
    problem = random_problem(seed, 40, {"alternatives", "assembly", "calendars", "whole", "setups", "tools", "people"})
    arrays, board, known = board_of(problem)
    by_rule(board, known)
    mode, start = board.mode, board.start

    by_order(board, start, mode, keep_order=True)

    assert (board.start <= start).all()
    assert (board.mode == mode).all()
    assert check(problem, plan_of(arrays, board.mode, board.start)) == []


def test_any_order_is_decoded_with_the_precedences_first():
    problem = random_problem(3, 40)
    arrays, board, _known = board_of(problem)

    by_order(board, -np.arange(arrays.n))

    assert check(problem, plan_of(arrays, board.mode, board.start, board.leave)) == []


def two_in_a_row(max_lag=None, fixed=None):
    operations = (
        Operation(1, "A", (Mode("M", 10),)),
        Operation(2, "A", (Mode("N", 10),), fixed_machine=None if fixed is None else "N", fixed_start=fixed)
        if fixed is None
        else Operation(2, "A", (Mode("N", 10),), status=Status.PINNED, fixed_machine="N", fixed_start=fixed),
    )
    links = (Precedence(("A", 1), ("A", 2), Link.FINISH_START, 0, max_lag),)
    return Problem("two", (Machine("M"), Machine("N", available_from=100)), (Job("A"),), operations, links)


def test_a_longest_lag_lets_the_earlier_operation_wait():
    problem = two_in_a_row(max_lag=5)
    _arrays, board, known = board_of(problem)

    by_rule(board, known)

    assert board.start.tolist() == [85, 100]


def test_a_fixed_start_that_cannot_be_reached_is_said():
    problem = two_in_a_row(fixed=4)
    _arrays, board, known = board_of(problem)

    with pytest.raises(NoPlan, match="is fixed before"):
        by_rule(board, known)
    with pytest.raises(ProblemError, match="operation 2 is fixed before job A, operation 1 can be finished"):
        solve(problem, time_limit_s=1.0)


@pytest.mark.parametrize("missing", [("A",), ("B",)], ids=["the urgent one", "the longer one"])
def test_nobody_joins_a_batch_without_what_it_needs(missing):
    """The longer one sets how long a batch takes, the urgent one that there is a batch: both need their tools."""
    tools = Resource("fixture", 0, changes=((50, 10_000, 1),))
    operations = tuple(
        Operation(1, job, (Mode("oven", work),), family="f", demands=(Demand("fixture"),) if job in missing else ())
        for job, work in (("A", 10), ("B", 30))
    )
    jobs = (Job("A", due=10, weight=9.0), Job("B", due=500))
    problem = Problem("oven", (Machine("oven", batch_capacity=2),), jobs, operations, (), resources=(tools,))
    arrays, board, known = board_of(problem)

    by_rule(board, known)

    assert [violation.sentence for violation in check(problem, plan_of(arrays, board.mode, board.start))] == []
    assert board.start.tolist() == ([50, 0] if missing == ("A",) else [0, 50])


@pytest.mark.parametrize("size", [150, 400])
def test_a_part_that_is_under_way_gets_its_place_before_others_take_it(size):
    """Its operation runs already and blocks the machine: by the rule's order the buffer was full by then."""
    problem = random_problem(11, size)
    arrays = compile_problem(problem)
    layout = lay_out(arrays)
    board = new_board(layout, choose_routings(arrays))

    next(sweep(board, urgency(layout), Objective()))

    assert check(problem, plan_of(arrays, board.mode, board.start, board.leave)) == []


def test_what_follows_fixed_operations_comes_first_with_all_before_it():
    problem = random_problem(11, 150)
    arrays = compile_problem(problem)
    first = after_fixed(lay_out(arrays))
    before = {(link.before, link.after) for link in problem.precedences}
    fixed = {operation.key for operation in problem.operations if operation.is_fixed}
    after = {later for earlier, later in before if earlier in fixed}
    assert {problem.operations[i].key for i in np.flatnonzero(first)} >= after > set()
    for earlier, later in before:
        if first[problem.operation_index[later]] and earlier not in fixed:
            assert first[problem.operation_index[earlier]]
