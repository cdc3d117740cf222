"""Import and export of plants: what a dry run says is what happens."""

import json
from datetime import timedelta

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yuheng.config.plant_file import SECTIONS
from yuheng.equipment import importing, selectors
from yuheng.equipment.importing import Action, Plan
from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Unreadable, as_cell
from yuheng.equipment.models import Area, AssetAssignment, ShiftCalendar, WorkUnit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent, Site
from yuheng.testing.builders import (
    SHIFT_START,
    SYSTEM,
    a_site,
    a_work_unit,
    an_actor,
    an_actor_with,
    an_area,
    another_site,
)

pytestmark = pytest.mark.django_db

NAMES = {"name_zh": "名", "name_en": "Name"}
PLANT = {
    "format": "yuheng/plant-1",
    "organisation": {"code": "fute", "name_zh": "富特", "name_en": "Fute"},
    "site": {"code": "elevator1", "name_zh": "扶梯一厂", "name_en": "Escalator Plant 1", "time_zone": "Asia/Shanghai"},
    "calendars": [
        {
            "code": "two-shift",
            **NAMES,
            "is_site_default": True,
            "shifts": [
                {
                    "code": "day", **NAMES, "start": "08:00", "end": "20:00",
                    "breaks": [{"start": "12:00", "end": "12:30"}, {"start": "17:30", "end": "17:50"}],
                },
                {"code": "night", **NAMES, "start": "20:00", "end": "08:00", "weekdays": [1, 2, 3, 4, 5]},
            ],
        }
    ],
    "classes": [
        {
            "code": "laser-cutter", **NAMES, "no_data_after_s": 30,
            "states": [
                {"state": "down", "when": "fault_code != 0", "cause": "fault_code"},
                {"state": "idle", "when": "not run"},
            ],
            "causes": [{"code": "12", "name_zh": "送丝故障", "name_en": "Wire feed fault"}],
        }
    ],
    "areas": [
        {
            "code": "laser", **NAMES, "map": {"x": 12, "y": 10, "w": 380, "h": 150},
            "work_centers": [
                {
                    "code": "laser", **NAMES, "calendar": "two-shift",
                    "work_units": [
                        {
                            "code": "L01", **NAMES, "class": "laser-cutter",
                            "map": {"x": 20, "y": 40, "w": 58, "h": 36},
                            "asset": {"serial": "A1", "maker": "M", "model": "X", "built": 2019},
                        },
                        {"code": "L02", **NAMES, "class": "laser-cutter"},
                    ],
                }
            ],
        },
        {"code": "空区", **NAMES},
    ],
    "tag_classes": [{"code": "fast", "raw_days": 30}],
    "sources": [{"code": "laser-json", "connector": "mqtt_json", "topics": ["elevator1/laser/#"], "settings": {}}],
    "tags": [
        {"source": "laser-json", "address": "L01/run", "work_unit": "L01", "symbol": "run", "data_type": "bool"},
        {"source": "laser-json", "address": "L01/temp", "data_type": "float", "unit": "Cel", "tag_class": "fast"},
    ],
    "targets": [{"indicator": "producing_ratio", "value": 0.75, "unit": "1"}],
}  # fmt: skip


def planned(content: dict | str | bytes, *, kind: str = "", site_id: int | None = None, actor: Actor = SYSTEM) -> Plan:
    parsed = importing.parse(as_bytes(content), kind=kind, sections=SECTIONS)
    return importing.make_plan(actor=actor, parsed=parsed, sections=SECTIONS, site_id=site_id)


def applied(content: dict | str | bytes, *, kind: str = "", site_id: int | None = None, **more) -> Plan:
    plan = planned(content, kind=kind, site_id=site_id)
    return importing.apply_plan(
        actor=SYSTEM,
        parsed=importing.parse(as_bytes(content), kind=kind, sections=SECTIONS),
        sections=SECTIONS,
        site_id=site_id,
        plan_sha256=plan.sha256(),
        at=more.pop("at", SHIFT_START),
        **more,
    )


def as_bytes(content: dict | str | bytes) -> bytes:
    if isinstance(content, dict):
        return json.dumps(content).encode()
    return content.encode() if isinstance(content, str) else content


