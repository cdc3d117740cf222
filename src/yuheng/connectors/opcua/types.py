"""What type a node's value has, as far as reading parts of it and writing to it need to know."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from asyncua import ua

from yuheng.connectors.opcua.addresses import AddressWrong, NodeName, index_of, parse_address
from yuheng.connectors.opcua.link import Link

MAX_DEPTH = 16
_BUILT_IN_LAST = 25

TYPE_NAMES: dict[int, str] = {
    1: "bool",
    **dict.fromkeys((2, 3, 4, 5, 6, 7, 8, 9, 27, 28, 29), "int"),
    **dict.fromkeys((10, 11, 26), "float"),
}
"""Number of a data type of the standard to the data type of a tag; others are text."""


class TypeReader:
    """Reads and remembers the type hierarchy of one server."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._super: dict[ua.NodeId, ua.NodeId | None] = {}

    def find(self, node: NodeName) -> ua.NodeId | None:
        """Return a node by this server's index; None when it has no such namespace."""
        index = index_of(node, self._link.namespaces)
        return None if index is None else ua.NodeId(node.identifier, ua.Int16(index))

    def name(self, node: ua.NodeId) -> NodeName:
        """Return a node of this server by its namespace's URI."""
        index = int(node.NamespaceIndex)
        is_standard = index == 0 or index >= len(self._link.namespaces)
        uri = "" if is_standard else self._link.namespaces[index]
        identifier: Any = node.Identifier
        return NodeName(identifier, uri, 0 if uri else index)

    async def definition(self, data_type: ua.NodeId) -> Any:
        """Return the DataTypeDefinition of a data type; None when the server gives none."""
        (found,) = await self._link.read([data_type], ua.AttributeIds.DataTypeDefinition)
        return found.Value.Value if found.StatusCode.is_good() and found.Value is not None else None

    async def super_type(self, data_type: ua.NodeId) -> ua.NodeId | None:
        """Return what a data type is derived from; None at the top."""
        if data_type not in self._super:
            description = ua.BrowseDescription(
                NodeId=data_type,
                BrowseDirection=ua.BrowseDirection.Inverse,
                ReferenceTypeId=ua.NodeId(ua.ObjectIds.HasSubtype),
                IncludeSubtypes=False,
                NodeClassMask=ua.UInt32(0),
                ResultMask=ua.UInt32(0),
            )
            params = ua.BrowseParameters(NodesToBrowse=[description])
            (result,) = await self._link.session.browse(params)
            self._super[data_type] = result.References[0].NodeId if result.References else None
        return self._super[data_type]

    async def built_in(self, data_type: ua.NodeId) -> int:
        """Return the number of the type of the standard that a data type is, or is derived from; 0: a structure."""
        current: ua.NodeId | None = data_type
        for _ in range(MAX_DEPTH):
            if current is None:
                return 0
            number = current.Identifier if current.NamespaceIndex == 0 else None
            if isinstance(number, int) and (0 < number <= _BUILT_IN_LAST or number in TYPE_NAMES):
                return 0 if number == ua.ObjectIds.Structure else number
            current = await self.super_type(current)
        return 0

    async def data_types(self, addresses: Iterable[str]) -> set[ua.NodeId]:
        """Return the data types of the nodes of these addresses, those of the standard left out."""
        nodes: dict[ua.NodeId, None] = {}
        for text in addresses:
            with suppress(AddressWrong):
                node = self.find(parse_address(text).node)
                if node is not None:
                    nodes[node] = None
        if not nodes:
            return set()
        found = await self._link.read(list(nodes), ua.AttributeIds.DataType)
        types = {each.Value.Value for each in found if each.StatusCode.is_good() and each.Value is not None}
        return {each for each in types if isinstance(each, ua.NodeId) and each.NamespaceIndex != 0}
