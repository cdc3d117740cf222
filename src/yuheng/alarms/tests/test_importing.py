"""Alarms in plant files: the demo plant goes in, comes out as it was, and goes in again without a change."""

import json

import pytest

from yuheng.alarms.models import AlarmDefinition, AlarmOverride
from yuheng.alarms.services.configuration import alarm_rules
from yuheng.config.plant_file import SECTIONS
from yuheng.equipment.importing import apply_plan, export_document, make_plan, parse
from yuheng.kernel.models import Site
from yuheng.simulation.elevator.plant import plant_description
from yuheng.testing.builders import SHIFT_START, SYSTEM

pytestmark = pytest.mark.django_db


def imported(document, site_id=None):
    parsed = parse(json.dumps(document).encode(), kind="", sections=SECTIONS)
    plan = make_plan(actor=SYSTEM, parsed=parsed, sections=SECTIONS, site_id=site_id)
    apply_plan(
        actor=SYSTEM, parsed=parsed, sections=SECTIONS, site_id=site_id, plan_sha256=plan.sha256(), at=SHIFT_START
    )
    return plan


def small():
    document = plant_description(1)
    kinds = [kind for kind in document["classes"] if kind["code"] == "cnc-lathe"]
    machining = next(area for area in document["areas"] if area["code"] == "machining")
    center = next(center for center in machining["work_centers"] if center["code"] == "turning")
    area = {**machining, "work_centers": [{**center, "work_units": center["work_units"][:2]}]}
    first = area["work_centers"][0]["work_units"][0]
    first["alarms"] = [{"code": "odd", "when": "run == 0", "name_zh": "怪", "name_en": "Odd", "parent": "stopped"}]
    first["alarm_overrides"] = [{"alarm": "vibration", "parameters": {"warn": 3.0}, "priority": "low"}]
    return {
        **{name: document[name] for name in ("format", "organisation", "site", "calendars")},
        "classes": kinds,
        "areas": [area],
    }


def test_a_plant_file_carries_alarms_both_ways():
    document = small()
    imported(document)
    site = Site.objects.get()

    assert set(AlarmDefinition.objects.values_list("code", flat=True)) == {
        *("stopped", "no-signal", "vibration", "vibration-high"),
        "odd",
    }
    own = AlarmOverride.objects.get()
    assert (own.work_unit.code, own.parameters, own.priority) == ("J01", {"warn": 3.0}, 4)
    exported = export_document(actor=SYSTEM, sections=SECTIONS, site_id=site.pk)
    again = make_plan(
        actor=SYSTEM,
        parsed=parse(json.dumps(exported).encode(), kind="", sections=SECTIONS),
        sections=SECTIONS,
        site_id=site.pk,
    )
    assert {row.action for row in again.rows if "alarm" in row.section} == {"unchanged"}
    exported["classes"][0]["alarms"][0]["on_delay_s"] = 60
    changed = imported(exported, site.pk)
    assert [row.changes for row in changed.rows if row.action == "change"] == [{"on_delay_s": (900.0, 60.0)}]


def test_the_document_for_the_historian_names_units_and_their_variants():
    imported(small())
    rules = {rule.id: rule for rule in alarm_rules()}
    vibration = rules[AlarmDefinition.objects.get(code="vibration").pk]
    assert len(vibration.work_unit_ids) == 2
    assert [variant.parameters for variant in vibration.variants] == [{"warn": 3.0}]
    assert vibration.value_symbol == "vibration_mm_s"
    assert len(rules[AlarmDefinition.objects.get(code="odd").pk].work_unit_ids) == 1


def test_an_alarm_that_is_no_condition_is_refused_with_its_place():
    document = small()
    document["classes"][0]["alarms"][0]["when"] = "import os"
    parsed = parse(json.dumps(document).encode(), kind="", sections=SECTIONS)
    plan = make_plan(actor=SYSTEM, parsed=parsed, sections=SECTIONS, site_id=None)
    (refused,) = [row for row in plan.rows if row.action == "refuse"]
    assert "not an expression" in refused.reason
    assert refused.where == "classes[0].alarms[0]"
