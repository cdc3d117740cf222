"""Questions about what came of advice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median

from yuheng.kernel.actor import Actor
from yuheng.scheduling.models import Outcome, Suggestion

VIEW = "operations.view"
MOST = 500


@dataclass(frozen=True, slots=True)
class KindScore:
    """How good the advice of a kind was: medians of realised minus promised weighted minutes, with and without sign."""

    kind: str
    count: int
    error_min: float
    distance_min: float


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One order of a suggestion that was followed."""

    kind: str
    disturbance_id: int
    scored_at: datetime
    code: str
    request_id: int
    due_at: datetime
    promised_at: datetime
    made_at: datetime | None
    promised_min: int
    realised_min: int


def scores(*, actor: Actor, site_id: int) -> list[KindScore]:
    """How good advice was, by kind, over the last 500 that were followed. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Suggestion.objects.filter(site_id=site_id, scored_at__isnull=False).order_by("-scored_at")
    errors: dict[str, list[float]] = {}
    for kind, promised, realised in rows.values_list("kind", "promised", "realised")[:MOST]:
        errors.setdefault(kind, []).append(realised - promised)
    return [
        KindScore(kind, len(found), round(median(found), 1), round(median(abs(one) for one in found), 1))
        for kind, found in sorted(errors.items())
    ]


def outcomes(*, actor: Actor, site_id: int, limit: int = 200) -> list[OutcomeRow]:
    """The orders behind the scores, newest first. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Outcome.objects.filter(suggestion__site_id=site_id).order_by("-suggestion__scored_at", "pk")
    columns = (
        "suggestion__kind", "suggestion__disturbance_id", "suggestion__scored_at", "code", "request_id", "due_at",
        "promised_at", "made_at", "promised_min", "realised_min",
    )  # fmt: skip
    return [OutcomeRow(*row) for row in rows.values_list(*columns)[: min(limit, MOST)]]
