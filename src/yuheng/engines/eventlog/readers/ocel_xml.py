"""OCEL 2.0 in XML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from yuheng.engines.eventlog.readers.ocel import EventRow, ObjectRow, Ocel, as_source
from yuheng.engines.eventlog.readers.source import Source
from yuheng.engines.eventlog.readers.xml import forget, local, walk


def read_ocel_xml(path: Path, scratch: Path, order_type: str) -> Source:
    """Read an object-centric log. Raises `LogError`."""
    return as_source(Ocel(lambda: _objects(path), lambda: _events(path)), "ocel-xml", scratch, order_type)


def _objects(path: Path) -> Iterator[ObjectRow]:
    for element, inside in _top(path, "objects"):
        if inside and local(element) == "object" and element.get("id") is not None:
            values: dict[str, tuple[str, object]] = {}
            for name, at, value in _attributes(element):
                if name not in values or at >= values[name][0]:
                    values[name] = (at, value)
            own = {name: value for name, (_at, value) in values.items()}
            yield ObjectRow(element.get("id") or "", element.get("type") or "", own, _related(element))


def _events(path: Path) -> Iterator[EventRow]:
    for element, inside in _top(path, "events"):
        if inside and local(element) == "event":
            own: dict[str, object] = {name: value for name, _at, value in _attributes(element)}
            kind, at = element.get("type") or "", element.get("time") or ""
            yield EventRow(element.get("id") or "", kind, at, own, _related(element))


def _top(path: Path, wanted: str) -> Iterator[tuple[etree._Element, bool]]:
    """Yield each child of the log's lists, and whether it is of the wanted one."""
    depth = 0
    section = ""
    for event, element in walk(path):
        if event == "start":
            depth += 1
            if depth == 2:
                section = local(element)
            continue
        depth -= 1
        if depth == 2:
            yield element, section == wanted
            forget(element)


def _attributes(element: etree._Element) -> Iterator[tuple[str, str, str]]:
    for child in element:
        if local(child) == "attributes":
            for one in child:
                yield one.get("name") or "", one.get("time") or "", (one.text or "").strip()


def _related(element: etree._Element) -> list[str]:
    return [
        one.get("object-id") or one.get("objectId") or ""
        for child in element
        if local(child) == "objects"
        for one in child
    ]
