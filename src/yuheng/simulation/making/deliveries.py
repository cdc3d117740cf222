"""What suppliers bring: lots with their suppliers' numbers, things that expire, single pieces with serial numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from yuheng.simulation.products import LOT, SERIAL, Bought

MOST_SERIALS = 200
LATE_SHARE = 0.25
SOON_MIN, LATE_MIN = (4.0, 25.0), (40.0, 150.0)
"""Minutes from the order to the delivery: as promised, and late."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of one material; ``serials`` are as many as the quantity, where pieces are told apart."""

    quantity: float
    supplier_lot: str = ""
    serials: tuple[str, ...] = ()
    expires_at: datetime | None = None


def delivery(bought: Bought, wanted: float, stream: random.Random, *, at: datetime) -> Delivery:
    """Return a delivery of at least ``wanted``, in whole packs."""
    quantity = max(1, math.ceil(wanted / bought.pack)) * bought.pack
    serials: tuple[str, ...] = ()
    if bought.tracking == SERIAL:
        quantity = min(quantity, MOST_SERIALS)
        base = stream.randrange(16**6)
        serials = tuple(f"{bought.code.split('-')[-1]}-{base:06X}{place:03d}" for place in range(quantity))
    life = timedelta(days=bought.life_days * stream.uniform(0.1, 1.0))
    return Delivery(
        quantity=float(quantity),
        supplier_lot=f"{at:%y%m}{stream.randint(1000, 9999)}" if bought.tracking == LOT else "",
        serials=serials,
        expires_at=at + life if bought.life_days else None,
    )


def first_delivery(bought: Bought, wanted: float, stream: random.Random, *, at: datetime) -> Iterator[Delivery]:
    """Yield what lies in the stores at the beginning: of scarce things too little, of others enough for a while."""
    share = stream.uniform(0.2, 0.45) if bought.is_scarce else stream.uniform(0.7, 2.0)
    lots = stream.randint(2, 3) if bought.tracking == LOT and not bought.is_scarce else 1
    for _lot in range(lots):
        yield delivery(bought, wanted * share / lots, stream, at=at)


def waits_s(bought: Bought, stream: random.Random) -> float:
    """Return how long it takes until an ordered material comes, in seconds; what is scarce is late more often."""
    is_late = stream.random() < (2 * LATE_SHARE if bought.is_scarce else LATE_SHARE)
    return stream.uniform(*(LATE_MIN if is_late else SOON_MIN)) * 60
