"""Sparkplug B: from the built-in broker (the historian reads its log) or from an external one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from yuheng.connectors.sparkplug.session import BuiltInSparkplug, ExternalSparkplug
from yuheng.gateway.connector import Context, Kind, Manifest, Session, Tier, opened, schema, setting
from yuheng.gateway.payload_settings import BROKER, MAX_PAYLOAD


class SparkplugConnector:
    """Sparkplug B edge nodes and devices."""

    manifest = Manifest(
        name="sparkplug_b",
        title_zh="Sparkplug B",
        title_en="Sparkplug B",
        version="1.0",
        config_schema=schema(
            {
                "has_group_in_address": setting(
                    "boolean", "Addresses begin with the group", "地址包含组名", default=False
                ),
                "max_payload_bytes": MAX_PAYLOAD,
                "broker": BROKER,
            }
        ),
        kinds=frozenset((Kind.SUBSCRIBE,)),
        tier=Tier.SILVER,
        docs="connectors/sparkplug.md",
    )

    def open(self, config: Mapping[str, Any], context: Context) -> AbstractAsyncContextManager[Session]:
        """Subscribe at the external broker, or only pass rebirth commands on to the built-in one."""
        broker = config.get("broker")
        return opened(BuiltInSparkplug(context) if broker is None else ExternalSparkplug(broker, context))
