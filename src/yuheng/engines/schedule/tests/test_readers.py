"""Every public format is read, and whatever is not one gets a sentence: never a crash, never a hang."""

import copy
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuheng.engines.schedule.generate import FEATURES, plant_document, random_problem
from yuheng.engines.schedule.problem import Problem, ProblemError, Status
from yuheng.engines.schedule.readers import FORMATS, read_fajsp, read_fjsp, read_jsp, read_plant, remarks, write_plant

JSP = "3 2\n0 3 1 2\n1 4 0 1\n0 5 1 5\n"
FJSP = "2 3\n2 1 0 5 2 1 4 2 6\n1 3 0 1 1 2 2 3\n"
FAJSP = "# assembly\n4 3 2\n0 2\n1 2\n3 1\n1 0 5\n2 0 4 1 3\n1 1 2\n1 0 9\n"


def faults(reader, data):
    with pytest.raises(ProblemError) as refusal:
        reader(data)
    return refusal.value.faults


def test_a_job_shop_may_be_re_entrant_and_of_uneven_lines():
    problem = read_jsp("2 3\n0 1 1 2 0 3\n2 7\n")
    assert [(op.job, op.id, op.modes[0].machine, op.modes[0].duration) for op in problem.operations] == [
        (0, 0, 0, 1), (0, 1, 1, 2), (0, 2, 0, 3), (1, 0, 2, 7),
    ]  # fmt: skip
    assert [(link.before, link.after) for link in problem.precedences] == [((0, 0), (0, 1)), ((0, 1), (0, 2))]


def test_a_flexible_job_shop_has_alternatives():
    problem = read_fjsp(FJSP)
    assert [[(m.machine, m.duration) for m in op.modes] for op in problem.operations] == [
        [(0, 5)], [(1, 4), (2, 6)], [(0, 1), (1, 2), (2, 3)],
    ]  # fmt: skip


def test_a_header_may_say_an_average():
    assert read_fjsp(FJSP.replace("2 3\n", "2 3 1.67\n", 1)) == read_fjsp(FJSP)


def test_an_assembly_hangs_together_as_one_job_and_comments_are_skipped():
    problem = read_fajsp(FAJSP)
    assert {op.job for op in problem.operations} == {0}
    assert {(a.before[1], a.after[1]) for a in problem.precedences} == {(0, 2), (1, 2), (3, 1)}


def test_a_duration_of_zero_is_kept_and_remarked_upon():
    problem = read_jsp("1 2\n0 0 1 4\n")
    assert [remark.sentence for remark in remarks(problem)] == [
        "job 0, operation 0, duration: 0 ticks on machine 0; taken as it stands."
    ]


@pytest.mark.parametrize(
    ("name", "text", "row", "words"),
    [
        ("jsp", "", "line 1", "empty"),
        ("jsp", "3\n", "line 1", "jobs machines"),
        ("jsp", "0 2\n", "line 1", "not possible"),
        ("jsp", "99999999999 2\n", "line 1", "not possible"),
        ("jsp", "2 2\n0 3 1 2\n", "line 2", "job 1 is missing"),
        ("jsp", "2 2\n0 3 1 2\n0 1 1\n", "line 3", "no duration"),
        ("jsp", "2 2\n0 3 1 2\n0 1\n", "line 3", "cut off"),
        ("jsp", "1 2\n0 3 2 2\n", "line 2", "Count machines from 0"),
        ("jsp", "1 2\n0 3 1 x\n", "line 2", "'x' is not a whole number"),
        ("jsp", "1 2\n0 3 1 2.5\n", "line 2", "'2.5'"),
        ("jsp", "1 2\n0 3 1 1e999\n", "line 2", "'1e999'"),
        ("jsp", "1 2\n0 3 1 ٣\n", "line 2", "not a whole number"),
        ("jsp", "1 2\n0 3 1 2\n0 1 1 1\n", "line 3", "more lines"),
        ("jsp", "1 2\n0 3 1 -2\n", "job 0, operation 1", "-2"),
        ("jsp", "1 2\n0 3 1 99999999999\n", "job 0, operation 1", "too large"),
        ("jsp", "1 2\n0 3 1 " + "9" * 5000 + "\n", "line 2", "not a whole number"),
        ("fjsp", "1 2\n2 1 0 5\n", "line 2", "ends inside operation 1"),
        ("fjsp", "1 2\n1 0\n", "line 2", "at least one"),
        ("fjsp", "1 2\n1 999999999999 0 5\n", "line 2", "ends inside"),
        ("fjsp", "1 2\n1 1 0 5 7 7\n", "line 2", "too many"),
        ("fjsp", "1 2\n1 2 0 5 0 6\n", "job 0, operation 0", "twice"),
        ("fajsp", "2 1 2\n0 5\n1 0 5\n1 0 5\n", "line 2", "operation 5 does not exist"),
        ("fajsp", "2 2 2\n0 1\n1 0\n1 0 5\n1 0 5\n", "job 0, operation 0", "circle"),
        ("fajsp", "2 1 2\n0 1\n1 0 5\n", "line 3", "operation 1 is missing"),
    ],
)
def test_a_bad_text_names_its_line_and_says_what_to_do(name, text, row, words):
    found = faults(FORMATS[name], text)
    assert found[0].row == row
    assert words in found[0].sentence


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_bytes_that_are_no_text_are_refused(name):
    assert "UTF-8" in faults(FORMATS[name], b"\xff\xfe\x00\x01")[0].sentence


