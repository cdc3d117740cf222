"""Verbs about equipment."""

from datetime import timedelta

import pytest

from yuheng.equipment import selectors, services
from yuheng.equipment.models import Area, AssetAssignment, EquipmentClass, WorkUnit
from yuheng.equipment.rules import Rect
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent, Site
from yuheng.testing.builders import (
    SHIFT_START,
    SYSTEM,
    a_site,
    a_work_center,
    a_work_unit,
    an_actor,
    an_area,
    an_equipment_class,
    another_site,
)

pytestmark = pytest.mark.django_db
LATER = SHIFT_START + timedelta(days=1)
NAMES = {"name_zh": "新", "name_en": "New"}

VERBS = {
    "create_area": lambda actor: services.create_area(
        actor=actor, site_id=a_site().pk, code="A9", at=SHIFT_START, **NAMES
    ),
    "create_work_center": lambda actor: services.create_work_center(
        actor=actor, area_id=an_area().pk, code="C9", at=SHIFT_START, **NAMES
    ),
    "create_work_unit": lambda actor: services.create_work_unit(
        actor=actor, work_center_id=a_work_center().pk, code="U9", at=SHIFT_START, **NAMES
    ),
    "rename_area": lambda actor: services.rename_area(actor=actor, area_id=an_area().pk, at=SHIFT_START, **NAMES),
    "rename_work_center": lambda actor: services.rename_work_center(
        actor=actor, work_center_id=a_work_center().pk, at=SHIFT_START, **NAMES
    ),
    "rename_work_unit": lambda actor: services.rename_work_unit(
        actor=actor, work_unit_id=a_work_unit().pk, at=SHIFT_START, **NAMES
    ),
    "move_work_center": lambda actor: services.move_work_center(
        actor=actor, work_center_id=a_work_center().pk, area_id=an_area("other").pk, at=SHIFT_START
    ),
    "move_work_unit": lambda actor: services.move_work_unit(
        actor=actor, work_unit_id=a_work_unit().pk, work_center_id=a_work_center("other").pk, at=SHIFT_START
    ),
    "classify_work_unit": lambda actor: services.classify_work_unit(
        actor=actor, work_unit_id=a_work_unit().pk, equipment_class_id=an_equipment_class().pk, at=SHIFT_START
    ),
    "retire_work_unit": lambda actor: services.retire_work_unit(
        actor=actor, work_unit_id=a_work_unit().pk, at=SHIFT_START
    ),
    "restore_work_unit": lambda actor: services.restore_work_unit(
        actor=actor, work_unit_id=a_work_unit().pk, at=SHIFT_START
    ),
    "retire_area": lambda actor: services.retire_area(actor=actor, area_id=an_area("empty").pk, at=SHIFT_START),
    "retire_work_center": lambda actor: services.retire_work_center(
        actor=actor, work_center_id=a_work_center("empty").pk, at=SHIFT_START
    ),
    "place_area": lambda actor: services.place_area(
        actor=actor, area_id=an_area().pk, rect=Rect(1, 2, 3, 4), at=SHIFT_START
    ),
    "place_work_unit": lambda actor: services.place_work_unit(
        actor=actor, work_unit_id=a_work_unit().pk, rect=Rect(1, 2, 3, 4), at=SHIFT_START
    ),
    "create_equipment_class": lambda actor: services.create_equipment_class(
        actor=actor, site_id=a_site().pk, code="K9", at=SHIFT_START, **NAMES
    ),
    "name_cause": lambda actor: services.name_cause(
        actor=actor, equipment_class_id=an_equipment_class().pk, code="12", at=SHIFT_START, **NAMES
    ),
    "install_asset": lambda actor: services.install_asset(
        actor=actor, work_unit_id=a_work_unit().pk, serial="S1", at=SHIFT_START
    ),
    "assign_calendar": lambda actor: services.assign_calendar(
        actor=actor, site_id=a_site().pk, calendar_code=None, at=SHIFT_START
    ),
    "set_site_target": lambda actor: services.set_site_target(
        actor=actor, site_id=a_site().pk, indicator="producing_ratio", value=0.75, at=SHIFT_START
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_an_engineer_does_it_and_it_is_told_and_recorded(verb):
    VERBS[verb](an_actor("lin"))
    assert OutboxEvent.objects.get().kind == "equipment.EquipmentChanged"
    assert AuditRecord.objects.get().actor_name == "lin"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("who", "refusal"), [("ana", PermissionRefused), ("dora", NotVisible)])
def test_the_wrong_role_is_refused_and_a_stranger_finds_nothing(verb, who, refusal):
    with pytest.raises(refusal):
        VERBS[verb](an_actor(who))
    assert not OutboxEvent.objects.exists()
    assert not AuditRecord.objects.exists()


def test_a_code_is_taken_once_per_site():
    a_work_unit("L01")
    with pytest.raises(InvalidInput, match="taken"):
        services.create_work_unit(actor=SYSTEM, work_center_id=a_work_center().pk, code="L01", at=SHIFT_START, **NAMES)
    assert not OutboxEvent.objects.exists()
    elsewhere = a_work_center("laser", site=another_site())
    services.create_work_unit(actor=SYSTEM, work_center_id=elsewhere.pk, code="L01", at=SHIFT_START, **NAMES)
    assert WorkUnit.objects.filter(code="L01").count() == 2


@pytest.mark.parametrize("code", ["", "two words", "a/b", "x" * 41])
def test_a_code_is_simple(code):
    with pytest.raises(InvalidInput):
        services.create_area(actor=SYSTEM, site_id=a_site().pk, code=code, at=SHIFT_START, **NAMES)
    assert not Area.objects.exists()


def test_nothing_moves_to_another_site():
    with pytest.raises(NotVisible):
        services.move_work_unit(
            actor=SYSTEM,
            work_unit_id=a_work_unit().pk,
            work_center_id=a_work_center("c", site=another_site()).pk,
            at=SHIFT_START,
        )
    with pytest.raises(NotVisible):
        services.classify_work_unit(
            actor=SYSTEM,
            work_unit_id=a_work_unit().pk,
            equipment_class_id=an_equipment_class(site=another_site()).pk,
            at=SHIFT_START,
        )


def test_what_still_has_equipment_in_use_is_not_retired():
    unit = a_work_unit()
    with pytest.raises(Conflict, match="still has"):
        services.retire_work_center(actor=SYSTEM, work_center_id=unit.work_center_id, at=SHIFT_START)
    services.retire_work_unit(actor=SYSTEM, work_unit_id=unit.pk, at=SHIFT_START)
    services.retire_work_center(actor=SYSTEM, work_center_id=unit.work_center_id, at=SHIFT_START)
    services.retire_area(actor=SYSTEM, area_id=unit.work_center.area_id, at=SHIFT_START)
    with pytest.raises(Conflict, match="retired"):
        services.create_work_unit(actor=SYSTEM, work_center_id=unit.work_center_id, code="new", at=SHIFT_START, **NAMES)
    with pytest.raises(Conflict, match="retired"):
        services.restore_work_unit(actor=SYSTEM, work_unit_id=unit.pk, at=SHIFT_START)


def test_which_asset_played_which_unit_is_remembered():
    first, second = a_work_unit("L01"), a_work_unit("L02")
    for unit, serial, at in ((first, "A", SHIFT_START), (second, "B", SHIFT_START), (second, "A", LATER)):
        services.install_asset(actor=SYSTEM, work_unit_id=unit.pk, serial=serial, maker="M", at=at)
    services.install_asset(actor=SYSTEM, work_unit_id=second.pk, serial="A", maker="M", at=LATER)

    history = [
        (row.serial, row.from_at, row.to_at) for row in selectors.assets_of(actor=SYSTEM, work_unit_id=second.pk)
    ]
    assert history == [("A", LATER, None), ("B", SHIFT_START, LATER)]
    assert [row.to_at for row in selectors.assets_of(actor=SYSTEM, work_unit_id=first.pk)] == [LATER]
    services.retire_work_unit(actor=SYSTEM, work_unit_id=second.pk, at=LATER)
    assert not AssetAssignment.objects.filter(to_at__isnull=True).exists()


def test_a_target_needs_a_unit_that_exists():
    with pytest.raises(InvalidInput, match="UCUM"):
        services.set_site_target(
            actor=SYSTEM, site_id=a_site().pk, indicator="energy", value=1, unit="kWh", at=SHIFT_START
        )
    services.set_site_target(
        actor=SYSTEM, site_id=a_site().pk, indicator="energy", value=1, unit="kW.h", at=SHIFT_START
    )
    services.set_site_target(
        actor=SYSTEM, site_id=a_site().pk, indicator="energy", value=2, unit="kW.h", at=SHIFT_START
    )
    assert selectors.site_targets(actor=SYSTEM, site_id=a_site().pk)["energy"].value == 2


def test_causes_have_names():
    kind = an_equipment_class()
    services.name_cause(actor=SYSTEM, equipment_class_id=kind.pk, code="12", at=SHIFT_START, **NAMES)
    assert selectors.cause_names(actor=SYSTEM, site_id=kind.site_id)[kind.pk, "12"].en == "New"
    with pytest.raises(InvalidInput):
        services.name_cause(
            actor=SYSTEM, equipment_class_id=kind.pk, code=" ", name_zh="a", name_en="b", at=SHIFT_START
        )


def test_only_an_administrator_of_everything_adds_a_site():
    wanted = {"organisation_code": "fute", "code": "elevator2", "at": SHIFT_START, **NAMES}
    with pytest.raises(PermissionRefused):
        services.create_site(actor=an_actor("lin"), **wanted)
    chief = an_actor("chief", role="administrator", everywhere=True)
    assert services.create_site(actor=chief, **wanted).organisation.code == "fute"
    with pytest.raises(InvalidInput, match="taken"):
        services.create_site(actor=chief, **wanted)
    with pytest.raises(InvalidInput, match="time zone"):
        services.create_site(actor=chief, time_zone="Mars/Olympus", **{**wanted, "code": "mars"})
    assert not Site.objects.filter(code="mars").exists()


def test_a_flat_place_is_none():
    with pytest.raises(InvalidInput):
        services.place_area(actor=SYSTEM, area_id=an_area().pk, rect=Rect(0, 0, 0, 5), at=SHIFT_START)


def test_moving_a_unit_lets_the_map_place_it_anew():
    unit = a_work_unit()
    services.place_work_unit(actor=SYSTEM, work_unit_id=unit.pk, rect=Rect(5, 5, 58, 36), at=SHIFT_START)
    services.move_work_unit(
        actor=SYSTEM, work_unit_id=unit.pk, work_center_id=a_work_center("c", area=an_area("b")).pk, at=SHIFT_START
    )
    (found,) = selectors.plant_map(actor=SYSTEM, site_id=unit.site_id).units
    assert (found.rect.x, found.rect.y) != (5, 5)
    assert EquipmentClass.objects.count() == 0
