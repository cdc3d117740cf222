"""Replay of recordings: CSV and Parquet files, in real time, accelerated, or as backfill with original stamps."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from yuheng.engines.codec.moments import TIME_FORMATS
from yuheng.gateway.connector import Context, Kind, Manifest, Session, Tier, opened, schema, setting


class FileReplayConnector:
    """Recordings as if they happened now, or when they happened."""

    manifest = Manifest(
        name="files",
        title_zh="文件回放（CSV、Parquet）",
        title_en="File replay (CSV, Parquet)",
        version="1.0",
        config_schema=schema(
            {
                "path": setting("string", "File or directory", "文件或目录", minLength=1),
                "pattern": setting("string", "Files of a directory", "目录中的文件", default="*.csv"),
                "layout": setting("string", "Layout", "布局", enum=["wide", "long"], default="wide"),
                "delimiter": setting("string", "Delimiter", "分隔符", "One character; empty: found out.", maxLength=1),
                "decimal": setting("string", "Decimal sign", "小数点", enum=[".", ","], default="."),
                "encoding": setting("string", "Text encoding", "文本编码", default="utf-8-sig"),
                "time_column": setting("string", "Column of the time", "时间列", "Empty: the first column."),
                "time_format": setting("string", "Format of the time", "时间格式", enum=list(TIME_FORMATS)),
                "time_zone": setting("string", "Time zone of times without one", "无时区时间的时区", default="UTC"),
                "name_column": setting("string", "Column of the name (long)", "名称列（长表）", default="name"),
                "value_column": setting("string", "Column of the value (long)", "数值列（长表）", default="value"),
                "columns": setting(
                    "object",
                    "Column to address",
                    "列到地址",
                    "Empty: every column under its own name.",
                    additionalProperties={"type": "string"},
                ),
                "address_prefix": setting("string", "Beginning of addresses", "地址前缀", default=""),
                "stamps": setting(
                    "string",
                    "Times",
                    "时间",
                    "now: as if it happened now; as_recorded: backfill with original stamps.",
                    enum=["now", "as_recorded"],
                    default="now",
                ),
                "speed": setting("number", "Speed", "速度", "Only for now: ×1 to ×1000.", minimum=1, maximum=1000),
                "follow": setting(
                    "boolean", "Wait for more files", "等待新文件", "Files appear by renaming.", default=False
                ),
                "loop": setting("boolean", "Begin again at the end", "循环", "Only for now.", default=False),
            },
            required=["path"],
        ),
        kinds=frozenset((Kind.REPLAY,)),
        tier=Tier.SILVER,
        docs="connectors/files.md",
    )

    def open(self, config: Mapping[str, Any], context: Context) -> AbstractAsyncContextManager[Session]:
        """Replay from the saved position."""
        # Reading Parquet needs a large library; the manifest must be readable without it.
        replay = importlib.import_module("yuheng.connectors.files.replay")
        return opened(replay.ReplaySession(config, context))