def row_of(plan: Plan, section: str, key: str):
    return next(row for row in plan.rows if (row.section, row.key) == (section, key))


def refusals(plan: Plan) -> list[str]:
    return [row.reason for row in plan.rows if row.action is Action.REFUSE]


# ---- plan and apply ----


def test_a_dry_run_writes_nothing():
    plan = planned(PLANT)
    assert (plan.count(Action.ADD), plan.count(Action.REFUSE)) == (16, 0), refusals(plan)
    assert not Site.objects.exists()


def test_applying_a_new_plant_makes_everything_and_tells_it_once():
    plan = applied(PLANT)
    assert plan.site_id is not None
    tree = selectors.equipment_tree(actor=SYSTEM, site_id=plan.site_id)
    assert [area.code for area in tree.areas] == ["laser", "空区"]
    assert [unit.code for unit in tree.areas[0].centers[0].units] == ["L01", "L02"]
    assert tree.areas[0].centers[0].units[0].serial == "A1"
    drawn = selectors.plant_map(actor=SYSTEM, site_id=plan.site_id)
    assert (drawn.areas[0].rect.x, drawn.units[0].rect.x) == (12, 20)
    assert OutboxEvent.objects.filter(payload__change="imported").count() == 1
    assert AuditRecord.objects.filter(action="equipment.imported").count() == 1


def test_importing_the_same_again_changes_nothing():
    applied(PLANT)
    events = OutboxEvent.objects.count()
    plan = applied(PLANT)
    assert plan.counts() == {"add": 0, "change": 0, "unchanged": 16, "refuse": 0}
    assert OutboxEvent.objects.count() == events


def test_an_export_imported_again_changes_nothing():
    site_id = applied(PLANT).site_id
    document = importing.export_document(actor=SYSTEM, sections=SECTIONS, site_id=site_id)
    plan = planned(importing.write_plant_file(document))
    assert {row.action for row in plan.rows} == {Action.UNCHANGED}
    assert len(plan.rows) == 17


def test_every_csv_file_of_an_export_imported_again_changes_nothing():
    site_id = applied(PLANT).site_id
    document = importing.export_document(actor=SYSTEM, sections=SECTIONS, site_id=site_id)
    files = dict(importing.csv_files(document, SECTIONS))
    assert set(files) == {
        f"{name}.csv"
        for name in (
            "calendars", "classes", "causes", "areas", "work_centers", "work_units", "assets", "targets",
            "tag_classes", "sources", "tags", "class_states",
        )
    }  # fmt: skip
    for name, content in files.items():
        kind = importing.kind_of_csv(content, sections=SECTIONS, file_name=f"renamed-{name}")
        assert kind == name.removesuffix(".csv")
        plan = planned(content, kind=kind, site_id=site_id)
        assert {row.action for row in plan.rows} == {Action.UNCHANGED}, (name, plan.rows)


def test_an_export_into_an_empty_database_makes_the_same_plant():
    site_id = applied(PLANT).site_id
    document = importing.export_document(actor=SYSTEM, sections=SECTIONS, site_id=site_id)
    document["sources"][0]["topics"] = []  # a topic belongs to one site
    copy = {**document, "site": {**document["site"], "code": "copy"}}
    twin = applied(importing.write_plant_file(copy)).site_id
    again = importing.export_document(actor=SYSTEM, sections=SECTIONS, site_id=twin)
    again["sources"][0].setdefault("topics", [])
    assert {**again, "site": None} == {**document, "site": None}


def test_a_change_says_what_was_and_what_would_be():
    applied(PLANT)
    changed = json.loads(json.dumps(PLANT))
    changed["areas"][0]["work_centers"][0]["work_units"][0]["name_en"] = "Laser 1"
    changed["targets"][0]["value"] = 0.8
    plan = planned(changed)
    assert row_of(plan, "work_units", "L01").changes == {"name_en": ("Name", "Laser 1")}
    assert row_of(plan, "targets", "producing_ratio").changes == {"value": (0.75, 0.8)}
    assert plan.counts() == {"add": 0, "change": 2, "unchanged": 14, "refuse": 0}
    applied(changed)
    assert WorkUnit.objects.get(code="L01").name_en == "Laser 1"


