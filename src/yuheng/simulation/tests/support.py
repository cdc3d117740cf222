"""What several tests of the simulation need."""

from __future__ import annotations

from dataclasses import dataclass, field

from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation.elevator.model import ElevatorPlant
from yuheng.simulation.work import Job

MONDAY_MORNING = 1_795_392_000.0  # 2026-11-23 00:00 UTC, 08:00 in Shanghai: the day shift begins


@dataclass(frozen=True)
class Rule:
    """A state rule, as the rule engine wants it."""

    state: UnitState
    when: str
    cause: str = ""


@dataclass
class Diary:
    """An observer that writes everything down."""

    states: list[tuple[float, str, UnitState, str]] = field(default_factory=list)
    done: list[tuple[float, str, str, int]] = field(default_factory=list)

    def on_state(self, work_unit: str, state: UnitState, cause: str, at: float) -> None:
        """Keep it."""
        self.states.append((at, work_unit, state, cause))

    def on_job_done(self, job: Job, work_unit: str, at: float) -> None:
        """Keep it."""
        self.done.append((at, work_unit, job.code, job.good))


def a_plant(*, seed: int = 1, hours: float = 0.0, diary: Diary | None = None) -> ElevatorPlant:
    """Return a plant that has lived for some hours since Monday morning."""
    plant = ElevatorPlant(seed=seed, start=MONDAY_MORNING, observers=[diary] if diary else [])
    plant.run_until(MONDAY_MORNING + hours * 3600)
    return plant
