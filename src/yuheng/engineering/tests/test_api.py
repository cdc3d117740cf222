"""The JSON edge: a two-level product from nothing to a frozen order, and refusals with their fields."""

import json

import pytest
from django.test import Client

from yuheng.testing.builders import a_person, a_site, an_equipment_class

pytestmark = pytest.mark.django_db


@pytest.fixture
def send():
    client = Client()
    client.force_login(a_person("lin"))

    def call(method, path, body=None, expect=200):
        content = b"" if body is None else json.dumps(body).encode()
        answer = client.generic(method, f"/api/v1{path}", content, content_type="application/json")
        assert answer.status_code == expect, answer.content
        return json.loads(answer.content) if answer.content else None

    return call


def made(send, path, body):
    return send("POST", path, body, 201)["id"]


def a_product_by_api(send):
    site = a_site().pk
    bolt = made(send, f"/sites/{site}/materials", {"code": "bolt", "name_zh": "螺栓", "name_en": "Bolt"})
    product = made(
        send, f"/sites/{site}/materials", {"code": "P", "name_zh": "产品", "name_en": "Product", "source": "make"}
    )
    bom = made(
        send,
        f"/materials/{product}/boms",
        {
            "content": {
                "lines": [{"find_number": "10", "material_id": bolt, "quantity": "2 * n"}],
                "parameters": [{"name": "n", "default": "2", "low": "1"}],
            }
        },
    )
    segment = {
        "code": "10",
        "name_zh": "装",
        "name_en": "Fit",
        "equipment_class_id": an_equipment_class().pk,
        "run_time": "quantity(1, 'min')",
    }
    master = made(send, f"/materials/{product}/work-masters", {"content": {"segments": [segment]}})
    return site, product, bom, master


def test_a_product_is_defined_released_and_resolved(send):
    site, product, bom, master = a_product_by_api(send)
    send("POST", f"/boms/{bom}/release", {})
    send("POST", f"/work-masters/{master}/release", {})
    found = send("POST", f"/sites/{site}/resolve", {"material_id": product, "quantity": 5, "options": {"n": 3}})
    assert len(found["sha256"]) == 64
    assert found["document"]["lines"][0]["gross_quantity"] == "30"
    assert found["document"]["routings"][0]["segments"][0]["run_s"] == 60.0
    whole = send("GET", f"/boms/{bom}")
    assert (whole["state"], whole["lines"][0]["quantity"], list(whole["codes"].values())) == (
        "released",
        "2 * n",
        ["bolt"],
    )
    assert send("GET", f"/work-masters/{master}")["segments"][0]["code"] == "10"
    assert [one["code"] for one in send("GET", f"/materials/{whole['lines'][0]['material_id']}/where-used")] == ["P"]
    assert [one["code"] for one in send("GET", f"/sites/{site}/materials?text=bo")] == ["bolt"]
    assert len(send("POST", f"/boms/{bom}/explosion", {"options": {"n": 1}})) == 1


def test_a_released_version_is_not_changed_and_says_so(send):
    _site, product, bom, _master = a_product_by_api(send)
    send("POST", f"/boms/{bom}/release", {})
    refusal = send("PUT", f"/boms/{bom}", {"content": {"lines": []}}, 409)
    assert refusal["title"] == "VersionIsReleased"
    copy = send("POST", f"/boms/{bom}/copy", expect=201)
    assert copy["number"] == 2
    refusal = send("POST", f"/boms/{copy['id']}/release", {}, 409)
    assert refusal["title"] == "Conflict"
    assert send("GET", f"/boms/{bom}/comparison?other_id={copy['id']}") == {"added": [], "removed": [], "changed": []}
    send("DELETE", f"/boms/{copy['id']}", expect=204)
    assert [one["number"] for one in send("GET", f"/materials/{product}/versions")["boms"]] == [1]


def test_what_is_wrong_is_named_by_find_number_and_a_typo_is_no_default(send):
    site, product, _bom, _master = a_product_by_api(send)
    line = {"find_number": "10", "material_id": product, "quantity": "1"}
    refusal = send("POST", f"/materials/{product}/boms", {"content": {"lines": [line]}}, 422)
    assert list(refusal["fields"]) == ["10"]
    refusal = send("POST", f"/materials/{product}/boms", {"content": {"lines": [line | {"qty": "2"}]}}, 422)
    assert any("qty" in name for name in refusal["fields"])
    refusal = send("POST", f"/sites/{site}/materials", {"code": "x", "name_zh": "x", "name_en": "x", "unit": "°C"}, 422)
    assert "Cel" in refusal["fields"]["unit"]


def test_a_change_goes_through_by_api(send):
    site, _product, bom, _master = a_product_by_api(send)
    send("POST", f"/boms/{bom}/release", {})
    copy = send("POST", f"/boms/{bom}/copy", expect=201)["id"]
    change = made(send, f"/sites/{site}/changes", {"title": "t", "reason": "r", "effective_from": "2026-12-01"})
    send("POST", f"/changes/{change}/affected", {"kind": "bom", "version_id": copy}, 201)
    assert send("POST", f"/changes/{change}/submit")["change"]["state"] == "in_review"
    assert send("POST", f"/changes/{change}/approve", {}, 409)["detail"]
    other = Client()
    other.force_login(a_person("cleo"))
    for verb in ("approve", "implement"):
        answer = other.post(f"/api/v1/changes/{change}/{verb}", data="{}", content_type="application/json")
        assert answer.status_code == 200, answer.content
    assert send("GET", f"/changes/{change}")["affected"][0]["version"]["state"] == "released"
    assert send("GET", f"/changes/{change}/impact") == {"used_in": [], "open_work": []}


def test_a_drawing_is_kept_and_given_back(send):
    client = Client()
    client.force_login(a_person("lin"))
    address = f"/api/v1/sites/{a_site().pk}/documents?name=draw.pdf"
    answer = client.post(address, data=b"%PDF-1.7 x", content_type="application/pdf")
    assert answer.status_code == 201
    found = client.get(f"/api/v1/documents/{answer.json()['id']}")
    assert (found.content, found["Content-Type"]) == (b"%PDF-1.7 x", "application/pdf")
    assert client.post(address, data=b"<html>", content_type="text/html").status_code == 422
