"""What every page of flow asks first: which site, which days, which place; and how it is drawn or sent as a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of
from yuheng.performance.asking import now
from yuheng.performance.rules.periods import Period, day_of
from yuheng.performance.rules.tallies import Place
from yuheng.performance.selectors.flow import place_of
from yuheng.performance.tables import TYPES, Table, as_file

VIEW = "operations.view"
SITE_COOKIE = "yh_site"
PRESETS = (1, 7, 30, 90)


def in_language(zh: str, en: str) -> str:
    """Return the text in the reader's language, or the other one when it is missing."""
    return (en or zh) if (get_language() or "").startswith("en") else (zh or en)


def asked_site(request: HttpRequest) -> tuple[Actor, SiteRow]:
    """Return who asks and for which site: the one in the address, else the one looked at last, else the first.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    actor = actor_of(request)
    actor.require(VIEW)
    code = request.GET.get("site", "") or request.POST.get("site", "")
    if code:
        found = equipment.site_by_code(actor=actor, code=code)
        actor.require(VIEW, site_id=found.id)
        return actor, found
    sites = [row for row in equipment.visible_sites(actor=actor) if actor.may(VIEW, site_id=row.id)]
    if not sites:
        raise InvalidInput(_("There is no site yet: import a plant first."))
    last = request.COOKIES.get(SITE_COOKIE, "")
    return actor, next((row for row in sites if row.code == last), sites[0])


def asked_place(given: Mapping[str, str]) -> Place | None:
    """Return the place that an address names; None: all of them."""
    return place_of(given.get("place", ""))


def number(given: Mapping[str, Any], name: str) -> int | None:
    """Return one whole number of an address or form."""
    text = str(given.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def query_with(request: HttpRequest, site: SiteRow, **more: str | None) -> str:
    """Return the address' query with some names changed (None: taken out); it names the site."""
    query = request.GET.copy()
    for name, value in {"site": site.code, "after": None, "format": None, **more}.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    return str(query.urlencode())


def draw(
    request: HttpRequest, template: str, context: Mapping[str, Any], site: SiteRow, days: Period, tab: str
) -> HttpResponse:
    """Draw a page of a site: times as the clock on its wall shows them."""
    actor = actor_of(request)
    today = day_of(now(), site.time_zone)
    sites = [row for row in equipment.visible_sites(actor=actor) if actor.may(VIEW, site_id=row.id)]
    presets = [
        (count, query_with(request, site, **{"from": str(today - timedelta(days=count - 1)), "to": str(today)}))
        for count in PRESETS
    ]
    shared = {
        "site": site,
        "site_name": in_language(site.name_zh, site.name_en),
        "sites": [(row.code, in_language(row.name_zh, row.name_en)) for row in sites],
        "period": days,
        "presets": presets,
        "present_days": days.days if days.last == today else 0,
        "page_query": query_with(request, site),
        "period_query": query_with(
            request, site, place=None, material=None, unit=None, segment=None, q=None, parts=None
        ),
        "flow_tab": tab,
    }
    with timezone.override(ZoneInfo(site.time_zone)):
        return render(request, template, {**shared, **context})


def wants_file(request: HttpRequest) -> str:
    """Return which kind of file is asked for; "" for a page."""
    kind = request.GET.get("format", "")
    return kind if kind in TYPES else ""


def send(table: Table, kind: str, days: Period) -> HttpResponse:
    """Send a table as a file."""
    response = HttpResponse(as_file(table, kind), content_type=TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{table.name}-{days.first}-{days.last}.{kind}"'
    return response
