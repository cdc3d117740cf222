"""The plant map as SVG text, drawn on the server: it is a whole picture before any script runs, and it prints.

Written with f-strings, not with a template: 2,000 tiles of a dozen values each must not cost a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from yuheng.engines.states.vocabulary import UnitState
from yuheng.web.durations import in_words
from yuheng.web.indicators import UnitNow
from yuheng.web.orders_now import JobOnTile
from yuheng.web.states import look

FONT_EM = 9.5  # pixels of one em in the words of a tile, see map.css
SMALL_EM = 8.2  # the same when they take two lines
LATIN_EM = 0.52
TIGHT = 44.0  # tiles lower than this move their lines closer for a second line of words
MARGIN = 12.0
BADGE_W, BADGE_H = 25.0, 11.0
MADE_W = 62.0
"""Narrower tiles have no room for pieces beside the time; the bar and the title say it."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the map, in map pixels."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class AreaDrawing:
    """An area and the units in it."""

    id: int
    name: str
    box: Box
    units: Sequence[UnitNow]


def fit(text: str, em: float) -> str:
    """Cut a text to a width in em. Twin of ``fit`` in ``format.js``.

    Examples
    --------
    >>> fit("送丝故障", 5), fit("送丝故障送丝故障", 5), fit("Wire feed fault", 5)
    ('送丝故障', '送丝故障…', 'Wire fee…')
    """
    width = 0.0
    for i, char in enumerate(text):
        width += 1.0 if ord(char) > 0x2E7F else LATIN_EM
        if width > em and not (i == len(text) - 1 and width <= em + 0.3):
            return text[: max(1, i - 1)] + "…"
    return text


def width_of(text: str) -> float:
    """Return the width of a text in em: a Chinese character is 1, others about half."""
    return sum(1.0 if ord(char) > 0x2E7F else LATIN_EM for char in text)


def two_lines(text: str, tile_w: float) -> tuple[str, str]:
    """Break the words of a tile into lines; the second is empty when one is enough. Twin in ``format.js``.

    Examples
    --------
    >>> two_lines("Down", 58), two_lines("Planned stop", 58), two_lines("送丝故障", 58)
    (('Down', ''), ('Planned', 'stop'), ('送丝故障', ''))
    >>> two_lines("Gun blocked", 58)  # would fit one line only in small letters
    ('Gun', 'blocked')
    >>> two_lines("Oven temperature too high", 58), two_lines("电机过载保护动作", 58)
    (('Oven', 'temperatur…'), ('电机过载保护', '动作'))
    """
    room = tile_w - 8
    if width_of(text) <= room / FONT_EM + 0.3:
        return text, ""
    em = room / SMALL_EM
    words = text.split(" ")
    first = words[0]
    if width_of(first) > em:
        cut = max(1, _count_that_fits(text, em))
        return text[:cut], fit(text[cut:].lstrip(), em)
    taken = 1
    while taken < len(words) - 1 and width_of(f"{first} {words[taken]}") <= em:
        first = f"{first} {words[taken]}"
        taken += 1
    return first, fit(" ".join(words[taken:]), em)


def _count_that_fits(text: str, em: float) -> int:
    width = 0.0
    for count, char in enumerate(text):
        width += width_of(char)
        if width > em:
            return count
    return len(text)


def draw(
    areas: Sequence[AreaDrawing],
    places: Mapping[int, Box],
    *,
    width: float,
    height: float,
    now_us: int,
    jobs: Mapping[int, JobOnTile] | None = None,
) -> SafeString:
    """Return the ``<svg>`` of a plant.

    Parameters
    ----------
    areas
        With their units, names in the reader's language.
    places
        Work unit id -> where its tile is.
    jobs
        Work unit id -> what is made there, where something is.
    """
    parts = [_area(area) for area in areas]
    parts += [_tile(unit, places[unit.id], now_us, (jobs or {}).get(unit.id)) for area in areas for unit in area.units]
    total = sum(len(area.units) for area in areas)
    label = escape(_("Plant map with %(n)d work units; the same as a table is on the page 'All units'.") % {"n": total})
    size = f"{width + MARGIN:.0f} {height + MARGIN:.0f}"
    return mark_safe(
        f'<svg class="plant-map" viewBox="0 0 {size}" role="group" aria-label="{label}">{"".join(parts)}</svg>'
    )


