"""The JSON edge: shapes, statuses, formats, and that nobody reads another site's values."""

import io
import json
import re
from dataclasses import replace

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from yuheng.bus import messages
from yuheng.bus.client import BusBusy
from yuheng.historian.answers import BUSY
from yuheng.telemetry.models import DataSource, DeadLetterGroup, Device, Tag
from yuheng.telemetry.rules import moment
from yuheng.telemetry.selectors import history
from yuheng.telemetry.services.dead_letters import DeadLetter, note_dead_letters
from yuheng.telemetry.services.state_intervals import apply_state_revision
from yuheng.telemetry.services.tags import TagSpec, write_tags
from yuheng.telemetry.spoken import is_known
from yuheng.testing.builders import (
    SHIFT_START,
    SYSTEM,
    a_person,
    a_site,
    a_work_unit,
    an_equipment_class,
    another_site,
)
from yuheng.testing.historian import FakeHistorian

pytestmark = pytest.mark.django_db

API = "/api/v1"
SPAN = "start=2026-11-23T00:00:00Z&end=2026-11-23T01:00:00Z"


@pytest.fixture
def as_lin(client):
    return signed_in(client, "lin")


def signed_in(client, name, **fields):
    client.force_login(a_person(name, **fields), backend="yuheng.people.identity.PersonBackend")
    return client


def sent(client, method, path, body):
    return getattr(client, method)(f"{API}{path}", json.dumps(body), content_type="application/json")


def a_source(site=None, code="laser"):
    return DataSource.objects.create(site=site or a_site(), code=code, connector="mqtt_json", topics=[f"{code}/#"])


def a_tag(address="L01/run", source=None, **fields):
    source = source or DataSource.objects.filter(site=a_site()).first() or a_source()
    write_tags(
        actor=SYSTEM,
        site_id=source.site_id,
        tags=[TagSpec(source.pk, address, fields.pop("data_type", "float"), **fields)],
        at=SHIFT_START,
    )
    return Tag.objects.get(address=address, source=source)


def a_table(tag):
    return pa.table(
        {
            "tag": pa.array([tag.pk, tag.pk], pa.uint32()),
            "time": pa.array([moment(1_700_000_000_000_001), moment(1_700_000_001_000_000)], pa.timestamp("us", "UTC")),
            "value": pa.array([1.5, float("nan")], pa.float64()),
            "text": pa.array([None, "x"], pa.string()),
        }
    )


def as_stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.fixture
def historian(nats_server, settings):
    """Connect the process to a broker with a fake historian; gives a function to set its answers."""
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, nats_url=nats_server.url)
    history.bus.cache_clear()
    fakes = []

    def answering(**answers):
        fake = FakeHistorian(nats_server.url, answers)
        fake.__enter__()
        fakes.append(fake)
        return fake

    yield answering
    for fake in fakes:
        fake.__exit__(None, None, None)
    history.bus().close()
    history.bus.cache_clear()


def test_a_historian_with_too_many_questions_says_when_to_ask_again(as_lin, historian):
    def busy(_payload):
        raise BusBusy(BUSY)

    historian(raw=busy)
    answer = as_lin.get(f"{API}/history/raw?tags={a_tag().pk}&{SPAN}")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert is_known(BUSY)


def test_a_source_is_created_shown_changed_and_switched_over_the_api(as_lin):
    body = {"site_id": a_site().pk, "code": "laser", "connector": "mqtt_json", "topics": ["laser/#"]}
    made = sent(as_lin, "post", "/sources", body)
    assert made.status_code == 201
    path = f"/sources/{made.json()['id']}"
    assert sent(as_lin, "put", path, {"topics": ["laser/+/x"]}).json()["topics"] == ["laser/+/x"]
    assert sent(as_lin, "post", f"{path}/switch", {"is_enabled": False}).json()["is_enabled"] is False
    assert as_lin.get(f"{API}/sources").json()[0]["code"] == "laser"


