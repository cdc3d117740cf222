"""The alarm list, one alarm, and what people do to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from yuheng.alarms import shown
from yuheng.alarms.labels import PRIORITY_LABELS
from yuheng.alarms.rules import moment
from yuheng.alarms.selectors import alarms, definitions, journal, raised, replay
from yuheng.alarms.selectors.alarms import AlarmFilter, AlarmRow, Shown
from yuheng.alarms.services import operate
from yuheng.alarms.services.checks import symbols_in
from yuheng.alarms.services.operate import Done
from yuheng.alarms.views.asking import (
    asked_site,
    now,
    number,
    numbers,
    page,
    priorities,
    query_of,
    site_choices,
)
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput
from yuheng.kernel.moments import moment_of, replay_context
from yuheng.people.identity import actor_of
from yuheng.telemetry.selectors import signals

OPERATE, SHELVE, EDIT = "alarms.operate", "alarms.shelve", "alarms.edit"
ROWS = 300
"""Lines on a page, most urgent first; more are counted. Nobody reads more, and each costs layout."""
ALL_ROWS = 2_000
MAX_TEXT = 100
MAX_US = 4_102_444_800_000_000
"""The year 2100, in microseconds: later moments are no moments of a plant."""
TREND_MARGIN = timedelta(minutes=10)


# ---- the list -----------------------------------------------------------------------------------------------------


@require_GET
def alarm_list(request: HttpRequest) -> HttpResponse:
    """Show the alarms of a site; live, or with ``at`` as they were shown then."""
    actor, site = asked_site(request)
    narrowed = _narrowed(request)
    past = moment_of(request, site.time_zone)
    at = past.at if past else None
    limit = ALL_ROWS if request.GET.get("rows") == "all" else ROWS
    rows = _rows(actor, site, narrowed, at)
    areas = areas_of(actor, site)
    counts = alarms.alarm_counts(actor=actor, site_id=site.id)
    context = {
        "lines": shown.lines_of(rows[:limit]),
        "more": max(0, len(rows) - limit),
        "limit": limit,
        "counts": counts,
        "narrowed": narrowed,
        "shown_choices": list(shown.SHOWN_LABELS.items()),
        "priority_choices": shown.priority_choices(),
        "areas": areas,
        "query": query_of(request, site, ["at", "rows"]),
        "at": at,
        **replay_context(site, past),
        "sites": site_choices(actor),
        "shelving_choices": shown.SHELVING_CHOICES,
        "may_operate": at is None and actor.may(OPERATE, site_id=site.id),
        "may_shelve": at is None and actor.may(SHELVE, site_id=site.id),
        "island": None if at is not None else _island(actor, site, narrowed, limit),
    }
    return page(request, "alarms/list.html", context, site)


@never_cache
@require_GET
def rows_part(request: HttpRequest) -> HttpResponse:
    """The lines of the list alone, for what the live stream does not carry: hidden alarms."""
    actor, site = asked_site(request)
    rows = _rows(actor, site, _narrowed(request), None)
    return page(request, "alarms/_rows.html", {"lines": shown.lines_of(rows[:ROWS])}, site)


@require_GET
def marks(request: HttpRequest) -> JsonResponse:
    """Alarms of the units of a site as they were shown at a moment, for the marks on the replayed map."""
    actor = actor_of(request)
    site_id, at_us = number(request.GET, "site_id"), number(request.GET, "at_us")
    if site_id is None or at_us is None or at_us > MAX_US:
        raise InvalidInput(_("Name a site and a moment."))
    found: dict[int, tuple[int, int]] = {}
    for row in replay.active_at(actor=actor, site_id=site_id, at=moment(at_us)):
        if row.root_id is None and (row.is_active or (row.priority <= Priority.HIGH and not row.is_acked)):
            worst, count = found.get(row.work_unit_id, (int(row.priority), 0))
            found[row.work_unit_id] = (min(worst, int(row.priority)), count + 1)
    return JsonResponse({"marks": [[unit, *mark] for unit, mark in found.items()]})


@never_cache
@require_GET
def children(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """The alarms grouped under one."""
    actor = actor_of(request)
    head = alarms.alarm(actor=actor, alarm_id=alarm_id)
    rows = alarms.children_of(actor=actor, alarm_id=alarm_id, limit=ROWS)
    site = equipment.site(actor=actor, site_id=head.site_id)
    return page(request, "alarms/_rows.html", {"lines": shown.lines_of(rows), "is_child": True}, site)


@never_cache
@require_GET
def guidance(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """What to do about an alarm: the panel beside the list."""
    actor = actor_of(request)
    row = alarms.alarm(actor=actor, alarm_id=alarm_id)
    site = equipment.site(actor=actor, site_id=row.site_id)
    of = definitions.definition(actor=actor, definition_id=row.definition_id)
    lines = journal.journal_of_alarm(actor=actor, alarm_id=alarm_id, limit=5)
    return page(request, "alarms/_guidance.html", {"line": shown.line_of(row), "of": of, "journal": lines}, site)


def _narrowed(request: HttpRequest) -> AlarmFilter:
    wanted = request.GET.get("shown", "")
    return AlarmFilter(
        shown=Shown(wanted) if wanted in set(Shown) else Shown.OPEN,
        priorities=priorities(request),
        area_ids=numbers(request, "area"),
        work_unit_ids=numbers(request, "unit"),
        definition_ids=numbers(request, "definition"),
        text=request.GET.get("q", "")[:MAX_TEXT].strip(),
    )


def _rows(actor: Actor, site: SiteRow, narrowed: AlarmFilter, at: datetime | None) -> list[AlarmRow]:
    if at is None:
        return alarms.alarm_list(actor=actor, site_id=site.id, narrowed=narrowed)
    past = replay.active_at(actor=actor, site_id=site.id, at=at, with_hidden=narrowed.shown in _WITH_HIDDEN)
    return [row for row in past if _fits(row, narrowed)]


_WITH_HIDDEN = (Shown.HIDDEN, Shown.ALL)


def _fits(row: AlarmRow, narrowed: AlarmFilter) -> bool:
    """Whether a line of the past is in the narrowed list. Twin of the selector's query, which asks the present."""
    is_of = {
        Shown.OPEN: not row.is_hidden,
        Shown.UNACKED: not row.is_hidden and not row.is_acked,
        Shown.ACTIVE: not row.is_hidden and row.is_active,
        Shown.ACKED: not row.is_hidden and row.is_active and row.is_acked,
        Shown.CLEARED: not row.is_hidden and not row.is_active,
        Shown.HIDDEN: row.is_hidden,
        Shown.ALL: True,
    }[narrowed.shown]
    is_head = row.root_id is None or narrowed.shown in _WITH_HIDDEN
    said = f"{row.code} {row.name_zh} {row.name_en} {row.message_zh} {row.message_en} {row.unit_code}"
    said += f" {row.unit_name_zh} {row.unit_name_en}"
    return (
        is_of
        and is_head
        and (not narrowed.priorities or int(row.priority) in narrowed.priorities)
        and (not narrowed.area_ids or row.area_id in narrowed.area_ids)
        and (not narrowed.work_unit_ids or row.work_unit_id in narrowed.work_unit_ids)
        and (not narrowed.definition_ids or row.definition_id in narrowed.definition_ids)
        and narrowed.text.lower() in said.lower()
    )


