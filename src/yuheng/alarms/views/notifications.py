"""Who is told of alarms: channels, rules with escalation steps, and the log of messages."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.alarms import shown
from yuheng.alarms.labels import CATEGORY_LABELS, CHANNEL_LABELS, MESSAGE_LABELS
from yuheng.alarms.rules import ChannelKind, MessageState
from yuheng.alarms.selectors import notifications
from yuheng.alarms.selectors.notifications import NotificationRuleRow
from yuheng.alarms.services import notifications as services
from yuheng.alarms.views.asking import asked_site, now, page, site_choices
from yuheng.alarms.views.lists import areas_of
from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput, NotVisible

EDIT = "alarms.edit"
BLANK_STEPS = 2
MESSAGES = 200


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """Show channels, rules, and what became of the messages."""
    actor, site = asked_site(request, EDIT)
    return _overview(request, actor, site)


def _overview(
    request: HttpRequest, actor: Actor, site: SiteRow, refusal: DomainError | None = None, status: int = 200
) -> HttpResponse:
    state = request.GET.get("state", "")
    state = state if state in set(MessageState) else ""
    channels = notifications.channels(actor=actor, site_id=site.id)
    context = {
        "channels": [(row, str(CHANNEL_LABELS[row.kind])) for row in channels],
        "rules": notifications.rules(actor=actor, site_id=site.id),
        "messages_sent": [
            (row, str(MESSAGE_LABELS[row.state]))
            for row in notifications.messages(actor=actor, site_id=site.id, state=state, limit=MESSAGES)
        ],
        "state": state,
        "states": [(one.value, str(word)) for one, word in MESSAGE_LABELS.items()],
        "kinds": [(one.value, str(word)) for one, word in CHANNEL_LABELS.items()],
        "given": request.POST,
        "trouble": "" if refusal is None else str(refusal),
        "errors": {} if refusal is None else getattr(refusal, "fields", {}),
        "sites": site_choices(actor, EDIT),
    }
    return page(request, "alarms/notifications.html", context, site, status=status)


def _back(site: SiteRow) -> HttpResponse:
    return redirect(f"{reverse('alarms:notifications')}?site={site.code}")


@require_POST
def write_channel(request: HttpRequest) -> HttpResponse:
    """Create or change a channel."""
    actor, site = asked_site(request, EDIT)
    given = request.POST
    try:
        services.write_channel(
            actor=actor,
            site_id=site.id,
            code=given.get("code", "").strip(),
            kind=_kind(given.get("kind", "")),
            url=given.get("url", "").strip(),
            secret=given.get("secret", "") or None,
            is_enabled="is_enabled" in given,
            at=now(),
        )
    except InvalidInput as refusal:
        return _overview(request, actor, site, refusal, status=422)
    messages.success(request, _("Saved. Send a test to see that it arrives."))
    return _back(site)


def _kind(text: str) -> ChannelKind:
    try:
        return ChannelKind(text)
    except ValueError:
        raise InvalidInput(_("Choose mail or webhook."), {"kind": _("Choose mail or webhook.")}) from None


@require_POST
def act_on_channel(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Send a test through a channel, or remove it."""
    actor, site = asked_site(request, EDIT)
    try:
        if request.POST.get("action") == "remove":
            services.remove_channel(actor=actor, channel_id=channel_id, at=now())
            messages.success(request, _("The channel is removed."))
        else:
            recipient = request.POST.get("recipient", "").strip()
            services.send_test(actor=actor, channel_id=channel_id, recipient=recipient, at=now())
            messages.success(request, _("A test is on its way; the log below says what became of it."))
    except InvalidInput as refusal:
        return _overview(request, actor, site, refusal, status=422)
    return _back(site)


@require_POST
def retry(request: HttpRequest) -> HttpResponse:
    """Try messages again that were given up."""
    actor, site = asked_site(request, EDIT)
    ids = [int(word) for word in request.POST.getlist("message") if word.isascii() and word.isdigit()]
    if not ids:
        return _overview(request, actor, site, InvalidInput(_("Choose messages first.")), status=422)
    count = services.retry_dead(actor=actor, message_ids=ids, at=now())
    said = ngettext("%(n)d message is tried again.", "%(n)d messages are tried again.", count) % {"n": count}
    messages.success(request, said)
    return _back(site)


@require_http_methods(["GET", "POST"])
def new_rule(request: HttpRequest) -> HttpResponse:
    """Make a rule: which alarms are told to whom."""
    actor, site = asked_site(request, EDIT)
    return _ruled(request, actor, site, None)


