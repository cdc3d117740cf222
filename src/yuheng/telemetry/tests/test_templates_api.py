"""Templates over the API."""

import json

import pytest
from django.test import Client

from yuheng.equipment.models import WorkUnit
from yuheng.telemetry.models import Tag
from yuheng.telemetry.tests.test_templates import a_source, make, press, tag_of
from yuheng.testing.builders import a_person, a_work_center

pytestmark = pytest.mark.django_db


@pytest.fixture
def api():
    client = Client()
    client.force_login(a_person("lin"))

    def call(method, path, body=None):
        sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return getattr(client, method)(f"/api/v1{path}", **sent)

    return call


def tag(symbol, **cells):
    return {"cells": {"symbol": symbol, "address": f"{{unit}}/{symbol}", "data_type": "float", **cells}}


def test_a_template_is_read_tried_and_written(api):
    kind = press()
    make(kind)
    path = f"/equipment-classes/{kind.pk}/template"
    read = api("get", path).json()
    assert [one["cells"]["symbol"] for one in read["tags"]] == ["temp", "run"]
    body = {"variables": read["variables"], "tags": read["tags"], "version": 1}
    body["tags"][0]["cells"]["deadband"] = 0.8
    tried = api("put", path, {**body, "dry_run": True}).json()
    assert tried["counts"]["fields"] == 3
    assert tag_of("P01", "temp").deadband == 0.5
    done = api("put", path, {**body, "plan_sha256": tried["plan_sha256"]})
    assert done.status_code == 200
    assert tag_of("P01", "temp").deadband == 0.8
    assert api("put", path, body).status_code == 409


def test_wrong_cells_are_named(api):
    kind = press()
    answer = api("put", f"/equipment-classes/{kind.pk}/template", {"tags": [tag("a", unit="furlong")]})
    assert answer.status_code == 422
    assert "tags.0.unit" in json.dumps(answer.json())


def test_machines_are_made_and_listed(api):
    kind = press()
    path = f"/equipment-classes/{kind.pk}/machines"
    body = {"work_center_id": a_work_center().pk, "source_id": a_source().pk, "first": 1, "last": 2, "code": "M{n}"}
    tried = api("post", path, {**body, "dry_run": True}).json()
    assert tried["machines"][1]["addresses"]["temp"] == "nsu=urn:fab;s=Line1.M2.temp"
    assert not WorkUnit.objects.exists()
    assert api("post", path, {**body, "plan_sha256": tried["plan_sha256"]}).json()["counts"]["tags_added"] == 4
    assert [one["code"] for one in api("get", path).json()] == ["M1", "M2"]


def test_cells_are_changed_and_given_back(api):
    make(press())
    pk = tag_of("P01", "temp").pk
    assert api("post", "/tags/cells", {"edits": [{"tag_id": pk, "cells": {"unit": "K"}}]}).json()["changed"] == 1
    assert api("get", f"/tags/{pk}").json()["overrides"] == ["unit"]
    assert api("post", "/tags/back-to-template", {"tag_ids": [pk]}).json()["changed"] == 1
    assert Tag.objects.get(pk=pk).overrides == []
    assert api("post", "/tags/cells", {"edits": [{"tag_id": pk, "cells": {"unit": "furlong"}}]}).status_code == 422
