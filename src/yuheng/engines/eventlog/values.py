"""Cells to times, numbers and durations. How a column writes them is learned from the column, not from one cell."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock
from enum import StrEnum
from zoneinfo import ZoneInfo

MICRO = 1_000_000
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 (a spreadsheet's local time)
_EXCEL = (20_000.0, 80_000.0)  # 1954 … 2119
_SECONDS = (600_000_000.0, 4_200_000_000.0)  # 1989 … 2103

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january",
            "feb february",
            "mar march mär märz mrz",
            "apr april",
            "may mai",
            "jun june juni",
            "jul july juli",
            "aug august",
            "sep sept september",
            "oct october okt oktober",
            "nov november",
            "dec december dez dezember",
        ),
        start=1,
    )
    for name in names.split()
}
_CLOCK = (
    r"(?:(?:[T,]|\s)*(?P<before>上午|下午|凌晨|早上|中午|晚上|[AaPp]\.?[Mm]\.?)?\s*(?P<hour>\d{1,2})[:：时点hH](?P<minute>\d{1,2})?"
    r"(?:[:：分](?P<second>\d{1,2})?(?:[.,](?P<part>\d{1,9}))?)?秒?\s*(?P<after>[AaPp]\.?[Mm]\.?)?)?"
    r"\s*(?P<zone>Z|z|UTC|GMT|(?:UTC|GMT)?[+-]\d{2}:?\d{2})?\s*$"
)
_NUMERIC = re.compile(r"^\s*(?P<a>\d{1,4})\s*(?P<sep>[-/.年])\s*(?P<b>\d{1,2})\s*[-/.月]\s*(?P<c>\d{1,4})日?" + _CLOCK)
_NAMED = re.compile(
    r"^\s*(?:(?P<d1>\d{1,2})[-\s./]*(?P<m1>[A-Za-zä]{3,9})|(?P<m2>[A-Za-zä]{3,9})\s+(?P<d2>\d{1,2}))[-\s./,]*"
    r"(?P<year>\d{4}|\d{2}(?!\d))" + _CLOCK
)
_COMPACT = re.compile(
    r"^\s*(\d{4})(\d{2})(\d{2})(?:[T_\s]?(\d{2})(\d{2})(\d{2})?(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?\s*$"
)
_BARE = re.compile(r"^\s*[+-]?\d+(?:[.,]\d+)?\s*$")


class DateOrder(StrEnum):
    """How dates of two small numbers are written."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


@dataclass(frozen=True, slots=True)
class TimeStyle:
    """How a column writes times. ``zone`` is where clocks without an offset hang."""

    zone: ZoneInfo
    order: DateOrder = DateOrder.DAY_FIRST


@dataclass(slots=True)
class DateEvidence:
    """What a column shows of the order of day and month."""

    day_first: int = 0
    month_first: int = 0
    unclear: int = 0
    naive: int = 0
    aware: int = 0
    half_days: int = 0

    def see(self, text: str) -> None:
        """Take a cell into account."""
        found = _NUMERIC.match(text)
        if found is None:
            if text[-6:-5] in "+-" or text.endswith("Z"):
                self.aware += 1
            else:
                self.naive += 1
            return
        if found["zone"]:
            self.aware += 1
        else:
            self.naive += 1
        self.half_days += bool(found["after"] or found["before"])
        if len(found["a"]) > 2 or found["sep"] == "年":
            return
        first, second = int(found["a"]), int(found["b"])
        if first > 12 >= second:
            self.day_first += 1
        elif second > 12 >= first:
            self.month_first += 1
        elif first != second:
            self.unclear += 1


def micros(moment: datetime, zone: ZoneInfo) -> int:
    """Return microseconds since 1970 UTC; a time without an offset is the zone's."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    gone = moment - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * MICRO + gone.microseconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at: int) -> datetime:
    """Return the aware time of microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=at)


