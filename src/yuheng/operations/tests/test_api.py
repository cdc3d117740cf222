"""The JSON edge: an order from its entry to its last piece, as a program would do it; refusals with their status."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client

from yuheng.operations.tests.plant import DUE, a_plant, a_two_level_product
from yuheng.people.models import Person

pytestmark = pytest.mark.django_db


class Caller:
    def __init__(self, name):
        self.client = Client()
        self.client.force_login(Person.objects.get(username=name))

    def get(self, path, status=200, **query):
        return self._answer(self.client.get(f"/api/v1{path}", query), status)

    def send(self, method, path, status=200, **body):
        answer = self.client.generic(method, f"/api/v1{path}", json.dumps(body), content_type="application/json")
        return self._answer(answer, status)

    def post(self, path, status=200, **body):
        return self.send("POST", path, status, **body)

    def put(self, path, status=200, **body):
        return self.send("PUT", path, status, **body)

    @staticmethod
    def _answer(answer, status):
        assert answer.status_code == status, answer.content
        return json.loads(answer.content) if answer.content else None


@pytest.fixture
def plant():
    plant = a_plant()
    a_two_level_product(plant)
    return plant


def test_a_program_enters_releases_makes_and_follows_an_order(plant):
    ben, ana, site = Caller("ben"), Caller("ana"), plant.site_id
    ben.put("/parties", site_id=site, party_code="HUA", name_zh="华", name_en="Hua")
    order = ben.post(
        "/orders",
        site_id=site,
        customer="HUA",
        promised_at=DUE.isoformat(),
        order_code="SO1",
        lines=[{"material": "LIFT", "quantity": 1}],
    )
    assert (order["state"], order["lines"][0]["quantity"]) == ("entered", 1.0)
    made = ben.post(f"/orders/{order['id']}/release")
    assert (made["job_orders"], made["requirements"]) == (4, 3)
    steel = ana.post("/stock/receive", site_id=site, material_id=plant.materials["STEEL"].pk, quantity=6, lot="H1")
    for code, unit in (("SO1-1-10-10", "C1"), ("SO1-1-10-20", "C1"), ("SO1-1-10", "A1"), ("SO1-1-20", "A1")):
        job = ana.get("/job-orders/by-code", site_id=site, job_code=code)
        queue = ana.get(f"/work-units/{plant.units[unit].pk}/queue")
        assert code in [one["code"] for one in queue]
        started = ana.post(f"/job-orders/{job['id']}/start", work_unit_id=plant.units[unit].pk, action_id=f"s-{code}")
        assert started["state"] == "running"
        if code == "SO1-1-10-10":
            used = ana.post(f"/job-orders/{job['id']}/consume", lot="H1", quantity=6)
            assert used["material_code"] == "STEEL"
        ana.post(f"/job-orders/{job['id']}/finish", good=job["quantity"])
    assert ben.get(f"/orders/{order['id']}")["state"] == "completed"
    found = ben.get(f"/orders/{order['id']}/progress")
    assert [job["word"] for job in found["jobs"]] == ["Completed"] * 4
    assert found["jobs"][0]["worked_s"] >= 0
    lot = ben.get(f"/lots/{steel['ids'][0]}")
    assert (lot["mass"]["received"], lot["mass"]["consumed"], lot["mass"]["on_hand"]) == (6, 6, 0)
    assert ben.get("/job-responses", site_id=site, request_id=found["requests"][0]["id"])["rows"]
    assert ben.get("/shortages", site_id=site)["rows"] == []


def test_refusals_have_their_status_and_a_sentence(plant):
    ben, ana, site = Caller("ben"), Caller("ana"), plant.site_id
    wrong = ben.post(
        "/orders", 422, site_id=site, customer="NOBODY", promised_at=DUE.isoformat(),
        lines=[{"material": "NOTHING", "quantity": 1}],
    )  # fmt: skip
    assert {"customer", "lines.0.material"} <= set(wrong["fields"])
    ben.put("/parties", site_id=site, party_code="HUA", name_zh="华", name_en="Hua")
    ana.post(
        "/orders", 403, site_id=site, customer="HUA", promised_at=DUE.isoformat(),
        lines=[{"material": "LIFT", "quantity": 1}],
    )  # fmt: skip
    order = ben.post(
        "/orders", site_id=site, customer="HUA", promised_at=DUE.isoformat(), order_code="SO1",
        lines=[{"material": "BOLT", "quantity": 1}],
    )  # fmt: skip
    refused = ben.post(f"/orders/{order['id']}/release", 422)
    assert "BOLT" in refused["detail"]
    ana.post("/job-orders/999999/start", 404, work_unit_id=1)
    ben.get("/job-orders", 422, site_id=site, cursor="nonsense")
    a_long_time_ago = (DUE - timedelta(days=900)).isoformat()
    ana.post(
        "/stock/receive", 422, site_id=site, material_id=plant.materials["STEEL"].pk, quantity=1,
        happened_at=a_long_time_ago,
    )  # fmt: skip


def test_webhooks_are_written_and_their_secret_is_told_once(plant):
    ben, site = Caller("ben"), plant.site_id
    body = {"site_id": site, "webhook": "erp", "url": "https://erp.example/hook", "events": ["OrderReleased"]}
    assert len(ben.put("/order-webhooks", **body)["secret"]) > 20
    assert ben.put("/order-webhooks", **body)["secret"] == ""
    (row,) = ben.get("/order-webhooks", site_id=site)
    assert "secret" not in row
    assert ben.put("/order-webhooks", 422, **{**body, "events": ["Nothing"]})["fields"]["events"]
    ben.post(f"/order-webhooks/{row['id']}/test", 204)
    assert ben.get("/order-deliveries", site_id=site)["rows"][0]["state"] == "waiting"
    Caller("ana").get("/order-webhooks", 403, site_id=site)
