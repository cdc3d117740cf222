"""One source behind the HTTP door."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from yuheng.engines.codec import MAX_PAYLOAD_BYTES
from yuheng.engines.codec.json_payload import what_is_wrong_with_json
from yuheng.engines.codec.line_protocol import what_is_wrong_with_lines
from yuheng.gateway.connector import CommandRefused, Context, PayloadRefused, Pushed, State


class HttpPushSession:
    """Keeps what is pushed; a body that can never be read is kept too, and its sender is told."""

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        self._context = context
        self._max_bytes = int(config.get("max_payload_bytes", MAX_PAYLOAD_BYTES))
        self._encoding = str(config.get("encoding", "utf-8"))

    async def run(self) -> None:
        """Accept pushes until cancelled."""
        async with self._context.accept_pushes(self._take):
            self._context.set_health(State.CONNECTED, "The HTTP door is open for this source.")
            await asyncio.get_running_loop().create_future()

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """Nobody can tell a caller anything."""
        raise CommandRefused("An HTTP source calls us; it cannot be given commands.")

    async def _take(self, pushed: Pushed) -> str:
        if len(pushed.body) > self._max_bytes:
            raise PayloadRefused(f"The body has {len(pushed.body)} bytes; the limit is {self._max_bytes}.")
        if pushed.path == "write":
            topic = f"write?{pushed.query}" if pushed.query else "write"
            trouble = what_is_wrong_with_lines(pushed.body, topic)
        else:
            topic = pushed.path
            trouble = what_is_wrong_with_json(pushed.body, self._encoding)
        await self._context.emit_raw(topic, pushed.body)
        self._context.count("received")
        if trouble:
            self._context.count("unreadable")
        return trouble
