"""Pages: data sources, connecting a device, tags, state rules, dead letters."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.engines.points import Refusal
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput, NotVisible
from yuheng.people.identity import actor_of
from yuheng.telemetry import words
from yuheng.telemetry.machine_views import about_machine, machine_titles
from yuheng.telemetry.rules import DataType, microseconds
from yuheng.telemetry.selectors import dead_letters as letters
from yuheng.telemetry.selectors import history, losses, previews, signals
from yuheng.telemetry.services import connecting, devices
from yuheng.telemetry.services import dead_letters as services
from yuheng.telemetry.services import sources as source_services
from yuheng.telemetry.services import state_rules as rule_services
from yuheng.telemetry.services.state_rules import RuleSpec
from yuheng.telemetry.source_settings import maps_of

EDIT, REPLAY = "telemetry.edit", "telemetry.replay"
TAGS_A_PAGE = 100
GROUPS_A_PAGE = 100
BLANK_RULES = 3
PREVIEW_HOURS = (1, 8, 24, 72)
PAST_DAYS = (0, 1, 7, 30, 90, 366)
PREVIEW_UNITS = 12


def _now() -> datetime:
    return datetime.now(UTC)


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _sentences(error: DomainError) -> list[str]:
    return [str(error), *(getattr(error, "fields", None) or {}).values()]


# ---- data sources and devices -----------------------------------------------------------------------------------


@require_GET
def sources(request: HttpRequest) -> HttpResponse:
    """List the ways in, the credentials of devices, and the classes with their rules."""
    actor = actor_of(request)
    rows = signals.sources(actor=actor, site_id=_number(request, "site"))
    heard = history.health_of("historian").get("data_time_us", {})
    now_us = microseconds(_now())
    sites = equipment.visible_sites(actor=actor)
    context = {
        "sources": [(row, _age_s(heard.get(str(row.id)), now_us)) for row in rows],
        "devices": signals.devices(actor=actor, site_id=_number(request, "site")),
        "sites": sites,
        "classes": [
            kind
            for site in sites
            if actor.may("equipment.view", site_id=site.id)
            for kind in equipment.equipment_classes(actor=actor, site_id=site.id)
        ],
        "may_edit": actor.may(EDIT),
    }
    return render(request, "telemetry/sources.html", context)


def _age_s(heard_us: Any, now_us: int) -> float | None:
    return max(0.0, (now_us - heard_us) / 1e6) if isinstance(heard_us, int) and heard_us > 0 else None


@require_http_methods(["GET", "POST"])
def source(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show a source with its last messages; try other settings on them; save them."""
    actor = actor_of(request)
    row = signals.source(actor=actor, source_id=source_id)
    errors: list[str] = []
    settings_text = json.dumps(row.settings, ensure_ascii=False, indent=2)
    topics_text = "\n".join(row.topics)
    tried: dict[str, Any] | None = None
    if request.method == "POST":
        settings_text, topics_text = request.POST.get("settings", ""), request.POST.get("topics", "")
        try:
            tried = _settings(settings_text)
            if request.POST.get("action") == "save":
                _save_source(request, actor, row, topics_text.split(), tried)
                return redirect("telemetry:source", source_id=source_id)
        except DomainError as refusal:
            errors += _sentences(refusal)
    seen, trouble = _arrivals(actor, source_id, tried)
    context = {
        "source": row,
        "has_maps": maps_of(row.connector) is not None,
        "settings_text": settings_text,
        "topics_text": topics_text,
        "errors": errors,
        "is_tried": tried is not None,
        "arrivals": seen,
        "shown": [(m, words.as_text(m.payload)) for m in seen.messages] if seen else [],
        "trouble": trouble,
        "devices": signals.devices(actor=actor, source_id=source_id),
        "groups": letters.dead_letter_groups(actor=actor, source_id=source_id, state="open", limit=10).groups,
        "reasons": words.REASONS,
        "may_edit": actor.may(EDIT, site_id=row.site_id),
        **about_machine(actor, row),
    }
    return render(request, "telemetry/source.html", context, status=422 if errors else 200)


