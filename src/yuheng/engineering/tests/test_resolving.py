"""Products for orders: every level, every quantity, exactly one version, and refusals that name the place."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from yuheng.engineering import selectors, services
from yuheng.engineering.models import BomVersion, Effectivity
from yuheng.engineering.rules import (
    AlternateSpec,
    AlternativeSpec,
    Basis,
    EffectivitySpec,
    LinkKind,
    LinkSpec,
    ParameterSpec,
    SegmentKind,
)
from yuheng.engineering.said import CannotCalculate, CyclicStructure, NoEffectiveVersion
from yuheng.engines.formulas.expressions import Kind
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, a_work_unit, an_actor, an_actor_with, another_site
from yuheng.testing.products import LONG_AGO, a_bom, a_line, a_material, a_product, a_segment, a_work_master

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 23)
RISE = ParameterSpec("rise", Kind.NUMBER, unit="mm", default="4500", low=Decimal(1000), high=Decimal(12000))
CLADDING = ParameterSpec("cladding", Kind.CHOICE, choices=("glass", "steel"), default="steel")


def resolved(material, *, quantity="1", actor=SYSTEM, on=TODAY, **more):
    return selectors.resolve(
        actor=actor,
        site_id=material.site_id,
        material_id=material.pk,
        on=on,
        quantity=Decimal(quantity),
        at=SHIFT_START,
        **more,
    )


def an_escalator():
    """Two levels below the product: a truss that is made, a phantom set, glass or steel."""
    truss = a_material("truss", source="make")
    a_bom(
        truss,
        a_line(
            "10", a_material("profile", unit="m"), "2 * rise + quantity(3, 'm')", unit="m", scrap_ratio=Decimal("0.2")
        ),
        a_line("20", "bolt", "24"),
        parameters=[RISE],
    )
    a_work_master(truss, a_segment("10", "rise / quantity(1, 'mm/s')"), parameters=[RISE])
    kit = a_material("kit", source="phantom")
    a_bom(kit, a_line("1", "bolt", "4"), a_line("2", "nut", "4"))
    product = a_material("escalator", source="make", tracking="serial")
    a_bom(
        product,
        a_line("10", truss, "1"),
        a_line("20", a_material("step"), "ceil(rise / quantity(200, 'mm')) + 10", segment="20"),
        a_line(
            "30", a_material("pane", unit="m2"), "rise * quantity(2, 'm')", unit="m2", condition="cladding == 'glass'"
        ),
        a_line("40", kit, "2"),
        parameters=[RISE, CLADDING],
    )
    a_work_master(product, a_segment("10", 600), a_segment("20", 1200, 300))
    return product


def test_every_level_and_quantity_is_resolved():
    found = resolved(an_escalator(), quantity="2", options={"rise": 6000, "cladding": "glass"})

    rows = [(one.path, one.code, one.quantity, one.gross_quantity, one.unit, one.owner_path) for one in found.lines]
    assert rows == [
        ("10", "truss", Decimal(2), Decimal(2), "{piece}", ""),
        ("10/10", "profile", Decimal(30), Decimal("37.5"), "m", "10"),
        ("10/20", "bolt", Decimal(48), Decimal(48), "{piece}", "10"),
        ("20", "step", Decimal(80), Decimal(80), "{piece}", ""),
        ("30", "pane", Decimal(24), Decimal(24), "m2", ""),
        ("40", "kit", Decimal(4), Decimal(4), "{piece}", ""),
        ("40/1", "bolt", Decimal(16), Decimal(16), "{piece}", ""),
        ("40/2", "nut", Decimal(16), Decimal(16), "{piece}", ""),
    ]
    assert [(one.path, one.code, one.quantity) for one in found.routings] == [
        ("", "escalator", Decimal(2)),
        ("10", "truss", Decimal(2)),
    ]
    assert found.routing("10").segment("10").run_s == 6000.0
    assert found.options == {"rise": "6000", "cladding": "glass"}
    assert [one.code for one in found.lines_of("")] == ["truss", "step", "pane", "bolt", "nut"]


def test_a_condition_leaves_a_line_out_and_the_default_holds_without_a_choice():
    found = resolved(an_escalator())
    assert "30" not in {one.path for one in found.lines}
    assert found.options == {"rise": "4500", "cladding": "steel"}


def test_the_same_product_has_the_same_fingerprint_and_can_be_read_back():
    product = an_escalator()
    first, again = resolved(product, quantity="3"), resolved(product, quantity="3.0")
    assert first.sha256 == again.sha256
    assert resolved(product, quantity="4").sha256 != first.sha256
    back = selectors.resolution_from_document(first.document, sha256=first.sha256)
    assert back == first
    assert back.sha256 == first.sha256
    with pytest.raises(InvalidInput):
        selectors.resolution_from_document(first.document | {"quantity": "5"}, sha256=first.sha256)
    with pytest.raises(InvalidInput):
        selectors.resolution_from_document({"format": "other"})


def test_a_value_in_another_unit_is_converted():
    found = resolved(an_escalator(), options={"rise": {"value": "6", "unit": "m"}})
    assert found.options["rise"] == "6000"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rise": 100}, "rise is 100, outside of 1000 … 12000."),
        ({"cladding": "wood"}, "cladding cannot be 'wood'. There are: glass, steel."),
        ({"colour": "red"}, "There is no option colour. There are: cladding, rise."),
        ({"rise": {"value": 1, "unit": "kg"}}, "rise is in 'mm'; 'kg' measures something else."),
        ({"rise": "tall"}, "rise is a number."),
    ],
)
def test_a_choice_that_cannot_be_is_refused(options, sentence):
    with pytest.raises(InvalidInput) as refusal:
        resolved(an_escalator(), options=options)
    assert str(refusal.value) == sentence


def test_a_division_by_zero_names_the_find_numbers():
    part = a_material("made", source="make")
    pitch = ParameterSpec("pitch", unit="mm", default="3", low=Decimal(2), high=Decimal(4))
    a_bom(part, a_line("7", "screw", "100 / (pitch - quantity(2.5, 'mm')) * quantity(1, 'mm')"), parameters=[pitch])
    a_work_master(part)
    product = a_product("P", a_line("30", part))
    with pytest.raises(CannotCalculate) as refusal:
        resolved(product, options={"pitch": "2.5"})
    assert str(refusal.value).startswith("30/7: ")
    assert "divides by zero" in str(refusal.value)


def test_a_negative_quantity_is_refused_with_its_place():
    product = a_material("P", source="make")
    rise = ParameterSpec("rise", unit="mm", default="10")
    a_bom(product, a_line("10", "screw", "rise / quantity(1, 'mm') - 5"), parameters=[rise])
    a_work_master(product)
    with pytest.raises(CannotCalculate, match=r"^10: "):
        resolved(product, options={"rise": 1})
    assert resolved(product, options={"rise": 5}).lines == ()


def test_without_a_version_that_holds_nothing_is_resolved():
    product = a_material("P", source="make")
    a_bom(product, a_line("10", "screw"), release=False)
    a_work_master(product)
    with pytest.raises(NoEffectiveVersion, match=r"P has no bill of material that holds. No version is released."):
        resolved(product)

    inner = a_material("Q", source="make")
    a_bom(inner, a_line("10", "screw"), effectivity=EffectivitySpec(valid_from=date(2027, 1, 1)))
    a_work_master(inner)
    outer = a_product("R", a_line("40", inner))
    with pytest.raises(NoEffectiveVersion) as refusal:
        resolved(outer)
    assert str(refusal.value).startswith(
        "40: Q has no bill of material that holds. No released version holds on 2026-11-23"
    )
    assert resolved(outer, on=date(2027, 1, 1)).lines[1].path == "40/10"


def test_without_a_work_master_nothing_is_made():
    product = a_material("P", source="make")
    a_bom(product, a_line("10", "screw"))
    with pytest.raises(NoEffectiveVersion, match=r"P has no work master."):
        resolved(product)


def test_an_order_comes_before_a_serial_number_comes_before_a_day():
    product = a_product("P")
    by_serial = a_bom(
        product,
        a_line("10", "special"),
        effectivity=EffectivitySpec(Basis.SERIAL, serial_prefix="FT-", serial_first=100, serial_last=199),
    )
    by_order = a_bom(product, a_line("10", "rush"), effectivity=EffectivitySpec(Basis.ORDER, order_code="SO-7"))
    assert resolved(product).bom_version_number == 1
    assert resolved(product, serial="FT-099").bom_version_number == 1
    assert resolved(product, serial="FT-0100").bom_version_id == by_serial.pk
    assert resolved(product, serial="XX-100").bom_version_number == 1
    assert resolved(product, serial="FT-150", order_code="SO-7").bom_version_id == by_order.pk


def test_a_material_that_contains_itself_is_refused_by_name_even_if_it_got_into_force():
    a, b = a_material("A", source="make"), a_material("B", source="make")
    for one in (a, b):
        a_work_master(one)
    a_bom(b, a_line("10", "screw"))
    a_bom(a, a_line("10", b))
    draft = a_bom(b, a_line("10", a), release=False)
    # what two releases at once could do if nothing kept them apart: straight into the tables
    Effectivity.objects.filter(bom__material=b).update(is_active=False)
    BomVersion.objects.filter(pk=draft.pk).update(state="released", released_at=SHIFT_START)
    Effectivity.objects.create(
        site=b.site, material=b, kind="bom", bom=draft, basis="date", valid_from=LONG_AGO, is_active=True
    )
    with pytest.raises(CyclicStructure) as refusal:
        resolved(a)
    assert str(refusal.value) == "10/10: The material contains itself: A → B → A."


def test_alternates_and_bindings_and_conversions():
    door = a_material("door", source="make")
    width = ParameterSpec("width", unit="mm")
    a_bom(
        door,
        a_line("1", a_material("sheet", unit="kg", conversions={"m": Decimal("2.5")}), "width", unit="m"),
        parameters=[width],
    )
    a_work_master(door)
    product = a_material("P", source="make")
    other = a_material("other")
    a_bom(
        product,
        a_line("10", door, "2", bindings={"width": "opening / 2"}),
        a_line("20", "lock", "3", alternates=(AlternateSpec(other.pk, 1, Decimal(2)),)),
        parameters=[ParameterSpec("opening", unit="m", default="1.6")],
    )
    a_work_master(product)
    found = resolved(product)
    assert {one.path: one.quantity for one in found.lines} == {"10": 2, "10/1": 4, "20": 3}
    assert found.lines[1].unit == "kg"
    alternate = found.lines[2].alternates[0]
    assert (alternate.code, alternate.quantity) == ("other", Decimal(6))


def test_scrap_of_every_level_adds_up_and_pieces_are_whole():
    inner = a_material("inner", source="make")
    a_bom(inner, a_line("1", "screw", "3", scrap_ratio=Decimal("0.1")))
    a_work_master(inner)
    product = a_product("P", a_line("10", inner, "1", scrap_ratio=Decimal("0.05")))
    found = resolved(product, quantity="10")
    assert [(one.quantity, one.gross_quantity) for one in found.lines] == [(10, 11), (30, 37)]
    assert found.routing("10").quantity == 11


def test_a_bill_for_a_hundred_is_shared_out():
    product = a_material("P", source="make")
    a_bom(product, a_line("10", a_material("glue", unit="kg"), "2", unit="kg"), base_quantity=Decimal(100))
    a_work_master(product)
    assert resolved(product, quantity="50").lines[0].quantity == 1


def test_a_segment_that_is_left_out_is_bridged_and_its_material_moves_on():
    product = a_material("P", source="make")
    paint = ParameterSpec("painted", Kind.BOOLEAN, default="false")
    a_bom(product, a_line("10", "paint", segment="20"), parameters=[paint])
    a_work_master(product, a_segment("10"), a_segment("20", condition="painted"), a_segment("30"), parameters=[paint])
    found = resolved(product)
    assert found.routing().order == ("10", "30")
    assert [(one.before, one.after) for one in found.routing().links] == [("10", "30")]
    assert found.lines[0].segment_code == "30"
    assert resolved(product, options={"painted": True}).routing().order == ("10", "20", "30")


def test_assembly_branches_rework_and_own_times():
    unit = a_work_unit("L01")
    product = a_material("P", source="make")
    a_work_master(
        product,
        a_segment("10", 10, 5, alternatives=(AlternativeSpec(unit.pk, "", "20"),)),
        a_segment("20"),
        a_segment("30", kind=SegmentKind.INSPECT),
        a_segment("35", kind=SegmentKind.REWORK),
        links=[
            LinkSpec("10", "30"),
            LinkSpec("20", "30"),
            LinkSpec("30", "35", LinkKind.REWORK, most=2),
            LinkSpec("35", "30"),
        ],
    )
    routing = resolved(product).routing()
    assert routing.order == ("10", "20", "30")
    assert [one.before for one in routing.predecessors("30")] == ["10", "20"]
    assert [(one.after, one.most) for one in routing.rework_of("30")] == [("35", 2)]
    assert [one.after for one in routing.returns_of("35")] == ["30"]
    segment = routing.segment("10")
    assert segment.duration_s(Decimal(3)) == 30.0
    assert segment.duration_s(Decimal(3), unit.pk) == 60.0
    assert segment.alternatives[0].setup_s == 5.0


def test_a_line_at_a_segment_that_is_not_there_is_refused():
    product = a_material("P", source="make")
    a_bom(product, a_line("10", "screw", segment="99"))
    a_work_master(product)
    with pytest.raises(InvalidInput, match=r"^10: It is used at segment 99"):
        resolved(product)


def test_what_cannot_be_made_is_refused():
    with pytest.raises(InvalidInput, match=r"is not made here"):
        resolved(a_material("screw"))
    product = a_product("P")
    for wrong in ("0", "-1", "NaN", "1e30"):
        with pytest.raises(InvalidInput):
            resolved(product, quantity=wrong)
    with pytest.raises(InvalidInput, match=r"which 'kg' is not"):
        resolved(product, unit="kg")
    services.retire_material(actor=SYSTEM, material_id=product.pk, at=SHIFT_START)
    with pytest.raises(Conflict, match=r"P is retired."):
        resolved(product)


def test_who_may_not_see_engineering_resolves_nothing():
    product = a_product("P")
    with pytest.raises(NotVisible):
        resolved(product, actor=an_actor("dora"))
    with pytest.raises(PermissionRefused):
        resolved(product, actor=an_actor_with("equipment.view"))
    with pytest.raises(NotVisible):
        selectors.resolve(
            actor=SYSTEM,
            site_id=another_site().pk,
            material_id=product.pk,
            on=TODAY,
            quantity=Decimal(1),
            at=SHIFT_START,
        )


def test_released_versions_can_be_taken_by_hand():
    product = a_product("P")
    second = a_bom(product, a_line("10", "rush"), effectivity=EffectivitySpec(Basis.ORDER, order_code="X"))
    assert resolved(product, bom_version_id=second.pk).lines[0].code == "rush"
    draft = a_bom(product, a_line("10", "draft"), release=False)
    with pytest.raises(InvalidInput):
        resolved(product, bom_version_id=draft.pk)


def test_six_hundred_lines_take_few_queries():
    product = a_material("escalator", source="make")
    groups = []
    for group in range(20):
        made = a_material(f"G{group}", source="make")
        a_bom(
            made,
            *(
                a_line(str(10 * at), f"S{at}", "rise / quantity(1, 'm') * 2", scrap_ratio=Decimal("0.01"))
                for at in range(1, 30)
            ),
            parameters=[RISE],
        )
        a_work_master(made, a_segment("10"), a_segment("20"))
        groups.append(a_line(str(10 * group + 10), made))
    a_bom(product, *groups, parameters=[RISE])
    a_work_master(product)
    with CaptureQueriesContext(
        connection,
    ) as context:
        found = resolved(product, quantity="2")
    assert len(found.lines) == 600
    assert len(context) == 29


def test_a_draft_can_be_looked_through():
    product = a_material("P", source="make")
    inner = a_product("Q")
    draft = a_bom(product, a_line("10", inner, "2"), release=False)
    lines = selectors.explode(actor=SYSTEM, version_id=draft.pk, at=SHIFT_START, on=TODAY)
    assert [(one.path, one.quantity) for one in lines] == [("10", 2), ("10/10", 4)]
    with pytest.raises(NotVisible):
        selectors.explode(actor=an_actor("dora"), version_id=draft.pk, at=SHIFT_START, on=TODAY)


def test_effective_versions_of_one_material():
    product = a_product("P")
    found = selectors.effective_versions(material_id=product.pk, on=TODAY)
    assert (found.bom_number, found.work_master_number) == (1, 1)
    assert selectors.effective_versions(material_id=a_material("raw").pk, on=TODAY).bom_version_id is None
    with pytest.raises(NoEffectiveVersion):
        selectors.effective_versions(material_id=product.pk, on=date(2019, 1, 1))
    assert a_site().pk == product.site_id
