"""What a trend page shows, as its address says it: every choice is in the query, so that a link shows the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.rules import microseconds

SPANS_S: dict[str, int] = {"10m": 600, "1h": 3600, "8h": 28_800, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
MAX_TAGS = 12
MAX_SPAN_S = 366 * 86_400
PANES = ("units", "stacked", "shared")
BANDS = ("states", "reasons", "alarms", "shifts", "capsules")
TABS = ("capsules", "overlay", "statistics", "histogram", "scatter", "raw")
KINDS = ("stops", "runs", "cycles", "state", "where")
MAX_CAPSULES = 200
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,12})?(e-?\d{1,3})?\Z")
_UNIT = re.compile(r"[^\s,;:]{1,24}\Z")


@dataclass(frozen=True, slots=True)
class TrendQuery:
    """A trend page.

    Attributes
    ----------
    units
        Tag id -> UCUM code in which it is shown, where that is not its own.
    start_us, end_us
        The range; ``is_live``: it ends now and moves on.
    at_us
        A moment to mark; the range ends there unless it is given too.
    kind, unit_id, where, unless, least_s, most_s
        Which capsules: of which work unit, for ``where`` by which expression, without those cycles in which ``unless``
        held at any time (the good ones are those without a reject), how short and how long.
    picked
        Capsules chosen by hand (their starts in µs); empty: the last ``last`` ones.
    low, high
        Limits of the statistics, in the shown unit of the first tag.
    """

    tag_ids: tuple[int, ...]
    start_us: int
    end_us: int
    is_live: bool
    span: str
    at_us: int | None = None
    units: Mapping[int, str] = field(default_factory=dict)
    panes: str = "units"
    bands: tuple[str, ...] = ("states", "shifts", "capsules")
    tab: str = "statistics"
    kind: str = "stops"
    unit_id: int | None = None
    where: str = ""
    unless: str = ""
    state: int = 5
    least_s: float = 0.0
    most_s: float = 0.0
    last: int = 20
    picked: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    after: str = ""

    @property
    def span_us(self) -> int:
        """Length of the range."""
        return self.end_us - self.start_us


def read(given: Mapping[str, str], *, now: datetime) -> TrendQuery:
    """Read the query of an address. What cannot be understood is refused with a sentence.

    Raises
    ------
    InvalidInput
    """
    at_us = _seconds(given, "at")
    span = given.get("span", "")
    if span not in SPANS_S:
        span = "" if given.get("from") else "8h"
    start_us, end_us, is_live = _range(given, span, at_us, microseconds(now))
    tag_ids = _numbers(given.get("tags", ""), most=MAX_TAGS)
    return TrendQuery(
        tag_ids=tag_ids,
        start_us=start_us,
        end_us=end_us,
        is_live=is_live,
        span=span,
        at_us=at_us,
        units=_units(given.get("units", "")),
        panes=_one_of(given, "panes", PANES),
        bands=tuple(word for word in given["bands"].split(".") if word in BANDS)
        if "bands" in given
        else ("states", "shifts", "capsules"),
        tab=_one_of(given, "tab", TABS, otherwise="statistics"),
        kind=_one_of(given, "kind", KINDS),
        unit_id=next(iter(_numbers(given.get("unit", ""), most=1)), None),
        where=given.get("where", "").strip()[:500],
        unless=given.get("unless", "").strip()[:500],
        state=int(_number(given, "state", 5.0) or 0),
        least_s=max(0.0, _number(given, "least", 0.0) or 0.0),
        most_s=max(0.0, _number(given, "most", 0.0) or 0.0),
        last=min(MAX_CAPSULES, max(1, int(_number(given, "last", 20.0) or 20))),
        picked=_numbers(given.get("picked", ""), most=MAX_CAPSULES),
        low=_number(given, "low", None),
        high=_number(given, "high", None),
        after=given.get("after", "")[:80],
    )


def _range(given: Mapping[str, str], span: str, at_us: int | None, now_us: int) -> tuple[int, int, bool]:
    start_us, end_us = _seconds(given, "from"), _seconds(given, "to")
    if start_us is None or end_us is None:
        end_us = now_us if at_us is None else at_us
        return end_us - SPANS_S.get(span, 28_800) * 1_000_000, end_us, at_us is None
    if not 0 < end_us - start_us <= MAX_SPAN_S * 1_000_000:
        raise InvalidInput(_("A range ends after its start and is at most a year long."), {"to": given["to"]})
    return start_us, end_us, False


def _seconds(given: Mapping[str, str], name: str) -> int | None:
    """Read a moment: seconds since 1970, microseconds (as the replay bar writes it), or ISO 8601 with a zone."""
    text = given.get(name, "").strip()
    if not text:
        return None
    if re.fullmatch(r"\d{15,17}", text):
        return int(text)
    if re.fullmatch(r"\d{1,11}(\.\d{1,9})?", text):
        whole, _dot, part = text.partition(".")
        return int(whole) * 1_000_000 + int((part + "000000")[:6])
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        sentence = _("A moment is written as seconds since 1970, or as 2026-11-23T08:00:00+08:00.")
        raise InvalidInput(sentence, {name: text[:80]})
    return microseconds(moment)


def _numbers(text: str, *, most: int) -> tuple[int, ...]:
    words = [word for word in re.split(r"[.,]", text) if word]
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise InvalidInput(_("Give numbers separated by dots."), {"numbers": text[:200]})
    found = tuple(dict.fromkeys(int(word) for word in words))
    if len(found) > most:
        raise InvalidInput(_("At most %(most)d can be shown at once.") % {"most": most}, {"numbers": text[:200]})
    return found


def _units(text: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for pair in text.split(";"):
        number, _colon, code = pair.partition(":")
        if number.isascii() and number.isdigit() and len(number) < 19 and _UNIT.fullmatch(code):
            found[int(number)] = code
    return found


def _one_of(given: Mapping[str, str], name: str, known: tuple[str, ...], *, otherwise: str = "") -> str:
    word = given.get(name, "")
    return word if word in known else otherwise or known[0]


def _number(given: Mapping[str, str], name: str, otherwise: float | None) -> float | None:
    text = given.get(name, "").strip().lower()
    if not text:
        return otherwise
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise InvalidInput(_("'%(text)s' is not a number.") % {"text": text[:40]}, {name: text[:40]})
    return float(text)