def test_what_a_row_does_not_mention_stays():
    applied(PLANT)
    plan = applied("code,name_en\nL01,Only this\n", kind="work_units", site_id=a_site().pk)
    assert plan.counts()["change"] == 1
    unit = WorkUnit.objects.get(code="L01")
    assert (unit.name_en, unit.name_zh, unit.equipment_class.code) == ("Only this", "名", "laser-cutter")


def test_a_plan_that_is_no_longer_true_is_not_applied():
    applied(PLANT)
    content = "code,name_en\nL01,New\n"
    plan = planned(content, kind="work_units", site_id=a_site().pk)
    WorkUnit.objects.filter(code="L01").update(name_en="Meanwhile")
    with pytest.raises(Conflict, match="changed since"):
        importing.apply_plan(
            actor=SYSTEM,
            parsed=importing.parse(content.encode(), kind="work_units", sections=SECTIONS),
            sections=SECTIONS,
            site_id=a_site().pk,
            plan_sha256=plan.sha256(),
            at=SHIFT_START,
        )
    assert WorkUnit.objects.get(code="L01").name_en == "Meanwhile"


def test_refused_rows_are_left_out_only_when_asked():
    applied(PLANT)
    content = "code,name_en\nL01,New\nL09,No such\n"
    with pytest.raises(Conflict, match="refused"):
        applied(content, kind="work_units", site_id=a_site().pk)
    assert WorkUnit.objects.get(code="L01").name_en == "Name"
    applied(content, kind="work_units", site_id=a_site().pk, leave_out_refused=True)
    assert WorkUnit.objects.get(code="L01").name_en == "New"
    assert not WorkUnit.objects.filter(code="L09").exists()


def test_two_assets_swap_their_units():
    applied(PLANT)
    site_id, later = a_site().pk, SHIFT_START + timedelta(days=1)
    applied("serial,work_unit\nA2,L02\n", kind="assets", site_id=site_id)
    applied("serial,work_unit\nA1,L02\nA2,L01\n", kind="assets", site_id=site_id, at=later)
    now = AssetAssignment.objects.filter(to_at__isnull=True).values_list("asset__serial", "work_unit__code")
    assert dict(now) == {"A1": "L02", "A2": "L01"}
    assert AssetAssignment.objects.filter(to_at=later).count() == 2


def test_retiring_and_restoring_by_file():
    applied(PLANT)
    applied("code,is_retired\nL02,yes\n", kind="work_units", site_id=a_site().pk)
    assert WorkUnit.objects.get(code="L02").retired_at == SHIFT_START
    assert planned(PLANT).counts()["change"] == 0  # a file that does not speak of retirement leaves it
    applied("code,is_retired\nL02,no\n", kind="work_units", site_id=a_site().pk)
    assert WorkUnit.objects.get(code="L02").retired_at is None


def test_the_sites_calendar_moves_with_the_mark():
    applied(PLANT)
    second = {**PLANT["calendars"][0], "code": "other"}
    applied({**PLANT, "calendars": [second]})
    assert ShiftCalendar.objects.get(is_site_default=True).code == "other"


# ---- refusals, each with its reason ----


