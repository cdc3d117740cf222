"""JSON edge of promise dates: what is possible, what was promised, what is expected."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import AwareDatetime

from yuheng.operations.services.orders import LineSpec
from yuheng.people.identity import actor_of
from yuheng.scheduling.rules.promises import OfferKind
from yuheng.scheduling.selectors import promises as told
from yuheng.scheduling.services import promises, words

router = Router(tags=["scheduling"])
Id = Annotated[int, Field(ge=1, lt=2**63)]
Code = Annotated[str, Field(max_length=80)]


def now() -> datetime:
    """Return the time of this machine: what services take as ``at``."""
    return datetime.now(UTC)


class PromiseLineIn(Schema):
    """A product that somebody may order; ``unit`` "" is its own."""

    material: Code
    quantity: Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=6)]
    unit: Annotated[str, Field(max_length=40)] = ""
    options: Annotated[dict[str, Any], Field(max_length=200)] = {}
    serial: Code = ""


class PromiseAskIn(Schema):
    """What is wanted together, and when; ``wished_at`` null: as early as possible."""

    site_id: Id
    lines: Annotated[list[PromiseLineIn], Field(min_length=1, max_length=20)]
    wished_at: AwareDatetime | None = None
    is_rush: bool = False


class PromiseStepOut(Schema):
    """A stretch of the way to a date; ``share`` says what it goes into: work, machine, closed, people, material…"""

    share: str
    text: str
    start: datetime
    end: datetime
    minutes: int
    job: str
    unit: str


class PromiseHurtOut(Schema):
    """Another order that would be done later."""

    order_id: int | None
    order: str
    customer_zh: str
    customer_en: str
    due_at: datetime
    ends_at: datetime
    later_min: int
    late_before_min: int
    late_after_min: int


class OfferOut(Schema):
    """A date. ``behind``: nobody else moves; ``fitted``, ``first``: others do, and ``hurt`` says who."""

    kind: str
    title: str
    ends_at: datetime
    keeps_wish: bool | None
    bottleneck: str
    bottleneck_min: int
    work_min: int
    weighted_min: float
    hurt_count: int
    hurt: list[PromiseHurtOut]
    way: list[PromiseStepOut]


class PromiseAnswerOut(Schema):
    """What can be promised behind plan ``number`` (0: no plan is published), best first."""

    number: int
    asked_at: datetime
    wished_at: datetime | None
    held: int
    assumed: list[str]
    offers: list[OfferOut]


class PromiseAcceptIn(Schema):
    """Which way, and the date that the customer is told."""

    kind: Literal["behind", "fitted", "first"]
    promised_at: AwareDatetime
    reason: Annotated[str, Field(max_length=400)] = ""


class PromiseRowOut(Schema):
    """A date that was promised."""

    id: int
    kind: str
    plan_number: int | None
    earliest_at: datetime
    promised_at: datetime
    former_at: datetime
    reason: str
    made_at: datetime
    made_by: str


class ForecastOut(Schema):
    """What an order was expected at from ``noted_at`` on, and what changed it; ``ends_at`` null: not planned."""

    noted_at: datetime
    promised_at: datetime
    ends_at: datetime | None
    late_min: int
    cause: str
    text: str
    plan_number: int | None


class OrderOutlookOut(Schema):
    """Promises and forecasts of an order, newest first."""

    promises: list[PromiseRowOut]
    forecasts: list[ForecastOut]


def _answer(found: promises.Answer) -> dict[str, Any]:
    return {
        "number": found.number, "asked_at": found.asked_at, "wished_at": found.wished_at, "held": found.held,
        "assumed": list(found.assumed), "offers": words.offers_told(found.built, found.offers, found.wished_at),
    }  # fmt: skip


@router.post("/promises/ask", response=PromiseAnswerOut)
def ask_promise(request: HttpRequest, body: PromiseAskIn) -> dict[str, Any]:
    """Say when something new could be done, what sets the date, and whom an earlier one would cost what."""
    lines = [LineSpec(one.material, one.quantity, one.unit, one.options, serial=one.serial) for one in body.lines]
    found = promises.ask(
        actor=actor_of(request), site_id=body.site_id, lines=lines, wished=body.wished_at, at=now(),
        is_rush=body.is_rush,
    )  # fmt: skip
    return _answer(found)


@router.get("/orders/{int:order_id}/promise", response=PromiseAnswerOut)
def ask_promise_of_order(request: HttpRequest, order_id: int) -> dict[str, Any]:
    """Say when an order could be done that is not released yet."""
    return _answer(promises.ask_for_order(actor=actor_of(request), order_id=order_id, at=now()))


@router.post("/orders/{int:order_id}/promise", response=PromiseRowOut)
def accept_promise(request: HttpRequest, order_id: int, body: PromiseAcceptIn) -> told.PromiseRow:
    """Promise an order's date; it is computed again, and refused when it does not hold any more."""
    actor = actor_of(request)
    promises.accept(
        actor=actor, order_id=order_id, kind=OfferKind(body.kind), promised_at=body.promised_at, at=now(),
        reason=body.reason,
    )  # fmt: skip
    return told.promises_of(actor=actor, order_id=order_id)[0]


@router.get("/orders/{int:order_id}/outlook", response=OrderOutlookOut)
def order_outlook(request: HttpRequest, order_id: int) -> dict[str, Any]:
    """What was promised for an order, what is expected, and what changed it."""
    actor = actor_of(request)
    rows = told.forecasts_of(actor=actor, order_id=order_id)
    return {
        "promises": told.promises_of(actor=actor, order_id=order_id),
        "forecasts": [
            {name: getattr(row, name) for name in ForecastOut.model_fields if name != "text"}
            | {"text": words.forecast_cause(row.cause, row.values)}
            for row in rows
        ],
    }
