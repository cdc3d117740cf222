"""What every alarm page asks first: which site, as of when, and what its address narrows it to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from yuheng.alarms.selectors.visible import VIEW
from yuheng.alarms.shown import in_language
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of

SITE_COOKIE = "yh_site"
"""The site looked at last; written by the command centre."""


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def asked_site(request: HttpRequest, permission: str = VIEW) -> tuple[Actor, SiteRow]:
    """Return who asks and for which site: the one in the address, else the one looked at last, else the first.

    Raises
    ------
    PermissionRefused
        They may not see alarms anywhere.
    NotVisible
        The address names a site that is not theirs.
    """
    actor = actor_of(request)
    actor.require(permission)
    code = request.GET.get("site", "") or request.POST.get("site", "")
    if code:
        found = equipment.site_by_code(actor=actor, code=code)
        actor.require(permission, site_id=found.id)
        return actor, found
    sites = [row for row in equipment.visible_sites(actor=actor) if actor.may(permission, site_id=row.id)]
    if not sites:
        raise InvalidInput(_("There is no site yet: import a plant first."))
    last = request.COOKIES.get(SITE_COOKIE, "")
    return actor, next((row for row in sites if row.code == last), sites[0])


def site_choices(actor: Actor, permission: str = VIEW) -> list[tuple[str, str]]:
    """Return code and name of the sites whose alarms somebody may see."""
    rows = equipment.visible_sites(actor=actor)
    return [(row.code, in_language(row.name_zh, row.name_en)) for row in rows if actor.may(permission, site_id=row.id)]


def numbers(request: HttpRequest, name: str) -> list[int]:
    """Return the whole numbers that an address gives under a name, several times or separated by commas or dots."""
    words = ",".join(request.GET.getlist(name)).replace(".", ",").split(",")
    return [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 19]


def number(given: Mapping[str, Any], name: str) -> int | None:
    """Return one whole number of an address or form."""
    text = str(given.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def priorities(request: HttpRequest) -> list[int]:
    """Return the priorities that an address names."""
    known = {int(priority) for priority in Priority}
    return [one for one in numbers(request, "priority") if one in known]


def moment_in(text: str, zone: str) -> datetime | None:
    """Return the moment a form or an address writes; without an offset it is the site's wall time.

    Raises
    ------
    InvalidInput
        It is none.
    """
    if not text:
        return None
    try:
        found = parse_datetime(text.replace(" ", "+") if "T" in text and " " in text else text)
    except ValueError:
        found = None
    if found is None:
        raise InvalidInput(_("This is not a time; write it as 2026-11-22T14:00."), {"at": text[:40]})
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def query_of(request: HttpRequest, site: SiteRow, without: Iterable[str] = ()) -> str:
    """Return the address' query without some names; it names the site, so that it can be sent to anybody."""
    query = request.GET.copy()
    query["site"] = site.code
    for name in without:
        query.pop(name, None)
    return str(query.urlencode())


def page(
    request: HttpRequest, template: str, context: Mapping[str, Any], site: SiteRow, *, status: int = 200
) -> HttpResponse:
    """Draw a page of a site: times as the clock on its wall shows them."""
    may_notify = actor_of(request).may("alarms.edit", site_id=site.id)
    shared = {"site": site, "site_name": in_language(site.name_zh, site.name_en), "may_notify": may_notify}
    with timezone.override(ZoneInfo(site.time_zone)):
        return render(request, template, {**shared, **context}, status=status)
