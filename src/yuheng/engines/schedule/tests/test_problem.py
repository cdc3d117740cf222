"""A problem that cannot be scheduled says why, by row and field, and what to do."""

import dataclasses
import pickle
from itertools import pairwise

import pytest

from yuheng.engines.schedule.problem import (
    Buffer,
    Calendar,
    Demand,
    Job,
    Link,
    Machine,
    Mode,
    Operation,
    Operator,
    Precedence,
    Problem,
    ProblemError,
    Resource,
    SetupMatrix,
    Status,
    chain,
)
from yuheng.engines.schedule.tests.shop import DAYTIME, a_problem, an_operation


def refused(*operations, **rest):
    with pytest.raises(ProblemError) as refusal:
        a_problem(*operations, **rest)
    return refusal.value.faults


PIECE = {"interruptible": False}


@pytest.mark.parametrize(
    ("operations", "rest", "row", "field", "words"),
    [
        ((an_operation(modes=()),), {}, "job A, operation 1", "machine", "no eligible machine"),
        ((an_operation(modes=(("M", 0),)),), {}, "job A, operation 1", "duration", "at least 1"),
        ((an_operation(modes=(("M", -5),)),), {}, "job A, operation 1", "duration", "-5"),
        ((an_operation(modes=(("M", 10**12),)),), {}, "job A, operation 1", "duration", "too large"),
        ((an_operation(modes=(("M", 2.5),)),), {}, "job A, operation 1", "duration", "whole"),
        ((an_operation(modes=(("X", 5),)),), {}, "job A, operation 1", "machine", "'X' does not exist"),
        ((an_operation(modes=(("M", 5), ("M", 6))),), {}, "job A, operation 1", "machine", "twice"),
        ((an_operation(), an_operation()), {}, "job A, operation 1", "id", "twice"),
        ((an_operation(7), an_operation("7")), {}, "job A, operation 7", "id", "twice"),
        ((an_operation(job="Z"),), {"jobs": (Job("A"),)}, "job A", "operations", "no operations"),
        ((), {"jobs": (Job("A", 10, 5),)}, "job A", "due", "5 is before the release at 10"),
        ((), {"jobs": (Job("A", -1),)}, "job A", "release", "negative"),
        ((), {"jobs": (Job("A"), Job("A"))}, "job A", "id", "twice"),
        ((), {"jobs": (Job("A", weight=-1.0),)}, "job A", "weight", "weight"),
        ((), {"jobs": (Job("A", weight=float("nan")),)}, "job A", "weight", "weight"),
        ((), {"machines": (Machine("M"), Machine("M"))}, "machine M", "id", "twice"),
        ((), {"machines": ()}, "problem", "machines", "none"),
        ((), {"calendars": (Calendar("night", ()),)}, "calendar night", "intervals", "no working time"),
        ((), {"calendars": (Calendar("x", ((5, 9),), 100, closures=((9, 5),)),)}, "calendar x", "closures", "9 to 5"),
        ((), {"calendars": (Calendar("x", ((0, 9),), closures=((0, 9),)),)}, "calendar x", "intervals", "no working"),
        ((), {"calendars": (Calendar("x", ((50, 120),), 100),)}, "calendar x", "intervals", "period"),
        ((), {"calendars": (Calendar("x", ((0, 9), (5, 12))),)}, "calendar x", "intervals", "overlap"),
        ((), {"machines": (Machine("M", "nights"), Machine("N"))}, "machine M", "calendar", "does not exist"),
        (
            (an_operation(modes=(("M", 300),), **PIECE),),
            {"machines": (Machine("M", "day"),), "calendars": (DAYTIME,)},
            "job A, operation 1", "duration", "longest open time is 240",
        ),
        (
            (an_operation(modes=(("M", 30),)),),
            {"machines": (Machine("M", "once"),), "calendars": (Calendar("once", ((0, 20),)),)},
            "job A, operation 1", "duration", "only 20 open",
        ),
        ((an_operation(demands=(Demand("jig"),)),), {}, "job A, operation 1", "demand", "does not exist"),
        (
            (an_operation(demands=(Demand("jig", 3),)),), {"resources": (Resource("jig", 2),)},
            "job A, operation 1", "demand", "never more than 2",
        ),
        (
            (an_operation(demands=(Demand("mill", 2),)),), {"operators": (Operator("Ana", ("mill",)),)},
            "job A, operation 1", "demand", "never more than 1",
        ),
        (
            (an_operation(size=5),), {"machines": (Machine("M", batch_capacity=4),)},
            "job A, operation 1", "size", "more than any",
        ),
        ((an_operation(status=Status.STARTED),), {}, "job A, operation 1", "status", "both"),
        ((an_operation(status=Status.PINNED),), {}, "job A, operation 1", "status", "pinned"),
        ((an_operation(fixed_start=5),), {}, "job A, operation 1", "status", "open operation"),
        (
            (an_operation(status=Status.PINNED, fixed_machine="N"),), {},
            "job A, operation 1", "machine", "none of its alternatives",
        ),
        (
            tuple(an_operation(1, job, status=Status.FROZEN, fixed_machine="M", fixed_start=5) for job in "AB"),
            {}, "job B, operation 1", "start", "job A, operation 1 is fixed there",
        ),
        ((), {"setup_matrices": (SetupMatrix("s", ("a", "b"), ((0, 1),)),)}, "set-up matrix s", "times", "2 rows"),
        ((), {"buffers": (Buffer("b", -1),)}, "buffer b", "capacity", "negative"),
        (
            (), {"links": [Precedence(("A", 1), ("A", 2)), Precedence(("A", 2), ("A", 1))]},
            "job A, operation 1", "precedence", "circle",
        ),
        ((), {"links": [Precedence(("A", 1), ("A", 1))]}, "job A, operation 1", "precedence", "itself"),
        ((), {"links": [Precedence(("A", 1), ("A", 9))]}, "job A, operation 9", "precedence", "does not exist"),
        ((), {"links": [Precedence(("A", 1), ("A", 2), min_lag=9, max_lag=3)]}, "job A, operation 2", "max_lag", "lag"),
        ((), {"links": [Precedence(("A", 1), ("A", 2), Link.OVERLAP)]}, "job A, operation 2", "transfer", "batch"),
        (
            (an_operation(1, routing="x"), an_operation(2, routing="y")), {"links": [Precedence(("A", 1), ("A", 2))]},
            "job A, operation 2", "routing", "only one",
        ),
    ],
)  # fmt: skip
def test_a_fault_names_row_and_field_and_says_what_to_do(operations, rest, row, field, words):
    faults = refused(*operations, **rest)
    assert (faults[0].row, faults[0].field) == (row, field)
    assert words in faults[0].sentence
    assert faults[0].sentence.endswith(".")


