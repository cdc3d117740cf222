"""JSON edge of scheduling, below ``/api/v1``: plans, what-ifs, moves, what stands and what could be done."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.people.identity import actor_of
from yuheng.scheduling.building import OUTSIDE
from yuheng.scheduling.building.moving import How, Move
from yuheng.scheduling.rules import Policy
from yuheng.scheduling.selectors import plans as asked
from yuheng.scheduling.selectors import plant, suggestions
from yuheng.scheduling.services import loop, moves, plans, scenarios, settings, words

router = Router(tags=["scheduling"])
Id = Annotated[int, Field(ge=1, lt=2**63)]
Number = Annotated[int, Field(ge=0, lt=2**31)]
Reason = Annotated[str, Field(max_length=400)]
Name = Annotated[str, Field(max_length=120)]


def now() -> datetime:
    """Return the time of this machine: what services take as ``at``."""
    return datetime.now(UTC)


class NoticeOut(Schema):
    """What a plan had to assume or leave out, as a sentence."""

    code: str
    text: str
    job_order_id: int
    work_unit_id: int


class PlanOut(Schema):
    """A plan without its rows."""

    id: int
    site_id: int
    number: int
    kind: str
    parent_number: int | None
    made_at: datetime
    made_by: str
    reason: str
    is_published: bool
    published_at: datetime | None
    published_by: str
    job_count: int
    levers: list[Any]
    notices: list[NoticeOut]
    measures: dict[str, Any]


class PlannedOut(Schema):
    """A job order in a plan; ``work_unit_id`` null: at a supplier."""

    job_order_id: int
    work_unit_id: int | None
    setup_start: datetime
    start: datetime
    end: datetime


class ScenarioOut(Schema):
    """A what-if; ``measures`` is empty until it has a plan."""

    id: int
    site_id: int
    name: str
    state: str
    base_number: int | None
    plan_id: int | None
    plan_number: int | None
    levers: list[Any]
    seconds: int
    progress: float
    best: float | None
    message: str
    asked_at: datetime
    asked_by: str
    ended_at: datetime | None
    measures: dict[str, Any]


class SuggestionOut(Schema):
    """One way to go on after a breakdown."""

    id: int
    rank: int
    kind: str
    title: str
    base_number: int
    plan_id: int
    plan_number: int
    state: str
    predicted: float
    made_at: datetime
    consequences: dict[str, Any]


class DisturbanceOut(Schema):
    """Something that happened to the plan, whom it hits, what could be done; ``work_unit_id`` null: at no machine."""

    id: int
    site_id: int
    kind: str
    title: str
    work_unit_id: int | None
    unit_code: str
    cause: str
    since: datetime
    expected_end: datetime
    basis: str
    noticed_at: datetime
    answered_at: datetime | None
    jobs_hit: int
    late_min: int
    hit: list[Any]
    message: str
    suggestions: list[SuggestionOut]


class PlanImpactOut(Schema):
    """What a move leads to; ``refusals`` say why it may not be."""

    number: int
    is_feasible: bool
    is_published: bool
    job_order_id: int
    unit: str
    starts_at: datetime | None
    ends_at: datetime | None
    refusals: list[str]
    measures: dict[str, Any]


class PublishIn(Schema):
    """The number of the plan that holds, as far as you know (0: none), and why another one should."""

    expected: Number
    reason: Reason


class UndoIn(PublishIn):
    """At which site."""

    site_id: Id
    reason: Reason = ""


class ForkIn(Schema):
    """A name, and levers: see the integrators' guide."""

    name: Name = ""
    levers: Annotated[list[dict[str, Any]], Field(max_length=50)] = []


class ScenarioIn(ForkIn):
    """A plan that is asked for; ``seconds`` of search, null: as the site's setting says."""

    site_id: Id
    seconds: Annotated[int, Field(ge=1, le=600)] | None = None


class PlanMoveIn(Schema):
    """A job order to a work unit (null: where it is planned), at a time or as soon after as is possible."""

    site_id: Id
    job_order_id: Id
    start: AwareDatetime
    work_unit_id: Id | None = None
    how: Literal["insert", "slot", "infinite"] = "insert"
    expected: Number
    reason: Reason = ""

    def command(self) -> Move:
        """Return it as the service takes it."""
        return Move(self.job_order_id, self.start, self.work_unit_id, How(self.how))


class ReturnIn(Schema):
    """When the machine is back."""

    until: AwareDatetime