def read_time(cell: object, style: TimeStyle) -> int | None:
    """Return a cell as microseconds since 1970 UTC; None when it is no time.

    ISO 8601, ``2026/1/5 8:03``, ``05.01.2026 08:03``, ``1/5/2026 8:03 PM``, ``2026年1月5日 下午8时03分``,
    ``28-Jan-2012``, ``20260105T080300``, spreadsheet serials (45662.25), seconds or milliseconds since 1970.

    Examples
    --------
    >>> style = TimeStyle(ZoneInfo("UTC"))
    >>> [moment(read_time(text, style)).isoformat()[:16] for text in ("05.01.2026 08:03", "2026年1月5日 下午8时03分")]
    ['2026-01-05T08:03', '2026-01-05T20:03']
    >>> read_time("45662.25", style) == read_time("2025-01-05 06:00", style), read_time("soon", style)
    (True, None)
    """
    try:
        if isinstance(cell, str):
            return _read_text(cell.strip(), style)
        if isinstance(cell, datetime):
            return micros(cell, style.zone)
        if isinstance(cell, date):
            return micros(datetime.combine(cell, clock()), style.zone)
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return _read_number(float(cell), style)
    except (ValueError, OverflowError):
        return None
    return None


def _read_text(text: str, style: TimeStyle) -> int | None:
    if len(text) >= 10 and text[4:5] in "-/" and text[7:8] in "-/":
        try:
            return micros(datetime.fromisoformat(text.replace("/", "-")), style.zone)
        except ValueError:
            pass
    if not text or len(text) > 60:
        return None
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if (found := _NUMERIC.match(text)) is not None:
        return _from_parts(*_day(found, style), found, style)
    if (found := _NAMED.match(text)) is not None:
        month = _MONTHS.get((found["m1"] or found["m2"]).lower())
        if month is None:
            return None
        return _from_parts(_year(found["year"]), month, int(found["d1"] or found["d2"]), found, style)
    if (found := _COMPACT.match(text)) is not None and "1900" <= found[1] <= "2200":
        parts = f"{found[1]}-{found[2]}-{found[3]}"
        if found[4]:
            parts += f"T{found[4]}:{found[5]}:{found[6] or '00'}" + (f".{found[7][:6]:0<6}" if found[7] else "")
        return micros(datetime.fromisoformat(parts + (found[8] or "")), style.zone)
    if _BARE.match(text):
        return _read_number(float(text.replace(",", ".")), style)
    try:
        return micros(datetime.fromisoformat(text), style.zone)
    except ValueError:
        return None


def _day(found: re.Match[str], style: TimeStyle) -> tuple[int, int, int]:
    a, b, c = int(found["a"]), int(found["b"]), int(found["c"])
    if len(found["a"]) > 2 or found["sep"] == "年":
        return a, b, c
    year = _year(found["c"])
    if a > 12 or found["sep"] == ".":
        return year, b, a
    if b > 12:
        return year, a, b
    return (year, b, a) if style.order is DateOrder.DAY_FIRST else (year, a, b)


def _year(text: str) -> int:
    number = int(text)
    return number if len(text) > 2 else number + (2000 if number < 70 else 1900)


def _from_parts(year: int, month: int, day: int, found: re.Match[str], style: TimeStyle) -> int:
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    half = (found["after"] or found["before"] or "").lower().replace(".", "")
    if (half in ("pm", "下午", "晚上") and hour < 12) or (half == "中午" and hour < 3):
        hour += 12
    elif half in ("am", "上午", "凌晨", "早上") and hour == 12:
        hour = 0
    next_day = (hour, minute, second) == (24, 0, 0)
    part = int(f"{(found['part'] or '0')[:6]:0<6}")
    at = datetime(year, month, day, 0 if next_day else hour, minute, second, part, tzinfo=_offset(found["zone"]))
    return micros(at + timedelta(days=1) if next_day else at, style.zone)