def test_a_refusal_names_the_field_and_leaves_nothing_behind(as_lin):
    body = {"site_id": a_site().pk, "code": "laser", "connector": "mqtt_json", "topics": ["laser/a#"]}
    refused = sent(as_lin, "post", "/sources", body)
    assert refused.status_code == 422
    assert list(refused.json()["fields"]) == ["topics"]
    assert DataSource.objects.count() == 0


def test_a_body_that_is_not_as_described_names_the_field(as_lin):
    refused = sent(as_lin, "post", "/sources", {"site_id": "x"})
    assert refused.status_code == 422
    assert refused.json()["title"] == "InvalidInput"
    assert any("site_id" in name for name in refused.json()["fields"])


def test_a_password_is_in_the_answer_once_and_never_again(as_lin):
    body = {"site_id": a_site().pk, "username": "edge-1", "publish_topics": ["plant/#"]}
    issued = sent(as_lin, "post", "/devices", body)
    assert issued.status_code == 201
    password = issued.json()["password"]
    assert password not in as_lin.get(f"{API}/devices").content.decode()
    rotated = sent(as_lin, "post", f"/devices/{issued.json()['device']['id']}/password", {})
    assert rotated.json()["password"] != password
    revoked = sent(as_lin, "post", f"/devices/{issued.json()['device']['id']}/revoke", {})
    assert revoked.json()["is_active"] is False
    assert "hash" not in json.dumps(revoked.json())


def test_an_operator_may_look_but_not_change(client):
    source = a_source()
    signed_in(client, "ana")
    assert client.get(f"{API}/sources").status_code == 200
    assert sent(client, "post", f"/sources/{source.pk}/switch", {"is_enabled": False}).status_code == 403
    assert sent(client, "post", "/devices", {"site_id": a_site().pk, "username": "x-1"}).status_code == 403
    assert Device.objects.count() == 0


def test_another_sites_things_do_not_exist(client, historian):
    tag, unit = a_tag(), a_work_unit("L01")
    letter_of(tag.source_id)
    group = DeadLetterGroup.objects.get()
    historian(raw=lambda _payload: as_stream(a_table(tag)))
    another_site()
    signed_in(client, "dora", site=another_site())
    for path in (
        f"/sources/{tag.source_id}",
        f"/tags/{tag.pk}",
        f"/history/raw?tags={tag.pk}&{SPAN}",
        f"/history/latest?tags={tag.pk}",
        f"/live?site_id={a_site().pk}",
        f"/dead-letters/{group.pk}/samples",
    ):
        assert client.get(f"{API}{path}").status_code == 404, path
    assert client.get(f"{API}/sources").json() == []
    assert client.get(f"{API}/tags").json()["total"] == 0
    assert client.get(f"{API}/dead-letters").json()["total"] == 0
    assert client.get(f"{API}/states?work_unit_ids={unit.pk}&{SPAN}").json() == []
    assert sent(client, "post", "/dead-letters/replay", {"group_ids": [group.pk]}).status_code == 404


def letter_of(source_id, what="L01/new", count=1):
    note_dead_letters(
        [
            DeadLetter(source_id, "unknown_tag", "points", what, "plant/x", 1_795_000_000_000_000, b'{"value": 7}', n)
            for n in range(count)
        ]
    )


def test_tags_are_listed_by_page_and_found_by_words(as_lin, django_assert_max_num_queries):
    for n in range(5):
        a_tag(f"L01/t{n}", name_zh="温度", name_en=f"Temperature {n}")
    with django_assert_max_num_queries(6):
        page = as_lin.get(f"{API}/tags?limit=2&offset=4").json()
    assert (page["total"], [tag["address"] for tag in page["tags"]]) == (5, ["L01/t4"])
    assert as_lin.get(f"{API}/tags?text=温度 t3").json()["total"] == 1


