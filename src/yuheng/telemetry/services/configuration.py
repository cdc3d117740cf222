"""The configuration document and the broker's list of devices, read from the tables in a fixed number of queries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from yuheng.bus import documents
from yuheng.equipment import selectors as equipment
from yuheng.telemetry.models import DataSource, Device, StateRule, StateRuleSet, Tag, TagClass, TagWriting
from yuheng.telemetry.rules import microseconds, sparkplug_subscriptions, subjects_of_filters
from yuheng.telemetry.selectors.formulas import Names, names_of_site

DEFAULT_SILENCE_S = 60.0
_TAG_COLUMNS = (
    "pk",
    "source_id",
    "address",
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
    "site_id",
)


def build_plant(version: int) -> documents.Plant:
    """Return everything the gateway and the historian need to know.

    Notes
    -----
    Nine queries, whatever the number of tags, and one for each site with calculated tags; 10,000 tags in well under a
    second. Codes that two sites share
    (tag classes, equipment classes) are told apart by the site's id: ``standard``, ``standard@2``.
    """
    class_names, tag_classes = _tag_classes()
    tags = _tags(class_names)
    rule_names, work_units = _work_units(tags)
    return documents.Plant(
        version=version,
        sources=_sources(),
        tags=tags,
        tag_classes=tag_classes,
        work_units=work_units,
        rule_sets=_rule_sets(rule_names),
        devices=_devices(),
        rederive=_rederive(rule_names),
    )


def render_devices() -> str:
    """Return nats-server's user maps of the active devices, one a line.

    A device may publish its own topics, hear what it was given, and speak MQTT only: the NATS port is not its door.
    A Sparkplug node also hears the commands to itself and the state of the host.
    """
    return "".join(json.dumps(_user(device)) + "\n" for device in Device.objects.filter(is_active=True))


def _user(device: Device) -> dict[str, Any]:
    hears = [*device.subscribe_topics, *sparkplug_subscriptions(device.publish_topics)]
    publish = subjects_of_filters(device.publish_topics)
    subscribe = subjects_of_filters(hears)
    return {
        "user": device.username,
        "password": device.broker_hash,
        "allowed_connection_types": ["MQTT", "MQTT_WS"],
        "permissions": {
            "publish": {"allow": publish} if publish else {"deny": [">"]},
            "subscribe": {"allow": subscribe} if subscribe else {"deny": [">"]},
        },
    }


def _tag_classes() -> tuple[dict[int, str], tuple[documents.TagClass, ...]]:
    rows = list(TagClass.objects.order_by("site_id", "code"))
    names = _distinct_names((row.pk, row.site_id, row.code) for row in rows)
    classes = [
        documents.TagClass(
            code=names[row.pk],
            raw_days=row.raw_days,
            minute_days=row.minute_days,
            hour_days=row.hour_days,
            is_time_weighted=row.is_time_weighted,
        )
        for row in rows
    ]
    if "standard" not in {tag_class.code for tag_class in classes}:
        classes.append(documents.TagClass("standard"))
    return names, tuple(classes)


def _distinct_names(rows: Iterable[tuple[int, int, str]]) -> dict[int, str]:
    """Map each key to its code; to ``code@site`` when an earlier site has that code."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for key, site_id, code in rows:
        names[key] = code if code not in taken else f"{code}@{site_id}"
        taken.add(names[key])
    return names


def _tags(class_names: dict[int, str]) -> tuple[documents.Tag, ...]:
    writable = set(TagWriting.objects.values_list("pk", flat=True))
    rows = (
        Tag.objects.filter(retired_at__isnull=True).order_by("pk").values_list(*_TAG_COLUMNS).iterator(chunk_size=5000)
    )
    names: dict[int, Names] = {}

    def inputs(row: tuple[Any, ...]) -> dict[str, int]:
        """Return what the names of a formula mean; one query a site that has formulas."""
        if not row[15]:
            return {}
        site_id = row[16]
        if site_id not in names:
            names[site_id] = names_of_site(site_id)
        return names[site_id].inputs(row[15], row[4])

    return tuple(
        documents.Tag(
            id=row[0],
            source_id=row[1],
            address=row[2],
            data_type=row[3],
            work_unit_id=row[4],
            symbol=row[5],
            role=row[6],
            name_zh=row[7],
            name_en=row[8],
            unit=row[9],
            scale=row[10],
            offset=row[11],
            deadband=row[12],
            tag_class=class_names[row[13]],
            stale_after_s=row[14],
            is_writable=row[0] in writable,
            formula=row[15],
            inputs=inputs(row),
        )
        for row in rows
    )


def _work_units(tags: Iterable[documents.Tag]) -> tuple[dict[int, str], tuple[documents.WorkUnit, ...]]:
    symbols: dict[int, dict[str, int]] = {}
    for tag in tags:
        if tag.work_unit_id is not None and tag.symbol:
            symbols.setdefault(tag.work_unit_id, {})[tag.symbol] = tag.id
    rows = equipment.configured_work_units()
    silences = dict(StateRuleSet.objects.values_list("pk", "no_data_after_s"))
    classes = sorted({(row.site_id, row.class_code, row.class_id) for row in rows if row.class_id is not None})
    names = _distinct_names((class_id, site_id, code) for site_id, code, class_id in classes)
    units = tuple(
        documents.WorkUnit(
            id=row.id,
            site_id=row.site_id,
            code=row.code,
            rule_set="" if row.class_id is None else names[row.class_id],
            symbols=symbols.get(row.id, {}),
            no_data_after_s=DEFAULT_SILENCE_S
            if row.class_id is None
            else silences.get(row.class_id, DEFAULT_SILENCE_S),
        )
        for row in rows
    )
    return names, units


def _rule_sets(names: dict[int, str]) -> dict[str, tuple[documents.StateRule, ...]]:
    sets: dict[str, list[documents.StateRule]] = {}
    for rule in StateRule.objects.order_by("rule_set_id", "ordinal"):
        if rule.rule_set_id in names:
            rules = sets.setdefault(names[rule.rule_set_id], [])
            rules.append(documents.StateRule(state=rule.state, when=rule.when, cause=rule.cause))
    return {name: tuple(rules) for name, rules in sets.items()}


def _rederive(names: dict[int, str]) -> tuple[documents.Rederive, ...]:
    """Return the newest wish of each class whose past is to be judged anew. One query."""
    rows = StateRuleSet.objects.filter(rederive_asked_at__isnull=False).order_by("pk")
    return tuple(
        documents.Rederive(names[row.pk], microseconds(row.rederive_from), microseconds(row.rederive_asked_at))
        for row in rows
        if row.pk in names and row.rederive_from is not None and row.rederive_asked_at is not None
    )


def _sources() -> tuple[documents.Source, ...]:
    return tuple(
        documents.Source(
            id=row.pk,
            site_id=row.site_id,
            code=row.code,
            connector=row.connector,
            is_enabled=row.is_enabled and row.connector != documents.CALCULATED,
            topics=tuple(row.topics),
            settings=row.settings,
            allows_writes=row.allows_writes,
        )
        for row in DataSource.objects.order_by("pk")
    )


def _devices() -> tuple[documents.Device, ...]:
    rows = Device.objects.filter(is_active=True).order_by("pk").prefetch_related("sources")
    return tuple(
        documents.Device(
            username=row.username,
            password_sha256=row.password_sha256,
            source_ids=tuple(sorted(source.pk for source in row.sources.all())),
            publish_topics=tuple(row.publish_topics),
        )
        for row in rows
    )
