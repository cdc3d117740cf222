"""XES (IEEE 1849): traces are orders, events are rows; attributes become columns, those of the trace as ``case:…``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from lxml import etree

from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.readers.source import Row, Source
from yuheng.engines.eventlog.readers.xml import forget, local, walk

_VALUES = ("string", "date", "int", "float", "boolean", "id")
SAMPLE = 5_000
HINTS = {
    "order": "case:concept:name",
    "operation": "concept:name",
    "time": "time:timestamp",
    "lifecycle": "lifecycle:transition",
    "instance": "concept:instance",
}


def read_xes(path: Path, _scratch: Path, _order_type: str) -> Source:
    """Read a log of traces. Raises `LogError`."""

    def rows() -> Iterator[Row]:
        return _rows(path)

    columns: dict[str, None] = {}
    for _number, cells in islice(rows(), SAMPLE):
        columns.update(dict.fromkeys(cells))
    if not columns:
        raise LogError(gettext_noop("There is no event in the file."))
    hints = {role: column for role, column in HINTS.items() if column in columns}
    return Source("xes", "", list(columns), rows, hints=hints)


def _rows(path: Path) -> Iterator[Row]:
    number = traces = 0
    case: dict[str, object] = {}
    waiting: list[dict[str, object]] = []
    in_trace = False
    for event, element in walk(path):
        name = local(element)
        if event == "start":
            if name == "trace":
                in_trace, case, waiting = True, {}, []
                traces += 1
            elif number == 0 and traces == 0 and element.getparent() is None and name != "log":
                raise LogError(
                    gettext_noop("This XML is neither XES nor OCEL 2.0: its first element is <%(name)s>."),
                    {"name": name[:60]},
                )
            continue
        if name == "event":
            waiting.append(_attributes(element, ""))
            if in_trace:
                element.clear()  # what stands before it in the trace is still to be read
            else:  # events may stand outside of traces: they belong to no order
                forget(element)
                number += 1
                yield number, waiting.pop()
        elif name == "trace":
            case = {"case:concept:name": f"trace {traces}", **_attributes(element, "case:")}
            for cells in waiting:
                number += 1
                yield number, {**case, **cells}
            in_trace = False
            forget(element)


def _attributes(element: etree._Element, prefix: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for child in element:
        if local(child) in _VALUES and (key := child.get("key")) is not None:
            found[prefix + key] = (child.get("value") or "").strip()
    return found