def test_tags_are_written_in_bulk(as_lin):
    source = a_source()
    body = {
        "site_id": a_site().pk,
        "tags": [{"source_id": source.pk, "address": f"t{n}", "data_type": "float"} for n in range(3)],
    }
    assert sent(as_lin, "post", "/tags", body).json() == {"created": 3, "changed": 0, "unchanged": 0}
    body["tags"][1]["unit"] = "furlong"
    refused = sent(as_lin, "post", "/tags", body)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["t1"])


def test_history_comes_as_json_arrow_parquet_or_csv(as_lin, historian):
    tag = a_tag()
    fake = historian(raw=lambda _payload: as_stream(a_table(tag)))
    path = f"{API}/history/raw?tags={tag.pk}&{SPAN}"

    plain = as_lin.get(path)
    assert plain.json() == {
        "tag": [tag.pk, tag.pk],
        "time": ["2023-11-14T22:13:20.000001Z", "2023-11-14T22:13:21.000000Z"],
        "value": [1.5, None],
        "text": [None, "x"],
    }
    question = msgspec.json.decode(fake.asked[-1][1], type=messages.RawQuestion)
    assert (question.tags, question.end_us - question.start_us) == ([tag.pk], 3_600_000_000)
    arrow = as_lin.get(path, headers={"Accept": "application/vnd.apache.arrow.stream"})
    assert pa.ipc.open_stream(arrow.content).read_all().column("value").to_pylist()[0] == 1.5
    parquet = as_lin.get(path + "&format=parquet")
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 2
    text = as_lin.get(path + "&format=csv").content.decode("utf-8-sig").splitlines()
    assert text[1].startswith(f'{tag.pk},"2023-11-14T22:13:20.000001Z",1.5')


@pytest.mark.parametrize(
    ("operation", "query"),
    [("latest", ""), ("aggregate", f"&{SPAN}&bucket=15m"), ("pixels", f"&{SPAN}&width=800"), ("increase", f"&{SPAN}")],
)
def test_every_question_of_history_reaches_the_historian(as_lin, historian, operation, query):
    tag = a_tag()
    fake = historian(**{operation: lambda _payload: as_stream(a_table(tag))})
    assert as_lin.get(f"{API}/history/{operation}?tags={tag.pk}{query}").status_code == 200
    assert fake.asked[-1][0] == f"yh.q.{operation}"


@pytest.mark.parametrize(
    "query",
    [
        "tags=x&" + SPAN,
        "tags=&" + SPAN,
        "tags=1&start=2026-11-23T01:00:00Z&end=2026-11-23T00:00:00Z",
        "tags=1&start=2026-11-23T01:00:00&end=2026-11-23T00:00:00",
        "tags=1",
        "tags=1&format=exe&" + SPAN,
    ],
)
def test_a_question_that_makes_no_sense_is_refused(as_lin, query):
    assert as_lin.get(f"{API}/history/raw?{query}").status_code in (404, 422)


def test_when_the_historian_is_away_the_answer_says_so(as_lin, historian):
    tag = a_tag()
    historian(other=lambda payload: payload)
    answer = as_lin.get(f"{API}/history/latest?tags={tag.pk}")
    assert (answer.status_code, answer.json()["title"]) == (503, "HistorianAway")


def test_the_live_snapshot_speaks_in_words_and_moments(as_lin, historian):
    unit = a_work_unit("L01")
    snapshot = messages.LiveSnapshot(
        "e", 1, 1_795_000_000_000_000, [messages.UnitLive(unit.pk, 5, "12", 1_795_000_000_000_000, 0)], [], 0
    )
    historian(live=lambda _payload: msgspec.json.encode(snapshot))
    found = as_lin.get(f"{API}/live?site_id={a_site().pk}").json()
    assert found["units"][0]["state"] == "down"
    assert found["units"][0]["seen"] is None


