"""Pages and API of dispatching: what a dispatcher sees and does, and that nothing is solved while a page is drawn."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from yuheng.operations.models import JobOrder
from yuheng.operations.tests import plant as orders
from yuheng.scheduling.models import Plan, Scenario, SitePlanning, Suggestion
from yuheng.scheduling.services import loop, scenarios
from yuheng.scheduling.tests.plant import a_busy_plant, a_calendar, stands
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import SYSTEM, a_person

pytestmark = pytest.mark.django_db

MOST_QUERIES = 24
"""Of the board's whole answer, session and permissions with it."""
MOST_QUERIES_UNCHANGED = 10


@pytest.fixture
def now():
    return datetime.now(UTC)


@pytest.fixture
def plant():
    plant = a_busy_plant(6, 120)
    JobOrder.objects.update(due_at=datetime.now(UTC) + timedelta(hours=7))
    SitePlanning.objects.create(site=plant.site, frozen_min=0, stop_min=480, solve_s=1)
    return plant


@pytest.fixture
def ben():
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("ben"))
    return client


def text(answer):
    return answer.content.decode()


def post(client, path, body):
    return client.post(f"/api/v1{path}", json.dumps(body), content_type="application/json")


def test_before_the_first_plan_the_page_says_what_to_do(plant, ben):
    shown = text(ben.get("/dispatch/"))
    assert "No plan is published yet." in shown
    assert "Plan now" in shown


def test_plan_now_publish_and_see_it_in_lanes_and_table(plant, ben, now):
    ben.post("/dispatch/plan", {"site": plant.site.code})
    row = Scenario.objects.get()
    assert row.state == "waiting"  # the page only asks
    assert "0 %" in text(ben.get("/dispatch/now"))
    scenarios.work_once(now=lambda: datetime.now(UTC))
    ben.post(f"/dispatch/scenarios/{row.pk}", {"expected": "0", "action": "publish"})
    shown = text(ben.get("/dispatch/"))
    plan = Plan.objects.get(is_published=True)
    assert f"Plan {plan.number}" in shown
    assert shown.count('data-view="units"') == 1
    listed = text(ben.get("/dispatch/?view=table&hours=200"))
    assert all(job.code in listed for job in JobOrder.objects.all())


def test_what_stands_is_shown_with_its_orders_and_accepted_with_one_press(plant, ben, now):
    published(plant, now)
    stands(plant, "C1", now)
    loop.look(actor=SYSTEM, site_id=plant.site_id, at=now)
    shown = text(ben.get("/dispatch/now"))
    assert "hit when nothing is done" in shown
    assert "Change nothing" in shown
    best = Suggestion.objects.filter(state="open").order_by("rank").first()
    ben.post(f"/dispatch/suggestions/{best.pk}/accept", {"site": plant.site.code})
    best.refresh_from_db()
    assert best.state == "accepted"
    assert Plan.objects.get(is_published=True).kind == "suggested"


def test_a_move_is_looked_at_before_it_is_done(plant, ben, now):
    plan = published(plant, now)
    job = plan.job_order_ids[-1]
    start = (now + timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M+00:00")
    asked = {"start": start, "how": "insert", "unit": str(plant.units["C1"].pk)}
    shown = text(ben.get(f"/dispatch/jobs/{job}/move", asked))
    assert "What it leads to" in shown
    assert "Move it" in shown
    assert Plan.objects.get(is_published=True).number == plan.number
    ben.post(f"/dispatch/jobs/{job}/move", {**asked, "expected": str(plan.number)})
    assert Plan.objects.get(is_published=True).number > plan.number
    wrong = text(ben.get(f"/dispatch/jobs/{job}/move", {**asked, "unit": str(plant.units["A1"].pk)}))
    assert "A1 cannot do" in wrong
    assert "Move it" not in wrong


def test_who_only_looks_finds_no_buttons(plant, now):
    published(plant, now)
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("ana"))
    shown = text(client.get("/dispatch/"))
    assert "Plan now" not in shown
    assert client.post("/dispatch/plan", {"site": plant.site.code}).status_code == 403


