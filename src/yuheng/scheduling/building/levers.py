"""What a dispatcher can pull in a what-if. Kept as JSON beside the plan that was made with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput

KINDS = ("overtime", "back", "down", "rush", "subcontract")
MOST = 50
LONGEST = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class OpenLonger:
    """Overtime or an extra shift: work units are open from ``start`` to ``end`` whatever their calendar says."""

    work_unit_ids: tuple[int, ...]
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Back:
    """A machine that stands is back at ``at``."""

    work_unit_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Down:
    """A machine stands from ``start`` to ``end``: maintenance, or "what if it breaks down"."""

    work_unit_id: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Levers:
    """All levers of one what-if. ``rush``: root requests; ``subcontracted``: job order -> hours outside."""

    open_longer: tuple[OpenLonger, ...] = ()
    back: tuple[Back, ...] = ()
    down: tuple[Down, ...] = ()
    rush: frozenset[int] = frozenset()
    subcontracted: Mapping[int, float] | None = None

    def overtime_min(self) -> int:
        """Minutes of machines that are opened longer."""
        seconds = sum((one.end - one.start).total_seconds() * len(one.work_unit_ids) for one in self.open_longer)
        return int(seconds // 60)


NONE = Levers()


def read_levers(rows: Sequence[Mapping[str, Any]]) -> Levers:
    """Read levers from JSON, as API, page and rows write them.

    Raises
    ------
    InvalidInput
        One is of no known kind, or says no possible time.
    """
    if len(rows) > MOST:
        raise InvalidInput(_("These are more than 50 levers; a what-if needs few."))
    longer: list[OpenLonger] = []
    back: list[Back] = []
    down: list[Down] = []
    rush: set[int] = set()
    outside: dict[int, float] = {}
    for row in rows:
        kind = row.get("kind")
        if kind == "overtime":
            units = tuple(_whole(one) for one in row.get("work_unit_ids") or ())
            if not units:
                raise InvalidInput(_("Overtime needs at least one machine."))
            longer.append(OpenLonger(units, *_span(row)))
        elif kind == "back":
            back.append(Back(_whole(row.get("work_unit_id")), _moment(row.get("at"))))
        elif kind == "down":
            down.append(Down(_whole(row.get("work_unit_id")), *_span(row)))
        elif kind == "rush":
            rush.add(_whole(row.get("request_id")))
        elif kind == "subcontract":
            outside[_whole(row.get("job_order_id"))] = _hours(row.get("hours"))
        else:
            raise InvalidInput(_("There is no lever %(kind)s.") % {"kind": kind})
    return Levers(tuple(longer), tuple(back), tuple(down), frozenset(rush), outside or None)


def write_levers(levers: Levers) -> list[dict[str, Any]]:
    """Return levers as `read_levers` reads them."""
    found: list[dict[str, Any]] = [
        {
            "kind": "overtime",
            "work_unit_ids": list(one.work_unit_ids),
            "start": one.start.isoformat(),
            "end": one.end.isoformat(),
        }
        for one in levers.open_longer
    ]
    found += [{"kind": "back", "work_unit_id": one.work_unit_id, "at": one.at.isoformat()} for one in levers.back]
    found += [
        {"kind": "down", "work_unit_id": one.work_unit_id, "start": one.start.isoformat(), "end": one.end.isoformat()}
        for one in levers.down
    ]
    found += [{"kind": "rush", "request_id": one} for one in sorted(levers.rush)]
    outside = sorted((levers.subcontracted or {}).items())
    return found + [{"kind": "subcontract", "job_order_id": job, "hours": hours} for job, hours in outside]


def lasting(levers: Levers, now: datetime) -> Levers:
    """Return what of a published plan's levers still holds: overtime to come, rush, what is made outside.

    When a machine is back is asked of the machine again, not of the plan.
    """
    return Levers(
        open_longer=tuple(one for one in levers.open_longer if one.end > now),
        down=tuple(one for one in levers.down if one.end > now),
        rush=levers.rush,
        subcontracted=levers.subcontracted,
    )


def together(first: Levers, more: Levers) -> Levers:
    """Return both."""
    outside = {**(first.subcontracted or {}), **(more.subcontracted or {})}
    return Levers(
        tuple(dict.fromkeys((*first.open_longer, *more.open_longer))),
        (*first.back, *more.back),
        tuple(dict.fromkeys((*first.down, *more.down))),
        first.rush | more.rush,
        outside or None,
    )


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise InvalidInput(_("A lever names what it works on by its id."))
    return value


def _hours(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 24 * 365:
        raise InvalidInput(_("Give the hours that a step takes outside, more than 0."))
    return float(value)


def _moment(value: object) -> datetime:
    try:
        found = value if isinstance(value, datetime) else parse_datetime(str(value))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput(_("This is not a time; write it as 2026-11-22T14:00+08:00."))
    return found


def _span(row: Mapping[str, Any]) -> tuple[datetime, datetime]:
    start, end = _moment(row.get("start")), _moment(row.get("end"))
    if not start < end <= start + LONGEST:
        raise InvalidInput(_("The end must be after the start, by at most 60 days."))
    return start, end
