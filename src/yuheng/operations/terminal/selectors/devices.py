"""Questions about registered tablets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from yuheng.kernel.actor import Actor
from yuheng.operations.terminal.models import StationDevice
from yuheng.operations.terminal.rules import OPEN
from yuheng.people.rules import Permission

VIEW = Permission.OPERATIONS_VIEW
READS = frozenset(
    permission.value
    for permission in (Permission.OPERATIONS_VIEW, Permission.ENGINEERING_VIEW, Permission.EQUIPMENT_VIEW)
)


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A registered tablet; ``open_count``: reports that wait for a decision."""

    id: int
    name: str
    work_unit_id: int | None
    unit_code: str
    unit_zh: str
    unit_en: str
    paired_at: datetime | None
    last_seen_at: datetime | None
    pairing_until: datetime | None
    revoked_at: datetime | None
    open_count: int


def device_actor(device: StationDevice) -> Actor:
    """Return who the terminal itself is: it may look at its site, and do nothing."""
    return Actor(kind="device", name=f"terminal:{device.name}", permissions={device.site_id: READS})


def devices_of(*, actor: Actor, site_id: int) -> list[DeviceRow]:
    """Return the terminals of a site by name, revoked ones last. One query.

    Raises
    ------
    PermissionRefused, NotVisible
        Without ``operations.view`` at the site.
    """
    actor.require(VIEW, site_id=site_id)
    rows = (
        StationDevice.objects.filter(site_id=site_id)
        .select_related("work_unit")
        .annotate(open_count=Count("actions", filter=Q(actions__outcome__in=sorted(OPEN))))
        .order_by("revoked_at", "name")
    )
    return [
        DeviceRow(
            id=row.pk,
            name=row.name,
            work_unit_id=row.work_unit_id,
            unit_code=row.work_unit.code if row.work_unit else "",
            unit_zh=row.work_unit.name_zh if row.work_unit else "",
            unit_en=row.work_unit.name_en if row.work_unit else "",
            paired_at=row.paired_at,
            last_seen_at=row.last_seen_at,
            pairing_until=row.pairing_until if row.pairing_sha256 else None,
            revoked_at=row.revoked_at,
            open_count=row.open_count,
        )
        for row in rows
    ]