def areas_of(actor: Actor, site: SiteRow) -> list[tuple[int, str]]:
    """Return id and name of the areas of a site, in the order of the plant."""
    tree = equipment.equipment_tree(actor=actor, site_id=site.id) if actor.may("equipment.view") else None
    if tree is not None:
        return [(area.id, shown.in_language(area.name_zh, area.name_en)) for area in tree.areas]
    found = {
        unit.area_id: shown.in_language(unit.area_name_zh, unit.area_name_en)
        for unit in equipment.work_units(actor=actor, site_id=site.id)
    }
    return list(found.items())


def _island(actor: Actor, site: SiteRow, narrowed: AlarmFilter, limit: int) -> dict[str, Any]:
    """What the island needs to draw a line as the server does, by number: units, definitions, words."""
    units = equipment.work_units(actor=actor, site_id=site.id, with_retired=True)
    known = definitions.definitions_of_site(actor=actor, site_id=site.id)
    return {
        "site": site.id,
        "zone": site.time_zone,
        "limit": limit,
        "shown": narrowed.shown.value,
        "priorities": list(narrowed.priorities),
        "areas": list(narrowed.area_ids),
        "work_units": list(narrowed.work_unit_ids),
        "definitions": list(narrowed.definition_ids),
        "text": narrowed.text.lower(),
        "units": {
            row.id: [row.code, row.name_zh, row.name_en, row.area_id, row.area_name_zh, row.area_name_en]
            for row in units
        },
        "names": {row.id: [row.code, row.name_zh, row.name_en] for row in known},
        "priority_words": {int(one): str(word) for one, word in PRIORITY_LABELS.items()},
        "state_words": {key: str(word) for key, word in shown.STATE_LABELS.items()},
        "words": _words(),
    }


