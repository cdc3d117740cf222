"""The notebook of the documentation runs, cell by cell, against a server; the client says what the pages say."""

from dataclasses import replace
from pathlib import Path

import pytest

from yuheng.analysis.tests.plant import ANSWERS, START_US, a_unit_with_signals, at
from yuheng.client import Client, NotAllowed
from yuheng.people import services as people
from yuheng.people.rules import ALL_PERMISSIONS
from yuheng.telemetry.selectors import history
from yuheng.testing.builders import SHIFT_START, an_actor
from yuheng.testing.historian import FakeHistorian

NOTEBOOK = Path(__file__).parents[4] / "docs" / "notebooks" / "last_good_cycles.py"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plant(nats_server, settings):
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, nats_url=nats_server.url)
    history.bus.cache_clear()
    with FakeHistorian(nats_server.url, ANSWERS):
        yield a_unit_with_signals()
    history.bus().close()
    history.bus.cache_clear()


def a_token(name="lin", scopes=ALL_PERMISSIONS):
    actor = an_actor(name)
    mine = [scope for scope in sorted(scopes) if actor.may(scope)]
    return people.issue_token(actor=actor, name="notebook", scopes=mine, days=9, at=SHIFT_START)[1]


def test_the_notebook_runs_and_finds_what_was_measured(plant, live_server, monkeypatch, capsys):
    monkeypatch.setenv("YUHENG_NOTEBOOK_URL", live_server.url)
    monkeypatch.setenv("YUHENG_NOTEBOOK_TOKEN", a_token())
    monkeypatch.setenv("YUHENG_NOTEBOOK_UNIT", "H07")
    monkeypatch.setenv("YUHENG_NOTEBOOK_END", at(60).isoformat())
    cells = NOTEBOOK.read_text(encoding="utf-8").split("\n# %%")
    names = {}
    for number, cell in enumerate(cells):
        exec(compile("# " + cell, f"cell {number}", "exec"), names)
    assert len(cells) > 10
    assert len(names["cycles"]) == 20
    assert names["table"].shape[1] == 20
    assert names["numbers_of"]["integral_unit"].tolist() == ["kW.h"]
    assert names["pareto"].loc["no reason given", "sum"] == 30 * 60
    assert "newest cycle lies outside" in capsys.readouterr().out


def test_a_reason_given_by_a_program_is_the_one_that_pages_show(plant, live_server):
    client = Client(live_server.url, token=a_token("ana"))
    given = client.explain("H07", at(15), "wire", comment="nozzle")
    assert given["until_at"].tolist() == [at(40)]
    stops = client.stops("elevator1", at(0), at(30))
    assert stops[["reason", "seconds", "comment"]].values.tolist() == [["", 300.0, ""], ["wire", 900.0, "nozzle"]]
    assert set(client.reasons("elevator1")["code"]) == {"machine", "wire"}


def test_who_may_not_explain_may_not_by_program_either(plant, live_server):
    client = Client(live_server.url, token=a_token("zhao"))
    with pytest.raises(NotAllowed):
        client.explain("H07", at(15), "wire")


def test_curves_laid_over_each_other_count_from_their_own_start(plant, live_server):
    client = Client(live_server.url, token=a_token())
    cycles = client.cycles("H07", at(0), at(60), last=3)
    curves = client.overlay(["H07.power_kw"], cycles, width=50)
    assert set(curves["cycle"]) == {0, 1, 2}
    assert curves.groupby("cycle")["seconds"].min().tolist() == [0.0, 0.0, 0.0]
    assert cycles["start"].iloc[0].value // 1000 >= START_US
