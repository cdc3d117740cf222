"""What the gateway needs of the configuration document, followed as it changes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import msgspec

from yuheng.bus import subjects
from yuheng.bus.documents import Device, Source
from yuheng.bus.wire import Connection, type_raw

_KEY_SUBJECT = f"$KV.{subjects.CONFIG_BUCKET}.{subjects.CONFIG_KEY}"


class GatewayPlant(msgspec.Struct, frozen=True):
    """`bus.documents.Plant` without its tags: reading 10,000 of them would hold the loop for nothing."""

    version: int
    sources: tuple[Source, ...] = ()
    devices: tuple[Device, ...] = ()


class ConfigurationWatch:
    """Follows the document in the bucket; a document older than the one in force is ignored."""

    def __init__(self, take: Callable[[GatewayPlant], None]) -> None:
        self._take = take
        self._decoder = msgspec.json.Decoder(GatewayPlant)
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
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.complaint = f"The configuration document cannot be read, the last one stays in force: {error}"
            return
        self.complaint = ""
        if plant.version > self.version:
            self.version = plant.version
            self._take(plant)
