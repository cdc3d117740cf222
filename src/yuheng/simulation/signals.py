"""What the sensors of an area say: physical values that follow the machines with lag, noise and a resolution.

One `AreaSensors` belongs to one edge device. Its analogue channels are one NumPy vector, so that a scan of 20 machines
costs a few dozen microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation import catalogue
from yuheng.simulation.catalogue import Channel
from yuheng.simulation.machines import Activity, Machine

type_f8 = npt.NDArray[np.float64]

NOISE_TIME_S = 8.0
"""Correlation time of the noise: real sensors wander, they do not jump."""
QUIET_NOISE = 0.1
ENERGY_RESOLUTION_KWH = 0.05
CYCLE_RESOLUTION_S = 0.5

_MODES = {UnitState.SETUP: catalogue.MODE_SETUP, UnitState.PLANNED_STOP: catalogue.MODE_PLANNED_STOP}


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything one machine says at one moment: symbol -> value (bool, int, float or text)."""

    work_unit: str
    values: dict[str, Any]


class AreaSensors:
    """The sensors of some machines.

    Parameters
    ----------
    machines
        Whose sensors they are.
    seed, name
        Of the noise; it never influences what the machines do.
    start
        Model time of the first reading; the sensors have settled by then.
    families
        Product families of the plant: what is made is felt by the sensors.
    """

    def __init__(self, machines: list[Machine], *, seed: int, name: str, start: float, families: Iterable[str]) -> None:
        self._families = {family: index for index, family in enumerate(families)}
        self._machines = machines
        self._symbols = [[channel.symbol for channel in machine.kind.channels] for machine in machines]
        channels = [channel for machine in machines for channel in machine.kind.channels]
        self._owner = np.repeat(np.arange(len(machines)), [len(symbols) for symbols in self._symbols])
        ends = np.cumsum([len(symbols) for symbols in self._symbols])
        self._slices = [
            slice(int(end) - len(symbols), int(end)) for end, symbols in zip(ends, self._symbols, strict=True)
        ]
        self._settled = np.array([_settled_values(channel) for channel in channels])  # (channels, activities)
        self._noise = np.array([channel.noise for channel in channels])
        self._lag_s = np.array([max(channel.lag_s, 1e-6) for channel in channels])
        self._resolution = np.array([channel.resolution for channel in channels])
        self._wear = np.array([channel.wear for channel in channels])
        self._effect = np.array(
            [
                [_family_effect(channel, index, len(self._families)) for index in self._families.values()]
                for channel in channels
            ]
        )
        self._chance = np.random.default_rng([seed, *name.encode()])
        self._rows = np.arange(len(channels))
        self._wander = self._chance.standard_normal(len(channels))
        power_rows = [
            where.start + symbols.index("power_kw") for where, symbols in zip(self._slices, self._symbols, strict=True)
        ]
        self._power_rows = np.array(power_rows)
        self._energy_kwh = np.zeros(len(machines))
        self._at = start
        self._value = self._targets(start)

    def read(self, at: float) -> list[Reading]:
        """Advance the physics to ``at`` (model time; the plant must be there already) and read every sensor."""
        self._advance(at)
        shown = _whole_steps(self._value + self._noise_now(at), self._resolution).tolist()
        energy = _whole_steps(self._energy_kwh, ENERGY_RESOLUTION_KWH).tolist()
        return [
            Reading(
                machine.spec.code,
                {**_discrete(machine), "energy_kwh": kwh, **dict(zip(symbols, shown[where], strict=True))},
            )
            for machine, symbols, where, kwh in zip(self._machines, self._symbols, self._slices, energy, strict=True)
        ]

    def reset_energy(self) -> None:
        """Let the energy counters begin at zero."""
        self._energy_kwh[:] = 0.0

    def _advance(self, at: float) -> None:
        elapsed = max(at - self._at, 0.0)
        self._at = at
        self._value += (self._targets(at) - self._value) * -np.expm1(-elapsed / self._lag_s)
        memory = np.exp(-elapsed / NOISE_TIME_S)
        # First-order autoregression: keeps unit variance whatever the step.
        self._wander = memory * self._wander + np.sqrt(1 - memory**2) * self._chance.standard_normal(len(self._wander))
        self._energy_kwh += np.maximum(self._value[self._power_rows], 0.0) * (elapsed / 3600.0)

    def _activities(self, at: float) -> npt.NDArray[np.int64]:
        """Return the activity of each channel's machine, shape (channels,)."""
        return np.array([machine.activity(at) for machine in self._machines])[self._owner]

    def _targets(self, at: float) -> type_f8:
        activity = self._activities(at)
        family = np.array([self._families.get(machine.fitted_family, 0) for machine in self._machines])[self._owner]
        wear = np.array([machine.wear for machine in self._machines])[self._owner]
        targets = self._settled[self._rows, activity]
        is_working = activity == Activity.WORKING
        effect = self._effect[self._rows, family] * (1.0 + self._wear * wear**6)
        settled: type_f8 = np.where(is_working, targets * effect, targets)
        return settled

    def _noise_now(self, at: float) -> type_f8:
        activity = self._activities(at)
        is_off = self._settled[self._rows, activity] == 0.0  # what stands still is exactly still
        loudness = np.where(activity == Activity.WORKING, 1.0, np.where(is_off, 0.0, QUIET_NOISE))
        noise: type_f8 = self._wander * self._noise * loudness
        return noise


def _discrete(machine: Machine) -> dict[str, Any]:
    """Return what the controller itself knows: its state in codes, counters and texts."""
    state = machine.state
    code = int(machine.cause) if machine.cause else 0
    return {
        "run": state is UnitState.PRODUCING,
        "mode": _MODES.get(state, catalogue.MODE_AUTOMATIC),
        "fault_code": code if state is UnitState.DOWN else 0,
        "wait_code": code if state in (UnitState.IDLE, UnitState.PLANNED_STOP) else 0,
        "program": machine.fitted_family or "none",
        "run_id": machine.run_id,
        "good_count": machine.good_count,
        "reject_count": machine.reject_count,
        "cycle_time_s": round(machine.cycle_time_s / CYCLE_RESOLUTION_S) * CYCLE_RESOLUTION_S,
    }


def _settled_values(channel: Channel) -> list[float]:
    """Return where a channel settles in each `Activity`, in its order."""
    setup = channel.waiting if channel.setup is None else channel.setup
    handling = channel.waiting if channel.handling is None else channel.handling
    return [channel.waiting, channel.waiting, setup, handling, channel.working]


def _family_effect(channel: Channel, family: int, count: int) -> float:
    """Return the factor of a product family on a channel's working value, spread evenly over ±varies."""
    position = (family * 3) % count / (count - 1)  # 0..1; neighbours in the list do not look alike
    return 1.0 + channel.varies * (2 * position - 1)


def _whole_steps(values: type_f8, resolution: type_f8 | float) -> type_f8:
    """Round to whole multiples of the resolution, without binary dust: 3 steps of 0.1 are 0.3 exactly."""
    steps_per_unit = np.rint(1.0 / np.asarray(resolution))
    counts = np.rint(values / resolution)
    stepped: type_f8 = np.where(steps_per_unit >= 1, counts / np.maximum(steps_per_unit, 1), counts * resolution)
    return stepped + 0.0  # no minus zero
