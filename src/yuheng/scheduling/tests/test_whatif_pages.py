"""Pages of what-ifs, promise dates and settings: each number opens to its rows, nothing is solved in a page."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from yuheng.kernel.models import AuditRecord
from yuheng.operations.models import CustomerOrder, JobOrder
from yuheng.operations.tests import plant as orders
from yuheng.scheduling.models import Plan, Promise, Scenario, SitePlanning
from yuheng.scheduling.services import scenarios
from yuheng.scheduling.tests.plant import a_busy_plant
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import a_person

pytestmark = pytest.mark.django_db
LISTED = "/dispatch/what-if/"


@pytest.fixture
def now():
    return datetime.now(UTC)


@pytest.fixture
def plant():
    plant = a_busy_plant(6, 120)
    JobOrder.objects.update(due_at=datetime.now(UTC) + timedelta(hours=7))
    SitePlanning.objects.create(site=plant.site, frozen_min=0, solve_s=1)
    return plant


@pytest.fixture
def ben():
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("ben"))
    return client


def text(answer):
    return answer.content.decode()


def solve_all():
    while scenarios.work_once(now=lambda: datetime.now(UTC)):
        pass


def wall(moment):
    return moment.strftime("%Y-%m-%dT%H:%M+00:00")


def test_levers_are_pulled_in_a_form_and_four_plans_stand_side_by_side(plant, ben, now):
    published(plant, now)
    order = CustomerOrder.objects.first()
    job = JobOrder.objects.order_by("pk").last()
    later = wall(now + timedelta(hours=4))
    forms = [
        {"lever_1": "overtime", "unit_1": plant.units["C1"].pk, "start_1": wall(now), "end_1": later},
        {"lever_1": "rush", "order_1": order.pk},
        {"lever_1": "subcontract", "job_1": job.code, "hours_1": "4,5"},
        {"lever_1": "down", "unit_1": plant.units["C2"].pk, "start_1": wall(now), "end_1": later},
    ]
    for number, form in enumerate(forms):
        ben.post(LISTED + "ask", {"site": plant.site.code, "name": f"Try {number}", **form})
    kinds = [row.levers[0]["kind"] for row in Scenario.objects.order_by("pk") if row.levers]
    assert kinds[-4:] == ["overtime", "rush", "subcontract", "down"]
    assert f"rush: {order.code}" in text(ben.get(LISTED))
    solve_all()
    ids = list(Scenario.objects.filter(name__startswith="Try").order_by("pk").values_list("pk", flat=True))
    shown = text(ben.get(LISTED + "compare", {"site": plant.site.code, "ids": ids}))
    assert all(f"Try {number}" in shown for number in range(4))
    assert "Published, as it goes on" in shown
    assert "Customer Hua" in shown
    assert f"{job.code} outside, 4.5 h" in shown


def test_each_number_opens_to_its_rows_and_a_plan_is_applied_with_a_reason_and_taken_back(plant, ben, now):
    first = published(plant, now)
    row = scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=now, name="Mine", seconds=1)
    solve_all()
    path = f"{LISTED}{row.pk}"
    for show in ("late", "shifts", "customers", "moves", "machines", "setups", "nonsense"):
        assert ben.get(path, {"show": show}).status_code == 200
    assert "C1" in text(ben.get(path, {"show": "machines"}))
    refused = ben.post(path, {"action": "publish", "expected": "0", "reason": "old"})
    assert refused.status_code == 409
    assert f"published plan {first.number}" in text(refused)
    assert 'value="old"' in text(refused)  # what was written is kept
    ben.post(path, {"action": "publish", "expected": str(first.number), "reason": "for Hua"})
    holds = Plan.objects.get(is_published=True)
    assert holds.reason == "for Hua"
    ben.post("/dispatch/undo", {"site": plant.site.code, "expected": str(holds.number), "reason": "no"})
    assert Plan.objects.get(is_published=True).kind == "restored"


@pytest.mark.parametrize(
    "form",
    [
        {"lever_1": "overtime", "unit_1": "1", "start_1": "soon", "end_1": "later"},
        {"lever_1": "rush", "order_1": ""},
        {"lever_1": "subcontract", "job_1": "NOPE", "hours_1": "1"},
        {"lever_1": "magic", "unit_1": "1", "start_1": "2026-11-23T10:00", "end_1": "2026-11-23T12:00"},
    ],
)
def test_a_lever_that_makes_no_sense_is_refused_and_the_form_is_kept(plant, ben, form):
    answer = ben.post(LISTED + "ask", {"site": plant.site.code, "name": "kept", **form})
    assert answer.status_code == 422
    assert 'value="kept"' in text(answer)
    assert not Scenario.objects.exists()


def test_a_fork_keeps_the_levers_and_a_plan_in_the_making_is_cancelled(plant, ben, now):
    ben.post(LISTED + "ask", {"site": plant.site.code, "lever_1": "rush", "order_1": CustomerOrder.objects.first().pk})
    row = Scenario.objects.get()
    ben.post(LISTED + "ask", {"site": plant.site.code, "base": row.pk, "name": "Fork"})
    fork = Scenario.objects.get(name="Fork")
    assert fork.levers == row.levers
    assert "0 %" in text(ben.get(f"{LISTED}{fork.pk}"))
    ben.post(f"{LISTED}{fork.pk}", {"action": "cancel"})
    fork.refresh_from_db()
    assert fork.state == "cancelled"
    assert "cancelled" in text(ben.get(LISTED + "rows", {"site": plant.site.code}))


def test_who_only_looks_sees_what_ifs_and_pulls_nothing(plant, now):
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("ana"))
    assert "Ask for another one" not in text(client.get(LISTED))
    assert client.post(LISTED + "ask", {"site": plant.site.code}).status_code == 403
    assert client.post("/dispatch/settings", {"site": plant.site.code}).status_code == 403


def test_a_date_is_asked_and_the_order_entered_with_it(plant, ben, now):
    published(plant, now)
    asked = {"site": plant.site.code, "material": "GEAR", "quantity": "60"}
    shown = text(ben.get("/dispatch/promise", asked))
    assert "Behind the plan: nobody else is later" in shown
    assert "What sets it:" in shown
    promised = wall(now + timedelta(days=3))
    ben.post("/dispatch/promise", {**asked, "customer": "HUA", "kind": "behind", "promised": promised})
    made = Promise.objects.get()
    assert made.order.customer.code == "HUA"
    assert ben.get("/dispatch/promise", {**asked, "quantity": "-1"}).status_code == 409
    too_soon = {**asked, "customer": "HUA", "kind": "behind", "promised": wall(now)}
    assert "cannot be kept" in text(ben.post("/dispatch/promise", too_soon))
    assert CustomerOrder.objects.count() == 7  # the refused one is not there


def test_the_order_page_asks_promises_and_tells_what_was_promised(plant, ben, now):
    published(plant, now)
    order = orders.an_order(plant, "GEAR", 60, code="SO9")
    path = f"/orders/{order.pk}/outlook"
    assert path in text(ben.get(f"/orders/{order.pk}"))
    assert "Ask for a promise date" in text(ben.get(path, headers={"X-Requested-With": "fetch"}))
    assert "Promise this" in text(ben.get(path, {"ask": "1"}))
    ben.post(path, {"kind": "behind", "promised": wall(now + timedelta(days=4)), "reason": "on the phone"})
    assert "on the phone" in text(ben.get(path))
    assert AuditRecord.objects.filter(action="order.promise").exists()


def test_programs_ask_and_promise_by_the_same_rules(plant, ben, now):
    published(plant, now)
    body = {"site_id": plant.site_id, "lines": [{"material": "GEAR", "quantity": "60"}]}
    answer = ben.post("/api/v1/promises/ask", json.dumps(body), content_type="application/json").json()
    assert "behind" in {one["kind"] for one in answer["offers"]}
    assert all(one["bottleneck"] for one in answer["offers"])
    order = orders.an_order(plant, "GEAR", 60, code="SO9")
    path = f"/api/v1/orders/{order.pk}/promise"
    earliest = min(one["ends_at"] for one in ben.get(path).json()["offers"] if one["kind"] == "behind")
    given = {"kind": "behind", "promised_at": (now + timedelta(days=5)).isoformat()}
    kept = ben.post(path, json.dumps(given), content_type="application/json").json()
    assert kept["earliest_at"] >= earliest[:16]
    assert ben.get(f"/api/v1/orders/{order.pk}/outlook").json()["promises"][0]["id"] == kept["id"]


def test_settings_are_changed_in_a_form_and_what_is_wrong_is_named(plant, ben):
    page = "/dispatch/settings"
    kept = {
        "site": plant.site.code, "frozen_min": "90", "stability": "0.25", "stop_min": "60", "hold_h": "8",
        "material_h": "24", "solve_s": "5", "least_stop_s": "0", "nightly_at": "22:30", "suggests": "on",
    }  # fmt: skip
    assert ben.post(page, kept).status_code == 302
    row = SitePlanning.objects.get()
    assert (row.frozen_min, row.stability, row.nightly_at.hour) == (90, 0.25, 22)
    assert 'value="22:30"' in text(ben.get(page))
    wrong = ben.post(page, {**kept, "stability": "3", "frozen_min": "x"})
    assert wrong.status_code == 422
    assert "This is no number." in text(wrong)
