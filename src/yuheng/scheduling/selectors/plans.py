"""Questions about plans: the published one, former ones, what-ifs and how they compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.scheduling.building import Rows
from yuheng.scheduling.models import Plan, Scenario, SitePlanning
from yuheng.scheduling.rules.states import PlanKind, ScenarioState

VIEW = "operations.view"
MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class PlanHead:
    """A plan without its rows. ``measures`` as `building.measuring.measure` gives them."""

    id: int
    site_id: int
    number: int
    kind: PlanKind
    parent_number: int | None
    made_at: datetime
    made_by: str
    reason: str
    is_published: bool
    published_at: datetime | None
    published_by: str
    job_count: int
    levers: list[Any]
    notices: list[Any]
    measures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """A what-if. ``measures`` is empty until it has a plan."""

    id: int
    site_id: int
    name: str
    state: ScenarioState
    base_number: int | None
    plan_id: int | None
    plan_number: int | None
    levers: list[Any]
    seconds: int
    stability: float
    progress: float
    best: float | None
    message: str
    asked_at: datetime
    asked_by: str
    ended_at: datetime | None
    measures: dict[str, Any]

    @property
    def is_under_way(self) -> bool:
        """Return whether the planner is still at it."""
        return self.state in (ScenarioState.WAITING, ScenarioState.SOLVING)


_HEAD = (
    "pk", "site_id", "number", "kind", "parent__number", "made_at", "made_by", "reason", "is_published",
    "published_at", "published_by", "job_order_ids__len", "levers", "notices", "measures",
)  # fmt: skip
_SCENARIO = (
    "pk", "site_id", "name", "state", "base__number", "plan_id", "plan__number", "levers", "seconds", "stability",
    "progress", "best", "message", "asked_at", "asked_by", "ended_at", "plan__measures",
)  # fmt: skip


def _head(values: Sequence[Any]) -> PlanHead:
    row = list(values)
    row[3], row[11] = PlanKind(row[3]), row[11] or 0
    return PlanHead(*row)


def _scenario(values: Sequence[Any]) -> ScenarioRow:
    row = list(values)
    row[3], row[16] = ScenarioState(row[3]), row[16] or {}
    return ScenarioRow(*row)


def published_plan(*, actor: Actor, site_id: int) -> PlanHead | None:
    """The plan that holds, without rows; None before the first. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Plan.objects.filter(site_id=site_id, is_published=True)
    return next((_head(one) for one in rows.values_list(*_HEAD)), None)


def plan(*, actor: Actor, plan_id: int) -> PlanHead:
    """One plan without its rows. One query. Raises `NotVisible`."""
    found = next((_head(one) for one in Plan.objects.visible_to(actor).filter(pk=plan_id).values_list(*_HEAD)), None)
    if found is None:
        actor.require(VIEW)
        raise NotVisible(_("There is no such plan here."))
    actor.require(VIEW, site_id=found.site_id)
    return found


def rows_of(*, actor: Actor, plan_id: int) -> Rows:
    """The rows of a plan. Two queries. Raises `NotVisible`."""
    plan(actor=actor, plan_id=plan_id)
    return rows_of_plan(Plan.objects.get(pk=plan_id))


@dataclass(frozen=True, slots=True)
class PlannerState:
    """Whether the planner looks after a site. ``silent_s`` None: it does, or no plan is published there."""

    silent_s: int | None
    trouble: str


SILENT_AFTER_S = 20.0


def planner_state(*, site_id: int, now: datetime) -> PlannerState:
    """How the planner is, as the page says it: silent since, or why its last look failed. One query."""
    found = SitePlanning.objects.filter(pk=site_id).values_list("seen_at", "trouble").first()
    if found is None or found[0] is None:
        return PlannerState(None, found[1] if found else "")
    silent_s = (now - found[0]).total_seconds()
    return PlannerState(int(silent_s) if silent_s > SILENT_AFTER_S else None, found[1])


def rows_of_plan(row: Plan) -> Rows:
    """Return the rows of a plan that is at hand."""
    return Rows(row.origin, row.job_order_ids, row.work_unit_ids, row.setup_starts, row.starts, row.ends)


def published_history(*, actor: Actor, site_id: int, limit: int = 20) -> list[PlanHead]:
    """Plans that hold or held, newest first. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Plan.objects.filter(site_id=site_id, published_at__isnull=False).order_by("-published_at", "-pk")
    return [_head(one) for one in rows.values_list(*_HEAD)[: min(limit, MOST_LISTED)]]


def scenarios(*, actor: Actor, site_id: int, limit: int = 12) -> list[ScenarioRow]:
    """What-ifs, newest first. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Scenario.objects.filter(site_id=site_id).order_by("-pk")
    return [_scenario(one) for one in rows.values_list(*_SCENARIO)[: min(limit, MOST_LISTED)]]


def scenario(*, actor: Actor, scenario_id: int) -> ScenarioRow:
    """One what-if. One query. Raises `NotVisible`."""
    rows = Scenario.objects.visible_to(actor).filter(pk=scenario_id)
    found = next((_scenario(one) for one in rows.values_list(*_SCENARIO)), None)
    if found is None:
        actor.require(VIEW)
        raise NotVisible(_("There is no such scenario here."))
    actor.require(VIEW, site_id=found.site_id)
    return found


def compare(*, actor: Actor, scenario_ids: Sequence[int]) -> list[ScenarioRow]:
    """What-ifs side by side, in the order asked for; at most four. Raises `NotVisible`."""
    return [scenario(actor=actor, scenario_id=one) for one in list(dict.fromkeys(scenario_ids))[:4]]
