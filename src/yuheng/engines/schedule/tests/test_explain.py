"""Explanations are true: what they say holds a start is exactly what the checker finds broken one tick earlier."""

import pytest

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.decode import NoPlan, by_rule, choose_routings, new_board, urgency
from yuheng.engines.schedule.explain import Cause, Floor, Share, Words, late_orders, story, why_not_earlier
from yuheng.engines.schedule.generate import random_problem
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.plan import Plan, plan_of
from yuheng.engines.schedule.problem import Calendar, Job, Machine, Mode, Operation, Problem, chain
from yuheng.engines.schedule.solve import solve

FIXED = {Cause.STARTED, Cause.FROZEN, Cause.PINNED}
KINDS = {
    **dict.fromkeys((Cause.NOW, Cause.ORDER_RELEASE, Cause.RELEASE, Cause.MATERIAL, Cause.MACHINE_AVAILABLE), "start"),
    **dict.fromkeys((Cause.PREDECESSOR, Cause.LAG), "precedence"),
    **dict.fromkeys((Cause.MACHINE, Cause.BLOCKED), "overlap"),
    **dict.fromkeys((Cause.CALENDAR, Cause.BREAK), "calendar"),
    Cause.TRANSFER: "transfer",
    Cause.LONGEST_LAG: "lag",
    Cause.SETUP: "setup",
    Cause.RESOURCE: "resource",
    Cause.PEOPLE: "people",
}


def dispatched(problem):
    arrays = compile_problem(problem)
    layout = lay_out(arrays)
    board = new_board(layout, choose_routings(arrays))
    try:
        by_rule(board, urgency(layout))
    except NoPlan:  # a maximum lag that only a search keeps
        return solve(problem, time_limit_s=60.0, effort=1).plan
    return plan_of(arrays, board.mode, board.start, board.leave)


def moved(floor, batch, to):
    """The plan with one batch (mostly: one operation) elsewhere, its set-up as early as it may be."""
    plan, first = floor.plan, batch[0]
    start, end, setup_start, leave = (row.copy() for row in (plan.start, plan.end, plan.setup_start, plan.leave))
    before = floor.before_on_machine(first)
    available = floor.problem.machines[floor.machine[first]].available_from
    free = max((floor.leave[k] for k in before), default=available)
    for k in batch:
        start[k], end[k] = to, floor.finish(floor.machine[k], to, floor.work(k))
        setup_start[k] = min(to, free) if floor.setup_needed(before, first) else to
        leave[k] = max(leave[k], end[k]) if leave[k] > plan.end[k] else end[k]
        links = floor.arrays.link_pred[floor.arrays.link_ptr[k] : floor.arrays.link_ptr[k + 1]]
        for a in links.tolist():
            if leave[a] > to:  # a blocking part leaves when it is taken
                leave[a] = max(to, end[a])
    return Plan(plan.machine, start, end, setup_start, leave)


@pytest.mark.parametrize("seed", range(8))
def test_every_reason_is_what_the_checker_finds_one_tick_earlier(seed):
    problem = random_problem(seed, 24)
    plan = dispatched(problem)
    floor = Floor(problem, plan)
    seen = 0
    for i in range(floor.arrays.n):
        if not floor.is_present(i):
            continue
        found = why_not_earlier(floor, i)
        batch = floor.batch_of(i)
        if found.reasons[0].cause in FIXED or any(problem.operations[k].fixed_start is not None for k in batch):
            continue
        if found.is_gap:
            assert found.could_start < found.start
            assert check(problem, moved(floor, batch, found.could_start)) == []
        told = {reason.cause for k in batch for reason in why_not_earlier(floor, k).reasons}
        broken = {row.kind for row in check(problem, moved(floor, batch, found.could_start - 1))}
        # A part that comes before its predecessor is done would also be in two places.
        wanted = {KINDS[cause] for cause in told if cause in KINDS}
        assert broken - {"buffer"} == wanted
        assert wanted
        seen += 1
    assert seen > 10


