"""The form of a shift calendar: shifts, breaks, days that differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yuheng.equipment import selectors, services
from yuheng.equipment.services import ExceptionSpec, ShiftSpec
from yuheng.kernel import calendars
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.people.identity import actor_of

EDIT = "equipment.edit"
SPARE_SHIFTS = 2
SPARE_EXCEPTIONS = 3
_SHIFT = ("shift_code", "shift_zh", "shift_en", "start", "end", "days", "breaks")
_EXCEPTION = ("first", "last", "exception_zh", "exception_en", "works_as", "only")


@require_http_methods(["GET", "POST"])
def new_calendar(request: HttpRequest, site_id: int) -> HttpResponse:
    """Add a shift calendar."""
    actor_of(request).require(EDIT, site_id=site_id)
    return _form(request, site_id, None, {"code": "", "name_zh": "", "name_en": ""}, [], [])


@require_http_methods(["GET", "POST"])
def edit_calendar(request: HttpRequest, calendar_id: int) -> HttpResponse:
    """Change a shift calendar."""
    site_id, found, name_zh, name_en = selectors.calendar_by_id(actor=actor_of(request), calendar_id=calendar_id)
    head = {"code": found.code, "name_zh": name_zh, "name_en": name_en}
    shifts = [_shift_texts(shift) for shift in found.shifts]
    exceptions = [_exception_texts(one) for one in found.exceptions]
    return _form(request, site_id, calendar_id, head, shifts, exceptions)


def _form(
    request: HttpRequest,
    site_id: int,
    calendar_id: int | None,
    head: dict[str, str],
    shifts: list[dict[str, str]],
    exceptions: list[dict[str, str]],
) -> HttpResponse:
    actor = actor_of(request)
    errors: list[str] = []
    if request.method == "POST":
        head = {name: request.POST.get(name, "").strip() for name in ("code", "name_zh", "name_en")}
        shifts, exceptions = _rows(request, _SHIFT), _rows(request, _EXCEPTION)
        try:
            services.save_calendar(
                actor=actor,
                site_id=site_id,
                calendar_id=calendar_id,
                shifts=[_shift(row, number) for number, row in enumerate(shifts, 1)],
                exceptions=[_exception(row, number) for number, row in enumerate(exceptions, 1)],
                at=datetime.now(UTC),
                **head,
            )
        except (InvalidInput, Conflict) as refusal:
            errors = [str(refusal), *_spoken(getattr(refusal, "fields", {}))]
        else:
            messages.success(request, _("%(code)s was saved.") % {"code": head["code"]})
            return redirect("equipment:site", site_id=site_id)
    context = {
        "site": selectors.site(actor=actor, site_id=site_id),
        "calendar_id": calendar_id,
        "head": head,
        "errors": errors,
        "shifts": [*shifts, *[dict.fromkeys(_SHIFT, "")] * SPARE_SHIFTS],
        "exceptions": [*exceptions, *[dict.fromkeys(_EXCEPTION, "")] * SPARE_EXCEPTIONS],
        "weekdays": _weekdays(),
        "may_edit": actor.may(EDIT, site_id=site_id),
    }
    return render(request, "equipment/calendar.html", context, status=422 if errors else 200)


def _weekdays() -> list[tuple[str, str]]:
    words = (
        _("Monday"),
        _("Tuesday"),
        _("Wednesday"),
        _("Thursday"),
        _("Friday"),
        _("Saturday"),
        _("Sunday"),
    )
    return [(str(number), word) for number, word in enumerate(words, 1)]


def _spoken(fields: dict[str, str]) -> list[str]:
    """Say in which row each thing is wrong."""
    told: list[str] = []
    for name, sentence in fields.items():
        kind, _dot, row = name.partition(".")
        if not row:
            told.append(sentence)
        elif kind == "shifts":
            told.append(_("Shift %(row)d: %(why)s") % {"row": int(row) + 1, "why": sentence})
        else:
            told.append(_("Exception %(row)d: %(why)s") % {"row": int(row) + 1, "why": sentence})
    return list(dict.fromkeys(told))


def _rows(request: HttpRequest, names: Sequence[str]) -> list[dict[str, str]]:
    """Read the lines of a table; an empty one is left out."""
    columns = [request.POST.getlist(name) for name in names]
    rows = [dict(zip(names, (cell.strip() for cell in cells), strict=True)) for cells in zip(*columns, strict=False)]
    return [row for row in rows if any(row.values())]


def _shift(row: dict[str, str], number: int) -> ShiftSpec:
    where = _("Shift %(row)d: %(why)s")
    try:
        breaks = tuple(
            (time.fromisoformat(start.strip()), time.fromisoformat(end.strip()))
            for start, _dash, end in (part.partition("-") for part in row["breaks"].replace("–", "-").split())
        )
        start, end = time.fromisoformat(row["start"]), time.fromisoformat(row["end"])
    except ValueError as error:
        why = _("times are such as 08:00, breaks such as 12:00-12:30 17:30-17:50")
        raise InvalidInput(where % {"row": number, "why": why}) from error
    days = _days(row["days"])
    if days is None:
        why = _("weekdays are such as 1-5 7 (1 is Monday)")
        raise InvalidInput(where % {"row": number, "why": why})
    return ShiftSpec(row["shift_code"], row["shift_zh"], row["shift_en"], start, end, days, breaks)


def _days(text: str) -> tuple[int, ...] | None:
    found: set[int] = set()
    for part in re.split(r"[\s,;]+", text.strip() or "1-7"):
        span = re.fullmatch(r"([1-7])(?:-([1-7]))?", part)
        if span is None or int(span[2] or span[1]) < int(span[1]):
            return None
        found.update(range(int(span[1]), int(span[2] or span[1]) + 1))
    return tuple(sorted(found))


def _exception(row: dict[str, str], number: int) -> ExceptionSpec:
    try:
        first = date.fromisoformat(row["first"])
        last = date.fromisoformat(row["last"]) if row["last"] else first
    except ValueError as error:
        why = _("a day is such as 2026-10-01")
        raise InvalidInput(_("Exception %(row)d: %(why)s") % {"row": number, "why": why}) from error
    works_as = int(row["works_as"]) if row["works_as"] in {"1", "2", "3", "4", "5", "6", "7"} else None
    only = tuple(part for part in re.split(r"[\s,;]+", row["only"]) if part)
    return ExceptionSpec(first, last, row["exception_zh"], row["exception_en"], works_as, only)


def _shift_texts(shift: calendars.Shift) -> dict[str, str]:
    return {
        "shift_code": shift.code,
        "shift_zh": shift.name_zh,
        "shift_en": shift.name_en,
        "start": f"{shift.start:%H:%M}",
        "end": f"{shift.end:%H:%M}",
        "days": _spans(sorted(shift.weekdays)),
        "breaks": " ".join(f"{one.start:%H:%M}-{one.end:%H:%M}" for one in shift.breaks),
    }


def _spans(days: Sequence[int]) -> str:
    """Write weekdays as people do: ``1-5 7``."""
    spans: list[list[int]] = []
    for day in days:
        if spans and spans[-1][1] == day - 1:
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return " ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


def _exception_texts(one: calendars.DayException) -> dict[str, Any]:
    return {
        "first": one.first.isoformat(),
        "last": one.last.isoformat(),
        "exception_zh": one.name_zh,
        "exception_en": one.name_en,
        "works_as": str(one.works_as or ""),
        "only": " ".join(sorted(one.shift_codes)),
    }
