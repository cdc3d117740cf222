"""Versions: what is released never changes, whoever tries; exactly one holds; changes need two people."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from yuheng.engineering import selectors, services
from yuheng.engineering.models import BomLine, BomVersion, Document, Effectivity, EngineeringChangeOrder, SegmentLink
from yuheng.engineering.rules import (
    Basis,
    BomSpec,
    ChangeSpec,
    EffectivitySpec,
    LinkSpec,
    MaterialSpec,
    ParameterSpec,
    SegmentKind,
    VersionKind,
    VersionState,
    WorkMasterSpec,
)
from yuheng.engineering.said import CyclicStructure, NoEffectiveVersion, VersionIsReleased
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, an_actor, an_actor_with
from yuheng.testing.products import LONG_AGO, a_bom, a_line, a_material, a_product, a_segment, a_work_master, moment

pytestmark = pytest.mark.django_db
JUNE = date(2026, 6, 1)
KIND = VersionKind.BOM


def nothing_happened(before):
    return before == (AuditRecord.objects.count(), OutboxEvent.objects.count(), BomVersion.objects.count())


def counted():
    return (AuditRecord.objects.count(), OutboxEvent.objects.count(), BomVersion.objects.count())


def spec_with(*lines, **fields):
    return BomSpec(tuple(lines), **fields)


def release(version, actor=SYSTEM, at=SHIFT_START, **more):
    return services.release_bom(actor=actor, version_id=version.pk, at=at, **more)


# ---- drafts -------------------------------------------------------------------------------------------------------


def test_a_draft_is_written_anew_until_it_is_released():
    product = a_material("P", source="make")
    draft = a_bom(product, a_line("10", "a"), release=False)
    changed = services.replace_bom(
        actor=SYSTEM, version_id=draft.pk, spec=spec_with(a_line("20", "b")), edition=1, at=SHIFT_START
    )
    assert changed.edition == 2
    assert [line.find_number for line in selectors.bom_version(actor=SYSTEM, version_id=draft.pk).spec.lines] == ["20"]
    with pytest.raises(Conflict, match="Somebody else changed"):
        services.replace_bom(actor=SYSTEM, version_id=draft.pk, spec=spec_with(), edition=1, at=SHIFT_START)


def test_find_numbers_stand_in_the_order_people_count():
    draft = a_bom(a_material("P", source="make"), *(a_line(n, "a") for n in ("100", "20", "3")), release=False)
    spec = selectors.bom_version(actor=SYSTEM, version_id=draft.pk).spec
    assert [line.find_number for line in spec.lines] == ["3", "20", "100"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (lambda: a_line("10", "a", "2 *"), "10: Character 1: this is not a formula."),
        (lambda: a_line("10", "a", "2 * width"), "10: There is no parameter 'width'. There are: -."),
        (lambda: a_line("10", "a", "2", unit="kg"), "10: a is kept in '{piece}', which 'kg' is not."),
        (
            lambda: a_line("10", "a", "quantity(2, 'm')"),
            "10: The formula gives 'm', which cannot be converted to '{piece}'.",
        ),
        (lambda: a_line("10", "a", scrap_ratio=Decimal(1)), "10: Scrap is a share from 0 to less than 1."),
        (lambda: a_line("1 0", "a"), "1 0: '1 0' is not a find number such as 10 or A-12."),
        (
            lambda: a_line("10", "a", condition="'x'"),
            "10: 'x' is a word: compare a choice with it, as in cladding == 'glass'.",
        ),
    ],
)
def test_a_line_that_cannot_be_is_refused_where_it_stands(line, sentence):
    product = a_material("P", source="make")
    spec, before = spec_with(line()), counted()
    with pytest.raises(InvalidInput) as refusal:
        services.define_bom(actor=SYSTEM, material_id=product.pk, spec=spec, at=SHIFT_START)
    assert str(refusal.value) == sentence
    assert list(refusal.value.fields) == [sentence.split(":")[0]]
    assert nothing_happened(before)


def test_a_material_is_not_part_of_itself_and_a_find_number_stands_once():
    product = a_material("P", source="make")
    with pytest.raises(InvalidInput, match="P cannot be part of itself"):
        a_bom(product, a_line("10", product), release=False)
    with pytest.raises(InvalidInput, match="stands twice"):
        a_bom(product, a_line("10", "a"), a_line("10", "b"), release=False)


def test_a_draft_is_copied_and_thrown_away():
    product = a_product("P")
    copy = services.copy_bom(actor=SYSTEM, version_id=BomVersion.objects.get().pk, at=SHIFT_START)
    assert (copy.number, copy.state) == (2, VersionState.DRAFT)
    services.discard_bom(actor=SYSTEM, version_id=copy.pk, at=SHIFT_START)
    assert selectors.versions_of(actor=SYSTEM, material_id=product.pk).boms[0].number == 1


# ---- release ------------------------------------------------------------------------------------------------------


def test_release_says_what_holds_from_today_and_tells_the_others():
    product = a_material("P", source="make")
    draft = a_bom(product, a_line("10", "a"), release=False)
    OutboxEvent.objects.all().delete()
    released = release(draft, at=moment("2026-11-23"))
    assert released.state == VersionState.RELEASED
    assert len(released.content_sha256) == 64
    held = selectors.versions_of(actor=SYSTEM, material_id=product.pk).boms[0].effectivities
    assert [(one.basis, one.valid_from, one.valid_to) for one in held] == [(Basis.DATE, date(2026, 11, 23), None)]
    event = OutboxEvent.objects.get()
    assert event.kind == "engineering.VersionReleased"
    assert event.payload["version_id"] == draft.pk


def test_release_needs_its_permission():
    draft = a_bom(a_material("P", source="make"), a_line("10", "a"), release=False)
    before = counted()
    with pytest.raises(PermissionRefused):
        release(draft, actor=an_actor_with("engineering.view", "engineering.edit"))
    with pytest.raises(NotVisible):
        release(draft, actor=an_actor("dora"))
    assert BomVersion.objects.get(pk=draft.pk).state == VersionState.DRAFT
    assert nothing_happened((before[0], before[1], before[2]))


@pytest.mark.parametrize(
    ("lines", "parameters", "sentence"),
    [
        ([], [], "The bill of material has no lines."),
        ([("10", "4 / 0")], [], "10: '4 / 0' cannot be calculated: This divides by zero."),
        ([("10", "0")], [], "10: The quantity must be more than nothing."),
        (
            [("30", "100 / number(pitch, 'mm')")],
            [ParameterSpec("pitch", unit="mm", default="5")],
            "30: '100 / number(pitch, 'mm')' cannot be calculated for pitch = 0: This divides by zero.",
        ),
    ],
)
def test_what_cannot_be_calculated_is_not_released(lines, parameters, sentence):
    product = a_material("P", source="make")
    draft = a_bom(product, *(a_line(n, "a", q) for n, q in lines), parameters=parameters, release=False)
    before = counted()
    with pytest.raises(InvalidInput) as refusal:
        release(draft)
    assert str(refusal.value) == sentence
    assert nothing_happened(before)


def test_limits_or_a_condition_make_a_division_safe():
    product = a_material("P", source="make")
    pitch = ParameterSpec("pitch", unit="mm", default="5", low=Decimal(1))
    a_bom(product, a_line("10", "a", "100 / number(pitch, 'mm')"), parameters=[pitch])
    free = ParameterSpec("pitch", unit="mm", default="5")
    other = a_material("Q", source="make")
    a_bom(other, a_line("10", "a", "100 / number(pitch, 'mm')", condition="pitch > 0"), parameters=[free])


def test_a_circle_through_several_bills_is_refused_by_name():
    a, b, c = (a_material(code, source="make") for code in "ABC")
    a_bom(b, a_line("10", c))
    a_bom(a, a_line("10", b))
    draft = a_bom(c, a_line("10", "screw"), a_line("20", a), release=False)
    before = counted()
    with pytest.raises(CyclicStructure, match=r"C → A → B → C"):
        release(draft)
    assert nothing_happened(before)


def test_a_circle_of_segments_is_refused_by_name():
    product = a_material("P", source="make")
    draft = a_work_master(
        product,
        a_segment("10"),
        a_segment("20"),
        a_segment("30"),
        links=[LinkSpec("10", "20"), LinkSpec("20", "30"), LinkSpec("30", "20")],
        release=False,
    )
    with pytest.raises(CyclicStructure, match=r"20 → 30 → 20"):
        services.release_work_master(actor=SYSTEM, version_id=draft.pk, at=SHIFT_START)


@pytest.mark.parametrize(
    ("segment", "sentence"),
    [
        (lambda: a_segment(equipment_class_id=None), "10: Say where it is done"),
        (lambda: a_segment(kind=SegmentKind.SUBCONTRACT), "10: Say who does it"),
        (lambda: a_segment(run_s="60 / 0"), "10: '60 / 0' cannot be calculated: This divides by zero."),
    ],
)
def test_an_unfinished_work_master_is_not_released(segment, sentence):
    draft = a_work_master(a_material("P", source="make"), segment(), release=False)
    with pytest.raises(InvalidInput) as refusal:
        services.release_work_master(actor=SYSTEM, version_id=draft.pk, at=SHIFT_START)
    assert str(refusal.value).startswith(sentence)


def test_a_second_version_for_the_same_days_takes_a_change_order():
    product = a_product("P")
    draft = a_bom(product, a_line("10", "b"), release=False)
    before = counted()
    with pytest.raises(Conflict, match="Version 1 holds for this already"):
        release(draft)
    assert nothing_happened(before)
    release(draft, effectivity=EffectivitySpec(Basis.ORDER, order_code="SO-1"))


def test_serial_numbers_overlap_only_with_the_same_prefix():
    product = a_product("P")

    def by_serial(prefix, first, last):
        what = EffectivitySpec(Basis.SERIAL, serial_prefix=prefix, serial_first=first, serial_last=last)
        return a_bom(product, a_line("10", "b"), effectivity=what)

    by_serial("A-", 1, 99)
    by_serial("A-", 100, None)
    by_serial("B-", 1, None)
    with pytest.raises(Conflict):
        by_serial("A-", 50, 60)


# ---- what is released never changes -------------------------------------------------------------------------------


def test_a_released_version_is_not_edited_by_services():
    product = a_product("P")
    version = BomVersion.objects.get(material=product)
    before = counted()
    with pytest.raises(VersionIsReleased):
        services.replace_bom(actor=SYSTEM, version_id=version.pk, spec=spec_with(), at=SHIFT_START)
    with pytest.raises(VersionIsReleased):
        services.discard_bom(actor=SYSTEM, version_id=version.pk, at=SHIFT_START)
    with pytest.raises(VersionIsReleased):
        release(version)
    assert nothing_happened(before)


REFUSED = (InternalError, IntegrityError)


def test_a_released_version_is_not_changed_by_anybody_in_the_database():
    product = a_product("P", a_line("10", "raw", "2"))
    other = a_material("other")
    bom, line = BomVersion.objects.get(), BomLine.objects.get()
    tries = [
        lambda: BomLine.objects.filter(pk=line.pk).update(quantity="3"),
        lambda: BomLine.objects.filter(pk=line.pk).delete(),
        lambda: BomLine.objects.create(
            bom=bom, rank=9, find_number="90", component=other, quantity="1", unit="{piece}"
        ),
        lambda: BomVersion.objects.filter(pk=bom.pk).update(note="other"),
        lambda: BomVersion.objects.filter(pk=bom.pk).update(state="draft", released_at=None),
        lambda: line.alternates.create(component=other),
        lambda: SegmentLink.objects.create(
            work_master=(master := a_master(product)),
            before=master.segments.all()[0],
            after=a_master(a_product("Q")).segments.all()[0],
            kind="finish_start",
        ),
        lambda: a_master(product).segments.update(run_time="1"),
    ]
    for attempt in tries:
        with pytest.raises(REFUSED, match=r"never changes|can only be released|never removed"), transaction.atomic():
            attempt()
    with pytest.raises(REFUSED), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM engineering_bomversion WHERE id = %s", [bom.pk])
    assert BomLine.objects.get().quantity == "2"


def a_master(product):
    return product_master(product)


def product_master(product):
    from_rows = selectors.versions_of(actor=SYSTEM, material_id=product.pk).work_masters[0]
    return SegmentLink._meta.get_field("work_master").related_model.objects.get(pk=from_rows.id)


def test_two_versions_never_hold_for_the_same_day_in_the_database():
    product = a_product("P")
    draft = a_bom(product, a_line("10", "b"), release=False)
    for basis in ({"basis": "date", "valid_from": JUNE}, {"basis": "date", "valid_from": date(2019, 1, 1)}):
        with pytest.raises(IntegrityError, match="one_effective_version_per_date"), transaction.atomic():
            Effectivity.objects.create(
                site=product.site, material=product, kind="bom", bom=draft, is_active=True, **basis
            )


def test_a_document_is_kept_once_and_never_changed():
    content = b"%PDF-1.7 drawing"
    kept = [
        services.keep_document(actor=SYSTEM, site_id=a_site().pk, name="a.pdf", content=content, at=SHIFT_START)
        for _ in range(2)
    ]
    assert kept[0].pk == kept[1].pk
    with pytest.raises(REFUSED), transaction.atomic():
        Document.objects.update(name="b")
    for wrong in (b"", b"<svg onload=alert(1)>", b"MZ..", b"RIFFxxxxAVI "):
        with pytest.raises(InvalidInput):
            services.keep_document(actor=SYSTEM, site_id=a_site().pk, name="a", content=wrong, at=SHIFT_START)


# ---- changes ------------------------------------------------------------------------------------------------------


def author():
    return an_actor("eve", role="engineer")


def approver():
    return an_actor("cleo")


def a_change(*drafts, start=date(2026, 12, 1), **fields):
    spec = ChangeSpec("Stronger bolts", "Bolts broke in the field", start, **fields)
    change = services.create_change(actor=author(), site_id=a_site().pk, spec=spec, at=SHIFT_START)
    for draft in drafts:
        kind = VersionKind.BOM if isinstance(draft, BomVersion) else VersionKind.WORK_MASTER
        services.add_to_change(actor=author(), change_id=change.pk, kind=kind, version_id=draft.pk, at=SHIFT_START)
    return change


def submitted(*drafts, **more):
    change = a_change(*drafts, **more)
    return services.submit_change(actor=author(), change_id=change.pk, at=SHIFT_START)


def test_a_change_replaces_versions_from_its_day_on():
    product = a_product("P")
    bom = a_bom(product, a_line("10", "b"), release=False)
    master = a_work_master(product, a_segment("10"), a_segment("20"), release=False)
    change = submitted(bom, master)
    assert change.code == "ECO-0001"
    services.approve_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    OutboxEvent.objects.all().delete()
    services.implement_change(actor=approver(), change_id=change.pk, at=SHIFT_START)

    before = selectors.effective_versions(material_id=product.pk, on=date(2026, 11, 30))
    after = selectors.effective_versions(material_id=product.pk, on=date(2026, 12, 1))
    assert (before.bom_number, before.work_master_number) == (1, 1)
    assert (after.bom_number, after.work_master_number) == (2, 2)
    assert [one.state for one in selectors.versions_of(actor=SYSTEM, material_id=product.pk).boms] == [
        VersionState.RELEASED,
        VersionState.SUPERSEDED,
    ]
    kinds = [event.kind for event in OutboxEvent.objects.order_by("id")]
    assert kinds.count("engineering.VersionReleased") == kinds.count("engineering.VersionSuperseded") == 2
    assert kinds[-1] == "engineering.ChangeImplemented"


def test_the_author_does_not_approve():
    product = a_product("P")
    change = submitted(a_bom(product, a_line("10", "b"), release=False))
    before = counted()
    with pytest.raises(Conflict, match="Another person than the author"):
        services.approve_change(actor=author(), change_id=change.pk, at=SHIFT_START)
    with pytest.raises(PermissionRefused):
        services.approve_change(actor=an_actor("ana"), change_id=change.pk, at=SHIFT_START)
    assert nothing_happened(before)
    with pytest.raises(IntegrityError, match="change_is_approved_by_another_person"), transaction.atomic():
        EngineeringChangeOrder.objects.filter(pk=change.pk).update(state="approved", decided_by=change.created_by)


def test_a_draft_changed_after_it_was_submitted_is_not_approved():
    product = a_product("P")
    draft = a_bom(product, a_line("10", "b"), release=False)
    change = submitted(draft)
    services.replace_bom(actor=author(), version_id=draft.pk, spec=spec_with(a_line("10", "c")), at=SHIFT_START)
    with pytest.raises(Conflict, match="was changed since"):
        services.approve_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    services.withdraw_change(actor=author(), change_id=change.pk, at=SHIFT_START)
    services.submit_change(actor=author(), change_id=change.pk, at=SHIFT_START)
    services.approve_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    services.replace_bom(actor=author(), version_id=draft.pk, spec=spec_with(a_line("10", "d")), at=SHIFT_START)
    with pytest.raises(Conflict, match="was changed since"):
        services.implement_change(actor=approver(), change_id=change.pk, at=SHIFT_START)


def test_a_change_is_implemented_whole_or_not_at_all():
    a, b = a_product("A"), a_product("B")
    change = submitted(*(a_bom(one, a_line("10", "new"), release=False) for one in (a, b)))
    services.approve_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    part = a_material("new")
    part.retired_at = SHIFT_START
    part.save()
    before = counted()
    with pytest.raises(InvalidInput, match="new is retired"):
        services.implement_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    assert nothing_happened(before)
    assert set(BomVersion.objects.filter(number=2).values_list("state", flat=True)) == {"draft"}


def test_two_bills_that_only_together_make_a_circle_are_refused_together():
    a, b = a_product("A"), a_product("B")
    change = a_change(a_bom(a, a_line("10", b), release=False), a_bom(b, a_line("10", a), release=False))
    with pytest.raises(CyclicStructure, match="A → B → A"):
        services.submit_change(actor=author(), change_id=change.pk, at=SHIFT_START)


def test_a_change_in_the_middle_leaves_what_is_around_it():
    product = a_product("P")
    first = BomVersion.objects.get(material=product)
    change = submitted(a_bom(product, a_line("10", "b"), release=False), start=date(2020, 6, 1))
    services.approve_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    services.implement_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    # its day was over: it holds from the day on which it was implemented, at the plant
    held = Effectivity.objects.filter(bom=first, is_active=True).values_list("valid_from", "valid_to")
    assert list(held) == [(LONG_AGO, date(2026, 11, 23))]


def test_a_change_can_end_a_version_without_another():
    product = a_product("P")
    version = BomVersion.objects.get(material=product)
    change = a_change()
    services.add_to_change(
        actor=author(), change_id=change.pk, kind=KIND, version_id=version.pk, is_end=True, at=SHIFT_START
    )
    services.submit_change(actor=author(), change_id=change.pk, at=SHIFT_START)
    services.approve_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    services.implement_change(actor=approver(), change_id=change.pk, at=SHIFT_START)
    assert selectors.effective_versions(material_id=product.pk, on=date(2026, 11, 30)).bom_number == 1
    with pytest.raises(NoEffectiveVersion):
        selectors.effective_versions(material_id=product.pk, on=date(2026, 12, 1))


def test_a_change_goes_only_the_published_ways():
    change = a_change()
    with pytest.raises(Conflict, match="affects no version"):
        services.submit_change(actor=author(), change_id=change.pk, at=SHIFT_START)
    for verb in (services.approve_change, services.implement_change):
        with pytest.raises(Conflict):
            verb(actor=approver(), change_id=change.pk, at=SHIFT_START)
    services.reject_change(actor=approver(), change_id=change.pk, note="No", at=SHIFT_START)
    with pytest.raises(Conflict):
        services.submit_change(actor=author(), change_id=change.pk, at=SHIFT_START)


def test_a_change_takes_one_draft_a_material_and_no_released_version():
    product = a_product("P")
    drafts = [a_bom(product, a_line("10", "b"), release=False) for _ in range(2)]
    change = a_change(drafts[0])
    for version, sentence in ((drafts[1], "already"), (BomVersion.objects.get(number=1), "is released already")):
        with pytest.raises(Conflict, match=sentence):
            services.add_to_change(
                actor=author(), change_id=change.pk, kind=KIND, version_id=version.pk, at=SHIFT_START
            )
    with pytest.raises(Conflict, match="ECO-0001 names this version"):
        services.discard_bom(actor=SYSTEM, version_id=drafts[0].pk, at=SHIFT_START)


def test_impact_goes_up_to_the_products(settings):
    leaf = a_product("leaf")
    middle = a_product("middle", a_line("10", leaf))
    a_product("top", a_line("10", middle))
    change = submitted(a_bom(leaf, a_line("10", "b"), release=False))
    settings.ENGINEERING_IMPACT = "yuheng.engineering.tests.test_versions.one_open_order"
    found = selectors.impact(actor=SYSTEM, change_id=change.pk)
    assert [(one.level, one.way) for one in found.used_in] == [
        (1, ("leaf", "middle")),
        (2, ("leaf", "middle", "top")),
    ]
    assert [one.code for one in found.open_work] == ["OR-3"]


def one_open_order(*, actor, site_id, material_ids, bom_version_ids, work_master_version_ids):
    return [selectors.ImpactRow("request", f"OR-{len(material_ids)}", "", "", "released")]


def test_retiring_takes_a_version_out_of_force():
    product = a_product("P")
    version = BomVersion.objects.get(material=product)
    with pytest.raises(InvalidInput):
        services.retire_version(actor=SYSTEM, kind=KIND, version_id=version.pk, reason=" ", at=SHIFT_START)
    services.retire_version(actor=SYSTEM, kind=KIND, version_id=version.pk, reason="unsafe", at=SHIFT_START)
    assert BomVersion.objects.get().state == VersionState.OBSOLETE
    assert not Effectivity.objects.filter(bom=version, is_active=True).exists()


# ---- materials ----------------------------------------------------------------------------------------------------


def test_a_material_in_a_bill_keeps_its_unit_and_is_not_retired():
    part = a_material("part")
    a_product("P", a_line("10", part))
    spec = MaterialSpec("part", "件", "Part", unit="kg")
    with pytest.raises(Conflict, match="its unit cannot change"):
        services.edit_material(actor=SYSTEM, material_id=part.pk, spec=spec, at=SHIFT_START)
    with pytest.raises(Conflict, match="part is part of P"):
        services.retire_material(actor=SYSTEM, material_id=part.pk, at=SHIFT_START)


def test_a_material_is_checked_and_taken_once():
    for spec, field in (
        (MaterialSpec("two words", "件", "x"), "code"),
        (MaterialSpec("a", "", "x"), "name_zh"),
        (MaterialSpec("a", "件", "x", unit="furlong"), "unit"),
        (MaterialSpec("a", "件", "x", class_code="none"), "class_code"),
        (MaterialSpec("a", "件", "x", conversions={"{box}": Decimal(0)}), "conversions"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            services.create_material(actor=SYSTEM, site_id=a_site().pk, spec=spec, at=SHIFT_START)
        assert field in refusal.value.fields
    a_material("a")
    with pytest.raises(InvalidInput, match="taken"):
        services.create_material(actor=SYSTEM, site_id=a_site().pk, spec=MaterialSpec("a", "件", "x"), at=SHIFT_START)


def test_revisions_are_kept_and_the_newest_is_current():
    part = a_material("part")
    for code in "AB":
        services.revise_material(actor=SYSTEM, material_id=part.pk, code=code, reason="why", at=SHIFT_START)
    assert selectors.material(actor=SYSTEM, material_id=part.pk).revision == "B"
    with pytest.raises(InvalidInput, match="has a revision A already"):
        services.revise_material(actor=SYSTEM, material_id=part.pk, code="A", reason="", at=SHIFT_START)
    assert [one.code for one in selectors.revisions_of(actor=SYSTEM, material_id=part.pk)] == ["B", "A"]


# ---- comparing ----------------------------------------------------------------------------------------------------


def test_two_bills_are_compared_line_by_line():
    product = a_material("P", source="make")
    one = a_bom(product, a_line("10", "a", "2"), a_line("20", "b"), a_line("30", "c"), release=False)
    two = a_bom(product, a_line("10", "a", "3"), a_line("25", "b"), a_line("40", "d"), release=False)
    found = selectors.compare_boms(actor=SYSTEM, before_id=one.pk, after_id=two.pk)
    assert [(x.key, x.label) for x in found.added] == [("40", "d")]
    assert [(x.key, x.label) for x in found.removed] == [("30", "c")]
    assert [(x.key, [(f.field, f.before, f.after) for f in x.changes]) for x in found.changed] == [
        ("10", [("quantity", "2", "3")]),
        ("20", [("find_number", "20", "25")]),
    ]
    assert selectors.compare_boms(actor=SYSTEM, before_id=one.pk, after_id=one.pk).is_same


def test_two_work_masters_are_compared_by_segment_and_link():
    product = a_material("P", source="make")
    one = a_work_master(product, a_segment("10", 60), a_segment("20"), release=False)
    spec = WorkMasterSpec((a_segment("10", 90), a_segment("30")))
    two = services.define_work_master(actor=SYSTEM, material_id=product.pk, spec=spec, at=SHIFT_START)
    found = selectors.compare_work_masters(actor=SYSTEM, before_id=one.pk, after_id=two.pk)
    assert [(x.kind, x.key) for x in found.added] == [("segment", "30"), ("link", "10 → 30")]
    assert [(x.kind, x.key) for x in found.removed] == [("segment", "20"), ("link", "10 → 20")]
    assert [[(f.field, f.before, f.after) for f in x.changes] for x in found.changed] == [[("run_time", "60", "90")]]
