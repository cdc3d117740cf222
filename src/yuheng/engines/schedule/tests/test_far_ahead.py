"""A time named far ahead, in a plant of repeated shifts, is refused: laid out one by one they would fill any memory."""

import pytest

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.calendars import FOREVER, open_intervals
from yuheng.engines.schedule.faults import ProblemError
from yuheng.engines.schedule.problem import Calendar, Job, Machine, Mode, Operation, Problem

DAY = 1440
CLOSED_FOR_EVER = ((600, FOREVER - 1),)


def plant(closures=(), machine_closures=()):
    shifts = Calendar("shifts", ((0, 480), (490, 900)), DAY, closures=closures)
    machine = Machine("M", calendar="shifts", closures=machine_closures)
    return Problem("far", (machine,), (Job("A"),), (Operation(1, "A", (Mode("M", 10),)),), (), calendars=(shifts,))


@pytest.mark.parametrize(
    "problem", [plant(CLOSED_FOR_EVER), plant((), CLOSED_FOR_EVER)], ids=["of the calendar", "of a machine"]
)
def test_a_closure_until_the_end_of_time_is_refused_with_the_calendar_it_concerns(problem):
    with pytest.raises(ProblemError) as refused:
        compile_problem(problem)

    (fault,) = refused.value.faults
    assert (fault.row, fault.field) == ("calendar shifts", "period")
    assert "repeated too often" in str(refused.value)


def test_a_century_of_shifts_is_not_far():
    shifts = Calendar("shifts", ((0, 480), (490, 900)), DAY)
    century = 100 * 365 * DAY

    assert len(open_intervals(shifts, (), century)) == 2 * 100 * 365
