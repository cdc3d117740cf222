"""JSON edge: devices and their credentials."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status

from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import now
from yuheng.telemetry.selectors import signals
from yuheng.telemetry.services import devices

router = Router(tags=["telemetry"])


class DeviceOut(Schema):
    """A device's credential, without any secret."""

    id: int
    site_id: int
    site_code: str
    username: str
    publish_topics: list[str]
    subscribe_topics: list[str]
    sources: list[str]
    source_ids: list[int]
    is_active: bool
    issued_at: datetime
    revoked_at: datetime | None


class DeviceTopicsIn(Schema):
    """What a device may do."""

    publish_topics: list[str] = []
    subscribe_topics: list[str] = []
    source_ids: list[int] = []


class DeviceIn(DeviceTopicsIn):
    """A new device."""

    site_id: int
    username: str


class IssuedOut(Schema):
    """A device with its password: this is the only time it is shown."""

    device: DeviceOut
    password: str


@router.get("/devices", response=list[DeviceOut])
def list_devices(
    request: HttpRequest, site_id: int | None = None, source_id: int | None = None
) -> list[signals.DeviceRow]:
    """List the devices' credentials you may see."""
    return signals.devices(actor=actor_of(request), site_id=site_id, source_id=source_id)


@router.post("/devices", response={201: IssuedOut})
def issue_device(request: HttpRequest, body: DeviceIn) -> Status[Any]:
    """Create a device's credential for MQTT and HTTP. The password is in the answer, once."""
    return Status(201, _issued(request, devices.issue_device(actor=actor_of(request), at=now(), **body.model_dump())))


@router.get("/devices/{int:device_id}", response=DeviceOut)
def get_device(request: HttpRequest, device_id: int) -> signals.DeviceRow:
    """Show one device's credential."""
    return signals.device(actor=actor_of(request), device_id=device_id)


@router.put("/devices/{int:device_id}", response=DeviceOut)
def configure_device(request: HttpRequest, device_id: int, body: DeviceTopicsIn) -> signals.DeviceRow:
    """Change what a device may publish and hear."""
    actor = actor_of(request)
    devices.configure_device(actor=actor, device_id=device_id, at=now(), **body.model_dump())
    return signals.device(actor=actor, device_id=device_id)


@router.post("/devices/{int:device_id}/password", response=IssuedOut)
def rotate_device_password(request: HttpRequest, device_id: int) -> dict[str, Any]:
    """Give a device a new password. It is in the answer, once; the old one stops working."""
    issued = devices.rotate_device_password(actor=actor_of(request), device_id=device_id, at=now())
    return _issued(request, issued)


@router.post("/devices/{int:device_id}/revoke", response=DeviceOut)
def revoke_device(request: HttpRequest, device_id: int) -> signals.DeviceRow:
    """Take a device's credential away."""
    actor = actor_of(request)
    devices.revoke_device(actor=actor, device_id=device_id, at=now())
    return signals.device(actor=actor, device_id=device_id)


def _issued(request: HttpRequest, issued: devices.Issued) -> dict[str, Any]:
    row = signals.device(actor=actor_of(request), device_id=issued.device.pk)
    return {"device": row, "password": issued.password}
