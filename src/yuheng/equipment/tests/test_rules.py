"""Codes and the map's automatic layout."""

from hypothesis import given
from hypothesis import strategies as st

from yuheng.equipment.rules import AreaLayout, Rect, extent, lay_out

RECTS = st.builds(Rect, st.integers(0, 1000), st.integers(0, 1000), st.integers(20, 400), st.integers(20, 300))


def test_what_has_a_place_keeps_it():
    area, unit = Rect(10, 20, 400, 150), Rect(30, 50, 58, 36)
    (placed,) = lay_out([AreaLayout(area, (unit, None))])
    assert (placed.rect, placed.units[0]) == (area, unit)


def test_the_same_plant_gives_the_same_map():
    areas = [AreaLayout(None, (None,) * 7), AreaLayout(None, (None,) * 3)]
    assert lay_out(areas) == lay_out(areas)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_areas_and_units_without_a_place_never_overlap(sizes):
    placed = lay_out([AreaLayout(None, (None,) * size) for size in sizes])
    rects = [area.rect for area in placed]
    assert not any(one.overlaps(other) for i, one in enumerate(rects) for other in rects[i + 1 :])
    for area in placed:
        assert not any(one.overlaps(other) for i, one in enumerate(area.units) for other in area.units[i + 1 :])
        for unit in area.units:
            assert area.rect.x <= unit.x
            assert unit.x + unit.w <= area.rect.x + area.rect.w
            assert unit.y + unit.h <= area.rect.y + area.rect.h


@given(RECTS, st.lists(st.one_of(st.none(), RECTS), max_size=12))
def test_a_unit_without_a_place_avoids_those_that_have_one(area, units):
    (placed,) = lay_out([AreaLayout(area, tuple(units))])
    fixed = [rect for rect in units if rect is not None]
    found = [rect for rect, given in zip(placed.units, units, strict=True) if given is None]
    assert not any(one.overlaps(other) for one in found for other in fixed)


def test_new_areas_go_below_those_that_have_a_place():
    first, second = lay_out([AreaLayout(Rect(0, 0, 300, 200), ()), AreaLayout(None, (None,))])
    assert second.rect.y >= first.rect.y + first.rect.h


@given(st.lists(RECTS, max_size=10))
def test_the_map_is_large_enough_for_everything(rects):
    width, height = extent(rects)
    assert all(rect.x + rect.w <= width and rect.y + rect.h <= height for rect in rects)
