"""JSON edge: state rules, and the states they gave."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import AwareDatetime

from yuheng.engines.states.vocabulary import UnitState
from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import check_order, ids, now, word
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import history, signals, states
from yuheng.telemetry.services import state_rules
from yuheng.telemetry.services.state_rules import RuleSpec

router = Router(tags=["telemetry"])


class StateRuleIn(Schema):
    """One state rule; the first whose condition holds names the state."""

    state: Literal["no_data", "unknown", "producing", "idle", "setup", "down", "planned_stop"]
    when: str
    cause: str = ""


class RulesIn(Schema):
    """All rules of an equipment class, in order; with ``past_days`` so much of the past is judged by them too."""

    rules: list[StateRuleIn]
    no_data_after_s: float = 60.0
    past_days: Annotated[int, Field(ge=0, le=366)] = 0


class RulesOut(Schema):
    """The rules of a class, and the symbols that the tags of its work units offer."""

    equipment_class_id: int
    class_code: str
    no_data_after_s: float
    rules: list[StateRuleIn]
    symbols: list[str]


class StatePreviewIn(Schema):
    """Rules to try on history; without rules, the configured ones are tried."""

    work_unit_ids: Annotated[list[int], Field(min_length=1, max_length=200)]
    start: AwareDatetime
    end: AwareDatetime
    rules: list[StateRuleIn] | None = None


class IntervalOut(Schema):
    """A state from ``start`` to ``end`` (null: still)."""

    state: str
    cause: str
    start: datetime
    end: datetime | None


class UnitIntervalsOut(Schema):
    """The states of one work unit."""

    work_unit_id: int
    intervals: list[IntervalOut]


@router.get("/equipment-classes/{int:equipment_class_id}/state-rules", response=RulesOut)
def get_state_rules(request: HttpRequest, equipment_class_id: int) -> dict[str, Any]:
    """Show the state rules of an equipment class."""
    return _rules_out(request, equipment_class_id)


@router.put("/equipment-classes/{int:equipment_class_id}/state-rules", response=RulesOut)
def set_state_rules(request: HttpRequest, equipment_class_id: int, body: RulesIn) -> dict[str, Any]:
    """Replace all state rules of an equipment class."""
    state_rules.set_state_rules(
        actor=actor_of(request),
        equipment_class_id=equipment_class_id,
        rules=_specs(body.rules),
        no_data_after_s=body.no_data_after_s,
        past_days=body.past_days,
        at=now(),
    )
    return _rules_out(request, equipment_class_id)


@router.post("/equipment-classes/{int:equipment_class_id}/state-rules/preview", response=list[UnitIntervalsOut])
def preview_state_rules(request: HttpRequest, equipment_class_id: int, body: StatePreviewIn) -> list[dict[str, Any]]:
    """Try rules on history. Nothing is stored."""
    rules = None
    if body.rules is not None:
        specs = _specs(body.rules)
        state_rules.check_rules(specs)
        rules = [{"state": int(spec.state), "when": spec.when, "cause": spec.cause} for spec in specs]
    found = history.states_preview(
        actor=actor_of(request),
        equipment_class_id=equipment_class_id,
        work_unit_ids=body.work_unit_ids,
        start_us=microseconds(body.start),
        end_us=microseconds(body.end),
        rules=rules,
    )
    return [
        {
            "work_unit_id": unit_id,
            "intervals": [
                {
                    "state": word(interval.state),
                    "cause": interval.cause,
                    "start": moment(interval.start_us),
                    "end": None if interval.end_us is None else moment(interval.end_us),
                }
                for interval in intervals
            ],
        }
        for unit_id, intervals in found.items()
    ]


@router.get("/states", response=list[UnitIntervalsOut])
def list_states(
    request: HttpRequest, start: AwareDatetime, end: AwareDatetime, work_unit_ids: str = "", site_id: int | None = None
) -> list[dict[str, Any]]:
    """List the states of work units (``work_unit_ids=1,2``) or of a whole site that touch [start, end)."""
    check_order(start, end)
    actor = actor_of(request)
    if site_id is not None and not work_unit_ids:
        rows = states.states_of_site(actor=actor, site_id=site_id, start=start, end=end)
    else:
        rows = states.states_between(actor=actor, start=start, end=end, work_unit_ids=ids(work_unit_ids))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        interval = {"state": word(row.state), "cause": row.cause, "start": row.started_at, "end": row.ended_at}
        found.setdefault(row.work_unit_id, []).append(interval)
    return [{"work_unit_id": unit_id, "intervals": intervals} for unit_id, intervals in found.items()]


def _rules_out(request: HttpRequest, equipment_class_id: int) -> dict[str, Any]:
    row = signals.state_rules(actor=actor_of(request), equipment_class_id=equipment_class_id)
    return {
        "equipment_class_id": row.equipment_class_id,
        "class_code": row.class_code,
        "no_data_after_s": row.no_data_after_s,
        "rules": [{"state": word(rule.state), "when": rule.when, "cause": rule.cause} for rule in row.rules],
        "symbols": row.symbols,
    }


def _specs(rules: list[StateRuleIn]) -> list[RuleSpec]:
    return [RuleSpec(UnitState[rule.state.upper()], rule.when, rule.cause) for rule in rules]