def counts_text(units: Sequence[UnitNow]) -> str:
    """Return the head line of an area, e.g. ``producing 20/24 · down 1``. Twin of ``count`` in ``y-live-map.js``."""
    producing = sum(unit.state == UnitState.PRODUCING for unit in units)
    down = sum(unit.state == UnitState.DOWN for unit in units)
    text = _("producing %(n)d/%(all)d") % {"n": producing, "all": len(units)}
    return f"{text} · {_('down %(n)d') % {'n': down}}" if down else text


def _area(area: AreaDrawing) -> str:
    b = area.box
    counts = counts_text(area.units)
    room = (b.w - 24) / 13 - len(counts) * 0.45
    room *= 0.9  # bold letters are wider
    return (
        f'<g class="area" data-area="{area.id}"><rect x="{b.x:g}" y="{b.y:g}" width="{b.w:g}" height="{b.h:g}" rx="3"/>'
        f'<text class="area-name" x="{b.x + 8:g}" y="{b.y + 17:g}">{escape(fit(area.name, max(4.0, room)))}</text>'
        f'<text class="area-counts" x="{b.x + b.w - 8:g}" y="{b.y + 17:g}">{escape(counts)}</text></g>'
    )


MARKS = {0: "", 1: "■1", 2: "▲2", 3: "●3", 4: "4"}


def alarm_mark(unit: UnitNow) -> str:
    """Return what the corner of a tile says of its alarms, e.g. ``▲2×3``. Twin in ``y-live-map.js``."""
    if not unit.alarm_count:
        return ""
    return MARKS[unit.alarm_priority] + (f"×{min(unit.alarm_count, 9)}" if unit.alarm_count > 1 else "")


def _tile(unit: UnitNow, b: Box, now_us: int, job: JobOnTile | None) -> str:
    shown = look(unit.state)
    waits = unit.waits(now_us)
    mark = "●3" if waits else shown.mark
    code = f"{unit.code} {mark}" if mark else unit.code
    what, more = two_lines(unit.cause_text or str(shown.word), b.w)
    since = in_words(unit.lasting_s(now_us)) if unit.since_us else ""
    alarms = _("%(n)s alarms") % {"n": f"{MARKS[unit.alarm_priority]} {unit.alarm_count}"} if unit.alarm_count else ""
    base = f"{unit.code} {unit.name}"
    whole = f"{base} · {job.text}" if job else base
    done = max(1.0, job.share * b.w) if job else 0.0
    made = job.made if job and b.w >= MADE_W else ""
    parts = (whole, str(shown.word), unit.cause_text, alarms)
    title = " · ".join(part for part in parts if part)
    x = f"{b.x + 5:g}"
    classes = f"tile is-{shown.name}{' is-waiting' if waits else ''}{' is-long' if more else ''}"
    if unit.alarm_count:
        classes += f" has-alarm-{unit.alarm_priority}"
    badge_x = b.x + b.w - BADGE_W + 1.5
    tight = " data-tight" if b.h < TIGHT else ""
    last = b.y + b.h - 3.5
    return (
        f'<a class="{classes}" href="/work-units/{unit.id}" data-unit="{unit.id}" data-area="{unit.area_id}"'
        f' data-class="{escape(unit.class_code)}" data-state="{unit.state}" data-cause="{escape(unit.cause)}"'
        f' data-since="{unit.since_us}"{tight}>'
        f'<title data-name="{escape(whole)}" data-base="{escape(base)}">{escape(title)}</title>'
        f'<rect x="{b.x:g}" y="{b.y:g}" width="{b.w:g}" height="{b.h:g}" rx="2"/>'
        f'<rect class="tile-job" x="{b.x:g}" y="{b.y + b.h - 2:g}" width="{done:g}" height="2"/>'
        f'<text class="tile-code" x="{x}" y="{b.y + 12:g}" data-code="{escape(unit.code)}">{escape(code)}</text>'
        f'<text class="tile-what" x="{x}" y="{b.y + 22.5:g}">{escape(what)}</text>'
        f'<text class="tile-more" x="{x}" y="{(b.y + 22.5 + last) / 2:g}">{escape(more)}</text>'
        f'<text class="tile-since" x="{x}" y="{last:g}">{escape(since)}</text>'
        f'<rect class="alarm-box" x="{badge_x:g}" y="{b.y - 1.5:g}" width="{BADGE_W:g}" height="{BADGE_H:g}" rx="2"/>'
        f'<text class="tile-alarm" data-count="{unit.alarm_count}" x="{badge_x + 2.5:g}" y="{b.y + 7:g}">'
        f"{alarm_mark(unit)}</text>"
        f'<text class="tile-made" x="{b.x + b.w - 4:g}" y="{last:g}">{escape(made)}</text></a>'
    )
