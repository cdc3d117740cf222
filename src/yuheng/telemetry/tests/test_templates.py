"""Templates of machine classes: forty like machines, previews, overrides, two engineers."""

from dataclasses import replace

import pytest

from yuheng.equipment.models import MapPlacement, WorkUnit
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.telemetry.models import DataSource, Tag, TemplatedUnit, TemplateTag
from yuheng.telemetry.selectors.templates import Variable, load_template
from yuheng.telemetry.services import tag_edits, tags
from yuheng.telemetry.services.configuration import build_plant
from yuheng.telemetry.services.tags import TagSpec
from yuheng.telemetry.services.templates import editing, following, instances, machines, taking
from yuheng.telemetry.services.templates.instances import Grid, MachinesSpec
from yuheng.telemetry.services.templates.specs import TagRow, TemplateSpec
from yuheng.testing.builders import (
    SHIFT_START,
    SYSTEM,
    a_site,
    a_work_center,
    a_work_unit,
    an_actor_with,
    an_equipment_class,
)

pytestmark = pytest.mark.django_db

LINE = (Variable("line", default="1", note="which line"),)


def a_source(code="opc"):
    return DataSource.objects.get_or_create(site=a_site(), code=code, defaults={"connector": "opcua"})[0]


def row(symbol, **cells):
    cells = {"address": f"nsu=urn:fab;s=Line{{line}}.{{unit}}.{symbol}", "data_type": "float", **cells}
    return TagRow({"symbol": symbol, "name_zh": symbol, "name_en": symbol, **cells})


def press(*, tags=(), variables=LINE, code="press"):
    """A class with a template: temperature and running, and what else is given."""
    kind = an_equipment_class(code)
    rows = tags or (row("temp", unit="Cel", deadband=0.5), row("run", data_type="bool"))
    save(kind, *rows, variables=variables)
    return kind


def save(kind, *rows, variables=LINE, actor=SYSTEM, **given):
    spec = TemplateSpec(tuple(variables), tuple(rows))
    return editing.save_template(actor=actor, equipment_class_id=kind.pk, spec=spec, at=SHIFT_START, **given)


def preview(kind, *rows, variables=LINE):
    return editing.preview_template(
        actor=SYSTEM, equipment_class_id=kind.pk, spec=TemplateSpec(tuple(variables), tuple(rows))
    )


def spec(**given):
    return MachinesSpec(
        **{"work_center_id": a_work_center().pk, "source_id": a_source().pk, "first": 1, "last": 3, **given}
    )


def make(kind, *, actor=SYSTEM, sha=None, leave_out_refused=False, **given):
    return instances.instantiate(
        actor=actor,
        equipment_class_id=kind.pk,
        spec=spec(**given),
        at=SHIFT_START,
        plan_sha256=sha,
        leave_out_refused=leave_out_refused,
    )


def dry_run(kind, **given):
    return instances.plan_instances(actor=SYSTEM, equipment_class_id=kind.pk, spec=spec(**given))


def tag_of(unit, symbol):
    return Tag.objects.get(work_unit__code=unit, symbol=symbol, retired_at=None)


def edit(tag, **cells):
    return tag_edits.edit_tags(actor=SYSTEM, edits=[tag_edits.TagEdit(tag.pk, cells)], at=SHIFT_START)


# ---- making machines ----------------------------------------------------------------------------------------------


def test_like_machines_get_their_units_places_and_tags_in_one_action():
    kind = press()
    made = make(kind, code="P{n:02d}", name_zh="{unit} 压机", name_en="Press {n}", grid=Grid(10, 20, columns=2))
    assert made.counts()["tags_added"] == 6
    unit = WorkUnit.objects.get(code="P03")
    assert (unit.name_zh, unit.name_en, unit.equipment_class) == ("P03 压机", "Press 3", kind)
    place = MapPlacement.objects.get(work_unit=unit)
    assert (place.x, place.y) == (10, 20 + 36 + 6)
    tag = tag_of("P02", "temp")
    assert (tag.address, tag.unit, tag.deadband) == ("nsu=urn:fab;s=Line1.P02.temp", "Cel", 0.5)
    assert tag.overrides == []
    assert TemplatedUnit.objects.get(work_unit=unit).number == 3
    assert AuditRecord.objects.filter(action="template.instantiate").count() == 1