def test_a_gap_says_when_it_could_start():
    row = Operation(1, "A", (Mode("M", 5),))
    problem = Problem("gap", (Machine("M"),), (Job("A", release=3),), (row,))
    arrays = compile_problem(problem)
    found = why_not_earlier(Floor(problem, plan_of(arrays, arrays.op_ptr[:-1], arrays.release + 6)), 0)
    assert (found.is_gap, found.start, found.could_start) == (True, 9, 3)
    assert [reason.cause for reason in found.reasons] == [Cause.GAP, Cause.ORDER_RELEASE]


@pytest.mark.parametrize("seed", range(12))
def test_a_story_accounts_for_every_tick_once(seed):
    problem = random_problem(seed, 40)
    plan = dispatched(problem)
    floor = Floor(problem, plan)
    for j in range(floor.arrays.jobs):
        told = story(floor, j)
        assert told.release + sum(segment.ticks for segment in told.segments) == told.completion
        assert all(a.end == b.start for a, b in zip(told.segments, told.segments[1:], strict=False))
        assert all(segment.ticks > 0 for segment in told.segments)
        waits = sum(wait.ticks for wait in told.waits())
        assert told.of(Share.WORK) + waits == told.completion - told.release
        assert told.late == told.of(Share.WORK) + waits - told.allowed
        floor_job = problem.jobs[j]
        assert told.completion == max(plan.end[plan.machine >= 0][floor.arrays.job[plan.machine >= 0] == j])
        assert told.release <= floor_job.release or told.release == floor_job.release


def late_problem():
    rows = tuple(Operation(1, order, (Mode("M-17", work),)) for order, work in (("X", 200), ("Y", 172), ("Z", 60)))
    jobs = (Job("X", due=9000), Job("Y", due=9000), Job("Z", due=90, weight=2.0))
    problem = Problem("late", (Machine("M-17"),), jobs, rows, chain(rows))
    arrays = compile_problem(problem)
    start = arrays.release.copy()
    start[1], start[2] = 200, 372
    return problem, plan_of(arrays, arrays.op_ptr[:-1], start)


def test_a_late_order_says_whom_it_waits_behind():
    problem, plan = late_problem()
    floor = Floor(problem, plan)
    assert late_orders(floor) == [2]
    told = story(floor, 2)
    assert Words(floor).late(told) == (
        "Order Z is 5.7 h late: it waits 6.2 h for M-17 behind order X and order Y, "
        "and is worked on for 1.0 h of 1.5 h allowed."
    )
    assert [(wait.share, wait.ticks, wait.orders) for wait in told.waits()] == [(Share.MACHINE, 372, (0, 1))]


def test_words_are_said_in_the_language_that_is_asked_for():
    problem, plan = late_problem()
    floor = Floor(problem, plan)
    chinese = {"%(machine)s works on %(behind)s until %(until)s.": "%(machine)s 在 %(until)s 之前加工%(behind)s。"}
    said = Words(floor, lambda message: chinese.get(message, message)).why(why_not_earlier(floor, 2))
    assert said == "M-17 在 372 之前加工order Y operation 1。"
    assert Words(floor).why(why_not_earlier(floor, 0)) == "It starts now."


def test_moments_are_dates_where_the_problem_has_an_origin():
    row = Operation(1, "A", (Mode("M", 60),), material_at=90, material="steel")
    day = Calendar("day", ((480, 960),), 1440)
    problem = Problem(
        "dates",
        (Machine("M", calendar="day"),),
        (Job("A", due=100),),
        (row,),
        calendars=(day,),
        origin="2026-03-02T00:00",
    )
    arrays = compile_problem(problem)
    floor = Floor(problem, plan_of(arrays, arrays.op_ptr[:-1], arrays.release + 390))
    assert Words(floor).why(why_not_earlier(floor, 0)) == "M is closed until 2026-03-02 08:00."
    assert [(s.share, s.ticks) for s in story(floor, 0).segments] == [
        (Share.MATERIAL, 90),
        (Share.CLOSED, 390),
        (Share.WORK, 60),
    ]