def _words() -> dict[str, str]:
    """Return the island's sentences in the reader's language."""
    return {
        "grouped": _("%(n)s grouped"),
        "times": _("%(n)s×"),
        "chattering": _("chattering %(n)s×"),
        "uncertain": _("in doubt"),
        "acked_by": _("by %(who)s"),
        "new": _("%(n)s new: show"),
        "chosen": _("%(n)s chosen"),
        "none_chosen": _("Choose alarms first: with the mouse, or with J, K and X."),
        "confirm_all": _("Acknowledge all %(n)s shown alarms?"),
        "done": _("%(n)s done."),
        "refused": _("%(n)s could not be changed:"),
        "lost": _("No connection to the server: this list is old."),
        "signed_out": _("You are signed out: this list is old. Sign in again."),
        "trouble": _("No new alarms are heard: the worker does not answer."),
        "failed": _("This did not work. Is the server reachable?"),
        "empty": _("No alarm here needs anybody."),
        "more": _("%(n)s more are not drawn: narrow the list."),
        "needs_reason": _("Say why."),
    }


# ---- one alarm ----------------------------------------------------------------------------------------------------


@require_GET
def detail(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """One alarm: what it says, what to do, when it was raised, who did what, its curve around the activation."""
    actor = actor_of(request)
    row = alarms.alarm(actor=actor, alarm_id=alarm_id)
    site = equipment.site(actor=actor, site_id=row.site_id)
    of = definitions.definition(actor=actor, definition_id=row.definition_id)
    overrides = [
        one
        for one in definitions.overrides_of(actor=actor, definition_id=of.id)
        if one.work_unit_id == row.work_unit_id
    ]
    context = {
        "line": shown.line_of(row),
        "of": of,
        "override": overrides[0] if overrides else None,
        "journal": journal.journal_of_alarm(actor=actor, alarm_id=alarm_id, limit=100),
        "episodes": raised.episodes_of(actor=actor, alarm_id=alarm_id, limit=50),
        "children": shown.lines_of(alarms.children_of(actor=actor, alarm_id=alarm_id, limit=ROWS)),
        "root": shown.line_of(alarms.alarm(actor=actor, alarm_id=row.root_id)) if row.root_id else None,
        "trend": _trend_address(actor, row, of),
        "shelving_choices": shown.SHELVING_CHOICES,
        "may_operate": actor.may(OPERATE, site_id=site.id),
        "may_shelve": actor.may(SHELVE, site_id=site.id),
        "may_edit": actor.may(EDIT, site_id=site.id),
    }
    return page(request, "alarms/detail.html", context, site)


def _trend_address(actor: Actor, row: AlarmRow, of: definitions.DefinitionRow) -> str:
    """Return where the curves of the condition's tags are, around the activation; empty without tags."""
    if not actor.may("telemetry.view", site_id=row.site_id):
        return ""
    named = {of.value_symbol} if of.value_symbol else set(symbols_in(of.when, of.parameters))
    tags = signals.tags_of_work_unit(actor=actor, work_unit_id=row.work_unit_id)
    wanted = [tag.id for tag in tags if tag.symbol in named and tag.data_type != "text"]
    if not wanted:
        return ""
    query = {"tags": ".".join(str(tag_id) for tag_id in wanted[:6]), "bands": "states.alarms.shifts"}
    if row.activated_at is not None:
        start, end = row.activated_at - TREND_MARGIN, row.activated_at + TREND_MARGIN
        query |= {"from": f"{start.timestamp():.0f}", "to": f"{end.timestamp():.0f}"}
    return f"{reverse('analysis:trends')}?{urlencode(query)}"


# ---- acting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of an action, for a page and for the island."""

    done: int
    refused: list[dict[str, Any]]
    sentence: str = ""


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Do something to chosen alarms. Answers the island with JSON, a plain form with the page it came from."""
    wants_json = "application/json" in request.headers.get("Accept", "")
    try:
        answer = _acted(request)
        status = 200
    except DomainError as error:
        if not wants_json and not isinstance(error, Conflict | InvalidInput):
            raise
        answer, status = _Answer(0, [], str(error)), 409 if isinstance(error, Conflict) else 422
    if wants_json:
        body = {"done": answer.done, "refused": answer.refused, "sentence": answer.sentence}
        return JsonResponse(body, status=status)
    _tell(request, answer)
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = reverse("alarms:list")
    return HttpResponseRedirect(back)


def _tell(request: HttpRequest, answer: _Answer) -> None:
    if answer.sentence:
        messages.warning(request, answer.sentence)
    if answer.done:
        said = ngettext("%(n)d alarm changed.", "%(n)d alarms changed.", answer.done) % {"n": answer.done}
        messages.success(request, said)
    for one in answer.refused[:20]:
        messages.warning(request, f"{one['name']}: {one['sentence']}")


def _acted(request: HttpRequest) -> _Answer:
    actor = actor_of(request)
    ids = [int(word) for word in request.POST.getlist("alarm") if word.isascii() and word.isdigit() and len(word) < 19]
    done = _carried_out(request, actor, ids)
    refused = []
    for alarm_id, sentence in done.refused.items():
        refused.append({"id": alarm_id, "name": _name(actor, alarm_id), "sentence": sentence})
    return _Answer(done.done, refused)


def _name(actor: Actor, alarm_id: int) -> str:
    try:
        line = shown.line_of(alarms.alarm(actor=actor, alarm_id=alarm_id))
    except DomainError:
        return str(alarm_id)
    return f"{line.row.unit_code} {line.name}"


def _carried_out(request: HttpRequest, actor: Actor, ids: list[int]) -> Done:
    at, said = now(), request.POST.get("comment", "").strip()
    action = request.POST.get("action", "")
    with_comment = {
        "acknowledge": operate.acknowledge,
        "confirm": operate.confirm,
        "reset": operate.reset,
        "unshelve": operate.unshelve,
        "unsuppress": operate.unsuppress,
        "place_in_service": operate.place_in_service,
        "enable": operate.enable,
    }
    with_reason = {
        "suppress": operate.suppress,
        "remove_from_service": operate.remove_from_service,
        "disable": operate.disable,
    }
    if action in with_comment:
        return with_comment[action](actor=actor, alarm_ids=ids, at=at, comment=said)
    if action in with_reason:
        return with_reason[action](actor=actor, alarm_ids=ids, at=at, reason=said)
    if action == "comment":
        return operate.add_comment(actor=actor, alarm_ids=ids, at=at, comment=said)
    if action == "shelve":
        return _shelved(request, actor, ids, said, at)
    raise InvalidInput(_("There is no such action."), {"action": action[:40]})


def _shelved(request: HttpRequest, actor: Actor, ids: list[int], reason: str, at: datetime) -> Done:
    duration = request.POST.get("duration", "")
    if duration == "once":
        return operate.shelve(actor=actor, alarm_ids=ids, reason=reason, at=at, one_shot=True)
    seconds = shown.shelving_seconds(duration)
    if seconds is None:
        raise InvalidInput(_("Choose for how long."), {"duration": _("Choose for how long.")})
    return operate.shelve(actor=actor, alarm_ids=ids, reason=reason, at=at, until=at + timedelta(seconds=seconds))


@require_GET
def of_unit_part(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """The alarms of a work unit, for its station page."""
    actor = actor_of(request)
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require("alarms.view", site_id=unit.site_id)
    site = equipment.site(actor=actor, site_id=unit.site_id)
    rows = alarms.alarms_of_unit(actor=actor, work_unit_id=work_unit_id)
    return page(request, "alarms/_of_unit.html", {"lines": shown.lines_of(rows), "unit": unit}, site)
