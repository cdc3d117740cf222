"""All alarms of a class as one table: read as people write it, previewed, applied whole or not at all."""

import json
import re
from html import unescape

import pytest
from django.test import Client

from yuheng.alarms.models import AlarmDefinition, AlarmOverride
from yuheng.alarms.tables import COLUMNS, cells_of, limits_of, limits_text, read_table
from yuheng.alarms.tests.test_facts import a_definition, a_unit
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.testing.builders import SHIFT_START, a_person, a_site, an_equipment_class

pytestmark = pytest.mark.django_db


def row(code: str, **cells: str) -> dict[str, str]:
    return {
        "code": code,
        "when": f"{code} > high",
        "parameters": "high = 80",
        "name_zh": f"{code} 高",
        "name_en": f"{code} high",
        **cells,
    }


@pytest.fixture
def wei() -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("wei", role="engineer", site=a_site()))
    return client


def url() -> str:
    return f"/alarms/classes/{an_equipment_class().pk}/table"


def posted(client: Client, rows: list[dict[str, str]], **extra: str):
    return client.post(url(), {"rows": json.dumps([{"id": None, "cells": one} for one in rows]), **extra})


def seen_in(answer) -> str:
    found = re.search(r'name="seen" value="(\w+)"', answer.content.decode())
    assert found
    return found[1]


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"high": 80.0, "low": -5.5},
        {"program": "E7"},
        {"program": "80"},
        {"odd": "a;b", "even": "it's = so"},
        {"spaced": " a "},
        {"empty": ""},
    ],
)
def test_limits_are_written_so_that_they_can_be_read_again(limits):
    assert limits_of(limits_text(limits)) == limits


@pytest.mark.parametrize("text", ["high", "high=", "=5", "high=1; high=2", "{high: 1}", "[1]"])
def test_limits_that_cannot_be_read_are_refused(text):
    with pytest.raises(ValueError, match=r"limits as|there twice"):
        limits_of(text)


def test_words_are_read_in_both_languages_and_as_numbers():
    cells = [
        row("a", priority="紧急", category="安全", is_latching="是"),
        row("b", priority="HIGH", category="Utilities", is_latching="yes"),
        row("c", priority="4", category="quality", is_latching="0", suppress_states="setup、Idle"),
    ]
    table = read_table(cells, {}, {})
    assert table.errors == {}
    assert [spec.priority for spec in table.specs] == [Priority.CRITICAL, Priority.HIGH, Priority.LOW]
    assert [spec.category for spec in table.specs] == ["safety", "utility", "quality"]
    assert [spec.is_latching for spec in table.specs] == [True, True, False]
    assert table.specs[2].suppress_states == ("setup", "idle")


def test_cells_of_a_definition_are_read_as_that_definition():
    a_unit()
    definition = a_definition()
    cells = cells_of(definition, {})
    assert set(cells) == set(COLUMNS)
    table = read_table([cells], {}, {})
    assert table.errors == {}
    assert table.specs[0].parameters == definition.parameters
    assert table.specs[0].deadband == definition.deadband


def test_a_table_is_previewed_and_then_applied(wei):
    a_unit()
    rows = [row(f"s{n:02d}", priority=["critical", "high", "low"][n % 3]) for n in range(25)]
    preview = posted(wei, rows)
    page = unescape(preview.content.decode())
    assert (preview.status_code, AlarmDefinition.objects.count()) == (200, 0)
    assert "25 new alarms" in page
    done = posted(wei, rows, action="apply", seen=seen_in(preview))
    assert done.status_code == 302
    assert AlarmDefinition.objects.filter(retired_at=None, equipment_class=an_equipment_class()).count() == 25
    assert AlarmDefinition.objects.get(code="s03").parameters == {"high": 80.0}
    assert "Nothing is different" in unescape(posted(wei, rows).content.decode())


