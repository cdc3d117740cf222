"""Pages of templates and the grid: what they show, what they take, how often they ask."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from yuheng.equipment.models import WorkUnit
from yuheng.telemetry.models import Tag
from yuheng.telemetry.services import tags
from yuheng.telemetry.services.tags import TagSpec
from yuheng.telemetry.tests.test_templates import a_source, make, press, tag_of
from yuheng.testing.builders import (
    SHIFT_START,
    SYSTEM,
    a_person,
    a_site,
    a_work_center,
    a_work_unit,
    an_equipment_class,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def lin():
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(a_person("lin"))
    return client


@pytest.fixture
def ana():
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(a_person("ana"))
    return client


def template_url(kind):
    return f"/signals/classes/{kind.pk}/template"


def rows(**more):
    cells = {"symbol": "temp", "address": "{unit}/t", "data_type": "float", **more}
    return json.dumps([{"id": None, "cells": cells}])


def test_a_preview_shows_and_writes_nothing_then_it_is_applied(lin):
    kind = press()
    make(kind)
    sent = {"rows": rows(unit="K"), "version": "1", "variable": ["line"], "default": ["1"], "note": [""]}
    page = lin.post(template_url(kind), {**sent, "action": "preview"})
    assert page.status_code == 200
    assert page.context["told"]["counts"]["tags_retired"] == 3
    assert tag_of("P01", "temp").unit == "Cel"
    done = lin.post(template_url(kind), {**sent, "action": "apply", "plan_sha256": page.context["told"]["sha256"]})
    assert done.status_code == 302
    assert tag_of("P01", "temp").unit == "K"
    late = lin.post(template_url(kind), {**sent, "action": "apply"})
    assert late.status_code == 422
    assert "Somebody else changed this template" in late.content.decode()


def test_wrong_cells_come_back_with_their_reasons_and_everything_that_was_typed(lin):
    kind = an_equipment_class("press")
    page = lin.post(template_url(kind), {"rows": rows(unit="furlong", colour="red"), "version": "0"})
    assert page.status_code == 422
    assert set(page.context["grid"]["errors"]) == {"0.unit", "0.colour"} or "0.colour" in page.context["grid"]["errors"]
    assert page.context["grid"]["rows"][0]["cells"]["address"] == "{unit}/t"


@pytest.mark.parametrize("sent", ["", "{}", "[1]", '[{"cells": 3}]', "[[]]", '[{"id": "x", "cells": {}}]'])
def test_rows_that_are_none_are_refused(lin, sent):
    assert lin.post(template_url(an_equipment_class("press")), {"rows": sent, "version": "x"}).status_code == 422


def test_who_may_not_edit_sees_the_template_and_cannot_change_it(ana):
    kind = press()
    page = ana.get(template_url(kind))
    assert page.status_code == 200
    assert "Preview the changes" not in page.content.decode()
    sent = {"rows": rows(), "version": "1", "action": "apply"}
    assert ana.post(template_url(kind), sent).status_code == 403
    assert ana.get(f"/signals/classes/{kind.pk}/machines/new").status_code == 403


def test_machines_are_made_from_the_form(lin):
    kind = press()
    url = f"/signals/classes/{kind.pk}/machines/new"
    sent = {
        "work_center": a_work_center().pk,
        "source": a_source().pk,
        "first": "1",
        "last": "2",
        "code": "M{n}",
        "placed": "1",
        "x": "10",
        "y": "20",
        "columns": "5",
        "table": "n\tline\n4\tA\n5\tB\n",
    }
    page = lin.post(url, {**sent, "action": "preview"})
    assert "nsu=urn:fab;s=LineB.M5.temp" in page.content.decode()
    assert not WorkUnit.objects.exists()
    done = lin.post(url, {**sent, "action": "apply", "plan_sha256": page.context["told"]["sha256"]})
    assert done.status_code == 302
    assert WorkUnit.objects.get(code="M4").placement.x == 10
    assert lin.get(f"/signals/classes/{kind.pk}/machines").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"work_center": ""}, {"source": "9"}, {"last": "0"}, {"x": "here", "placed": "1"}, {"last": "900"}]
)
def test_a_form_that_cannot_be_is_refused_with_a_sentence(lin, wrong):
    kind = press()
    sent = {"work_center": a_work_center().pk, "source": a_source().pk, "first": "1", "last": "2", "code": "M{n}"}
    page = lin.post(f"/signals/classes/{kind.pk}/machines/new", {**sent, **wrong, "action": "preview"})
    assert page.status_code == 422
    assert page.context["errors"]


def test_a_machine_shows_its_overrides_and_gives_them_back(lin):
    make(press())
    unit = WorkUnit.objects.get(code="P02")
    tag = tag_of("P02", "temp")
    body = json.dumps({"edits": [{"tag_id": tag.pk, "cells": {"unit": "K"}, "seen": {"unit": "Cel"}}]})
    answer = lin.post("/signals/tags/cells", body, content_type="application/json")
    assert answer.json()["marks"] == {str(tag.pk): ["unit"]}
    page = lin.get(f"/signals/machines/{unit.pk}").content.decode()
    assert "Unit of temp back to the template" in page
    lin.post(f"/signals/machines/{unit.pk}/back", {"tag": tag.pk, "field": "unit"})
    assert tag_of("P02", "temp").overrides == []


def test_a_machine_gets_another_variable_after_a_preview(lin):
    make(press())
    unit = WorkUnit.objects.get(code="P02")
    sent = {"source": "opc", "number": "2", "variable.line": "9"}
    page = lin.post(f"/signals/machines/{unit.pk}", {**sent, "action": "preview"})
    assert "nsu=urn:fab;s=Line9.P02.temp" in page.content.decode()
    assert lin.post(f"/signals/machines/{unit.pk}", {**sent, "action": "apply"}).status_code == 302
    assert tag_of("P02", "run").address == "nsu=urn:fab;s=Line9.P02.run"
    assert lin.post(f"/signals/machines/{unit.pk}/release").status_code == 302
    assert Tag.objects.filter(template_tag__isnull=False, work_unit=unit).count() == 0


def test_units_of_the_class_are_brought_under_and_a_template_is_taken_from_one(lin):
    kind = an_equipment_class("press")
    units = [a_work_unit(code, work_center=a_work_center(), equipment_class=kind) for code in ("P07", "P08")]
    spec = TagSpec(a_source().pk, "P07/temp", "float", work_unit_id=units[0].pk, symbol="temp")
    tags.write_tags(actor=SYSTEM, site_id=a_site().pk, tags=[spec], at=SHIFT_START)
    assert lin.get(f"/signals/machines/{units[0].pk}").status_code == 200
    assert lin.post(f"/signals/machines/{units[0].pk}/take").status_code == 302
    lin.post(f"/signals/classes/{kind.pk}/follow", {"unit": [units[1].pk], "source": "opc"})
    assert tag_of("P08", "temp").address == "P08/temp"


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"edits": []}', '{"edits": [{"tag_id": "x", "cells": {}}]}', "\xff"])
def test_cells_that_are_none_are_refused(lin, body):
    answer = lin.post("/signals/tags/cells", body.encode("latin-1"), content_type="application/json")
    assert answer.status_code == 422


def test_the_grid_shows_two_hundred_tags_in_a_fixed_number_of_questions(lin, django_assert_max_num_queries):
    make(press(), first=1, last=110)
    with django_assert_max_num_queries(16):
        page = lin.get("/signals/tags/grid")
    assert len(page.context["grid"]["rows"]) == 200
    assert page.context["page"].total == 220


def test_the_pages_of_a_class_of_forty_machines_ask_a_fixed_number_of_questions(lin, django_assert_max_num_queries):
    kind = press()
    make(kind, first=1, last=40)
    for url in (template_url(kind), f"/signals/classes/{kind.pk}/machines"):
        with django_assert_max_num_queries(18):
            assert lin.get(url).status_code == 200


def test_one_field_of_all_that_the_search_keeps(lin):
    make(press())
    lin.post("/signals/tags/set?q=temp", {"field": "deadband", "value": "3", "count": "3"})
    assert set(Tag.objects.filter(symbol="temp").values_list("deadband", flat=True)) == {3.0}
    page = lin.post("/signals/tags/set?q=temp", {"field": "unit", "value": "furlong", "count": "3"}, follow=True)
    assert "furlong is not a UCUM unit" in page.content.decode()


def test_what_the_search_keeps_goes_out_as_csv_and_comes_back_through_the_dry_run(lin):
    make(press())
    sheet = lin.get("/signals/tags/export?q=temp").content
    assert sheet.startswith(b"\xef\xbb\xbf")
    text = sheet.decode("utf-8-sig").replace(",Cel,", ",K,")
    file = SimpleUploadedFile("tags.csv", text.encode("gb18030"))
    dry = lin.post(f"/equipment/sites/{a_site().pk}/import", {"file": file, "kind": "tags"}, follow=True)
    assert dry.context["effect_count"] == 3
    url = dry.request["PATH_INFO"]
    lin.post(f"{url}/apply", {"plan_sha256": dry.context["plan_sha256"]})
    assert {tuple(tag.overrides) for tag in Tag.objects.filter(symbol="temp")} == {("unit",)}
