"""The reason tree in plant files: what goes in comes out."""

import json

import pytest

from yuheng.analysis.models import Reason
from yuheng.config.plant_file import SECTIONS
from yuheng.equipment import importing
from yuheng.simulation.reasons import reason_tree
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site

pytestmark = pytest.mark.django_db


def imported(reasons):
    site = a_site()
    document = {"format": "yuheng/plant-1", "reasons": reasons}
    parsed = importing.parse(json.dumps(document).encode(), kind="", sections=SECTIONS)
    plan = importing.make_plan(actor=SYSTEM, parsed=parsed, sections=SECTIONS, site_id=site.pk)
    if not plan.count(importing.Action.REFUSE):
        importing.apply_plan(
            actor=SYSTEM, parsed=parsed, sections=SECTIONS, site_id=site.pk, plan_sha256=plan.sha256(), at=SHIFT_START
        )
    assert not [r for r in plan.rows if r.action == "refuse" and "below itself" not in r.reason], plan.rows
    return plan


def test_the_demo_tree_goes_in_and_comes_out_the_same():
    imported(reason_tree())
    document = importing.export_document(actor=SYSTEM, site_id=a_site().pk, sections=SECTIONS)
    assert document["reasons"] == reason_tree()
    assert Reason.objects.get(code="no-material").parent.code == "waiting"


def test_importing_again_changes_nothing():
    imported(reason_tree())
    assert {row.action for row in imported(reason_tree()).rows} == {importing.Action.UNCHANGED}


def test_a_tree_with_a_circle_is_refused_with_a_sentence():
    plan = imported([
        {"code": "a", "parent": "b", "name_zh": "甲", "name_en": "A"},
        {"code": "b", "parent": "a", "name_zh": "乙", "name_en": "B"},
    ])  # fmt: skip
    assert {row.reason for row in plan.rows} == {"A reason cannot stand below itself."}
    assert not Reason.objects.exists()
