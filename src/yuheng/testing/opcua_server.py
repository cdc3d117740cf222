"""A real OPC UA server for tests, in a process of its own that can be killed, and told over its standard input.

``python -m yuheng.testing.opcua_server '<json options>'`` reads one JSON command a line and answers each with one line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.history import HistoryDict

URI = "urn:yuheng:test"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POLICIES = (
    ua.SecurityPolicyType.NoSecurity,
    ua.SecurityPolicyType.Basic256Sha256_Sign,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_Sign,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
)


class _Users:
    """Knows one user with a password, whoever shows a certificate, and anybody when nobody is asked for."""

    def __init__(self, password: str) -> None:
        self._password = password

    def get_user(self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> Any:
        if username is None:
            return User(role=UserRole.User)
        return User(role=UserRole.User) if (username, password) == ("operator", self._password) else None


class TestServer:
    """One server and the nodes that were asked for."""

    __test__ = False  # not a test, whatever its name begins with

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._server = Server(user_manager=_Users(options["password"]) if options.get("password") else None)
        self._index = 0
        self._nodes: dict[str, Any] = {}
        self._folder: Any = None

    async def start(self) -> None:
        """Start to listen, and add the nodes of the options."""
        server, options = self._server, self._options
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{options['port']}/")
        server.set_server_name("Yuheng test server")
        if options.get("certificate"):
            await server.load_certificate(Path(options["certificate"]))
            await server.load_private_key(Path(options["key"]))
            server.set_security_policy(list(POLICIES))
        else:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        if options.get("password"):
            tokens = [ua.UserNameIdentityToken, ua.X509IdentityToken]
            server.set_identity_tokens(tokens if options.get("no_anonymous") else [ua.AnonymousIdentityToken, *tokens])
        for uri in options.get("namespaces_before", ()):
            await server.register_namespace(uri)
        self._index = await server.register_namespace(URI)
        if options.get("history"):
            server.iserver.history_manager.set_storage(HistoryDict(int(options.get("history_page", 10_000))))
        for name, value in options.get("limits", {}).items():
            await server.get_node(getattr(ua.ObjectIds, name)).write_value(ua.UInt32(value))
        await server.start()
        if options.get("nodes"):
            await self.add(options["nodes"])

    async def stop(self) -> None:
        """Stop as a server does that is shut down."""
        await self._server.stop()

    async def carry_out(self, command: Mapping[str, Any]) -> Any:
        """Carry out one command and return what is answered."""
        return await getattr(self, command["do"])(**{name: value for name, value in command.items() if name != "do"})

    async def add(self, nodes: Mapping[str, Any]) -> int:
        """Add variables by name with a first value; a list makes an array. Historized when the server has a history."""
        for name, value in nodes.items():
            if name in self._nodes:
                continue
            if len(self._nodes) % 100 == 0:  # the library looks through all nodes of a folder for each new one
                self._folder = await self._server.nodes.objects.add_folder(
                    self._index, f"Part {len(self._nodes) // 100}"
                )
            folder = self._folder
            node_id = ua.NodeId(name, self._index)
            first = ua.DataValue(_variant(value), SourceTimestamp=datetime.now(UTC), ServerTimestamp=datetime.now(UTC))
            node = await folder.add_variable(node_id, name, first.Value)
            await node.set_writable()
            self._nodes[name] = node
            if self._options.get("history"):
                await self._server.historize_node_data_change(
                    node, period=None, count=int(self._options.get("keeps", 0))
                )
        return len(self._nodes)

    async def write(self, name: str, values: list[Any], start_us: int = 0, step_us: int = 1) -> None:
        """Write values one after the other; with stamps from ``start_us`` on when it is given."""
        for at, value in enumerate(values):
            await self._write(name, value, start_us + at * step_us if start_us else 0)

    async def write_all(self, prefix: str, count: int, value: float, start_us: int = 0) -> None:
        """Write one value to each of ``prefix0``, ``prefix1``, ..."""
        for at in range(count):
            await self._write(f"{prefix}{at}", value, start_us)

    async def _write(self, name: str, value: Any, at_us: int = 0, status: int = 0) -> None:
        at = EPOCH + timedelta(microseconds=at_us) if at_us else datetime.now(UTC)
        data = ua.DataValue(
            _variant(value),
            StatusCode=ua.StatusCode(ua.UInt32(status)),
            SourceTimestamp=at,
            ServerTimestamp=datetime.now(UTC),
        )
        await self._server.write_attribute_value(self._nodes[name].nodeid, data)

    async def write_status(self, name: str, value: Any, status: int) -> None:
        """Write a value with a status."""
        await self._write(name, value, status=status)

    async def read(self, name: str) -> Any:
        """Return a value."""
        return await self._nodes[name].read_value()

    async def unit(self, name: str, unit_id: int, shown: str) -> None:
        """Give a variable engineering units."""
        await self._nodes[name].add_property(
            self._index,
            "EngineeringUnits",
            ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", unit_id, ua.LocalizedText(shown)),
        )

    async def lock(self, name: str) -> None:
        """Take the right to write away."""
        await self._nodes[name].set_read_only()

    async def structure(self, name: str) -> None:
        """Add a variable of the server's own structure {Speed: Double, Axes: [{Position: Float, On: Boolean}]}."""
        from asyncua.common.structures104 import new_struct, new_struct_field  # noqa: PLC0415 - only here

        axis, _ = await new_struct(
            self._server,
            self._index,
            "Axis",
            [new_struct_field("Position", ua.VariantType.Float), new_struct_field("On", ua.VariantType.Boolean)],
        )
        await new_struct(
            self._server,
            self._index,
            "Recipe",
            [new_struct_field("Speed", ua.VariantType.Double), new_struct_field("Axes", axis, array=True)],
        )
        await self._server.load_data_type_definitions()
        made = ua.Recipe(Speed=12.5, Axes=[ua.Axis(Position=1.5, On=True), ua.Axis(Position=2.5, On=False)])
        node = await self._server.nodes.objects.add_variable(ua.NodeId(name, self._index), name, made)
        self._nodes[name] = node

    async def end_subscriptions(self) -> int:
        """Drop all subscriptions and sessions of clients, as after their lifetime."""
        service = self._server.iserver.subscription_service
        ids = [id_ for id_, each in service.subscriptions.items() if each.pub_request_callback is not None]
        for session in list(self._server.iserver._external_sessions.values()):
            await session.close_session(True)
        await service.delete_subscriptions(ids)
        return len(ids)

    async def sessions(self) -> int:
        """Return how many sessions clients have."""
        return len(self._server.iserver._external_sessions)


def _variant(value: Any) -> ua.Variant:
    if isinstance(value, dict):
        return ua.Variant(value["value"], getattr(ua.VariantType, value["type"]))
    kinds = {bool: ua.VariantType.Boolean, int: ua.VariantType.Int32, float: ua.VariantType.Double}
    one = value[0] if isinstance(value, list) and value else value
    return ua.Variant(value, kinds.get(type(one), ua.VariantType.String))


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _answer(found: Any) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


async def main(options: Mapping[str, Any]) -> None:
    """Serve until standard input ends."""
    server = TestServer(options)
    await server.start()
    _answer("ready")
    reader = await _lines()
    while line := await reader.readline():
        try:
            _answer({"found": await server.carry_out(json.loads(line))})
        except Exception as error:
            _answer({"error": f"{type(error).__name__}: {error}"})
    with suppress(Exception):
        await server.stop()


if __name__ == "__main__":
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    asyncio.run(main(json.loads(sys.argv[1])))