def test_the_dry_run_writes_nothing_and_lists_every_unit_tag_and_address():
    kind = press()
    before = OutboxEvent.objects.count()
    plan = dry_run(kind)
    assert [unit.code for unit in plan.units] == ["P01", "P02", "P03"]
    assert [values["address"] for _key, values in plan.plans[2].added] == [
        "nsu=urn:fab;s=Line1.P03.temp",
        "nsu=urn:fab;s=Line1.P03.run",
    ]
    assert not WorkUnit.objects.exists()
    assert not Tag.objects.exists()
    assert OutboxEvent.objects.count() == before
    assert make(kind, sha=plan.sha256()).sha256() == plan.sha256()


def test_a_pasted_table_says_what_differs_from_machine_to_machine():
    kind = press()
    table = [{"code": "A7", "line": "7"}, {"n": "12", "name_en": "Twelve"}, {"line": "{n}"}]
    make(kind, code="B{n}", table=table, variables={"line": "L{n}"})
    assert tag_of("A7", "temp").address == "nsu=urn:fab;s=Line7.A7.temp"
    assert tag_of("B12", "temp").address == "nsu=urn:fab;s=LineL12.B12.temp"
    assert tag_of("B13", "temp").address == "nsu=urn:fab;s=Line{n}.B13.temp"
    assert WorkUnit.objects.get(code="B12").name_en == "Twelve"


def test_what_stands_in_the_way_is_named_and_nothing_is_made():
    kind = press()
    a_work_unit("P01", work_center=a_work_center("other"))
    tags.write_tags(
        actor=SYSTEM,
        site_id=a_site().pk,
        tags=[
            TagSpec(
                a_source().pk, "nsu=urn:fab;s=Line1.P02.temp", "float", work_unit_id=a_work_unit("X").pk, symbol="mine"
            )
        ],
        at=SHIFT_START,
    )
    plan = dry_run(kind)
    assert {(one.machine, one.reason) for one in plan.problems} == {("P01", "code_taken"), ("P02", "address")}
    with pytest.raises(Conflict, match="P01"):
        make(kind)
    assert not TemplatedUnit.objects.exists()
    make(kind, leave_out_refused=True)
    assert list(TemplatedUnit.objects.values_list("work_unit__code", flat=True)) == ["P03"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"code": "two words {n}"}, "code"),
        ({"code": "same"}, "code_twice"),
        ({"code": "{nothing}"}, "pattern_unknown"),
        ({"variables": {"colour": "red"}}, "unknown_variable"),
        ({"name_en": ""}, "name"),
        ({"table": [{"source": "nowhere"}]}, "source"),
        ({"table": [{"n": "seven"}]}, "number"),
    ],
)
def test_each_thing_that_cannot_be_has_its_reason(given, reason):
    assert reason in {one.reason for one in dry_run(press(), **given).problems}


def test_a_variable_without_default_must_be_given():
    kind = press(variables=(Variable("line"),))
    assert {one.reason for one in dry_run(kind).problems} == {"pattern_unknown"}
    assert dry_run(kind, variables={"line": "4"}).problems == []


def test_a_unit_that_is_there_already_is_brought_under_and_its_tags_are_not_doubled():
    kind = press()
    unit = a_work_unit("P02", work_center=a_work_center(), equipment_class=kind)
    mine = TagSpec(a_source().pk, "old/address", "float", work_unit_id=unit.pk, symbol="temp", unit="Cel", deadband=2.0)
    tags.write_tags(actor=SYSTEM, site_id=a_site().pk, tags=[mine], at=SHIFT_START)
    plan = make(kind)
    assert plan.counts()["units_added"] == 2
    tag = tag_of("P02", "temp")
    assert tag.address == "old/address"
    assert tag.overrides == ["address", "deadband", "name_en", "name_zh"]
    assert tag_of("P02", "run").address == "nsu=urn:fab;s=Line1.P02.run"


