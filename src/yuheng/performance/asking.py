"""What pages and the API ask alike: which days, which group of stages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput
from yuheng.performance.rules.periods import MOST_BUCKETS, USUAL_DAYS, Period, day_of, period
from yuheng.performance.rules.stages import IN_WORK, Stage
from yuheng.performance.selectors.flow import IN_PROGRESS, QUEUED, STOPPED, WORKED

BOTTLENECK_PARTS = 32
GROUPS: dict[str, tuple[Stage, ...]] = {
    "waiting": (Stage.WAIT,),
    "queued": QUEUED,
    "worked": WORKED,
    "busy": tuple(IN_WORK),
    "stopped": STOPPED,
    "open": IN_PROGRESS,
    "done": (Stage.DONE,),
    **{stage.value: (stage,) for stage in Stage if stage is not Stage.DONE},
}


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def stages_of(group: str) -> tuple[Stage, ...]:
    """Return the stages of a group. Raises `InvalidInput`."""
    if group not in GROUPS:
        raise InvalidInput(_("There is no such group of job orders."), {"group": group[:40]})
    return GROUPS[group]


def asked_period(given: Mapping[str, str], zone: str, at: datetime, *, most: int = MOST_BUCKETS) -> Period:
    """Return the days that an address names: ``from`` and ``to``, or the last week.

    Raises
    ------
    InvalidInput
    """
    today = day_of(at, zone)
    last = _day(given.get("to", "")) or today
    first = _day(given.get("from", "")) or last - timedelta(days=USUAL_DAYS - 1)
    try:
        return period(first, last, zone, at, most=most)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            _("Give a period of at most 366 days that has begun, its first day not after its last."),
            {"from": _("Choose other days.")},
        ) from error


def _day(text: str) -> date | None:
    try:
        return parse_date(text) if text else None
    except ValueError:
        return None
