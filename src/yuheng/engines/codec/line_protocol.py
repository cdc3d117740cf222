r"""Influx line protocol: ``measurement,tag=value field=1.5,other=2i 1732345678000000000``.

References
----------
InfluxData, "Line protocol reference" (v2): escapes, types and the order of a line's parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from yuheng.engines.codec.batch import MAX_PAYLOAD_BYTES, Batch, Message, TagSpec
from yuheng.engines.codec.columns import Columns, TagTable
from yuheng.engines.codec.moments import MAX_TIME_US, MIN_TIME_US
from yuheng.engines.points import Quality, Refusal

PRECISIONS = {"ns": (1, 1000), "n": (1, 1000), "us": (1, 1), "u": (1, 1), "µ": (1, 1), "ms": (1000, 1)}
PRECISIONS |= {"s": (1_000_000, 1), "m": (60_000_000, 1), "h": (3_600_000_000, 1)}
"""Precision -> (factor, divisor) to microseconds."""

_TRUE = frozenset(("t", "T", "true", "True", "TRUE"))
_FALSE = frozenset(("f", "F", "false", "False", "FALSE"))
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_NAME = re.compile(r"(?:[^,= \\\n]|\\.|\\)+", re.DOTALL)
_MEASUREMENT = re.compile(r"(?:[^, \\\n]|\\.|\\)+", re.DOTALL)
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN = re.compile(r"[^, \n]+")
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_TEXT = re.compile(r'\\(["\\])')
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class Line(NamedTuple):
    """One line: its measurement, tags in order, fields and the time in the request's precision."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Any]
    time: int | None


class LineProtocolDecoder:
    """Decodes line protocol of one source. The topic is the request's path with its query: ``write?precision=ms``.

    Parameters
    ----------
    settings
        ``line_address``: template of ``{measurement}``, ``{field}`` and tag keys. Without it the address is
        ``{measurement}/<tag values>/{field}``; ``line_tags`` names which tags and in which order (default: all, by
        key). ``max_payload_bytes``.
    topics
        Not used.
    tags
        The source's tags.
    """

    def __init__(self, settings: Mapping[str, Any], topics: Sequence[str], tags: Sequence[TagSpec]) -> None:
        self._table = TagTable(tags)
        self._template = str(settings.get("line_address") or "")
        self._tag_keys: list[str] | None = settings.get("line_tags")
        self._max_bytes = int(settings.get("max_payload_bytes", MAX_PAYLOAD_BYTES))

    def restore(self, births: Mapping[str, bytes]) -> None:
        """Lines have no sessions; nothing to take up."""

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Decode in order; never raises. A bad line refuses itself only."""
        columns = Columns(self._table, messages)
        for index, message in enumerate(messages):
            if len(message.payload) > self._max_bytes:
                detail = f"{len(message.payload)} bytes are more than the limit of {self._max_bytes}."
                columns.refuse_message(index, Refusal.TOO_LARGE, detail)
                continue
            try:
                text = bytes(message.payload).decode("utf-8-sig")
            except UnicodeDecodeError as error:
                columns.refuse_message(index, Refusal.UNDECODABLE, f"Byte {error.start} is not valid UTF-8.")
                continue
            self._take(columns, index, message, text)
        return columns.finish()

    def _take(self, columns: Columns, index: int, message: Message, text: str) -> None:
        count, trouble = 0, ""
        precision = precision_of(message.topic)
        for number, line in enumerate(_lines(text), start=1):
            try:
                parsed = parse_line(line)
                time_us = _time_us(parsed, precision, message.arrived_us)
                for field, value in parsed.fields.items():
                    address = self._address(parsed, field)
                    columns.add_value(index, address, value, time_us, 0, Quality.GOOD, message.arrived_us)
                count += 1
            except ValueError as error:
                trouble = trouble or f"Line {number}: {error}."
        if trouble or not count:
            reason = Refusal.UNDECODABLE if trouble else Refusal.WRONG_SHAPE
            columns.refuse_message(index, reason, trouble or "There is no line in the message.")

    def _address(self, line: Line, field: str) -> str:
        if self._template:
            words = {**line.tags, "measurement": line.measurement, "field": field}
            return _PLACEHOLDER.sub(lambda found: words.get(found.group(1), ""), self._template)
        keys = sorted(line.tags) if self._tag_keys is None else self._tag_keys
        return "/".join([line.measurement, *(line.tags[key] for key in keys if key in line.tags), field])


def precision_of(topic: str) -> str:
    """Return the query's ``precision`` of a path such as ``write?precision=ms``; ``ns`` when it says none."""
    return parse_qs(urlsplit(topic).query).get("precision", ["ns"])[0]


