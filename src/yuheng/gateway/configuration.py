"""What the gateway needs of the configuration document, followed as it changes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable

import msgspec

from yuheng.bus import subjects
from yuheng.bus.documents import Device, Source
from yuheng.bus.wire import Connection, type_raw
from yuheng.gateway.connector import TagAddress

_KEY_SUBJECT = f"$KV.{subjects.CONFIG_BUCKET}.{subjects.CONFIG_KEY}"


class GatewayTag(msgspec.Struct, frozen=True):
    """What a session must know of a tag to read and to write it."""

    source_id: int
    address: str
    data_type: str
    scale: float = 1.0
    deadband: float = 0.0
    is_writable: bool = False


class GatewayPlant(msgspec.Struct, frozen=True):
    """`bus.documents.Plant` without its tags: reading 10,000 of them for nobody would hold the loop for nothing."""

    version: int
    sources: tuple[Source, ...] = ()
    devices: tuple[Device, ...] = ()
    addresses: dict[int, tuple[TagAddress, ...]] = {}  # by source; not in the document itself


class _Tags(msgspec.Struct, frozen=True):
    tags: tuple[GatewayTag, ...] = ()


class ConfigurationWatch:
    """Follows the document in the bucket; a document older than the one in force is ignored."""

    def __init__(
        self, take: Callable[[GatewayPlant], None], needs_tags: Callable[[str], bool] = lambda _: False
    ) -> None:
        """``needs_tags`` says of a connector's name whether its sessions must know the tags of their source."""
        self._take = take
        self._needs_tags = needs_tags
        self._decoder = msgspec.json.Decoder(GatewayPlant)
        self._tags = msgspec.json.Decoder(_Tags)
        self.version = -1
        self.complaint = ""

    async def follow(self, connection: Connection) -> None:
        """Subscribe on a new connection, then read what is there already. Raises `WireError` or `TimeoutError`."""
        connection.subscribe(_KEY_SUBJECT, self._changed)
        question = json.dumps({"last_by_subj": _KEY_SUBJECT}).encode()
        stream = f"KV_{subjects.CONFIG_BUCKET}"
        _, answer = await connection.request(f"$JS.API.STREAM.MSG.GET.{stream}", question)
        stored = json.loads(answer or b"{}").get("message")
        if stored:
            self._read(base64.b64decode(stored.get("data", "")))

    def _changed(self, items: list[type_raw]) -> None:
        self._read(items[-1][3])

    def _read(self, data: bytes) -> None:
        try:
            plant = self._decoder.decode(data)
            if plant.version <= self.version:
                return
            wanting = {
                source.id for source in plant.sources if source.is_enabled and self._needs_tags(source.connector)
            }
            if wanting:
                plant = msgspec.structs.replace(plant, addresses=_by_source(self._tags.decode(data).tags, wanting))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.complaint = f"The configuration document cannot be read, the last one stays in force: {error}"
            return
        self.complaint = ""
        self.version = plant.version
        self._take(plant)


def _by_source(tags: Iterable[GatewayTag], wanting: set[int]) -> dict[int, tuple[TagAddress, ...]]:
    found: dict[int, list[TagAddress]] = {source_id: [] for source_id in wanting}
    for tag in tags:
        if tag.source_id in found:
            deadband = tag.deadband / abs(tag.scale) if tag.deadband and tag.scale else 0.0
            found[tag.source_id].append(TagAddress(tag.address, tag.data_type, tag.is_writable, deadband))
    return {source_id: tuple(sorted(addresses)) for source_id, addresses in found.items()}
