"""Pages by key in the order of a moment: ``<microseconds>.<id>``."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput
from yuheng.performance.rules.tallies import EPOCH


def cursor_of(at: datetime, key: int) -> str:
    """Return the cursor of a row."""
    return f"{(at - EPOCH) // timedelta(microseconds=1)}.{key}"


def later_than(cursor: str, field: str) -> Q:
    """Return the condition for rows behind a cursor, oldest first. Raises `InvalidInput`."""
    if not cursor:
        return Q()
    at, key = _read(cursor)
    return Q(**{f"{field}__gt": at}) | Q(**{field: at, "pk__gt": key})


def earlier_than(cursor: str, field: str) -> Q:
    """Return the condition for rows behind a cursor, newest first. Raises `InvalidInput`."""
    if not cursor:
        return Q()
    at, key = _read(cursor)
    return Q(**{f"{field}__lt": at}) | Q(**{field: at, "pk__lt": key})


def _read(cursor: str) -> tuple[datetime, int]:
    parts = cursor.split(".")
    if len(parts) == 2 and len(cursor) <= 40 and all(one.isascii() and one.isdigit() for one in parts):
        us, key = (int(one) for one in parts)
        if key < 2**63 and us < 253_402_300_799_000_000:
            return EPOCH + timedelta(microseconds=us), key
    raise InvalidInput(_("This is not the place of a page."), {"cursor": cursor[:40]})
