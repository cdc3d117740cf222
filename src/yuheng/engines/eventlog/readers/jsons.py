"""JSON: OCEL 2.0 (and its predecessor), a list of records, or one record a line. Read piece by piece."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.readers.bytes import PIECE, opened
from yuheng.engines.eventlog.readers.ocel import EventRow, ObjectRow, Ocel, as_source
from yuheng.engines.eventlog.readers.source import Row, Source

SAMPLE = 2_000
LARGEST_ITEM = 64 << 20
DEEPEST = 3


def read_json(path: Path, scratch: Path, order_type: str) -> Source:
    """Read JSON of one of these shapes. Raises `LogError`."""
    keys = set()
    for keys_seen, (key, _item) in enumerate(_items(path)):
        keys.add(key)
        if keys_seen > 200 or key in ("events", "ocel:events"):
            break
    if keys & {"objectTypes", "eventTypes", "ocel:events", "ocel:global-log", "ocel:objects"} or "objects" in keys:
        log = Ocel(lambda: _objects(path), lambda: _events(path))
        return as_source(log, "ocel-json", scratch, order_type)

    def rows() -> Iterator[Row]:
        number = 0
        for _key, item in _items(path):
            if isinstance(item, dict):
                number += 1
                yield number, _flat(item, "", 0)

    columns: dict[str, None] = {}
    for _number, cells in islice(rows(), SAMPLE):
        columns.update(dict.fromkeys(cells))
    if not columns:
        raise LogError(gettext_noop("The JSON holds no list of events."))
    return Source("json", "", list(columns), rows)


def _flat(item: dict[str, Any], prefix: str, depth: int) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in item.items():
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict) and depth < DEEPEST:
            found.update(_flat(value, f"{prefix}{name}.", depth + 1))
        elif isinstance(value, list | dict):
            found[prefix + name] = json.dumps(value, ensure_ascii=False)[:2_000]
        else:
            found[prefix + name] = "" if value is None else value
    return found


def _objects(path: Path) -> Iterator[ObjectRow]:
    for key, item in _items(path, {"objects", "ocel:objects"}):
        if not isinstance(item, dict):
            continue
        if key == "objects":
            values: dict[str, tuple[str, object]] = {}
            for one in _list(item.get("attributes")):
                at, name = str(one.get("time", "")), str(one.get("name", ""))
                if name not in values or at >= values[name][0]:
                    values[name] = (at, one.get("value", ""))
            related = [str(one.get("objectId", "")) for one in _list(item.get("relationships"))]
            own = {name: value for name, (_at, value) in values.items()}
            yield ObjectRow(str(item.get("id", "")), str(item.get("type", "")), own, related)
        else:
            yield ObjectRow(item["#"], str(item.get("ocel:type", "")), dict(item.get("ocel:ovmap") or {}))


def _events(path: Path) -> Iterator[EventRow]:
    for key, item in _items(path, {"events", "ocel:events"}):
        if not isinstance(item, dict):
            continue
        if key == "events":
            own = {str(one.get("name", "")): one.get("value", "") for one in _list(item.get("attributes"))}
            touched = [str(one.get("objectId", "")) for one in _list(item.get("relationships"))]
            yield EventRow(str(item.get("id", "")), str(item.get("type", "")), item.get("time", ""), own, touched)
        else:
            touched = [str(one) for one in item.get("ocel:omap") or ()]
            own = dict(item.get("ocel:vmap") or {})
            when = item.get("ocel:timestamp", "")
            yield EventRow(item["#"], str(item.get("ocel:activity", "")), when, own, touched)


def _list(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


class _Text:
    """A window over a file's text that moves forward."""

    def __init__(self, file: Any) -> None:
        start = file.peek(4)[:4]
        encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        self.file, self.decoder = file, codecs.getincrementaldecoder(encoding)(errors="replace")
        self.text, self.at, self.is_over = "", 0, False

    def more(self) -> bool:
        if self.is_over:
            return False
        piece = self.file.read(PIECE)
        self.is_over = not piece
        self.text = self.text[self.at :] + self.decoder.decode(piece, final=not piece)
        self.at = 0
        return True

    def next(self) -> str:
        """Return the next mark that is no blank, without moving past it; "" at the end."""
        while True:
            while self.at < len(self.text):
                if not self.text[self.at].isspace():
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""

    def value(self) -> Any:
        """Return the JSON value that begins here, and move behind it."""
        decoder = json.JSONDecoder()
        while True:
            try:
                found, end = decoder.raw_decode(self.text, self.at)
            except (json.JSONDecodeError, RecursionError) as error:
                if len(self.text) - self.at > LARGEST_ITEM or isinstance(error, RecursionError) or not self.more():
                    raise _broken() from error
                continue
            if end == len(self.text) and not self.is_over and self.more():
                continue  # a number may go on in the next piece
            self.at = end
            return found


def _broken() -> LogError:
    return LogError(gettext_noop("The file is no whole JSON. Export it again."))


def _items(path: Path, wanted: set[str] | None = None) -> Iterator[tuple[str, Any]]:
    """Yield (key, item) of the lists and maps at the top; items of a top-level list, and of lines, with key ""."""
    with opened(path) as file:
        text = _Text(file)
        try:
            mark = text.next()
            if mark == "[":
                yield from _of_list(text, "", wanted)
            elif mark == "{":
                yield from _of_top(text, wanted)
            else:
                raise _broken()
        except UnicodeDecodeError as error:
            raise _broken() from error


def _of_list(text: _Text, key: str, wanted: set[str] | None) -> Iterator[tuple[str, Any]]:
    text.at += 1
    while (mark := text.next()) != "]":
        if mark == "":
            raise _broken()
        if mark == ",":
            text.at += 1
            continue
        item = text.value()
        if wanted is None or key in wanted:
            yield key, item
    text.at += 1


def _of_top(text: _Text, wanted: set[str] | None) -> Iterator[tuple[str, Any]]:
    """Walk an object; lists and maps of maps in it item by item. Several objects after one another are lines."""
    first: dict[str, Any] = {}
    is_plain = True
    text.at += 1
    while (mark := text.next()) != "}":
        if mark == ",":
            text.at += 1
            continue
        if mark != '"':
            raise _broken()
        key = text.value()
        if text.next() != ":":
            raise _broken()
        text.at += 1
        mark = text.next()
        if mark == "[" and is_plain and not first.keys() - {"log", "meta"}:
            yield from _of_list(text, key, wanted)
            is_plain = False
        elif mark == "[" and not is_plain:
            yield from _of_list(text, key, wanted)
        elif mark == "{" and key in ("ocel:events", "ocel:objects"):
            yield from _of_map(text, key, wanted)
            is_plain = False
        else:
            first[key] = text.value()
            if key.startswith("ocel:") or key in ("objectTypes", "eventTypes"):
                is_plain = False
    text.at += 1
    if is_plain and wanted is None:
        yield "", first
        while (mark := text.next()) != "":
            if mark == ",":
                text.at += 1
                continue
            yield "", text.value()


def _of_map(text: _Text, key: str, wanted: set[str] | None) -> Iterator[tuple[str, Any]]:
    text.at += 1
    while (mark := text.next()) != "}":
        if mark == ",":
            text.at += 1
            continue
        name = text.value()
        if text.next() != ":":
            raise _broken()
        text.at += 1
        item = text.value()
        if isinstance(item, dict) and (wanted is None or key in wanted):
            yield key, {"#": str(name), **item}
    text.at += 1
