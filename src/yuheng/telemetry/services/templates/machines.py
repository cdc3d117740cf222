"""One machine and its template: what fills its patterns, back to the template, brought under, released, taken from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.kernel.events import publish
from yuheng.telemetry.events import TagsChanged
from yuheng.telemetry.models import Tag, TemplatedUnit
from yuheng.telemetry.services.access import locked
from yuheng.telemetry.services.templates.overrides import expected_values
from yuheng.telemetry.services.templates.writing import Ids, update_rows
from yuheng.telemetry.tag_fields import FOLLOWED


@transaction.atomic
def back_to_template(
    *, actor: Actor, tag_ids: Sequence[int], names: Collection[str] | None = None, at: datetime
) -> int:
    """Give tags what their template says again, in these fields (None: in all); returns how many tags changed.

    Raises
    ------
    NotVisible, PermissionRefused, Conflict
    """
    rows = [locked(Tag, actor=actor, pk=pk) for pk in tag_ids]
    following = [row for row in rows if row.template_tag_id is not None]
    expected = expected_values(following)
    wanted = {}
    for row in following:
        if row.pk not in expected:
            continue
        dropped = [name for name in FOLLOWED if name in row.overrides and (names is None or name in names)]
        columns = Ids(row.site_id).columns(expected[row.pk])
        own = {f"{name}_id" if name in ("source", "tag_class") else name for name in dropped}
        wanted[row.pk] = {name: value for name, value in columns.items() if name in own}
        wanted[row.pk]["overrides"] = [name for name in row.overrides if name not in dropped]
    _check_free(following, wanted)
    changed = update_rows(wanted)
    for site_id in sorted({row.site_id for row in following}):
        of_site = [row for row in following if row.site_id == site_id]
        publish(TagsChanged(site_id=site_id, count=len(of_site)), at=at)
        audit.record(
            actor=actor,
            action="template.back",
            at=at,
            site_id=site_id,
            object_kind="tag",
            addresses=[row.address for row in of_site[:50]],
            fields=sorted(names) if names is not None else "all",
        )
    return changed


@transaction.atomic
def release_machine(*, actor: Actor, work_unit_id: int, at: datetime) -> None:
    """Let a machine follow its template no longer; its tags stay as they are."""
    row = locked(TemplatedUnit, actor=actor, pk=work_unit_id)
    Tag.objects.filter(work_unit_id=work_unit_id).update(template_tag=None, overrides=[])
    site_id = row.site_id
    row.delete()
    _tell(actor, site_id, "template.release", work_unit_id, 0, at)


def _check_free(rows: Sequence[Tag], wanted: Mapping[int, Mapping[str, object]]) -> None:
    """Raise `Conflict` when an address or symbol that would come back is somebody else's by now."""
    for row in rows:
        own = wanted.get(row.pk, {})
        if {"address", "source_id"} & set(own):
            place = {"source_id": own.get("source_id", row.source_id), "address": own.get("address", row.address)}
            if Tag.objects.filter(**place).exclude(pk__in=wanted).exists():
                raise Conflict(_("Another tag of the source is at the address %(one)s.") % {"one": place["address"]})
        if "symbol" in own:
            same = Tag.objects.filter(work_unit_id=row.work_unit_id, symbol=own["symbol"], retired_at__isnull=True)
            if same.exclude(pk__in=wanted).exists():
                raise Conflict(_("Another tag of the work unit has the symbol %(one)s.") % {"one": own["symbol"]})


def _tell(actor: Actor, site_id: int, action: str, unit_id: int, written: int, at: datetime, **detail: object) -> None:
    publish(TagsChanged(site_id=site_id, count=written), at=at)
    audit.record(
        actor=actor, action=action, at=at, site_id=site_id, object_kind="work_unit", object_id=unit_id, **detail
    )
