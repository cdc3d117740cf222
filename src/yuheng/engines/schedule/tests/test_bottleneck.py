"""The bottleneck is what late orders wait for, and its hour is worth what the plan gains by it."""

import numpy as np

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.explain import Floor, Words
from yuheng.engines.schedule.explain.bottleneck import bottleneck, bottleneck_said
from yuheng.engines.schedule.objective import Objective, parse_objective
from yuheng.engines.schedule.parts import Demand, Job, Machine, Operator
from yuheng.engines.schedule.plan import plan_of
from yuheng.engines.schedule.tests.shop import a_problem, an_operation


def floor_of(problem, *starts):
    arrays = compile_problem(problem)
    return Floor(problem, plan_of(arrays, arrays.op_ptr[:-1].copy(), np.array(starts)), arrays)


def two_orders(**rest):
    return a_problem(
        an_operation(1, "A", (("M", 120),), **rest), an_operation(1, "B", (("M" if not rest else "N", 120),), **rest),
        jobs=(Job("A", due=120), Job("B", due=130, weight=3.0)),
        operators=(Operator("Ana", ("weld",)),) if rest else (),
    )  # fmt: skip


def test_a_machine_is_named_with_the_tardiness_that_an_hour_saves():
    floor = floor_of(two_orders(), 0, 120)
    found = bottleneck(floor)
    assert (found.machine, found.resource, found.waited, found.worked) == (0, -1, 120, 240)
    assert found.value == 3 * 60
    assert bottleneck_said(floor, found, Words(floor), Objective()).sentence == (
        "The bottleneck is M: late orders wait 2.0 h for it. One more hour of it saves 3.0 h of tardiness."
    )


def test_people_can_be_the_bottleneck():
    floor = floor_of(two_orders(demands=(Demand("weld"),)), 0, 120)
    found = bottleneck(floor)
    assert (found.machine, found.resource, found.waited) == (-1, 0, 120)
    assert "The bottleneck is weld" in bottleneck_said(floor, found, Words(floor), Objective()).sentence


def test_without_late_orders_the_busiest_machine_is_named():
    problem = a_problem(
        an_operation(1, "A", (("M", 30),)), an_operation(1, "B", (("N", 90),)), an_operation(1, "C", (("N", 90),)),
        machines=(Machine("M"), Machine("N")),
    )  # fmt: skip
    floor = floor_of(problem, 0, 0, 90)
    objective = parse_objective("makespan")
    found = bottleneck(floor, objective)
    assert (found.machine, found.waited, found.worked, found.value) == (1, 0, 180, 60)
    assert bottleneck_said(floor, found, Words(floor), objective).sentence == (
        "The bottleneck is N: it works 3.0 h until the end. One more hour of it saves 1.0 h of makespan."
    )
