"""Stock: kinds of movements and what they do to a balance, shortages by date. Plain Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from yuheng.operations.rules.progress import ZERO


class LotKind(StrEnum):
    """What a traced object is (traceability: `TraceObject`)."""

    LOT = "lot"
    INSTANCE = "instance"  # serialised: one piece with a number of its own


class LotState(StrEnum):
    """Disposition of a lot, in the words of EPCIS' core business vocabulary."""

    IN_PROGRESS = "in_progress"  # announced by a released order, not made yet
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"  # blocked
    DESTROYED = "destroyed"


class MovementKind(StrEnum):
    """Why stock changed."""

    RECEIPT = "receipt"
    PRODUCE = "produce"
    MOVE = "move"
    ISSUE = "issue"
    RETURN = "return"
    COUNT = "count"
    SCRAP = "scrap"


class LocationKind(StrEnum):
    """What a stock location is for."""

    STORE = "store"
    LINE = "line"
    OUTPUT = "output"
    BLOCKED = "blocked"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class MassBalance:
    """Everything that came into a lot and went out of it, in the material's unit."""

    received: Decimal = ZERO
    produced: Decimal = ZERO
    returned: Decimal = ZERO
    counted_more: Decimal = ZERO
    consumed: Decimal = ZERO
    scrapped: Decimal = ZERO
    counted_less: Decimal = ZERO
    on_hand: Decimal = ZERO

    @property
    def difference(self) -> Decimal:
        """What is unexplained: zero, or something wrote past the services."""
        came = self.received + self.produced + self.returned + self.counted_more
        went = self.consumed + self.scrapped + self.counted_less
        return came - went - self.on_hand


_PLACES = {
    (MovementKind.RECEIPT, True): "received",
    (MovementKind.PRODUCE, True): "produced",
    (MovementKind.RETURN, True): "returned",
    (MovementKind.COUNT, True): "counted_more",
    (MovementKind.ISSUE, False): "consumed",
    (MovementKind.SCRAP, False): "scrapped",
    (MovementKind.COUNT, False): "counted_less",
}


def mass_balance(sums: Mapping[tuple[MovementKind, bool], Decimal], on_hand: Decimal) -> MassBalance:
    """Return the balance from sums by (kind, whether it came in); moves between locations change nothing."""
    found = {_PLACES[key]: quantity for key, quantity in sums.items() if key in _PLACES}
    return MassBalance(**found, on_hand=on_hand)


@dataclass(frozen=True, slots=True)
class Need:
    """One open requirement of a material."""

    needed_at: datetime
    quantity: Decimal
    request_id: int
    request_code: str


@dataclass(frozen=True, slots=True)
class Shortage:
    """When a material runs out, by how much, and whom it stops."""

    needed: Decimal
    short: Decimal
    short_at: datetime | None
    requests: tuple[tuple[int, str], ...]


def shortage(on_hand: Decimal, needs: Iterable[Need]) -> Shortage:
    """Serve needs in the order of their dates from what is there.

    Examples
    --------
    >>> day = datetime(2026, 11, 23)
    >>> shortage(Decimal(5), [Need(day, Decimal(4), 1, "A"), Need(day, Decimal(3), 2, "B")]).requests
    ((2, 'B'),)
    """
    left, needed, short = on_hand, ZERO, ZERO
    short_at: datetime | None = None
    stopped: dict[int, str] = {}
    for need in sorted(needs, key=lambda one: (one.needed_at, one.request_id)):
        needed += need.quantity
        if need.quantity > left:
            short += need.quantity - left
            short_at = short_at or need.needed_at
            stopped[need.request_id] = need.request_code
        left = max(ZERO, left - need.quantity)
    return Shortage(needed, short, short_at, tuple(stopped.items()))
