"""The moment that a page shows: now, or a past one that its address names with ``at``.

``?at=2026-11-23T21:00:00`` (wall time of the site), with an offset or ``Z``, or microseconds since 1970;
``&as=known`` shows what is known of that moment now instead of what the screens said then.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_US = 946_684_800_000_000  # 2000: nothing older is stored
CLOCKS_APART_US = 2_000_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A past moment, microseconds UTC, as it was ``shown`` then or is ``known`` now."""

    at_us: int
    known_as: Literal["shown", "known"] = "shown"

    @property
    def at(self) -> datetime:
        """The moment as an aware instant, exact."""
        return EPOCH + timedelta(microseconds=self.at_us)


def replay_context(site: Any, moment: Moment | None) -> dict[str, Any]:
    """What ``web/_replay.html`` needs of a page: whose past, and which moment of it; ``moment`` None: now.

    ``site`` has ``code`` and ``time_zone``.
    """
    clock = moment.at.astimezone(ZoneInfo(site.time_zone)).strftime("%Y-%m-%d %H:%M:%S") if moment else ""
    return {
        "replay_site": site,
        "moment": moment,
        "moment_clock": clock,
        "is_known": moment is not None and moment.known_as == "known",
    }


def moment_of(request: HttpRequest, time_zone: str) -> Moment | None:
    """Return the moment that the address asks for; None: now.

    Raises
    ------
    InvalidInput
        ``at`` is no time, lies before 2000, or in the future.
    """
    text = request.GET.get("at", "").strip()
    if not text:
        return None
    at_us = _microseconds(text, time_zone)
    if at_us > time.time_ns() // 1000 + CLOCKS_APART_US:
        raise InvalidInput(_("That moment has not come yet."), {"at": text})
    if at_us < EARLIEST_US:
        raise InvalidInput(_("Nothing is stored from before the year 2000."), {"at": text})
    return Moment(at_us, "known" if request.GET.get("as") == "known" else "shown")


def _microseconds(text: str, time_zone: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text[:20])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            _("Give the moment as 2026-11-23T21:00:00, or in microseconds since 1970."), {"at": text}
        ) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(time_zone))
    return (at - EPOCH) // timedelta(microseconds=1)
