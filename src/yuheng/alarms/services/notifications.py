"""Who is told of alarms: channels, rules, and messages that are planned, written down, delivered, tried again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.alarms.events import NotificationsChanged
from yuheng.alarms.models import NotificationChannel, NotificationMessage, NotificationRule
from yuheng.alarms.rules import ChannelKind, MessageState
from yuheng.alarms.services.access import EDIT, locked
from yuheng.engines.alarms.vocabulary import Category, Priority
from yuheng.equipment.rules import is_code
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.kernel.events import publish

MAX_STEPS = 10
MAX_RECIPIENTS = 100
LONGEST_WAIT_MIN = 7 * 24 * 60.0
ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+|[^@\s,;<>\"]+@localhost")


@transaction.atomic
def write_channel(
    *,
    actor: Actor,
    site_id: int,
    code: str,
    kind: ChannelKind,
    at: datetime,
    url: str = "",
    secret: str | None = None,
    is_enabled: bool = True,
) -> NotificationChannel:
    """Create or change a way out; needs ``alarms.edit``. ``secret`` None keeps the one there is, or makes one.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    actor.require(EDIT, site_id=site_id)
    wrong: dict[str, str] = {}
    if not is_code(code):
        wrong["code"] = _("A code has letters, digits and . _ - only, at most 40.")
    if kind is ChannelKind.WEBHOOK and not is_web_address(url):
        wrong["url"] = _("A webhook needs an address that begins with http:// or https://.")
    if secret is not None and not 8 <= len(secret) <= 200:
        wrong["secret"] = _("A secret has between 8 and 200 characters.")
    if wrong:
        raise InvalidInput(_("The channel cannot be accepted as it is."), wrong)
    known = NotificationChannel.objects.select_for_update().filter(site_id=site_id, code=code).first()
    row = known or NotificationChannel(site_id=site_id, code=code)
    row.kind, row.url, row.is_enabled = kind.value, url if kind is ChannelKind.WEBHOOK else "", is_enabled
    if kind is ChannelKind.WEBHOOK:
        row.secret = secret or row.secret or secrets.token_urlsafe(32)
    row.save()
    _tell(actor, site_id, "notification.write_channel", at, row.pk, code=code, kind=kind.value, is_enabled=is_enabled)
    return row


@transaction.atomic
def remove_channel(*, actor: Actor, channel_id: int, at: datetime) -> None:
    """Remove a way out with its messages. Raises `PermissionRefused`, `NotVisible`."""
    row = locked(NotificationChannel, actor=actor, pk=channel_id)
    _tell(actor, row.site_id, "notification.remove_channel", at, row.pk, code=row.code)
    row.delete()


@transaction.atomic
def write_rule(
    *,
    actor: Actor,
    site_id: int,
    code: str,
    name_zh: str,
    name_en: str,
    steps: Sequence[Mapping[str, Any]],
    at: datetime,
    priorities: Sequence[int] = (),
    area_ids: Sequence[int] = (),
    equipment_class_ids: Sequence[int] = (),
    categories: Sequence[str] = (),
    is_enabled: bool = True,
) -> NotificationRule:
    """Create or change a rule; needs ``alarms.edit``. See `models.NotificationRule` for the steps.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    actor.require(EDIT, site_id=site_id)
    kinds = dict(NotificationChannel.objects.filter(site_id=site_id).values_list("code", "kind"))
    wrong: dict[str, str] = {}
    if not is_code(code):
        wrong["code"] = _("A code has letters, digits and . _ - only, at most 40.")
    for name, text in (("name_zh", name_zh), ("name_en", name_en)):
        if not 0 < len(text.strip()) <= 120:
            wrong[name] = _("A name is needed in both languages, at most 120 characters.")
    if not set(priorities) <= {priority.value for priority in Priority}:
        wrong["priorities"] = _("A priority is critical, high, medium or low.")
    if not set(categories) <= {category.value for category in Category}:
        wrong["categories"] = _("There is no such category of alarms.")
    clean = _steps(steps, kinds, wrong)
    if wrong:
        raise InvalidInput(_("The rule cannot be accepted as it is."), wrong)
    row, _made = NotificationRule.objects.update_or_create(
        site_id=site_id,
        code=code,
        defaults={
            "name_zh": name_zh.strip(),
            "name_en": name_en.strip(),
            "priorities": sorted(set(priorities)),
            "area_ids": sorted(set(area_ids)),
            "equipment_class_ids": sorted(set(equipment_class_ids)),
            "categories": sorted(set(categories)),
            "steps": clean,
            "is_enabled": is_enabled,
            "changed_at": at,
        },
    )
    _tell(actor, site_id, "notification.write_rule", at, row.pk, code=code, steps=len(clean), is_enabled=is_enabled)
    return row


@transaction.atomic
def remove_rule(*, actor: Actor, rule_id: int, at: datetime) -> None:
    """Remove a rule; what it sent stays in the log. Raises `PermissionRefused`, `NotVisible`."""
    row = locked(NotificationRule, actor=actor, pk=rule_id)
    _tell(actor, row.site_id, "notification.remove_rule", at, row.pk, code=row.code)
    row.delete()


@transaction.atomic
def send_test(*, actor: Actor, channel_id: int, at: datetime, recipient: str = "") -> NotificationMessage:
    """Queue a test message; what became of it is in the log within seconds.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    channel = locked(NotificationChannel, actor=actor, pk=channel_id)
    if channel.kind == ChannelKind.MAIL.value and not ADDRESS.fullmatch(recipient):
        raise InvalidInput(_("Give a mail address."), {"recipient": _("Give a mail address.")})
    row = NotificationMessage.objects.create(
        site_id=channel.site_id,
        channel=channel,
        recipient=recipient or channel.url[:320],
        subject=_("Test message of Yuheng"),
        body=_("This is a test. Whoever reads it will be told of alarms."),
        next_at=at,
        made_at=at,
        is_test=True,
    )
    _tell(actor, channel.site_id, "notification.test", at, channel.pk, code=channel.code)
    return row