def test_a_nameless_tag_at_the_address_is_taken_over_with_its_history():
    kind = press()
    found = TagSpec(a_source().pk, "nsu=urn:fab;s=Line1.P01.temp", "float")
    tags.write_tags(actor=SYSTEM, site_id=a_site().pk, tags=[found], at=SHIFT_START, made_by_itself=True)
    old = Tag.objects.get()
    make(kind)
    assert tag_of("P01", "temp").pk == old.pk


def test_the_plant_changed_since_the_dry_run():
    kind = press()
    sha = dry_run(kind).sha256()
    a_work_unit("P02", work_center=a_work_center(), equipment_class=kind)
    with pytest.raises(Conflict, match="changed since the dry run"):
        make(kind, sha=sha)


def test_forty_machines_of_sixty_tags_are_made_with_sixty_questions(django_assert_max_num_queries):
    kind = press(tags=[row(f"s{number}") for number in range(60)])
    with django_assert_max_num_queries(60):
        make(kind, first=1, last=40)
    assert Tag.objects.count() == 2400


# ---- editing a template -------------------------------------------------------------------------------------------


def test_a_changed_field_reaches_every_machine_but_those_that_set_it_by_hand():
    kind = press()
    make(kind)
    edit(tag_of("P02", "temp"), deadband="0.9")
    rows = (row("temp", unit="Cel", deadband=0.7), row("run", data_type="bool"))
    seen = preview(kind, *rows)
    assert seen.counts() | {"fields": 2, "machines": 2, "kept": 1, "tags_changed": 2} == seen.counts()
    assert [(one.tag_id, one.own, one.template) for plan in seen.machines for one in plan.kept] == [
        (tag_of("P02", "temp").pk, 0.9, 0.7)
    ]
    assert tag_of("P01", "temp").deadband == 0.5
    save(kind, *rows, version=1, plan_sha256=seen.sha256())
    assert [tag_of(code, "temp").deadband for code in ("P01", "P02", "P03")] == [0.7, 0.9, 0.7]
    assert tag_of("P02", "temp").overrides == ["deadband"]


def test_of_two_engineers_the_second_learns_of_the_first():
    kind = press()
    save(kind, row("temp", unit="Cel", deadband=1), version=1)
    with pytest.raises(Conflict, match="Somebody else changed this template"):
        save(kind, row("temp", unit="K"), version=1)
    assert TemplateTag.objects.get(symbol="temp").unit == "Cel"


def test_a_machine_that_changed_since_the_preview_is_looked_at_again():
    kind = press()
    make(kind)
    rows = (row("temp", deadband=0.7), row("run", data_type="bool"))
    seen = preview(kind, *rows)
    edit(tag_of("P03", "temp"), deadband="0.1")
    with pytest.raises(Conflict, match="changed since the preview"):
        save(kind, *rows, plan_sha256=seen.sha256())


def test_a_tag_more_is_added_to_all_and_a_tag_less_is_retired_with_its_history():
    kind = press()
    make(kind)
    old = tag_of("P01", "run")
    seen = save(kind, row("temp", unit="Cel", deadband=0.5), row("power", unit="kW"))
    assert seen.counts()["tags_added"] == seen.counts()["tags_retired"] == 3
    old.refresh_from_db()
    assert old.retired_at == SHIFT_START
    assert old.pk not in {tag.id for tag in build_plant(1).tags}
    save(kind, row("temp", unit="Cel", deadband=0.5), row("power", unit="kW"), row("run", data_type="bool"))
    assert tag_of("P01", "run").pk == old.pk


