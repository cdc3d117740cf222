"""Telemetry's sections of a plant file, through equipment's importer."""

import pytest

from yuheng.config.plant_file import SECTIONS as WHOLE_SECTIONS
from yuheng.equipment.importing import (
    Action,
    Section,
    apply_plan,
    export_document,
    make_plan,
    parse,
    write_csv,
    write_plant_file,
)
from yuheng.telemetry.importing import SECTIONS, ClassStateSection, DeviceSection
from yuheng.telemetry.models import DataSource, Device, StateRule, Tag, TagClass
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, a_work_unit, an_equipment_class

pytestmark = pytest.mark.django_db


class Known(Section):
    """Stands for equipment's sections, whose keys ours refer to."""

    permission = "equipment.edit"
    fields = ()

    def __init__(self, name, keys):
        self.name = name
        self.keys = keys

    def rows_of(self, document):
        return iter(())

    def existing(self, site_id):
        return {key: {} for key in self.keys}

    def apply(self, **given):
        raise AssertionError

    def put_into(self, document, rows):
        if self.name == "classes":
            document["classes"] = [{"code": key} for key in self.keys]


def all_sections():
    return (Known("classes", ["laser-cutter"]), Known("work_units", ["L01"]), *SECTIONS)


PLANT = """
format: yuheng/plant-1
site: {code: elevator1, name_zh: 厂, name_en: Plant}
classes:
  - code: laser-cutter
    no_data_after_s: 30
    states: [{state: down, when: "fault_code != 0", cause: fault_code}, {state: producing, when: run}]
tag_classes: [{code: energy, raw_days: 30, is_time_weighted: true}]
sources: [{code: laser-json, connector: mqtt_json, topics: ["elevator1/laser/#"]}]
tags:
  - {source: laser-json, address: L01/run, work_unit: L01, symbol: run, data_type: bool}
  - {source: laser-json, address: L01/fault, work_unit: L01, symbol: fault_code, data_type: int}
  - {source: laser-json, address: L01/power, data_type: float, unit: kW, tag_class: energy}
devices: [{username: edge-laser, publish_topics: ["elevator1/laser/#"], sources: [laser-json], password: long-enough-1}]
"""


@pytest.fixture(autouse=True)
def plant():
    a_site(), a_work_unit("L01", equipment_class=an_equipment_class("laser-cutter"))


def bring_in(text, *, kind="", leave_out_refused=False):
    parsed = parse(text.encode() if isinstance(text, str) else text, kind=kind, sections=all_sections())
    given = {"actor": SYSTEM, "parsed": parsed, "sections": all_sections(), "site_id": a_site().pk}
    plan = make_plan(**given)
    return apply_plan(**given, plan_sha256=plan.sha256(), at=SHIFT_START, leave_out_refused=leave_out_refused)


def actions(plan):
    return {(row.section, row.key): (row.action, row.reason) for row in plan.rows if row.section != "site"}


def test_a_whole_plant_comes_in_and_a_second_time_changes_nothing():
    first = bring_in(PLANT)
    assert {action for action, _ in actions(first).values()} == {Action.ADD}
    assert Tag.objects.get(address="L01/power").tag_class.code == "energy"
    assert TagClass.objects.get(code="energy").is_time_weighted
    assert list(StateRule.objects.values_list("when", flat=True)) == ["fault_code != 0", "run"]
    assert [s.code for s in Device.objects.get().sources.all()] == ["laser-json"]

    second = bring_in(PLANT)
    assert {action for action, _ in actions(second).values()} == {Action.UNCHANGED}


def test_a_row_changes_only_what_the_file_says():
    bring_in(PLANT)
    bring_in("source,address,name_en\nlaser-json,L01/run,Running\n", kind="tags")
    tag = Tag.objects.get(address="L01/run")
    assert (tag.name_en, tag.symbol, tag.data_type) == ("Running", "run", "bool")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("laser-json,x,float,L99,,1", "L99"),
        ("nobody,x,float,,,1", "nobody"),
        ("laser-json,x,complex,,,1", "data_type"),
        ("laser-json,x,float,,,furlong", "UCUM"),
        ("laser-json,x,float,,run,1", "work unit"),
    ],
)
def test_a_tag_that_cannot_be_is_refused_with_its_reason_and_the_others_stand(row, why):
    bring_in(PLANT)
    text = f"source,address,data_type,work_unit,symbol,unit\n{row}\nlaser-json,ok,float,,,1\n"
    plan = bring_in(text, kind="tags", leave_out_refused=True)
    refused = [row for row in plan.rows if row.action is Action.REFUSE]
    assert len(refused) == 1
    assert why in refused[0].reason
    assert Tag.objects.filter(address="ok").exists()
    assert not Tag.objects.filter(address="x").exists()


