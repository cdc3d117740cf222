"""Pages of the web context: the command centre, the station, and the reader's preferences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.kernel.moments import EARLIEST_US, EPOCH, moment_of, replay_context
from yuheng.operations.selectors.running import RunningJob
from yuheng.people.identity import actor_of
from yuheng.telemetry.selectors import commands
from yuheng.web import centre, orders_now, plant_data, stations
from yuheng.web.drawn_bullets import drawn
from yuheng.web.durations import in_words
from yuheng.web.indicators import bullets, looks_for_islands, order_rule
from yuheng.web.live_token import LIFETIME_S, make_token
from yuheng.web.map_drawing import draw
from yuheng.web.names import local_name
from yuheng.web.plant_data import Unavailable
from yuheng.web.shell import SITE_COOKIE, TEXT_COOKIE, TEXT_SIZES, THEME_COOKIE, THEMES
from yuheng.web.states import LOOKS

YEAR_S = 365 * 86_400
ACTIVITY_BINS = 240
LATEST_US = 4_102_444_800_000_000  # 2100
MAX_HOURS = 24 * 31
MAX_LINES = 50
"""Lines of "needs a person" on the page, worst first; the rest is counted. Nobody reads more, and each costs paint."""
MAX_TRENDS = 6
MAX_WIDTH = 4000
SPANS = ("10m", "1h", "8h", "24h", "7d", "30d")
BULLET_NAMES = ("producing", "online", "down", "output", "rejects", "power")


# ---- preferences and tokens ---------------------------------------------------------------------------------------


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep language, theme or text size in a cookie and go back to where the reader was."""
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = "/"
    response = HttpResponseRedirect(back)
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES) and check_for_language(language):
        _remember(request, response, settings.LANGUAGE_COOKIE_NAME, language)
    for cookie, field, allowed in ((THEME_COOKIE, "theme", THEMES), (TEXT_COOKIE, "text_size", TEXT_SIZES)):
        if request.POST.get(field) in allowed:
            _remember(request, response, cookie, request.POST[field])
    return response


def _remember(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure())


@require_GET
def live_token(request: HttpRequest) -> JsonResponse:
    """Give the signed-in reader a short permission to listen to the live streams of their sites."""
    request.session.modified = True  # who keeps a page open stays signed in: a wall has nobody to type a password
    body = {"token": make_token(actor_of(request)), "lifetime_s": LIFETIME_S}
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


