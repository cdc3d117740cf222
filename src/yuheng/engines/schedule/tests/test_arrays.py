"""The arrays say what the problem says."""

import numpy as np
import pytest

from yuheng.engines.schedule.arrays import HorizonTooShort, compile_problem
from yuheng.engines.schedule.calendars import FOREVER, OpenTime, open_intervals
from yuheng.engines.schedule.generate import random_problem
from yuheng.engines.schedule.parts import Calendar, Demand, Job, Link, Machine, Operator, Precedence, Resource, Status
from yuheng.engines.schedule.people import pools
from yuheng.engines.schedule.plan import plan_of
from yuheng.engines.schedule.tests.shop import DAY, DAYTIME, a_problem, an_operation
from yuheng.engines.schedule.timeline import open_arrays


def test_modes_precedences_and_job_ends_are_csr():
    problem = a_problem(an_operation(1, modes=(("M", 3), ("N", 4))), an_operation(2, modes=(("N", 5),)))
    arrays = compile_problem(problem)
    assert arrays.op_ptr.tolist() == [0, 2, 3]
    assert arrays.mode_machine.tolist() == [0, 1, 1]
    assert arrays.mode_duration.tolist() == [3, 4, 5]
    assert (arrays.pred_ptr.tolist(), arrays.pred.tolist()) == ([0, 0, 1], [0])
    assert (arrays.succ_ptr.tolist(), arrays.succ.tolist()) == ([0, 1, 1], [1])
    assert arrays.is_job_end.tolist() == [False, True]
    assert arrays.topo.tolist() == [0, 1]
    assert not arrays.needs_general


def test_a_release_is_the_latest_of_all():
    problem = a_problem(
        an_operation(1, release=5, material_at=9), an_operation(1, "B"), jobs=(Job("A", 7), Job("B", 2)), now=4
    )
    assert compile_problem(problem).release.tolist() == [9, 4]


def test_links_of_every_kind_are_there_in_both_directions():
    links = [
        Precedence(("A", 1), ("A", 3), min_lag=2, max_lag=8),
        Precedence(("A", 2), ("A", 3), Link.START_START, min_lag=4),
        Precedence(("A", 1), ("A", 2), Link.OVERLAP, transfer=1, quantity=4),
    ]
    arrays = compile_problem(a_problem(*(an_operation(k) for k in (1, 2, 3)), links=links))
    assert arrays.link_ptr.tolist() == [0, 0, 1, 3]
    assert arrays.link_kind.tolist() == [2, 0, 1]
    assert arrays.link_max.tolist() == [-1, 8, -1]
    assert arrays.link_quantity.tolist() == [4, 1, 1]
    by_before = [(int(arrays.after[k]), int(arrays.link_kind[arrays.after_link[k]])) for k in range(3)]
    assert by_before == [(2, 0), (1, 2), (2, 1)]
    assert (arrays.pred.tolist(), arrays.pred_lag.tolist()) == ([0], [2])
    assert arrays.needs_general


def test_a_precedence_into_what_runs_is_settled():
    problem = a_problem(
        an_operation(1),
        an_operation(2, modes=(("N", 5),), status=Status.STARTED, fixed_machine="N", fixed_start=0),
    )
    assert len(compile_problem(problem).link_pred) == 0


def test_fixed_operations_keep_their_mode_and_start():
    modes = (("M", 3), ("N", 4))
    arrays = compile_problem(
        a_problem(
            an_operation(1, modes=modes, status=Status.FROZEN, fixed_machine="N", fixed_start=6),
            an_operation(1, "B", modes=modes, status=Status.PINNED, fixed_machine="N"),
            an_operation(1, "C", modes=modes),
        )
    )
    assert arrays.fixed_mode.tolist() == [1, 3, -1]
    assert arrays.fixed_start.tolist() == [6, -1, -1]
    assert arrays.is_frozen.tolist() == [True, False, False]


CALENDARS = [
    None,
    DAYTIME,
    Calendar("round", ((0, DAY),), DAY),
    Calendar("night", ((0, 300), (1320, DAY)), DAY, closures=((DAY, 2 * DAY),), extra=((DAY + 5, DAY + 9),)),
    Calendar("once", ((10, 50), (60, 90))),
]


