"""A password in a source's settings goes in and never comes out: API, page, export, dry run, audit."""

import json

import pytest

from yuheng.equipment.importing import Action, apply_plan, export_document, make_plan, parse
from yuheng.kernel.models import AuditRecord
from yuheng.telemetry.importing import SECTIONS
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.source_settings import MASK, masked, password_names, with_kept_passwords
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_person, a_site

pytestmark = pytest.mark.django_db

SECRET = "tiger-in-the-tank"
BROKER = {"host": "mqtt.plant", "port": 1883, "username": "yu", "password": SECRET}


def test_what_the_connectors_call_a_password_is_masked_at_any_depth():
    assert "password" in password_names()
    assert masked({"broker": BROKER, "a": [{"password": "x"}]}) == {
        "broker": {**BROKER, "password": MASK},
        "a": [{"password": MASK}],
    }
    assert masked({"password": ""}) == {"password": ""}


def test_a_mask_written_back_keeps_the_password_and_without_one_is_left_out():
    assert with_kept_passwords({"broker": {"password": MASK}}, {"broker": BROKER}) == {"broker": {"password": SECRET}}
    assert with_kept_passwords({"broker": {"password": MASK}}, {}) == {"broker": {}}
    assert with_kept_passwords({"broker": {"password": "new"}}, {"broker": BROKER}) == {"broker": {"password": "new"}}


def test_neither_api_nor_page_nor_audit_has_the_password_and_saving_keeps_it(client):
    client.force_login(a_person("lin"), backend="yuheng.people.identity.PersonBackend")
    body = {"site_id": a_site().pk, "code": "far", "connector": "mqtt_json", "topics": ["far/#"]}
    made = client.post("/api/v1/sources", json.dumps({**body, "settings": {"broker": BROKER}}), "application/json")
    assert made.status_code == 201, made.content
    path = f"/api/v1/sources/{made.json()['id']}"
    shown = client.get(path).json()
    assert shown["settings"]["broker"]["password"] == MASK
    changed = {"topics": ["far/a/#"], "settings": shown["settings"]}
    assert client.put(path, json.dumps(changed), "application/json").status_code == 200
    assert DataSource.objects.get().settings["broker"]["password"] == SECRET
    said = [made.content.decode(), client.get(path).content.decode(), client.get("/api/v1/sources").content.decode()]
    said += [client.get(f"/signals/sources/{made.json()['id']}").content.decode()]
    said += [str(list(AuditRecord.objects.values()))]
    assert not any(SECRET in text for text in said)


def brought_in(document):
    parsed = parse(json.dumps(document).encode(), kind="", sections=SECTIONS)
    given = {"actor": SYSTEM, "parsed": parsed, "sections": SECTIONS, "site_id": a_site().pk}
    plan = make_plan(**given)
    apply_plan(**given, plan_sha256=plan.sha256(), at=SHIFT_START)
    return plan


def test_an_export_has_no_password_and_importing_it_changes_nothing():
    source = {"code": "far", "connector": "mqtt_json", "topics": ["far/#"], "settings": {"broker": BROKER}}
    document = {"format": "yuheng/plant-1", "sources": [source]}
    assert brought_in(document).count(Action.ADD) == 1
    assert brought_in(document).count(Action.UNCHANGED) == 1
    exported = export_document(actor=SYSTEM, sections=SECTIONS, site_id=a_site().pk)
    assert SECRET not in json.dumps(exported)
    assert brought_in(exported).count(Action.CHANGE) == 0

    source["settings"] = {"broker": {**BROKER, "password": "another-one"}}
    plan = brought_in(document)
    [row] = [row for row in plan.rows if row.action is Action.CHANGE]
    assert "another-one" not in str(row.changes)
    assert DataSource.objects.get().settings["broker"]["password"] == "another-one"