def test_the_board_of_a_past_moment_and_its_changes(as_lin, historian):
    unit, tag = a_work_unit("L01"), a_tag()
    at_us = 1_795_392_000_000_000  # 2026-11-23 00:00 UTC
    then = messages.UnitLive(unit.pk, 5, "12", at_us - 5, 0)
    value = messages.ValueLive(tag.pk, at_us - 1, 1.5, 0)
    board = messages.PastBoard("1", 0, at_us, [then], [value], at_us, "known", "no_historian", 0)
    changes = messages.BoardChanges([messages.BoardFrame(at_us + 1, [then], [], is_whole=True)], at_us + 2)
    fake = historian(
        board_at=lambda _payload: msgspec.json.encode(board),
        board_between=lambda _payload: msgspec.json.encode(changes),
    )
    site = a_site().pk
    found = as_lin.get(f"{API}/board?site_id={site}&at=2026-11-23T00:00:00Z&tags={tag.pk}").json()
    assert (found["shown_as"], found["trouble"], found["recorded_from"]) == ("known", "no_historian", None)
    assert found["units"][0]["state"] == "down"
    assert found["values"][0]["value"] == 1.5
    asked = msgspec.json.decode(fake.asked[-1][1])
    assert asked == {"site_id": site, "at_us": at_us, "tags": [tag.pk], "as": "shown"}
    as_lin.get(f"{API}/board?site_id={site}&at=2026-11-23T00:00:00Z&tags=all&view=known")
    assert msgspec.json.decode(fake.asked[-1][1]) == {"site_id": site, "at_us": at_us, "tags": None, "as": "known"}
    played = as_lin.get(f"{API}/board/changes?site_id={site}&{SPAN}&step_s=60").json()
    assert played["frames"][0]["is_whole"] is True
    assert played["frames"][0]["units"][0]["work_unit_id"] == unit.pk
    assert msgspec.json.decode(fake.asked[-1][1])["step_us"] == 60_000_000


def test_cycles_are_asked_of_a_unit_that_is_seen(as_lin, historian):
    unit, tag = a_work_unit("L01"), a_tag()
    at_us = 1_795_392_000_000_000  # 2026-11-23 00:00 UTC
    statistics = [messages.CycleStatistics(tag.pk, 1.0, 2.0, 1.5, 1.0, 2.0, 7)]
    answer = messages.CyclesAnswer([messages.Cycle(at_us, at_us + 5, True, statistics)], at_us, True)
    fake = historian(cycles=lambda _payload: msgspec.json.encode(answer))
    found = as_lin.get(f"{API}/cycles?work_unit_id={unit.pk}&{SPAN}&condition=run&last=20&tags={tag.pk}").json()
    assert found["cycles"][0]["tags"][0] == {
        "tag_id": tag.pk, "min": 1.0, "max": 2.0, "avg": 1.5, "first": 1.0, "last": 2.0, "count": 7,
    }  # fmt: skip
    asked = msgspec.json.decode(fake.asked[-1][1], type=messages.CyclesQuestion)
    assert (asked.work_unit_id, asked.condition, asked.last, asked.tags) == (unit.pk, "run", 20, [tag.pk])
    count = len(fake.asked)
    assert as_lin.get(f"{API}/cycles?work_unit_id=999999&{SPAN}&condition=run").status_code == 404
    assert as_lin.get(f"{API}/cycles?tag_id=999999&{SPAN}&condition=value").status_code == 404
    assert len(fake.asked) == count


def test_curves_are_laid_over_each_other_as_a_table(as_lin, historian):
    tag = a_tag()
    fake = historian(overlay=lambda _payload: as_stream(a_table(tag)))
    body = {"tags": [tag.pk], "intervals": [{"start": "2026-11-23T00:00:00Z", "end": "2026-11-23T00:01:00Z"}]}
    assert as_lin.post(f"{API}/cycles/overlay?format=csv", body, content_type="application/json").status_code == 200
    asked = msgspec.json.decode(fake.asked[-1][1])
    assert asked["intervals"] == [[1_795_392_000_000_000, 1_795_392_060_000_000]]


