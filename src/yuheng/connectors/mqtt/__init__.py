"""JSON over MQTT: from the built-in broker (nothing to run: the historian reads its log) or from an external one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from yuheng.gateway.connector import Context, Kind, Manifest, Session, Tier, opened, schema
from yuheng.gateway.mqtt_source import BuiltInSession, ExternalSession
from yuheng.gateway.payload_settings import BROKER, MAPPING


class MqttJsonConnector:
    """JSON payloads by MQTT topic."""

    manifest = Manifest(
        name="mqtt_json",
        title_zh="MQTT（JSON）",
        title_en="MQTT (JSON)",
        version="1.0",
        config_schema=schema({**MAPPING, "broker": BROKER}),
        kinds=frozenset((Kind.SUBSCRIBE,)),
        tier=Tier.SILVER,
        docs="connectors/mqtt.md",
    )

    def open(self, config: Mapping[str, Any], context: Context) -> AbstractAsyncContextManager[Session]:
        """Subscribe at the external broker, or only report health for the built-in one."""
        broker = config.get("broker")
        return opened(BuiltInSession(context) if broker is None else ExternalSession(broker, context))
