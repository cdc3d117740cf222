"""The kitchen-appliance plant: its description, its life, and what its machines say in each protocol."""

import json
import struct
from collections import Counter

import pytest

from yuheng.connectors.modbus.addresses import parse
from yuheng.engines.states.rules import compile_rules
from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.units import parse as parse_unit
from yuheng.simulation.appliance.catalogue import CLASSES
from yuheng.simulation.appliance.plant import APPLIANCE, COLOURS, setup_factor
from yuheng.simulation.catalogue import COMMON_TAGS, state_rules
from yuheng.simulation.edges import AreaReader
from yuheng.simulation.elevator.plant import ELEVATOR
from yuheng.simulation.layout import SERVED, describe
from yuheng.simulation.modbus_area import ModbusArea
from yuheng.simulation.model import Plant, mix_of_states
from yuheng.simulation.outages import Outages
from yuheng.simulation.plants import CHOICES
from yuheng.simulation.tests.support import MONDAY_MORNING, Diary, Rule


def a_kitchen_plant(*, seed=1, hours=0.0, diary=None, **more):
    plant = Plant(APPLIANCE, seed=seed, start=MONDAY_MORNING, observers=[diary] if diary else [], **more)
    plant.run_until(MONDAY_MORNING + hours * 3600)
    return plant


@pytest.fixture(scope="module")
def described():
    return describe(APPLIANCE, seed=1)


# ---- the description ----------------------------------------------------------------------------------------------


def test_the_plant_has_90_work_units_about_1500_tags_and_four_protocols(described):
    sizes = {
        area["code"]: sum(len(center["work_units"]) for center in area["work_centers"]) for area in described["areas"]
    }
    assert sizes == {
        "stamping": 12, "welding": 12, "coating": 9, "moulding": 8, "hood": 10, "hob": 8, "dishwasher": 10,
        "testing": 12, "packing": 9,
    }  # fmt: skip
    assert 1_470 <= len(described["tags"]) <= 1_540
    assert Counter(source["connector"] for source in described["sources"]) == {
        "opcua": 2, "modbus": 2, "sparkplug_b": 2, "mqtt_json": 3
    }  # fmt: skip


def test_both_plants_can_share_an_installation(described):
    other = describe(ELEVATOR, seed=1)
    assert described["site"]["code"] != other["site"]["code"]
    assert described["organisation"]["code"] != other["organisation"]["code"]
    assert not {d["username"] for d in described["devices"]} & {d["username"] for d in other["devices"]}
    topics = [topic for plant in (described, other) for source in plant["sources"] for topic in source["topics"]]
    assert len(set(topics)) == len(topics)
    assert CHOICES == {
        "elevator": ("elevator",), "appliance": ("appliance",), "both": ("elevator", "appliance")
    }  # fmt: skip


def test_every_signal_has_a_unit_of_ucum_and_names_in_both_languages(described):
    for tag in described["tags"]:
        parse_unit(tag["unit"])
        assert tag["name_zh"]
        assert tag["name_en"]


def test_addresses_are_those_of_their_protocol_and_unique(described):
    connectors = {source["code"]: source["connector"] for source in described["sources"]}
    places = Counter((tag["source"], tag["address"]) for tag in described["tags"])
    assert max(places.values()) == 1
    for tag in described["tags"]:
        if connectors[tag["source"]] == "modbus":
            address = parse(tag["address"])
            assert str(address.unit) == tag["work_unit"][1:].lstrip("0")
            assert str(address) == tag["address"]
            assert (address.data_type == "float") == (tag["data_type"] == "float")
        if connectors[tag["source"]] == "opcua":
            assert tag["address"] == f"nsu=urn:luwei:appliance1;s={tag['work_unit']}.{tag['symbol']}"


def test_like_machines_have_like_addresses_so_a_template_fits(described):
    units = {
        unit["code"]: unit["class"]
        for area in described["areas"]
        for center in area["work_centers"]
        for unit in center["work_units"]
    }
    patterns: dict[str, set[tuple[str, ...]]] = {}
    for code, kind in units.items():
        own = sorted(
            tag["address"].replace(f"{code}", "{unit}").replace(f"{int(code[1:])}:", "{n}:", 1)
            for tag in described["tags"]
            if tag["work_unit"] == code
        )
        patterns.setdefault(kind, set()).add(tuple(own))
    assert {kind: len(found) for kind, found in patterns.items()} == dict.fromkeys(CLASSES, 1)