def a_plant(**changes):
    document = {"machines": 2, "orders": [{"release": 0, "due": 99, "weight": 2, "ops": [[[0, 5], [1, 7]], [[1, 3]]]}]}
    return json.dumps(document | changes)


def test_a_plant_is_read_with_every_key():
    problem = read_plant(
        json.dumps({
            "name": "all",
            "origin": "2026-01-05T00:00:00+08:00",
            "now": 5,
            "machines": [
                "saw",
                {"id": "oven", "calendar": "day", "closures": [[400, 420]], "available_from": 9, "batch_capacity": 4,
                 "setup_matrix": "c", "initial_family": "red", "input_buffer": "rack", "work_center": "heat"},
            ],
            "calendars": [{"id": "day", "intervals": [[360, 840]], "period": 1440, "closures": [[0, 1440]],
                           "extra": [[10, 20]]}],
            "setup_matrices": [{"id": "c", "families": ["red", "blue"], "times": [[0, 5], [6, 0]], "initial": [1, 2]}],
            "resources": [{"id": "jig", "capacity": 2, "calendar": "day", "changes": [[5, 9, -1]],
                           "kept_over_breaks": False}],
            "operators": [{"id": "Ana", "skills": ["weld"], "calendar": "day", "absences": [[0, 9]]}],
            "buffers": [{"id": "rack", "capacity": 1}],
            "chain": False,
            "precedences": [{"before": ["P", 10], "after": ["P", 20], "kind": "overlap", "transfer": 1, "quantity": 4,
                             "min_lag": 1}],
            "orders": [
                {"id": "P", "name": "pump", "release": 1, "due": 900, "weight": 2.5, "ops": [
                    {"id": 10, "modes": [["saw", 30]], "family": "red", "demands": ["jig", ["weld", 1]],
                     "interruptible": False, "release": 3, "material_at": 7, "material": "steel",
                     "status": "pinned", "fixed_machine": "saw", "fixed_start": 8},
                    {"id": 20, "modes": [["oven", 60]], "size": 2, "routing": "a"}]}],
        })
    )  # fmt: skip
    assert (problem.name, problem.now, problem.machines[1].closures) == ("all", 5, ((400, 420),))
    assert (problem.operations[0].status, problem.operations[0].demands[1].resource) == (Status.PINNED, "weld")
    assert (problem.precedences[0].transfer, problem.jobs[0].weight, problem.operators[0].skills) == (1, 2.5, ("weld",))
    assert read_plant(write_plant(problem)) == problem


@pytest.mark.parametrize(
    ("text", "row", "field", "words"),
    [
        ("{", "file", "text", "not JSON"),
        ("[]", "plant", "row", "object"),
        ("{}", "plant", "machines", "missing"),
        ("[" * 100_000, "file", "text", "nested"),
        ('{"machines": 1, "machines": 2}', "file", "machines", "twice"),
        (a_plant(machines=0), "plant", "machines", "not possible"),
        (a_plant(machines="two"), "plant", "machines", "list"),
        (a_plant(calenders=[]), "plant", "calenders", "Did you mean calendars?"),
        (a_plant(orders=[{"ops": [[[0, 5]]], "wieght": 2}]), "job 0", "wieght", "weight"),
        (a_plant(orders=[{"ops": [[[0, "5"]]]}]), "job 0, operation 0", "duration", "'5' is not a whole number"),
        (a_plant(orders=[{"ops": [[[0, 2.5]]]}]), "job 0, operation 0", "duration", "2.5"),
        (a_plant(orders=[{"ops": [[[0]]]}]), "job 0, operation 0", "machine", "pair"),
        (a_plant(orders=[{"ops": [[]]}]), "job 0, operation 0", "machine", "no eligible"),
        (a_plant(orders=[{"ops": [[[0, 0]]]}]), "job 0, operation 0", "duration", "at least 1"),
        (a_plant(orders=[{"ops": [[[7, 5]]]}]), "job 0, operation 0", "machine", "7 does not exist"),
        (a_plant(orders=[{"ops": []}]), "job 0", "operations", "no operations"),
        (a_plant(orders=[]), "problem", "operations", "none"),
        (a_plant(orders=[{"release": 9, "due": 5, "ops": [[[0, 5]]]}]), "job 0", "due", "before the release"),
        (a_plant(orders=[{"id": "x", "ops": [[[0, 5]]]}] * 2), "job x", "id", "twice"),
        (a_plant(orders=[{"ops": [[[0, 5]]], "family": [1, 2]}]), "job 0", "family", "2 families for 1"),
        (a_plant(orders=[{"id": True, "ops": [[[0, 5]]]}]), "job True", "id", "an id"),
        ('{"machines": 1, "orders": [{"weight": NaN, "ops": [[[0, 5]]]}]}', "file", "number", "NaN"),
        ('{"machines": 1, "orders": [{"weight": 1e999, "ops": [[[0, 5]]]}]}', "job 0", "weight", "number"),
        (a_plant(precedences=[{"before": [0, 1], "after": [0, 0]}]), "job 0, operation 0", "precedence", "circle"),
        (a_plant(precedences=[{"before": [0, 1], "after": [0, 0], "kind": "x"}]), "precedence 0", "kind", "one of"),
    ],
)
def test_a_bad_plant_names_its_row_and_field(text, row, field, words):
    fault = faults(read_plant, text)[0]
    assert (fault.row, fault.field) == (row, field)
    assert words in fault.sentence


