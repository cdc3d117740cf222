"""Everything that comes from the environment, in one place. The supervisor sets it for its children."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from yuheng.bus.tls import tls_files


@dataclass(frozen=True, slots=True)
class Environment:
    """Addresses and places. See ``docs/administrators.md`` for the meaning of each variable."""

    data_dir: Path
    database_url: str
    nats_url: str
    store_url: str
    web_host: str
    web_port: int
    gateway_port: int
    mqtt_port: int
    is_demo: bool
    is_tls: bool = False
    is_behind_proxy: bool = False
    has_mqtt_tls: bool = False

    @classmethod
    def read(cls) -> Environment:
        """Read the process environment; defaults suit one machine and loopback."""
        data_dir = Path(os.environ.get("YUHENG_DATA_DIR", "var")).absolute()
        return cls(
            data_dir=data_dir,
            database_url=os.environ.get("DATABASE_URL", ""),
            nats_url=os.environ.get("NATS_URL", ""),
            store_url=os.environ.get("YUHENG_STORE_URL", f"chdb://{data_dir / 'columns'}"),
            web_host=os.environ.get("YUHENG_HOST", "127.0.0.1"),
            web_port=int(os.environ.get("YUHENG_WEB_PORT", "8000")),
            gateway_port=int(os.environ.get("YUHENG_GATEWAY_PORT", "8080")),
            mqtt_port=int(os.environ.get("YUHENG_MQTT_PORT", "1883")),
            is_demo=os.environ.get("YUHENG_DEMO", "") == "1",
            is_tls=os.environ.get("YUHENG_TLS", "") == "1" or tls_files() is not None,
            is_behind_proxy=os.environ.get("YUHENG_TLS", "") == "1",
            has_mqtt_tls=os.environ.get("YUHENG_MQTT_TLS", "") == "1",
        )
