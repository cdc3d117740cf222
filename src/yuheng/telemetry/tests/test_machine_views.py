"""Pages of machines: connecting by form, accepting a certificate, picking signals, writing a value."""

import json

import pytest
from django.test import Client

from yuheng.gateway.connector import BrowsePage, Node, find_manifests
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.telemetry import machine_views, schema_form
from yuheng.telemetry.models import DataSource, MachineCommand, Tag, TagWriting
from yuheng.telemetry.services import commands, picked, sources, tags, trust
from yuheng.telemetry.services.picked import Picked
from yuheng.telemetry.services.tags import TagSpec
from yuheng.telemetry.source_settings import MASK
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_person, a_site, a_work_unit, an_actor_with

pytestmark = pytest.mark.django_db

SHA = "ab" * 32
NODES = [
    Node("f", "Folder", has_children=True),
    Node("nsu=u;s=a", "Temp", address="nsu=u;s=a", data_type="float", unit="Cel", value="1.5"),
]


def a_client(username="lin"):
    client = Client()
    client.force_login(a_person(username))
    return client


def a_source(**settings):
    return sources.create_source(
        actor=SYSTEM,
        site_id=a_site().pk,
        code="oven",
        connector="opcua",
        topics=[],
        settings={"url": "opc.tcp://x:4840", **settings},
        at=SHIFT_START,
    )


def a_tag(source, address="nsu=u;s=b"):
    spec = TagSpec(source.pk, address, "float")
    return tags.create_tag(actor=SYSTEM, site_id=a_site().pk, tag=spec, at=SHIFT_START)


def an_engineer():
    return an_actor_with("telemetry.view", "telemetry.edit", "machines.command")


def test_a_machine_is_connected_by_a_form_and_its_password_never_comes_back():
    client = a_client()
    assert client.get("/signals/connect-machine?connector=opcua").status_code == 200
    form = {
        "site": a_site().pk,
        "code": "oven",
        "setting-url": "opc.tcp://x:4840",
        "setting-user": "op",
        "setting-password": "very secret",
        "setting-queue_size": "50",
    }
    answer = client.post("/signals/connect-machine?connector=opcua", form)
    source = DataSource.objects.get()
    assert answer.status_code == 302
    assert (source.settings["password"], source.settings["queue_size"]) == ("very secret", 50)
    page = client.get(f"/signals/sources/{source.pk}").content.decode()
    assert "very secret" not in page
    assert MASK in page


def test_a_wrong_setting_is_said_and_nothing_is_made():
    form = {"site": a_site().pk, "code": "oven", "setting-url": "http://x"}
    answer = a_client().post("/signals/connect-machine?connector=opcua", form)
    assert answer.status_code == 422
    assert not DataSource.objects.exists()


@pytest.mark.parametrize("name", sorted(machine_views.machine_connectors()))
def test_the_form_of_every_connector_gives_back_what_it_was_given(name):
    schema = find_manifests()[name].config_schema
    fields = schema_form.fields_of(schema, {}, is_chinese=True)
    posted = {field.key: field.value for field in fields if field.kind != "switch" or field.value == "True"}
    assert schema_form.posted_settings(schema, posted) == {}
    assert all(field.label for field in fields)


def test_a_number_that_is_none_is_refused():
    schema = find_manifests()["opcua"].config_schema
    with pytest.raises(InvalidInput):
        schema_form.posted_settings(schema, {"setting-queue_size": "many"})


def test_a_certificate_is_accepted_by_a_person_and_forgotten_by_one():
    source, client = a_source(), a_client()
    spelled = ":".join(SHA.upper()[at : at + 2] for at in range(0, 64, 2))
    client.post(f"/signals/sources/{source.pk}/trust", {"thumbprint": spelled, "is_trusted": "1"})
    source.refresh_from_db()
    assert source.settings["trusted_certificates"] == [SHA]
    client.post(f"/signals/sources/{source.pk}/trust", {"thumbprint": SHA, "is_trusted": "0"})
    source.refresh_from_db()
    assert source.settings["trusted_certificates"] == []
    assert source.settings["url"] == "opc.tcp://x:4840"


