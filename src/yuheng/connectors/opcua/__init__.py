"""OPC UA: a client that subscribes, bridges interruptions, browses and writes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from yuheng.connectors.opcua.settings import SCHEMA, read_settings
from yuheng.gateway.connector import Context, Kind, Manifest, Session, Tier, opened


class OpcUaConnector:
    """One OPC UA server."""

    manifest = Manifest(
        name="opcua",
        title_zh="OPC UA",
        title_en="OPC UA",
        version="1.0",
        config_schema=SCHEMA,
        kinds=frozenset((Kind.SUBSCRIBE,)),
        tier=Tier.GOLD,
        can_write=True,
        can_browse=True,
        needs_tags=True,
        docs="connectors/opcua.md",
    )

    def open(self, config: Mapping[str, Any], context: Context) -> AbstractAsyncContextManager[Session]:
        """Connect to the server when it runs."""
        # The protocol is a large library; the manifest must be readable without it.
        session = importlib.import_module("yuheng.connectors.opcua.session")
        return opened(session.OpcUaSession(read_settings(config), context))