# ---- command centre -----------------------------------------------------------------------------------------------


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Go to the plant: the one looked at last, else the first one that the reader may see."""
    actor = actor_of(request)
    sites = equipment.visible_sites(actor=actor)
    if not sites:
        return render(request, "web/no_site.html", {"name": actor.name})
    last = request.COOKIES.get(SITE_COOKIE, "")
    chosen = next((site for site in sites if site.code == last), sites[0])
    return HttpResponseRedirect(reverse("web:site", args=[chosen.code]))


@require_GET
def site(request: HttpRequest, code: str) -> HttpResponse:
    """The command centre of a site."""
    plant = _plant(request, code)
    context = {
        **_plant_context(plant),
        **_figures_context(request, plant),
        **replay_context(plant.site, plant.moment),
        "map": draw(
            plant.areas,
            plant.places,
            width=plant.width,
            height=plant.height,
            now_us=plant.now_us,
            jobs=orders_now.on_tiles(_jobs(request, plant), plant.site.time_zone),
        ),
        "looks": looks_for_islands(),
        "legend": [{"state": int(state), "word": look.word} for state, look in LOOKS.items()],
        "causes": plant.causes,
        "may_see_alarms": actor_of(request).may("alarms.view", site_id=plant.site.id),
        "may_see_orders": actor_of(request).may("operations.view", site_id=plant.site.id),
    }
    response = render(request, "web/command_centre.html", context)
    _remember(request, response, SITE_COOKIE, code)
    return response


def _jobs(request: HttpRequest, plant: centre.PlantNow) -> dict[int, RunningJob]:
    """What the units make now; nothing while the past is shown."""
    if plant.moment is not None:
        return {}
    return orders_now.jobs_now(
        actor=actor_of(request),
        site_id=plant.site.id,
        work_unit_ids=[unit.id for unit in plant.units],
        now=plant.now,
    )


@never_cache
@require_GET
def jobs(request: HttpRequest, code: str) -> JsonResponse:
    """What every work unit makes now, for the renewal of the map: ``[unit, share, text]``."""
    actor = actor_of(request)
    site = equipment.site_by_code(actor=actor, code=code)
    actor.require("telemetry.view", site_id=site.id)
    found = orders_now.jobs_now(
        actor=actor,
        site_id=site.id,
        work_unit_ids=equipment.work_unit_ids(site_id=site.id).values(),
        now=datetime.now(UTC),
    )
    return JsonResponse({"jobs": orders_now.as_json(found, site.time_zone)})


@require_GET
def now(request: HttpRequest, code: str) -> HttpResponse:
    """The parts of the command centre that the page renews by itself."""
    plant = _plant(request, code)
    return render(request, "web/now.html", _figures_context(request, plant))


@require_GET
def units(request: HttpRequest, code: str) -> HttpResponse:
    """The plant map as a table."""
    plant = _plant(request, code)
    jobs_here = _jobs(request, plant)
    rows = [
        {"id": u.id, "code": u.code, "name": u.name, "area": u.area, "state": u.state, "cause_text": u.cause_text}
        | {"since_us": u.since_us, "lasting": u.lasting_s(plant.now_us), "job": jobs_here.get(u.id)}
        for u in plant.units
    ]
    return render(request, "web/units.html", {**_plant_context(plant), "units": rows})


@require_GET
def indicator(request: HttpRequest, code: str, name: str) -> HttpResponse:
    """The rows behind a figure of the command centre."""
    if name not in BULLET_NAMES:
        raise NotVisible(_("There is no such figure."))
    plant = _plant(request, code)
    found = next(b for b in bullets(centre.measures(actor=actor_of(request), plant=plant)) if b.name == name)
    context = {
        **_plant_context(plant),
        **replay_context(plant.site, plant.moment),
        "bullet": found,
        "explanation": centre.explanation(name),
    }
    return render(request, "web/indicator.html", context)


def _plant(request: HttpRequest, code: str) -> centre.PlantNow:
    actor = actor_of(request)
    found = _visible_site(request, code)
    return centre.plant_now(actor=actor, site_id=found.id, moment=moment_of(request, found.time_zone))


def _plant_context(plant: centre.PlantNow) -> dict[str, Any]:
    age_s = max(0.0, (plant.now_us - plant.data_us) / 1e6)
    return {
        "site": plant.site,
        "site_name": local_name(plant.site),
        "unit_count": len(plant.units),
        "online": plant.online,
        "shift": plant.shift,
        "data_us": plant.data_us,
        "data_age": in_words(age_s) if plant.data_us else _("none"),
        "clock": centre.local_clock(plant.site.time_zone, plant.now if plant.moment else None),
        "live_failed": plant.failed,
    }


def _figures_context(request: HttpRequest, plant: centre.PlantNow) -> dict[str, Any]:
    figures = centre.figures(actor=actor_of(request), plant=plant)
    return {
        "bullets": [drawn(bullet, plant.site.code) for bullet in figures.bullets],
        "attention": figures.attention[:MAX_LINES],
        "attention_count": len(figures.attention),
        "attention_hidden": max(0, len(figures.attention) - MAX_LINES),
        "attention_failed": figures.attention_failed,
        "order_rule": order_rule(),
        "site": plant.site,
        "unit_count": len(plant.units),
        "online": plant.online,
        "clock": centre.local_clock(plant.site.time_zone, plant.now if plant.moment else None),
    }


# ---- replay -------------------------------------------------------------------------------------------------------


@require_GET
def board(request: HttpRequest, code: str) -> JsonResponse:
    """The states of all units at ``?at=``: ``units`` are [id, state, cause, since_us], as ``y-live-map`` reads them."""
    actor = actor_of(request)
    site = _visible_site(request, code)
    moment = moment_of(request, site.time_zone)
    if moment is None:
        raise InvalidInput(_("Say which moment, with at=."), {"at": ""})
    try:
        found = plant_data.past_units(actor=actor, site_id=site.id, moment=moment)
    except Unavailable as error:
        return JsonResponse({"detail": str(error)}, status=503)
    body = {
        "at_us": moment.at_us,
        "as": found.known_as,
        "trouble": found.trouble,
        "recorded_from_us": found.recorded_from_us,
        "units": [[one.work_unit_id, one.state, one.cause, one.since_us] for one in found.units],
    }
    return JsonResponse(body)


@require_GET
def board_changes(request: HttpRequest, code: str) -> JsonResponse:
    """What the screens were told in (from, to]: frames [at_us, is_whole, units], until ``until_us``."""
    actor = actor_of(request)
    site = _visible_site(request, code)
    start_us, end_us = _range_us(request)
    try:
        found = plant_data.past_changes(actor=actor, site_id=site.id, from_us=start_us, to_us=end_us)
    except Unavailable as error:
        return JsonResponse({"detail": str(error)}, status=503)
    frames = [
        [frame.at_us, frame.is_whole, [[u.work_unit_id, u.state, u.cause, u.since_us] for u in frame.units]]
        for frame in found.frames
    ]
    return JsonResponse({"until_us": found.until_us, "frames": frames})


@require_GET
def activity(request: HttpRequest, code: str) -> JsonResponse:
    """How much happened when: (states begun, stops begun) in equal parts of a time, for finding a moment."""
    site = _visible_site(request, code)
    start_us, end_us = _range_us(request)
    rows = plant_data.activity(
        actor=actor_of(request),
        site_id=site.id,
        start=EPOCH + timedelta(microseconds=start_us),
        end=EPOCH + timedelta(microseconds=end_us),
        bins=ACTIVITY_BINS,
    )
    return JsonResponse({"bins": rows})


def _visible_site(request: HttpRequest, code: str) -> equipment.SiteRow:
    actor = actor_of(request)
    found = equipment.site_by_code(actor=actor, code=code)
    actor.require("telemetry.view", site_id=found.id)
    return found


def _range_us(request: HttpRequest) -> tuple[int, int]:
    try:
        start_us, end_us = int(request.GET["from_us"]), int(request.GET["to_us"])
    except (KeyError, ValueError):
        raise InvalidInput(_("Give from_us and to_us in microseconds since 1970.")) from None
    if not EARLIEST_US <= start_us < end_us < LATEST_US:
        raise InvalidInput(_("The end must be after the start."))
    return start_us, end_us


# ---- station ------------------------------------------------------------------------------------------------------


def _writable(actor: Actor, unit: equipment.WorkUnitRow) -> set[int]:
    """Tags of the unit that the actor may write to now."""
    if not actor.may("machines.command", site_id=unit.site_id):
        return set()
    return commands.writable_tags(actor=actor, work_unit_id=unit.id)


def _picture(actor: Actor, unit: equipment.WorkUnitRow) -> equipment.PictureRow | None:
    """What machines like this one look like, when its class has a picture and the reader may see equipment."""
    if unit.class_id is None or not actor.may("equipment.view", site_id=unit.site_id):
        return None
    return equipment.class_picture(actor=actor, equipment_class_id=unit.class_id)


@require_GET
def station(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """One work unit: state and why, signals now, states and trends, where its data comes from."""
    actor = actor_of(request)
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require("telemetry.view", site_id=unit.site_id)
    moment = moment_of(request, equipment.site(actor=actor, site_id=unit.site_id).time_zone)
    found = stations.station_now(actor=actor, unit=unit, moment=moment)
    tags = {
        signal.id: {
            "label": signal.name or signal.address,
            "unit": signal.unit,
            "type": signal.data_type,
            "stale_after_s": signal.stale_after_s,
            "factor": signal.factor,
            "source": signal.source_id,
            "heard_us": signal.heard_us,
        }
        for signal in found.signals
    }
    context = {
        "station": found,
        "looks": looks_for_islands(),
        "causes": found.causes,
        "tags": tags,
        "states": [int(state) for state in LOOKS],
        "plotted": ".".join(str(signal.id) for signal in found.plotted),
        "writable": _writable(actor, unit) if moment is None else (),  # a machine is written to now, not in the past
        "spans": SPANS,
        "alarm_lines": stations.alarm_lines(actor=actor, unit=unit, moment=moment),
        "picture": _picture(actor, unit),
        "may_see_orders": moment is None and actor.may("operations.view", site_id=unit.site_id),
        "job": None
        if moment
        else orders_now.jobs_now(actor=actor, site_id=unit.site_id, work_unit_ids=[unit.id], now=datetime.now(UTC)).get(
            unit.id
        ),
        **replay_context(found.site, moment),
    }
    return render(request, "web/station.html", context)


@require_GET
def station_states(request: HttpRequest, work_unit_id: int) -> JsonResponse:
    """States of a work unit over the last hours, for its timeline."""
    actor = actor_of(request)
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require("telemetry.view", site_id=unit.site_id)
    try:
        hours = min(MAX_HOURS, max(1, int(request.GET.get("hours", "24"))))
    except ValueError:
        raise InvalidInput(_("Give the number of hours as a whole number.")) from None
    try:
        moment = moment_of(request, "UTC")
        body = stations.lanes(actor=actor, unit=unit, hours=hours, moment=moment)
    except Unavailable as error:
        return JsonResponse({"detail": str(error)}, status=503)
    return JsonResponse(body)


@never_cache
@require_GET
def station_job(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """What a work unit makes, as a part of its page."""
    actor = actor_of(request)
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require("operations.view", site_id=unit.site_id)
    found = orders_now.jobs_now(actor=actor, site_id=unit.site_id, work_unit_ids=[unit.id], now=datetime.now(UTC))
    zone = equipment.site(actor=actor, site_id=unit.site_id).time_zone
    return render(request, "web/_station_job.html", {"job": found.get(unit.id), "time_zone": zone})


@require_GET
def station_trend(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """First, min, max and last of each pixel for some tags, as ``y-trend`` reads them."""
    actor = actor_of(request)
    equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    try:
        tag_ids = [int(word) for word in request.GET.get("tags", "").split(".")]
        start_us, end_us = int(request.GET["start_us"]), int(request.GET["end_us"])
        width = int(request.GET.get("width", "800"))
    except (KeyError, ValueError):
        raise InvalidInput(_("Give tags, start, end and width as numbers.")) from None
    if not 0 < len(tag_ids) <= MAX_TRENDS:
        raise InvalidInput(_("Ask for one to six signals."))
    width = max(10, min(MAX_WIDTH, width))
    try:
        series = plant_data.trend(actor=actor, tag_ids=tag_ids, start_us=start_us, end_us=end_us, width=width)
    except Unavailable as error:
        return JsonResponse({"detail": str(error)}, status=503)
    return HttpResponse(orjson.dumps({"series": series}), content_type="application/json")
