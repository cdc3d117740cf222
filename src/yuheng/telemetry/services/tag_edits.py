"""Editing tags that exist, cell by cell: hundreds at once from a grid, one field of all that a filter keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.equipment.importing import Field
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.kernel.lookups import IsAnyOf
from yuheng.telemetry.events import TagsChanged
from yuheng.telemetry.models import Tag, TagClass
from yuheng.telemetry.selectors.signals import TagFilter, wanted_rows
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.tags import TagSpec, check_tag
from yuheng.telemetry.services.templates.overrides import mark_overrides
from yuheng.telemetry.services.templates.writing import update_rows
from yuheng.telemetry.tag_fields import EDITABLE, STANDARD, read_cells

MOST_TAGS = 20_000
"""Changed by one action."""
_PLAIN = ("address", "data_type", "symbol", "role", "name_zh", "name_en", "unit")


@dataclass(frozen=True, slots=True)
class TagEdit:
    """Changed cells of a tag. ``seen``: what the editor showed before, field -> value; a newer value is a conflict."""

    tag_id: int
    cells: Mapping[str, Any]
    seen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edited:
    """How many tags were changed, and how many had the values already."""

    changed: int
    unchanged: int


@transaction.atomic
def edit_tags(*, actor: Actor, edits: Sequence[TagEdit], at: datetime) -> Edited:
    """Change cells of tags: all of them or none. The tags may be of several sites.

    Raises
    ------
    PermissionRefused
    InvalidInput
        ``fields`` maps ``<tag id>.<field>`` to what is wrong with that cell, or was changed by somebody else.

    Notes
    -----
    A fixed number of queries a site, whatever the number of tags.
    """
    if len(edits) > MOST_TAGS:
        raise InvalidInput(_("At most %(count)d tags are changed at once.") % {"count": MOST_TAGS})
    by_id = {edit.tag_id: edit for edit in edits}
    rows = Tag.objects.visible_to(actor).filter(IsAnyOf("pk", by_id), retired_at__isnull=True)
    found: dict[int, list[Tag]] = {}
    for row in rows.order_by("pk").select_for_update(of=("self",)).select_related("work_unit", "tag_class"):
        found.setdefault(row.site_id, []).append(row)
    missing = set(by_id) - {row.pk for rows_ in found.values() for row in rows_}
    if missing:
        sentence = _("This tag is not there any more.")
        raise InvalidInput(_("Some tags are not there any more."), {f"{pk}.address": sentence for pk in missing})
    changed = 0
    for site_id, tags in found.items():
        actor.require(EDIT, site_id=site_id)
        changed += _edit_at_site(actor, site_id, tags, by_id, at)
    return Edited(changed, len(by_id) - changed)


@transaction.atomic
def set_field(*, actor: Actor, wanted: TagFilter, name: str, cell: Any, count: int, at: datetime) -> Edited:
    """Set one field of every tag that a filter keeps.

    Parameters
    ----------
    count
        How many tags the person was told; another number by now is a conflict.

    Raises
    ------
    PermissionRefused, InvalidInput, Conflict
    """
    if name in ("address", "symbol"):
        raise InvalidInput(_("Addresses and symbols differ from tag to tag; edit them in the grid."))
    pks = list(wanted_rows(actor=actor, wanted=wanted).order_by("pk").values_list("pk", flat=True)[: MOST_TAGS + 1])
    if len(pks) != count:
        text = _("The filter keeps %(count)d tags by now, not %(told)d. Look again, then apply.")
        raise Conflict(text % {"count": len(pks), "told": count})
    return edit_tags(actor=actor, edits=[TagEdit(pk, {name: cell}) for pk in pks], at=at)


@transaction.atomic
def retire_tags(*, actor: Actor, tag_ids: Sequence[int], at: datetime) -> int:
    """Read these tags no longer; their history stays. One that is written again is in use again."""
    rows = list(
        Tag.objects.visible_to(actor).filter(IsAnyOf("pk", tag_ids), retired_at__isnull=True).select_for_update()
    )
    for site_id in sorted({row.site_id for row in rows}):
        actor.require(EDIT, site_id=site_id)
        gone = [row for row in rows if row.site_id == site_id]
        Tag.objects.filter(IsAnyOf("pk", [row.pk for row in gone])).update(
            retired_at=at, template_tag=None, overrides=[]
        )
        _tell(actor, site_id, "tags.retire", len(gone), at, addresses=[row.address for row in gone[:50]])
    return len(rows)


def _edit_at_site(actor: Actor, site_id: int, tags: Sequence[Tag], edits: Mapping[int, TagEdit], at: datetime) -> int:
    units = equipment.work_unit_ids(site_id=site_id)
    classes = dict(TagClass.objects.filter(site_id=site_id).values_list("code", "pk"))
    wrong: dict[str, str] = {}
    wanted: dict[int, dict[str, Any]] = {}
    for row in tags:
        edit = edits[row.pk]
        values, bad = read_cells(EDITABLE, edit.cells)
        bad |= _moved_on(row, edit)
        columns, more = _columns(values, units, classes)
        bad |= more
        differing = {name: value for name, value in columns.items() if getattr(row, name) != value}
        if not bad and differing:
            bad |= _check_whole(row, differing)
            wanted[row.pk] = differing
        wrong.update({f"{row.pk}.{name}": sentence for name, sentence in bad.items()})
    wrong.update(_clashing(tags, wanted) if not wrong else {})
    if wrong:
        raise InvalidInput(_("%(count)d cells cannot be accepted as they are.") % {"count": len(wrong)}, wrong)
    if wanted:
        _write(actor, site_id, [row for row in tags if row.pk in wanted], wanted, at)
    return len(wanted)


def _write(actor: Actor, site_id: int, rows: Sequence[Tag], wanted: dict[int, dict[str, Any]], at: datetime) -> None:
    before = {row.pk: {name: getattr(row, name) for name in wanted[row.pk]} for row in rows}
    for row in rows:
        for name, value in wanted[row.pk].items():
            setattr(row, name, value)
    mark_overrides(rows, wanted)
    for row in rows:
        if row.template_tag_id is not None or row.overrides == []:
            wanted[row.pk] |= {"overrides": row.overrides, "template_tag_id": row.template_tag_id}
    try:
        with transaction.atomic():
            update_rows(wanted)
    except IntegrityError as error:
        raise Conflict(_("Another tag took one of these addresses or symbols in this moment. Try again.")) from error
    changes = [
        {"tag": row.pk, "address": row.address, "field": name, "old": old, "new": wanted[row.pk][name]}
        for row in rows
        for name, old in before[row.pk].items()
    ]
    _tell(actor, site_id, "tags.edit", len(rows), at, changes=changes[:100], change_count=len(changes))


def _tell(actor: Actor, site_id: int, action: str, count: int, at: datetime, **detail: Any) -> None:
    publish(TagsChanged(site_id=site_id, count=count), at=at)
    audit.record(actor=actor, action=action, at=at, site_id=site_id, object_kind="tag", count=count, **detail)


def _columns(
    values: Mapping[str, Any], units: Mapping[str, int], classes: Mapping[str, int]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Turn codes into ids: ``(column -> value, field -> what is wrong)``."""
    columns = {name: value for name, value in values.items() if name not in ("work_unit", "tag_class")}
    wrong: dict[str, str] = {}
    if "work_unit" in values:
        code = values["work_unit"]
        if code and code not in units:
            wrong["work_unit"] = _("There is no such work unit at this site.")
        columns["work_unit_id"] = units.get(code)
    if "tag_class" in values:
        code = values["tag_class"]
        if code not in classes:
            wrong["tag_class"] = _("The site has no tag class called %(code)s.") % {"code": code}
        columns["tag_class_id"] = classes.get(code)
    return columns, wrong


