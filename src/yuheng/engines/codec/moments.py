"""Source times in every form that devices write them, as microseconds UTC."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MAX_TIME_US = 253_402_300_800_000_000  # the year 10000; a datetime cannot say more
MIN_TIME_US = -62_135_596_800_000_000  # the year 1

_FACTOR_US: dict[str, float] = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}
TIME_FORMATS = ("auto", "s", "ms", "us", "ns", "iso")

type_reader = Callable[[Any], int]


def time_reader(time_format: str = "auto", time_zone: str = "UTC") -> type_reader:
    """Return the function that turns a payload's time into microseconds UTC.

    Parameters
    ----------
    time_format
        ``auto`` tells seconds, milliseconds, microseconds and nanoseconds by magnitude (exact for 1973 to 5138)
        and reads ISO 8601 text; the others read only what they say.
    time_zone
        IANA name; meaning of ISO text that names no offset.

    Raises
    ------
    ValueError
        Here for an unknown format or zone; from the returned function for a time that cannot be read.
    """
    if time_format not in TIME_FORMATS:
        raise ValueError(f"'{time_format}' is not a time format; use one of {', '.join(TIME_FORMATS)}.")
    try:
        zone: tzinfo = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"'{time_zone}' is not a time zone, such as Asia/Shanghai.") from error

    def read(raw: Any) -> int:
        if isinstance(raw, str) and time_format in ("auto", "iso"):
            return _iso_us(raw, zone)
        if isinstance(raw, bool) or not isinstance(raw, int | float) or time_format == "iso":
            raise ValueError(f"The time {_short(raw)} cannot be read as {time_format}.")
        return _number_us(raw, time_format)

    return read


def _number_us(raw: int | float, time_format: str) -> int:
    if isinstance(raw, float) and not math.isfinite(raw):
        raise ValueError("The time is not a finite number.")
    unit = _unit_by_magnitude(raw) if time_format == "auto" else time_format
    if unit == "ns":
        time_us = int(raw) // 1000
    elif isinstance(raw, int):
        time_us = raw * int(_FACTOR_US[unit])
    else:
        time_us = round(raw * _FACTOR_US[unit])
    if not MIN_TIME_US <= time_us < MAX_TIME_US:
        raise ValueError(f"The time {_short(raw)} is outside the years 1 to 9999.")
    return time_us


def _unit_by_magnitude(raw: int | float) -> str:
    size = abs(raw)
    if size < 1e11:
        return "s"
    if size < 1e14:
        return "ms"
    return "us" if size < 1e17 else "ns"


def _iso_us(text: str, zone: tzinfo) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return _numeric_text_us(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        return (moment - EPOCH) // MICROSECOND
    except OverflowError as error:
        raise ValueError(f"The time {_short(text)} is outside the years 1 to 9999.") from error


def _numeric_text_us(text: str) -> int:
    """Read ``"1732345678123"``: some PLC gateways quote every number."""
    if len(text) > 32:
        raise ValueError(f"The time {_short(text)} cannot be read.")
    try:
        return _number_us(int(text) if text.lstrip("-").isdigit() else float(text), "auto")
    except ValueError as error:
        raise ValueError(f"The time {_short(text)} cannot be read.") from error


def _short(raw: Any) -> str:
    if isinstance(raw, int) and abs(raw) > 10**40:
        return "of more than 40 digits"
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "..."
