"""Pages: what they show and do; a refusal leaves the draft as it was."""

import json

import pytest
from django.test import Client

from yuheng.engineering import services
from yuheng.engineering.models import BomVersion, EngineeringChangeOrder, MaterialDefinition, WorkMasterVersion
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_person, a_site, an_equipment_class
from yuheng.testing.products import a_bom, a_line, a_material, a_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def lin():
    client = Client()
    client.force_login(a_person("lin"))
    client.cookies["django_language"] = "en"
    return client


def grid(*rows):
    return json.dumps([{"id": None, "cells": row} for row in rows])


def test_materials_are_listed_searched_and_paged(lin, django_assert_max_num_queries):
    for number in range(60):
        a_material(f"M{number:03d}")
    with django_assert_max_num_queries(16):
        answer = lin.get("/products")
    assert answer.status_code == 200
    assert b"M049" in answer.content
    assert b"M050" not in answer.content
    assert b"M059" in lin.get("/products?after=M049").content
    found = lin.get("/products?q=M01 part").content
    assert b"M010" in found
    assert b"M020" not in found


def test_a_material_is_added_edited_and_retired(lin):
    form = {"code": "A", "name_zh": "甲", "name_en": "A", "unit": "kg", "source": "buy", "tracking": "lot"}
    answer = lin.post("/products/new", {**form, "unit": "kgs"})
    assert answer.status_code == 422
    assert not MaterialDefinition.objects.exists()
    assert lin.post("/products/new", {**form, "conversions": "m = 2.5"}).status_code == 302
    row = MaterialDefinition.objects.get()
    assert lin.get(f"/products/{row.pk}").status_code == 200
    assert lin.post(f"/products/{row.pk}/edit", {**form, "name_en": "B", "action": "save"}).status_code == 302
    assert lin.post(f"/products/{row.pk}/edit", {"action": "retire"}).status_code == 302
    row.refresh_from_db()
    assert (row.name_en, row.retired_at is None) == ("B", False)


@pytest.mark.parametrize("tab", ["overview", "boms", "work-masters", "where-used", "changes"])
def test_every_tab_of_a_material(lin, tab):
    product = a_product("P")
    assert lin.get(f"/products/{product.pk}?tab={tab}").status_code == 200


def test_a_bill_is_written_in_its_grid(lin):
    product = a_material("P", source="make")
    a_material("bolt")
    assert lin.post(f"/products/{product.pk}/boms/new").status_code == 302
    draft = BomVersion.objects.get()
    address = f"/products/boms/{draft.pk}"
    wrong = {
        "action": "save",
        "edition": "1",
        "options": "[]",
        "lines": grid({"find_number": "10", "component": "nut"}),
    }
    answer = lin.post(address, wrong)
    assert answer.status_code == 422
    assert b"There is no material nut at this plant." in answer.content
    right = {**wrong, "lines": grid({"find_number": "10", "component": "bolt", "quantity": "4"})}
    assert lin.post(address, right).status_code == 302
    assert draft.lines.get().quantity == "4"
    assert lin.post(address, right).status_code == 422  # somebody else wrote it since
    assert lin.post(address, {"action": "release", "basis": "date"}).status_code == 302
    draft.refresh_from_db()
    assert draft.state == "released"
    assert lin.get(address).status_code == 200
    assert lin.post(address, {**right, "edition": "2"}).status_code == 422
    assert lin.post(address, {"action": "copy"}).status_code == 302
    copy = BomVersion.objects.get(number=2)
    assert lin.get(f"/products/boms/{draft.pk}/compare/{copy.pk}").status_code == 200
    assert lin.post(f"/products/boms/{copy.pk}", {"action": "discard"}).status_code == 302
    assert BomVersion.objects.count() == 1


def test_a_work_master_is_written_in_its_grid_and_drawn(lin):
    product = a_material("P", source="make")
    kind = an_equipment_class("press")
    lin.post(f"/products/{product.pk}/work-masters/new")
    draft = WorkMasterVersion.objects.get()
    address = f"/products/work-masters/{draft.pk}"
    steps = [
        {"code": code, "name_en": f"Step {code}", "kind": "produce", "equipment_class": kind.code, "run_time": "60"}
        for code in ("10", "20")
    ]
    wrong = {"action": "save", "edition": "1", "options": "[]", "segments": grid({**steps[0], "equipment_class": "x"})}
    assert lin.post(address, wrong).status_code == 422
    assert lin.post(address, {**wrong, "segments": grid(*steps)}).status_code == 302
    page = lin.get(address)
    assert page.content.count(b'class="routing-box') == 2
    assert lin.post(address, {"action": "release"}).status_code == 302


def test_a_change_is_written_submitted_and_decided_by_another(lin):
    product = a_product("P")
    draft = a_bom(product, a_line("10", "b"), release=False)
    form = {"title": "t", "reason": "r", "effective_from": "2026-12-01"}
    assert lin.post("/products/changes/new", {**form, "title": ""}).status_code == 422
    assert lin.post("/products/changes/new", form).status_code == 302
    change = EngineeringChangeOrder.objects.get()
    address = f"/products/changes/{change.pk}"
    assert lin.get(address).status_code == 200
    assert lin.post(address, {"action": "add", "version": f"bom.{draft.pk}"}).status_code == 302
    assert lin.post(address, {"action": "submit"}).status_code == 302
    answer = lin.post(address, {"action": "approve"})
    assert answer.status_code == 422
    assert b"Another person than the author" in answer.content
    cleo = Client()
    cleo.force_login(a_person("cleo"))
    assert cleo.post(address, {"action": "approve", "note": "ok"}).status_code == 302
    assert cleo.post(address, {"action": "implement"}).status_code == 302
    change.refresh_from_db()
    assert change.state == "implemented"
    assert lin.get("/products/changes").status_code == 200


def test_documents_and_classes(lin):
    site = a_site()
    services.keep_document(actor=SYSTEM, site_id=site.pk, name="a.pdf", content=b"%PDF-1", at=SHIFT_START)
    assert b"a.pdf" in lin.get(f"/products/sites/{site.pk}/documents").content
    assert lin.post(f"/products/sites/{site.pk}/documents").status_code == 422
    form = {"code": "steel", "name_zh": "钢", "name_en": "Steel"}
    assert lin.post(f"/products/sites/{site.pk}/classes", form).status_code == 302
    assert b"Steel" in lin.get(f"/products/sites/{site.pk}/classes").content