@require_http_methods(["GET", "POST"])
def rule(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Change or remove a rule."""
    actor, site = asked_site(request, EDIT)
    found = None
    for code, _name in site_choices(actor, EDIT):
        here = equipment.site_by_code(actor=actor, code=code)
        row = next((one for one in notifications.rules(actor=actor, site_id=here.id) if one.id == rule_id), None)
        if row is not None:
            found, site = row, here
    if found is None:
        raise NotVisible(_("There is no such rule here."))
    if request.method == "POST" and request.POST.get("action") == "remove":
        services.remove_rule(actor=actor, rule_id=rule_id, at=now())
        messages.success(request, _("The rule is removed; what it sent stays in the log."))
        return _back(site)
    return _ruled(request, actor, site, found)


def _ruled(request: HttpRequest, actor: Actor, site: SiteRow, row: NotificationRuleRow | None) -> HttpResponse:
    given = _values(row)
    refusal: InvalidInput | None = None
    if request.method == "POST":
        given = _posted(request.POST)
        try:
            steps = _read_steps(given["steps"])
            code = row.code if row is not None else given["code"]
            services.write_rule(actor=actor, site_id=site.id, at=now(), **{**given, "code": code, "steps": steps})
        except InvalidInput as error:
            refusal = error
        else:
            messages.success(request, _("Saved. It holds from now on."))
            return _back(site)
    blank = {"after_min": "", "channel": "", "language": "zh", "recipients": ""}
    calendars = equipment.calendars_of_site(actor=actor, site_id=site.id)
    kinds = equipment.equipment_classes(actor=actor, site_id=site.id) if actor.may("equipment.view") else []
    context = {
        "row": row,
        "v": given,
        "steps": [*given["steps"], *[blank] * BLANK_STEPS],
        "channels": notifications.channels(actor=actor, site_id=site.id),
        "shifts": sorted({(s.code, shown.in_language(s.name_zh, s.name_en)) for c in calendars for s in c.shifts}),
        "areas": areas_of(actor, site),
        "classes": [(kind.id, shown.in_language(kind.name_zh, kind.name_en)) for kind in kinds],
        "categories": [(one.value, str(word)) for one, word in CATEGORY_LABELS.items()],
        "priority_choices": shown.priority_choices(),
        "trouble": "" if refusal is None else str(refusal),
        "errors": {} if refusal is None else refusal.fields,
    }
    return page(request, "alarms/rule.html", context, site, status=422 if refusal is not None else 200)


def _values(row: NotificationRuleRow | None) -> dict[str, Any]:
    if row is None:
        empty: dict[str, Any] = {"code": "", "name_zh": "", "name_en": "", "is_enabled": True, "priorities": [1, 2]}
        return {**empty, "area_ids": [], "equipment_class_ids": [], "categories": [], "steps": []}
    names = ("code", "name_zh", "name_en", "is_enabled", "priorities", "area_ids", "equipment_class_ids", "categories")
    steps = [{**step, "recipients": written_recipients(step.get("recipients", []))} for step in row.steps]
    return {**{name: getattr(row, name) for name in names}, "steps": steps}


def _posted(post: QueryDict) -> dict[str, Any]:
    columns = [post.getlist(name) for name in ("after_min", "channel", "language", "recipients")]
    steps = [
        dict(zip(("after_min", "channel", "language", "recipients"), line, strict=True))
        for line in zip(*columns, strict=False)
        if line[1]
    ]
    return {
        "code": post.get("code", "").strip(),
        "name_zh": post.get("name_zh", ""),
        "name_en": post.get("name_en", ""),
        "is_enabled": "is_enabled" in post,
        "priorities": _wholes(post, "priorities"),
        "area_ids": _wholes(post, "area_ids"),
        "equipment_class_ids": _wholes(post, "equipment_class_ids"),
        "categories": post.getlist("categories"),
        "steps": steps,
    }


def _wholes(post: QueryDict, name: str) -> list[int]:
    return [int(word) for word in post.getlist(name) if word.isascii() and word.isdigit() and len(word) < 19]


def _read_steps(typed: list[dict[str, str]]) -> list[dict[str, Any]]:
    steps = []
    for number, step in enumerate(typed):
        try:
            after = float(step["after_min"] or 0)
        except ValueError:
            sentence = _("Minutes are a number.")
            raise InvalidInput(sentence, {f"steps.{number}.after_min": sentence}) from None
        steps.append({**step, "after_min": after, "recipients": read_recipients(step["recipients"])})
    return steps


def read_recipients(text: str) -> list[dict[str, Any]]:
    r"""Read lines of addresses; one that begins with a shift's code and a colon is told in that shift only.

    Examples
    --------
    >>> read_recipients("day: a@b.cn, c@d.cn\nboss@b.cn")
    [{'shift': 'day', 'to': ['a@b.cn', 'c@d.cn']}, {'shift': '', 'to': ['boss@b.cn']}]
    """
    found = []
    for line in text.splitlines():
        shift, colon, rest = line.replace("\uff1a", ":").partition(":")
        addresses = rest if colon else shift
        to = [word.strip() for word in addresses.replace("\uff0c", ",").replace(";", ",").split(",") if word.strip()]
        if to:
            found.append({"shift": shift.strip() if colon else "", "to": to})
    return found


def written_recipients(recipients: list[dict[str, Any]]) -> str:
    """Write what `read_recipients` reads."""
    lines = []
    for one in recipients:
        addresses = ", ".join(one.get("to", []))
        lines.append(f"{one['shift']}: {addresses}" if one.get("shift") else addresses)
    return "\n".join(lines)
