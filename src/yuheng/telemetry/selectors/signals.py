"""Data sources, devices, tags, tag classes and state rules, as screens and the API show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.telemetry.models import (
    DataSource,
    DeadLetterGroup,
    Device,
    StateRule,
    StateRuleSet,
    Tag,
    TagClass,
    TemplateTag,
)
from yuheng.telemetry.rules import DeadLetterState
from yuheng.telemetry.selectors.visible import VIEW, of_visible_sites, one_visible
from yuheng.telemetry.source_settings import masked

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A data source with what hangs on it; ``dead_letters`` counts messages and points of open groups.

    ``settings`` have no passwords, see `telemetry.source_settings`.
    """

    id: int
    site_id: int
    site_code: str
    code: str
    connector: str
    topics: list[str]
    settings: dict[str, Any]
    is_enabled: bool
    makes_tags_by_itself: bool
    own_tags_limit: int
    tag_count: int
    dead_letters: int
    allows_writes: bool = False


def sources(*, actor: Actor, site_id: int | None = None) -> list[SourceRow]:
    """Data sources the actor sees, by site and code. Three queries."""
    rows = of_visible_sites(DataSource.objects.all(), actor).select_related("site").order_by("site__code", "code")
    return _source_rows(rows if site_id is None else rows.filter(site_id=site_id))


def source(*, actor: Actor, source_id: int) -> SourceRow:
    """One data source. Four queries. Raises `NotVisible`."""
    one_visible(DataSource.objects.all(), actor, source_id)
    return _source_rows(DataSource.objects.filter(pk=source_id).select_related("site"))[0]


def _source_rows(rows: Any) -> list[SourceRow]:
    found = list(rows)
    ids = [row.pk for row in found]
    tag_counts = dict(
        Tag.objects.filter(source_id__in=ids, retired_at__isnull=True)
        .order_by()
        .values_list("source_id")
        .annotate(number=Count("pk"))
    )
    dead: dict[int, int] = {}
    open_groups = DeadLetterGroup.objects.filter(source_id__in=ids, state=DeadLetterState.OPEN)
    for source_id, count in open_groups.values_list("source_id", "count"):
        dead[source_id] = dead.get(source_id, 0) + count
    return [
        SourceRow(
            id=row.pk,
            site_id=row.site_id,
            site_code=row.site.code,
            code=row.code,
            connector=row.connector,
            topics=row.topics,
            settings=masked(row.settings),
            is_enabled=row.is_enabled,
            makes_tags_by_itself=row.makes_tags_by_itself,
            own_tags_limit=row.own_tags_limit,
            tag_count=tag_counts.get(row.pk, 0),
            dead_letters=dead.get(row.pk, 0),
            allows_writes=row.allows_writes,
        )
        for row in found
    ]


@dataclass(frozen=True, slots=True)
class DeviceRow:
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


def devices(*, actor: Actor, site_id: int | None = None, source_id: int | None = None) -> list[DeviceRow]:
    """Devices the actor sees, by name. Two queries."""
    rows = of_visible_sites(Device.objects.all(), actor)
    if site_id is not None:
        rows = rows.filter(site_id=site_id)
    if source_id is not None:
        rows = rows.filter(sources=source_id)
    return [_device_row(row) for row in rows.select_related("site").prefetch_related("sources").order_by("username")]


def device(*, actor: Actor, device_id: int) -> DeviceRow:
    """One device. Two queries. Raises `NotVisible`."""
    rows = Device.objects.select_related("site").prefetch_related("sources")
    return _device_row(one_visible(rows, actor, device_id))


def _device_row(row: Device) -> DeviceRow:
    fed = sorted(row.sources.all(), key=lambda source: source.code)
    return DeviceRow(
        id=row.pk,
        site_id=row.site_id,
        site_code=row.site.code,
        username=row.username,
        publish_topics=row.publish_topics,
        subscribe_topics=row.subscribe_topics,
        sources=[source.code for source in fed],
        source_ids=[source.pk for source in fed],
        is_active=row.is_active,
        issued_at=row.issued_at,
        revoked_at=row.revoked_at,
    )


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag with the codes of what it belongs to; ``overrides``: fields that differ from its template by hand.

    ``formula`` is that of a calculated tag, else empty.
    """

    id: int
    site_id: int
    source_id: int
    source: str
    address: str
    data_type: str
    work_unit_id: int | None
    work_unit: str
    symbol: str
    role: str
    name_zh: str
    name_en: str
    unit: str
    scale: float
    offset: float
    deadband: float
    tag_class: str
    stale_after_s: float
    is_templated: bool = False
    overrides: tuple[str, ...] = ()
    is_retired: bool = False
    formula: str = ""


@dataclass(frozen=True, slots=True)
class TagPage:
    """One page of tags and how many there are in all."""

    total: int
    offset: int
    tags: list[TagRow]


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Which tags; None: whatever. ``text`` is looked for in address, names and symbol, and in unit and area.

    ``is_overridden``: only those that differ from their template somewhere. ``is_retired``: only those no longer read.
    """

    site_id: int | None = None
    source_id: int | None = None
    work_unit_id: int | None = None
    text: str = ""
    role: str | None = None
    data_type: str | None = None
    tag_ids: tuple[int, ...] | None = None
    equipment_class_id: int | None = None
    is_overridden: bool = False
    is_retired: bool = False
    area_id: int | None = None