class AcceptIn(Schema):
    """Why; empty: what the suggestion is called."""

    reason: Reason = ""


class PlanningIn(Schema):
    """How a site plans; see `rules.policy.Policy`."""

    frozen_min: int = 60
    stability: float = 0.5
    stop_min: int = 60
    hold_h: int = 8
    material_h: int = 24
    solve_s: int = 10
    nightly_at: time | None = None
    suggests: bool = True
    places_new: bool = True
    least_stop_s: int = 0


def _plan(head: asked.PlanHead) -> dict[str, Any]:
    found = {name: getattr(head, name) for name in PlanOut.model_fields if name != "notices"}
    found["notices"] = [
        {"code": one["code"], "text": words.notice(one), "job_order_id": one["job"], "work_unit_id": one["unit"]}
        for one in head.notices
    ]
    return found


@router.get("/plans/published", response=PlanOut | None)
def published_plan(request: HttpRequest, site_id: int) -> dict[str, Any] | None:
    """The plan that holds; null before the first."""
    head = asked.published_plan(actor=actor_of(request), site_id=site_id)
    return None if head is None else _plan(head)


@router.get("/plans", response=list[PlanOut])
def list_plans(request: HttpRequest, site_id: int) -> list[dict[str, Any]]:
    """Plans that hold or held, newest first."""
    return [_plan(head) for head in asked.published_history(actor=actor_of(request), site_id=site_id)]


@router.get("/plans/{int:plan_id}", response=PlanOut)
def get_plan(request: HttpRequest, plan_id: int) -> dict[str, Any]:
    """One plan without its rows."""
    return _plan(asked.plan(actor=actor_of(request), plan_id=plan_id))


@router.get("/plans/{int:plan_id}/rows", response=list[PlannedOut])
def plan_rows(request: HttpRequest, plan_id: int) -> list[dict[str, Any]]:
    """The rows of a plan, by start."""
    rows = asked.rows_of(actor=actor_of(request), plan_id=plan_id)
    return [
        {
            "job_order_id": job, "work_unit_id": None if unit == OUTSIDE else unit, "setup_start": rows.moment(setup),
            "start": rows.moment(start), "end": rows.moment(end),
        }
        for job, unit, setup, start, end in zip(
            rows.job_order_ids, rows.work_unit_ids, rows.setup_starts, rows.starts, rows.ends, strict=True
        )
    ]  # fmt: skip


@router.post("/plans/{int:plan_id}/publish", response=PlanOut)
def publish_plan(request: HttpRequest, plan_id: int, body: PublishIn) -> dict[str, Any]:
    """Make a plan the one that holds, brought to this second; job orders get their machines and times."""
    actor = actor_of(request)
    made = plans.publish_plan(actor=actor, plan_id=plan_id, expected=body.expected, reason=body.reason, at=now())
    return _plan(asked.plan(actor=actor, plan_id=made.pk))


@router.post("/plans/undo", response=PlanOut)
def undo_plan(request: HttpRequest, body: UndoIn) -> dict[str, Any]:
    """Take the plan before the present one back."""
    actor = actor_of(request)
    made = plans.undo(actor=actor, site_id=body.site_id, expected=body.expected, reason=body.reason, at=now())
    return _plan(asked.plan(actor=actor, plan_id=made.pk))


@router.get("/scenarios", response=list[ScenarioOut])
def list_scenarios(request: HttpRequest, site_id: int) -> list[asked.ScenarioRow]:
    """What-ifs, newest first."""
    return asked.scenarios(actor=actor_of(request), site_id=site_id)


@router.get("/scenarios/compare", response=list[ScenarioOut])
def compare_scenarios(request: HttpRequest, ids: Annotated[str, Query(max_length=200)]) -> list[asked.ScenarioRow]:
    """Up to four what-ifs side by side; ids separated by commas."""
    wanted = [int(one) for one in ids.split(",") if one.isascii() and one.isdigit() and len(one) < 19]
    return asked.compare(actor=actor_of(request), scenario_ids=wanted)


@router.get("/scenarios/{int:scenario_id}", response=ScenarioOut)
def get_scenario(request: HttpRequest, scenario_id: int) -> asked.ScenarioRow:
    """One what-if with its progress."""
    return asked.scenario(actor=actor_of(request), scenario_id=scenario_id)


