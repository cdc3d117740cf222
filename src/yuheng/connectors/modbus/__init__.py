"""Modbus TCP: a client that polls the registers that tags name, and writes when it is allowed to."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from yuheng.connectors.modbus.register_map import RegisterMaps
from yuheng.gateway.connector import Context, Kind, Manifest, Session, Tier, schema, setting

_RATES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["every_s", "addresses"],
    "properties": {
        "every_s": {"type": "number", "minimum": 0.001, "maximum": 86400},
        "addresses": {"type": "array", "items": {"type": "string"}, "maxItems": 10_000},
    },
}


class ModbusConnector:
    """Modbus TCP servers, and the units behind Modbus gateways."""

    manifest = Manifest(
        name="modbus",
        title_zh="Modbus TCP",
        title_en="Modbus TCP",
        version="1.0",
        config_schema=schema(
            {
                "host": setting("string", "Host", "主机", minLength=1, maxLength=255),
                "port": setting("integer", "Port", "端口", minimum=1, maximum=65535, default=502),
                "every_s": setting(
                    "number", "Read every, seconds", "采集周期（秒）", minimum=0.001, maximum=86400, default=1
                ),
                "rates": setting(
                    "array",
                    "Other rhythms",
                    "其他采集周期",
                    'A list of {"every_s": 10, "addresses": ["1:holding:100-199"]}.',
                    items=_RATES,
                    maxItems=100,
                ),
                "timeout_s": setting(
                    "number", "Time for an answer, seconds", "应答超时（秒）", minimum=0.05, maximum=60, default=1
                ),
                "retries": setting("integer", "Tries after the first", "重试次数", minimum=0, maximum=10, default=1),
                "connections": setting(
                    "integer",
                    "Connections",
                    "连接数",
                    "A second one is opened only to look after units that do not answer.",
                    minimum=1,
                    maximum=2,
                    default=2,
                ),
                "pause_ms": setting(
                    "number", "Pause between requests, ms", "请求间隔（毫秒）", minimum=0, maximum=10_000, default=0
                ),
                "max_registers": setting(
                    "integer", "Registers in one request", "单次最多寄存器数", minimum=1, maximum=125, default=125
                ),
                "max_bits": setting(
                    "integer", "Coils in one request", "单次最多线圈数", minimum=1, maximum=2000, default=2000
                ),
                "gap_registers": setting(
                    "integer",
                    "Unused registers read along",
                    "允许顺带读取的空寄存器数",
                    "Neighbours at most so far apart are read in one request.",
                    minimum=0,
                    maximum=124,
                    default=8,
                ),
                "string_encoding": setting(
                    "string", "Text encoding", "文本编码", enum=["utf-8", "gb18030", "latin-1"], default="utf-8"
                ),
                "writes_as_many": setting(
                    "boolean", "Write with function 16 only", "仅用功能码 16 写入", default=False
                ),
                "merges_bits": setting(
                    "boolean",
                    "Merge bits",
                    "合并写入位",
                    "Where function 22 is missing: read the register, set the bit, write it back.",
                    default=False,
                ),
            },
            required=["host"],
        ),
        kinds=frozenset((Kind.POLL,)),
        tier=Tier.GOLD,
        can_write=True,
        can_browse=True,
        needs_tags=True,
        maps=RegisterMaps(),
        docs="connectors/modbus.md",
    )

    def open(self, config: Mapping[str, Any], context: Context) -> AbstractAsyncContextManager[Session]:
        """Poll what the source's tags name."""
        # pymodbus takes a while to import; the manifest must be readable without it.
        session = importlib.import_module("yuheng.connectors.modbus.session")
        return cast("AbstractAsyncContextManager[Session]", session.open_session(config, context))
