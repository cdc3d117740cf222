"""Alarm pages: what they show, what they let people do, and what they refuse."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from yuheng.alarms.models import Alarm, AlarmJournal
from yuheng.alarms.services import operate
from yuheng.alarms.services.facts import apply_facts
from yuheng.alarms.tests.test_facts import a_definition, a_fact, a_unit
from yuheng.equipment.models import WorkUnit
from yuheng.testing.builders import SHIFT_START, a_person, a_site, an_actor

pytestmark = pytest.mark.django_db
JSON = {"accept": "application/json"}


@pytest.fixture
def unit() -> WorkUnit:
    return a_unit()


@pytest.fixture
def ben() -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("ben", role="engineer", site=a_site()))
    return client


def raised(unit, *, code="hot", **fields) -> Alarm:
    definition = a_definition(code, message_en="Spindle at {value}", message_zh="主轴 {value}", **fields)
    apply_facts([a_fact(definition, unit, value=81.2)], at=SHIFT_START)
    return Alarm.objects.get(definition=definition)


def text(answer) -> str:
    assert answer.status_code == 200, answer.content[:600]
    return unescape(answer.content.decode())


def test_the_list_shows_an_alarm_in_the_readers_language(ben, unit):
    raised(unit)
    english = text(ben.get("/alarms/"))
    assert "Spindle at 81.2" in english
    assert "Active, not acknowledged" in english
    ben.cookies["django_language"] = "zh-hans"
    assert "主轴 81.2" in text(ben.get("/alarms/"))


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        ("shown=unacked", True),
        ("shown=acked", False),
        ("priority=1", False),
        ("priority=3", True),
        ("q=spindle", True),
        ("q=pump", False),
        ("shown=hidden", False),
        ("area=999999", False),
        ("shown=nonsense&priority=x&area=x", True),
    ],
)
def test_the_address_narrows_the_list(ben, unit, query, is_shown):
    raised(unit)
    assert ("Spindle at 81.2</a>" in text(ben.get(f"/alarms/?{query}"))) is is_shown


def test_acknowledging_answers_the_island_with_what_was_refused(ben, unit):
    alarm = raised(unit)
    first = ben.post("/alarms/act", {"action": "acknowledge", "alarm": [alarm.pk]}, headers=JSON)
    assert first.json() == {"done": 1, "refused": [], "sentence": ""}
    again = ben.post("/alarms/act", {"action": "acknowledge", "alarm": [alarm.pk]}, headers=JSON)
    assert (again.status_code, again.json()["done"]) == (409, 0)
    assert "acknowledged already" in again.json()["sentence"]


def test_a_bulk_does_what_it_can_and_names_the_rest(ben, unit):
    one, two = raised(unit), raised(unit, code="door", name_en="Door")
    operate.acknowledge(actor=an_actor(), alarm_ids=[two.pk], at=SHIFT_START)
    answer = ben.post("/alarms/act", {"action": "acknowledge", "alarm": [one.pk, two.pk]}, headers=JSON).json()
    assert answer["done"] == 1
    assert answer["refused"] == [{"id": two.pk, "name": "L01 Door", "sentence": "The alarm is acknowledged already."}]


def test_a_plain_form_goes_back_to_its_page_and_never_elsewhere(ben, unit):
    alarm = raised(unit)
    answer = ben.post("/alarms/act", {"action": "acknowledge", "alarm": [alarm.pk], "next": f"/alarms/{alarm.pk}"})
    assert (answer.status_code, answer["Location"]) == (302, f"/alarms/{alarm.pk}")
    away = ben.post("/alarms/act", {"action": "comment", "alarm": [alarm.pk], "next": "https://evil.example/"})
    assert away["Location"] == "/alarms/"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"action": "shelve", "duration": "1h", "comment": ""}, "Say why."),
        ({"action": "shelve", "duration": "9y", "comment": "x"}, "Choose for how long."),
        ({"action": "explode"}, "There is no such action."),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(ben, unit, given, sentence):
    alarm = raised(unit)
    lines = AlarmJournal.objects.count()
    answer = ben.post("/alarms/act", {**given, "alarm": [alarm.pk]}, headers=JSON)
    assert (answer.status_code, answer.json()["sentence"]) == (422, sentence)
    assert AlarmJournal.objects.count() == lines


@pytest.mark.parametrize("duration", ["15m", "7d", "once"])
def test_shelving_hides_the_alarm_until_its_time(ben, unit, duration):
    alarm = raised(unit)
    given = {"action": "shelve", "duration": duration, "comment": "sensor", "alarm": [alarm.pk]}
    assert ben.post("/alarms/act", given, headers=JSON).json()["done"] == 1
    assert "Spindle at 81.2</a>" not in text(ben.get("/alarms/"))
    hidden = text(ben.get("/alarms/?shown=hidden"))
    assert "Spindle at 81.2</a>" in hidden
    assert "sensor" in hidden


def test_one_alarm_tells_what_to_do_and_who_did_what(ben, unit):
    alarm = raised(unit, guidance_en="Open the valve", consequence_en="The spindle burns")
    operate.acknowledge(actor=an_actor(), alarm_ids=[alarm.pk], at=SHIFT_START + timedelta(seconds=9), comment="I go")
    page = text(ben.get(f"/alarms/{alarm.pk}"))
    assert "Open the valve" in page
    assert "The spindle burns" in page
    assert "I go" in page
    assert "Open the valve" in text(ben.get(f"/alarms/{alarm.pk}/guidance"))


def test_children_are_below_their_root(ben, unit):
    raised(unit, code="root")
    raised(unit, code="child", parent_code="root", name_en="Child")
    heads = text(ben.get("/alarms/"))
    assert heads.count('<tr class="alarm ') == 2  # the root, and the island's empty line
    assert "1 grouped" in heads
    root = Alarm.objects.get(definition__code="root")
    assert text(ben.get(f"/alarms/{root.pk}/children")).count('<tr class="alarm ') == 1


def test_the_past_is_shown_as_it_was_and_cannot_be_acted_on(ben, unit):
    alarm = raised(unit)
    operate.acknowledge(actor=an_actor(), alarm_ids=[alarm.pk], at=SHIFT_START + timedelta(minutes=5))
    then = (SHIFT_START + timedelta(minutes=1)).isoformat().replace("+", "%2B")
    page = text(ben.get(f"/alarms/?at={then}"))
    assert "You look at the past" in page
    assert "Active, not acknowledged" in page
    assert 'value="acknowledge"' not in page
    before = (SHIFT_START - timedelta(minutes=1)).isoformat().replace("+", "%2B")
    assert "Spindle at 81.2</a>" not in text(ben.get(f"/alarms/?at={before}"))
    assert ben.get("/alarms/?at=yesterday").status_code == 422


def test_the_journal_is_narrowed_paged_and_exported(ben, unit):
    alarm = raised(unit)
    for second in range(60):
        operate.add_comment(
            actor=an_actor(), alarm_ids=[alarm.pk], comment=f"note {second}", at=SHIFT_START + timedelta(seconds=second)
        )
    first = text(ben.get("/alarms/journal"))
    assert "note 59" in first
    assert "note 3<" not in first
    older = next(part.split('"')[0] for part in first.split('href="?') if "cursor=" in part.split('"')[0])
    assert "note 3<" in text(ben.get(f"/alarms/journal?{unescape(older)}"))
    assert "note 59" not in text(ben.get("/alarms/journal?kind=activated"))
    assert ben.get("/alarms/journal?kind=nonsense").status_code == 422
    csv = b"".join(ben.get("/alarms/journal/export?kind=commented").streaming_content).decode("utf-8-sig")
    assert len(csv.splitlines()) == 61
    assert ben.get("/alarms/journal/export?format=xlsx").content[:2] == b"PK"


def test_the_health_page_opens_the_rows_behind_its_figures(ben, unit):
    raised(unit)
    start, end = SHIFT_START - timedelta(hours=1), SHIFT_START + timedelta(hours=1)
    around = f"from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
    page = text(ben.get(f"/alarms/health?{around}"))
    assert "Alarms per 10 minutes" in page
    rows = text(ben.get(f"/alarms/episodes?{around}&which=never"))
    assert "Spindle at 81.2" in rows
    assert "Spindle at 81.2" not in text(ben.get(f"/alarms/episodes?{around}&which=acked"))
    assert ben.get("/alarms/health?from=2020-01-01T00:00:00Z").status_code == 422


def test_somebody_without_the_permission_to_act_sees_no_buttons(unit):
    raised(unit)
    looker = Client(headers={"accept-language": "en"})
    looker.force_login(a_person("vera", role="viewer", site=a_site()))
    page = looker.get("/alarms/")
    if page.status_code == 200:
        assert 'data-act="acknowledge"' not in text(page)
    answer = looker.post("/alarms/act", {"action": "acknowledge", "alarm": [Alarm.objects.get().pk]})
    assert answer.status_code == 403