def tags(*, actor: Actor, wanted: TagFilter, offset: int = 0, limit: int = 100) -> TagPage:
    """Tags the actor sees, by source and address. Two queries."""
    rows = wanted_rows(actor=actor, wanted=wanted)
    offset, limit = max(0, offset), min(max(1, limit), MAX_PAGE)
    total = rows.count()
    page = rows.select_related("source", "work_unit", "tag_class").order_by("source__code", "address", "pk")
    return TagPage(total, offset, [_tag_row(row) for row in page[offset : offset + limit]])


def wanted_rows(*, actor: Actor, wanted: TagFilter) -> Any:
    """The rows of the tags that a filter keeps, for services that change all of them."""
    rows = of_visible_sites(Tag.objects.filter(retired_at__isnull=not wanted.is_retired), actor)
    exact = {
        "site_id": wanted.site_id,
        "source_id": wanted.source_id,
        "work_unit_id": wanted.work_unit_id,
        "role": wanted.role,
        "data_type": wanted.data_type,
        "work_unit__work_center__area_id": wanted.area_id,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value is not None})
    if wanted.tag_ids is not None:
        rows = rows.filter(pk__in=wanted.tag_ids)
    if wanted.equipment_class_id is not None:
        rows = rows.filter(work_unit__equipment_class_id=wanted.equipment_class_id)
    if wanted.is_overridden:
        rows = rows.exclude(overrides=[])
    for word in wanted.text.split()[:8]:
        rows = rows.filter(
            Q(address__icontains=word)
            | Q(name_zh__icontains=word)
            | Q(name_en__icontains=word)
            | Q(symbol__icontains=word)
            | Q(work_unit__code__icontains=word)
            | Q(work_unit__name_zh__icontains=word)
            | Q(work_unit__name_en__icontains=word)
            | Q(work_unit__work_center__area__name_zh__icontains=word)
            | Q(work_unit__work_center__area__name_en__icontains=word)
        )
    return rows


def tag(*, actor: Actor, tag_id: int) -> TagRow:
    """One tag. One query. Raises `NotVisible`."""
    return _tag_row(one_visible(Tag.objects.select_related("source", "work_unit", "tag_class"), actor, tag_id))


def tags_of_work_unit(*, actor: Actor, work_unit_id: int) -> list[TagRow]:
    """Every tag of a work unit, by address. One query."""
    rows = of_visible_sites(Tag.objects.filter(work_unit_id=work_unit_id, retired_at__isnull=True), actor)
    return [_tag_row(row) for row in rows.select_related("source", "work_unit", "tag_class").order_by("address")]


def _tag_row(row: Tag) -> TagRow:
    return TagRow(
        id=row.pk,
        site_id=row.site_id,
        source_id=row.source_id,
        source=row.source.code,
        address=row.address,
        data_type=row.data_type,
        work_unit_id=row.work_unit_id,
        work_unit=row.work_unit.code if row.work_unit is not None else "",
        symbol=row.symbol,
        role=row.role,
        name_zh=row.name_zh,
        name_en=row.name_en,
        unit=row.unit,
        scale=row.scale,
        offset=row.offset,
        deadband=row.deadband,
        tag_class=row.tag_class.code,
        stale_after_s=row.stale_after_s,
        is_templated=row.template_tag_id is not None,
        overrides=tuple(row.overrides),
        is_retired=row.retired_at is not None,
        formula=row.formula,
    )


@dataclass(frozen=True, slots=True)
class TagClassRow:
    """How long tags of a class are kept; days, 0 for ever."""

    code: str
    raw_days: int
    minute_days: int
    hour_days: int
    is_time_weighted: bool


def tag_classes(*, actor: Actor, site_id: int) -> list[TagClassRow]:
    """The tag classes of a site, by code. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = TagClass.objects.filter(site_id=site_id).order_by("code")
    return [TagClassRow(r.code, r.raw_days, r.minute_days, r.hour_days, r.is_time_weighted) for r in rows]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One state rule."""

    state: int
    when: str
    cause: str


@dataclass(frozen=True, slots=True)
class RuleSetRow:
    """The state rules of an equipment class, and which symbols its template and the tags of its units offer."""

    equipment_class_id: int
    site_id: int
    class_code: str
    class_name_zh: str
    class_name_en: str
    unit_count: int
    no_data_after_s: float
    rules: list[RuleRow]
    symbols: list[str]


def state_rules(*, actor: Actor, equipment_class_id: int) -> RuleSetRow:
    """The rules of a class. Five queries. Raises `NotVisible`."""
    kind = equipment.equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(VIEW, site_id=kind.site_id)
    rule_set = StateRuleSet.objects.filter(pk=kind.id).first()
    rules = StateRule.objects.filter(rule_set_id=kind.id).order_by("ordinal")
    symbols = (
        Tag.objects.filter(work_unit__equipment_class_id=kind.id, retired_at__isnull=True)
        .exclude(symbol="")
        .order_by("symbol")
    )
    in_template = TemplateTag.objects.filter(template_id=kind.id)  # a class whose machines are still to be made
    return RuleSetRow(
        equipment_class_id=kind.id,
        site_id=kind.site_id,
        class_code=kind.code,
        class_name_zh=kind.name_zh,
        class_name_en=kind.name_en,
        unit_count=kind.unit_count,
        no_data_after_s=rule_set.no_data_after_s if rule_set is not None else 60.0,
        rules=[RuleRow(rule.state, rule.when, rule.cause) for rule in rules],
        symbols=sorted(
            {*symbols.values_list("symbol", flat=True).distinct(), *in_template.values_list("symbol", flat=True)}
        ),
    )
