"""Issuing, changing and revoking the credentials of devices."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import bcrypt
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.telemetry.events import DeviceChanged
from yuheng.telemetry.models import DataSource, Device
from yuheng.telemetry.rules import is_username, what_is_wrong_with_device_filter
from yuheng.telemetry.services.access import EDIT, locked
from yuheng.telemetry.services.sources import sentence_about_filter

BROKER_COST = 4
"""bcrypt rounds (log2): the passwords are random with 128 bits or more, so slowness would only burn the broker."""
SHORTEST_GIVEN_PASSWORD = 8
LONGEST_GIVEN_PASSWORD = 72
"""bcrypt reads no further."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A device with its password, which is shown this once and cannot be read again."""

    device: Device
    password: str

    def __repr__(self) -> str:  # a traceback or a log line must not show it
        return f"Issued(device={self.device.username!r})"


def new_password() -> str:
    """Return a random password of 144 bits, letters and digits that survive any shell unquoted."""
    return secrets.token_urlsafe(18).replace("-", "x").replace("_", "y")


@transaction.atomic
def issue_device(
    *,
    actor: Actor,
    site_id: int,
    username: str,
    publish_topics: Sequence[str],
    source_ids: Collection[int],
    at: datetime,
    subscribe_topics: Sequence[str] = (),
    password: str | None = None,
) -> Issued:
    """Create a device credential that may publish the given topics only; needs ``telemetry.edit`` at the site.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The name, a topic or the given password cannot be accepted.
    Conflict
        A device of that name exists.
    """
    actor.require(EDIT, site_id=site_id)
    check_device(username=username, publish_topics=publish_topics, subscribe_topics=subscribe_topics, password=password)
    sources = _sources(site_id, source_ids)
    secret = password or new_password()
    device = Device(
        site_id=site_id,
        username=username,
        publish_topics=list(publish_topics),
        subscribe_topics=list(subscribe_topics),
        issued_at=at,
    )
    _set_password(device, secret)
    try:
        with transaction.atomic():
            device.save()
    except IntegrityError as error:
        raise Conflict(_("A device called %(name)s exists already.") % {"name": username}) from error
    device.sources.set(sources)
    _tell(actor, device, "device.issue", at)
    return Issued(device=device, password=secret)


@transaction.atomic
def configure_device(
    *,
    actor: Actor,
    device_id: int,
    publish_topics: Sequence[str],
    subscribe_topics: Sequence[str],
    source_ids: Collection[int],
    at: datetime,
) -> Device:
    """Change what a device may publish and hear; its password stays. Raises as `issue_device` does."""
    device = locked(Device, actor=actor, pk=device_id)
    check_device(
        username=device.username, publish_topics=publish_topics, subscribe_topics=subscribe_topics, password=None
    )
    sources = _sources(device.site_id, source_ids)
    device.publish_topics = list(publish_topics)
    device.subscribe_topics = list(subscribe_topics)
    device.save(update_fields=["publish_topics", "subscribe_topics"])
    device.sources.set(sources)
    _tell(actor, device, "device.configure", at)
    return device


@transaction.atomic
def rotate_device_password(*, actor: Actor, device_id: int, at: datetime, password: str | None = None) -> Issued:
    """Give a device a new password; the old one stops working within a second. A revoked device works again."""
    device = locked(Device, actor=actor, pk=device_id)
    check_device(username=device.username, publish_topics=[], subscribe_topics=[], password=password)
    secret = password or new_password()
    _set_password(device, secret)
    device.is_active, device.revoked_at, device.issued_at = True, None, at
    device.save(update_fields=["broker_hash", "password_sha256", "is_active", "revoked_at", "issued_at"])
    _tell(actor, device, "device.rotate", at)
    return Issued(device=device, password=secret)


@transaction.atomic
def revoke_device(*, actor: Actor, device_id: int, at: datetime) -> Device:
    """Take a device's credential away; its data stays."""
    device = locked(Device, actor=actor, pk=device_id)
    if device.is_active:
        device.is_active, device.revoked_at = False, at
        device.save(update_fields=["is_active", "revoked_at"])
        _tell(actor, device, "device.revoke", at)
    return device


def check_device(
    *, username: str, publish_topics: Sequence[str], subscribe_topics: Sequence[str], password: str | None
) -> None:
    """Raise `InvalidInput` with a sentence for each field that cannot be accepted."""
    fields: dict[str, str] = {}
    if not is_username(username):
        fields["username"] = _("Use 2 to 60 letters, digits, dots, dashes or underscores; not beginning with yuheng.")
    for name, topics in (("publish_topics", publish_topics), ("subscribe_topics", subscribe_topics)):
        for topic in topics:
            wrong = what_is_wrong_with_device_filter(topic)
            if wrong:
                fields[name] = sentence_about_filter(topic, wrong)
    if password is not None:
        length = len(password.encode())
        if not SHORTEST_GIVEN_PASSWORD <= length <= LONGEST_GIVEN_PASSWORD:
            fields["password"] = _("A password has %(least)s to %(most)s bytes.") % {
                "least": SHORTEST_GIVEN_PASSWORD,
                "most": LONGEST_GIVEN_PASSWORD,
            }
    if fields:
        raise InvalidInput(_("The device cannot be accepted as it is."), fields)


def _sources(site_id: int, source_ids: Collection[int]) -> list[DataSource]:
    sources = list(DataSource.objects.filter(site_id=site_id, pk__in=source_ids))
    if len(sources) != len(set(source_ids)):
        raise NotVisible(_("There is no such data source at this site."))
    return sources


def _set_password(device: Device, secret: str) -> None:
    device.broker_hash = bcrypt.hashpw(secret.encode(), bcrypt.gensalt(BROKER_COST)).decode()
    device.password_sha256 = hashlib.sha256(secret.encode()).hexdigest()


def _tell(actor: Actor, device: Device, action: str, at: datetime) -> None:
    publish(DeviceChanged(device_id=device.pk, site_id=device.site_id), at=at)
    audit.record(
        actor=actor,
        action=action,
        at=at,
        site_id=device.site_id,
        object_kind="device",
        object_id=device.pk,
        username=device.username,
        publish_topics=device.publish_topics,
    )
