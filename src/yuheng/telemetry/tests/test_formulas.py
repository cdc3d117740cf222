"""Calculated tags: made, refused with a sentence, in the document, in plant files, on their page."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pytest

from yuheng.bus import messages
from yuheng.bus.documents import CALCULATED
from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.telemetry.models import DataSource, Tag
from yuheng.telemetry.services.configuration import build_plant
from yuheng.telemetry.services.formulas import write_calculated_tag
from yuheng.telemetry.services.sources import create_source
from yuheng.telemetry.services.state_rules import RuleSpec, set_state_rules
from yuheng.telemetry.services.tags import TagSpec, write_tags
from yuheng.telemetry.tests.test_api import API, as_lin, as_stream, historian
from yuheng.testing.builders import a_site, a_work_unit, an_actor, an_equipment_class

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, tzinfo=UTC)
__all__ = ["as_lin", "historian"]


@pytest.fixture
def plant():
    """Units L01 and L02 with power (kW), energy (kW.h), temperature (Cel), program (text)."""
    actor = an_actor("lin")
    site = a_site()
    source = create_source(
        actor=actor, site_id=site.pk, code="plc", connector="mqtt_json", topics=["p/#"], settings={}, at=AT
    )
    specs = []
    for code in ("L01", "L02"):
        unit = a_work_unit(code)
        for symbol, kind, measure in (
            ("power", "float", "kW"), ("energy", "float", "kW.h"), ("temperature", "float", "Cel"),
            ("program", "text", "1"),
        ):  # fmt: skip
            specs.append(TagSpec(source.pk, f"{code}/{symbol}", kind, unit.pk, symbol, unit=measure))
    write_tags(actor=actor, site_id=site.pk, tags=specs, at=AT)
    return actor, site


def made(plant, formula: str, symbol: str, unit_code: str = "L01", **more) -> Tag:
    actor, site = plant
    unit = a_work_unit(unit_code) if not Tag.objects.filter(work_unit__code=unit_code).exists() else None
    unit_id = unit.pk if unit else Tag.objects.filter(work_unit__code=unit_code).values_list("work_unit", flat=True)[0]
    return write_calculated_tag(
        actor=actor, site_id=site.pk, formula=formula, work_unit_id=unit_id, symbol=symbol, at=AT, **more
    )


def test_a_formula_becomes_a_tag_with_its_unit_and_its_inputs_in_the_document(plant):
    total = made(plant, "power + L02.power", "total")
    per_hour = made(plant, "rate(energy, '1h') / total", "ratio")
    assert (total.unit, total.address, per_hour.unit) == ("kW", "L01/total", "1")
    document = build_plant(1)
    tags = {tag.address: tag for tag in document.tags}
    assert tags["L01/total"].inputs == {"power": tags["L01/power"].id, "L02.power": tags["L02/power"].id}
    assert tags["L01/ratio"].inputs["total"] == total.pk
    [source] = [source for source in document.sources if source.connector == CALCULATED]
    assert source.is_enabled is False
    [unit] = [unit for unit in document.work_units if unit.code == "L01"]
    assert unit.symbols["total"] == total.pk
    assert AuditRecord.objects.filter(action="tags.write").count() >= 2


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("power + temperature", "'Cel' cannot be added to 'kW': they measure different things."),
        ("power +", "this is not a formula"),
        ("nothing * 2", "There is no tag called nothing here."),
        ("program * 2", "program is a text"),
        ("L03.power", "There is no tag called L03.power here."),
    ],
)
def test_a_formula_that_cannot_be_used_is_refused_and_leaves_nothing(plant, formula, sentence):
    events = OutboxEvent.objects.count()
    with pytest.raises(InvalidInput, match=sentence.replace("+", r"\+").replace(".", r"\.")):
        made(plant, formula, "bad")
    assert not Tag.objects.exclude(formula="").exists()
    assert not DataSource.objects.filter(connector=CALCULATED).exists()
    assert OutboxEvent.objects.count() == events


def test_a_formula_that_needs_its_own_value_is_refused_with_the_circle(plant):
    actor, site = plant
    one = made(plant, "power * 2", "one")
    two = made(plant, "one + L02.power", "two")
    made(plant, "two - power", "three")
    with pytest.raises(InvalidInput, match=r"needs its own value: L01\.one → L01\.three → L01\.two → L01\.one"):
        write_calculated_tag(
            actor=actor, site_id=site.pk, tag_id=one.pk, formula="three / 2", work_unit_id=one.work_unit_id,
            symbol="one", at=AT,
        )  # fmt: skip
    one.refresh_from_db()
    assert one.formula == "power * 2"
    changed = write_calculated_tag(
        actor=actor, site_id=site.pk, tag_id=two.pk, formula="energy", work_unit_id=two.work_unit_id, symbol="two",
        unit="kJ", at=AT,
    )  # fmt: skip
    assert (changed.unit, changed.pk) == ("kJ", two.pk)


def test_writing_the_same_again_changes_nothing_and_a_name_is_taken_once(plant):
    actor, site = plant
    tag = made(plant, "power * 2", "twice")
    spec = TagSpec(tag.source_id, tag.address, "float", tag.work_unit_id, "twice", formula="power * 2")
    assert write_tags(actor=actor, site_id=site.pk, tags=[spec], at=AT).unchanged == 1
    with pytest.raises(Conflict):
        made(plant, "power * 3", "twice")


def test_only_calculated_tags_belong_to_their_source_and_only_editors_make_them(plant):
    actor, site = plant
    tag = made(plant, "power * 2", "twice")
    with pytest.raises(InvalidInput, match="belongs to the source of calculated tags"):
        write_tags(actor=actor, site_id=site.pk, tags=[TagSpec(tag.source_id, "x", "float")], at=AT)
    with pytest.raises(PermissionRefused):
        write_calculated_tag(actor=an_actor("ana"), site_id=site.pk, formula="1", at=AT)


def test_the_api_makes_lists_and_tries(plant, as_lin, historian):
    _actor, site = plant
    unit_id = Tag.objects.filter(symbol="power", work_unit__code="L01").values_list("work_unit", flat=True)[0]
    body = {"site_id": site.pk, "formula": "power * 2", "work_unit_id": unit_id, "symbol": "twice"}
    assert as_lin.post(f"{API}/calculated-tags", body, content_type="application/json").json()["unit"] == "kW"
    [found] = as_lin.get(f"{API}/calculated-tags?site_id={site.pk}").json()
    assert (found["label"], found["formula"]) == ("L01.twice", "power * 2")
    table = pa.table(
        {
            "tag": pa.array([0], pa.uint32()), "time": pa.array([AT], pa.timestamp("us", "UTC")), "min": [1.0],
            "max": [2.0], "first": [1.0], "last": [2.0], "count": pa.array([2], pa.uint64()),
        }
    )  # fmt: skip
    fake = historian(formula_preview=lambda _payload: as_stream(table))
    tried = as_lin.post(f"{API}/calculated-tags/try", body, content_type="application/json").json()
    assert (tried["unit"], tried["max"]) == ("kW", [2.0])
    asked = msgspec.json.decode(fake.asked[-1][1], type=messages.FormulaQuestion)
    assert (asked.formula, list(asked.inputs), asked.unit) == ("power * 2", ["power"], "kW")
    page = as_lin.post(
        f"/signals/calculated/{site.pk}/new", {"formula": "power * 2", "work_unit": "L01", "action": "try"}
    )
    assert page.status_code == 200
    assert b"<polygon" in page.content
    wrong = as_lin.post(f"/signals/calculated/{site.pk}/new", {"formula": "power + nothing", "work_unit": "L01"})
    assert wrong.status_code == 422
    saved = as_lin.post(
        f"/signals/calculated/{site.pk}/new",
        {"formula": "energy / 2", "work_unit": "L01", "symbol": "half", "action": "save"},
    )
    assert saved.status_code == 302
    assert "L01.half" in as_lin.get("/signals/calculated").content.decode()
    assert as_lin.get(f"/signals/calculated/{site.pk}/{Tag.objects.get(symbol='half').pk}").status_code == 200


def test_rules_may_be_applied_to_the_past_and_the_document_carries_the_wish(plant):
    actor, _site = plant
    kind = an_equipment_class()
    a_work_unit("L09", equipment_class=kind)
    rules = [RuleSpec(UnitState.PRODUCING, "power > 1")]
    set_state_rules(actor=actor, equipment_class_id=kind.pk, rules=rules, at=AT)
    assert build_plant(1).rederive == ()
    set_state_rules(actor=actor, equipment_class_id=kind.pk, rules=rules, at=AT, past_days=7)
    [wish] = build_plant(2).rederive
    assert (wish.rule_set, wish.asked_us - wish.from_us) == (kind.code, 7 * 86_400_000_000)
    assert AuditRecord.objects.filter(action="state_rules.set", detail__past_days=7).count() == 1
    with pytest.raises(InvalidInput, match="at most 366 days"):
        set_state_rules(actor=actor, equipment_class_id=kind.pk, rules=rules, at=AT, past_days=367)
    assert len(build_plant(3).rederive) == 1