def test_what_is_no_thumbprint_or_no_such_connector_is_refused():
    with pytest.raises(InvalidInput):
        trust.trust_certificate(actor=an_engineer(), source_id=a_source().pk, thumbprint="12", at=SHIFT_START)
    other = sources.create_source(
        actor=SYSTEM, site_id=a_site().pk, code="push", connector="http", topics=[], settings={}, at=SHIFT_START
    )
    with pytest.raises(Conflict):
        trust.trust_certificate(actor=an_engineer(), source_id=other.pk, thumbprint=SHA, at=SHIFT_START)


def test_browsing_shows_folders_and_signals_and_rows_alone_for_the_tree(monkeypatch):
    source = a_source()
    monkeypatch.setattr(machine_views.machines, "browse", lambda **_: BrowsePage(NODES, "200"))
    client = a_client()
    page = client.get(f"/signals/sources/{source.pk}/browse").content.decode()
    assert "Folder" in page
    assert "nsu=u;s=a" in page
    rows = client.get(f"/signals/sources/{source.pk}/browse?rows=1&level=2").content.decode()
    assert "<html" not in rows
    assert 'data-level="2"' in rows
    assert "data-more" in rows


def test_picked_signals_are_previewed_and_then_made():
    source, unit = a_source(), a_work_unit("O1")
    a_tag(source)
    picks = [
        json.dumps(["nsu=u;s=a", "Temp", "float", "Cel"]),
        json.dumps(["nsu=u;s=b", "There", "float", ""]),
        json.dumps(["nsu=u;s=" + "x" * 500, "Long", "float", ""]),
    ]
    client = a_client()
    preview = client.post(f"/signals/sources/{source.pk}/browse", {"pick": picks, "action": "plan"})
    assert preview.status_code == 200
    assert Tag.objects.count() == 1
    client.post(f"/signals/sources/{source.pk}/browse", {"pick": picks, "action": "make", "work_unit": unit.pk})
    made = Tag.objects.get(address="nsu=u;s=a")
    assert (made.unit, made.work_unit_id, made.name_en) == ("Cel", unit.pk, "Temp")
    assert Tag.objects.count() == 2


def test_what_nobody_picked_is_refused():
    with pytest.raises(InvalidInput):
        picked.plan_tags(actor=an_engineer(), source_id=a_source().pk, picked=[])
    bad = a_client().post(f"/signals/sources/{DataSource.objects.get().pk}/browse", {"pick": ["{"], "action": "make"})
    assert bad.status_code == 422


def test_a_unit_that_is_none_is_left_out():
    (row,) = picked.plan_tags(
        actor=an_engineer(), source_id=a_source().pk, picked=[Picked("nsu=u;s=a", unit="furlong!")]
    )
    assert (row.action, row.unit) == ("add", "1")


def test_a_value_is_written_from_the_page_of_the_tag():
    source = a_source()
    tag, client = a_tag(source), a_client()
    client.post(f"/signals/sources/{source.pk}/writing", {"is_allowed": "1"})
    client.post(f"/signals/tags/{tag.pk}/write", {"action": "limits", "is_writable": "on", "low": "0", "high": "9"})
    assert TagWriting.objects.get().high == 9.0
    refused = client.post(f"/signals/tags/{tag.pk}/write", {"action": "write", "value": "10", "reason": "Try"})
    assert refused.status_code == 422
    assert (
        client.post(f"/signals/tags/{tag.pk}/write", {"action": "write", "value": "5", "reason": "Try"}).status_code
        == 302
    )
    assert MachineCommand.objects.get().value == 5.0
    assert "data-open" in client.get(f"/signals/tags/{tag.pk}/write?rows=1").content.decode()


def test_who_may_not_write_finds_no_form():
    source = a_source()
    tag = a_tag(source)
    commands.allow_writes(actor=SYSTEM, source_id=source.pk, is_allowed=True, at=SHIFT_START)
    commands.set_tag_writing(actor=SYSTEM, tag_id=tag.pk, is_writable=True, at=SHIFT_START)
    client = Client()
    client.force_login(a_person("viewer1", role="viewer"))
    assert 'name="reason"' not in client.get(f"/signals/tags/{tag.pk}/write").content.decode()
    answer = client.post(f"/signals/tags/{tag.pk}/write", {"action": "write", "value": "5", "reason": "Try"})
    assert answer.status_code in (403, 422)
    assert not MachineCommand.objects.exists()
