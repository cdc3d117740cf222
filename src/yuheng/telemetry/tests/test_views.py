"""Pages as plain pages: they open, act, refuse, and show nothing of another site."""

from dataclasses import replace

import msgspec
import pytest
from django.utils import translation

from yuheng.telemetry.models import DataSource, DeadLetterGroup, Device, StateRule, Tag
from yuheng.telemetry.selectors import history, losses
from yuheng.telemetry.services.dead_letters import DeadLetter, note_dead_letters
from yuheng.telemetry.services.tags import TagSpec, write_tags
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_person, a_site, a_work_unit, an_equipment_class, another_site
from yuheng.testing.historian import FakeHistorian

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def historian(nats_server, settings):
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, nats_url=nats_server.url)
    history.bus.cache_clear()
    raw = [
        {
            "topic": "laser/L01",
            "payload": b'{"values": {"temp": 21.5}}',
            "arrived_us": 1_795_000_000_000_000 + n * 10**6,
        }
        for n in range(3)
    ]
    answers = {
        "yh.preview.*": lambda _payload: msgspec.json.encode({"messages": raw}),
        "states_preview": lambda _payload: msgspec.json.encode({"intervals": {}}),
    }
    with FakeHistorian(nats_server.url, answers) as fake:
        fake.raw = raw
        yield fake
    history.bus().close()
    history.bus.cache_clear()


@pytest.fixture
def as_lin(client):
    client.force_login(a_person("lin"), backend="yuheng.people.identity.PersonBackend")
    client.cookies["django_language"] = "en"
    return client


def a_source():
    return DataSource.objects.create(site=a_site(), code="laser", connector="mqtt_json", topics=["laser/#"])


def letters(source, reason="unknown_tag", what="L01/new", payload=b'{"value": 7}', count=2):
    kind = "points" if reason == "unknown_tag" else "message"
    note_dead_letters(
        [
            DeadLetter(source.pk if source else 0, reason, kind, what, "laser/L01", 1_795_000_000_000_000, payload, n)
            for n in range(count)
        ]
    )
    return DeadLetterGroup.objects.get(what=what)


def test_connecting_a_device_shows_the_password_once_with_commands_to_paste(as_lin):
    body = {"site": a_site().pk, "name": "edge-1", "protocol": "mqtt_json", "topic": "", "makes_tags_by_itself": "on"}
    page = as_lin.post("/signals/connect", body).content.decode()
    assert "mosquitto_pub -h 127.0.0.1" in page
    assert "devices/edge-1" in page
    device = Device.objects.get()
    assert device.publish_topics == ["devices/edge-1/#"]
    assert DataSource.objects.get().makes_tags_by_itself
    assert "password" not in as_lin.get("/signals/").content.decode().replace("New password", "").lower()


@pytest.mark.parametrize("protocol", ["sparkplug_b", "http"])
def test_the_other_protocols_get_their_own_commands(as_lin, protocol):
    page = as_lin.post(
        "/signals/connect", {"site": a_site().pk, "name": "edge-1", "protocol": protocol}
    ).content.decode()
    assert ("/write?db=edge-1" if protocol == "http" else "spBv1.0/edge-1/NCMD/edge-1/#") in page


@pytest.mark.parametrize(
    "fields",
    [{"name": "no good"}, {"topic": "#"}, {"topic": "a b"}, {"topic": "$(rm)"}, {"site": "9999"}, {"protocol": "x"}],
)
def test_a_device_that_cannot_be_connected_leaves_nothing_behind(as_lin, fields):
    body = {"site": a_site().pk, "name": "edge-1", "protocol": "mqtt_json", "topic": ""} | fields
    refused = as_lin.post("/signals/connect", body)
    assert refused.status_code == 422
    assert "error-summary" in refused.content.decode()
    assert (DataSource.objects.count(), Device.objects.count()) == (0, 0)


def test_a_source_shows_its_last_messages_and_tries_other_settings_on_them(as_lin):
    source = a_source()
    page = as_lin.get(f"/signals/sources/{source.pk}").content.decode()
    assert "21.5" in page
    assert "L01/temp" in page
    tried = as_lin.post(
        f"/signals/sources/{source.pk}",
        {
            "action": "try",
            "topics": "laser/#",
            "settings": '{"topic_pattern": "laser/{unit}", "address": "X-{unit}-{name}"}',
        },
    ).content.decode()
    assert "X-L01-temp" in tried
    assert DataSource.objects.get().settings == {}
    assert as_lin.get(f"/signals/sources/{source.pk}/arrivals").json()["count"] == 3


@pytest.mark.parametrize(("data_type", "said"), [("float", "21.5"), ("bool", "on")])
def test_the_preview_names_the_tag_and_says_on_and_off(as_lin, historian, data_type, said):
    source = a_source()
    spec = TagSpec(source.pk, "L01/temp", data_type, name_zh="运行", name_en="Running")
    write_tags(actor=SYSTEM, site_id=source.site_id, tags=[spec], at=SHIFT_START)
    if data_type == "bool":
        historian.raw[:] = [{**message, "payload": b'{"values": {"temp": true}}'} for message in historian.raw]
    page = as_lin.get(f"/signals/sources/{source.pk}").content.decode()
    assert f'?source={source.pk}&amp;q=L01%2Ftemp">Running</a>' in page
    assert f"<td>{said}</td>" in page