def test_a_password_is_neither_shown_nor_exported_and_is_compared_by_its_hash():
    bring_in(PLANT)
    before = Device.objects.get().password_sha256
    plan = bring_in(PLANT.replace("long-enough-1", "another-secret-2"))
    changed = [row for row in plan.rows if row.action is Action.CHANGE]
    assert [row.section for row in changed] == ["devices"]
    assert "another-secret" not in repr(plan)
    assert Device.objects.get().password_sha256 != before
    section = DeviceSection()
    exported = write_csv(section, list(section.existing(a_site().pk).values()))
    assert b"secret" not in exported
    assert b"edge-laser" in exported
    assert before.encode() not in exported


def test_what_is_exported_can_be_imported_again_without_a_change():
    bring_in(PLANT)
    document = export_document(actor=SYSTEM, sections=all_sections(), site_id=a_site().pk)
    assert document["classes"][0]["states"][0] == {"state": "down", "when": "fault_code != 0", "cause": "fault_code"}
    assert "password" not in document["devices"][0]
    section = ClassStateSection()
    as_csv = write_csv(section, list(section.existing(a_site().pk).values()))
    plan = bring_in(as_csv, kind="class_states")
    assert {action for action, _ in actions(plan).values()} == {Action.UNCHANGED}


def test_a_revoked_device_works_again_when_it_is_imported_again():
    bring_in(PLANT)
    Device.objects.update(is_active=False, revoked_at=SHIFT_START)
    bring_in(PLANT)
    assert Device.objects.get().is_active


def test_ten_thousand_tags_come_in_within_seconds(django_assert_max_num_queries):
    bring_in(PLANT)
    lines = "".join(f"laser-json,t{i},float\n" for i in range(10_000))
    with django_assert_max_num_queries(80):
        bring_in("source,address,data_type\n" + lines, kind="tags")
    assert Tag.objects.count() == 10_003
    assert DataSource.objects.count() == 1


HEAD = "source,address,data_type,work_unit,symbol\n"


@pytest.mark.parametrize(
    "rows",
    [
        "laser-json,x,bool,L01,run\n",  # the plant has it
        "laser-json,x,bool,L01,mode\nlaser-json,y,bool,L01,mode\n",  # the file has it twice
    ],
)
def test_the_dry_run_refuses_a_symbol_that_stands_for_another_tag(rows):
    bring_in(PLANT)
    plan = bring_in(HEAD + rows, kind="tags", leave_out_refused=True)
    refused = [row for row in plan.rows if row.action is Action.REFUSE]
    assert len(refused) == 1
    assert "in one work unit" in refused[0].reason


def test_two_tags_may_swap_their_symbols():
    bring_in(PLANT)
    plan = bring_in(HEAD + "laser-json,L01/run,bool,L01,fault_code\nlaser-json,L01/fault,int,L01,run\n", kind="tags")
    assert plan.count(Action.CHANGE) == 2
    assert Tag.objects.get(address="L01/run").symbol == "fault_code"


def test_half_a_swap_is_refused_and_leaves_the_other_half_out():
    bring_in(PLANT)
    text = HEAD + "laser-json,L01/run,bool,L01,fault_code\nlaser-json,L01/new,int,L01,run\n"
    plan = bring_in(text, kind="tags", leave_out_refused=True)
    assert plan.count(Action.REFUSE) == 2


# ---- templates and machines ---------------------------------------------------------------------------------------

WHOLE = """
format: yuheng/plant-1
organisation: {code: fute}
site: {code: elevator1, name_zh: 厂, name_en: Plant}
calendars:
  - code: two
    name_zh: 两班
    name_en: Two shifts
    shifts: [{code: day, name_zh: 白班, name_en: Day, start: "08:00", end: "20:00"}]
    exceptions:
      - {first: 2026-10-01, last: 2026-10-07, name_zh: 国庆, name_en: National Day}
      - {first: 2026-10-10, name_zh: 调休, name_en: Worked Saturday, works_as: 3, shifts: [day]}
classes:
  - code: press
    name_zh: 压机
    name_en: Press
    picture: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><rect width="4" height="4" onclick="x"/></svg>'
    variables: [{name: line, default: "1", note: which line}]
    tags:
      - {symbol: temp, address: "ns=2;s=L{line}.{unit}.temp", data_type: float, unit: Cel, deadband: 0.5}
      - {symbol: run, address: "ns=2;s=L{line}.{unit}.run", data_type: bool}
sources: [{code: opc, connector: mqtt_json}]
areas:
  - code: hall
    name_zh: 车间
    name_en: Hall
    work_centers:
      - code: line
        name_zh: 线
        name_en: Line
        work_units:
          - {code: P01, name_zh: 一, name_en: One, class: press, tag_source: opc, number: 1}
          - code: P02
            name_zh: 二
            name_en: Two
            class: press
            tag_source: opc
            number: 2
            variables: {line: "7"}
            overrides: {temp: {deadband: 0.9, unit: K}}
"""


