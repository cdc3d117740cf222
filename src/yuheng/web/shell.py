"""What surrounds every page: who is signed in, which pages exist for them, theme and text size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from yuheng.alarms.selectors.alarms import alarm_counts
from yuheng.equipment.selectors import SiteRow, visible_sites
from yuheng.kernel.actor import ANONYMOUS, Actor
from yuheng.web import plant_data
from yuheng.web.names import local_name

THEME_COOKIE = "yh_theme"
TEXT_COOKIE = "yh_text"
SITE_COOKIE = "yh_site"
THEMES = ("light", "dark")
SITES_S = 15
ALARMS_S = 2
ALARM_LIST = "alarms:list"
TEXT_SIZES = ("normal", "large")


@dataclass(frozen=True, slots=True)
class Page:
    """An entry of the main navigation, shown to those who hold the permission at any site, or everywhere."""

    label: Promise
    url_name: str
    permission: str
    is_everywhere: bool = False
    is_set_up: bool = False  # opened when the plant is arranged, not while it is watched: under one menu


@dataclass(frozen=True, slots=True)
class AlarmsNow:
    """How many alarms of the chosen site nobody has acknowledged, and the most urgent of them (0: none)."""

    site_id: int
    unacked: int
    worst: int


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as the template draws it."""

    label: str
    url: str
    is_current: bool = False
    is_post: bool = False
    is_set_up: bool = False
    alarms: AlarmsNow | None = None


PAGES: tuple[Page, ...] = (
    Page(_("Plant"), "web:home", "telemetry.view"),
    Page(_("Alarms"), ALARM_LIST, "alarms.view"),
    Page(_("Dispatch"), "scheduling:dispatch", "operations.view"),
    Page(_("Orders"), "operations:orders", "operations.view"),
    Page(_("Trends"), "analysis:trends", "telemetry.view"),
    Page(_("Stops"), "analysis:stops", "telemetry.view"),
    Page(_("Products"), "engineering:products", "engineering.view", is_set_up=True),
    Page(_("Equipment"), "equipment:tree", "equipment.view", is_set_up=True),
    Page(_("Signals"), "telemetry:sources", "telemetry.view", is_set_up=True),
    Page(_("Dead letters"), "telemetry:dead_letters", "telemetry.view", is_set_up=True),
    Page(_("People"), "people:people", "people.manage", is_set_up=True),
    Page(_("Audit"), "people:audit", "audit.view", is_set_up=True),
    Page(_("Health"), "web:health", "site.admin", is_everywhere=True, is_set_up=True),
)
WALL_ROUTES = {"alarms": "alarms:list", "alarm-health": "alarms:health", "stops": "analysis:stops"}
"""Pages that a wall can go through besides the map."""
ACCOUNT: tuple[tuple[Promise, str, bool], ...] = (
    (_("My account"), "people:account", False),
    (_("Sign out"), "people:sign_out", True),
)


