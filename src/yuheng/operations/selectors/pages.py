"""Pages by key: however long a list is, the next page costs what the first one cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db.models import Q
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible

VIEW = "operations.view"
PAGE = 50
MOST = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page; ``next_cursor`` is "" on the last."""

    rows: list[Row]
    next_cursor: str


def clamp(limit: int) -> int:
    """Return a page length that is allowed."""
    return min(max(1, limit), MOST)


def urgent_after(cursor: str, date: str, rank: str = "rank") -> Q:
    """Return the condition for rows behind a cursor in the order (rank, date, id). Raises `InvalidInput`.

    Parameters
    ----------
    date, rank
        Names of the two columns.
    """
    if not cursor:
        return Q()
    first, us, key = _numbers(cursor, 3)
    try:
        at = EPOCH + timedelta(microseconds=us)
    except OverflowError as error:
        raise _no_place(cursor) from error
    behind = Q(**{f"{date}__gt": at}) | Q(**{date: at, "pk__gt": key})
    return Q(**{f"{rank}__gt": first}) | Q(**{rank: first}) & behind


def urgent_cursor(rank: int, at: datetime, key: int) -> str:
    """Return the cursor of a row in the order (rank, date, id)."""
    return f"{rank}.{(at - EPOCH) // timedelta(microseconds=1)}.{key}"


def older_than(cursor: str) -> Q:
    """Return the condition for rows behind a cursor, newest first. Raises `InvalidInput`."""
    return Q(pk__lt=_numbers(cursor, 1)[0]) if cursor else Q()


def newest(rows: Any, make: Any, *, limit: int, key: Any = lambda row: row.id) -> Page[Any]:
    """Return a page of values, newest first, made into rows."""
    length = clamp(limit)
    found = [make(one) for one in rows[: length + 1]]
    return Page(found[:length], str(key(found[length - 1])) if len(found) > length else "")


def _numbers(cursor: str, count: int) -> list[int]:
    parts = cursor.split(".")
    if len(parts) != count or len(cursor) > 60 or not all(one.isascii() and one.isdigit() for one in parts):
        raise _no_place(cursor)
    numbers = [int(one) for one in parts]
    if any(one >= 2**63 for one in numbers):
        raise _no_place(cursor)
    return numbers


def _no_place(cursor: str) -> InvalidInput:
    return InvalidInput(_("This is not the place of a page."), {"cursor": cursor[:40]})


def one_visible(rows: Any, actor: Actor, **wanted: Any) -> Any:
    """Return one row of a site where the actor holds ``operations.view``. Raises `NotVisible`, `PermissionRefused`."""
    row = rows.visible_to(actor).filter(**wanted).first()
    if row is None:
        actor.require(VIEW)
        raise NotVisible(_("There is no such thing here."))
    actor.require(VIEW, site_id=row.site_id)
    return row