def test_addresses_may_move_in_a_circle_and_the_tags_keep_their_history():
    kind = press(tags=[row("a", address="{unit}/1"), row("b", address="{unit}/2")])
    make(kind)
    before = {(tag.work_unit.code, tag.symbol): tag.pk for tag in Tag.objects.select_related("work_unit")}
    save(kind, row("a", address="{unit}/2"), row("b", address="{unit}/1"))
    assert tag_of("P01", "a").address == "P01/2"
    assert {(tag.work_unit.code, tag.symbol): tag.pk for tag in Tag.objects.select_related("work_unit")} == before


def test_a_symbol_is_renamed_by_its_row_and_two_may_swap():
    kind = press()
    make(kind)
    ids = {tag.values["symbol"]: tag.key for tag in load_template(equipment_class_id=kind.pk).tags}
    pks = {symbol: tag_of("P01", symbol).pk for symbol in ("temp", "run")}
    first, second = row("run", unit="Cel", deadband=0.5), row("temp", data_type="bool")
    save(kind, replace(first, id=ids["temp"]), replace(second, id=ids["run"]))
    assert {symbol: tag_of("P01", symbol).pk for symbol in ("temp", "run")} == {"run": pks["temp"], "temp": pks["run"]}


@pytest.mark.parametrize(
    ("rows", "cell"),
    [
        ([row("temp", address="{nothing}")], "tags.0.address"),
        ([row("temp", unit="furlong")], "tags.0.unit"),
        ([row("temp", scale="0")], "tags.0.scale"),
        ([row("temp", data_type="number")], "tags.0.data_type"),
        ([row("temp", colour="red")], "tags.0.colour"),
        ([row("temp", source="nowhere")], "tags.0.source"),
        ([row("temp"), row("temp")], "tags.1.symbol"),
        ([row("two words")], "tags.0.symbol"),
        ([row("temp", address="")], "tags.0.address"),
    ],
)
def test_every_wrong_cell_of_a_template_is_named_and_nothing_is_written(rows, cell):
    kind = an_equipment_class("press")
    with pytest.raises(InvalidInput) as refusal:
        save(kind, *rows)
    assert cell in refusal.value.fields
    assert not TemplateTag.objects.exists()


@pytest.mark.parametrize("name", ["n", "unit", "two words", ""])
def test_a_variable_has_a_name_of_its_own(name):
    with pytest.raises(InvalidInput) as refusal:
        save(an_equipment_class("press"), row("temp"), variables=[*LINE, Variable(name)])
    assert "variables.1" in refusal.value.fields


def test_a_template_that_collides_with_another_machine_is_not_applied():
    kind = press()
    make(kind)
    with pytest.raises(Conflict, match="stand in the way"):
        save(kind, row("temp", address="the/same/for/all"), row("run", data_type="bool"))
    assert tag_of("P01", "temp").address == "nsu=urn:fab;s=Line1.P01.temp"


def test_only_who_may_edit_signals_changes_templates():
    kind = press()
    with pytest.raises(PermissionRefused):
        save(kind, row("temp"), actor=an_actor_with("telemetry.view", "equipment.view"))
    with pytest.raises(PermissionRefused):
        make(kind, actor=an_actor_with("telemetry.edit", "equipment.view"))
    with pytest.raises(NotVisible):
        save(kind, row("temp"), actor=an_actor_with("telemetry.edit", site=a_site("elsewhere", organisation="other")))
    assert not WorkUnit.objects.exists()


def test_the_preview_of_forty_machines_asks_a_fixed_number_of_questions(django_assert_max_num_queries):
    kind = press(tags=[row(f"s{number}") for number in range(20)])
    make(kind, first=1, last=40)
    with django_assert_max_num_queries(8):
        preview(kind, *[row(f"s{number}", deadband=1) for number in range(20)])


# ---- one machine --------------------------------------------------------------------------------------------------


