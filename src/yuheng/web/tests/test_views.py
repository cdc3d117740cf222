"""Pages: who sees them, what they say when something behind them is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from yuheng.bus.messages import LiveSnapshot, UnitLive
from yuheng.engines.states.vocabulary import UnitState
from yuheng.people.models import RoleAssignment
from yuheng.testing import builders
from yuheng.web import plant_data
from yuheng.web.centre import ShiftNow
from yuheng.web.plant_data import Unavailable
from yuheng.web.security import CONTENT_SECURITY_POLICY

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


@pytest.fixture(autouse=True)
def _fresh_cache(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


@pytest.fixture
def ben(client: Client) -> Client:
    client.force_login(builders.a_person("ben"))
    client.cookies["django_language"] = "en"
    return client


def away(*args, **kwargs):
    raise Unavailable("The historian does not answer now.")


@pytest.fixture
def _silence(monkeypatch):
    for name in ("live_units", "sources", "latest_by_unit", "growth_by_unit", "sources_of", "trend"):
        monkeypatch.setattr(plant_data, name, away)


@pytest.mark.usefixtures("_silence")
def test_without_a_historian_the_plant_says_so_and_shows_no_machine_running(ben: Client):
    builders.a_work_unit("L01")
    page = ben.get("/sites/elevator1/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "The historian does not answer now." in text
    assert 'class="tile is-no_data"' in text
    assert "is-producing" not in text.split("yh-looks")[0]


@pytest.mark.usefixtures("_silence")
def test_a_station_without_a_historian_still_shows_its_facts(ben: Client):
    unit = builders.a_work_unit("L01")
    text = ben.get(f"/work-units/{unit.pk}").content.decode()
    assert "The historian does not answer now." in text
    assert "laser area" in text


@pytest.mark.usefixtures("_silence")
@pytest.mark.parametrize(("language", "words"), [("zh-hans", ["10 分", "24 小时"]), ("en", ["10 min", "24 h"])])
def test_time_ranges_are_in_the_readers_language(ben: Client, language: str, words: list[str]):
    ben.cookies["django_language"] = language
    text = ben.get(f"/work-units/{builders.a_work_unit('L01').pk}").content.decode()
    assert all(f">{word}</button>" in text for word in words)


@pytest.mark.usefixtures("_silence")
def test_a_trend_without_a_historian_is_a_503(ben: Client):
    unit = builders.a_work_unit("L01")
    answer = ben.get(f"/work-units/{unit.pk}/trend?tags=1&start_us=0&end_us=9")
    assert answer.status_code == 503
    assert answer.json() == {"detail": "The historian does not answer now."}


def test_the_state_of_a_unit_is_on_its_tile(ben: Client, monkeypatch):
    unit = builders.a_work_unit("L01")
    live = UnitLive(unit.pk, UnitState.DOWN, "<b>12</b>", 1, 1)
    monkeypatch.setattr(plant_data, "live_units", lambda **_: LiveSnapshot("e", 1, 1, [live], [], 1))
    for name in ("sources", "latest_by_unit", "growth_by_unit"):
        monkeypatch.setattr(plant_data, name, away)
    text = ben.get("/sites/elevator1/").content.decode()
    assert 'class="tile is-down"' in text
    assert "L01 ■1" in text
    assert "<b>12</b>" not in text


def test_the_output_is_that_of_the_last_area_that_counts_pieces(ben: Client, monkeypatch):
    first = builders.a_work_unit("L01")
    recorded = builders.a_work_center("recorded", area=builders.an_area("recorded"))
    last = builders.a_work_unit("R01", work_center=recorded)
    for name in ("live_units", "sources", "latest_by_unit"):
        monkeypatch.setattr(plant_data, name, away)
    now = datetime.now(UTC)
    shift = ShiftNow("day", now - timedelta(hours=1), now + timedelta(hours=7), now)
    monkeypatch.setattr("yuheng.web.centre.shift_now", lambda **_: shift)
    monkeypatch.setattr(plant_data, "state_seconds", lambda **_: {})
    monkeypatch.setattr(plant_data, "growth_by_unit", lambda **_: {first.pk: 42.0})
    text = ben.get("/sites/elevator1/indicators/output").content.decode()
    assert "42" in text
    assert f'/work-units/{first.pk}"' in text
    assert f'/work-units/{last.pk}"' not in text


def test_a_history_that_is_held_is_the_first_line(ben: Client, monkeypatch):
    builders.a_work_unit("L01")
    for name in ("live_units", "sources", "latest_by_unit", "growth_by_unit"):
        monkeypatch.setattr(plant_data, name, away)
    monkeypatch.setattr(plant_data, "hold_reason", lambda: "The disk is full.")
    text = ben.get("/sites/elevator1/now").content.decode()
    assert text.index("The history is not being written") < text.index("The disk is full.")


@pytest.mark.parametrize("address", ["", "now", "units", "indicators/down"])
def test_another_firms_plant_does_not_exist(ben: Client, address: str):
    builders.another_site()
    assert ben.get(f"/sites/elsewhere/{address}").status_code == 404


@pytest.mark.parametrize("address", ["", "/states", "/trend?tags=1&start_us=0&end_us=1"])
def test_another_firms_work_unit_does_not_exist(ben: Client, address: str):
    unit = builders.a_work_unit("X01", site=builders.another_site())
    assert ben.get(f"/work-units/{unit.pk}{address}").status_code == 404


@pytest.mark.parametrize(
    "address",
    ["trend", "trend?tags=a&start_us=0&end_us=1", "trend?tags=1.2.3.4.5.6.7&start_us=0&end_us=1", "states?hours=x"],
)
def test_a_wrong_question_is_refused_in_words(ben: Client, address: str):
    unit = builders.a_work_unit("L01")
    assert ben.get(f"/work-units/{unit.pk}/{address}").status_code == 422


def test_the_first_page_is_the_plant_looked_at_last(ben: Client):
    builders.a_person("ben", role="dispatcher", site=builders.a_site("second"))
    assert ben.get("/")["Location"] == "/sites/elevator1/"
    ben.cookies["yh_site"] = "second"
    assert ben.get("/")["Location"] == "/sites/second/"


def test_somebody_without_a_site_is_told_what_to_do(client: Client):
    person = builders.a_person("ben")
    RoleAssignment.objects.filter(person=person).delete()
    client.force_login(person)
    client.cookies["django_language"] = "en"
    assert "Ask an administrator" in client.get("/").content.decode()


def test_every_page_carries_the_content_policy_and_no_inline_code(ben: Client):
    page = ben.get("/")
    assert page["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert page["X-Content-Type-Options"] == "nosniff"
    text = ben.get("/sites/elevator1/units").content.decode()
    assert " style=" not in text
    assert "<script>" not in text


def test_preferences_are_kept_and_lead_back(ben: Client):
    answer = ben.post("/preferences", {"theme": "dark", "next": "/sites/elevator1/"})
    assert answer["Location"] == "/sites/elevator1/"
    assert answer.cookies["yh_theme"].value == "dark"


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_preferences_never_lead_elsewhere(ben: Client, next_: str):
    assert ben.post("/preferences", {"theme": "dark", "next": next_})["Location"] == "/"


def test_what_is_not_a_choice_is_not_kept(ben: Client):
    answer = ben.post("/preferences", {"theme": "<b>", "text_size": "9", "language": "xx"})
    assert not {"yh_theme", "yh_text"} & set(answer.cookies)


def test_the_live_token_is_for_those_who_signed_in(client: Client, ben: Client):
    assert ben.get("/live/token").json()["token"]
    client.logout()
    assert client.get("/live/token").status_code == 302


@pytest.mark.usefixtures("_silence")
def test_the_attention_list_tells_the_same_states_as_the_tiles(ben: Client, monkeypatch, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "tiles"}}
    unit, now_us = builders.a_work_unit("L01"), int(datetime.now(UTC).timestamp() * 1e6)
    for minutes in (1, 30):  # the second after a backfill, within the time for which figures are kept
        began = UnitLive(unit.pk, UnitState.DOWN, "", now_us - minutes * 60_000_000, now_us)
        snapshot = LiveSnapshot("e", 1, now_us, [began], [], now_us)
        monkeypatch.setattr(plant_data, "live_units", lambda snapshot=snapshot, **_given: snapshot)
        rows = ben.get("/sites/elevator1/").context["attention"]
        assert [row.since_us for row in rows if row.url.endswith(f"/{unit.pk}")] == [began.since_us]
