"""A real OPC UA server for the machines of an area: one object a machine, one variable a signal."""

from __future__ import annotations

import logging
from typing import Any

from asyncua import Server, ua

from yuheng.simulation.catalogue import COMMON_TAGS
from yuheng.simulation.layout import AreaSpec, PlantSpec, units_of
from yuheng.simulation.served import utc
from yuheng.simulation.speakers import Sample

for _name in ("asyncua", "asyncua.server.address_space"):
    logging.getLogger(_name).setLevel(logging.ERROR)  # a client that leaves is no news

_TYPES = {
    "bool": (ua.VariantType.Boolean, False),
    "int": (ua.VariantType.UInt32, 0),
    "float": (ua.VariantType.Float, 0.0),
    "text": (ua.VariantType.String, ""),
}


def make_server(plant: PlantSpec, area: AreaSpec, port: int) -> OpcUaArea:
    """Return the server of an area."""
    return OpcUaArea(plant, area, port)


class OpcUaArea:
    """``ns=<plant>;s=<machine>.<symbol>`` for every signal, below an object for each machine."""

    def __init__(self, plant: PlantSpec, area: AreaSpec, port: int) -> None:
        self._plant = plant
        self._area = area
        self.port = port
        self._server: Any = None
        self._nodes: dict[str, tuple[Any, ua.VariantType]] = {}
        self._shown: dict[str, Any] = {}

    async def prepare(self) -> None:
        """Make the address space."""
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/")
        server.set_server_name(f"{self._plant.site[2]}, {self._area.name_en}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await server.register_namespace(self._plant.opcua_uri)
        folder = await server.nodes.objects.add_folder(ua.NodeId(self._area.code, index), self._area.name_en)
        for unit in units_of(self._area):
            machine = await folder.add_object(ua.NodeId(unit.code, index), unit.code)
            signals = [(tag.symbol, tag.name_en, tag.data_type) for tag in COMMON_TAGS]
            signals += [(channel.symbol, channel.name_en, "float") for channel in unit.kind.channels]
            for symbol, name, data_type in signals:
                kind, first = _TYPES[data_type]
                identifier = f"{unit.code}.{symbol}"
                node = await machine.add_variable(ua.NodeId(identifier, index), symbol, ua.Variant(first, kind))
                await node.write_attribute(
                    ua.AttributeIds.DisplayName, ua.DataValue(ua.Variant(ua.LocalizedText(name, "en")))
                )
                self._nodes[identifier] = (node.nodeid, kind)
        self._server = server

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def show(self, samples: list[Sample], fallen: list[str]) -> None:
        """Write what is new; a silent machine's variables are bad for want of communication."""
        for code in fallen:
            bad = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNoCommunication))
            for identifier, (node_id, _kind) in self._nodes.items():
                if identifier.startswith(f"{code}."):
                    self._shown.pop(identifier, None)
                    await self._server.write_attribute_value(node_id, bad)
        for sample in samples:
            at = utc(sample.at_ms)
            for symbol, value in sample.values.items():
                identifier = f"{sample.work_unit}.{symbol}"
                if self._shown.get(identifier) == value:
                    continue
                self._shown[identifier] = value
                node_id, kind = self._nodes[identifier]
                said = ua.DataValue(ua.Variant(value, kind), SourceTimestamp=at, ServerTimestamp=at)
                await self._server.write_attribute_value(node_id, said)

    async def stop(self) -> None:
        """Close the port."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()
