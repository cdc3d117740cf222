"""Sparkplug sessions: MQTT, and the one command a host sends: rebirth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yuheng.engines.codec import rebirth_command
from yuheng.gateway.connector import CommandRefused, Context
from yuheng.gateway.mqtt_source import BuiltInSession, ExternalSession


class BuiltInSparkplug(BuiltInSession):
    """Edge nodes at the built-in broker."""

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """Ask an edge node for its birth certificates."""
        topic, payload = _rebirth(command, self.context)
        await self.context.tell_broker(topic, payload)
        self.context.count("rebirths_requested")
        return f"Asked for a rebirth at {topic}."


class ExternalSparkplug(ExternalSession):
    """Edge nodes at an external broker."""

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """Ask an edge node for its birth certificates."""
        topic, payload = _rebirth(command, self.context)
        await self.publish(topic, payload)
        self.context.count("rebirths_requested")
        return f"Asked for a rebirth at {topic}."


def _rebirth(command: Mapping[str, Any], context: Context) -> tuple[str, bytes]:
    group, edge_node = command.get("group"), command.get("edge_node")
    if command.get("kind") != "rebirth":
        raise CommandRefused(f"Sparkplug sources know the command 'rebirth', not '{command.get('kind')}'.")
    for name in (group, edge_node):
        if not isinstance(name, str) or not name or any(char in "/+#" for char in name):
            raise CommandRefused("A rebirth names a group and an edge node, without '/', '+' and '#'.")
    return rebirth_command(str(group), str(edge_node), context.now_us())
