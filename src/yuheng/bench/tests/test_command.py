import argparse
import json

import pytest

from yuheng.bench.registry import BENCHES, load
from yuheng.config.cli import main
from yuheng.config.commands import bench as command


@pytest.fixture
def fake_bench(monkeypatch):
    """Replace what `ingest` measures."""

    def pretend(numbers):
        monkeypatch.setattr(load("ingest"), "run", lambda options, reporter: dict(numbers))

    return pretend


def run(capsys, *words):
    code = main(["bench", *words])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_the_last_line_names_the_bench_its_length_and_the_machine(capsys, fake_bench):
    fake_bench({"points_per_s": 1.5})

    code, result = run(capsys, "ingest", "--seconds", "5", "--json")

    assert code == 0
    assert (result["bench"], result["seconds"], result["short"], result["points_per_s"]) == ("ingest", 5.0, True, 1.5)
    assert {"at", "cpu", "cores", "python", "commit", "packages"} <= result["facts"].keys()


def test_a_full_run_is_not_called_short(capsys, fake_bench):
    fake_bench({})
    assert run(capsys, "ingest", "--json")[1]["short"] is False


@pytest.mark.parametrize("failure", [{"lost": 1}, {"duplicated": 2}, {"missing": 3}, {"silent_devices": 1}])
def test_loss_is_an_exit_code(capsys, fake_bench, failure):
    fake_bench(failure)
    assert run(capsys, "ingest", "--seconds", "1", "--json")[0] == 1


def test_seconds_must_be_above_zero():
    with pytest.raises(SystemExit):
        main(["bench", "ingest", "--seconds", "0"])


def test_all_goes_on_after_one_that_cannot_be_measured(capsys, monkeypatch):
    def refuse(options, reporter):
        raise RuntimeError("there is no Chromium")

    for name in BENCHES:
        monkeypatch.setattr(load(name), "run", refuse if name == "latency" else lambda options, reporter: {"lost": 0})

    code, result = run(capsys, "all", "--seconds", "1", "--json")

    assert code == 1
    assert result["results"].keys() == BENCHES.keys()
    assert result["results"]["latency"]["error"] == "there is no Chromium"
    assert result["results"]["chaos"]["lost"] == 0


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_has_a_summary_and_its_own_options(name):
    bench = load(name)
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    assert bench.SUMMARY
    assert command.HELP