@transaction.atomic
def retry_dead(*, actor: Actor, message_ids: Sequence[int], at: datetime) -> int:
    """Try messages again that were given up; return how many. Raises `PermissionRefused`, `NotVisible`."""
    actor.require(EDIT)
    rows = NotificationMessage.objects.visible_to(actor).filter(pk__in=message_ids, state=MessageState.DEAD.value)
    sites = set(rows.values_list("site_id", flat=True))
    if not sites:
        raise NotVisible(_("There is no such thing here."))
    for site_id in sorted(sites):
        actor.require(EDIT, site_id=site_id)
    count = rows.update(state=MessageState.WAITING.value, attempts=0, next_at=at)
    for site_id in sorted(sites):
        _tell(actor, site_id, "notification.retry", at, "", count=count)
    return int(count)


def is_web_address(url: str) -> bool:
    """Return whether a webhook can be sent there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 500 and url.isascii()


def _steps(steps: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], wrong: dict[str, str]) -> list[dict[str, Any]]:
    clean: list[dict[str, Any]] = []
    if not 0 < len(steps) <= MAX_STEPS:
        wrong["steps"] = _("A rule has between 1 and %(count)s steps.") % {"count": MAX_STEPS}
    for number, step in enumerate(steps):
        channel = str(step.get("channel", ""))
        after = step.get("after_min", 0)
        if channel not in kinds:
            wrong[f"steps.{number}.channel"] = _("There is no channel %(code)s.") % {"code": channel[:40]}
        if isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after <= LONGEST_WAIT_MIN:
            wrong[f"steps.{number}.after_min"] = _("A step comes at most 7 days after the alarm.")
        recipients = _recipients(step.get("recipients", []))
        total = sum(len(one["to"]) for one in recipients)
        if kinds.get(channel) == ChannelKind.MAIL.value and not 0 < total <= MAX_RECIPIENTS:
            wrong[f"steps.{number}.recipients"] = _("Give between 1 and %(count)s mail addresses.") % {
                "count": MAX_RECIPIENTS
            }
        language = "en" if step.get("language") == "en" else "zh"
        clean.append({"after_min": after, "channel": channel, "language": language, "recipients": recipients})
    return clean


def _recipients(given: Any) -> list[dict[str, Any]]:
    """Read ``[{"shift": code or "", "to": [addresses]}]``; what is no address is left out."""
    found = []
    for one in given if isinstance(given, list | tuple) else []:
        if isinstance(one, Mapping):
            to = [str(address).strip() for address in one.get("to", []) if ADDRESS.fullmatch(str(address).strip())]
            found.append({"shift": str(one.get("shift", ""))[:40], "to": to})
    return found


def _tell(actor: Actor, site_id: int, action: str, at: datetime, pk: int | str, **detail: Any) -> None:
    publish(NotificationsChanged(site_id=site_id), at=at)
    audit.record(actor=actor, action=action, at=at, site_id=site_id, object_kind="notification", object_id=pk, **detail)