def test_a_field_set_by_hand_is_marked_and_one_click_brings_it_back():
    kind = press()
    make(kind)
    tag = tag_of("P02", "temp")
    edit(tag, deadband="0.9", unit="K")
    tag.refresh_from_db()
    assert tag.overrides == ["deadband", "unit"]
    machines.back_to_template(actor=SYSTEM, tag_ids=[tag.pk], names=["deadband"], at=SHIFT_START)
    tag.refresh_from_db()
    assert (tag.deadband, tag.unit, tag.overrides) == (0.5, "K", ["unit"])
    edit(tag, unit="Cel")
    tag.refresh_from_db()
    assert tag.overrides == []  # what the template says is no override, whoever typed it


def test_an_import_marks_overrides_too():
    make(press())
    tag = tag_of("P01", "temp")
    given = TagSpec(a_source().pk, tag.address, "float", work_unit_id=tag.work_unit_id, symbol="temp", unit="K")
    tags.write_tags(actor=SYSTEM, site_id=a_site().pk, tags=[given], at=SHIFT_START)
    tag.refresh_from_db()
    assert tag.overrides == ["deadband", "name_en", "name_zh", "unit"]


def test_another_variable_moves_the_addresses_of_a_machine():
    make(press())
    unit = WorkUnit.objects.get(code="P02")
    given = [following.MachineSettings(unit.pk, "opc", 2, {"line": "9"})]
    (plan,) = following.plan_following(actor=SYSTEM, site_id=a_site().pk, machines=given)
    assert {change.new for change in plan.changes} == {"nsu=urn:fab;s=Line9.P02.temp", "nsu=urn:fab;s=Line9.P02.run"}
    following.follow_templates(actor=SYSTEM, site_id=a_site().pk, machines=given, at=SHIFT_START)
    assert tag_of("P02", "temp").address == "nsu=urn:fab;s=Line9.P02.temp"


def test_a_class_is_made_from_a_machine_that_is_there():
    kind = an_equipment_class("press")
    unit = a_work_unit("P07", work_center=a_work_center(), equipment_class=kind)
    given = [
        TagSpec(a_source().pk, "plc/P07/temp", "float", work_unit_id=unit.pk, symbol="temp", unit="Cel"),
        TagSpec(a_source().pk, "plc/P07/speed{x}", "float", work_unit_id=unit.pk),
        TagSpec(a_source("meter").pk, "m/P07/kW", "float", work_unit_id=unit.pk, symbol="power", name_en="P07 power"),
    ]
    tags.write_tags(actor=SYSTEM, site_id=a_site().pk, tags=given, at=SHIFT_START)
    assert taking.template_from_machine(actor=SYSTEM, work_unit_id=unit.pk, at=SHIFT_START) == 3
    make(kind, first=8, last=8)
    assert {tag.address for tag in Tag.objects.filter(work_unit__code="P08")} == {
        "plc/P08/temp",
        "plc/P08/speed{x}",
        "m/P08/kW",
    }
    assert tag_of("P08", "power").name_en == "P08 power"
    assert TemplatedUnit.objects.get(work_unit=unit).number == 7
    assert all(tag.overrides == [] for tag in Tag.objects.filter(work_unit=unit))


def test_a_released_machine_keeps_its_tags():
    kind = press()
    make(kind)
    unit = WorkUnit.objects.get(code="P01")
    machines.release_machine(actor=SYSTEM, work_unit_id=unit.pk, at=SHIFT_START)
    save(kind, row("temp", deadband=9), row("run", data_type="bool"))
    assert tag_of("P01", "temp").deadband == 0.5


# ---- cells --------------------------------------------------------------------------------------------------------


def test_cells_are_changed_together_or_not_at_all():
    make(press())
    one, other = tag_of("P01", "temp"), tag_of("P02", "temp")
    edits = [tag_edits.TagEdit(one.pk, {"unit": "K"}), tag_edits.TagEdit(other.pk, {"unit": "furlong", "scale": "0"})]
    with pytest.raises(InvalidInput) as refusal:
        tag_edits.edit_tags(actor=SYSTEM, edits=edits, at=SHIFT_START)
    assert f"{other.pk}.unit" in refusal.value.fields
    one.refresh_from_db()
    assert one.unit == "Cel"