def _offset(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text.upper() in ("Z", "UTC", "GMT"):
        return ZoneInfo("UTC")
    bare = text.upper().removeprefix("UTC").removeprefix("GMT")
    return datetime.fromisoformat(f"2000-01-01T00:00:00{bare}").tzinfo


def _read_number(number: float, style: TimeStyle) -> int | None:
    if _EXCEL[0] <= number <= _EXCEL[1]:
        seconds = round(number * 86_400, 3)
        return micros(_EXCEL_EPOCH + timedelta(seconds=seconds), style.zone)
    for scale in (1.0, 1e3, 1e6, 1e9):
        if _SECONDS[0] <= number / scale <= _SECONDS[1]:
            return round(number / scale * MICRO)
    return None


# ---- numbers ---------------------------------------------------------------------------------------------------------


class DecimalMark(StrEnum):
    """What stands before the fraction."""

    POINT = "."
    COMMA = ","


_PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_AMOUNT = re.compile(r"^(?P<sign>\(|-|\+|−)?\s*(?P<body>\d[\d.,'’\s]*)\)?\s*(?P<unit>[^\d\s.,][^\d]{0,11})?$")


def learn_mark(cells: list[str]) -> DecimalMark:
    """Return what a column writes before fractions.

    Examples
    --------
    >>> learn_mark(["1,5", "2,25"]).value, learn_mark(["1,500", "12"]).value, learn_mark(["1.234,5"]).value
    (',', '.', ',')
    """
    commas = points = 0
    for text in cells:
        comma, point = text.rfind(","), text.rfind(".")
        if comma < 0:
            points += point >= 0 and not re.search(r"^\d{1,3}(\.\d{3})+$", text)
        elif point >= 0:
            commas, points = commas + (comma > point), points + (point > comma)
        elif not re.search(r"^[+-]?[1-9]\d{0,2}(,\d{3})+\D*$", text):
            commas += 1
    return DecimalMark.COMMA if commas > points else DecimalMark.POINT


def read_number(cell: object, mark: DecimalMark = DecimalMark.POINT) -> float | None:
    """Return a cell as a number; None when it is none. Units behind it (``12 pcs``, ``12 件``) are left out.

    Examples
    --------
    >>> read_number("1,234.5"), read_number("1.234,5", DecimalMark.COMMA), read_number("12 件"), read_number("Y")
    (1234.5, 1234.5, 12.0, None)
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell) if abs(cell) < 1e15 else None
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if mark is DecimalMark.POINT and _PLAIN.fullmatch(text):
        number = float(text)
        return number if abs(number) < 1e15 else None
    found = _AMOUNT.match(unicodedata.normalize("NFKC", text))
    if found is None:
        return None
    thousands = "," if mark is DecimalMark.POINT else "."
    body = re.sub(rf"[{thousands}'’\s]", "", found["body"]).replace(",", ".")
    try:
        number = float(body)
    except ValueError:
        return None
    if abs(number) >= 1e15:
        return None
    return -number if found["sign"] in ("-", "−", "(") else number


# ---- durations -------------------------------------------------------------------------------------------------------

_ISO = re.compile(r"^(-)?P(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$")
_SPAN = re.compile(r"^(\d+):([0-5]?\d)(?::([0-5]?\d(?:[.,]\d+)?))?$")
_UNITS: tuple[tuple[str, float], ...] = (
    ("毫秒", 1e-3), ("ms", 1e-3), ("小时", 3600.0), ("hours", 3600.0), ("hour", 3600.0), ("hrs", 3600.0), ("h", 3600.0),
    ("分钟", 60.0), ("minutes", 60.0), ("minute", 60.0), ("mins", 60.0), ("min", 60.0), ("分", 60.0),
    ("seconds", 1.0), ("second", 1.0), ("sec", 1.0), ("秒", 1.0), ("s", 1.0), ("days", 86400.0), ("天", 86400.0),
)  # fmt: skip


def seconds_of_unit(column: str) -> float | None:
    """Return how many seconds one is, by the unit in a column's name; None when it names none.

    Examples
    --------
    >>> seconds_of_unit("Duration (min)"), seconds_of_unit("工时/小时"), seconds_of_unit("cycle_time_s")
    (60.0, 3600.0, 1.0)
    """
    text = unicodedata.normalize("NFKC", column).lower()
    for word, seconds in _UNITS:
        if re.search(rf"(?:^|[^a-z]){word}(?:[^a-z]|$)" if word.isascii() else word, text):
            return seconds
    return None


def read_duration(cell: object, each: float = 1.0) -> float | None:
    """Return a cell as seconds; ``each`` is what a bare number counts in. None when it is no duration.

    Examples
    --------
    >>> read_duration("000:31"), read_duration("1:02:03"), read_duration("PT1H30M"), read_duration("12", 60.0)
    (1860.0, 3723.0, 5400.0, 720.0)
    """
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, clock):
        return cell.hour * 3600.0 + cell.minute * 60.0 + cell.second
    if isinstance(cell, str):
        text = cell.strip()
        if (found := _SPAN.match(text)) is not None:
            second = float((found[3] or "0").replace(",", "."))
            return int(found[1]) * 3600.0 + int(found[2]) * 60.0 + second
        if (found := _ISO.match(text)) is not None and len(text) > 2:
            days, hours, minutes, rest = (float(found[n] or 0) for n in (2, 3, 4, 5))
            total = days * 86_400 + hours * 3_600 + minutes * 60 + rest
            return -total if found[1] else total
        unit = seconds_of_unit(text)
        number = read_number(text)
        return number * (unit if unit is not None else each) if number is not None else None
    number = read_number(cell)
    return number * each if number is not None else None
