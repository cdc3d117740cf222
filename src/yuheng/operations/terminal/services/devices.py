"""Verbs about registered terminals. An engineer registers one; a code shown once connects the tablet."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.operations.terminal.models import StationDevice, TerminalSession
from yuheng.operations.terminal.rules import PAIRING_LENGTH, DeviceUnknown
from yuheng.operations.terminal.selectors.devices import device_actor
from yuheng.people.identity import hash_of_token
from yuheng.people.rules import FREE_FAILURES_OF_ADDRESS, Permission, failure_key
from yuheng.people.services.signing_in import count_failure, refuse_while_blocked

EDIT = Permission.EQUIPMENT_EDIT
TOKEN_PREFIX = "yht_"
SEEN_RESOLUTION = timedelta(seconds=30)

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE_LENGTH = 10


@transaction.atomic
def register_device(
    *, actor: Actor, site_id: int, name: str, at: datetime, work_unit_id: int | None = None
) -> tuple[StationDevice, str]:
    """Register a terminal; return it with its pairing code, which is never shown again.

    Raises
    ------
    PermissionRefused, NotVisible
        Without ``equipment.edit`` at the site.
    InvalidInput
        No name, or one that another terminal of the site has.
    """
    actor.require(EDIT, site_id=site_id)
    _require_unit(actor, site_id, work_unit_id)
    if not name.strip():
        raise InvalidInput(_("Name the terminal."), {"name": _("Fill in the name.")})
    code = _pairing_code()
    try:
        with transaction.atomic():
            device = StationDevice.objects.create(
                site_id=site_id,
                name=name.strip()[:80],
                work_unit_id=work_unit_id,
                pairing_sha256=hash_of_token(_plain(code)),
                pairing_until=at + PAIRING_LENGTH,
                salt=secrets.token_hex(16),
                registered_at=at,
            )
    except IntegrityError as error:
        message = _("A terminal of this site already has this name.")
        raise InvalidInput(message, {"name": message}) from error
    _audit(actor, device, "terminal.register", at, name=device.name, work_unit=work_unit_id)
    return device, code


@transaction.atomic
def new_pairing_code(*, actor: Actor, device_id: int, at: datetime) -> tuple[StationDevice, str]:
    """Make a new code, for another tablet or one whose cookie is lost; the old tablet stays until the new one comes."""
    device = _locked(actor, device_id)
    code = _pairing_code()
    device.pairing_sha256, device.pairing_until, device.revoked_at = (
        hash_of_token(_plain(code)),
        at + PAIRING_LENGTH,
        None,
    )
    device.save(update_fields=["pairing_sha256", "pairing_until", "revoked_at"])
    _audit(actor, device, "terminal.pairing_code", at)
    return device, code


@transaction.atomic
def revoke_device(*, actor: Actor, device_id: int, at: datetime) -> None:
    """End a terminal: its tablet is turned away from now on, and everybody is signed out there."""
    device = _locked(actor, device_id)
    device.token_sha256 = device.pairing_sha256 = None
    device.revoked_at = at
    device.save(update_fields=["token_sha256", "pairing_sha256", "revoked_at"])
    TerminalSession.objects.filter(device=device, ended_at__isnull=True).update(ended_at=at)
    _audit(actor, device, "terminal.revoke", at)


@transaction.atomic
def set_station(*, actor: Actor, device_id: int, work_unit_id: int | None, at: datetime) -> None:
    """Say at which station a terminal stands; None lets the tablet ask again."""
    device = _locked(actor, device_id)
    _require_unit(actor, device.site_id, work_unit_id)
    device.work_unit_id = work_unit_id
    device.save(update_fields=["work_unit"])
    _audit(actor, device, "terminal.station", at, work_unit=work_unit_id)


# ---- the tablet itself --------------------------------------------------------------------------------------------


def pair_device(*, code: str, address: str, at: datetime) -> tuple[StationDevice, str]:
    """Connect a tablet with its code; return the token that its cookie carries. An older tablet's token ends.

    Raises
    ------
    DeviceUnknown
        No such code, or it is older than an hour. Failures are counted by address (`SignInRefused` while it waits).

    Notes
    -----
    Not one transaction: a failure must be counted although the attempt is refused.
    """
    keys = {failure_key("pairing", address): FREE_FAILURES_OF_ADDRESS}
    refuse_while_blocked(keys, at)
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        device = (
            StationDevice.objects.select_for_update()
            .filter(pairing_sha256=hash_of_token(_plain(code)), pairing_until__gt=at, revoked_at__isnull=True)
            .first()
        )
        if device is not None:
            device.token_sha256, device.pairing_sha256, device.pairing_until = hash_of_token(token), None, None
            device.paired_at = device.last_seen_at = at
            device.save()
            _audit(device_actor(device), device, "terminal.pair", at, address=address)
    if device is None:
        count_failure(keys, None, address, at)
        raise DeviceUnknown(_("This code is not known or too old. Ask the engineer for a new one."))
    return device, token


def device_of_token(*, token: str, at: datetime) -> StationDevice:
    """Return the terminal whose cookie this is, and note now and then that it was there. One query.

    Raises
    ------
    DeviceUnknown
    """
    found = (
        StationDevice.objects.select_related("site", "work_unit")
        .filter(token_sha256=hash_of_token(token), revoked_at__isnull=True)
        .first()
        if token
        else None
    )
    if found is None:
        raise DeviceUnknown(_("This tablet is not registered. Ask the engineer for a code."))
    if found.last_seen_at is None or at - found.last_seen_at > SEEN_RESOLUTION:
        StationDevice.objects.filter(pk=found.pk).update(last_seen_at=at)
    return found  # type: ignore[no-any-return]


@transaction.atomic
def choose_station(*, device_id: int, work_unit_id: int, at: datetime) -> None:
    """Let the tablet say once where it stands; afterwards only an engineer changes that.

    Raises
    ------
    Conflict
        It already stands somewhere.
    """
    device = StationDevice.objects.select_for_update().get(pk=device_id)
    actor = device_actor(device)
    if device.work_unit_id is not None:
        raise Conflict(_("This terminal already has its station. An engineer can change it."))
    _require_unit(actor, device.site_id, work_unit_id)
    device.work_unit_id = work_unit_id
    device.save(update_fields=["work_unit"])
    _audit(actor, device, "terminal.station", at, work_unit=work_unit_id)


def _locked(actor: Actor, device_id: int) -> StationDevice:
    """Lock and return a terminal that the actor may change."""
    device: StationDevice | None = (
        StationDevice.objects.visible_to(actor).select_for_update().filter(pk=device_id).first()
    )
    if device is None:
        raise NotVisible(_("There is no such terminal."))
    actor.require(EDIT, site_id=device.site_id)
    return device


def _require_unit(actor: Actor, site_id: int, work_unit_id: int | None) -> None:
    if work_unit_id is not None and equipment.work_unit(actor=actor, work_unit_id=work_unit_id).site_id != site_id:
        raise NotVisible(_("There is no such work unit at this site."))


def _pairing_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _n in range(_CODE_LENGTH))
    return f"{letters[:5]}-{letters[5:]}"


def _plain(code: str) -> str:
    """Return a code as it is compared: people type it without the dash and in small letters."""
    return "".join(one for one in code.upper() if one.isalnum())


def _audit(actor: Actor, device: StationDevice, action: str, at: datetime, **detail: object) -> None:
    audit.record(
        actor=actor,
        action=action,
        at=at,
        site_id=device.site_id,
        object_kind="terminal",
        object_id=device.pk,
        **detail,
    )
