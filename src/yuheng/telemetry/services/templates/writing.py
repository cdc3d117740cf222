"""Writing what template plans say: new tags, changed ones, retired ones. Inside the caller's transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _

from yuheng.kernel.errors import Conflict
from yuheng.kernel.lookups import IsAnyOf
from yuheng.telemetry.models import DataSource, Tag, TagClass
from yuheng.telemetry.services.tags import check_formulas
from yuheng.telemetry.tag_fields import STANDARD
from yuheng.telemetry.template_plans import MachinePlan, Values

BATCH = 1000


class Ids:
    """Ids of a site's sources and tag classes by code. Two queries, three when the site has no ``standard`` yet."""

    def __init__(self, site_id: int) -> None:
        self.site_id = site_id
        self.sources = dict(DataSource.objects.filter(site_id=site_id).values_list("code", "pk"))
        self.tag_classes = dict(TagClass.objects.filter(site_id=site_id).values_list("code", "pk"))
        if STANDARD not in self.tag_classes:
            self.tag_classes[STANDARD] = TagClass.objects.get_or_create(site_id=site_id, code=STANDARD)[0].pk

    def columns(self, values: Mapping[str, Any]) -> Values:
        """Turn codes into the ids of columns; no source (of a template tag: the machine's) into None."""
        own = {name: value for name, value in values.items() if name not in ("source", "tag_class")}
        own["source_id"] = self.sources[values["source"]] if values["source"] else None
        own["tag_class_id"] = self.tag_classes[values["tag_class"]]
        return own


def fingerprint(told: Iterable[Any]) -> str:
    """Return what two plans that do the same have in common."""
    return hashlib.sha256(json.dumps(list(told), sort_keys=True, default=str).encode()).hexdigest()


def write_plans(
    *,
    plans: Sequence[MachinePlan],
    unit_ids: Mapping[str, int],
    template_ids: Mapping[int, int],
    ids: Ids,
    at: datetime,
) -> int:
    """Do what the plans say and return how many tags were written.

    Parameters
    ----------
    unit_ids
        Machine code -> work unit id.
    template_ids
        Key of a wanted tag -> id of its row.

    Raises
    ------
    Conflict
        Somebody took an address or symbol in this very moment.

    Notes
    -----
    Rows are written 1,000 at a time; of rows that exist only the columns that change.
    """
    try:
        with transaction.atomic():
            retired = [tag.id for plan in plans for tag in plan.retired]
            if retired:
                Tag.objects.filter(IsAnyOf("pk", retired)).update(retired_at=at, template_tag=None, overrides=[])
            changed = _change(plans, unit_ids, template_ids, ids)
            rows = [
                Tag(
                    site_id=ids.site_id,
                    work_unit_id=unit_ids[plan.machine.code],
                    template_tag_id=template_ids[key],
                    **ids.columns(values),
                )
                for plan in plans
                for key, values in plan.added
            ]
            Tag.objects.bulk_create(rows, batch_size=BATCH)
            _check_formulas(plans, unit_ids, ids.site_id)
    except IntegrityError as error:
        raise Conflict(_("Another tag took one of these addresses or symbols. Look at the new preview.")) from error
    return len(retired) + changed + len(rows)


def _check_formulas(plans: Sequence[MachinePlan], unit_ids: Mapping[str, int], site_id: int) -> None:
    """Check the formulas of every machine that changed: what they name may have gone. Few queries."""
    units = [unit_ids[plan.machine.code] for plan in plans if plan.has_effect]
    calculated = Tag.objects.filter(IsAnyOf("work_unit_id", units), retired_at__isnull=True).exclude(formula="")
    check_formulas(site_id, list(calculated))


def _change(
    plans: Sequence[MachinePlan], unit_ids: Mapping[str, int], template_ids: Mapping[int, int], ids: Ids
) -> int:
    wanted: dict[int, Values] = {}
    for plan in plans:
        for key, tag_id, values, own in (*plan.changed, *plan.linked):
            wanted[tag_id] = {
                **ids.columns(values),
                "template_tag_id": template_ids[key],
                "overrides": sorted(own),
            }
        for key, tag_id, values in plan.revived:
            wanted[tag_id] = {
                **ids.columns(values),
                "template_tag_id": template_ids[key],
                "overrides": [],
                "retired_at": None,
                "work_unit_id": unit_ids[plan.machine.code],
                "is_made_by_itself": False,
            }
    return update_rows(wanted)


def update_rows(wanted: Mapping[int, Values]) -> int:
    """Set columns of tags: id -> column -> value. Returns how many rows differ now.

    Addresses and symbols may be swapped among the rows: those that change are freed first.
    """
    if not wanted:
        return 0
    groups: dict[tuple[str, ...], list[Tag]] = {}
    moved: list[int] = []
    renamed: list[int] = []
    for row in Tag.objects.filter(IsAnyOf("pk", wanted)).order_by("pk").select_for_update():
        columns = wanted[row.pk]
        names = tuple(sorted(name for name, value in columns.items() if getattr(row, name) != value))
        for name in names:
            setattr(row, name, columns[name])
        if names:
            groups.setdefault(names, []).append(row)
        if {"address", "source_id"} & set(names):
            moved.append(row.pk)
        if {"symbol", "work_unit_id", "retired_at"} & set(names):
            renamed.append(row.pk)
    if moved:
        freed = Concat(Value("\x1f"), Cast(F("pk"), CharField()), Value("\x1f"))
        Tag.objects.filter(IsAnyOf("pk", moved)).update(address=freed)
    if renamed:
        Tag.objects.filter(IsAnyOf("pk", renamed)).update(symbol="")
    freed_columns = {"address": set(moved), "symbol": set(renamed)}
    return _write_groups(groups, freed_columns)


def _write_groups(groups: Mapping[tuple[str, ...], list[Tag]], freed: Mapping[str, set[int]]) -> int:
    """Write each group's columns, and those that were freed before."""
    regrouped: dict[tuple[str, ...], list[Tag]] = {}
    for names, rows in groups.items():
        for row in rows:
            extra = {name for name, pks in freed.items() if row.pk in pks}
            regrouped.setdefault(tuple(sorted({*names, *extra})), []).append(row)
    for names, rows in regrouped.items():
        fields = [name.removesuffix("_id") if name.endswith("_id") else name for name in names]
        Tag.objects.bulk_update(rows, fields, batch_size=BATCH)
    return sum(len(rows) for rows in regrouped.values())