@pytest.mark.parametrize("calendar", CALENDARS, ids=lambda calendar: calendar and calendar.id)
@pytest.mark.parametrize("closures", [(), ((400, 500), (560, 640)), ((0, 20), (4 * DAY, 5 * DAY))])
def test_vectorised_calendars_are_the_slow_ones(calendar, closures):
    covered = 6 * DAY + 100
    starts, ends = open_arrays(calendar, closures, covered)
    assert ends[-1] == FOREVER
    expected = open_intervals(calendar, closures, covered)
    found = [(s, min(e, covered)) for s, e in zip(starts.tolist(), ends.tolist(), strict=True) if s < covered]
    assert found == expected


def test_closures_alone_give_a_calendar_and_equal_ones_share_it():
    machines = (Machine("M", closures=((5, 9),)), Machine("N", closures=((5, 9),)), Machine("O"))
    arrays = compile_problem(a_problem(machines=machines))
    assert arrays.cal_of_machine.tolist() == [0, 0, -1]
    assert arrays.cal_start.tolist()[:2] == [0, 9]
    assert arrays.cal_work.tolist()[:2] == [0, 5]


def test_pools_of_people_say_exactly_what_a_matching_says():
    people = (Operator("A", ("x", "y")), Operator("B", ("y", "z")), Operator("C", ("z",)), Operator("D", ("w",)))
    found = {tuple(sorted(pool.skills)): len(pool.people) for pool in pools(people)}
    for x in range(2):
        for y in range(3):
            for z in range(3):
                need = {"x": x, "y": y, "z": z, "w": 0}
                by_pools = all(sum(need[skill] for skill in skills) <= count for skills, count in found.items())
                assert by_pools == _matches(people, need), need


def _matches(people, need):
    wanted = [skill for skill, units in need.items() for _unit in range(units)]
    if not wanted:
        return True
    rest = dict(need, **{wanted[0]: need[wanted[0]] - 1})
    return any(
        _matches(people[:k] + people[k + 1 :], rest) for k, person in enumerate(people) if wanted[0] in person.skills
    )


def test_capacities_are_steps():
    problem = a_problem(
        an_operation(demands=(Demand("jig"), Demand("mill"))),
        resources=(Resource("jig", 2, changes=((5, 9, -1),)),),
        operators=(Operator("Ana", ("mill",), "day"),),
        calendars=(DAYTIME,),
    )
    arrays = compile_problem(problem)
    assert arrays.resource_ids == ("jig", "mill")
    assert arrays.cap_time[:3].tolist() == [0, 5, 9]
    assert arrays.cap_value[:3].tolist() == [2, 1, 2]
    part = slice(arrays.cap_ptr[1], arrays.cap_ptr[1] + 4)
    assert arrays.cap_time[part].tolist() == [0, 360, 600, 630]
    assert arrays.cap_value[part].tolist() == [0, 1, 0, 1]
    assert arrays.res_keeps.tolist() == [True, False]


def test_a_plan_behind_the_horizon_is_refused():
    problem = a_problem(an_operation(), machines=(Machine("M", "day"),), calendars=(DAYTIME,))
    arrays = compile_problem(problem, covered=2000)
    with pytest.raises(HorizonTooShort):
        plan_of(arrays, np.array([0]), np.array([3000]))


@pytest.mark.parametrize("seed", range(20))
def test_calendar_arithmetic_agrees_with_the_checkers(seed):
    problem = random_problem(seed, 20)
    arrays = compile_problem(problem)
    calendars = {calendar.id: calendar for calendar in problem.calendars}
    g = np.random.default_rng(seed)
    mode = g.integers(arrays.op_ptr[:-1], arrays.op_ptr[1:])
    start = np.sort(g.integers(0, 3 * DAY, arrays.n))
    plan = plan_of(arrays, mode, start)
    for k in range(arrays.n):
        machine = problem.machines[plan.machine[k]]
        if machine.batch_capacity > 1:
            continue
        times = OpenTime(open_intervals(calendars[machine.calendar], machine.closures, 9 * DAY))
        assert plan.end[k] == times.finish(int(start[k]), int(arrays.mode_duration[mode[k]]))
        assert times.is_open(int(plan.start[k])) or problem.operations[k].fixed_start is not None
    assert (plan.modes(arrays) == mode).all()
