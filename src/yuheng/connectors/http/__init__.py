"""HTTP push: JSON batches and Influx line protocol, through the gateway's one door."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from yuheng.connectors.http.session import HttpPushSession
from yuheng.gateway.connector import Context, Kind, Manifest, Session, Tier, opened, schema, setting
from yuheng.gateway.payload_settings import MAPPING


class HttpPushConnector:
    """Machines and scripts that call us."""

    manifest = Manifest(
        name="http",
        title_zh="HTTP 推送（JSON、Influx 行协议）",
        title_en="HTTP push (JSON, Influx line protocol)",
        version="1.0",
        config_schema=schema(
            {
                **MAPPING,
                "line_address": setting(
                    "string", "Address of lines", "行协议地址格式", "Default: {measurement}/<tag values>/{field}."
                ),
                "line_tags": setting(
                    "array",
                    "Tags of lines that enter the address, in order",
                    "进入地址的标签",
                    items={"type": "string"},
                ),
            }
        ),
        kinds=frozenset((Kind.PUSH,)),
        tier=Tier.SILVER,
        docs="connectors/http.md",
    )

    def open(self, config: Mapping[str, Any], context: Context) -> AbstractAsyncContextManager[Session]:
        """Open the HTTP door for this source."""
        return opened(HttpPushSession(config, context))
