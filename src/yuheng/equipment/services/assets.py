"""Physical assets and the work units they play."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment.models import (
    AssetAssignment,
    PhysicalAsset,
    WorkUnit,
)
from yuheng.equipment.services.access import (
    check_in_use,
    locked,
    tell,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput


@transaction.atomic
def install_asset(
    *,
    actor: Actor,
    work_unit_id: int,
    serial: str,
    maker: str = "",
    model: str = "",
    built: int | None = None,
    at: datetime,
) -> AssetAssignment:
    """From now on this physical asset plays the work unit; it leaves any other, and the former one leaves this.

    Raises
    ------
    InvalidInput
        No serial number.
    """
    unit: WorkUnit = locked(WorkUnit, actor, work_unit_id)
    check_in_use(unit)
    if not serial.strip():
        message = _("A physical asset has a serial number.")
        raise InvalidInput(message, {"serial": message})
    asset, _made = PhysicalAsset.objects.update_or_create(
        site_id=unit.site_id, serial=serial.strip(), defaults={"maker": maker, "model": model, "built": built}
    )
    open_rows = AssetAssignment.objects.filter(to_at__isnull=True)
    present = open_rows.filter(asset=asset, work_unit=unit).first()
    if present is not None:
        return present
    (open_rows.filter(asset=asset) | open_rows.filter(work_unit=unit)).update(to_at=at)
    assignment = AssetAssignment.objects.create(asset=asset, work_unit=unit, from_at=at)
    tell(actor, unit.site_id, "asset", asset.pk, "installed", at, work_unit=unit.code, serial=asset.serial)
    return assignment
