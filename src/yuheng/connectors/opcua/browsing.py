"""What a server has, in pages: its tree, elements of arrays, fields of structures, with types and units proposed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua

from yuheng.connectors.opcua.addresses import Address, AddressWrong, NodeName, Step, parse_address
from yuheng.connectors.opcua.link import Link
from yuheng.connectors.opcua.structures import NotDecodable, Structures
from yuheng.connectors.opcua.types import TYPE_NAMES, TypeReader
from yuheng.connectors.opcua.units import ucum_of
from yuheng.connectors.opcua.values import NoSuchPart, name_of_status, part_at, plain, simple
from yuheng.gateway.connector import BrowsePage, CommandRefused, Node

PAGE = 200
CHILDREN_MOST = 50_000
SEARCHED_MOST = 20_000
SEARCH_S = 10.0
FOUND_MOST = 200
_SHOWN_MOST = 80

_CLASSES = ua.NodeClass.Object | ua.NodeClass.Variable


@dataclass(frozen=True, slots=True)
class _Child:
    node: ua.NodeId
    name: str
    is_variable: bool


class Browser:
    """Answers pages; remembers the last folder, because the next page is of the same one."""

    def __init__(self, link: Link, types: TypeReader) -> None:
        self._link = link
        self._types = types
        self._structures = Structures(types.definition, types.super_type)
        self._last: tuple[ua.NodeId, list[_Child]] | None = None

    async def page(self, node: str, cursor: str, search: str) -> BrowsePage:
        """Return one page; see `connector.BrowsingSession.browse`."""
        try:
            address = parse_address(node) if node else Address(NodeName(ua.ObjectIds.ObjectsFolder))
            start = int(cursor or 0)
        except (AddressWrong, ValueError) as wrong:
            raise CommandRefused(f"There is nothing to show: {wrong}") from None
        found = self._types.find(address.node)
        if found is None:
            raise CommandRefused("The server has no such namespace now.")
        try:
            if search.strip():
                return await self._search(found, search.strip().lower())
            if address.steps:
                return await self._parts(found, address, start)
            return await self._children_page(found, address, start)
        except ua.UaStatusCodeError as error:
            raise CommandRefused(f"The server does not show this: {name_of_status(error.code)}.") from error

    # ---- folders ----------------------------------------------------------------------------------------------

    async def _children_page(self, node: ua.NodeId, address: Address, start: int) -> BrowsePage:
        if self._last is None or self._last[0] != node or start == 0:
            self._last = (node, await self._children(node))
        children = self._last[1]
        nodes = await self._described(children[start : start + PAGE])
        cursor = str(start + PAGE) if start + PAGE < len(children) else ""
        if start == 0:
            nodes = [*(await self._parts(node, address, 0)).nodes, *nodes] if await self._is_composite(node) else nodes
        return BrowsePage(nodes, cursor)

    async def _is_composite(self, node: ua.NodeId) -> bool:
        return isinstance(await self._value(node), dict | list)

    async def _children(self, node: ua.NodeId) -> list[_Child]:
        (found,) = await self._browse([node], ua.ObjectIds.HierarchicalReferences, int(_CLASSES))
        return found

    async def _browse(self, nodes: Sequence[ua.NodeId], reference: int, classes: int) -> list[list[_Child]]:
        """Return what each node refers to, continued until there is no more."""

        async def send(batch: Sequence[ua.NodeId]) -> Sequence[list[_Child]]:
            descriptions = [
                ua.BrowseDescription(
                    NodeId=node,
                    BrowseDirection=ua.BrowseDirection.Forward,
                    ReferenceTypeId=ua.NodeId(reference),
                    IncludeSubtypes=True,
                    NodeClassMask=ua.UInt32(classes),
                    ResultMask=ua.UInt32(ua.BrowseResultMask.All),
                )
                for node in batch
            ]
            params = ua.BrowseParameters(NodesToBrowse=descriptions)
            results = await self._link.session.browse(params)
            return [await self._continued(result) for result in results]

        return await self._link.in_batches(nodes, min(self._link.limits.browse, PAGE), send)

    async def _continued(self, result: ua.BrowseResult) -> list[_Child]:
        if result.StatusCode.is_bad():
            return []
        found: dict[ua.NodeId, _Child] = {}
        while True:
            for each in result.References or []:
                if (
                    each.NodeId.NamespaceUri or each.NodeId.ServerIndex
                    if isinstance(each.NodeId, ua.ExpandedNodeId)
                    else False
                ):
                    continue  # of another server
                node = ua.NodeId(each.NodeId.Identifier, each.NodeId.NamespaceIndex, each.NodeId.NodeIdType)
                name = each.DisplayName.Text or each.BrowseName.Name or str(each.NodeId.Identifier)
                found[node] = _Child(node, name, each.NodeClass == ua.NodeClass.Variable)
            if not result.ContinuationPoint or len(found) >= CHILDREN_MOST:
                return list(found.values())
            params = ua.BrowseNextParameters(
                ReleaseContinuationPoints=False, ContinuationPoints=[result.ContinuationPoint]
            )
            (result,) = await self._link.session.browse_next(params)

    # ---- lines ------------------------------------------------------------------------------------------------

    async def _described(self, children: Sequence[_Child]) -> list[Node]:
        """Describe a page: what variables are, with a fixed number of requests."""
        variables = [child.node for child in children if child.is_variable]
        facts: dict[ua.NodeId, dict[str, Any]] = {node: {} for node in variables}
        if variables:
            for name, attribute in _ATTRIBUTES.items():
                for node, value in zip(variables, await self._link.read(variables, attribute), strict=True):
                    facts[node][name] = value.Value.Value if value.StatusCode.is_good() and value.Value else None
            await self._add_units(variables, facts)
        return [
            await self._variable(child, facts[child.node])
            if child.is_variable
            else Node(str(self._types.name(child.node)), child.name, has_children=True)
            for child in children
        ]

    async def _add_units(self, variables: Sequence[ua.NodeId], facts: dict[ua.NodeId, dict[str, Any]]) -> None:
        below = await self._browse(variables, ua.ObjectIds.HierarchicalReferences, int(_CLASSES))
        units: dict[ua.NodeId, ua.NodeId] = {}
        for node, children in zip(variables, below, strict=True):
            facts[node]["children"] = sum(child.name not in _PROPERTIES for child in children)
            for child in children:
                if child.name == "EngineeringUnits":
                    units[child.node] = node
        if units:
            for unit, value in zip(units, await self._link.read(list(units)), strict=True):
                if value.StatusCode.is_good() and value.Value and isinstance(value.Value.Value, ua.EUInformation):
                    facts[units[unit]]["unit"] = ucum_of(value.Value.Value)

    async def _variable(self, child: _Child, facts: dict[str, Any]) -> Node:
        name = self._types.name(child.node)
        value = await self._decoded(facts.get("data_type"), facts.get("value"))
        is_composite = isinstance(value, dict | list)
        number = await self._types.built_in(facts["data_type"]) if facts.get("data_type") is not None else 0
        description = facts.get("description")
        return Node(
            str(name),
            child.name,
            address=str(Address(name)),
            data_type="text" if is_composite else TYPE_NAMES.get(number, "text"),
            unit=facts.get("unit", ""),
            description=(description.Text or "") if isinstance(description, ua.LocalizedText) else "",
            value=_shown(value),
            has_children=is_composite or bool(facts.get("children")),
            is_writable=bool(int(facts.get("access") or 0) & ua.AccessLevel.CurrentWrite.mask),
        )

    # ---- parts of values --------------------------------------------------------------------------------------

    async def _parts(self, node: ua.NodeId, address: Address, start: int) -> BrowsePage:
        """List elements or fields of a value, as far as they are something to read."""
        try:
            value = part_at(await self._value(node), address.steps)
        except NoSuchPart as reason:
            raise CommandRefused(f"The value has no such part: {reason}.") from None
        steps: list[tuple[Step, Any]] = []
        if isinstance(value, dict):
            steps = list(value.items())
        elif isinstance(value, list):
            steps = list(enumerate(value))
        nodes = []
        for step, part in steps[start : start + PAGE]:
            text = str(Address(address.node, (*address.steps, step)))
            is_composite = isinstance(part, dict | list)
            name = f"[{step}]" if isinstance(step, int) else step
            data_type = "text" if is_composite else _type_of(part)
            nodes.append(
                Node(text, name, address=text, data_type=data_type, value=_shown(part), has_children=is_composite)
            )
        return BrowsePage(nodes, str(start + PAGE) if start + PAGE < len(steps) else "")

    async def _value(self, node: ua.NodeId) -> Any:
        (data_type,) = await self._link.read([node], ua.AttributeIds.DataType)
        (value,) = await self._link.read([node])
        if not value.StatusCode.is_good() or value.Value is None:
            return None
        return await self._decoded(data_type.Value.Value if data_type.Value else None, value.Value.Value)

    async def _decoded(self, data_type: Any, value: Any) -> Any:
        """Return a value with its structures as dicts."""
        if isinstance(data_type, ua.NodeId) and data_type.NamespaceIndex != 0:
            await self._structures.learn(data_type)
        try:
            return simple(self._structures.decoded(value))
        except (NotDecodable, ua.UaError, ValueError):
            return None

    # ---- search -----------------------------------------------------------------------------------------------

    async def _search(self, root: ua.NodeId, text: str) -> BrowsePage:
        """Look at level after level for variables with the text in name or address, for ten seconds at most."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SEARCH_S
        seen: set[ua.NodeId] = {root}
        level: list[ua.NodeId] = [root]
        found: list[_Child] = []
        while level and len(found) < FOUND_MOST and len(seen) < SEARCHED_MOST and loop.time() < deadline:
            below = await self._browse(level[:PAGE], ua.ObjectIds.HierarchicalReferences, int(_CLASSES))
            level = level[PAGE:]
            for children in below:
                for child in children:
                    if child.node in seen or child.name in _PROPERTIES:
                        continue
                    seen.add(child.node)
                    level.append(child.node)
                    if child.is_variable and (text in child.name.lower() or text in str(child.node.Identifier).lower()):
                        found.append(child)
        return BrowsePage(await self._described(found[:FOUND_MOST]))


_ATTRIBUTES = {
    "data_type": ua.AttributeIds.DataType,
    "access": ua.AttributeIds.UserAccessLevel,
    "value": ua.AttributeIds.Value,
    "description": ua.AttributeIds.Description,
}
_PROPERTIES = frozenset(
    {
        "EngineeringUnits",
        "EURange",
        "InstrumentRange",
        "Definition",
        "ValuePrecision",
        "EnumStrings",
        "EnumValues",
        "TrueState",
        "FalseState",
        "NodeVersion",
    }
)


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "int" if isinstance(value, int) else "float" if isinstance(value, float) else "text"


def _shown(value: Any) -> str:
    text = plain(value)
    if text is None:
        return ""
    found = f"{text:g}" if isinstance(text, float) else str(text)
    return found if len(found) <= _SHOWN_MOST else found[: _SHOWN_MOST - 1] + "…"
