"""What scheduling tells others: facts, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanPublished:
    """Another plan holds at a site from now on."""

    site_id: int
    plan_id: int
    number: int
    kind: str
    reason: str
    changed_jobs: int


@dataclass(frozen=True, slots=True)
class ScenarioAsked:
    """Somebody asked for a plan, or does not want it any more: the planner looks at once."""

    site_id: int
    scenario_id: int


@dataclass(frozen=True, slots=True)
class DisturbanceAnswered:
    """Something happened to the plan (``work_unit_id`` 0: at no machine); so many suggestions say what to do."""

    site_id: int
    disturbance_id: int
    work_unit_id: int
    suggestions: int
    late_min: int
    disturbance: str = "down"
