"""Who orders what: customers of a demo plant, their orders, and how urgent they are."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from yuheng.simulation.engine import chance
from yuheng.simulation.products import Catalogue, Wish

RUSH_SHARE = 0.07
SECOND_LINE_SHARE = 0.2
NOTES = (
    "",
    "",
    "",
    "分批交货 / partial delivery welcome",
    "随货附检验报告 / test report with the goods",
    "周末可收货 / weekend delivery possible",
)

OptionValue = bool | float | str


@dataclass(frozen=True, slots=True)
class OrderLine:
    """So many of a product, as the customer wants it."""

    material: str
    quantity: int
    options: dict[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer asks for."""

    customer: str
    promised_at: datetime
    lines: tuple[OrderLine, ...]
    priority: int
    is_rush: bool
    reference: str
    note: str


class Market:
    """Customers who come one after the other.

    Parameters
    ----------
    seed
        The same seed brings the same customers with the same wishes.
    name
        Of this stream of chance: the past and the present are different ones.
    """

    def __init__(self, catalogue: Catalogue, *, seed: int, name: str = "market") -> None:
        self._catalogue = catalogue
        self._stream = chance(seed, f"{catalogue.plant.name}/{name}")
        self._options = {one.code: {option.name: option for option in one.options} for one in catalogue.made}

    def order(self, now: datetime) -> Order:
        """Return the next customer's order; a promise is one to three lead times away, of a rush order less."""
        stream = self._stream
        is_rush = stream.random() < RUSH_SHARE
        wishes = self._catalogue.wishes
        count = 2 if stream.random() < SECOND_LINE_SHARE and not is_rush else 1
        chosen = stream.choices(wishes, [wish.share for wish in wishes], k=count)
        times = stream.uniform(0.7, 0.95) if is_rush else stream.uniform(1.0, 3.0)
        promised = now + timedelta(hours=self._catalogue.lead_hours * times)
        return Order(
            customer=stream.choice(self._catalogue.customers).code,
            promised_at=promised.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1),
            lines=tuple(self._line(wish, stream, is_rush=is_rush) for wish in dict.fromkeys(chosen)),
            priority=stream.choice((300, 500, 500, 500, 600)),
            is_rush=is_rush,
            reference=f"PO-{now:%y%m}-{stream.randint(1000, 9999)}",
            note="加急 / rush" if is_rush else stream.choice(NOTES),
        )

    def _line(self, wish: Wish, stream: random.Random, *, is_rush: bool) -> OrderLine:
        known = self._options[wish.product]
        options = {name: _value(stream.choice(values), known[name].kind) for name, values in wish.options}
        return OrderLine(wish.product, 1 if is_rush else stream.randint(*wish.pieces), options)


def _value(text: str, kind: str) -> OptionValue:
    if kind == "boolean":
        return text == "true"
    return float(text) if kind == "number" else text