def test_states_of_work_units_over_time(as_lin):
    unit = a_work_unit("L01")
    start = 1_795_392_000_000_000  # 2026-11-23 00:00 UTC
    intervals = [
        messages.Interval(2, "", start, start + 60_000_000),
        messages.Interval(5, "12", start + 60_000_000, None),
    ]
    apply_state_revision(messages.StateRevision(unit.pk, start, intervals))
    [found] = as_lin.get(f"{API}/states?site_id={a_site().pk}&{SPAN}").json()
    assert [(i["state"], i["cause"], i["end"] is None) for i in found["intervals"]] == [
        ("producing", "", False),
        ("down", "12", True),
    ]


def test_state_rules_are_set_and_tried_on_history(as_lin, historian):
    kind = an_equipment_class()
    unit = a_work_unit("L01", equipment_class=kind)
    path = f"/equipment-classes/{kind.pk}/state-rules"
    rules = [{"state": "down", "when": "fault_code != 0", "cause": "fault_code"}]
    assert sent(as_lin, "put", path, {"rules": rules, "no_data_after_s": 20}).json()["rules"] == rules
    assert sent(as_lin, "put", path, {"rules": [{"state": "down", "when": "import os"}]}).status_code == 422

    fake = historian(
        states_preview=lambda _p: msgspec.json.encode(
            {"intervals": {str(unit.pk): [messages.Interval(5, "7", 1, None)]}}
        )
    )
    body = {"work_unit_ids": [unit.pk], "start": "2026-11-23T00:00:00Z", "end": "2026-11-23T01:00:00Z", "rules": rules}
    [found] = sent(as_lin, "post", f"{path}/preview", body).json()
    assert found["intervals"][0]["state"] == "down"
    asked = msgspec.json.decode(fake.asked[-1][1], type=messages.StatesPreviewQuestion)
    assert asked.rules == [{"state": 5, "when": "fault_code != 0", "cause": "fault_code"}]


def test_dead_letters_are_listed_sampled_made_into_tags_replayed_and_resolved(as_lin):
    source = a_source()
    letter_of(source.pk, count=30)
    page = as_lin.get(f"{API}/dead-letters").json()
    assert (page["total"], page["letters"]) == (1, 30)
    group = page["groups"][0]
    samples = as_lin.get(f"{API}/dead-letters/{group['id']}/samples").json()
    assert len(samples) == 20
    assert bytes.fromhex(samples[0]["payload_hex"]) == b'{"value": 7}'

    assert sent(as_lin, "post", "/dead-letters/tags", {"group_ids": [group["id"]]}).json()["created"] == 1
    assert Tag.objects.get().data_type == "int"
    assert sent(as_lin, "post", "/dead-letters/replay", {"group_ids": [group["id"]]}).json() == {"count": 1}
    assert sent(as_lin, "post", "/dead-letters/replay", {"group_ids": [group["id"]]}).json() == {"count": 0}
    assert sent(as_lin, "post", "/dead-letters/resolve", {"group_ids": [group["id"]]}).status_code == 409


def test_the_description_of_the_api_needs_nothing_from_elsewhere(as_lin):
    schema = as_lin.get(f"{API}/openapi.json").json()
    assert f"{API}/history/raw" in schema["paths"]
    page = as_lin.get(f"{API}/docs").content.decode()
    assert "/history/raw" in page
    assert all(source.startswith("/") for source in re.findall(r'<script[^>]*src="([^"]*)"', page))
    own = r'<script type="module" src="/[^"]*"></script>|<script id="[^"]*" type="application/json">'
    assert "<script" not in re.sub(own, "", page)
    assert "http://" not in page.replace("http://testserver", "").replace("http://www.w3.org", "")


def test_nobody_gets_anything_without_signing_in(client):
    for path in ("/sources", "/tags", "/history/latest?tags=1", "/dead-letters", "/openapi.json", "/docs"):
        assert client.get(f"{API}{path}").status_code == 401, path
