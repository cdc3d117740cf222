"""What every page of scheduling needs: who asks, for which site, numbers and times of forms, refusals in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of

VIEW, DISPATCH = "operations.view", "operations.dispatch"
SITE_COOKIE = "yh_site"
MAX_ID = 2**63


def now() -> datetime:
    """Return the time of this machine: what services take as ``at``."""
    return datetime.now(UTC)


def asked_site(request: HttpRequest, permission: str = VIEW) -> tuple[Actor, SiteRow]:
    """Who asks and for which site: the one in the address, else the one looked at last, else the first."""
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


def site_of(request: HttpRequest, site_id: int, permission: str = VIEW) -> tuple[Actor, SiteRow]:
    """Who asks, and the site of what is asked about."""
    actor = actor_of(request)
    actor.require(permission, site_id=site_id)
    return actor, equipment.site(actor=actor, site_id=site_id)


def page(
    request: HttpRequest, template: str, context: dict[str, Any], site: SiteRow, *, status: int = 200
) -> HttpResponse:
    """Render a page in the site's time."""
    actor = actor_of(request)
    shared = {"site": site, "may_dispatch": actor.may(DISPATCH, site_id=site.id)}
    with timezone.override(ZoneInfo(site.time_zone)):
        return render(request, template, {**shared, **context}, status=status)


def back_to_dispatch(site_code: str) -> HttpResponse:
    """Return to the board."""
    answer = redirect("scheduling:dispatch")
    answer["Location"] += f"?site={site_code}"
    return answer


def number(request: HttpRequest, name: str) -> int | None:
    """Return a whole number of a form or an address; None when there is none."""
    text = request.POST.get(name, "") or request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) < MAX_ID else None


def wall_time(text: str, zone: str) -> datetime:
    """Read a time as a form writes it, by the clock on the wall. Raises `InvalidInput`."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise InvalidInput(_("This is not a time; write it as 2026-11-22T14:00."))
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def in_words(refusal: Exception) -> str:
    """Return a refusal with what it says of each field."""
    return " ".join(dict.fromkeys([str(refusal), *getattr(refusal, "fields", {}).values()]))
