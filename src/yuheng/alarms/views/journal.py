"""The journal: page by page, and as a file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from yuheng.alarms import shown
from yuheng.alarms.exporting import csv_lines, workbook
from yuheng.alarms.labels import KIND_LABELS
from yuheng.alarms.selectors import journal
from yuheng.alarms.selectors.journal import JournalFilter
from yuheng.alarms.views.asking import (
    asked_site,
    moment_in,
    now,
    number,
    numbers,
    page,
    priorities,
    query_of,
    site_choices,
)
from yuheng.alarms.views.lists import areas_of
from yuheng.engines.alarms.vocabulary import JournalKind
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.errors import InvalidInput

MAX_TEXT = 100
SPANS: dict[str, timedelta] = {"1h": timedelta(hours=1), "8h": timedelta(hours=8), "24h": timedelta(hours=24)} | {
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}


@require_GET
def journal_list(request: HttpRequest) -> HttpResponse:
    """Show what happened to alarms, newest first."""
    actor, site = asked_site(request)
    narrowed = narrowed_by(request, site)
    cursor = request.GET.get("cursor", "")
    found = journal.journal_page(actor=actor, site_id=site.id, narrowed=narrowed, cursor=cursor)
    context = {
        "rows": found.rows,
        "older": f"{query_of(request, site, ['cursor'])}&cursor={found.next_cursor}" if found.next_cursor else "",
        "newest": query_of(request, site, ["cursor"]) if cursor else "",
        "query": query_of(request, site, ["cursor"]),
        "narrowed": narrowed,
        "given": request.GET,
        "span": request.GET.get("span", ""),
        "spans": list(SPANS),
        "kinds": [(kind.value, str(word)) for kind, word in KIND_LABELS.items()],
        "priority_choices": shown.priority_choices(),
        "areas": areas_of(actor, site),
        "sites": site_choices(actor),
    }
    return page(request, "alarms/journal.html", context, site)


def narrowed_by(request: HttpRequest, site: SiteRow) -> JournalFilter:
    """Return the filter that an address writes. Raises `InvalidInput`."""
    given = request.GET
    kinds = [kind for word in given.getlist("kind") for kind in word.split(",") if kind]
    if unknown := set(kinds) - {kind.value for kind in JournalKind}:
        raise InvalidInput(_("There is no such kind of line."), {"kind": ", ".join(sorted(unknown))[:80]})
    start, end = (moment_in(given.get(name, ""), site.time_zone) for name in ("from", "to"))
    if start is None and (span := SPANS.get(given.get("span", ""))):
        start = now() - span
    return JournalFilter(
        start=start,
        end=end,
        priorities=priorities(request),
        area_ids=numbers(request, "area"),
        work_unit_ids=numbers(request, "unit"),
        kinds=kinds,
        text=given.get("q", "")[:MAX_TEXT].strip(),
        who=given.get("who", "")[:MAX_TEXT].strip(),
        alarm_id=number(given, "alarm"),
    )


@require_GET
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Write the narrowed journal as CSV or XLSX."""
    actor, site = asked_site(request)
    rows = journal.journal_export(actor=actor, site_id=site.id, narrowed=narrowed_by(request, site))
    name = "xlsx" if request.GET.get("format") == "xlsx" else "csv"
    answer: Any
    if name == "xlsx":
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        answer = HttpResponse(workbook(rows), content_type=kind)
    else:
        answer = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="alarm-journal-{site.code}.{name}"'
    return answer  # type: ignore[no-any-return]