def _time_us(line: Line, precision: str, arrived_us: int) -> int:
    """Return the time of a line; raises `ValueError` when no calendar has it."""
    if line.time is None:
        return arrived_us
    factor, divisor = PRECISIONS.get(precision, (1, 1000))
    time_us = line.time * factor // divisor
    if not MIN_TIME_US <= time_us < MAX_TIME_US:
        raise ValueError("the time is outside the years 1 to 9999")
    return time_us


def what_is_wrong_with_lines(body: bytes, topic: str = "write") -> str:
    """Return the sentence that tells a sender why something in its body can never be read; "" when all can."""
    precision = precision_of(topic)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"Byte {error.start} is not valid UTF-8."
    number = 0
    for number, line in enumerate(_lines(text), start=1):
        try:
            _time_us(parse_line(line), precision, 0)
        except ValueError as error:
            return f"Line {number}: {error}."
    return "" if number else "There is no line in the body."


def _lines(text: str) -> Iterator[str]:
    """Split at line ends that do not stand inside a quoted text; skip empty lines and comments."""
    start, is_quoted, position = 0, False, 0
    if '"' not in text:
        pieces: Iterator[str] = iter(text.split("\n"))
    else:
        cuts = []
        while position < len(text):
            char = text[position]
            if char == "\\":
                position += 1
            elif char == '"':
                is_quoted = not is_quoted
            elif char == "\n" and not is_quoted:
                cuts.append(text[start:position])
                start = position + 1
            position += 1
        cuts.append(text[start:])
        pieces = iter(cuts)
    for piece in pieces:
        line = piece.strip(" \t\r")
        if line and not line.startswith("#"):
            yield line


def parse_line(line: str) -> Line:
    r"""Parse one line.

    Raises
    ------
    ValueError
        With half a sentence that says what is wrong.

    Examples
    --------
    >>> parse_line(r'oven\ 1,zone=a temp=180.5,on=t,n=3i 17')
    Line(measurement='oven 1', tags={'zone': 'a'}, fields={'temp': 180.5, 'on': True, 'n': 3}, time=17)
    """
    found = _MEASUREMENT.match(line)
    if found is None:
        raise ValueError("there is no measurement")
    measurement, position = _unescaped(found.group()), found.end()
    tags: dict[str, str] = {}
    while line[position : position + 1] == ",":
        key, value, position = _tag(line, position + 1)
        tags[key] = value
    if line[position : position + 1] != " ":
        raise ValueError("there are no fields")
    fields: dict[str, Any] = {}
    position = _after_spaces(line, position)
    while True:
        key, value, position = _field(line, position)
        fields[key] = value
        if line[position : position + 1] != ",":
            break
        position += 1
    rest = line[position:].strip()
    if not rest:
        return Line(measurement, tags, fields, None)
    if not re.fullmatch(r"-?\d{1,19}", rest):
        raise ValueError(f"'{rest[:40]}' is not a time")
    return Line(measurement, tags, fields, int(rest))


def _tag(line: str, position: int) -> tuple[str, str, int]:
    key = _NAME.match(line, position)
    if key is None or line[key.end() : key.end() + 1] != "=":
        raise ValueError(f"a tag at column {position + 1} has no '='")
    value = _NAME.match(line, key.end() + 1)
    if value is None:
        raise ValueError(f"the tag '{key.group()[:40]}' is empty")
    return _unescaped(key.group()), _unescaped(value.group()), value.end()


def _field(line: str, position: int) -> tuple[str, Any, int]:
    key = _NAME.match(line, position)
    if key is None or line[key.end() : key.end() + 1] != "=":
        raise ValueError(f"a field at column {position + 1} has no '='")
    start = key.end() + 1
    if line[start : start + 1] == '"':
        text = _TEXT.match(line, start)
        if text is None:
            raise ValueError(f"the text of '{key.group()[:40]}' does not end")
        return _unescaped(key.group()), _ESCAPED_TEXT.sub(r"\1", text.group(1)), text.end()
    plain = _PLAIN.match(line, start)
    if plain is None:
        raise ValueError(f"the field '{key.group()[:40]}' is empty")
    return _unescaped(key.group()), _field_value(plain.group()), plain.end()


def _field_value(text: str) -> Any:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[-1] in "iu" and text[:-1].lstrip("-").isdecimal() and len(text) <= 40:
        return int(text[:-1])
    if _NUMBER.fullmatch(text) and len(text) <= 400:
        return float(text)
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(text)  # refused later, as a point with its address
    raise ValueError(f"'{text[:40]}' is not a value")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _after_spaces(line: str, position: int) -> int:
    while line[position : position + 1] == " ":
        position += 1
    return position
