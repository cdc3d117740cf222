"""The health of the alarm system, against ISA-18.2 and EEMUA 191."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from yuheng.alarms import shown
from yuheng.alarms.drawing import Bar, bars_of, level
from yuheng.alarms.selectors import health
from yuheng.alarms.selectors.health import AlarmHealth
from yuheng.alarms.selectors.raised import Announced, episodes_raised
from yuheng.alarms.views.asking import asked_site, moment_in, now, page, priorities, query_of, site_choices
from yuheng.engines.alarms import health as rules
from yuheng.kernel.errors import InvalidInput

SPANS: dict[str, timedelta] = {"8h": timedelta(hours=8), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
LONGEST = timedelta(days=31)


@require_GET
def alarm_health(request: HttpRequest) -> HttpResponse:
    """Measure a span: rates, floods, the noisiest, what nobody acknowledged, how priorities are distributed."""
    actor, site = asked_site(request)
    span = request.GET.get("span", "24h")
    end = moment_in(request.GET.get("to", ""), site.time_zone) or now()
    start = moment_in(request.GET.get("from", ""), site.time_zone) or end - SPANS.get(span, SPANS["24h"])
    if not timedelta(0) < end - start <= LONGEST:
        raise InvalidInput(_("Ask for at most 31 days."), {"from": start.isoformat()})
    found = health.alarm_health(actor=actor, site_id=site.id, start=start, end=end)
    context = {
        "health": found,
        "span": "" if request.GET.get("from") else span if span in SPANS else "24h",
        "spans": list(SPANS),
        "query": query_of(request, site, ["span", "from", "to"]),
        "sites": site_choices(actor),
        "bars": _bars(found),
        "is_flooded": found.rates.flood_ratio > rules.FLOOD_TARGET_RATIO,
        "measures": _measures(found, start, end),
        "shares": _shares(found),
        "stale": shown.lines_of(found.stale),
        "hidden": shown.lines_of([*found.shelved, *found.suppressed, *found.out_of_service]),
        "span_query": urlencode({"site": site.code, "from": start.isoformat(), "to": end.isoformat()}),
        "lines_at": [(number, level(number, found.rates.counts)) for number in (1, 10)],
    }
    return page(request, "alarms/health.html", context, site)


@require_GET
def episode_list(request: HttpRequest) -> HttpResponse:
    """The rows behind a figure: the times that alarms were raised in a span."""
    actor, site = asked_site(request)
    end = moment_in(request.GET.get("to", ""), site.time_zone) or now()
    start = moment_in(request.GET.get("from", ""), site.time_zone) or end - SPANS["24h"]
    wanted = request.GET.get("which", "")
    which = Announced(wanted) if wanted in set(Announced) else Announced.ALL
    rows = episodes_raised(
        actor=actor, site_id=site.id, start=start, end=end, which=which, priorities=priorities(request)
    )
    context = {
        "rows": rows,
        "which": which,
        "choices": list(WHICH_LABELS.items()),
        "query": query_of(request, site, ["which"]),
        "start": start,
        "end": end,
    }
    return page(request, "alarms/episodes.html", context, site)


WHICH_LABELS: dict[Announced, Promise] = {
    Announced.ALL: gettext_lazy("Announced"),
    Announced.NEVER_ACKED: gettext_lazy("Never acknowledged"),
    Announced.ACKED: gettext_lazy("Acknowledged, the slowest first"),
    Announced.GROUPED: gettext_lazy("Grouped under a cause"),
    Announced.HIDDEN: gettext_lazy("Raised while hidden"),
}


def _bars(found: AlarmHealth) -> list[Bar]:
    return bars_of(found.rates.counts, found.rates.is_flood, found.start, found.end)


def _measures(found: AlarmHealth, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return each figure with its target, whether it is met, and the query of the rows behind it."""
    days = max(1e-9, (end - start).total_seconds() / 86_400)
    rates = found.rates
    rows: list[tuple[str, str, str, bool, str]] = [
        (
            _("Alarms per 10 minutes, average"),
            f"{rates.average:.2f}",
            _("at most 1; up to 2 can be managed"),
            rates.average <= rules.MANAGEABLE_PER_BUCKET,
            "journal",
        ),
        (
            _("Most alarms in 10 minutes"),
            str(rates.peak),
            _("at most 10"),
            rates.peak <= rules.FLOOD_BEGINS_ABOVE,
            "chart",
        ),
        (
            _("Share of the time in flood"),
            f"{100 * rates.flood_ratio:.1f} %",
            _("below 1 %"),
            rates.flood_ratio < rules.FLOOD_TARGET_RATIO,
            "chart",
        ),
        (
            _("Share of the ten most frequent alarms"),
            f"{100 * found.top_ratio:.0f} %" if found.top else "–",
            _("below 5 %"),
            found.top_ratio < 0.05 or not found.top,
            "top",
        ),
        (_("Chattering alarms"), str(len(found.chattering)), _("none"), not found.chattering, "chattering"),
        (
            _("Stale: active for more than 24 hours"),
            str(len(found.stale)),
            _("fewer than 5"),
            len(found.stale) < 5,
            "stale",
        ),
        (
            _("Never acknowledged"),
            str(found.never_acked),
            _("none"),
            found.never_acked == 0,
            "never",
        ),
        (
            _("Time to acknowledge, median"),
            _seconds(found.ack_median_s),
            _("within the response time of the alarms"),
            True,
            "acked",
        ),
        (_("Time to acknowledge, 95 of 100"), _seconds(found.ack_p95_s), "", True, "acked"),
        (
            _("Shelved, suppressed, out of service now"),
            str(len(found.shelved) + len(found.suppressed) + len(found.out_of_service)),
            _("each with a reason"),
            True,
            "hidden",
        ),
    ]
    per_day = found.announced / days
    rows.insert(
        1,
        (
            _("Alarms a day"),
            f"{per_day:.0f}",
            _("about 150; at most 300"),
            per_day <= 300,
            "journal",
        ),
    )
    return [
        {"label": label, "value": value, "target": target, "is_met": met, "to": to}
        for label, value, target, met, to in rows
    ]


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 120:
        return _("%(s)d s") % {"s": round(seconds)}
    return _("%(min)d min") % {"min": round(seconds / 60)}


def _shares(found: AlarmHealth) -> list[dict[str, Any]]:
    """Return the distribution of priorities beside what the standards recommend."""
    total = sum(found.by_priority.values())
    groups = (
        ("critical", (1,), _("Critical")),
        ("high", (2,), _("High")),
        ("medium_and_low", (3, 4), _("Medium and low")),
    )
    rows = []
    for key, numbers_of, word in groups:
        count = sum(found.by_priority.get(one, 0) for one in numbers_of)
        ratio = count / total if total else 0.0
        guide = found.guide_ratio[key]
        rows.append(
            {
                "word": word,
                "priority": numbers_of[0],
                "query": "&".join(f"priority={one}" for one in numbers_of),
                "count": count,
                "percent": f"{100 * ratio:.0f}",
                "guide": f"{100 * guide:.0f}",
                "width": f"{100 * ratio:.1f}",
                "mark": f"{99 * guide:.1f}",
            }
        )
    return rows