@router.post("/scenarios", response=ScenarioOut)
def ask_scenario(request: HttpRequest, body: ScenarioIn) -> asked.ScenarioRow:
    """Ask for a plan; it is made by the planner, look at its progress."""
    actor = actor_of(request)
    row = scenarios.make_plan(
        actor=actor, site_id=body.site_id, at=now(), name=body.name, levers=body.levers, seconds=body.seconds
    )
    return asked.scenario(actor=actor, scenario_id=row.pk)


@router.post("/scenarios/{int:scenario_id}/fork", response=ScenarioOut)
def fork_scenario(request: HttpRequest, scenario_id: int, body: ForkIn) -> asked.ScenarioRow:
    """Ask for another what-if with the levers of one, and more."""
    actor = actor_of(request)
    row = scenarios.fork_scenario(actor=actor, scenario_id=scenario_id, at=now(), name=body.name, levers=body.levers)
    return asked.scenario(actor=actor, scenario_id=row.pk)


@router.post("/scenarios/{int:scenario_id}/cancel", response=ScenarioOut)
def cancel_scenario(request: HttpRequest, scenario_id: int) -> asked.ScenarioRow:
    """Stop a plan that is being made; the best found so far is kept."""
    actor = actor_of(request)
    scenarios.cancel_scenario(actor=actor, scenario_id=scenario_id, at=now())
    return asked.scenario(actor=actor, scenario_id=scenario_id)


@router.post("/moves/try", response=PlanImpactOut)
def try_move(request: HttpRequest, body: PlanMoveIn) -> moves.Impact:
    """Say what a move would lead to; nothing is written."""
    return moves.try_move(
        actor=actor_of(request), site_id=body.site_id, command=body.command(), at=now(), expected=body.expected
    )


@router.post("/moves", response=PlanImpactOut)
def move_job_order(request: HttpRequest, body: PlanMoveIn) -> moves.Impact:
    """Move a job order in the published plan, by the same rules; published or refused with the reason."""
    return moves.move(
        actor=actor_of(request), site_id=body.site_id, command=body.command(), expected=body.expected, at=now(),
        reason=body.reason,
    )  # fmt: skip


def _disturbance(row: suggestions.DisturbanceRow) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in DisturbanceOut.model_fields if name not in ("suggestions", "title")}
    found["title"] = words.disturbance(row.kind, row.unit_code, row.details, row.expected_end)
    found["suggestions"] = [
        {
            **{name: getattr(one, name) for name in SuggestionOut.model_fields if name != "title"},
            "title": words.alternative(one.kind, one.values),
        }
        for one in row.suggestions
    ]
    return found


@router.get("/disturbances", response=list[DisturbanceOut])
def list_disturbances(request: HttpRequest, site_id: int) -> list[dict[str, Any]]:
    """What stands now, whom it hits, and what could be done, best first."""
    return [_disturbance(row) for row in suggestions.open_disturbances(actor=actor_of(request), site_id=site_id)]


@router.post("/disturbances/{int:disturbance_id}/return", response=list[DisturbanceOut])
def say_return(request: HttpRequest, disturbance_id: int, body: ReturnIn) -> list[dict[str, Any]]:
    """Say when a machine is back; suggestions are made anew."""
    actor = actor_of(request)
    row = loop.say_return(actor=actor, disturbance_id=disturbance_id, until=body.until, at=now())
    return [_disturbance(one) for one in suggestions.open_disturbances(actor=actor, site_id=row.site_id)]


@router.post("/suggestions/{int:suggestion_id}/accept", response=PlanOut)
def accept_suggestion(request: HttpRequest, suggestion_id: int, body: AcceptIn) -> dict[str, Any]:
    """Publish what a suggestion says, as it goes on from now."""
    actor = actor_of(request)
    made = loop.accept_suggestion(actor=actor, suggestion_id=suggestion_id, at=now(), reason=body.reason)
    return _plan(asked.plan(actor=actor, plan_id=made.pk))


@router.get("/planning", response=PlanningIn)
def get_planning(request: HttpRequest, site_id: int) -> Policy:
    """How a site plans."""
    actor_of(request).require("operations.view", site_id=site_id)
    return plant.policy_of(site_id=site_id)


@router.put("/planning", response=PlanningIn)
def change_planning(request: HttpRequest, site_id: int, body: PlanningIn) -> Policy:
    """Set how a site plans."""
    policy = Policy(**body.dict())
    return settings.change_settings(actor=actor_of(request), site_id=site_id, policy=policy, at=now())
