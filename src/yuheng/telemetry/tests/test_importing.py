"""Telemetry's sections of a plant file, through equipment's importer."""

import pytest

from yuheng.equipment.importing import Action, Section, apply_plan, export_document, make_plan, parse, write_csv
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