def _moved_on(row: Tag, edit: TagEdit) -> dict[str, str]:
    """Return the fields that somebody else changed since the editor showed them."""
    wrong: dict[str, str] = {}
    fields = {one.name: one for one in EDITABLE}
    for name, seen in edit.seen.items():
        if name not in fields or name not in edit.cells:
            continue
        now = shown(row, name)
        if _clean(fields[name], seen) != now and _clean(fields[name], edit.cells[name]) != now:
            wrong[name] = _("Somebody else changed this to %(value)s meanwhile.") % {"value": now if now != "" else "–"}
    return wrong


def _clean(one: Field, cell: Any) -> Any:
    values, _wrong = read_cells((one,), {one.name: cell})
    return values.get(one.name)


def shown(row: Tag, name: str) -> Any:
    """Return a field of a tag as the grid shows it: codes for what it belongs to."""
    if name == "work_unit":
        return row.work_unit.code if row.work_unit is not None else ""
    return row.tag_class.code if name == "tag_class" else getattr(row, name)


def _check_whole(row: Tag, differing: Mapping[str, Any]) -> dict[str, str]:
    """Check the tag as it would be; the sentence goes to a cell that was changed."""
    whole = {name: differing.get(name, getattr(row, name)) for name in (*_PLAIN, *_NUMBERS, "work_unit_id")}
    sentence = check_tag(TagSpec(source_id=row.source_id, tag_class=STANDARD, **whole))
    if sentence is None:
        return {}
    order = ("unit", "symbol", "scale", "deadband", "stale_after_s", "work_unit_id")
    name = next((name for name in order if name in differing), next(iter(differing)))
    return {name.removesuffix("_id"): sentence}


_NUMBERS = ("scale", "offset", "deadband", "stale_after_s")


def _clashing(tags: Sequence[Tag], wanted: Mapping[int, Mapping[str, Any]]) -> dict[str, str]:
    """Return the cells that would give two tags one address, or two symbols of a unit one name. Two queries."""
    moved = [row for row in tags if row.pk in wanted]
    wrong: dict[str, str] = {}
    for columns, name, sentence in (
        (("source_id", "address"), "address", _("Another tag of the source is at this address.")),
        (("work_unit_id", "symbol"), "symbol", _("Another tag of the work unit has this symbol.")),
    ):
        new = {row.pk: tuple(wanted[row.pk].get(one, getattr(row, one)) for one in columns) for row in moved}
        new = {pk: key for pk, key in new.items() if all(part not in ("", None) for part in key)}
        touched = {row.pk for row in moved if set(columns) & set(wanted[row.pk])}
        if not touched:
            continue
        filters = {f"{column}__in": {key[at] for key in new.values()} for at, column in enumerate(columns)}
        others = Tag.objects.filter(**filters).exclude(IsAnyOf("pk", new))
        if name == "symbol":
            others = others.filter(retired_at__isnull=True)
        owners: dict[tuple[Any, ...], int] = {tuple(key): pk for pk, *key in others.values_list("pk", *columns)}
        for pk, key in sorted(new.items(), key=lambda item: item[0] in touched):
            if owners.setdefault(key, pk) != pk:
                wrong[f"{pk}.{name}"] = sentence
    return wrong
