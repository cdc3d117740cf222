"""What the sensors say: the truth about the states, and physical values."""

import numpy as np
import pytest

from yuheng.engines.states.rules import compile_rules
from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation.catalogue import COMMON_TAGS, state_rules
from yuheng.simulation.elevator.catalogue import CLASSES
from yuheng.simulation.elevator.plant import AREAS, ROUTES
from yuheng.simulation.layout import units_of
from yuheng.simulation.signals import AreaSensors
from yuheng.simulation.tests.support import MONDAY_MORNING, Rule, a_plant

RULES = {
    kind.code: compile_rules(
        [Rule(UnitState[rule["state"].upper()], rule["when"], rule["cause"]) for rule in state_rules(kind)],
        [tag.symbol for tag in COMMON_TAGS] + [channel.symbol for channel in kind.channels],
    )
    for kind in CLASSES.values()
}


def sensors_of(plant, *, seed=1):
    return {
        area.code: AreaSensors(
            [plant.machines[unit.code] for unit in units_of(area)],
            seed=seed,
            name=area.code,
            start=plant.now,
            families=ROUTES,
        )
        for area in AREAS
    }


def in_rule_values(values):
    """Booleans and integers reach the rule engine as numbers, as the column store keeps them."""
    return {name: value if isinstance(value, str) else float(value) for name, value in values.items()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_state_rules_read_the_true_state_and_cause_from_the_signals(seed):
    plant = a_plant(seed=seed, hours=2)
    sensors = sensors_of(plant, seed=seed)
    seen: set[UnitState] = set()
    for step in range(400):
        at = MONDAY_MORNING + 2 * 3600 + step * 47.0
        plant.run_until(at)
        for area in sensors.values():
            for reading in area.read(at):
                machine = plant.machines[reading.work_unit]
                derived = RULES[machine.kind.code].evaluate(in_rule_values(reading.values))
                assert derived == (machine.state, machine.cause)
                seen.add(machine.state)

    assert seen == {
        UnitState.PRODUCING, UnitState.IDLE, UnitState.SETUP, UnitState.DOWN, UnitState.PLANNED_STOP,
    }  # fmt: skip


def test_every_tag_is_said_with_its_own_type():
    plant = a_plant(hours=1)
    types = {tag.symbol: {"bool": bool, "int": int, "text": str, "float": float}[tag.data_type] for tag in COMMON_TAGS}
    for area in sensors_of(plant).values():
        for reading in area.read(plant.now):
            channels = {channel.symbol for channel in plant.machines[reading.work_unit].kind.channels}
            assert set(reading.values) == set(types) | channels
            for symbol, value in reading.values.items():
                assert type(value) is types.get(symbol, float), symbol


def test_counters_never_fall_and_energy_is_the_integral_of_power():
    plant = a_plant(hours=1)
    sensors = sensors_of(plant)["laser"]
    energy = {reading.work_unit: 0.0 for reading in sensors.read(plant.now)}
    before = {reading.work_unit: reading.values for reading in sensors.read(plant.now)}
    for second in range(1, 1200):
        at = MONDAY_MORNING + 3600 + second
        plant.run_until(at)
        for reading in sensors.read(at):
            energy[reading.work_unit] += reading.values["power_kw"] / 3600
            for counter in ("good_count", "reject_count", "energy_kwh"):
                assert reading.values[counter] >= before[reading.work_unit][counter]
            before[reading.work_unit] = reading.values

    for unit, expected in energy.items():
        assert before[unit]["energy_kwh"] == pytest.approx(expected, rel=0.05, abs=0.1)


def test_values_are_whole_steps_of_the_sensor_and_short_to_write():
    plant = a_plant(hours=1)
    resolutions = {channel.symbol: channel.resolution for channel in CLASSES["laser-cutter"].channels}
    for reading in sensors_of(plant)["laser"].read(plant.now):
        for symbol, resolution in resolutions.items():
            steps = reading.values[symbol] / resolution
            assert steps == pytest.approx(round(steps), abs=1e-6)
            assert len(repr(reading.values[symbol])) <= 7


def test_values_wander_like_physical_ones_not_like_white_noise():
    """Neighbouring seconds resemble each other while the tool works: autocorrelation at 1 s well above a half."""
    plant = a_plant(hours=1)
    sensors = sensors_of(plant)["machining"]
    runs: dict[str, list[float]] = {}
    for second in range(600):
        at = plant.now + 1
        plant.run_until(at)
        for reading in sensors.read(at):
            runs.setdefault(reading.work_unit, []).append(reading.values["spindle_load_ratio"] if second >= 0 else 0.0)
    correlations = []
    for unit, values in runs.items():
        series = np.array(values)
        if plant.machines[unit].state is UnitState.PRODUCING and series.std() > 0.01:
            correlations.append(np.corrcoef(series[:-1], series[1:])[0, 1])

    assert len(correlations) > 3
    assert np.median(correlations) > 0.6


def test_the_same_seed_gives_the_same_readings():
    def say():
        plant = a_plant(hours=1)
        return [reading.values for reading in sensors_of(plant)["painting"].read(plant.now)]

    assert say() == say()