def whole_plan(text, site_id=None):
    parsed = parse(text.encode(), kind="", sections=WHOLE_SECTIONS)
    plan = make_plan(actor=SYSTEM, parsed=parsed, sections=WHOLE_SECTIONS, site_id=site_id)
    return parsed, plan


def apply_whole(text, site_id=None):
    parsed, plan = whole_plan(text, site_id)
    assert [row.reason for row in plan.rows if row.reason] == []
    return apply_plan(
        actor=SYSTEM,
        parsed=parsed,
        sections=WHOLE_SECTIONS,
        site_id=site_id,
        plan_sha256=plan.sha256(),
        at=SHIFT_START,
    )


def test_templates_machines_pictures_and_exceptions_come_and_go_with_a_plant_file():
    applied = apply_whole(WHOLE, a_site().pk)
    assert Tag.objects.get(address="ns=2;s=L7.P02.temp").overrides == ["deadband", "unit"]
    assert Tag.objects.get(address="ns=2;s=L1.P01.temp").deadband == 0.5
    document = export_document(actor=SYSTEM, sections=WHOLE_SECTIONS, site_id=applied.site_id)
    kind = next(one for one in document["classes"] if one["code"] == "press")
    assert kind["tags"][0] == {
        "symbol": "temp", "address": "ns=2;s=L{line}.{unit}.temp", "data_type": "float", "unit": "Cel", "deadband": 0.5
    }  # fmt: skip
    assert "onclick" not in kind["picture"]
    unit = next(
        u for a in document["areas"] for c in a["work_centers"] for u in c.get("work_units", ()) if u["code"] == "P02"
    )
    assert unit["overrides"] == {"temp": {"deadband": 0.9, "unit": "K"}}
    again = whole_plan(write_plant_file(document).decode(), applied.site_id)[1]
    assert {row.action for row in again.rows} == {Action.UNCHANGED}
    for section in WHOLE_SECTIONS:
        values = list(section.existing(applied.site_id).values())
        if values:
            csv_file = parse(write_csv(section, values), kind=section.name, sections=WHOLE_SECTIONS)
            plan = make_plan(actor=SYSTEM, parsed=csv_file, sections=WHOLE_SECTIONS, site_id=applied.site_id)
            assert {(row.section, row.action) for row in plan.rows} == {(section.name, Action.UNCHANGED)}


def test_a_whole_plant_comes_back_on_an_empty_site_with_its_overrides():
    applied = apply_whole(WHOLE, a_site().pk)
    document = export_document(actor=SYSTEM, sections=WHOLE_SECTIONS, site_id=applied.site_id)
    document["site"] = {**document["site"], "code": "copy"}
    document.pop("devices", None)
    copy = apply_whole(write_plant_file(document).decode())
    tag = Tag.objects.get(site_id=copy.site_id, address="ns=2;s=L7.P02.temp")
    assert (tag.overrides, tag.deadband) == (["deadband", "unit"], 0.9)


def test_an_override_that_a_file_drops_goes_back_to_the_template():
    site_id = apply_whole(WHOLE, a_site().pk).site_id
    apply_whole(WHOLE.replace("overrides: {temp: {deadband: 0.9, unit: K}}", "overrides: {temp: {unit: K}}"), site_id)
    tag = Tag.objects.get(address="ns=2;s=L7.P02.temp")
    assert (tag.overrides, tag.deadband) == (["unit"], 0.5)


def test_a_template_that_cannot_be_is_refused_with_its_reason():
    text = WHOLE.replace("L{line}.{unit}.run", "L{lane}.{unit}.run")
    plan = whole_plan(text, a_site().pk)[1]
    reason = next(row.reason for row in plan.rows if row.section == "templates")
    assert "Nothing is called lane here" in reason