def test_state_rules_and_references_hold_together(described):
    sources = {source["code"] for source in described["sources"]}
    assert {tag["source"] for tag in described["tags"]} == sources
    for kind in CLASSES.values():
        symbols = [tag.symbol for tag in COMMON_TAGS] + [channel.symbol for channel in kind.channels]
        assert len(set(symbols)) == len(symbols)
        compile_rules([Rule(UnitState[r["state"].upper()], r["when"], r["cause"]) for r in state_rules(kind)], symbols)
        codes = [cause.code for cause in kind.causes]
        assert len(codes) == len(set(codes))
    assert {unit.kind.code for unit in APPLIANCE.units()} == set(CLASSES)
    assert sum(APPLIANCE.mix.values()) == pytest.approx(1.0)
    assert json.loads(json.dumps(described)) == described


def test_tiles_lie_inside_their_area_and_nothing_overlaps(described):
    def overlap(one, other):
        return (
            one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
            and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
        )  # fmt: skip

    areas = [area["map"] for area in described["areas"]]
    assert not any(overlap(one, other) for i, one in enumerate(areas) for other in areas[i + 1 :])
    for area in described["areas"]:
        tiles = [unit["map"] for center in area["work_centers"] for unit in center["work_units"]]
        assert not any(overlap(one, other) for i, one in enumerate(tiles) for other in tiles[i + 1 :])
        for tile in tiles:
            assert area["map"]["x"] <= tile["x"]
            assert tile["x"] + tile["w"] <= area["map"]["x"] + area["map"]["w"]
            assert tile["y"] + tile["h"] <= area["map"]["y"] + area["map"]["h"]


# ---- its life -----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_sequence_of_events():
    first, second, other = Diary(), Diary(), Diary()
    a_kitchen_plant(seed=5, hours=4, diary=first)
    a_kitchen_plant(seed=5, hours=4, diary=second)
    a_kitchen_plant(seed=6, hours=4, diary=other)
    assert len(first.states) > 500
    assert (first.states, first.done) == (second.states, second.done)
    assert first.states != other.states


@pytest.mark.parametrize("hours", [0.5, 3, 12, 48])
def test_pieces_in_are_pieces_out_plus_scrap_plus_work_in_process(hours):
    plant = a_kitchen_plant(hours=hours)
    inside = plant.in_process()
    in_process = sum(job.good for job in inside)
    scrapped = plant.scrapped + sum(job.scrapped for job in inside)
    assert plant.released == plant.shipped + scrapped + in_process
    assert plant.released > 0
    assert all(0 <= job.good <= job.released and job.good + job.scrapped == job.released for job in inside)
    assert all(len(buffer.jobs) <= buffer.capacity for buffer in plant.buffers.values())


def test_the_coating_shop_is_the_bottleneck_and_everything_else_waits_more():
    plant = a_kitchen_plant(hours=8)
    waits, total = Counter(), Counter()
    for minute in range(1, 24 * 60):
        plant.run_until(MONDAY_MORNING + (8 * 60 + minute) * 60)
        for machine in plant.machines.values():
            total[machine.spec.work_center.code] += 1
            waits[machine.spec.work_center.code] += machine.state is UnitState.IDLE
    shares = {code: waits[code] / total[code] for code in total}
    assert shares["coating"] < 0.08
    assert min(shares, key=shares.__getitem__) == "coating"
    assert sum(shares.values()) / len(shares) > 0.12


def test_machines_produce_most_of_the_time_and_orders_are_met():
    plant = a_kitchen_plant(hours=12)
    shipped, seen = plant.shipped, Counter()
    for minute in range(1, 36 * 60):
        plant.run_until(MONDAY_MORNING + (12 * 60 + minute) * 60)
        seen.update(machine.state for machine in plant.machines.values())
    assert 0.58 <= seen[UnitState.PRODUCING] / seen.total() <= 0.75
    assert 0.008 <= seen[UnitState.DOWN] / seen.total() <= 0.04
    assert 0.03 <= seen[UnitState.SETUP] / seen.total() <= 0.10
    per_hour = (plant.shipped - shipped) / 36
    assert 0.85 * APPLIANCE.pieces_per_hour <= per_hour <= 1.05 * APPLIANCE.pieces_per_hour
    assert plant.work.turned_away <= 5


def test_a_breakdown_has_a_cause_of_its_class():
    diary = Diary()
    plant = a_kitchen_plant(hours=48, diary=diary)
    kinds = {code: machine.kind for code, machine in plant.machines.items()}
    found = [(unit, cause) for _, unit, state, cause in diary.states if state is UnitState.DOWN]
    assert len(found) > 100
    assert all(int(cause) in {one.code for one in kinds[unit].causes} for unit, cause in found)


def test_alike_families_are_changed_quickly_and_black_to_white_takes_longest():
    booth, press = CLASSES["powder-booth"], CLASSES["press"]
    assert setup_factor(booth, "hood-side", "hob-glass") < 0.5  # both black
    assert setup_factor(booth, "hob-glass", "dw-compact") > setup_factor(booth, "dw-compact", "hob-glass")
    assert setup_factor(press, "hood-top", "hood-side") < 0.5
    assert setup_factor(press, "hood-top", "hob-steel") == 1.0
    assert setup_factor(press, "", "hob-steel") == 1.0
    assert set(COLOURS) == {family for family, route in APPLIANCE.routes.items() if "coating" in route}


