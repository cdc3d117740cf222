"""Lower bounds: tight where the answer is known, silent where nothing is."""

import pytest

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.bound import bounds
from yuheng.engines.schedule.problem import Calendar, Job, Machine, Mode, Operation, Problem, chain


def problem_of(*rows, machines=("M",), calendar=None, jobs=None):
    """Rows: (job, op, {machine: work})."""
    operations = tuple(Operation(op, job, tuple(Mode(m, d) for m, d in modes.items())) for job, op, modes in rows)
    names = dict.fromkeys(job for job, _op, _modes in rows)
    calendars = () if calendar is None else (calendar,)
    return Problem(
        "p",
        tuple(Machine(m, calendar=calendar and calendar.id) for m in machines),
        jobs or tuple(Job(name) for name in names),
        operations,
        chain(operations),
        calendars=calendars,
    )


def test_one_machine_is_bound_by_all_its_work_head_and_tail():
    rows = [
        (j, op, {machine: work}) for j in range(3) for op, machine, work in ((1, "A", 4), (2, "M", 10), (3, "B", 5))
    ]
    found = bounds(compile_problem(problem_of(*rows, machines=("A", "M", "B"))))
    # The first waits 4 for its head, then 30 of work, then a tail of 5.
    assert (found.makespan.value, found.makespan.method, found.makespan.machines) == (39, "bottleneck", (1,))


def test_two_machines_share_their_work():
    rows = [(j, 1, {"M": 10, "N": 12}) for j in range(4)]
    assert bounds(compile_problem(problem_of(*rows, machines=("M", "N")))).makespan.value == 20


def test_closed_time_counts():
    day = Calendar("day", ((480, 960),), 1440)
    found = bounds(compile_problem(problem_of((1, 1, {"M": 300}), (2, 1, {"M": 300}), calendar=day)))
    assert found.makespan.value == 1440 + 480 + 120


def test_a_hopeless_order_costs_what_its_path_is_too_long():
    jobs = (Job("A", due=5, weight=2.0), Job("B", due=500))
    found = bounds(compile_problem(problem_of(("A", 1, {"M": 30}), ("B", 1, {"M": 3}), jobs=jobs)))
    assert (found.tardiness.value, found.late.value) == (50, 1)


def test_a_bottleneck_makes_orders_late_that_would_be_in_time_alone():
    jobs = tuple(Job(k, due=100) for k in range(10))
    found = bounds(compile_problem(problem_of(*((k, 1, {"M": 50}) for k in range(10)), jobs=jobs)))
    assert found.late.value == 8
    # They end at 50, 100 ... 500: 50 + 100 + ... + 400 late.
    assert (found.tardiness.value, found.tardiness.method) == (1800, "bottleneck")


def test_weights_count_in_layers():
    jobs = (Job("A", due=10, weight=4.0), Job("B", due=10, weight=1.0))
    found = bounds(compile_problem(problem_of(("A", 1, {"M": 30}), ("B", 1, {"M": 5}), jobs=jobs)))
    # A alone is 20 late (80). Both together end at 5 and 35, so 25 late at a weight of 1, of which 20 are counted.
    assert found.tardiness.value == 85


def test_what_is_not_known_is_not_claimed():
    found = bounds(compile_problem(problem_of((1, 1, {"M": 3}))))
    assert (found.tardiness, found.late) == (None, None)
    assert found.of((("tardiness", 1.0), ("setup", 2.0))) is None
    assert found.of((("makespan", 2.0), ("tardiness", 1.0))) == pytest.approx(6.0)