def _settings(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise InvalidInput(_("The settings are not JSON: %(why)s.") % {"why": error}) from error
    if not isinstance(found, dict):
        raise InvalidInput(_("The settings are a JSON object, such as {}."))
    return found


def _save_source(
    request: HttpRequest, actor: Actor, row: signals.SourceRow, topics: Sequence[str], settings: dict[str, Any]
) -> None:
    limit = request.POST.get("own_tags_limit", "")
    source_services.configure_source(
        actor=actor,
        source_id=row.id,
        topics=topics,
        settings=settings,
        makes_tags_by_itself="makes_tags_by_itself" in request.POST,
        own_tags_limit=int(limit) if limit.isascii() and limit.isdigit() and 0 < int(limit) <= 10**6 else 5000,
        at=_now(),
    )
    messages.success(request, _("Saved. The historian reads with the new settings within a second."))


def _arrivals(actor: Actor, source_id: int, tried: dict[str, Any] | None) -> tuple[previews.Arrivals | None, str]:
    """Return the last messages, or why there are none to show: the rest of the page stands without them."""
    try:
        return previews.last_messages(actor=actor, source_id=source_id, settings=tried), ""
    except NotVisible:
        raise
    except DomainError as error:
        return None, str(error)


@never_cache
@require_GET
def arrivals(request: HttpRequest, source_id: int) -> HttpResponse:
    """Say what came lately, for the page that waits for a device's first message."""
    seen = previews.last_messages(actor=actor_of(request), source_id=source_id)
    newest = None if seen.newest_at is None else seen.newest_at.isoformat()
    latest = words.as_text(seen.messages[0].payload)[:500] if seen.messages else ""
    return JsonResponse({"count": len(seen.messages), "newest_at": newest, "per_s": seen.per_s, "latest": latest})


@require_POST
def switch_source(request: HttpRequest, source_id: int) -> HttpResponse:
    """Enable or disable a source."""
    is_enabled = request.POST.get("is_enabled") == "1"
    source_services.switch_source(actor=actor_of(request), source_id=source_id, is_enabled=is_enabled, at=_now())
    return redirect("telemetry:source", source_id=source_id)


@never_cache
@require_http_methods(["GET", "POST"])
def connect(request: HttpRequest) -> HttpResponse:
    """Create a source with a device, and show how to send, with the password, once."""
    actor = actor_of(request)
    actor.require(EDIT)
    errors: list[str] = []
    sites = [site for site in equipment.visible_sites(actor=actor) if actor.may(EDIT, site_id=site.id)]
    if request.method == "POST":
        try:
            connected = connecting.connect_device(
                actor=actor,
                site_id=_site_id(request.POST.get("site", ""), sites),
                name=request.POST.get("name", "").strip(),
                protocol=request.POST.get("protocol", ""),
                topic=request.POST.get("topic", "").strip(),
                makes_tags_by_itself="makes_tags_by_itself" in request.POST,
                at=_now(),
            )
        except DomainError as refusal:
            errors = list(dict.fromkeys(_sentences(refusal)))
        else:
            context = {"connected": connected, "commands": connected.commands(shlex.quote)}
            return render(request, "telemetry/connected.html", context)
    context = {"sites": sites, "errors": errors, "given": request.POST, "machines": machine_titles()}
    return render(request, "telemetry/connect.html", context, status=422 if errors else 200)


def _site_id(text: str, sites: Sequence[equipment.SiteRow]) -> int:
    found = next((site.id for site in sites if str(site.id) == text), None)
    if found is None:
        raise InvalidInput(_("Choose a site."))
    return found


@never_cache
@require_POST
def rotate_device(request: HttpRequest, device_id: int) -> HttpResponse:
    """Give a device a new password and show it, once."""
    issued = devices.rotate_device_password(actor=actor_of(request), device_id=device_id, at=_now())
    context = {"username": issued.device.username, "password": issued.password}
    return render(request, "telemetry/password.html", context)


@require_POST
def revoke_device(request: HttpRequest, device_id: int) -> HttpResponse:
    """Take a device's credential away."""
    device = devices.revoke_device(actor=actor_of(request), device_id=device_id, at=_now())
    messages.success(request, _("%(name)s can no longer send.") % {"name": device.username})
    return redirect("telemetry:sources")


# ---- tags -------------------------------------------------------------------------------------------------------


@require_GET
def tags(request: HttpRequest) -> HttpResponse:
    """List tags with filters; editing many goes through a CSV file and its dry run."""
    actor = actor_of(request)
    data_type = request.GET.get("data_type", "")
    wanted = signals.TagFilter(
        site_id=_number(request, "site"),
        source_id=_number(request, "source"),
        work_unit_id=_number(request, "work_unit"),
        text=request.GET.get("q", "")[:200],
        data_type=data_type if data_type in set(DataType) else None,
    )
    number = max(1, _number(request, "page") or 1)
    page = signals.tags(actor=actor, wanted=wanted, offset=(number - 1) * TAGS_A_PAGE, limit=TAGS_A_PAGE)
    context = {
        "page": page,
        "pages": Paginator(range(page.total), TAGS_A_PAGE).get_page(number),
        "query": _query_without(request, "page"),
        "text": wanted.text,
        "source_id": wanted.source_id,
        "data_type": wanted.data_type,
        "data_types": [t.value for t in DataType],
        "sources": (rows := signals.sources(actor=actor)),
        "writable_sources": {row.id for row in rows if row.allows_writes},
        "sites": [site for site in equipment.visible_sites(actor=actor) if actor.may(EDIT, site_id=site.id)],
    }
    return render(request, "telemetry/tags.html", context)


def _query_without(request: HttpRequest, name: str) -> str:
    query = request.GET.copy()
    query.pop(name, None)
    return str(query.urlencode())


# ---- state rules ------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def state_rules(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """Edit the state rules of a class; try them on history before saving."""
    actor = actor_of(request)
    row = signals.state_rules(actor=actor, equipment_class_id=equipment_class_id)
    specs = [RuleSpec(UnitState(rule.state), rule.when, rule.cause) for rule in row.rules]
    silence_s = row.no_data_after_s
    errors: list[str] = []
    preview: list[dict[str, Any]] = []
    hours = 8
    if request.method == "POST":
        hours = next((h for h in PREVIEW_HOURS if str(h) == request.POST.get("hours")), 8)
        try:
            specs, silence_s = _posted_rules(request)
            _check_states_chosen(request)
            rule_services.check_rules(specs, no_data_after_s=silence_s)
            if request.POST.get("action") == "save":
                rule_services.set_state_rules(
                    actor=actor,
                    equipment_class_id=equipment_class_id,
                    rules=specs,
                    no_data_after_s=silence_s,
                    past_days=next((days for days in PAST_DAYS if str(days) == request.POST.get("past_days")), 0),
                    at=_now(),
                )
                messages.success(request, _("Saved. The states are judged by the new rules from now on."))
                return redirect("telemetry:state_rules", equipment_class_id=equipment_class_id)
            preview = _preview_of(actor, row, specs, hours)
        except DomainError as refusal:
            errors = _sentences(refusal)
    blanks: list[RuleSpec | None] = [None] * BLANK_RULES
    context = {
        "rule_set": row,
        "kind": equipment.equipment_class(actor=actor, equipment_class_id=equipment_class_id),
        "tab": "rules",
        "rules": [(number, spec) for number, spec in enumerate([*specs, *blanks], 1)],
        "silence_s": silence_s,
        "states": [(state.value, state.name.lower()) for state in UnitState],
        "errors": errors,
        "preview": preview,
        "hours": hours,
        "hour_choices": PREVIEW_HOURS,
        "past_choices": PAST_DAYS,
        "rederiving": history.health_of("historian").get("rederiving", {}),
        "may_edit": actor.may(EDIT, site_id=row.site_id),
    }
    return render(request, "telemetry/state_rules.html", context, status=422 if errors else 200)


def _check_states_chosen(request: HttpRequest) -> None:
    """Raise `InvalidInput` when a new rule has a condition and no state yet."""
    posted = zip(request.POST.getlist("state"), request.POST.getlist("when"), strict=False)
    for number, (state, when) in enumerate(posted, 1):
        if when.strip() and not state:
            raise InvalidInput(_("Choose a state for rule %(n)d.") % {"n": number})


def _posted_rules(request: HttpRequest) -> tuple[list[RuleSpec], float]:
    columns = [request.POST.getlist(name) for name in ("state", "when", "cause")]
    known = {str(state.value): state for state in UnitState}
    specs = [
        RuleSpec(known.get(state, UnitState.UNKNOWN), when.strip(), cause.strip())
        for state, when, cause in zip(*columns, strict=False)
        if when.strip()
    ]
    try:
        return specs, float(request.POST.get("no_data_after_s", "60"))
    except ValueError as error:
        raise InvalidInput(_("The time after which a unit is without data is a number of seconds.")) from error


def _preview_of(actor: Actor, row: signals.RuleSetRow, specs: Sequence[RuleSpec], hours: int) -> list[dict[str, Any]]:
    """What the saved rules and these would have said of each unit: shares of the time, and lanes for ``y-lanes``."""
    units = [
        unit
        for unit in equipment.work_units(actor=actor, site_id=row.site_id)
        if unit.class_id == row.equipment_class_id
    ][:PREVIEW_UNITS]
    if not units:
        return []
    end = _now()
    start_us, end_us = microseconds(end - timedelta(hours=hours)), microseconds(end)

    def said_by(rules: list[dict[str, Any]] | None) -> dict[int, list[Any]]:
        return history.states_preview(
            actor=actor,
            equipment_class_id=row.equipment_class_id,
            work_unit_ids=[unit.id for unit in units],
            start_us=start_us,
            end_us=end_us,
            rules=rules,
        )

    tried = [{"state": int(spec.state), "when": spec.when, "cause": spec.cause} for spec in specs]
    both = [(_("saved rules"), said_by(None)), (_("these rules"), said_by(tried))]
    zone = equipment.site(actor=actor, site_id=row.site_id).time_zone
    named = equipment.cause_names(actor=actor, site_id=row.site_id)
    is_english = (get_language() or "").startswith("en")
    causes = {
        cause: (name.en or name.zh) if is_english else (name.zh or name.en)
        for (kind, cause), name in named.items()
        if kind == row.equipment_class_id
    }
    return [
        {
            "unit": unit,
            "shares": [_shares(found.get(unit.id, []), start_us, end_us) for _name, found in both],
            "lanes_id": f"lanes-{unit.id}",
            "lanes": {
                "zone": zone,
                "start_us": start_us,
                "end_us": end_us,
                "shift_us": None,
                "lanes": [
                    {
                        "name": name,
                        "intervals": [
                            [one.state, causes.get(one.cause, one.cause), max(one.start_us, start_us), one.end_us]
                            for one in found.get(unit.id, [])
                        ],
                    }
                    for name, found in both
                ],
            },
        }
        for unit in units
    ]


def _shares(intervals: Sequence[Any], start_us: int, end_us: int) -> list[tuple[int, float, int]]:
    """Return (state, share of the time in percent, number of intervals), longest first."""
    lasting: dict[int, tuple[int, int]] = {}
    for interval in intervals:
        begin, end = max(interval.start_us, start_us), min(interval.end_us or end_us, end_us)
        total, number = lasting.get(interval.state, (0, 0))
        lasting[interval.state] = (total + max(0, end - begin), number + 1)
    span = max(1, end_us - start_us)
    shares = [(state, 100.0 * total / span, number) for state, (total, number) in lasting.items()]
    return sorted(shares, key=lambda share: -share[1])


# ---- dead letters -----------------------------------------------------------------------------------------------


@require_GET
def dead_letters(request: HttpRequest) -> HttpResponse:
    """List what could not be understood, with reasons and what to do."""
    actor = actor_of(request)
    state = request.GET.get("state", "open")
    reason = request.GET.get("reason", "")
    number = max(1, _number(request, "page") or 1)
    page = letters.dead_letter_groups(
        actor=actor,
        source_id=_number(request, "source"),
        reason=reason if reason in set(Refusal) else "",
        state=state if state in words.STATES else "",
        text=request.GET.get("q", "")[:200],
        offset=(number - 1) * GROUPS_A_PAGE,
        limit=GROUPS_A_PAGE,
    )
    context = {
        "page": page,
        "pages": Paginator(range(page.total), GROUPS_A_PAGE).get_page(number),
        "query": _query_without(request, "page"),
        "rows": [(row, words.REASONS[row.reason], words.STATES[row.state]) for row in page.groups],
        "losses": losses.losses(),
        "reasons": words.REASONS.items(),
        "states": words.STATES.items(),
        "reason": reason,
        "state": state,
        "text": request.GET.get("q", ""),
        "may_edit": actor.may(EDIT),
        "may_replay": actor.may(REPLAY),
    }
    return render(request, "telemetry/dead_letters.html", context)


@require_GET
def dead_letter_group(request: HttpRequest, group_id: int) -> HttpResponse:
    """Show one group with its samples as text and in hexadecimal."""
    actor = actor_of(request)
    group = letters.dead_letter_group(actor=actor, group_id=group_id)
    samples = letters.dead_letter_samples(actor=actor, group_id=group_id)
    context = {
        "group": group,
        "reason": words.REASONS[group.reason],
        "state": words.STATES[group.state],
        "samples": [(sample, words.as_text(sample.payload), words.as_hex(sample.payload)) for sample in samples],
        "is_unknown_tag": group.reason == Refusal.UNKNOWN_TAG,
        "may_edit": actor.may(EDIT, site_id=group.site_id),
        "may_replay": actor.may(REPLAY, site_id=group.site_id),
    }
    return render(request, "telemetry/dead_letter_group.html", context)


@require_POST
def act_on_dead_letters(request: HttpRequest) -> HttpResponse:
    """Make tags from groups, replay them, or set them aside; then back to where the person was."""
    actor = actor_of(request)
    ids = [int(text) for text in request.POST.getlist("group") if text.isascii() and text.isdigit()]
    action = request.POST.get("action", "")
    if not ids:
        messages.warning(request, _("Choose dead letters first."))
        return redirect("telemetry:dead_letters")
    if action in {"make_tags", "make_tags_and_replay"}:
        written = services.make_tags_from_dead_letters(actor=actor, group_ids=ids, at=_now())
        text = ngettext("%(count)d tag was made.", "%(count)d tags were made.", written.created)
        messages.success(request, text % {"count": written.created})
    if action in {"replay", "make_tags_and_replay"}:
        services.replay_dead_letters(actor=actor, group_ids=ids, at=_now())
        messages.success(request, _("The messages go through again now; look at the counts in a moment."))
    if action == "resolve":
        services.resolve_dead_letters(actor=actor, group_ids=ids, at=_now())
        messages.success(request, _("Set aside. They open again when a new one comes."))
    if len(ids) == 1:
        return redirect("telemetry:dead_letter_group", group_id=ids[0])
    return redirect("telemetry:dead_letters")