def test_a_threshold_for_all_names_machines_and_who_keeps_their_own(wei):
    unit, definition = a_unit(), a_definition()
    AlarmOverride.objects.create(
        site=a_site(), definition=definition, work_unit=unit, parameters={"high": 95.0}, changed_at=SHIFT_START
    )
    cells = cells_of(definition, {}) | {"parameters": "high = 85"}
    preview = posted(wei, [cells])
    page = unescape(preview.content.decode())
    assert "1 alarm changes" in page
    assert "1 machine keeps values of its own" in page
    assert "✎ L01 95" in page
    posted(wei, [cells], action="apply", seen=seen_in(preview))
    definition.refresh_from_db()
    assert definition.parameters == {"high": 85.0}
    assert AlarmOverride.objects.get().parameters == {"high": 95.0}


def test_an_alarm_that_is_not_in_the_table_is_retired_and_fields_without_a_column_stay(wei):
    definition = a_definition()
    AlarmDefinition.objects.filter(pk=definition.pk).update(guidance_en="Call Ana.")
    cells = {"code": definition.code, "when": "temperature > high + 1"}
    posted(wei, [cells], action="apply", seen=seen_in(posted(wei, [cells])))
    definition.refresh_from_db()
    assert (definition.when, definition.guidance_en) == ("temperature > high + 1", "Call Ana.")
    other = [row("other")]
    page = posted(wei, other)
    assert "is retired; its journal stays" in unescape(page.content.decode())
    posted(wei, other, action="apply", seen=seen_in(page))
    definition.refresh_from_db()
    assert definition.retired_at is not None


@pytest.mark.parametrize(
    ("cells", "place"),
    [
        ({"when": "temperature >"}, "1.when"),
        ({"parameters": "high"}, "1.parameters"),
        ({"priority": "urgent"}, "1.priority"),
        ({"deadband": "nan"}, "1.deadband"),
        ({"code": "good"}, "1.code"),
        ({"code": "a b"}, "1.code"),
        ({"name_zh": ""}, "1.name_zh"),
        ({"response_time_s": "1.5"}, "1.response_time_s"),
        ({"response_time_s": "1e400"}, "1.response_time_s"),
        ({"parent_work_unit_id": "nowhere"}, "1.parent_work_unit_id"),
        ({"suppress_states": "asleep"}, "1.suppress_states"),
        ({"is_enabled": "maybe"}, "1.is_enabled"),
    ],
)
def test_a_wrong_cell_is_named_and_nothing_is_stored(wei, cells, place):
    answer = posted(wei, [row("good"), row("bad") | cells], action="apply", seen="x")
    assert answer.status_code == 422
    assert set(answer.context["grid"]["errors"]) == {place}
    assert not AlarmDefinition.objects.exists()


@pytest.mark.parametrize("rows", ["", "{}", "[1]", '[{"cells": 3}]', "[" * 100_000])
def test_what_is_no_table_is_refused(wei, rows):
    assert wei.post(url(), {"rows": rows}).status_code == 422


def test_a_change_by_somebody_else_since_the_preview_is_not_written_over(wei):
    definition = a_definition()
    cells = cells_of(definition, {}) | {"parameters": "high = 85"}
    seen = seen_in(posted(wei, [cells]))
    AlarmDefinition.objects.filter(pk=definition.pk).update(deadband=9.0)
    answer = posted(wei, [cells], action="apply", seen=seen)
    assert answer.status_code == 422
    definition.refresh_from_db()
    assert definition.parameters == {"high": 80.0}


def test_who_may_only_look_sees_the_table_and_cannot_send_it():
    a_definition()
    looker = Client(headers={"accept-language": "en"})
    looker.force_login(a_person("vera", role="viewer", site=a_site()))
    assert looker.get(url()).context["grid"]["may_edit"] is False
    assert posted(looker, [row("x")]).status_code == 403
    assert AlarmDefinition.objects.count() == 1
