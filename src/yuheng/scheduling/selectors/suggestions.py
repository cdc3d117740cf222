"""Questions about what stands, whom it hits, and what could be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.scheduling.models import Disturbance, Suggestion
from yuheng.scheduling.rules import Basis
from yuheng.scheduling.rules.states import SuggestionState

VIEW = "operations.view"
MOST = 50


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """One way to go on. ``consequences`` as `building.measuring.measure` gives them, against doing nothing."""

    id: int
    disturbance_id: int
    rank: int
    kind: str
    values: dict[str, Any]
    base_number: int
    plan_id: int
    plan_number: int
    state: SuggestionState
    consequences: dict[str, Any]
    predicted: float
    realised: float | None
    made_at: datetime
    ended_by: str

    @property
    def is_better(self) -> bool:
        """Whether it leads to less lateness than changing nothing, by the weight of the orders: as it is ranked."""
        before = (self.consequences.get("before") or {}).get("weighted_min")
        return before is not None and self.consequences.get("weighted_min", before) < before


@dataclass(frozen=True, slots=True)
class DisturbanceRow:
    """Something that happened to the plan. ``hit``: orders that are late when nothing is done, the worst first.

    ``details``: what it is about, for people, see `rules.disturbances.Trouble`.
    """

    id: int
    site_id: int
    kind: str
    work_unit_id: int | None
    unit_code: str
    unit_zh: str
    unit_en: str
    cause: str
    since: datetime
    expected_end: datetime
    basis: Basis
    noticed_at: datetime
    answered_at: datetime | None
    jobs_hit: int
    late_min: int
    hit: list[Any]
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    suggestions: tuple[SuggestionRow, ...] = ()

    @property
    def is_harmless(self) -> bool:
        """Whether it is answered and no promise is hit by it, and nobody has done anything about it."""
        is_touched = any(one.state is SuggestionState.ACCEPTED for one in self.suggestions)
        return self.answered_at is not None and not self.hit and not self.message and not is_touched


_ROW = (
    "pk", "site_id", "kind", "work_unit_id", "cause", "since", "expected_end", "basis", "noticed_at", "answered_at",
    "jobs_hit", "late_min", "hit", "message", "details",
)  # fmt: skip
_SUGGESTION = (
    "pk", "disturbance_id", "rank", "kind", "values", "base__number", "plan_id", "plan__number", "state",
    "consequences", "predicted", "realised", "made_at", "ended_by",
)  # fmt: skip


def open_disturbances(*, actor: Actor, site_id: int) -> list[DisturbanceRow]:
    """What stands now, the most lateness first, each with its open suggestions, best first. Three queries."""
    actor.require(VIEW, site_id=site_id)
    rows = list(
        Disturbance.objects.filter(site_id=site_id, over_at__isnull=True)
        .order_by("-late_min", "-pk")
        .values_list(*_ROW)[:MOST]
    )
    names = equipment.names_of_work_units(row[3] for row in rows if row[3] is not None)
    made: dict[int, list[SuggestionRow]] = {}
    wanted = Suggestion.objects.filter(disturbance_id__in=[row[0] for row in rows])
    shown = wanted.filter(state__in=[SuggestionState.OPEN.value, SuggestionState.ACCEPTED.value])
    for one in shown.order_by("rank").values_list(*_SUGGESTION):
        values = list(one)
        values[8] = SuggestionState(values[8])
        made.setdefault(one[1], []).append(SuggestionRow(*values))
    found = []
    for row in rows:
        told: list[Any] = [*row[:4], *names.get(row[3], ("", "", "")), *row[4:7], Basis(row[7]), *row[8:]]
        told.append(tuple(made.get(row[0], ())))
        found.append(DisturbanceRow(*told))
    return found


def site_of_disturbance(*, actor: Actor, disturbance_id: int) -> int:
    """The site at which something stands, or stood. One query. Raises `NotVisible`."""
    site_id = Disturbance.objects.visible_to(actor).filter(pk=disturbance_id).values_list("site_id", flat=True).first()
    if site_id is None:
        actor.require(VIEW)
        raise NotVisible(_("There is no such disturbance here."))
    actor.require(VIEW, site_id=site_id)
    return int(site_id)
