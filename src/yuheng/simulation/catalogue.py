"""How a kind of machine is described: how it works, how it fails, and what its sensors can say.

Each plant has its own table of kinds (`elevator.catalogue`, `appliance.catalogue`), made of these.
"""

from __future__ import annotations

from dataclasses import dataclass

from yuheng.engines.states.vocabulary import UnitState


@dataclass(frozen=True, slots=True)
class Channel:
    """One analogue signal: where its value settles in each activity, how slowly, and how restlessly.

    Attributes
    ----------
    working, handling, setup, waiting
        Value it settles at while the tool works, while pieces are changed, while the machine is set up, and while it
        waits. None: as while waiting. A fault or a planned stop looks like waiting.
    noise
        Standard deviation of its slow fluctuation while working; a tenth of it otherwise.
    lag_s
        Time constant of the first-order lag towards the settled value.
    resolution
        Smallest step of the sensor; what is sent is a whole multiple of it.
    varies
        Relative effect of the product family on ``working``: 0.2 means between 80 % and 120 %.
    wear
        Relative growth from a fresh to a failing machine, the last of it shortly before the breakdown.
    """

    symbol: str
    name_zh: str
    name_en: str
    unit: str
    working: float
    waiting: float = 0.0
    handling: float | None = None
    setup: float | None = None
    noise: float = 0.0
    lag_s: float = 2.0
    resolution: float = 0.1
    varies: float = 0.0
    wear: float = 0.0


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason for a breakdown: its code in ``fault_code``, how often of all of them, and how long it takes to mend."""

    code: int
    name_zh: str
    name_en: str
    weight: float
    repair_s: float


@dataclass(frozen=True, slots=True)
class MachineClass:
    """One kind of work unit.

    Attributes
    ----------
    cycle_s, cycle_spread
        Mean time of one piece and its coefficient of variation (lognormal).
    work_share
        Share of a cycle in which the tool works; the rest is loading and unloading.
    setup_s
        Mean time to change to another product family.
    mean_time_to_failure_s
        Of production, not of the clock: a machine that stands does not break.
    reject_ratio
        Share of the pieces that are rejected here.
    """

    code: str
    name_zh: str
    name_en: str
    maker: str
    cycle_s: float
    cycle_spread: float
    work_share: float
    setup_s: float
    mean_time_to_failure_s: float
    reject_ratio: float
    channels: tuple[Channel, ...]
    causes: tuple[Cause, ...]
    producing_when: str = "run"


WAIT_STARVED, WAIT_BLOCKED = 901, 902
STOP_BREAK, STOP_MAINTENANCE = 801, 802
STANDSTILLS: tuple[tuple[int, str, str], ...] = (
    (STOP_BREAK, "班间休息", "Break"),
    (STOP_MAINTENANCE, "计划保养", "Planned maintenance"),
    (WAIT_STARVED, "待料", "Waiting for material"),
    (WAIT_BLOCKED, "下游满", "Next buffer full"),
)

MODE_AUTOMATIC, MODE_SETUP, MODE_PLANNED_STOP = 1, 2, 3


@dataclass(frozen=True, slots=True)
class CommonTag:
    """A signal that every machine of the plant has."""

    symbol: str
    name_zh: str
    name_en: str
    unit: str
    data_type: str
    role: str = ""


COMMON_TAGS: tuple[CommonTag, ...] = (
    CommonTag("run", "运行", "Running", "1", "bool"),
    CommonTag("mode", "模式", "Mode", "1", "int"),
    CommonTag("fault_code", "故障代码", "Fault code", "1", "int"),
    CommonTag("wait_code", "停等代码", "Standstill code", "1", "int"),
    CommonTag("program", "程序", "Program", "1", "text"),
    CommonTag("run_id", "运行号", "Run", "1", "text", "run_id"),
    CommonTag("good_count", "合格数", "Good pieces", "{piece}", "int", "good_count"),
    CommonTag("reject_count", "不合格数", "Rejected pieces", "{piece}", "int", "reject_count"),
    CommonTag("cycle_time_s", "节拍", "Cycle time", "s", "float", "cycle_time_s"),
    CommonTag("energy_kwh", "电能", "Energy", "kW.h", "float", "energy_kwh"),
)


def state_rules(kind: MachineClass) -> list[dict[str, str]]:
    """Return the rules that read a machine's state from its signals; the first that holds wins."""

    def rule(state: UnitState, when: str, cause: str = "") -> dict[str, str]:
        return {"state": state.name.lower(), "when": when, "cause": cause}

    return [
        rule(UnitState.DOWN, "fault_code != 0", "fault_code"),
        rule(UnitState.PLANNED_STOP, f"mode == {MODE_PLANNED_STOP}", "wait_code"),
        rule(UnitState.SETUP, f"mode == {MODE_SETUP}"),
        rule(UnitState.PRODUCING, kind.producing_when),
        rule(UnitState.IDLE, "not run", "wait_code"),
    ]


def power_meter(working: float, waiting: float, *, handling: float | None = None, lag_s: float = 3.0) -> Channel:
    """Return the power meter of a machine."""
    return Channel(
        "power_kw", "功率", "Power", "kW", working, waiting, handling, noise=working * 0.02, lag_s=lag_s,
        resolution=0.1 if working >= 2 else 0.01, varies=0.1,
    )  # fmt: skip