def test_set_ups_between_alike_families_are_shorter_in_the_life_of_the_plant():
    plant = a_kitchen_plant()
    lasting: dict[bool, list[float]] = {True: [], False: []}
    open_setups: dict[str, tuple[float, bool]] = {}
    families = {code: machine.fitted_family for code, machine in plant.machines.items()}

    class Watch:
        def on_state(self, work_unit, state, cause, at):
            machine = plant.machines[work_unit]
            began = open_setups.pop(work_unit, None)
            if began is not None:
                lasting[began[1]].append(at - began[0])
            if state is UnitState.SETUP and machine.kind.code == "press":
                before = families[work_unit]
                alike = bool(before) and before.split("-")[0] == machine.fitted_family.split("-")[0]
                open_setups[work_unit] = (at, alike)
            families[work_unit] = machine.fitted_family

        def on_job_done(self, job, work_unit, at):
            pass

    plant.observers.append(Watch())
    plant.run_until(MONDAY_MORNING + 48 * 3600)
    alike, other = lasting[True], lasting[False]
    assert len(alike) > 20
    assert len(other) > 20
    assert sum(alike) / len(alike) < 0.6 * sum(other) / len(other)


# ---- what its machines say ----------------------------------------------------------------------------------------


def reader_of(plant, code, seed=1):
    area = next(area for area in APPLIANCE.areas if area.code == code)
    return area, AreaReader(area, plant, Outages(plant, seed=seed), seed=seed)


def test_the_state_rules_read_the_true_state_and_cause_from_the_signals():
    plant = a_kitchen_plant(hours=8)
    readers = [reader_of(plant, area.code)[1] for area in APPLIANCE.areas]
    rules = {
        kind.code: compile_rules(
            [Rule(UnitState[r["state"].upper()], r["when"], r["cause"]) for r in state_rules(kind)],
            [tag.symbol for tag in COMMON_TAGS] + [channel.symbol for channel in kind.channels],
        )
        for kind in CLASSES.values()
    }
    seen = set()
    for step in range(200):
        at = MONDAY_MORNING + 8 * 3600 + step * 61.0
        plant.run_until(at)
        for reader in readers:
            for reading in reader.sensors.read(at):
                machine = plant.machines[reading.work_unit]
                values = {n: v if isinstance(v, str) else float(v) for n, v in reading.values.items()}
                assert rules[machine.kind.code].evaluate(values) == (machine.state, machine.cause)
                seen.add(machine.state)
    assert seen >= {UnitState.PRODUCING, UnitState.SETUP, UnitState.IDLE, UnitState.DOWN}


async def test_registers_hold_what_the_machines_say():
    plant = a_kitchen_plant(hours=8)
    area, reader = reader_of(plant, "testing")
    shown = ModbusArea(area, 0)
    samples, fallen = reader.scan(plant.now, 1000)
    await shown.show(samples, fallen)
    tags = {
        (tag["work_unit"], tag["symbol"]): parse(tag["address"])
        for tag in describe(APPLIANCE, 1)["tags"]
        if tag["source"] == "testing-modbus"
    }
    assert len(samples) == 12
    for sample in samples:
        for symbol, value in sample.values.items():
            address = tags[sample.work_unit, symbol]
            table = shown.server.units[address.unit].tables[address.table.value]
            own = [table[address.register + n] for n in range(address.width)]
            if address.kind == "float32":
                assert struct.unpack(">f", struct.pack(">HH", *own[::-1]))[0] == pytest.approx(value, rel=1e-6)
            elif address.kind == "string":
                assert struct.pack(f">{len(own)}H", *own).rstrip(b"\0").decode() == value
            elif address.kind == "uint32":
                assert own[0] << 16 | own[1] == value
            else:
                assert own == [int(value)]
    await shown.show([], ["T03"])
    assert 3 not in shown.server.units


def test_served_areas_have_no_credential_and_edges_have_one(described):
    names = {device["username"] for device in described["devices"]}
    assert names == {f"kitchen-{area.code}" for area in APPLIANCE.areas if area.speaks not in SERVED}
    ports = {"stamping": 20001, "welding": 20002}
    sources = {source["code"]: source for source in describe(APPLIANCE, 1, ports=ports)["sources"]}
    assert sources["stamping-opcua"]["settings"]["url"] == "opc.tcp://127.0.0.1:20001"
    assert sources["welding-modbus"]["settings"]["port"] == 20002


def test_a_day_of_the_plant_is_lived_in_a_moment():
    plant = a_kitchen_plant()
    assert plant.run_until(MONDAY_MORNING + 24 * 3600) > 60_000
    assert sum(mix_of_states(plant).values()) == 90