def test_settings_are_saved_or_refused_with_a_reason(as_lin):
    source = a_source()
    path = f"/signals/sources/{source.pk}"
    bad = as_lin.post(path, {"action": "save", "topics": "laser/#", "settings": "{not json"})
    assert bad.status_code == 422
    good = as_lin.post(path, {"action": "save", "topics": "laser/+/x", "settings": "{}", "own_tags_limit": "7"})
    assert good.status_code == 302
    assert (DataSource.objects.get().topics, DataSource.objects.get().own_tags_limit) == (["laser/+/x"], 7)


def test_dead_letters_say_why_and_what_to_do_and_become_tags(as_lin):
    group = letters(a_source())
    page = as_lin.get("/dead-letters/").content.decode()
    assert "no tag has this address" in page
    assert "L01/new" in page
    detail = as_lin.get(f"/dead-letters/{group.pk}").content.decode()
    assert "7b 22 76 61" in detail
    as_lin.post("/dead-letters/act", {"group": [group.pk], "action": "make_tags_and_replay"})
    assert Tag.objects.get().address == "L01/new"
    assert DeadLetterGroup.objects.get().state == "replaying"


def test_a_payload_is_shown_as_text_and_never_as_markup(as_lin):
    group = letters(a_source(), "undecodable", "laser/x", b"<script>alert(1)</script>\xff\x00")
    detail = as_lin.get(f"/dead-letters/{group.pk}").content.decode()
    assert "<script>alert" not in detail
    assert "&lt;script&gt;" in detail


def test_state_rules_are_tried_and_saved(as_lin):
    kind = an_equipment_class()
    a_work_unit("L01", equipment_class=kind)
    path = f"/signals/classes/{kind.pk}/rules"
    rules = {
        "state": ["5", "1"],
        "when": ["fault_code != 0", ""],
        "cause": ["fault_code", ""],
        "no_data_after_s": "30",
        "hours": "8",
    }
    assert as_lin.post(path, rules | {"action": "preview"}).status_code == 200
    assert StateRule.objects.count() == 0
    assert as_lin.post(path, rules | {"action": "save"}).status_code == 302
    assert StateRule.objects.get().when == "fault_code != 0"
    refused = as_lin.post(path, rules | {"when": ["import os", ""], "action": "save"})
    assert refused.status_code == 422
    assert StateRule.objects.get().when == "fault_code != 0"


def test_a_new_rule_needs_a_state(as_lin):
    kind = an_equipment_class()
    path = f"/signals/classes/{kind.pk}/rules"
    rules = {"state": ["", ""], "when": ["fault_code != 0", ""], "cause": ["", ""], "no_data_after_s": "30"}
    answer = as_lin.post(path, rules | {"action": "save"})
    assert answer.status_code == 422
    assert "fault_code != 0" in answer.content.decode()  # what was typed is still there
    assert StateRule.objects.count() == 0


def test_tags_can_be_searched(as_lin):
    a_source()
    assert as_lin.get("/signals/tags?q=x&data_type=float&page=3").status_code == 200
    assert as_lin.get("/signals/tags?source=99999999999999999999").status_code == 200


def test_an_operator_sees_no_buttons_and_cannot_press_them(client):
    source, kind = a_source(), an_equipment_class()
    group = letters(source)
    client.force_login(a_person("ana"), backend="yuheng.people.identity.PersonBackend")
    for path in ("/signals/", f"/signals/sources/{source.pk}", "/dead-letters/", f"/dead-letters/{group.pk}"):
        page = client.get(path)
        assert page.status_code == 200, path
        assert 'value="replay"' not in page.content.decode()
    assert client.get("/signals/connect").status_code == 403
    assert client.post("/dead-letters/act", {"group": [group.pk], "action": "replay"}).status_code == 403
    rules = {"state": ["5"], "when": ["run"], "cause": [""], "action": "save"}
    client.post(f"/signals/classes/{kind.pk}/rules", rules)
    assert StateRule.objects.count() == 0
    assert DeadLetterGroup.objects.get().state == "open"


def test_another_firm_sees_none_of_it(client):
    source = a_source()
    group = letters(source)
    client.force_login(a_person("dora", site=another_site()), backend="yuheng.people.identity.PersonBackend")
    for path in (
        f"/signals/sources/{source.pk}",
        f"/signals/sources/{source.pk}/arrivals",
        f"/dead-letters/{group.pk}",
    ):
        assert client.get(path).status_code == 404, path
    assert "laser" not in client.get("/signals/").content.decode()
    assert "L01/new" not in client.get("/dead-letters/").content.decode()


def test_what_had_to_be_discarded_is_told_beside_the_dead_letters(as_lin, monkeypatch):
    told = {"worker": {"dead_letters_discarded": 7, "dead_letters_bound_bytes": 2_000_000_000}}
    told["historian"] = {"dropped_qos0": 31, "births_refused": 5}
    monkeypatch.setattr(history, "health_of", lambda process: told[process])
    with translation.override("en"):
        assert [sentence.split(" ")[0] for sentence in losses.losses()] == ["7", "Messages", "Sparkplug"]
        assert "bound 2000 MB" in losses.losses()[0]
    page = as_lin.get("/dead-letters/").content.decode()
    assert page.count('role="status">') >= 3
    assert "2000 MB" in page
    told["worker"], told["historian"] = {}, {}
    assert losses.losses() == []
    assert "2000 MB" not in as_lin.get("/dead-letters/").content.decode()