def test_every_fault_is_found_at_once():
    faults = refused(an_operation(1, modes=(("M", 0),)), an_operation(2, modes=()), jobs=(Job("A", 9, 5),))
    assert [fault.field for fault in faults] == ["due", "duration", "machine"]


def test_a_refusal_crosses_a_process_boundary_whole():
    with pytest.raises(ProblemError) as refusal:
        a_problem(an_operation(modes=()))
    assert pickle.loads(pickle.dumps(refusal.value)).faults == refusal.value.faults


def test_a_circle_is_named_by_its_operations():
    keys = [("A", k) for k in (1, 2, 3, 4)]
    links = [Precedence(a, b) for a, b in (*pairwise(keys), (keys[3], keys[1]))]
    (fault,) = refused(*(an_operation(k) for k in (1, 2, 3, 4)), links=links)
    assert "operation 1" not in fault.sentence.partition("circle")[2]
    assert all(f"operation {k}" in fault.sentence for k in (2, 3, 4))


def test_a_hundred_thousand_operations_are_judged_without_recursion_or_quadratic_work():
    count = 100_000  # a second's work; quadratic work would not end today
    operations = tuple(Operation(k, "A", (Mode("M", 1),)) for k in range(count))
    links = (*chain(operations), Precedence(("A", count - 1), ("A", 0)))
    faults = refused(*operations, links=links)
    assert "circle" in faults[0].sentence


def test_a_chain_links_what_follows_but_not_two_routings():
    operations = [an_operation(k, routing=routing) for k, routing in ((1, None), (2, "a"), (3, "b"), (4, None))]
    assert {(link.before[1], link.after[1]) for link in chain(operations)} == {(1, 2), (1, 3), (1, 4), (2, 4), (3, 4)}


def test_a_problem_is_immutable_and_equal_by_value():
    assert a_problem() == a_problem()
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_problem().now = 5


def test_an_overdue_order_is_no_fault():
    assert a_problem(jobs=(Job("A", 0, 10),), now=500).now == 500


def test_a_problem_needs_no_calendar_for_a_machine_that_never_closes():
    assert Problem("one", (Machine(0),), (Job(0),), (Operation(0, 0, (Mode(0, 1),)),)).families == ()