@pytest.mark.parametrize(
    ("content", "kind", "where", "reason"),
    [
        ("code,name_zh,name_en\nA,甲,A\nB,乙,\n", "areas", "row 3", "needs: name_en"),
        ("code,name_zh,name_en,colour\nA,甲,A,red\n", "areas", "row 2", "'colour' is unknown"),
        ("code,name_zh,nam_en\nA,甲,A\n", "areas", "row 2", "did you mean 'name_en'"),
        ("code,name_zh,name_en\nA,甲,A\nA,甲,A\n", "areas", "row 3", "row 2 already"),
        ("code,name_zh,name_en\na b,甲,A\n", "areas", "row 2", "letters, digits"),
        ("code,name_zh,name_en,map_x\nA,甲,A,1\n", "areas", "row 2", "x, y, w and h"),
        ("code,name_zh,name_en,map_x,map_y,map_w,map_h\nA,甲,A,1,1,0,5\n", "areas", "row 2", "higher than 0"),
        ("code,name_zh,name_en,map_x,map_y,map_w,map_h\nA,甲,A,1,x,1,5\n", "areas", "row 2", "must be a number"),
        ("code,name_zh,name_en,area\nA,甲,A,nowhere\n", "work_centers", "row 2", "'nowhere' does not exist"),
        ("code,name_zh,name_en,work_center\nA,甲,A,nowhere\n", "work_units", "row 2", "'nowhere' does not exist"),
        ("serial,built\nS,1066\n", "assets", "row 2", "outside"),
        ("serial,built\nS,2019.5\n", "assets", "row 2", "whole number"),
        ("indicator,value,unit\nenergy,1,kWh\n", "targets", "row 2", "Did you mean 'kW.h'"),
        ("indicator,value\nenergy,nan\n", "targets", "row 2", "must be a number"),
        ("code,name_zh,name_en,extra\nA,甲,A,1,2\n", "areas", "row 2", "column 5"),
        (
            "code,name_zh,name_en,shift_code,shift_name_zh,shift_name_en,shift_start,shift_end\n"
            "c,甲,A,d,日,D,08:00,20:00\nc,甲,A,e,晚,E,19:00,23:00\n",
            "calendars", "row 2", "overlapping shifts: d and e",
        ),
        (
            "code,name_zh,name_en,shift_code,shift_name_zh,shift_name_en,shift_start,shift_end\n"
            "c,甲,A,d,日,D,8 am,20:00\n",
            "calendars", "row 2", "time such as 08:00",
        ),
        (
            "code,name_zh,name_en,shift_code,shift_name_zh,shift_name_en,shift_start,shift_end,shift_weekdays\n"
            "c,甲,A,d,日,D,08:00,20:00,1-9\n",
            "calendars", "row 2", "weekdays such as 1-5",
        ),
        ("code,name_zh,name_en\nc,甲,A\n", "calendars", "row 2", "at least one shift"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_where_it_stands_and_why(content, kind, where, reason):
    plan = planned(content, kind=kind, site_id=a_site().pk)
    refused = [row for row in plan.rows if row.action is Action.REFUSE]
    assert [(row.where, reason in row.reason) for row in refused] == [(where, True)], refused


def test_what_refers_to_a_refused_row_is_refused_too_but_the_rest_stands():
    broken = json.loads(json.dumps(PLANT))
    broken["areas"][0]["name_en"] = ""
    plan = planned(broken)
    refused = {(row.section, row.key) for row in plan.rows if row.action is Action.REFUSE}
    assert ("areas", "laser") in refused
    assert ("work_units", "L01") in refused
    assert row_of(plan, "areas", "空区").action is Action.ADD
    assert row_of(plan, "calendars", "two-shift").action is Action.ADD


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "object with sections"),
        ("just text", "object with sections"),
        ("[1, 2]", "object with sections"),
        ("format: other/1", "format: yuheng/plant-1"),
        ("format: yuheng/plant-1\nareaz: []", "did you mean 'areas'"),
        ("format: yuheng/plant-1\nareas: 5", "'areas' is not built"),
        ("format: yuheng/plant-1\nareas: [5]", r"'areas\[0\]' is not built"),
        ("format: yuheng/plant-1\nareas: [{work_centers: [{work_units: 3}]}]", r"work_centers\[0\].work_units"),
        ("format: yuheng/plant-1\nsite: {code: x, timezone: y}", "did you mean 'time_zone'"),
        ("format: yuheng/plant-1\na: &x [1]\nb: *x", "Aliases"),
        ("format: [unclosed", "not YAML"),
        ("{" * 100_000, "not YAML"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        (b"\xff\xfe\x00", "not text"),
        (b"\x00\x01\x02", "not text"),
    ],
)
def test_a_file_that_is_no_plant_file_is_refused_with_a_sentence(content, reason):
    with pytest.raises(InvalidInput, match=reason):
        planned(content, site_id=a_site().pk)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\n", "first row must name"),
        ("code,code\na,b\n", "stand twice: code"),
        ('code,name_zh\n"open,x\n', "is not CSV"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_with_a_sentence(content, reason):
    with pytest.raises(InvalidInput, match=reason):
        planned(content, kind="areas", site_id=a_site().pk)


def test_a_csv_of_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInput, match="work_units"):
        planned("a\n1\n", kind="robots", site_id=a_site().pk)
    with pytest.raises(InvalidInput, match="no known column"):
        importing.kind_of_csv(b"x,y\n1,2\n", sections=SECTIONS)


# ---- encodings ----


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_of_china_are_read(encoding, delimiter):
    text = "code,name_zh,name_en\r\n激光,激光下料,Laser\r\n".replace(",", delimiter)
    plan = planned(text.encode(encoding), kind="areas", site_id=a_site().pk)
    assert row_of(plan, "areas", "激光").values["name_zh"] == "激光下料"


def test_a_quoted_cell_may_have_lines_and_the_row_number_is_still_that_of_the_file():
    text = 'code,name_zh,name_en\nA,"甲",A\n\nB,乙,\n'
    plan = planned(text, kind="areas", site_id=a_site().pk)
    assert row_of(plan, "areas", "B").where == "row 4"


# ---- who may ----


def test_each_row_needs_the_permission_of_its_kind():
    applied(PLANT)
    site_id = a_site().pk
    changed = {**PLANT, "targets": [{"indicator": "producing_ratio", "value": 0.9}], "tag_classes": [{"code": "new"}]}
    plan = planned(changed, site_id=site_id, actor=an_actor_with("equipment.edit"))
    assert row_of(plan, "targets", "producing_ratio").action is Action.CHANGE
    assert "telemetry.edit" in row_of(plan, "tag_classes", "new").reason
    nobody = planned(changed, site_id=site_id, actor=an_actor("ana"))
    assert nobody.count(Action.ADD) + nobody.count(Action.CHANGE) == 0


def test_a_file_for_another_site_is_not_imported_here():
    with pytest.raises(InvalidInput, match="for the site 'elevator1'"):
        planned(PLANT, site_id=a_site("elevator2").pk)


def test_a_site_one_does_not_see_does_not_exist():
    applied(PLANT)
    with pytest.raises(NotVisible):
        planned(PLANT, site_id=a_site().pk, actor=an_actor("dora"))
    with pytest.raises(NotVisible):
        planned(PLANT, actor=an_actor("dora"))
    with pytest.raises(NotVisible):
        importing.export_document(actor=an_actor("dora"), sections=SECTIONS, site_id=a_site().pk)


def test_only_an_administrator_of_everything_imports_a_new_site():
    with pytest.raises(PermissionRefused):
        planned(PLANT, actor=an_actor("lin", site=another_site()))
    with pytest.raises(InvalidInput, match="time zone"):
        planned({**PLANT, "site": {**PLANT["site"], "time_zone": "Mars"}})


def test_an_export_shows_what_one_may_see_only():
    site_id = applied(PLANT).site_id
    document = importing.export_document(actor=an_actor_with("equipment.view"), sections=SECTIONS, site_id=site_id)
    assert "areas" in document
    assert "tags" not in document


# ---- values ----


@given(st.one_of(st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_or_a_yes_written_into_a_cell_reads_back(value):
    reader = read.boolean if isinstance(value, bool) else read.number()
    assert reader(as_cell(value)) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_value_is_read_or_refused_by_every_field(value):
    for section in SECTIONS:
        for field in section.fields:
            try:
                field.read(value)
            except Unreadable as refusal:
                assert str(refusal)  # noqa: PT017 - the other outcome is a value


def test_times_of_day_are_read_as_people_and_yaml_write_them():
    assert [read.time_of_day(value) for value in ("08:00", "8:00", 750, "23:59")] == [
        "08:00",
        "08:00",
        "12:30",
        "23:59",
    ]
    document = yaml.safe_load("start: 12:30")
    assert read.time_of_day(document["start"]) == "12:30"
    for wrong in ("24:00", "8", "noon", 1440, -1, True, None, "08:00:30"):
        with pytest.raises(Unreadable):
            read.time_of_day(wrong)


def test_an_area_that_exists_already_is_found_by_its_code():
    an_area("laser"), a_work_unit("L01", work_center=None)
    plan = applied({**PLANT, "site": {"code": "elevator1"}}, site_id=a_site().pk)
    assert row_of(plan, "areas", "laser").action is Action.CHANGE
    assert Area.objects.filter(code="laser").count() == 1
