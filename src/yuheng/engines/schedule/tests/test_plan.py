"""Plans, their JSON, key figures and objectives."""

import json

import numpy as np
import pytest

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.generate import plant, plant_document
from yuheng.engines.schedule.kpis import kpis, measures, moves
from yuheng.engines.schedule.objective import (
    MACHINE_CHANGE_TICKS,
    NEAR_TICKS,
    evaluate,
    evaluate_terms,
    is_better,
    nervousness,
    parse_objective,
)
from yuheng.engines.schedule.parts import Job, Machine, SetupMatrix
from yuheng.engines.schedule.plan import plan_from_json, plan_of
from yuheng.engines.schedule.problem import ProblemError
from yuheng.engines.schedule.tests.shop import DAYTIME, a_plan, a_problem, an_operation, rows

CHANGE = SetupMatrix("change", ("red", "green"), ((0, 7), (3, 0)), initial=(2, 2))


def coloured():
    return a_problem(
        an_operation(1, family="red"), an_operation(1, "B", family="green"), an_operation(1, "C"),
        machines=(Machine("M", "day", setup_matrix="change", initial_family="green"),),
        setup_matrices=(CHANGE,), calendars=(DAYTIME,),
    )  # fmt: skip


def test_a_plan_is_completed_from_modes_and_starts():
    problem = coloured()
    plan = plan_of(compile_problem(problem), np.array([0, 1, 2]), np.array([595, 642, 300]))
    assert plan.start.tolist() == [595, 642, 360]  # what started in the night starts with the day
    assert plan.end.tolist() == [635, 652, 370]
    assert plan.setup_start.tolist() == [593, 635, 360]
    assert [violation.kind for violation in check(problem, plan)] == []


def test_what_has_no_family_leaves_nothing_set_up():
    problem = coloured()
    plan = plan_of(compile_problem(problem), np.array([0, 1, 2]), np.array([700, 400, 500]))
    assert (plan.start - plan.setup_start).tolist() == [2, 0, 0]
    assert check(problem, plan) == []


def test_members_of_a_batch_end_together():
    operations = [an_operation(1, job, (("oven", t),), family="red") for job, t in (("A", 30), ("B", 50))]
    problem = a_problem(*operations, machines=(Machine("oven", batch_capacity=4),))
    plan = plan_of(compile_problem(problem), np.array([0, 1]), np.array([5, 5]))
    assert plan.end.tolist() == [55, 55]
    assert check(problem, plan) == []


def test_a_plan_goes_through_json():
    problem = coloured()
    plan = plan_of(compile_problem(problem), np.array([0, 1, 2]), np.array([595, 642, 360]))
    read = plan_from_json(problem, plan.to_json(problem))
    for column in ("machine", "start", "end", "setup_start", "leave"):
        assert (getattr(read, column) == getattr(plan, column)).all()
    first = json.loads(plan.to_json(problem))["plan"][0]
    assert first == {"job": "C", "op": 1, "machine": "M", "start": 360, "end": 370}


@pytest.mark.parametrize(
    ("text", "row", "words"),
    [
        ("nonsense", "plan", "not JSON"),
        ("{}", "plan", "no list of rows"),
        ("[3]", "row 1", "must name job"),
        ('[{"job": "A", "op": 1, "machine": "M", "start": 0}]', "row 1", "end is missing"),
        ('[{"job": "A", "op": 1, "machine": "M", "start": 0, "end": 1.5}]', "row 1", "end is missing"),
        (json.dumps(rows((9, "M", 0, 1))), "row 1", "job A, operation 9 is not in the problem"),
        (json.dumps(rows((1, "X", 0, 1))), "row 1", "machine X is not in the problem"),
        (json.dumps(rows((1, "M", 0, 10), (1, "M", 0, 10))), "row 2", "planned twice"),
    ],
)
def test_a_plan_that_cannot_be_read_says_which_row(text, row, words):
    with pytest.raises(ProblemError) as refusal:
        plan_from_json(a_problem(), text)
    assert refusal.value.faults[0].row == row
    assert words in refusal.value.faults[0].sentence


