"""What came of advice: the suggestion that was followed, held against what was made. For the planner."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime

from yuheng.kernel.actor import Actor
from yuheng.operations.selectors import planning
from yuheng.scheduling.models import Disturbance, Outcome, Suggestion
from yuheng.scheduling.rules.states import SuggestionState
from yuheng.scheduling.selectors.plans import rows_of_plan

WAITS = timedelta(days=7)
"""So long after the last promised end an order is waited for; then it counts as late until then."""
MOST_AT_ONCE = 20


def score_due(*, actor: Actor, site_id: int, at: datetime) -> list[int]:
    """Score the disturbances that are over and whose orders are made, or were waited for long enough.

    Scored is what was followed: the accepted suggestion, else "change nothing". What was not done cannot be known.

    Returns
    -------
    list of int
        Suggestions that were scored.
    """
    due = Disturbance.objects.filter(site_id=site_id, over_at__isnull=False, scored_at__isnull=True).order_by("pk")
    found = []
    for row in due[:MOST_AT_ONCE]:
        followed = _followed(row)
        if followed is None:
            Disturbance.objects.filter(pk=row.pk).update(scored_at=at)
        elif _score(actor, row, followed, at):
            found.append(followed.pk)
    return found


def _followed(row: Disturbance) -> Suggestion | None:
    made = Suggestion.objects.filter(disturbance=row).select_related("plan")
    accepted: Suggestion | None = made.filter(state=SuggestionState.ACCEPTED.value).first()
    return accepted or made.filter(kind="wait").order_by("-pk").first()


def _score(actor: Actor, row: Disturbance, followed: Suggestion, at: datetime) -> bool:
    told: dict[int, dict[str, Any]] = {}
    for one in [*followed.consequences.get("late", ()), *row.hit]:
        told.setdefault(one["request_id"], one)
    rows = rows_of_plan(followed.plan)
    ends = dict(zip(followed.plan.completed_ids, followed.plan.completed_ends, strict=True))
    promised = {root: rows.moment(ends[root]) for root in told if root in ends}
    closed = planning.closed_requests(actor=actor, site_id=row.site_id, request_ids=list(promised))
    is_waiting = any(root not in closed for root in promised)
    if is_waiting and at < max(promised.values()) + WAITS:
        return False
    outcomes = []
    for root, ends_at in promised.items():
        made_at = closed[root].made_at if root in closed else None
        due_at = parse_datetime(told[root]["due_at"])
        if due_at is None or (root in closed and made_at is None):  # given up: nobody waits for it any more
            continue
        outcomes.append(
            Outcome(
                suggestion=followed, request_id=root, code=(told[root]["order"] or told[root]["request"])[:120],
                due_at=due_at, weight=told[root].get("weight", 1.0), promised_at=ends_at, made_at=made_at,
                promised_min=late(due_at, ends_at), realised_min=late(due_at, made_at or at),
            )
        )  # fmt: skip
    with transaction.atomic():
        Outcome.objects.bulk_create(outcomes, ignore_conflicts=True)
        if outcomes:
            followed.promised = round(sum(one.promised_min * one.weight for one in outcomes), 1)
            followed.realised = round(sum(one.realised_min * one.weight for one in outcomes), 1)
            followed.scored_at = at
            followed.save(update_fields=["promised", "realised", "scored_at"])
        Disturbance.objects.filter(pk=row.pk).update(scored_at=at)
    return bool(outcomes)


def late(due_at: datetime, ends_at: datetime) -> int:
    """Return whole minutes by which something is late, 0 in time."""
    return max(0, math.ceil((ends_at - due_at).total_seconds() / 60))