def test_two_tags_may_swap_addresses_in_the_grid_but_not_share_one():
    make(press())
    one, other = tag_of("P01", "temp"), tag_of("P02", "temp")
    first, second = one.address, other.address
    edits = [tag_edits.TagEdit(one.pk, {"address": second}), tag_edits.TagEdit(other.pk, {"address": first})]
    assert tag_edits.edit_tags(actor=SYSTEM, edits=edits, at=SHIFT_START).changed == 2
    with pytest.raises(InvalidInput) as refusal:
        edit(one, address=first)
    assert f"{one.pk}.address" in refusal.value.fields


def test_a_cell_that_somebody_changed_meanwhile_is_not_written_over():
    make(press())
    tag = tag_of("P01", "temp")
    edit(tag, deadband="0.8")
    stale = tag_edits.TagEdit(tag.pk, {"deadband": "0.9"}, seen={"deadband": 0.5})
    with pytest.raises(InvalidInput) as refusal:
        tag_edits.edit_tags(actor=SYSTEM, edits=[stale], at=SHIFT_START)
    assert "0.8" in refusal.value.fields[f"{tag.pk}.deadband"]


def test_one_field_of_all_that_a_filter_keeps():
    make(press())
    wanted = tag_edits.TagFilter(site_id=a_site().pk, text="temp")
    done = tag_edits.set_field(actor=SYSTEM, wanted=wanted, name="stale_after_s", cell="5", count=3, at=SHIFT_START)
    assert done.changed == 3
    assert set(Tag.objects.filter(symbol="temp").values_list("stale_after_s", flat=True)) == {5.0}
    with pytest.raises(Conflict, match="keeps 3 tags"):
        tag_edits.set_field(actor=SYSTEM, wanted=wanted, name="unit", cell="K", count=4, at=SHIFT_START)


def test_cells_of_another_site_are_not_there():
    make(press())
    tag = tag_of("P01", "temp")
    stranger = an_actor_with("telemetry.edit", site=a_site("elsewhere", organisation="other"))
    with pytest.raises(InvalidInput, match="not there"):
        tag_edits.edit_tags(actor=stranger, edits=[tag_edits.TagEdit(tag.pk, {"unit": "K"})], at=SHIFT_START)
    with pytest.raises(PermissionRefused):
        tag_edits.edit_tags(
            actor=an_actor_with("telemetry.view"), edits=[tag_edits.TagEdit(tag.pk, {"unit": "K"})], at=SHIFT_START
        )


# ---- calculated tags ----------------------------------------------------------------------------------------------


def calculated():
    return (
        row("flow", unit="m3/h"),
        row("heat", unit="kW"),
        row("sum", address="{unit}/sum", formula="flow + flow", unit=""),
    )


def test_every_machine_calculates_from_its_own_symbols_and_derived_units_stay():
    kind = an_equipment_class("press")
    save(kind, *calculated())
    make(kind)
    tag = tag_of("P02", "sum")
    assert (tag.formula, tag.source.connector, tag.unit) == ("flow + flow", "calculated", "m3/h")
    assert not preview(kind, *calculated()).has_effect


def test_a_formula_that_names_what_a_machine_has_not_is_not_applied():
    kind = an_equipment_class("press")
    save(kind, *calculated())
    make(kind)
    first, second, third = calculated()
    with pytest.raises(InvalidInput):
        save(kind, second, third)  # flow is gone, sum needs it
    assert tag_of("P01", "flow").retired_at is None
    with pytest.raises(InvalidInput) as refusal:
        save(kind, first, replace(third, cells={**third.cells, "formula": "flow +"}))
    assert "tags.1.formula" in refusal.value.fields
