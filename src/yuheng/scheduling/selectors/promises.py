"""Questions about promises and forecasts of customer orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yuheng.kernel.actor import Actor
from yuheng.operations.selectors import orders
from yuheng.scheduling.models import Forecast, Promise
from yuheng.scheduling.rules.promises import ForecastCause, OfferKind

VIEW = "operations.view"
MOST_TOLD = 50
_ENTERED = "entered"


@dataclass(frozen=True, slots=True)
class PromiseRow:
    """A date that was promised. ``way`` and ``hurt`` as `models.Promise` keeps them."""

    id: int
    kind: OfferKind
    plan_number: int | None
    earliest_at: datetime
    promised_at: datetime
    former_at: datetime
    reason: str
    way: list[dict[str, Any]]
    hurt: list[dict[str, Any]]
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """What an order was expected at from ``noted_at`` on; None: it could not be planned."""

    noted_at: datetime
    promised_at: datetime
    ends_at: datetime | None
    cause: ForecastCause
    values: dict[str, Any]
    plan_number: int | None

    @property
    def late_min(self) -> int:
        """Minutes behind the promise of that time; 0: in time."""
        late = 0.0 if self.ends_at is None else (self.ends_at - self.promised_at).total_seconds() / 60
        return max(0, int(late))


def promises_of(*, actor: Actor, order_id: int) -> list[PromiseRow]:
    """Dates promised for an order, newest first. Raises `NotVisible`."""
    row = orders.order_detail(actor=actor, order_id=order_id)
    actor.require(VIEW, site_id=row.site_id)
    found = Promise.objects.filter(order_id=order_id).values_list(
        "pk", "kind", "plan__number", "earliest_at", "promised_at", "former_at", "reason", "way", "hurt", "made_at",
        "made_by",
    )  # fmt: skip
    return [PromiseRow(one[0], OfferKind(one[1]), *one[2:]) for one in found[:MOST_TOLD]]


def forecasts_of(*, actor: Actor, order_id: int) -> list[ForecastRow]:
    """Forecasts of an order, newest first, each with what changed it. Raises `NotVisible`."""
    row = orders.order_detail(actor=actor, order_id=order_id)
    actor.require(VIEW, site_id=row.site_id)
    found = Forecast.objects.filter(order_id=order_id).values_list(
        "noted_at", "promised_at", "ends_at", "cause", "values", "plan__number"
    )
    return [ForecastRow(one[0], one[1], one[2], ForecastCause(one[3]), one[4], one[5]) for one in found[:MOST_TOLD]]


def last_forecasts(*, site_id: int, order_ids: Sequence[int]) -> dict[int, Forecast]:
    """Order -> its newest forecast. One query."""
    rows = Forecast.objects.filter(site_id=site_id, order_id__in=list(order_ids)).order_by("order_id", "-pk")
    return {row.order_id: row for row in rows.distinct("order_id")}


def promised_but_entered(*, site_id: int, limit: int) -> list[int]:
    """Orders with a promised date that nobody has released yet, in the order of their promises. One query."""
    rows = Promise.objects.filter(site_id=site_id, order__state=_ENTERED).order_by("pk").values_list("order_id")
    return list(dict.fromkeys(one for (one,) in rows))[:limit]


@dataclass(frozen=True, slots=True)
class Endangered:
    """An open order that is expected behind its promise."""

    order_id: int
    code: str
    customer_zh: str
    customer_en: str
    forecast: ForecastRow


def endangered(*, actor: Actor, site_id: int, limit: int = 200) -> list[Endangered]:
    """Open orders whose newest forecast is behind their promise, or that cannot be planned; the latest first."""
    actor.require(VIEW, site_id=site_id)
    newest = (
        Forecast.objects.filter(site_id=site_id, order__state="released")
        .order_by("order_id", "-pk")
        .distinct("order_id")
        .values_list(
            "order_id", "order__code", "order__customer__name_zh", "order__customer__name_en", "noted_at",
            "order__promised_at", "ends_at", "cause", "values", "plan__number",
        )
    )  # fmt: skip
    rows = [
        Endangered(
            one[0], one[1], one[2], one[3], ForecastRow(one[4], one[5], one[6], ForecastCause(one[7]), one[8], one[9])
        )
        for one in newest
    ]
    late = [row for row in rows if row.forecast.late_min or row.forecast.ends_at is None]
    return sorted(late, key=lambda row: (row.forecast.ends_at is not None, -row.forecast.late_min))[:limit]
