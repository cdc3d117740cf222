"""``yuheng schedule``: files in, proven plans out, faults as sentences; no Django, no database."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from yuheng.config.cli import main
from yuheng.config.schedule.explaining import explained
from yuheng.config.schedule.files import format_of, read_bytes, read_problem
from yuheng.config.schedule.words import translator
from yuheng.engines.schedule.generate import plant_document
from yuheng.engines.schedule.plan import plan_from_rows
from yuheng.engines.schedule.problem import ProblemError
from yuheng.engines.schedule.readers import plant

FT06 = """6 6
2 1 0 3 1 6 3 7 5 3 4 6
1 8 2 5 4 10 5 10 0 10 3 4
2 5 3 4 5 8 0 9 1 1 4 7
1 5 0 5 2 5 3 3 4 8 5 9
2 9 1 3 4 5 5 4 0 3 3 1
1 3 3 3 5 9 0 10 4 4 2 1
"""
"""Fisher and Thompson (1963), 6 x 6; the shortest makespan is 55."""


@pytest.fixture
def ft06(tmp_path):
    path = tmp_path / "ft06.jsp"
    path.write_text(FT06)
    return path


@pytest.fixture
def small_plant(tmp_path):
    path = tmp_path / "plant.json"
    path.write_text(json.dumps(plant_document(10, 3, operations=5, machines=6)))
    return path


def run(capsys, *words):
    code = main(["schedule", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def solved(capsys, path, *words):
    code, out, _err = run(capsys, "solve", path, "--time", "2", "--json", "--lang", "en", *words)
    assert code == 0
    return json.loads(out)


def test_a_small_job_shop_is_solved_proven_and_checked(ft06, tmp_path, capsys):
    answer = solved(capsys, ft06)
    assert (answer["objective"], answer["feasible"]) == (55, True)
    assert answer["bound"] <= 55
    assert len(answer["plan"]) == 36
    assert {"job", "op", "machine", "start", "end", "why"} <= set(answer["plan"][0])
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(answer))
    code, out, _err = run(capsys, "check", ft06, plan, "--lang", "en")
    assert code == 0
    assert "feasible: 36 operations" in out
    answer["plan"][5]["start"] -= 1
    plan.write_text(json.dumps(answer["plan"]))
    code, out, _err = run(capsys, "check", ft06, plan, "--json")
    assert code == 1
    found = json.loads(out)
    assert not found["feasible"]
    assert {"kind", "job", "op", "sentence"} <= set(found["violations"][0])


def test_a_plant_is_solved_for_tardiness_and_its_late_orders_are_explained(small_plant, tmp_path, capsys):
    answer = solved(capsys, small_plant)
    assert answer["terms"] == "tardiness"
    assert answer["objective"] == answer["kpis"]["weighted_tardiness"]
    late = {row["job"]: row for row in answer["late"]}
    assert 0 < len(late) == answer["kpis"]["late_jobs"]
    assert all(row["why"] and row["ticks"] > 0 for row in late.values())
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(answer))
    code, out, _err = run(capsys, "show", plan, "--lang", "en")
    assert (code, out) == (0, f"The plan is in {tmp_path / 'plan.html'}.\n")
    assert "plant10x5s3" in (tmp_path / "plan.html").read_text(encoding="utf-8")


def test_starting_from_a_plan_is_never_worse(small_plant, tmp_path, capsys):
    first = solved(capsys, small_plant)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(first))
    assert solved(capsys, small_plant, "--from", plan)["objective"] <= first["objective"]


def test_people_get_sentences(small_plant, capsys):
    code, out, _err = run(capsys, "solve", small_plant, "--time", "0.3", "--lang", "en")
    assert code == 0
    assert out.startswith("tardiness ")
    assert "orders late" in out


@pytest.mark.parametrize(
    ("text", "row", "field"),
    [
        ('{"machines": 1, "orders": [{"ops": [[[0, -4]]]}]}', "job 0, operation 0", "duration"),
        ('{"machines": 1, "orders": [{"release": 9, "due": 3, "ops": [[[0, 4]]]}]}', "job 0", "due"),
        ('{"machines": 1, "orders": [{"ops": [[[0, 4]]]}', "file", "text"),
    ],
)
@pytest.mark.parametrize("verb", ["solve", "check"])
def test_bad_input_is_a_sentence_with_row_and_field(text, row, field, verb, tmp_path, capsys):
    path = tmp_path / "bad.json"
    path.write_text(text)
    words = [verb, path, *([path] if verb == "check" else []), "--json", "--lang", "en"]
    code, out, err = run(capsys, *words)
    assert code == 2
    fault = json.loads(out)["faults"][0]
    assert (fault["row"], fault["field"]) == (row, field)
    assert err.startswith(f"{row}, {field}: ")


def test_a_gzipped_file_is_unpacked_and_a_damaged_one_refused(tmp_path):
    path = tmp_path / "ft06.jsp.gz"
    path.write_bytes(gzip.compress(FT06.encode()))
    problem, kind = read_problem(str(path), None)
    assert (kind, problem.name, len(problem.operations)) == ("jsp", "ft06", 36)
    path.write_bytes(gzip.compress(FT06.encode())[:-9])
    with pytest.raises(ProblemError, match="damaged"):
        read_bytes(str(path))


def test_a_missing_file_and_an_unknown_ending_say_what_to_do(tmp_path, capsys):
    code, _out, err = run(capsys, "solve", tmp_path / "nowhere.json", "--lang", "en")
    assert code == 2
    assert "cannot be read" in err
    with pytest.raises(ProblemError, match="--format"):
        format_of("plant.txt", None)
    assert format_of("plant50.json.gz", None) == "plant"


@pytest.mark.parametrize("words", [["--time", "0"], ["--time", "nan"], ["--workers", "0"], ["--format", "xml"]])
def test_options_that_cannot_be_are_refused(words, ft06, capsys):
    with pytest.raises(SystemExit) as end:
        run(capsys, "solve", ft06, *words)
    assert end.value.code == 2


def test_an_objective_that_is_none_is_refused_before_anything_is_searched(ft06, capsys):
    code, _out, err = run(capsys, "solve", ft06, "--objective", "speed", "--lang", "en")
    assert code == 2
    assert "tardiness, makespan" in err


def test_explanations_stop_when_their_time_is_over(small_plant, capsys, tmp_path):
    problem, _kind = read_problem(str(small_plant), None)
    answer = solved(capsys, small_plant)
    told = explained(problem, plan_from_rows(problem, answer["plan"]), {}, enough_s=0)
    assert (told.why, told.late, told.left_out) == ({}, {}, 50 + answer["kpis"]["late_jobs"])


def test_checking_needs_neither_django_nor_a_compiler(ft06, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text("[]")
    code = (
        "import sys; from yuheng.config.cli import main; "
        f"code = main(['schedule', 'check', {str(ft06)!r}, {str(plan)!r}]); "
        "assert not {'django', 'numba', 'ortools'} & set(sys.modules), sorted(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr


def test_an_unknown_sentence_stays_english():
    assert translator("zh")("a sentence that nobody translated") == "a sentence that nobody translated"


def test_every_key_of_plant_json_is_documented():
    document = (Path(__file__).parents[4] / "docs" / "integrators" / "plant-json.md").read_text(encoding="utf-8")
    tables = (plant._TOP, plant._ORDER, plant._OPERATION, plant._MACHINE, plant._CALENDAR, plant._RESOURCE)
    tables += (plant._OPERATOR, plant._MATRIX, plant._BUFFER, plant._PRECEDENCE)
    keys = {key for table in tables for key in table} - {"note"}
    assert [key for key in sorted(keys) if f"`{key}`" not in document and f'"{key}"' not in document] == []
