"""Questions about equipment."""

from datetime import timedelta

import pytest

from yuheng.equipment import selectors, services
from yuheng.equipment.models import MapPlacement, Shift, ShiftBreak, ShiftCalendar
from yuheng.kernel.calendars import shift_at
from yuheng.kernel.errors import NotVisible, PermissionRefused
from yuheng.testing.builders import (
    SHIFT_START,
    SYSTEM,
    a_site,
    a_work_center,
    a_work_unit,
    an_actor,
    an_actor_with,
    an_area,
    an_equipment_class,
    another_site,
)

pytestmark = pytest.mark.django_db


def a_plant(units: int = 12) -> int:
    kind = an_equipment_class()
    for number in range(units):
        area = an_area(f"area{number % 3}")
        a_work_unit(f"U{number:02d}", work_center=a_work_center(f"center{number % 3}", area=area), equipment_class=kind)
    return a_site().pk


def a_calendar(code: str = "two-shift", *, is_site_default: bool = False, start: str = "08:00", end: str = "20:00"):
    calendar = ShiftCalendar.objects.create(
        site=a_site(), code=code, name_zh=code, name_en=code, is_site_default=is_site_default
    )
    shift = Shift.objects.create(
        calendar=calendar,
        code="day",
        name_zh="白班",
        name_en="Day",
        start=start,
        end=end,
        weekdays=[1, 2, 3, 4, 5, 6, 7],
    )
    ShiftBreak.objects.create(shift=shift, start="12:00", end="12:30")
    return calendar


def test_the_map_has_everything_in_use_in_three_queries(django_assert_num_queries):
    site_id = a_plant()
    retired = a_work_unit("OLD")
    services.retire_work_unit(actor=SYSTEM, work_unit_id=retired.pk, at=SHIFT_START)
    MapPlacement.objects.create(work_unit=a_work_unit("U00"), x=700, y=50, w=58, h=36)
    actor = an_actor("ana")

    with django_assert_num_queries(3):
        found = selectors.plant_map(actor=actor, site_id=site_id)

    assert [area.code for area in found.areas] == ["area0", "area1", "area2", "laser"]
    assert {unit.code for unit in found.units} == {f"U{number:02d}" for number in range(12)}
    first = next(unit for unit in found.units if unit.code == "U00")
    assert (first.rect.x, first.rect.y, first.class_code) == (700, 50, "laser-cutter")
    assert found.width >= 758


def test_the_tree_is_read_in_five_queries_and_counts_what_is_in_use(django_assert_num_queries):
    site_id = a_plant()
    services.install_asset(actor=SYSTEM, work_unit_id=a_work_unit("U00").pk, serial="S1", at=SHIFT_START)
    services.retire_work_unit(actor=SYSTEM, work_unit_id=a_work_unit("U01").pk, at=SHIFT_START)
    actor = an_actor("ana")
    with django_assert_num_queries(5):
        tree = selectors.equipment_tree(actor=actor, site_id=site_id)
    assert (tree.unit_count, tree.center_count, len(tree.areas)) == (11, 3, 3)
    assert tree.areas[0].centers[0].units[0].serial == "S1"
    whole = selectors.equipment_tree(actor=actor, site_id=site_id, with_retired=True)
    assert whole.unit_count == 11
    assert sum(len(center.units) for area in whole.areas for center in area.centers) == 12


