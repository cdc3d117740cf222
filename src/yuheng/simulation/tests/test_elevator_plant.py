"""The description of the plant: complete, consistent, and laid out without collisions."""

import json
from collections import Counter

import pytest

from yuheng.engines.states.rules import compile_rules
from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation.elevator.catalogue import CLASSES
from yuheng.simulation.elevator.plant import (
    AREAS,
    ELEVATOR,
    MIX,
    PIECES_PER_HOUR,
    ROUTES,
    plant_description,
)
from yuheng.simulation.tests.support import Rule


@pytest.fixture(scope="module")
def plant():
    return plant_description(seed=1)


def test_the_plant_has_130_work_units_in_nine_areas_and_about_two_thousand_tags(plant):
    sizes = {area["code"]: sum(len(center["work_units"]) for center in area["work_centers"]) for area in plant["areas"]}

    assert sizes == {
        "laser": 12, "bending": 10, "welding": 24, "machining": 20, "painting": 8,
        "assembly": 20, "final": 14, "testing": 12, "packing": 10,
    }  # fmt: skip
    assert 2_080 <= len(plant["tags"]) <= 2_180


def test_the_same_seed_describes_the_same_plant_and_it_is_plain_json():
    assert json.loads(json.dumps(plant_description(3))) == plant_description(3)
    assert plant_description(3) != plant_description(4)


def test_every_symbol_that_a_state_rule_names_is_a_tag_of_every_unit_of_the_class(plant):
    symbols: dict[str, set[str]] = {}
    for tag in plant["tags"]:
        symbols.setdefault(tag["work_unit"], set()).add(tag["symbol"])
    rules = {kind["code"]: kind["states"] for kind in plant["classes"]}
    units = [unit for area in plant["areas"] for center in area["work_centers"] for unit in center["work_units"]]

    assert len(units) == 130
    for unit in units:
        specs = [Rule(UnitState[rule["state"].upper()], rule["when"], rule["cause"]) for rule in rules[unit["class"]]]
        compile_rules(specs, symbols[unit["code"]])  # raises when a symbol is missing


def test_addresses_are_unique_within_their_source_and_every_reference_exists(plant):
    sources = {source["code"] for source in plant["sources"]}
    places = Counter((tag["source"], tag["address"]) for tag in plant["tags"])
    calendars = {calendar["code"] for calendar in plant["calendars"]}

    assert max(places.values()) == 1
    assert {tag["source"] for tag in plant["tags"]} == sources
    assert all(set(device["sources"]) <= sources for device in plant["devices"])
    assert all(center["calendar"] in calendars for area in plant["areas"] for center in area["work_centers"])


def test_every_cause_has_a_name_in_both_languages_and_a_code_of_its_own(plant):
    for kind in plant["classes"]:
        codes = [cause["code"] for cause in kind["causes"]]
        assert len(codes) == len(set(codes))
        assert all(cause["name_zh"] and cause["name_en"] for cause in kind["causes"])


def test_tiles_lie_inside_their_area_and_nothing_overlaps(plant):
    def overlap(one, other):
        return (
            one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
            and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
        )  # fmt: skip

    areas = [area["map"] for area in plant["areas"]]
    assert not any(overlap(one, other) for i, one in enumerate(areas) for other in areas[i + 1 :])
    for area in plant["areas"]:
        tiles = [unit["map"] for center in area["work_centers"] for unit in center["work_units"]]
        assert not any(overlap(one, other) for i, one in enumerate(tiles) for other in tiles[i + 1 :])
        for tile in tiles:
            assert area["map"]["x"] <= tile["x"]
            assert tile["x"] + tile["w"] <= area["map"]["x"] + area["map"]["w"]
            assert tile["y"] + tile["h"] <= area["map"]["y"] + area["map"]["h"]


def test_every_figure_with_a_true_target_has_one_and_the_site_a_calendar(plant):
    named = {target["indicator"] for target in plant["targets"]}
    assert {"producing_ratio", "reject_ratio", "power_kw"} <= named
    assert "output_per_shift" not in named  # random lots of the past and whole escalators afterwards: none is true
    assert [calendar["code"] for calendar in plant["calendars"] if calendar["is_site_default"]] == ["continuous"]


def test_passwords_are_in_the_description_only_when_given():
    named = plant_description(1, {"edge-laser": "geheim"})
    assert [device.get("password") for device in named["devices"]].count("geheim") == 1
    assert all("password" not in device for device in plant_description(1)["devices"])


def test_the_line_is_balanced_for_the_orders_it_gets():
    assert sum(MIX.values()) == pytest.approx(1.0)
    centers = {center.code: center for area in AREAS for center in area.work_centers}
    for code, center in centers.items():
        pieces_per_s = PIECES_PER_HOUR / 3600 * sum(MIX[family] for family, route in ROUTES.items() if code in route)
        load = pieces_per_s * center.kind.cycle_s / len(center.numbers)
        assert 0.65 <= load <= 0.82, f"{code} is loaded to {load:.0%}"


def test_all_routes_pass_the_work_centers_in_one_order_so_full_buffers_cannot_lock():
    later: dict[str, set[str]] = {}
    for route in ROUTES.values():
        for place, code in enumerate(route):
            later.setdefault(code, set()).update(route[place + 1 :])
    reach = dict(later)
    for _ in reach:
        reach = {code: after.union(*(reach[other] for other in after)) for code, after in reach.items()}
    assert not any(code in after for code, after in reach.items())


def test_every_class_is_used_and_every_unit_code_is_unique():
    units = ELEVATOR.units()
    assert {unit.kind.code for unit in units} == set(CLASSES)
    assert len({unit.code for unit in units}) == len(units)
