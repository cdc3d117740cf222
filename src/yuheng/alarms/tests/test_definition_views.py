"""Defining alarms on pages: checked while typed, previewed before applied, marked where a unit differs."""

import re
from html import unescape

import pytest
from django.test import Client

from yuheng.alarms.models import AlarmDefinition, AlarmOverride
from yuheng.alarms.tests.test_facts import a_definition, a_unit
from yuheng.testing.builders import a_person, a_site, an_equipment_class

pytestmark = pytest.mark.django_db
GIVEN = {
    "code": "hot",
    "when": "temperature > high",
    "name_zh": "温度高",
    "name_en": "Hot",
    "message_en": "{unit}: {value} above {high}",
    "message_zh": "{unit_name} {value}",
    "priority": "2",
    "category": "process",
    "parameter_name": ["high", ""],
    "parameter_value": ["80", ""],
    "deadband": "2",
    "on_delay_s": "5",
    "off_delay_s": "",
    "chatter_window_s": "60",
    "is_enabled": "on",
    "acknowledge_required": "on",
}


@pytest.fixture
def wei() -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("wei", role="engineer", site=a_site()))
    return client


def of_class() -> str:
    return f"/alarms/classes/{an_equipment_class().pk}"


def seen_in(answer) -> str:
    found = re.search(r'name="seen" value="(\w+)"', answer.content.decode())
    assert found
    return found[1]


def test_nothing_is_stored_before_it_was_seen_and_applied(wei):
    a_unit()
    preview = wei.post(f"{of_class()}/new", {**GIVEN, "action": "preview"})
    assert preview.status_code == 200
    assert "What this new alarm would do" in preview.content.decode()
    assert "L01" in preview.content.decode()
    assert not AlarmDefinition.objects.exists()

    applied = wei.post(f"{of_class()}/new", {**GIVEN, "action": "apply", "seen": seen_in(preview)})
    assert (applied.status_code, applied["Location"]) == (302, of_class())
    row = AlarmDefinition.objects.get()
    assert (row.parameters, row.priority, row.deadband, row.off_delay_s) == ({"high": 80.0}, 2, 2.0, 0.0)
    assert (row.is_latching, row.acknowledge_required) == (False, True)


def test_what_was_changed_after_the_preview_is_previewed_again(wei):
    preview = wei.post(f"{of_class()}/new", {**GIVEN, "action": "preview"})
    changed = {**GIVEN, "parameter_value": ["90", ""], "action": "apply", "seen": seen_in(preview)}
    assert wei.post(f"{of_class()}/new", changed).status_code == 200
    assert not AlarmDefinition.objects.exists()


def test_a_change_says_which_machines_keep_their_own(wei):
    definition, unit = a_definition(), a_unit()
    override = f"/alarms/definitions/{definition.pk}/units/{unit.pk}"
    given = {"parameter_name": ["high"], "parameter_value": ["95"], "reason": "older bearing", "action": "save"}
    assert wei.post(override, given).status_code == 302
    assert AlarmOverride.objects.get().parameters == {"high": 95.0}

    page = unescape(wei.post(f"/alarms/definitions/{definition.pk}", {**GIVEN, "action": "preview"}).content.decode())
    assert "1 machine keeps values of its own" not in page  # the limit is the same as before: nothing is kept
    changed = {**GIVEN, "parameter_value": ["85", ""], "action": "preview"}
    page = unescape(wei.post(f"/alarms/definitions/{definition.pk}", changed).content.decode())
    assert "1 machine keeps values of its own" in page
    marked = unescape(wei.get(f"/alarms/units/{unit.pk}/definitions").content.decode())
    assert 'class="chip own"><span class="code">high</span> 95' in marked
    assert "older bearing" in unescape(wei.get(f"/alarms/definitions/{definition.pk}").content.decode())

    assert wei.post(override, {"action": "clear"}).status_code == 302
    assert not AlarmOverride.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("when", "temperature >"),
        ("on_delay_s", "soon"),
        ("deadband", "nan"),
        ("parameter_name", ["high", "high"]),
        ("name_zh", ""),
        ("code", "a b"),
        ("priority", "9"),
        ("suppress_when", "(("),
    ],
)
def test_what_cannot_be_accepted_is_said_beside_its_field_and_nothing_typed_is_lost(wei, field, value):
    given = {**GIVEN, field: value, "action": "preview"}
    if field == "parameter_name":
        given["parameter_value"] = ["1", "2"]
    answer = wei.post(f"{of_class()}/new", given)
    page = unescape(answer.content.decode())
    assert answer.status_code == 422
    assert "{unit}: {value} above {high}" in page
    name = "parameters" if field == "parameter_name" else field
    assert re.search(rf'data-error="{name}">[^<]+<', page)
    assert not AlarmDefinition.objects.exists()


def test_the_form_is_checked_while_it_is_typed(wei):
    good = wei.post("/alarms/definitions/check", GIVEN).json()
    assert good["errors"] == {}
    assert good["examples"]["en"] == "H07: 81.2 above 80"
    bad = wei.post("/alarms/definitions/check", {**GIVEN, "when": "temperature >> 3"}).json()
    assert set(bad["errors"]) == {"when"}


def test_retiring_takes_it_out_of_the_lists(wei):
    definition = a_definition()
    assert "Hot" in wei.get(of_class()).content.decode()
    assert wei.post(f"/alarms/definitions/{definition.pk}/retire").status_code == 302
    assert 'href="/alarms/definitions/' not in wei.get("/alarms/definitions").content.decode()
    assert AlarmDefinition.objects.get().retired_at is not None


def test_who_may_only_look_sees_the_definition_and_cannot_change_it():
    definition = a_definition()
    looker = Client(headers={"accept-language": "en"})
    looker.force_login(a_person("vera", role="viewer", site=a_site()))
    page = looker.get(f"/alarms/definitions/{definition.pk}")
    assert page.status_code == 200
    assert 'value="preview"' not in page.content.decode()
    assert looker.post(f"/alarms/definitions/{definition.pk}", {**GIVEN, "action": "preview"}).status_code == 403
    assert looker.get(f"{of_class()}/new").status_code == 403
    assert looker.post("/alarms/definitions/check", GIVEN).status_code == 403
