"""Beside the floor of a demo plant: customers order, suppliers deliver, somebody comes when help is called.

All of it goes through the REST API with a token, and all of it asks first how things stand: after a restart it goes on
with what is there, and nothing is entered twice.
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from yuheng.simulation.engine import chance
from yuheng.simulation.making.customers import Market, Order
from yuheng.simulation.making.deliveries import delivery, waits_s
from yuheng.simulation.making.doors import Json, Web
from yuheng.simulation.products import Catalogue

log = logging.getLogger(__name__)

BOOK = 4
"""So many orders are entered and wait for their release."""

BETWEEN_ORDERS_S = 240.0
MOST_LISTED = 500
HELP_COMES_S, HELP_TAKES_S = 90.0, 420.0
SURPLUS = 1.4


class Office:
    """Sales, purchasing and the shift leads of one plant.

    Parameters
    ----------
    site_id
        The plant's key in Yuheng.
    seed
        Of customers and suppliers; what is ordered next never depends on a run before.
    """

    def __init__(self, web: Web, catalogue: Catalogue, site_id: int, *, seed: int) -> None:
        self._web = web
        self._catalogue = catalogue
        self._site_id = site_id
        self._stream = chance(seed, f"{catalogue.plant.name}/office")
        self._market = Market(catalogue, seed=seed, name=f"market/{uuid.uuid4()}")
        self._most_open = catalogue.most_open
        self._next_order_at = 0.0
        self._coming: dict[int, float] = {}  # material -> when it comes
        self._suppliers: list[int] = []

    async def sell(self, now: float) -> None:
        """Take the next order and release what the plant can begin; a rush order goes first."""
        if now < self._next_order_at:
            return
        self._next_order_at = now + self._stream.uniform(0.5, 1.5) * BETWEEN_ORDERS_S
        page = await self._web.ask("/orders", site_id=self._site_id, limit=MOST_LISTED)
        entered = [row for row in page["rows"] if row["state"] == "entered"]
        released = len(page["rows"]) - len(entered)
        if len(entered) < BOOK:
            order = self._market.order(datetime.fromtimestamp(now, UTC))
            entered.append(await self._web.tell("/orders", self._body(order)))
        entered.sort(key=lambda row: (not row["is_rush"], row["entered_at"]))
        if entered and (released < self._most_open or entered[0]["is_rush"]):
            await self._web.tell(f"/orders/{entered[0]['id']}/release", {})

    async def buy(self, now: float) -> None:
        """Order what is short, and receive what has come."""
        cursor, short = "", list[Json]()
        while True:
            page = await self._web.ask("/shortages", site_id=self._site_id, limit=MOST_LISTED, cursor=cursor)
            short += page["rows"]
            if not (cursor := page["next_cursor"]):
                break
        known = {one.code: one for one in self._catalogue.bought}
        for row in short:
            bought = known.get(row["material_code"])
            if bought is None:
                continue
            due = self._coming.setdefault(row["material_id"], now + waits_s(bought, self._stream))
            if now >= due:
                del self._coming[row["material_id"]]
                come = delivery(bought, row["short"] * SURPLUS, self._stream, at=datetime.fromtimestamp(now, UTC))
                await self._web.tell(
                    "/stock/receive",
                    {
                        "site_id": self._site_id, "material_id": row["material_id"], "quantity": come.quantity,
                        "serials": list(come.serials), "supplier_lot": come.supplier_lot,
                        "supplier_id": await self._supplier(), "action_id": str(uuid.uuid4()),
                        "expires_at": come.expires_at.isoformat() if come.expires_at else None,
                    },
                )  # fmt: skip
        there = {row["material_id"] for row in short}
        self._coming = {material: due for material, due in self._coming.items() if material in there}

    async def help(self, now: float) -> None:
        """Come when somebody calls, and see to it."""
        for row in await self._web.ask("/help-calls", site_id=self._site_id):
            since = now - _seconds(row["called_at"])
            if row["answered_at"] is None and since > HELP_COMES_S:
                await self._web.tell(f"/help-calls/{row['id']}/answer", {})
            elif row["answered_at"] is not None and since > HELP_TAKES_S:
                await self._web.tell(f"/help-calls/{row['id']}/end", {"note": ""})

    async def _supplier(self) -> int:
        if not self._suppliers:
            rows = await self._web.ask("/parties", site_id=self._site_id, limit=MOST_LISTED)
            self._suppliers = [row["id"] for row in rows if row["is_supplier"]]
        return self._stream.choice(self._suppliers)

    def _body(self, order: Order) -> dict[str, Any]:
        return {
            "site_id": self._site_id,
            "customer": order.customer,
            "promised_at": order.promised_at.isoformat(),
            "priority": order.priority,
            "is_rush": order.is_rush,
            "reference": order.reference,
            "note": order.note,
            "lines": [
                {"material": line.material, "quantity": line.quantity, "options": line.options} for line in order.lines
            ],
        }


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
