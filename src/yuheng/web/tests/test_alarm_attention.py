"""Alarms among what needs a person: one line for one cause."""

from dataclasses import replace

import pytest
from django.utils import translation

from yuheng.engines.states.vocabulary import UnitState
from yuheng.web.centre import marks_of
from yuheng.web.indicators import AlarmOfUnit, SourceNow, UnitNow, attention

NOW = 1_790_000_000_000_000
MINUTE = 60_000_000
DOWN = UnitNow(1, "H07", "Cell 7", "Welding", 1, "cell", UnitState.DOWN, "12", "Wire fault", NOW - 5 * MINUTE, NOW)
FINE = replace(DOWN, id=2, code="H08", state=UnitState.PRODUCING, cause="", cause_text="")
HOT = AlarmOfUnit(7, 2, "H08", "Welding", 2, "Too hot", NOW - 3 * MINUTE, 0, is_active=True, is_acked=False)


def rows(units, alarms, sources=()):
    with translation.override("en"):
        return attention(units, sources, 0, "", NOW, alarms)


def test_an_alarm_of_a_unit_that_runs_is_a_line_of_its_own():
    [row] = rows([FINE], [HOT])
    assert (row.priority, row.title, row.url) == ("2", "Welding H08 Too hot", "/alarms/7")


def test_an_alarm_of_a_unit_that_is_down_joins_its_line():
    [row] = rows([DOWN], [replace(HOT, unit_id=1), replace(HOT, id=8, unit_id=1, priority=3)])
    assert (row.priority, row.title) == ("1", "Welding H07 Wire fault")
    assert row.facts[-2:] == ("alarm: Too hot", "1 more alarms of this unit")


@pytest.mark.parametrize(
    ("changed", "is_listed"),
    [
        ({"is_acked": True}, False),
        ({"priority": 4}, False),
        ({"priority": 3}, True),
        ({"priority": 3, "is_active": False}, False),
        ({"priority": 2, "is_active": False}, True),
    ],
)
def test_what_somebody_knows_or_what_can_wait_is_not_listed(changed, is_listed):
    assert bool(rows([FINE], [replace(HOT, **changed)])) is is_listed


def test_silence_that_its_source_explains_is_told_once():
    silent = SourceNow(1, "plc", "/s", is_connected=False, silent_s=90.0, unit_count=1, units=frozenset({2}))
    [row] = rows([replace(FINE, state=UnitState.NO_DATA)], [replace(HOT, is_about_silence=True)], [silent])
    assert "plc" in row.title


def test_a_tile_shows_the_worst_of_what_is_news():
    alarms = [HOT, replace(HOT, id=8, priority=1), replace(HOT, id=9, priority=3, is_active=False)]
    assert marks_of(alarms) == {2: (1, 2)}