def test_the_api_plans_publishes_moves_and_undoes(plant, ben, now):
    site = plant.site_id
    assert ben.get(f"/api/v1/plans/published?site_id={site}").json() is None
    asked = post(ben, "/scenarios", {"site_id": site, "name": "Monday", "seconds": 1}).json()
    assert asked["state"] == "waiting"
    scenarios.work_once(now=lambda: datetime.now(UTC))
    made = ben.get(f"/api/v1/scenarios/{asked['id']}").json()
    assert (made["state"], made["measures"]["jobs"]) == ("done", 12)
    plan = post(ben, f"/plans/{made['plan_id']}/publish", {"expected": 0, "reason": "Monday"}).json()
    rows = ben.get(f"/api/v1/plans/{plan['id']}/rows").json()
    assert len(rows) == 12
    body = {
        "site_id": site, "job_order_id": rows[-1]["job_order_id"], "expected": plan["number"],
        "start": (now + timedelta(hours=20)).isoformat(),
    }  # fmt: skip
    dry = post(ben, "/moves/try", body).json()
    assert dry["is_feasible"]
    done = post(ben, "/moves", body).json()
    assert (done["is_published"], done["starts_at"]) == (True, dry["starts_at"])
    late = post(ben, "/moves", body)
    assert late.status_code == 409
    assert "published plan" in late.json()["detail"]
    back = post(ben, "/plans/undo", {"site_id": site, "expected": done["number"]}).json()
    assert back["kind"] == "restored"


def test_the_api_tells_what_stands_and_takes_an_answer(plant, ben, now):
    published(plant, now)
    stands(plant, "C1", now)
    loop.look(actor=SYSTEM, site_id=plant.site_id, at=now)
    found = ben.get(f"/api/v1/disturbances?site_id={plant.site_id}").json()
    assert found[0]["unit_code"] == "C1"
    assert found[0]["suggestions"][0]["title"]
    back = post(ben, f"/disturbances/{found[0]['id']}/return", {"until": (now + timedelta(hours=1)).isoformat()})
    assert back.json()[0]["basis"] == "said"
    best = found[0]["suggestions"][0]["id"]
    assert post(ben, f"/suggestions/{best}/accept", {}).json()["is_published"]


def test_settings_are_kept_within_their_limits(plant, ben):
    path = f"/api/v1/planning?site_id={plant.site_id}"
    kept = ben.get(path).json() | {"frozen_min": 90, "nightly_at": "22:30:00"}
    assert ben.put(path, json.dumps(kept), content_type="application/json").json()["frozen_min"] == 90
    assert ben.get(path).json()["nightly_at"] == "22:30:00"
    wrong = ben.put(path, json.dumps(kept | {"stability": 3}), content_type="application/json")
    assert wrong.status_code == 422


def columns(ben, **headers):
    return ben.get("/dispatch/board", headers=headers)


def test_the_board_costs_as_many_queries_whatever_its_size_and_few_when_nothing_changed(plant, ben, now):
    published(plant, now)
    stands(plant, "C1", now - timedelta(minutes=5))
    with CaptureQueriesContext(connection) as small:
        assert columns(ben).status_code == 200
    for number in range(12):
        orders.a_released_order(plant, "GEAR", 10, code=f"MORE{number}")
    published(plant, now, expected=Plan.objects.get(is_published=True).number)
    with CaptureQueriesContext(connection) as large:
        answer = columns(ben)
    assert len(answer.json()["jobs"]["id"]) == 36
    assert len(large) <= len(small)
    assert len(large) <= MOST_QUERIES, [one["sql"][:90] for one in large.captured_queries]
    with CaptureQueriesContext(connection) as again:
        assert columns(ben, if_none_match=answer["ETag"]).status_code == 304
    assert len(again) <= MOST_QUERIES_UNCHANGED, [one["sql"][:90] for one in again.captured_queries]


def test_the_page_of_the_board_does_not_build_the_board_that_its_island_asks_for(plant, ben, now, monkeypatch):
    published(plant, now)

    def refuse(**_asked):
        raise AssertionError("built twice")

    monkeypatch.setattr("yuheng.scheduling.views.board.board", refuse)
    for view in ("units", "orders"):
        assert 'data-src="/dispatch/board' in text(ben.get(f"/dispatch/?view={view}"))
    with pytest.raises(AssertionError, match="built twice"):
        ben.get("/dispatch/?view=table")


def test_the_columns_are_packed_for_who_unpacks_them(plant, ben, now):
    published(plant, now)
    plain, packed = columns(ben), columns(ben, accept_encoding="gzip, br")
    assert packed["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain
    assert json.loads(gzip.decompress(packed.content))["jobs"] == plain.json()["jobs"]
    assert len(packed.content) < len(plain.content)


def test_overtime_that_a_plan_was_made_with_is_told_so_that_it_does_not_look_closed(plant, ben, now):
    a_calendar(plant)
    unit = plant.units["C2"].pk
    start = now.replace(microsecond=0) + timedelta(hours=30)
    lever = {"kind": "overtime", "work_unit_ids": [unit], "start": start.isoformat()}
    published(plant, now, levers=[{**lever, "end": (start + timedelta(hours=2)).isoformat()}])
    told = columns(ben).json()
    lane = told["units"]["id"].index(unit)
    (found,) = told["overtime"]
    assert found[0] == lane
    assert found[2] - found[1] == 120