def late():
    return a_problem(
        an_operation(1), an_operation(1, "B", (("N", 20),)), an_operation(1, "C", (("N", 5),)),
        jobs=(Job("A", 0, 8, 4.0), Job("B", 2, 30, 1.0), Job("C")),
    )  # fmt: skip


def test_key_figures():
    problem = late()
    plan = a_plan(problem, (1, "M", 2, 12), ("B", 1, "N", 15, 35), ("C", 1, "N", 2, 7))
    found = kpis(problem, plan)
    assert (found.weighted_tardiness, found.tardiness, found.late_jobs, found.jobs) == (4 * 4 + 5, 9, 2, 3)
    assert (found.makespan, found.flow) == (35, 12 + 33 + 7)
    assert found.utilisation == {"M": 10 / 35, "N": 25 / 35}


def test_set_ups_are_counted_by_the_matrix():
    problem = coloured()
    plan = plan_of(compile_problem(problem), np.array([0, 1, 2]), np.array([400, 500, 600]))
    found = measures(problem, plan)
    assert (found.setup, found.setups) == (3 + 7, 2)


def test_moves_against_a_reference():
    problem = late()
    reference = a_plan(problem, (1, "M", 0, 10), ("B", 1, "N", 5, 25), ("C", 1, "N", 600, 605))
    plan = a_plan(problem, (1, "M", 15, 25), ("B", 1, "N", 30, 50), ("C", 1, "N", 700, 705))
    found = moves(problem, plan, reference)
    assert (found.operations, found.changed_machine, found.moved) == (3, 0, 2)  # 15 ticks are no move
    assert (found.in_next_shift, found.next_shift) == (2, 1)


def test_nervousness_counts_near_moves_more():
    problem = a_problem(an_operation(1, modes=(("M", 5), ("N", 5))), an_operation(1, "B"))
    reference = a_plan(problem, (1, "M", 0, 5), ("B", 1, "M", NEAR_TICKS, NEAR_TICKS + 10))
    plan = a_plan(problem, (1, "N", 0, 5), ("B", 1, "M", NEAR_TICKS - 10, NEAR_TICKS))
    assert nervousness(problem, plan, reference) == pytest.approx(MACHINE_CHANGE_TICKS + 10 / 2)
    assert nervousness(problem, reference, reference) == 0


def test_terms_are_summed_or_put_in_order():
    problem = late()
    quick = a_plan(problem, (1, "M", 0, 10), ("B", 1, "N", 2, 22), ("C", 1, "N", 22, 27))
    slow = a_plan(problem, (1, "M", 0, 10), ("B", 1, "N", 5, 25), ("C", 1, "N", 0, 5))
    both = parse_objective("tardiness,flow:0.5")
    assert evaluate(problem, both, quick) == 8 + 0.5 * (10 + 20 + 27)
    ordered = parse_objective("tardiness>flow")
    assert evaluate_terms(problem, ordered, slow) == (8, 10 + 23 + 5)
    assert is_better(problem, ordered, slow, quick)
    assert not is_better(problem, ordered, slow, slow)


NO_OBJECTIVES = [
    "",
    "speed",
    "tardiness:x",
    "tardiness:-1",
    "tardiness:nan",
    "tardiness:inf",
    "a>b",
    "tardiness:1>late",
]


@pytest.mark.parametrize("text", [*NO_OBJECTIVES, "tardiness,tardiness"])
def test_an_objective_that_is_none_is_refused(text):
    with pytest.raises(ProblemError):
        parse_objective(text)


def test_the_public_plant_of_seed_1_is_generated_bit_for_bit():
    """Draws of the public file plant50x15s1 from all over it."""
    document = plant_document(50)
    first, last = document["orders"][0], document["orders"][-1]
    assert (first["due"], first["weight"], first["ops"][0]) == (1359, 1, [[47, 20], [48, 16], [49, 20]])
    assert first["family"] == [1, 6, 6, 5, 1, 4, 0, 1, 3, 6, 1, 7, 2, 0, 3]
    assert document["setup_matrix_optional"][0] == [0, 33, 5, 33, 21, 23, 27, 15]
    assert len(plant(50).operations) == 50 * 15
    assert last["release"] == 0