@pytest.mark.parametrize(
    "ask",
    [
        lambda actor, site_id: selectors.plant_map(actor=actor, site_id=site_id),
        lambda actor, site_id: selectors.equipment_tree(actor=actor, site_id=site_id),
        lambda actor, site_id: selectors.work_units(actor=actor, site_id=site_id),
        lambda actor, site_id: selectors.equipment_classes(actor=actor, site_id=site_id),
        lambda actor, site_id: selectors.cause_names(actor=actor, site_id=site_id),
        lambda actor, site_id: selectors.site_targets(actor=actor, site_id=site_id),
        lambda actor, site_id: selectors.calendars_of_site(actor=actor, site_id=site_id),
        lambda actor, site_id: selectors.calendar_for(actor=actor, site_id=site_id),
        lambda actor, _site_id: selectors.work_unit(actor=actor, work_unit_id=a_work_unit("U00").pk),
        lambda actor, _site_id: selectors.assets_of(actor=actor, work_unit_id=a_work_unit("U00").pk),
        lambda actor, site_id: selectors.site(actor=actor, site_id=site_id),
        lambda actor, _site_id: selectors.site_by_code(actor=actor, code="elevator1"),
        lambda actor, _site_id: selectors.equipment_class(actor=actor, equipment_class_id=an_equipment_class().pk),
    ],
)
def test_dora_sees_nothing_of_another_firms_plant(ask):
    site_id = a_plant(1)
    assert ask(an_actor("ana"), site_id) is not NotImplemented
    with pytest.raises(NotVisible):
        ask(an_actor("dora"), site_id)


def test_seeing_the_site_is_not_enough_to_see_its_equipment():
    site_id = a_plant(1)
    with pytest.raises(PermissionRefused):
        selectors.plant_map(actor=an_actor_with("audit.view"), site_id=site_id)


def test_one_sees_the_sites_where_one_may_do_anything():
    a_site(), another_site()
    assert [site.code for site in selectors.visible_sites(actor=an_actor("ana"))] == ["elevator1"]
    assert [site.code for site in selectors.visible_sites(actor=an_actor("dora"))] == ["elsewhere"]
    assert len(selectors.visible_sites(actor=SYSTEM)) == 2


def test_the_nearest_calendar_wins():
    center, unit = a_work_center(), a_work_unit("L01")
    other = a_work_unit("L02")
    a_calendar("site", is_site_default=True)
    a_calendar("center")
    a_calendar("unit", start="20:00", end="08:00")
    site_id = unit.site_id
    ana = an_actor("ana")

    def code(work_unit_id: int | None) -> str:
        found = selectors.calendar_for(actor=ana, site_id=site_id, work_unit_id=work_unit_id)
        return found.code if found else ""

    assert code(unit.pk) == "site"
    services.assign_calendar(
        actor=SYSTEM, site_id=site_id, calendar_code="center", work_center_id=center.pk, at=SHIFT_START
    )
    assert code(unit.pk) == "center"
    services.assign_calendar(actor=SYSTEM, site_id=site_id, calendar_code="unit", work_unit_id=unit.pk, at=SHIFT_START)
    assert (code(unit.pk), code(other.pk), code(None)) == ("unit", "center", "site")
    services.assign_calendar(actor=SYSTEM, site_id=site_id, calendar_code=None, at=SHIFT_START)
    assert code(None) == ""


def test_a_calendar_is_in_the_sites_time_zone():
    a_calendar(is_site_default=True)
    calendar = selectors.calendar_for(actor=an_actor("ana"), site_id=a_site().pk)
    assert calendar is not None
    found = shift_at(calendar, SHIFT_START + timedelta(hours=1))
    assert found is not None
    assert found.start == SHIFT_START
    assert found.working_s == 11.5 * 3600


def test_a_unit_of_another_site_has_no_calendar_here():
    stranger = a_work_unit("X1", site=another_site())
    with pytest.raises(NotVisible):
        selectors.calendar_for(actor=SYSTEM, site_id=a_site().pk, work_unit_id=stranger.pk)


def test_the_configuration_gets_every_unit_in_use_of_every_site():
    a_plant(2)
    a_work_unit("X1", site=another_site())
    services.retire_work_unit(actor=SYSTEM, work_unit_id=a_work_unit("U01").pk, at=SHIFT_START)
    found = {(unit.code, unit.class_code) for unit in selectors.configured_work_units()}
    assert found == {("U00", "laser-cutter"), ("X1", "")}
    assert selectors.site_of_work_units([a_work_unit("U00").pk, 999_999]) == {a_work_unit("U00").pk: a_site().pk}
    assert selectors.work_unit_ids(site_id=a_site().pk)["U00"] == a_work_unit("U00").pk
    assert selectors.equipment_class_ids(site_id=a_site().pk) == {"laser-cutter": an_equipment_class().pk}
