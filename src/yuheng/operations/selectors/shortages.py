"""What is missing: requirements against stock, in the order of their dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from yuheng.engineering import selectors as engineering
from yuheng.kernel.actor import Actor
from yuheng.operations.models import OperationsRequest
from yuheng.operations.selectors.pages import PAGE, VIEW, Page, clamp

MOST_REQUESTS = 50

_SHORT = """
WITH need AS (
    SELECT material_id, sum(quantity - issued) AS needed
    FROM operations_materialrequirement
    WHERE site_id = %(site)s AND is_open AND supplied_by_id IS NULL
    GROUP BY material_id
), stock AS (
    SELECT b.material_id, sum(b.quantity) AS there
    FROM operations_stockbalance b JOIN operations_materiallot l ON l.id = b.lot_id
    WHERE b.site_id = %(site)s AND b.quantity > 0 AND l.state = 'available'
      AND (l.expires_at IS NULL OR l.expires_at > %(now)s)
    GROUP BY b.material_id
)
SELECT need.material_id, need.needed, coalesce(stock.there, 0) AS there
FROM need LEFT JOIN stock ON stock.material_id = need.material_id
WHERE need.needed > coalesce(stock.there, 0) AND need.material_id > %(after)s
ORDER BY need.material_id
LIMIT %(limit)s
"""

_WHOM = """
SELECT material_id, min(needed_at), count(DISTINCT request_id),
       (array_agg(request_id ORDER BY needed_at, id))[1:%(most)s]
FROM (
    SELECT id, material_id, request_id, needed_at, quantity - issued AS open,
           sum(quantity - issued) OVER (PARTITION BY material_id ORDER BY needed_at, id) AS so_far
    FROM operations_materialrequirement
    WHERE site_id = %(site)s AND is_open AND supplied_by_id IS NULL AND material_id = ANY(%(ids)s)
) need JOIN unnest(%(ids)s, %(there)s) AS stock (material, there) ON stock.material = need.material_id
WHERE need.so_far > stock.there AND need.open > 0
GROUP BY material_id
"""
"""Those whom serving in the order of dates leaves short: what `rules.shortage` says, in the database."""


@dataclass(frozen=True, slots=True)
class ShortageRow:
    """One material that runs out: ``short`` in all, first at ``short_at``; ``requests`` that it stops, at most 50."""

    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    unit: str
    on_hand: Decimal
    needed: Decimal
    short: Decimal
    short_at: datetime | None
    requests: tuple[tuple[int, str], ...]
    request_count: int


def shortages(*, actor: Actor, site_id: int, now: datetime, cursor: str = "", limit: int = PAGE) -> Page[ShortageRow]:
    """Materials of which the open requirements ask for more than there is. Four queries.

    Stock that is blocked or expired does not count; what other requests make is not asked of the stock.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    actor.require(VIEW, site_id=site_id)
    length = clamp(limit)
    after = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else 0
    with connection.cursor() as database:
        database.execute(_SHORT, {"site": site_id, "now": now, "after": after, "limit": length + 1})
        found = list(database.fetchall())
    shown = found[:length]
    ids = [material for material, _needed, _there in shown]
    stopped = _stopped(site_id, shown)
    codes = _codes({request for _at, _count, requests in stopped.values() for request in requests})
    names = engineering.material_names(ids)
    rows = [_row(one, stopped, codes, names) for one in shown]
    return Page(rows, str(ids[-1]) if len(found) > length else "")


Stopped = dict[int, tuple[datetime, int, list[int]]]


def _stopped(site_id: int, shown: list[tuple[int, Decimal, Decimal]]) -> Stopped:
    """Material -> (first date without stock, how many requests, the first of them)."""
    if not shown:
        return {}
    told: dict[str, Any] = {"site": site_id, "most": MOST_REQUESTS * 4}
    told |= {"ids": [one[0] for one in shown], "there": [one[2] for one in shown]}
    with connection.cursor() as database:
        database.execute(_WHOM, told)
        return {material: (at, count, list(dict.fromkeys(ids))) for material, at, count, ids in database.fetchall()}


def _codes(request_ids: set[int]) -> dict[int, str]:
    return dict(OperationsRequest.objects.filter(pk__in=request_ids).values_list("pk", "code"))


def _row(
    one: tuple[int, Decimal, Decimal], stopped: Stopped, codes: dict[int, str], names: Mapping[int, Any]
) -> ShortageRow:
    material_id, needed, there = one
    at, count, requests = stopped.get(material_id, (None, 0, []))
    name = names[material_id]
    return ShortageRow(
        material_id=material_id,
        material_code=name.code,
        material_zh=name.name_zh,
        material_en=name.name_en,
        unit=name.unit,
        on_hand=there,
        needed=needed,
        short=needed - there,
        short_at=at,
        requests=tuple((pk, codes[pk]) for pk in requests[:MOST_REQUESTS] if pk in codes),
        request_count=count,
    )
