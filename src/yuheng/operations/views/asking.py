"""What every page of operations asks first: which site; and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.operations.selectors.exceptions import open_exceptions
from yuheng.operations.terminal.selectors.reports import count_open
from yuheng.people.identity import actor_of
from yuheng.people.rules import Permission

VIEW = Permission.OPERATIONS_VIEW
SITE_COOKIE = "yh_site"
"""The site looked at last; written by the command centre."""

MAX_ID = 2**63


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def in_language(zh: str, en: str) -> str:
    """Return the text in the reader's language, or the other one when it is missing."""
    return (en or zh) if (get_language() or "").startswith("en") else (zh or en)


def asked_site(request: HttpRequest, permission: str = VIEW) -> tuple[Actor, SiteRow]:
    """Return who asks and for which site: the one in the address, else the one looked at last, else the first.

    Raises
    ------
    PermissionRefused
        They may do this at no site.
    NotVisible
        The address names a site that is not theirs.
    InvalidInput
        There is no site yet.
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


def site_of(request: HttpRequest, site_id: int) -> tuple[Actor, SiteRow]:
    """Return who asks and the site of a thing that they see."""
    actor = actor_of(request)
    return actor, equipment.site(actor=actor, site_id=site_id)


def site_choices(actor: Actor, permission: str = VIEW) -> list[tuple[str, str]]:
    """Return code and name of the sites at which somebody may do this."""
    rows = equipment.visible_sites(actor=actor)
    return [(row.code, in_language(row.name_zh, row.name_en)) for row in rows if actor.may(permission, site_id=row.id)]


def number(given: Mapping[str, Any], name: str) -> int | None:
    """Return one whole number of an address or form."""
    text = str(given.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and int(text) < MAX_ID else None


def wall_moment(text: str, zone: str) -> datetime | None:
    """Return the moment that a form writes; without an offset it is the site's wall time.

    Raises
    ------
    InvalidInput
        It is none.
    """
    if not text:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise InvalidInput(_("This is not a time; write it as 2026-11-22T14:00."))
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def query_without(request: HttpRequest, site: SiteRow, *names: str) -> str:
    """Return the address' query without some names; it names the site, so that it can be sent to anybody."""
    query = request.GET.copy()
    query["site"] = site.code
    for name in names:
        query.pop(name, None)
    return str(query.urlencode())


def page(
    request: HttpRequest, template: str, context: Mapping[str, Any], site: SiteRow, *, status: int = 200
) -> HttpResponse:
    """Draw a page of a site: times as the clock on its wall shows them."""
    actor = actor_of(request)
    may = {
        "dispatch": actor.may(Permission.OPERATIONS_DISPATCH, site_id=site.id),
        "orders": actor.may(Permission.ORDERS_EDIT, site_id=site.id),
        "materials": actor.may(Permission.MATERIALS_MOVE, site_id=site.id),
        "devices": actor.may(Permission.EQUIPMENT_EDIT, site_id=site.id),
    }
    shared = {
        "site": site,
        "site_name": in_language(site.name_zh, site.name_en),
        "sites": site_choices(actor),
        "may": may,
        "open_conflicts": count_open(actor=actor, site_id=site.id),
        "open_exceptions": open_exceptions(actor=actor, site_id=site.id),
    }
    with timezone.override(ZoneInfo(site.time_zone)):
        return render(request, template, {**shared, **context}, status=status)
