"""Creating and changing tags and tag classes, one or ten thousand at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.bus.documents import CALCULATED
from yuheng.engines.formulas.language import MAX_LENGTH as MAX_FORMULA
from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.kernel.units import is_unit
from yuheng.telemetry.events import TagsChanged
from yuheng.telemetry.models import DataSource, Tag, TagClass
from yuheng.telemetry.rules import DataType, is_symbol
from yuheng.telemetry.selectors import formulas
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.templates.overrides import mark_overrides
from yuheng.telemetry.tag_fields import STANDARD

_FIELDS = (
    "data_type",
    "work_unit_id",
    "symbol",
    "role",
    "name_zh",
    "name_en",
    "unit",
    "scale",
    "offset",
    "deadband",
    "tag_class_id",
    "stale_after_s",
    "formula",
)


@dataclass(frozen=True, slots=True)
class TagSpec:
    """What a tag is to be. ``tag_class`` is a code; ``unit`` a UCUM code of the value after scaling.

    With a ``formula`` the tag is calculated; its unit is the formula's unless another one is wanted.
    """

    source_id: int
    address: str
    data_type: str
    work_unit_id: int | None = None
    symbol: str = ""
    role: str = ""
    name_zh: str = ""
    name_en: str = ""
    unit: str = "1"
    scale: float = 1.0
    offset: float = 0.0
    deadband: float = 0.0
    tag_class: str = STANDARD
    stale_after_s: float = 60.0
    formula: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """How many tags a call made and changed; ``unchanged`` ones were as asked already."""

    created: int
    changed: int
    unchanged: int


@transaction.atomic
def write_tags(
    *, actor: Actor, site_id: int, tags: Sequence[TagSpec], at: datetime, made_by_itself: bool = False
) -> Written:
    """Create the tags that do not exist and change those that do (by source and address); all or none.

    Needs ``telemetry.edit`` at the site.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        ``fields`` maps each address that cannot be accepted to the reason.
    Conflict
        A symbol is used twice in one work unit.

    Notes
    -----
    A fixed number of queries, whatever the number of tags (rows are written 1,000 at a time).
    """
    actor.require(EDIT, site_id=site_id)
    _lock_sources(site_id, {tag.source_id for tag in tags})
    _check_tags(site_id, tags)
    _check_sources(site_id, tags)
    classes = _classes(site_id, {tag.tag_class for tag in tags})
    existing = {
        (tag.source_id, tag.address): tag
        for tag in Tag.objects.filter(source_id__in={tag.source_id for tag in tags})
        .filter(address__in={tag.address for tag in tags})
        .select_for_update()
    }
    created: list[Tag] = []
    changed: list[Tag] = []
    touched: dict[int, frozenset[str]] = {}
    for spec in tags:
        row = existing.get((spec.source_id, spec.address))
        if row is None:
            created.append(_new_row(site_id, spec, classes, made_by_itself=made_by_itself))
        elif names := _apply(row, spec, classes):
            changed.append(row)
            touched[row.pk] = names
    _check_symbols(tags, existing)
    mark_overrides(changed, touched)
    _save(created, changed)
    check_formulas(site_id, [tag for tag in created + changed if tag.formula])
    if created or changed:
        publish(TagsChanged(site_id=site_id, count=len(created) + len(changed)), at=at)
        audit.record(
            actor=actor,
            action="tags.write",
            at=at,
            site_id=site_id,
            object_kind="tag",
            created=len(created),
            changed=len(changed),
            addresses=[tag.address for tag in (created + changed)[:50]],
        )
    return Written(len(created), len(changed), len(tags) - len(created) - len(changed))


@transaction.atomic
def create_tag(*, actor: Actor, site_id: int, tag: TagSpec, at: datetime) -> Tag:
    """Create one tag; raises `Conflict` when the source has that address already, else as `write_tags`."""
    actor.require(EDIT, site_id=site_id)
    taken = Tag.objects.filter(source_id=tag.source_id, address=tag.address, site_id=site_id)
    if taken.filter(retired_at__isnull=True).exists():
        raise Conflict(_("The data source already has a tag at %(address)s.") % {"address": tag.address})
    write_tags(actor=actor, site_id=site_id, tags=[tag], at=at)
    return Tag.objects.get(source_id=tag.source_id, address=tag.address)


@transaction.atomic
def define_tag_class(
    *,
    actor: Actor,
    site_id: int,
    code: str,
    at: datetime,
    raw_days: int = 730,
    minute_days: int = 3650,
    hour_days: int = 0,
    is_time_weighted: bool = False,
) -> TagClass:
    """Create a tag class or change how long its tags are kept (days; 0 for ever)."""
    actor.require(EDIT, site_id=site_id)
    if wrong := what_is_wrong_with_class_code(code):
        raise InvalidInput(_("The tag class cannot be accepted as it is."), {"code": wrong})
    row, _made = TagClass.objects.update_or_create(
        site_id=site_id,
        code=code,
        defaults={
            "raw_days": raw_days,
            "minute_days": minute_days,
            "hour_days": hour_days,
            "is_time_weighted": is_time_weighted,
        },
    )
    publish(TagsChanged(site_id=site_id, count=0), at=at)
    audit.record(
        actor=actor,
        action="tag_class.define",
        at=at,
        site_id=site_id,
        object_kind="tag_class",
        object_id=row.pk,
        code=code,
        raw_days=raw_days,
        minute_days=minute_days,
        hour_days=hour_days,
    )
    return row


def what_is_wrong_with_class_code(code: str) -> str:
    """Return why a tag class may not be called so, or an empty text."""
    if is_symbol(code.replace("-", "_")) and len(code) <= 40:
        return ""
    return _("Use letters, digits, dashes and underscores, beginning with a letter.")


def check_tag(spec: TagSpec) -> str | None:
    """Return what is wrong with a tag by itself, as a sentence; None when nothing is."""
    if not spec.address or len(spec.address) > 400:
        return _("An address has 1 to 400 characters.")
    if spec.data_type not in set(DataType):
        return _("The data type is float, int, bool or text.")
    if spec.symbol and not is_symbol(spec.symbol):
        return _("The symbol %(symbol)s is not a name: letters, digits and underscores only.") % {"symbol": spec.symbol}
    if spec.symbol and spec.work_unit_id is None:
        return _("A tag with a symbol belongs to a work unit.")
    if spec.formula and spec.data_type == DataType.TEXT:
        return _("A calculated tag has numbers, not text.")
    if len(spec.formula) > MAX_FORMULA:
        return _("A formula has at most %(count)s characters.") % {"count": MAX_FORMULA}
    if not is_unit(spec.unit or "1"):
        return _("%(unit)s is not a UCUM unit.") % {"unit": spec.unit}
    return _check_numbers(spec)


def _check_numbers(spec: TagSpec) -> str | None:
    if not all(isfinite(x) for x in (spec.scale, spec.offset, spec.deadband, spec.stale_after_s)):
        return _("Scale, offset, deadband and time to go stale are finite numbers.")
    if spec.scale == 0.0:
        return _("The scale must not be zero.")
    if spec.deadband < 0.0:
        return _("The deadband must not be negative.")
    return None if spec.stale_after_s > 0.0 else _("The time after which a value is stale must be above zero.")


def _check_tags(site_id: int, tags: Sequence[TagSpec]) -> None:
    wrong: dict[str, str] = {}
    seen: set[tuple[int, str]] = set()
    units = equipment.site_of_work_units({tag.work_unit_id for tag in tags if tag.work_unit_id is not None})
    for spec in tags:
        sentence = check_tag(spec)
        if sentence is None and (spec.source_id, spec.address) in seen:
            sentence = _("The address appears twice.")
        if sentence is None and spec.work_unit_id is not None and units.get(spec.work_unit_id) != site_id:
            sentence = _("There is no such work unit at this site.")
        if sentence is not None:
            wrong[spec.address] = sentence
        seen.add((spec.source_id, spec.address))
    if wrong:
        raise InvalidInput(_("%(count)s tags cannot be accepted as they are.") % {"count": len(wrong)}, wrong)


def _check_sources(site_id: int, tags: Sequence[TagSpec]) -> None:
    """Calculated tags belong to the source that no process opens, and only they."""
    calculating = set(DataSource.objects.filter(site_id=site_id, connector=CALCULATED).values_list("pk", flat=True))
    wrong = {
        spec.address: _("A tag with a formula belongs to the source of calculated tags, and only such tags do.")
        for spec in tags
        if bool(spec.formula) is not (spec.source_id in calculating)
    }
    if wrong:
        raise InvalidInput(next(iter(wrong.values())), wrong)


def check_formulas(site_id: int, tags: Sequence[Tag]) -> None:
    """Refuse formulas that cannot be used; give each tag the unit of its own."""
    if not tags:
        return
    units = formulas.check_written(site_id, tags)
    renamed = [tag for tag in tags if tag.unit != units[tag.pk]]
    for tag in renamed:
        tag.unit = units[tag.pk]
    Tag.objects.bulk_update(renamed, ["unit"], batch_size=1000)


def _check_symbols(tags: Sequence[TagSpec], written: Collection[tuple[int, str]]) -> None:
    """Raise `Conflict` naming the symbol that two tags of one work unit would have."""
    owners: dict[tuple[int, str], tuple[int, str]] = {}
    units = {tag.work_unit_id for tag in tags if tag.symbol}
    mine = set(written)
    others = Tag.objects.filter(work_unit_id__in=units, retired_at__isnull=True).exclude(symbol="")
    for unit_id, symbol, source_id, address in others.values_list("work_unit_id", "symbol", "source_id", "address"):
        if (source_id, address) not in mine:
            owners[unit_id, symbol] = (source_id, address)
    for tag in tags:
        if tag.symbol and tag.work_unit_id is not None:
            owner = owners.setdefault((tag.work_unit_id, tag.symbol), (tag.source_id, tag.address))
            if owner != (tag.source_id, tag.address):
                raise Conflict(
                    _("The symbol %(symbol)s stands for %(one)s and for %(other)s in one work unit.")
                    % {"symbol": tag.symbol, "one": owner[1], "other": tag.address}
                )


def _lock_sources(site_id: int, source_ids: set[int]) -> None:
    locked = DataSource.objects.filter(site_id=site_id, pk__in=source_ids).order_by("pk").select_for_update()
    if len(locked) != len(source_ids):
        raise NotVisible(_("There is no such data source at this site."))


def _classes(site_id: int, codes: set[str]) -> dict[str, int]:
    if STANDARD in codes:
        TagClass.objects.get_or_create(site_id=site_id, code=STANDARD)
    found = dict(TagClass.objects.filter(site_id=site_id, code__in=codes).values_list("code", "pk"))
    missing = codes - set(found)
    if missing:
        raise InvalidInput(
            _("The site has no tag class called %(code)s.") % {"code": ", ".join(sorted(missing))},
            {"tag_class": ", ".join(sorted(missing))},
        )
    return found


def _values(spec: TagSpec, classes: dict[str, int]) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(spec, name) for name in _FIELDS if name != "tag_class_id"}
    values["tag_class_id"] = classes[spec.tag_class]
    values["unit"] = spec.unit or "1"
    return values


def _new_row(site_id: int, spec: TagSpec, classes: dict[str, int], *, made_by_itself: bool) -> Tag:
    return Tag(
        site_id=site_id,
        source_id=spec.source_id,
        address=spec.address,
        is_made_by_itself=made_by_itself,
        **_values(spec, classes),
    )


def _apply(row: Tag, spec: TagSpec, classes: dict[str, int]) -> frozenset[str]:
    """Set what differs and return the names; a retired tag that is written is in use again."""
    changed: set[str] = set()
    for name, value in {**_values(spec, classes), "retired_at": None}.items():
        if name == "unit" and spec.formula and value == "1" and spec.formula == row.formula:
            continue  # the formula's own, which it has already
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.add(name)
    return frozenset(changed)


def _save(created: list[Tag], changed: list[Tag]) -> None:
    try:
        with transaction.atomic():
            if any(tag.symbol for tag in changed):  # two tags may swap symbols: free all of them first
                Tag.objects.filter(pk__in=[tag.pk for tag in changed]).update(symbol="")
            if changed:
                Tag.objects.bulk_update(changed, [*_FIELDS, "overrides", "retired_at"], batch_size=1000)
            Tag.objects.bulk_create(created, batch_size=1000)
    except IntegrityError as error:
        raise Conflict(_("A symbol is used twice in one work unit.")) from error
