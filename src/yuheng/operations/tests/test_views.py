"""Pages of orders: everybody sees what they may, forms do what they say and tell refusals, every number opens."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.test import Client

from yuheng.operations.models import CustomerOrder, HelpCall, JobOrder, MaterialLot, OperationsRequest
from yuheng.operations.rules import Act
from yuheng.operations.services import execute, materials
from yuheng.operations.services import help as help_verbs
from yuheng.operations.tests import plant as floor
from yuheng.testing.builders import a_person, another_site

pytestmark = pytest.mark.django_db

AT = floor.AT


@pytest.fixture
def plant():
    made = floor.a_plant()
    floor.a_two_level_product(made)
    floor.in_stock(made, "STEEL", 1000, "ST-1")
    floor.a_released_order(made, "LIFT", 4)
    return made


@pytest.fixture
def ben() -> Client:
    return signed_in("ben")


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(a_person(username))
    return client


def begun(plant) -> JobOrder:
    job = JobOrder.objects.filter(request__material__code="FRAME", segment="10").get()
    execute.start_job_order(actor=plant.ana, job_order_id=job.pk, work_unit_id=plant.units["C1"].pk, at=AT)
    materials.consume_material(actor=plant.ana, job_order_id=job.pk, lot="ST-1", quantity=Decimal(6), at=AT)
    execute.report_quantities(actor=plant.ana, job_order_id=job.pk, good=2, scrap=1, reason="surface", at=AT)
    return job


def every_page(plant) -> list[str]:
    job = begun(plant)
    unit = plant.units["C1"].pk
    lot = MaterialLot.objects.get(code="ST-1")
    request = OperationsRequest.objects.get(parent__isnull=True)
    help_verbs.call_for_help(
        actor=plant.ana, work_unit_id=unit, kind="material", job_order_id=job.pk, at=AT, act=Act("h1")
    )
    return [
        "/orders/",
        "/orders/?state=all&q=SO1&late=1",
        f"/orders/{CustomerOrder.objects.get().pk}",
        "/production/",
        "/production/?parts=1&state=all",
        f"/production/{request.pk}",
        f"/production/{job.request_id}",
        f"/production/{request.pk}/traveller",
        "/jobs/",
        f"/jobs/?unit={unit}&state=running&q=FRAME&late=1&rush=1&held=1",
        f"/jobs/{job.pk}",
        f"/work-units/{unit}/queue",
        "/stock/",
        f"/stock/?q=ST&material={lot.material_id}",
        f"/stock/lots/{lot.pk}",
        "/stock/shortages",
        "/terminals/",
        "/terminals/conflicts",
    ]


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_page_is_drawn_and_links_lead_somewhere(plant, ben, language):
    ben.cookies["django_language"] = language
    links: set[str] = set()
    for address in every_page(plant):
        answer = ben.get(address)
        assert answer.status_code == 200, address
        text = answer.content.decode()
        links |= {link for link in re.findall(r'href="(/[^"#]*)"', text) if not link.startswith("/static")}
    wrong = [link for link in links if ben.get(link.replace("&amp;", "&")).status_code not in {200, 302, 403}]
    assert wrong == []


def test_an_order_page_says_where_everything_is(plant, ben):
    job = begun(plant)
    page = ben.get(f"/orders/{CustomerOrder.objects.get().pk}").content.decode()
    for code in JobOrder.objects.values_list("code", flat=True):
        assert code in page
    assert f"/jobs/{job.pk}" in page
    assert 'class="actual' in page
    assert "LIFT" in page
    assert "FRAME" in page


def test_a_job_page_tells_its_responses_word_by_word(plant, ben):
    job = begun(plant)
    ben.cookies["django_language"] = "en"
    page = ben.get(f"/jobs/{job.pk}").content.decode()
    for word in ("Started", "Material used", "Quantities reported", "surface", "ST-1"):
        assert word in page


def test_a_traveller_carries_codes_for_every_step(plant, ben):
    request = OperationsRequest.objects.get(parent__isnull=True)
    page = ben.get(f"/production/{request.pk}/traveller").content.decode()
    steps = JobOrder.objects.filter(request=request)
    assert page.count("<svg role=") == 1 + steps.count()
    for code in steps.values_list("code", flat=True):
        assert code in page


def test_an_order_is_entered_and_released_by_forms(plant, ben):
    given = {
        "customer": "HUA",
        "promised_at": "2026-12-10T17:00",
        "code": "SO9",
        "priority": "200",
        "material_1": "LIFT",
        "quantity_1": "2",
        "options_1": "colour=red, width=1000，安全=是",
    }
    answer = ben.post("/orders/new", given)
    order = CustomerOrder.objects.get(code="SO9", priority=200)
    assert answer["Location"] == f"/orders/{order.pk}"
    line = order.lines.get()
    assert line.options == {"colour": "red", "width": 1000, "安全": True}
    assert order.promised_at.isoformat() == "2026-12-10T09:00:00+00:00"  # 17:00 on the wall in Shanghai
    ben.post("/orders/new", {**given, "code": "SO10", "options_1": ""})
    order = CustomerOrder.objects.get(code="SO10")
    ben.post(f"/orders/{order.pk}/release")
    order.refresh_from_db()
    assert order.state == "released"
    assert JobOrder.objects.filter(request__order=order).exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity_1", "many"),
        ("promised_at", "soon"),
        ("promised_at", ""),
        ("customer", "NOBODY"),
        ("options_1", "red"),
    ],
)
def test_a_wrong_order_is_refused_with_a_sentence_and_leaves_nothing(plant, ben, field, value):
    given = {"customer": "HUA", "promised_at": "2026-12-10T17:00", "material_1": "LIFT", "quantity_1": "2"}
    answer = ben.post("/orders/new", given | {field: value})
    assert answer.status_code == 422
    assert "error-summary" in answer.content.decode()
    assert CustomerOrder.objects.count() == 1


def test_a_release_that_is_refused_says_why(plant, ben):
    order = CustomerOrder.objects.get()
    answer = ben.post(f"/orders/{order.pk}/release", follow=True)
    assert 'class="notice error"' in answer.content.decode()


def test_a_dispatcher_assigns_holds_and_lets_go(plant, ben):
    job = JobOrder.objects.filter(request__material__code="FRAME", segment="10").get()
    unit = plant.units["C2"].pk
    ben.post("/jobs/act", {"job": [job.pk], "action": "assign", "unit": unit})
    job.refresh_from_db()
    assert job.work_unit_id == unit
    ben.post(f"/jobs/{job.pk}/act", {"action": "hold", "reason": "quality"})
    job.refresh_from_db()
    assert job.state == "not_allowed_to_start"
    ben.post("/jobs/act", {"job": [job.pk], "action": "let_go"})
    job.refresh_from_db()
    assert job.state == "allowed_to_start"
    ben.post(f"/jobs/{job.pk}/act", {"action": "split", "quantity": "3"})
    assert sorted(JobOrder.objects.filter(request=job.request, segment="10").values_list("quantity", flat=True)) == [
        3,
        5,
    ]


def test_what_cannot_be_done_is_told(plant, ben):
    job = JobOrder.objects.first()
    for given in ({"action": "no such thing"}, {"action": "split", "quantity": "x"}, {"action": "hold", "reason": ""}):
        answer = ben.post(f"/jobs/{job.pk}/act", given, follow=True)
        assert 'class="notice error"' in answer.content.decode(), given
    assert 'class="notice error"' in ben.post("/jobs/act", {"action": "hold"}, follow=True).content.decode()


def test_a_production_order_is_entered_released_held_and_reordered(plant, ben):
    ben.post("/production/new", {"material": "LIFT", "quantity": "3", "due_at": "2026-12-10T17:00"})
    row = OperationsRequest.objects.get(order__isnull=True)
    for action, state in (("release", "released"), ("hold", "held"), ("let_go", "released"), ("cancel", "cancelled")):
        ben.post(f"/production/{row.pk}/act", {"action": action, "reason": "customer"})
        row.refresh_from_db()
        assert row.state == state, action


def test_priority_is_set_by_a_form(plant, ben):
    row = OperationsRequest.objects.get(parent__isnull=True)
    ben.post(f"/production/{row.pk}/act", {"action": "priority", "priority": "7", "is_rush": "on"})
    row.refresh_from_db()
    assert (row.priority, row.is_rush) == (7, True)


def test_stock_is_received_counted_moved_and_blocked(plant, ben):
    ben.post("/stock/receive", {"material": "STEEL", "quantity": "12.5", "lot": "ST-2"})
    lot = MaterialLot.objects.get(code="ST-2")
    balance = lot.balances.get()
    assert balance.quantity == Decimal("12.5")
    place = balance.location_id
    ben.post(f"/stock/lots/{lot.pk}/act", {"action": "count", "location": place, "quantity": "12", "reason": "count"})
    balance.refresh_from_db()
    assert balance.quantity == 12
    ben.post(f"/stock/lots/{lot.pk}/act", {"action": "block", "reason": "rust"})
    lot.refresh_from_db()
    assert lot.state == "unavailable"
    page = ben.get(f"/stock/lots/{lot.pk}").content.decode()
    assert "12" in page


def test_a_call_for_help_is_answered_and_ended(plant, ben):
    call = help_verbs.call_for_help(actor=plant.ana, work_unit_id=plant.units["C1"].pk, kind="quality", at=AT)
    ben.post(f"/help/{call.pk}", {"action": "answer"})
    ben.post(f"/help/{call.pk}", {"action": "end"})
    row = HelpCall.objects.get()
    assert (row.answered_by, row.ended_by) == ("ben", "ben")


def test_who_may_only_look_is_offered_no_verbs(plant):
    viewer = Client()
    viewer.force_login(a_person("visitor", role="viewer"))
    for address in every_page(plant):
        page = viewer.get(address).content.decode()
        forms = re.findall(
            r'<form[^>]*method="post"[^>]*action="(/(?:orders|production|jobs|stock|terminals)[^"]*)"', page
        )
        assert forms == [], (address, forms)


def test_strangers_find_nothing(plant):
    dora = signed_in("dora")
    for address in every_page(plant):
        path = address.split("?")[0]
        answer = dora.get(path)
        assert answer.status_code in {200, 403, 404}, path
        assert "ST-1" not in answer.content.decode()
        assert "SO1" not in answer.content.decode()


def test_strangers_are_told_nothing_by_forms_either(plant):
    dora, nobody = signed_in("dora"), Client()
    nobody.force_login(a_person("nobody", role="viewer", site=another_site()))
    job, order = JobOrder.objects.first(), CustomerOrder.objects.get()
    lot = MaterialLot.objects.get(code="ST-1")
    forms = [f"/jobs/{job.pk}/act", f"/production/{job.request_id}/act", f"/stock/lots/{lot.pk}/act"]
    forms += [f"/orders/{order.pk}/release", f"/orders/{order.pk}/cancel"]
    for client in (dora, nobody):
        assert {client.post(address).status_code for address in forms} <= {403, 404}
