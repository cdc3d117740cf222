"""``yuheng import-log`` looks without a server or a database, and says what it found in one JSON object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yuheng.config import log_writing
from yuheng.config.cli import main
from yuheng.engines.eventlog.tests import logs


def run(capsys, *words):
    code = main(["import-log", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_report_is_one_json_object(tmp_path, capsys):
    path = logs.as_csv(
        tmp_path / "log.csv",
        logs.a_plant_s_work(),
        more=(["", "Turn", "CNC-1", "P1", "2026-03-02 08:00:00", "", 1, 1, 0],),
    )
    code, out, _err = run(capsys, path, "--json", "--zone", "UTC", "--lang", "en")
    told = json.loads(out)
    assert code == 0
    assert {name: told[name] for name in ("orders", "operations", "resources", "rejected")} == {
        "orders": 6, "operations": 18, "resources": 3, "rejected": 1,
    }  # fmt: skip
    [missing] = [one for one in told["issues"] if one["code"] == "no_order"]
    assert missing["rows"] == [{"row": 20, "operation": "Turn"}]
    assert missing["sentence"] == "The row names no order."
    assert "no_order" in Path(told["rejected_file"]).read_text(encoding="utf-8-sig")


def test_people_read_lines(tmp_path, capsys):
    code, out, _err = run(capsys, logs.as_csv(tmp_path / "log.csv", logs.a_plant_s_work()), "--lang", "en")
    assert code == 0
    assert "6 orders, 18 operations" in out
    assert "Saw 60s → Turn 120s → Check 30s" in out
    assert "Nothing was written." in out
    assert not (tmp_path / "log.csv.rejected.csv").exists()


def test_columns_and_types_of_objects_can_be_named(tmp_path, capsys):
    path = logs.as_csv(tmp_path / "log.csv", logs.a_plant_s_work(), heading="a,b,c,d,e,f,g,h,i")
    words = ["--map", "order=a", "--map", "operation=b", "--map", "machine=c", "--map", "start=e", "--map", "end=f"]
    _code, out, _err = run(capsys, path, "--json", *words)
    assert json.loads(out)["columns"]["machine"] == "c"
    path = logs.as_ocel_json(tmp_path / "log.json", logs.a_plant_s_work())
    _code, out, _err = run(capsys, path, "--json", "--map", "order=Work Order")
    assert json.loads(out)["orders"] == 6


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere.csv"], "There is no file nowhere.csv."),
        (["--map", "order", "log.csv"], "write WHAT=COLUMN"),
        (["--zone", "Mars/Base", "log.csv"], "There is no time zone"),
        (["--apply", "--dry-run", "log.csv"], "not both"),
    ],
)
def test_what_cannot_be_read_is_said_with_exit_code_2(capsys, words, sentence):
    code, out, err = run(capsys, *words, "--json", "--lang", "en")
    assert code == 2
    assert sentence in json.loads(out)["error"]
    assert sentence in err


def test_applying_needs_an_installation(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    path = logs.as_csv(tmp_path / "log.csv", logs.a_plant_s_work())
    code, _out, err = run(capsys, path, "--apply", "--data-dir", tmp_path / "nothing")
    assert code == 3
    assert err


@pytest.mark.django_db
def test_applying_makes_the_site_and_writes_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(log_writing, "connect", lambda _data_dir: None)  # the test's database is there already
    path = logs.as_csv(tmp_path / "log.csv", logs.a_plant_s_work())
    code, out, _err = run(capsys, path, "--apply", "--site", "works", "--zone", "Europe/Berlin", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["zone"], told["written"]["orders"], told["written"]["job_orders"]) == ("Europe/Berlin", 6, 18)
    code, out, _err = run(capsys, path, "--apply", "--lang", "en")  # the only site there is
    assert code == 0
    assert "Written: nothing." in out
    assert "There already: 3 work units, 2 persons, 1 routings, 6 orders." in out
    code, out, _err = run(capsys, path, "--apply", "--json")
    assert json.loads(out)["zone"] == "Europe/Berlin"
