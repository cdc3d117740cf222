"""What the scheduling bench measures with: instances, a plant with every kind of rule, the peer's answers, CPU time."""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from yuheng.bench import schedule, schedule_peer
from yuheng.bench.registry import BENCHES
from yuheng.bench.report import Reporter
from yuheng.bench.schedule_runs import MAKESPAN, industrial, instances, run, solve_for, sweep_value
from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.generate import plant
from yuheng.engines.schedule.readers import read_jsp

JSP = "3 3\n0 3 1 2 2 2\n0 2 2 1 1 4\n1 4 2 3 0 1\n"


def options(*words):
    parser = argparse.ArgumentParser()
    schedule.add_arguments(parser)
    found = parser.parse_args(words)
    found.seed, found.seconds = 1, 0.3
    return found


def test_the_bench_is_registered_with_its_full_length():
    assert BENCHES["schedule"] == ("yuheng.bench.schedule", 30.0)


def test_instances_come_from_the_table_and_missing_ones_are_told(tmp_path):
    (tmp_path / "own.txt").write_text(JSP)
    with (tmp_path / "best_known.csv").open("w", newline="") as lines:
        table = csv.DictWriter(lines, ["instance", "type", "file", "ub"])
        table.writeheader()
        table.writerow({"instance": "own", "type": "jsp", "file": "own.txt", "ub": "11"})
        table.writerow({"instance": "open", "type": "fajsp", "file": "own.txt", "ub": ""})
    found, source = instances(options("--data", str(tmp_path), "--instances", "own,open,other"))
    assert [(row.name, row.best_known) for row in found] == [("own", 11)]
    assert "1 of 3" in source


def test_without_the_folder_own_instances_are_made_and_said_to_be(tmp_path):
    found, source = instances(options("--data", str(tmp_path / "nowhere")))
    assert "generated" in source
    assert [len(read_jsp(row.path.read_text()).operations) for row in found] == [100, 225, 300, 400]


def test_a_short_run_gives_every_number(tmp_path, capsys):
    (tmp_path / "own.txt").write_text(JSP)
    (tmp_path / "best_known.csv").write_text("instance,type,file,ub\nown,jsp,own.txt,11\n")
    words = ("--data", str(tmp_path), "--instances", "own", "--no-peer", "--plants", "1", "--orders", "100")
    result = run(options(*words), Reporter())
    json.dumps(result)
    for name in ("mean_gap_5s", "mean_gap_30s", "worst_gap_30s", "tardiness_ratio_1s", "tardiness_ratio_10s"):
        assert isinstance(result[name], int | float), name
    assert isinstance(result["first_plan_ms"], float)
    assert isinstance(result["replan_ms"], float)
    assert all(point["feasible"] for row in result["replans"] for point in row["slider"])
    assert result["peer_gap_30s"] is None
    assert all(row["feasible"] for part in ("instances", "plants", "first_plans") for row in result[part])


def test_the_industrial_plant_has_calendars_set_ups_and_people():
    arrays = compile_problem(industrial(20, 1))
    assert (arrays.has_calendars, arrays.has_setups, arrays.has_resources) == (True, True, True)


def test_the_sweep_is_a_value_of_a_plan_that_exists():
    assert sweep_value(plant(20, 1, machines=8)) > 0


def test_a_run_says_its_cpu_time_and_what_the_checker_says():
    found = solve_for(read_jsp(JSP), MAKESPAN, 0.2, 1)
    assert found.is_feasible
    assert found.cpu_s > 0


@pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import pyjobshop"], capture_output=True, check=False).returncode != 0,
    reason="PyJobShop is not installed",
)
def test_the_peer_answers_with_a_makespan_or_says_why_not(tmp_path):
    path = Path(tmp_path / "own.txt")
    path.write_text(JSP)
    best, why = schedule_peer.best_after("jsp", path, 20.0)
    assert (best, why) == (11, "")
    assert schedule_peer.best_after("jsp", tmp_path / "nowhere.txt", 5.0)[0] is None
