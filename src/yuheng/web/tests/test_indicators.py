"""Figures and the attention list, from plain data."""

from __future__ import annotations

from dataclasses import replace

from django.utils import translation

from yuheng.engines.states.vocabulary import UnitState
from yuheng.web.indicators import Measures, SourceNow, UnitNow, attention, bullets, producing_ratio

NOW = 10_000_000_000
MINUTE = 60_000_000


def a_unit(
    code: str, state: UnitState, minutes: float = 0.0, *, peers: int = 4, cause: str = "", number: int = 1
) -> UnitNow:
    since = int(NOW - minutes * MINUTE)
    return UnitNow(number, code, code, "Area", 1, "", state, cause, cause, since, NOW, peers)


def titles(*units: UnitNow, sources: tuple[SourceNow, ...] = (), dead: int = 0) -> list[str]:
    with translation.override("en"):
        return [row.title for row in attention(units, sources, dead, "/dead-letters/", NOW)]


def test_what_runs_or_rests_as_planned_needs_nobody():
    assert titles(a_unit("A", UnitState.PRODUCING, 900), a_unit("B", UnitState.PLANNED_STOP, 900)) == []


def test_a_short_wait_needs_nobody_and_a_long_one_does():
    assert titles(a_unit("A", UnitState.IDLE, 29)) == []
    assert len(titles(a_unit("A", UnitState.IDLE, 31))) == 1
    assert titles(a_unit("A", UnitState.SETUP, 39)) == []
    assert len(titles(a_unit("A", UnitState.SETUP, 41))) == 1


def test_a_machine_that_is_down_comes_before_any_wait():
    found = titles(a_unit("idle", UnitState.IDLE, 600), a_unit("down", UnitState.DOWN, 1, cause="fuse"))
    assert found[0] == "Area down fuse"


def test_among_equals_the_longest_and_the_one_without_peers_come_first():
    assert titles(a_unit("short", UnitState.DOWN, 5), a_unit("long", UnitState.DOWN, 9))[0].startswith("Area long")
    assert titles(a_unit("many", UnitState.DOWN, 9), a_unit("only", UnitState.DOWN, 9, peers=1))[0].startswith(
        "Area only"
    )


def test_a_silent_source_comes_before_the_units_that_are_silent_with_it():
    source = SourceNow(1, "edge", "", False, 90.0, 24)
    found = titles(a_unit("A", UnitState.NO_DATA, 2), sources=(source,), dead=2)
    assert found[0] == "Data source edge is disconnected"
    assert found[-1] == "2 kinds of messages could not be read"


def test_a_connected_source_needs_nobody():
    assert titles(sources=(SourceNow(1, "edge", "", True, 1.0, 24),)) == []


UNITS = (a_unit("A", UnitState.PRODUCING, number=1), a_unit("B", UnitState.DOWN, number=2))
MEASURES = Measures(
    units=UNITS,
    state_s={1: {2: 60.0, 3: 40.0}, 2: {5: 100.0, 0: 500.0, 6: 500.0}},
    shift_s=100.0,
    shift_total_s=400.0,
    good={1: 40.0, 2: 8.0},
    good_last_area={2: 8.0},
    rejects={1: 2.0, 2: 0.0},
    power_kw={1: 30.0, 2: 12.0},
    targets={"producing_ratio": 0.75, "output_per_shift": 40.0, "reject_ratio": 0.02, "power_kw": 50.0},
)


def test_producing_counts_neither_planned_stops_nor_time_without_data():
    assert producing_ratio(MEASURES) == 60.0 / 200.0


def test_nothing_known_is_no_ratio():
    assert producing_ratio(Measures(units=UNITS)) is None
    assert producing_ratio(replace(MEASURES, state_s={1: {0: 900.0}})) is None


def test_six_figures_each_with_target_and_rows():
    with translation.override("en"):
        shown = {bullet.name: bullet for bullet in bullets(MEASURES)}
    assert list(shown) == ["producing", "online", "down", "output", "rejects", "power"]
    assert (shown["producing"].value, shown["producing"].mark) == ("30.0", 0.75)
    assert (shown["online"].value, shown["online"].bar) == ("2 / 2", 1.0)
    assert (shown["down"].value, [row.code for row in shown["down"].rows]) == ("1", ["B"])
    assert (shown["output"].value, shown["output"].bar, shown["output"].mark) == ("8 / 40", 0.2, 0.25)
    assert shown["rejects"].value == "4.00"
    assert [row.code for row in shown["rejects"].rows] == ["A"]
    assert (shown["power"].value, shown["power"].unit) == ("42", "kW")


def test_without_data_a_figure_says_so_and_has_no_bar():
    with translation.override("en"):
        shown = {
            bullet.name: bullet for bullet in bullets(Measures(units=UNITS, failed=frozenset({"power", "output"})))
        }
    for name in ("producing", "output", "rejects", "power"):
        assert (shown[name].value, shown[name].bar, shown[name].mark) == ("–", 0.0, None)
    assert shown["power"].note == "no data now"
    assert shown["producing"].note == "no shift is running"


def test_without_a_target_there_is_neither_bar_nor_mark():
    with translation.override("en"):
        shown = {bullet.name: bullet for bullet in bullets(replace(MEASURES, targets={}))}
    for name in ("output", "rejects", "power"):
        assert (shown[name].bar, shown[name].mark, shown[name].note) == (0.0, None, "no target set")


def test_units_that_are_silent_because_their_source_is_are_one_line():
    source = SourceNow(1, "edge", "", False, 90.0, 2, frozenset({1, 2}))
    silent = [a_unit(code, UnitState.NO_DATA, 2, number=number) for number, code in enumerate("ABC", start=1)]
    assert titles(*silent, sources=(source,)) == [
        "Data source edge is disconnected",
        "Area C No data; counted as unknown",
    ]


def test_the_last_of_a_work_center_comes_before_one_of_many():
    broken = [
        replace(a_unit(code, UnitState.DOWN, 9, number=number), work_center_id=center)
        for number, (code, center) in enumerate([("one", 1), ("two", 2), ("three", 2), ("four", 2), ("five", 2)])
    ]
    assert titles(*broken)[-1].startswith("Area one")
    with translation.override("en"):
        rows = attention(broken, (), 0, "", NOW)
    assert "all 4 units of its work center are lost" in rows[0].facts
    assert "1 of 4 units of its work center are lost" in rows[-1].facts


def test_pieces_are_not_due_for_time_in_which_nobody_counted():
    counted = replace(MEASURES, shift_s=3600.0, shift_total_s=7200.0, state_s={2: {2: 1800.0, 0: 1800.0}})
    with translation.override("en"):
        output = next(bullet for bullet in bullets(counted) if bullet.name == "output")
    assert output.mark == 0.25
    assert output.note == "10 due in the 30 min counted, 40 in the shift"
