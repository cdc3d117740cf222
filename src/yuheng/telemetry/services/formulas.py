"""Making and changing calculated tags."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.bus.documents import CALCULATED
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.telemetry.models import DataSource, Tag
from yuheng.telemetry.services import sources, tags
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.tags import TagSpec


@transaction.atomic
def write_calculated_tag(
    *,
    actor: Actor,
    site_id: int,
    formula: str,
    at: datetime,
    tag_id: int | None = None,
    address: str = "",
    work_unit_id: int | None = None,
    symbol: str = "",
    name_zh: str = "",
    name_en: str = "",
    unit: str = "",
    role: str = "",
    data_type: str = "float",
) -> Tag:
    """Create a calculated tag, or change the one that ``tag_id`` names. Its address says nothing to any device.

    ``unit`` empty: the one that the formula gives. Needs ``telemetry.edit`` at the site.

    Raises
    ------
    PermissionRefused, NotVisible, Conflict
    InvalidInput
        The formula cannot be understood, names a tag that is not there, units do not fit, or it needs its own value.
    """
    actor.require(EDIT, site_id=site_id)
    if not formula.strip():
        raise InvalidInput(_("The formula is empty."), {"formula": _("The formula is empty.")})
    source = source_of_calculated_tags(actor, site_id, at)
    if tag_id is not None:
        row = Tag.objects.filter(pk=tag_id, site_id=site_id, source=source, retired_at__isnull=True).first()
        if row is None:
            raise NotVisible(_("There is no such calculated tag here."))
        address = row.address
    spec = TagSpec(
        source_id=source.pk,
        address=address.strip() or _address(site_id, work_unit_id, symbol),
        work_unit_id=work_unit_id,
        symbol=symbol,
        name_zh=name_zh,
        name_en=name_en,
        role=role,
        data_type=data_type,
        unit=unit or "1",
        formula=formula.strip(),
    )
    if tag_id is None:
        return tags.create_tag(actor=actor, site_id=site_id, tag=spec, at=at)
    tags.write_tags(actor=actor, site_id=site_id, tags=[spec], at=at)
    return Tag.objects.get(pk=tag_id)


def source_of_calculated_tags(actor: Actor, site_id: int, at: datetime) -> DataSource:
    """Return the site's source of calculated tags; made when there is none."""
    found: DataSource | None = DataSource.objects.filter(site_id=site_id, connector=CALCULATED).order_by("pk").first()
    if found is not None:
        return found
    return sources.create_source(
        actor=actor, site_id=site_id, code=CALCULATED, connector=CALCULATED, topics=[], settings={}, at=at
    )


def _address(site_id: int, work_unit_id: int | None, symbol: str) -> str:
    codes = {pk: code for code, pk in equipment.work_unit_ids(site_id=site_id).items()}
    if work_unit_id is None or not symbol or work_unit_id not in codes:
        sentence = _("Give the tag a name of its own, or a work unit and a symbol.")
        raise InvalidInput(sentence, {"address": sentence})
    return f"{codes[work_unit_id]}/{symbol}"
