"""The last messages of a source, as they came and as settings would read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from yuheng.engines.codec import Message, TagSpec, decoder_for
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.models import DataSource, Tag
from yuheng.telemetry.rules import moment
from yuheng.telemetry.selectors.history import HistorianAway, ask
from yuheng.telemetry.selectors.visible import one_visible

MAX_VALUES = 200
SHORTEST_SPAN_S = 1.0
"""Messages closer together than this are one scan of an edge device: no rate can be read from them."""

READ_BY_PREVIEW = frozenset({"mqtt_json", "sparkplug_b", "http"})


@dataclass(frozen=True, slots=True)
class Reading:
    """One value that the settings find in a message; ``tag_id`` None: no tag has the address yet."""

    address: str
    value: Any
    at: datetime
    tag_id: int | None
    reason: str
    is_switch: bool = False
    tag_name_zh: str = ""
    tag_name_en: str = ""


@dataclass(frozen=True, slots=True)
class PreviewedMessage:
    """One message and what became of it; ``refusal`` when nothing in it can be used."""

    topic: str
    payload: bytes
    arrived_at: datetime
    refusal: str = ""
    readings: list[Reading] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What came lately: ``per_s`` is estimated from the last messages; None when they are one burst."""

    messages: list[PreviewedMessage]
    newest_at: datetime | None
    per_s: float | None


class _Raw(msgspec.Struct):
    topic: str
    payload: bytes
    arrived_us: int


class _Answer(msgspec.Struct):
    messages: list[_Raw]


def last_messages(*, actor: Actor, source_id: int, settings: Mapping[str, Any] | None = None) -> Arrivals:
    """Return the last messages of a source (at most 20) read with its settings, or with those given.

    Raises
    ------
    NotVisible, HistorianAway
    InvalidInput
        The settings cannot be used; the sentence says why.
    """
    source: DataSource = one_visible(DataSource.objects.all(), actor, source_id)
    answer = ask(f"yh.preview.{source.pk}", b"", timeout_s=3.0)
    try:
        raw = msgspec.json.decode(answer, type=_Answer).messages
    except msgspec.DecodeError as error:
        raise HistorianAway(_("The historian gave an answer of another release; restart it.")) from error
    raw.sort(key=lambda message: message.arrived_us)
    tags = {tag.pk: tag for tag in Tag.objects.filter(source_id=source.pk, retired_at__isnull=True)}
    specs = [TagSpec(tag.pk, tag.address, tag.data_type, tag.scale, tag.offset) for tag in tags.values()]
    wanted = source.settings if settings is None else settings
    read = [_named(_read(source, wanted, specs, message), tags) for message in raw]
    span_s = (raw[-1].arrived_us - raw[0].arrived_us) / 1e6 if len(raw) > 1 else 0.0
    return Arrivals(
        messages=list(reversed(read)),
        newest_at=moment(raw[-1].arrived_us) if raw else None,
        per_s=(len(raw) - 1) / span_s if span_s >= SHORTEST_SPAN_S else None,
    )


def _named(message: PreviewedMessage, tags: Mapping[int, Tag]) -> PreviewedMessage:
    """Say of each reading which tag it is, and whether that is a switch."""
    readings = [_of_tag(reading, tags.get(reading.tag_id or 0)) for reading in message.readings]
    return replace(message, readings=readings)


def _of_tag(reading: Reading, tag: Tag | None) -> Reading:
    is_switch = isinstance(reading.value, bool) if tag is None else tag.data_type == "bool"
    if tag is None:
        return replace(reading, is_switch=is_switch)
    return replace(reading, is_switch=is_switch, tag_name_zh=tag.name_zh, tag_name_en=tag.name_en)


def _read(source: DataSource, settings: Mapping[str, Any], tags: Sequence[TagSpec], message: _Raw) -> PreviewedMessage:
    arrived_at = moment(message.arrived_us)
    if source.connector not in READ_BY_PREVIEW:
        return PreviewedMessage(message.topic, message.payload, arrived_at)
    try:
        decoder = decoder_for(source.connector, settings, source.topics, tags)
    except ValueError as error:
        raise InvalidInput(str(error), {"settings": str(error)}) from error
    batch = decoder.decode([Message(message.topic, message.payload, message.arrived_us)])
    addresses = {tag.id: tag.address for tag in tags}
    readings = [
        Reading(addresses.get(int(tag), ""), float(value), moment(int(at)), int(tag), "")
        for tag, value, at in zip(batch.points.tag, batch.points.value, batch.points.time_us, strict=True)
    ]
    readings += [Reading(addresses.get(t.tag, ""), t.text, moment(t.time_us), t.tag, "") for t in batch.texts]
    readings += [
        Reading(point.address, point.value, moment(point.time_us), None, point.reason.value)
        for _index, point in batch.refused
    ]
    refusal = " ".join(sentence or reason.value for _index, reason, sentence in batch.refused_messages)
    return PreviewedMessage(message.topic, message.payload, arrived_at, refusal, readings[:MAX_VALUES])
