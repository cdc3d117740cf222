"""Tags from what was picked in a machine's tree: first a plan that says what would happen, then all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.units import is_unit
from yuheng.telemetry.models import DataSource, Tag
from yuheng.telemetry.rules import DataType
from yuheng.telemetry.selectors.visible import one_visible
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.tags import TagSpec, check_tag, write_tags
from yuheng.telemetry.tag_fields import STANDARD

MOST = 10_000
ADD, EXISTS, REFUSED = "add", "exists", "refused"


@dataclass(frozen=True, slots=True)
class Picked:
    """One node that somebody picked, with what the machine proposes."""

    address: str
    name: str = ""
    data_type: str = DataType.FLOAT.value
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PlannedTag:
    """What would happen to one picked node: ``add``, ``exists`` or ``refused``, and why."""

    action: str
    address: str
    name: str
    data_type: str
    unit: str
    reason: str = ""


def plan_tags(*, actor: Actor, source_id: int, picked: Sequence[Picked]) -> list[PlannedTag]:
    """Say what would happen to each; needs ``telemetry.edit``. Writes nothing. Three queries.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        Nothing was picked, or more than ten thousand.
    """
    source: DataSource = one_visible(DataSource.objects.all(), actor, source_id)
    actor.require(EDIT, site_id=source.site_id)
    if not picked or len(picked) > MOST:
        raise InvalidInput(_("Pick 1 to %(count)d signals.") % {"count": MOST})
    wanted = list({one.address: one for one in picked}.values())
    addresses = [one.address for one in wanted]
    existing = set(Tag.objects.filter(source_id=source_id, address__in=addresses).values_list("address", flat=True))
    return [_planned(source_id, one, one.address in existing) for one in wanted]


def _planned(source_id: int, one: Picked, is_there: bool) -> PlannedTag:
    unit = one.unit if one.unit and is_unit(one.unit) else "1"
    spec = TagSpec(source_id, one.address, one.data_type, unit=unit)
    reason = check_tag(spec) or ""
    action = REFUSED if reason else EXISTS if is_there else ADD
    return PlannedTag(action, one.address, one.name[:120], one.data_type, unit, reason)


def make_picked_tags(
    *,
    actor: Actor,
    source_id: int,
    picked: Sequence[Picked],
    at: datetime,
    work_unit_id: int | None = None,
    tag_class: str = STANDARD,
) -> int:
    """Make the tags that are not there yet; return how many. Raises as `plan_tags` and `tags.write_tags` do."""
    plan = plan_tags(actor=actor, source_id=source_id, picked=picked)
    source: DataSource = one_visible(DataSource.objects.all(), actor, source_id)
    specs = [
        TagSpec(
            source_id,
            one.address,
            one.data_type,
            work_unit_id=work_unit_id,
            name_zh=one.name,
            name_en=one.name,
            unit=one.unit,
            tag_class=tag_class,
        )
        for one in plan
        if one.action == ADD
    ]
    if not specs:
        return 0
    return write_tags(actor=actor, site_id=source.site_id, tags=specs, at=at).created