def _url(name: str) -> str:
    """Return the address of a named page, or nothing when this installation does not have it."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _pages(actor: Actor, path: str, site_code: str) -> Iterator[Link]:
    for page in PAGES:
        url = _url(page.url_name)
        may = actor.may_everywhere if page.is_everywhere else actor.may
        if not url or not may(page.permission):
            continue
        is_plant = url == "/" and (path == "/" or path.startswith(("/sites/", "/work-units/")))
        is_current = is_plant or (url != "/" and path.startswith(url))
        alarms = _alarms_now(actor, site_code) if page.url_name == ALARM_LIST else None
        yield Link(str(page.label), url, is_current=is_current, is_set_up=page.is_set_up, alarms=alarms)


def _alarms_now(actor: Actor, site_code: str) -> AlarmsNow | None:
    """Return the count beside "Alarms"; read at most every `ALARMS_S` seconds, the page renews it from the stream."""
    sites = [row for row in _site_rows(actor) if actor.may("alarms.view", site_id=row.id)]
    if not sites:
        return None
    site = next((row for row in sites if row.code == site_code), sites[0])
    key = f"web.alarms_now.{site.id}"
    found: AlarmsNow | None = cache.get(key)
    if found is None:
        counts = alarm_counts(actor=actor, site_id=site.id)
        worst = min((int(one) for one, count in counts.unacked_by_priority.items() if count), default=0)
        found = AlarmsNow(site.id, counts.unacked, worst)
        cache.set(key, found, ALARMS_S)
    return found


def _site_rows(actor: Actor) -> list[SiteRow]:
    """Return the sites to choose from; read at most every `SITES_S` seconds, because every page shows them."""
    if actor.kind != "person":
        return []
    reach = actor.site_ids()
    key = f"web.sites.{'all' if reach is None else '.'.join(map(str, sorted(reach)))}"
    rows: list[SiteRow] | None = cache.get(key)
    if rows is None:
        rows = visible_sites(actor=actor)
        cache.set(key, rows, SITES_S)
    return rows


def _sites(actor: Actor, request: HttpRequest) -> list[Link]:
    current = request.COOKIES.get(SITE_COOKIE, "")
    return [
        Link(local_name(row), reverse("web:site", args=[row.code]), is_current=row.code == current)
        for row in _site_rows(actor)
    ]


def site_time_zone(request: HttpRequest) -> ZoneInfo:
    """Return the time zone of the chosen site, else of the first one that the person sees, else UTC."""
    rows = _site_rows(getattr(request, "actor", ANONYMOUS))
    chosen = request.COOKIES.get(SITE_COOKIE, "")
    zone = next((row.time_zone for row in rows if row.code == chosen), rows[0].time_zone if rows else "UTC")
    return ZoneInfo(zone)


def _choice(request: HttpRequest, cookie: str, allowed: tuple[str, ...]) -> str:
    value = request.COOKIES.get(cookie, "")
    return value if value in allowed else allowed[0]


def is_wall(request: HttpRequest) -> bool:
    """Return whether the page is asked for a wall: ``?wall=1``."""
    return request.GET.get("wall") == "1"


def _theme(request: HttpRequest) -> str:
    """Return the theme that the address names, else the reader's; a wall is dark unless its address says otherwise."""
    asked = request.GET.get("theme", "dark" if is_wall(request) else "")
    return asked if asked in THEMES else _choice(request, THEME_COOKIE, THEMES)


def _wall_pages(request: HttpRequest, actor: Actor) -> dict[str, str]:
    """Map the names that ``cycle=`` may hold to addresses, for the site chosen last."""
    rows = _site_rows(actor)
    chosen = request.COOKIES.get(SITE_COOKIE, "")
    code = next((row.code for row in rows if row.code == chosen), rows[0].code if rows else "")
    pages = {"map": reverse("web:site", args=[code])} if code else {}
    pages |= {name: url for name, route in WALL_ROUTES.items() if (url := _url(route))}
    return pages


def shell(request: HttpRequest) -> dict[str, dict[str, object]]:
    """Context processor: everything `base.html` needs, under the one name ``shell``."""
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    pages = list(_pages(actor, request.path, request.COOKIES.get(SITE_COOKIE, "")))
    account = [Link(str(label), url, is_post=is_post) for label, name, is_post in ACCOUNT if (url := _url(name))]
    return {
        "shell": {
            "theme": _theme(request),
            "text_size": _choice(request, TEXT_COOKIE, TEXT_SIZES),
            "is_wall": is_wall(request),
            "wall_pages": _wall_pages(request, actor) if is_wall(request) else {},
            "is_signed_in": actor.kind == "person",
            "actor_name": local_name(actor) or actor.name,
            "impersonator": actor.impersonator,
            "may_audit": actor.kind == "person" and actor.may("audit.view"),
            "pages": [page for page in pages if not page.is_set_up],
            "set_up_pages": [page for page in pages if page.is_set_up],
            "sites": _sites(actor, request),
            "account": account,
            "losses": plant_data.losses() if actor.kind == "person" and actor.may("telemetry.view") else [],
        }
    }