def test_remarks_of_ones_own_are_no_fault():
    assert read_plant(a_plant(customer="ACME", erp={"x": 1})).name == "plant"


def test_the_optional_matrix_holds_only_where_it_is_asked_for():
    document = json.dumps(plant_document(2, operations=3))
    assert read_plant(document).setup_matrices == ()
    assert {machine.setup_matrix for machine in read_plant(document, use_setups=True).machines} == {"setup_matrix"}


@pytest.mark.parametrize("seed", range(12))
def test_what_is_written_is_read_again(seed):
    problem = random_problem(seed)
    assert read_plant(write_plant(problem)) == problem


def test_a_cut_off_plant_is_never_a_smaller_plant():
    text = write_plant(random_problem(3, 12))
    for length in range(0, len(text), 7):
        assert faults(read_plant, text[:length])


def read_or_refused(reader, data):
    """Any input gives a problem or a `ProblemError` with sentences: nothing else may come out."""
    try:
        assert isinstance(reader(data), Problem)
    except ProblemError as error:
        faults = error.faults
    else:
        return
    assert faults
    assert all(fault.row and fault.field and fault.sentence for fault in faults)


WORDS = st.lists(
    st.sampled_from(["0", "1", "2", "3", "7", "-1", "10", "x", "\n", "\n", "#", "1.5", "99999999999", "\x00"])
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["jsp", "fjsp", "fajsp"]), WORDS)
def test_any_words_are_read_or_refused(name, words):
    read_or_refused(FORMATS[name], " ".join(words))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(name, data):
    read_or_refused(FORMATS[name], data)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([("jsp", JSP), ("fjsp", FJSP), ("fajsp", FAJSP)]),
    st.integers(0, 60), st.sampled_from(["", "9", " ", "\n", "-", "x", "0 "]),
)  # fmt: skip
def test_a_text_with_one_slip_is_read_or_refused(case, position, slip):
    name, text = case
    read_or_refused(FORMATS[name], text[:position] + slip + text[position + 1 :])


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5),
    st.sampled_from([10**9, 10**12, 10**400, -(10**400), 2.5, 1e300]),
    st.text(max_size=4), st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
)  # fmt: skip
DOCUMENTS = [json.loads(write_plant(random_problem(seed, 12, FEATURES))) for seed in range(6)]


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9), st.lists(JUNK, min_size=1, max_size=3))
def test_a_plant_with_junk_anywhere_is_read_or_refused(seed, junk):
    rng = random.Random(seed)
    document = copy.deepcopy(rng.choice(DOCUMENTS))
    for value in junk:
        node = document
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = rng.choice(keys)
            if not isinstance(node[key], (dict, list)) or not node[key] or rng.random() < 0.2:
                node[key] = value
                break
            node = node[key]
    read_or_refused(read_plant, json.dumps(document))


@pytest.mark.parametrize(
    ("change", "row", "field"),
    [
        ({"name": "\ud800"}, "plant", "name"),
        ({"machines": [{"id": "M\udc00"}]}, "machine 0", "id"),
        ({"orders": [{"id": "A\ud800", "ops": [{"modes": [[0, 5]]}]}]}, "job 0", "id"),
        ({"orders": [{"id": "A", "ops": [{"modes": [["\ud800", 5]]}]}]}, "job A, operation 0", "machine"),
        ({"remark \ud800": 1}, "file", "remark \\ud800"),
    ],
    ids=["name", "machine", "order", "mode", "key"],
)
def test_half_a_character_is_refused_where_it_stands(change, row, field):
    document = {"machines": [{"id": 0}], "orders": [{"id": "A", "ops": [{"modes": [[0, 5]]}]}], **change}
    with pytest.raises(ProblemError) as refused:
        read_plant(json.dumps(document))
    fault = refused.value.faults[0]
    assert (fault.row, fault.field) == (row, field)
    fault.sentence.encode()
