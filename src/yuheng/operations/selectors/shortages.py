"""What is missing: requirements against stock, in the order of their dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from yuheng.engineering import selectors as engineering
from yuheng.kernel.actor import Actor
from yuheng.operations.models import MaterialRequirement
from yuheng.operations.rules import Need, shortage
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.selectors.pages import PAGE, VIEW, Page, clamp

MOST_NEEDS = 20_000
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
    """Materials of which the open requirements ask for more than there is. Three queries.

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
    needs = _needs(site_id, ids)
    names = engineering.material_names(ids)
    rows = [_row(material, needed, there, needs.get(material, []), names) for material, needed, there in shown]
    return Page(rows, str(ids[-1]) if len(found) > length else "")


def _row(material_id: int, needed: Decimal, there: Decimal, needs: list[Need], names: Any) -> ShortageRow:
    told, name = shortage(there, needs), names[material_id]
    return ShortageRow(
        material_id=material_id,
        material_code=name.code,
        material_zh=name.name_zh,
        material_en=name.name_en,
        unit=name.unit,
        on_hand=there,
        needed=needed,
        short=needed - there,
        short_at=told.short_at,
        requests=told.requests[:MOST_REQUESTS],
        request_count=len(told.requests),
    )


def _needs(site_id: int, material_ids: list[int]) -> dict[int, list[Need]]:
    """Return the open needs of materials; those of one beyond the first thousands change neither date nor sum."""
    rows = MaterialRequirement.objects.filter(
        site_id=site_id, material_id__in=material_ids, is_open=True, supplied_by__isnull=True
    ).order_by("needed_at")
    found: dict[int, list[Need]] = {}
    columns = ("material_id", "needed_at", "quantity", "issued", "request_id", "request__code")
    for material, at, quantity, issued, request, code in rows.values_list(*columns)[:MOST_NEEDS]:
        found.setdefault(material, []).append(Need(at, max(ZERO, quantity - issued), request, code))
    return found
