"""JSON payloads, over MQTT and HTTP: the hottest code of the product.

A message of the usual shape costs a parse, one look-up of its tuple of keys and a few list operations; NumPy
does the rest for all messages of the call at once (`columns`). Whatever is unusual in a message sends that one
message down the careful path, value by value.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from yuheng.engines.codec.batch import MAX_PAYLOAD_BYTES, Batch, Message, TagSpec
from yuheng.engines.codec.columns import BOOL, TEXT, Columns, TagTable
from yuheng.engines.codec.moments import time_reader
from yuheng.engines.codec.topics import AddressTemplate, TopicNames
from yuheng.engines.points import Quality, Refusal

MAX_NESTING = 8
"""Objects in objects become ``a/b/c`` names up to this depth."""

TIME_KEYS = ("ts", "timestamp", "time")
NAME_KEYS = ("tag", "name")
_MAX_PLAN_PLACES = 1_000_000
_MAX_TOPICS = 65_536
_NUMBERS = frozenset((float, int))
_SCALARS = frozenset((float, int, bool))
_QUALITY_WORDS = {
    "good": Quality.GOOD,
    "ok": Quality.GOOD,
    "uncertain": Quality.UNCERTAIN,
    "bad": Quality.BAD,
    "stale": Quality.UNCERTAIN,
}
_QUALITY_OF_OPC_DA = {0xC0: Quality.GOOD, 0x40: Quality.UNCERTAIN, 0x00: Quality.BAD, 0x80: Quality.BAD}
_MISSING: Any = object()

type_picker = Callable[[Sequence[Any]], Any]


class _KeyPlan(NamedTuple):
    """What to do with the values of an object that has exactly these keys."""

    keys: tuple[str, ...]
    start: int  # of the numeric ones in the plan table
    allowed: frozenset[type]  # types that need no closer look
    numeric: type_picker | None  # None: all values are numeric
    numbers: type_picker | None  # those of the numeric ones that may not be true or false
    texts: tuple[tuple[int, int], ...]  # (place, row)
    unknown: tuple[tuple[int, str], ...]  # (place, address)
    is_numeric: bool


class _TopicPlan:
    """The addresses of one topic."""

    __slots__ = ("after", "before", "detail", "last", "plans", "scalar")

    def __init__(self, before: str, after: str, scalar: str | None, detail: str) -> None:
        self.before = before
        self.after = after
        self.scalar = scalar  # address of a bare scalar
        self.detail = detail  # why the topic gives no address; "" when it does
        self.plans: dict[tuple[str, ...], _KeyPlan] = {}
        self.last: _KeyPlan | None = None


class _Stamp(NamedTuple):
    time_us: int
    seq: int
    quality: int


class JsonDecoder:
    """Decodes the JSON messages of one source.

    Parameters
    ----------
    settings
        ``topic_pattern``, ``address``, ``time_path``, ``time_format``, ``time_zone``, ``values_path``,
        ``list_path``, ``name_path``, ``value_path``, ``seq_path``, ``quality_path``, ``quality_codes``
        (``opc_ua`` or ``opc_da``), ``encoding``, ``max_payload_bytes``; all optional. See ``docs/connectors/mqtt.md``.
    topics
        The source's MQTT filters.
    tags
        The source's tags.

    Raises
    ------
    ValueError
        A setting cannot be used.
    """

    def __init__(self, settings: Mapping[str, Any], topics: Sequence[str], tags: Sequence[TagSpec]) -> None:
        self._table = TagTable(tags)
        self._names = TopicNames(settings.get("topic_pattern", ""), topics)
        default = "{device}/{name}" if not self._names.pattern else _default_address(self._names.pattern)
        self._address = AddressTemplate(settings.get("address") or default)
        self._read_time = time_reader(settings.get("time_format", "auto"), settings.get("time_zone", "UTC"))
        self._paths = _Paths(settings)
        self._encoding = str(settings.get("encoding", "utf-8"))
        codecs.lookup(self._encoding)
        self._is_opc_da = settings.get("quality_codes", "opc_ua") == "opc_da"
        self._max_bytes = int(settings.get("max_payload_bytes", MAX_PAYLOAD_BYTES))
        self._topics: dict[str, _TopicPlan] = {}

    def restore(self, births: Mapping[str, bytes]) -> None:
        """JSON has no sessions; nothing to take up."""

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Decode in order; never raises."""
        if self._table.plan_size > _MAX_PLAN_PLACES or len(self._topics) > _MAX_TOPICS:
            self._table.forget_plans()
            self._topics.clear()
        columns = Columns(self._table, messages)
        quick = self._quick if self._paths.are_default else self._by_paths
        is_other_encoding = self._encoding != "utf-8"
        for index, message in enumerate(messages):
            try:
                if is_other_encoding:
                    message = message._replace(payload=_transcoded(message.payload, self._encoding))
                quick(columns, index, message)
            except _Refused as refused:
                columns.refuse_message(index, refused.reason, refused.detail)
                columns.is_careful = False
            except (ValueError, RecursionError) as error:
                columns.refuse_message(index, Refusal.WRONG_SHAPE, str(error))
                columns.is_careful = False
        return columns.finish()

    # ---- the usual message ---------------------------------------------------------------------------------

    def _quick(self, columns: Columns, index: int, message: Message) -> None:
        topic, payload, arrived_us = message
        if len(payload) > self._max_bytes:
            raise _too_large(len(payload), self._max_bytes)
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError:
            document = _parse_unusual(payload)
            columns.is_careful = True
            self._take_any(columns, index, self._topics.get(topic) or self._plan_topic(topic), document, arrived_us)
            columns.is_careful = False
            return
        plan = self._topics.get(topic) or self._plan_topic(topic)
        if type(document) is dict:
            values = document.get("values")
            if type(values) is dict:
                ts = document.get("ts")
                if type(ts) is int and 100_000_000_000 <= ts < 100_000_000_000_000 and len(document) == 2:
                    stamp = _Stamp(ts * 1000, 0, 0)
                else:
                    stamp = self._stamp(document, _Stamp(arrived_us, 0, 0))
                self._take(columns, index, plan, values, stamp, arrived_us)
                return
        self._take_any(columns, index, plan, document, arrived_us)

    def _take(
        self, columns: Columns, index: int, plan: _TopicPlan, values: dict[str, Any], stamp: _Stamp, arrived_us: int
    ) -> None:
        """Append the values of one object."""
        keys = tuple(values)
        known = plan.last
        if known is None or known.keys != keys:
            known = plan.plans.get(keys) or self._plan_keys(plan, keys)
            plan.last = known
        found: Sequence[Any] = list(values.values())
        numeric = found if known.numeric is None else known.numeric(found)
        types = set(map(type, numeric))
        if columns.is_careful or (not types <= known.allowed and not _fits(types, known, numeric)):
            self._take_carefully(columns, index, plan, values, stamp, arrived_us)
            return
        time_us, seq, quality = stamp
        if known.is_numeric:
            columns.messages.append(index)
            columns.starts.append(known.start)
            columns.counts.append(len(numeric))
            columns.times_us.append(time_us)
            columns.seqs.append(seq)
            columns.qualities.append(quality)
            columns.arrived_us.append(arrived_us)
            columns.values.extend(numeric)
        for place, _row in known.texts:
            address = plan.before + keys[place] + plan.after
            columns.add_value(index, address, found[place], time_us, seq, quality, arrived_us)
        for place, address in known.unknown:
            self._take_unknown(columns, index, address, found[place], stamp, arrived_us)

    def _take_unknown(
        self, columns: Columns, index: int, address: str, value: Any, stamp: _Stamp, arrived_us: int, depth: int = 1
    ) -> None:
        """An address without a tag: look into objects, keep everything else as refused."""
        if isinstance(value, dict) and value and depth < MAX_NESTING:
            for key, inner in value.items():
                self._take_unknown(columns, index, f"{address}/{key}", inner, stamp, arrived_us, depth + 1)
            return
        columns.add_value(index, address, value, *stamp, arrived_us)

    def _take_carefully(
        self, columns: Columns, index: int, plan: _TopicPlan, values: dict[str, Any], stamp: _Stamp, arrived_us: int
    ) -> None:
        for key, value in values.items():
            self._take_unknown(columns, index, plan.before + key + plan.after, value, stamp, arrived_us)

    # ---- every other shape ---------------------------------------------------------------------------------

    def _take_any(self, columns: Columns, index: int, plan: _TopicPlan, document: Any, arrived_us: int) -> None:
        if isinstance(document, list):
            if not document:
                raise _Refused(Refusal.WRONG_SHAPE, "The list is empty.")
            for record in document:
                if not isinstance(record, dict):
                    raise _Refused(Refusal.WRONG_SHAPE, "A list must hold objects.")
            for record in document:
                self._take_record(columns, index, plan, record, arrived_us)
        elif isinstance(document, dict):
            self._take_record(columns, index, plan, document, arrived_us)
        elif document is None:
            raise _Refused(Refusal.WRONG_SHAPE, "null says nothing.")
        elif plan.scalar is None:
            raise _Refused(Refusal.WRONG_SHAPE, plan.detail or "A bare value needs a topic that names it.")
        else:
            columns.add_value(index, plan.scalar, document, arrived_us, 0, Quality.GOOD, arrived_us)

    def _take_record(
        self, columns: Columns, index: int, plan: _TopicPlan, record: dict[str, Any], arrived_us: int
    ) -> None:
        """Append one object: ``{"values": {...}}``, ``{"name":, "value":}`` or flat."""
        values = record.get("values")
        if isinstance(values, dict):
            stamp = self._stamp(record, _Stamp(arrived_us, 0, 0))
            self._require_address(plan)
            self._take(columns, index, plan, values, stamp, arrived_us)
            return
        name = next((record[key] for key in NAME_KEYS if isinstance(record.get(key), str)), None)
        if name is not None and "value" in record:
            stamp = self._stamp(record, _Stamp(arrived_us, 0, 0))
            self._require_address(plan)
            self._take_unknown(columns, index, plan.before + name + plan.after, record["value"], stamp, arrived_us)
            return
        self._take_flat(columns, index, plan, record, arrived_us)

    def _take_flat(
        self, columns: Columns, index: int, plan: _TopicPlan, record: dict[str, Any], arrived_us: int
    ) -> None:
        if self._names.has_name and "value" in record and plan.scalar is not None:
            stamp = self._stamp(record, _Stamp(arrived_us, 0, 0))
            self._take_unknown(columns, index, plan.scalar, record["value"], stamp, arrived_us)
            return
        self._require_address(plan)
        row_of = self._table.row_of
        special = [k for k in (*TIME_KEYS, "seq") if k in record and plan.before + k + plan.after not in row_of]
        stamp = _Stamp(arrived_us, 0, 0)
        if special:
            stamp = self._stamp({key: record[key] for key in special}, stamp)
            record = {key: value for key, value in record.items() if key not in special}
        if not record:
            raise _Refused(Refusal.WRONG_SHAPE, "There is no value in the object.")
        self._take(columns, index, plan, record, stamp, arrived_us)

    def _by_paths(self, columns: Columns, index: int, message: Message) -> None:
        """Decode a message by the configured paths."""
        topic, payload, arrived_us = message
        if len(payload) > self._max_bytes:
            raise _too_large(len(payload), self._max_bytes)
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError:
            document = _parse_unusual(payload)
            columns.is_careful = True
        plan = self._topics.get(topic) or self._plan_topic(topic)
        paths = self._paths
        outer = self._stamp_by_paths(document, _Stamp(arrived_us, 0, 0))
        records = paths.records(document)
        if records is None:
            raise _Refused(Refusal.WRONG_SHAPE, f"There is no list at '{paths.list_path}'.")
        for record in records:
            stamp = self._stamp_by_paths(record, outer) if record is not document else outer
            self._take_by_paths(columns, index, plan, record, stamp, arrived_us)
        columns.is_careful = False

    def _take_by_paths(
        self, columns: Columns, index: int, plan: _TopicPlan, record: Any, stamp: _Stamp, arrived_us: int
    ) -> None:
        paths = self._paths
        if not paths.has_mapping:
            if isinstance(record, dict):
                self._require_address(plan)
                self._take(columns, index, plan, paths.without_stamp(record), stamp, arrived_us)
            else:
                self._take_any(columns, index, plan, record, stamp.time_us)
            return
        if paths.value is not None:
            value = _at(record, paths.value)
            name = _at(record, paths.name) if paths.name is not None else None
            if value is _MISSING or name is _MISSING:
                raise _Refused(Refusal.WRONG_SHAPE, f"There is no value at '{paths.value_path}' or no name.")
            address = plan.scalar if name is None else f"{plan.before}{name}{plan.after}"
            if address is None:
                raise _Refused(Refusal.WRONG_SHAPE, plan.detail or "Nothing names the value.")
            self._take_unknown(columns, index, address, value, stamp, arrived_us)
            return
        values = _at(record, paths.values)
        if not isinstance(values, dict):
            raise _Refused(Refusal.WRONG_SHAPE, f"There is no object at '{paths.values_path}'.")
        self._require_address(plan)
        self._take(columns, index, plan, values, stamp, arrived_us)

    # ---- time, sequence, quality ---------------------------------------------------------------------------

    def _stamp(self, record: Mapping[str, Any], default: _Stamp) -> _Stamp:
        time_us = default.time_us
        for key in TIME_KEYS:
            if key in record:
                time_us = self._time(record[key], default.time_us)
                break
        seq = _sequence(record["seq"]) if "seq" in record else default.seq
        quality = self._quality(record["quality"]) if "quality" in record else default.quality
        return _Stamp(time_us, seq, quality)

    def _stamp_by_paths(self, record: Any, default: _Stamp) -> _Stamp:
        paths = self._paths
        raw = _at(record, paths.time)
        time_us = default.time_us if raw is _MISSING else self._time(raw, default.time_us)
        raw = _at(record, paths.seq)
        seq = default.seq if raw is _MISSING else _sequence(raw)
        raw = _at(record, paths.quality)
        return _Stamp(time_us, seq, default.quality if raw is _MISSING else self._quality(raw))

    def _time(self, raw: Any, arrived_us: int) -> int:
        return arrived_us if raw is None else self._read_time(raw)

    def _quality(self, raw: Any) -> int:
        if raw is None:
            return Quality.GOOD
        if isinstance(raw, bool):
            return Quality.GOOD if raw else Quality.BAD
        if isinstance(raw, str) and raw.strip().lower() in _QUALITY_WORDS:
            return _QUALITY_WORDS[raw.strip().lower()]
        if not isinstance(raw, int) or not 0 <= raw < 2**32:
            raise ValueError(f"The quality {str(raw)[:40]!r} cannot be read.")
        if self._is_opc_da:
            return _QUALITY_OF_OPC_DA[raw & 0xC0]
        severity = (raw >> 24 if raw > 0xFF else raw) & 0xC0  # a whole OPC UA StatusCode, or its high byte
        return Quality.GOOD if severity == 0 else Quality.UNCERTAIN if severity == 0x40 else Quality.BAD

    # ---- plans ---------------------------------------------------------------------------------------------

    def _plan_topic(self, topic: str) -> _TopicPlan:
        names = self._names.read(topic)
        before, after, detail = "", "", ""
        if names is None:
            detail = f"The topic does not fit the pattern '{self._names.pattern}'."
        else:
            try:
                before, after = self._address.around(names)
            except ValueError as error:
                detail = str(error)
        plan = _TopicPlan(before, after, self._scalar_address(topic, names), detail)
        self._topics[topic] = plan
        return plan

    def _scalar_address(self, topic: str, names: dict[str, str] | None) -> str | None:
        """Return the address of a bare value: its name is the last level, unless the pattern says it."""
        above, _, last = topic.rpartition("/")
        if names is not None and "name" in names:
            name, holder = names["name"], names
        elif self._names.pattern:
            name, holder = last, self._names.read(above) or names or {}
        else:
            device = (names or {}).get("device", "")
            name, holder = last, {"device": device.rpartition("/")[0]}
        try:
            before, after = self._address.around(holder)
        except ValueError:
            return None
        return before + name + after if name else None

    def _plan_keys(self, plan: _TopicPlan, keys: tuple[str, ...]) -> _KeyPlan:
        self._require_address(plan)
        rows = [self._table.row_of.get(plan.before + key + plan.after) for key in keys]
        kinds = self._table.kinds
        numeric = [place for place, row in enumerate(rows) if row is not None and kinds[row] != TEXT]
        numeric_rows = [row for row in rows if row is not None and kinds[row] != TEXT]
        numbers = [place for place, row in enumerate(numeric_rows) if kinds[row] != BOOL]
        made = _KeyPlan(
            keys=keys,
            start=self._table.add_plan(numeric_rows),
            allowed=_NUMBERS if numbers else _SCALARS,
            numeric=None if len(numeric) == len(keys) else _picker(numeric),
            numbers=None if len(numbers) == len(numeric) else _picker(numbers),
            texts=tuple((i, row) for i, row in enumerate(rows) if row is not None and kinds[row] == TEXT),
            unknown=tuple((i, plan.before + keys[i] + plan.after) for i, row in enumerate(rows) if row is None),
            is_numeric=bool(numeric),
        )
        plan.plans[keys] = made
        return made

    def _require_address(self, plan: _TopicPlan) -> None:
        if plan.detail:
            raise _Refused(Refusal.WRONG_SHAPE, plan.detail)


def what_is_wrong_with_json(body: bytes, encoding: str = "utf-8") -> str:
    """Return the sentence that tells a sender why its body can never be read; "" when it can."""
    try:
        if encoding != "utf-8":
            body = _transcoded(body, encoding)
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            _parse_unusual(body)
    except _Refused as refused:
        return refused.detail
    return ""


def _parse_unusual(payload: bytes | memoryview) -> Any:
    """Parse what the fast parser refuses: a byte order mark, NaN and Infinity."""
    data = bytes(payload)
    if not data.strip():
        raise _Refused(Refusal.UNDECODABLE, "The message is empty.")
    if data.startswith(codecs.BOM_UTF8):
        data = data[3:]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _Refused(Refusal.UNDECODABLE, _not_text("utf-8", error)) from error
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise _Refused(Refusal.UNDECODABLE, "The JSON is nested too deeply.") from error
    except ValueError as error:
        raise _Refused(Refusal.UNDECODABLE, f"Not JSON: {error}") from error
    _require_whole_characters(document)
    return document


class _Refused(Exception):
    """The whole message is refused."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class _Paths:
    """The configured places of time, values and so on in a document."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.list_path = str(settings.get("list_path", ""))
        self.values_path = str(settings.get("values_path", ""))
        self.value_path = str(settings.get("value_path", ""))
        self.list = _path(settings, "list_path")
        self.values = _path(settings, "values_path")
        self.name = _path(settings, "name_path")
        self.value = _path(settings, "value_path")
        self.time = _path(settings, "time_path")
        self.seq = _path(settings, "seq_path")
        self.quality = _path(settings, "quality_path")
        self.has_mapping = self.values is not None or self.value is not None
        stamps = (self.time, self.seq, self.quality)
        self._stamp_keys = {path[0] for path in stamps if path is not None and len(path) == 1}
        self.are_default = not self.has_mapping and self.list is None and stamps == (None, None, None)

    def records(self, document: Any) -> list[Any] | None:
        """Return the objects to read; None when the configured list is not there."""
        found = document if self.list is None else _at(document, self.list)
        if isinstance(found, list):
            return found
        return None if self.list is not None else [document]

    def without_stamp(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a flat object without its time, sequence and quality."""
        inner = record.get("values")
        if isinstance(inner, dict):
            return inner
        return {key: value for key, value in record.items() if key not in self._stamp_keys}


def _path(settings: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    text = str(settings.get(key) or "").removeprefix("$.")
    return tuple(text.split(".")) if text else None


def _at(document: Any, path: tuple[str, ...] | None) -> Any:
    """Follow keys and list places; `_MISSING` when the way ends."""
    if path is None:
        return _MISSING
    for key in path:
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif isinstance(document, list) and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        else:
            return _MISSING
    return document


def _default_address(pattern: str) -> str:
    """``plant/{area}/{unit}`` -> ``{area}/{unit}/{name}``."""
    names = [name for name in TopicNames(pattern, []).names if name != "name"]
    return "/".join([*("{" + name + "}" for name in names), "{name}"])


def _picker(places: Sequence[int]) -> type_picker:
    """Return the function that picks these places out of a list, always as a sequence."""
    if not places:
        return lambda values: ()
    if len(places) == 1:
        place = places[0]
        return lambda values: (values[place],)
    return itemgetter(*places)


def _fits(types: set[type], plan: _KeyPlan, numeric: Sequence[Any]) -> bool:
    """Look closer where bool tags stand beside numbers: only they may be true or false."""
    return types <= _SCALARS and plan.numbers is not None and bool not in set(map(type, plan.numbers(numeric)))


def _transcoded(payload: bytes | memoryview, encoding: str) -> bytes:
    try:
        return bytes(payload).decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise _Refused(Refusal.UNDECODABLE, _not_text(encoding, error)) from error


def _require_whole_characters(document: Any) -> None:
    r"""Refuse half a character (``"\ud800"`` alone), which no store can keep."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _Refused(Refusal.UNDECODABLE, "Not JSON: half a character (a lone surrogate).") from error


def _sequence(raw: Any) -> int:
    if raw is None:
        return 0
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw < 2**64:
        raise ValueError(f"The sequence {str(raw)[:40]!r} is not a whole number from 0 to 2^64-1.")
    return raw


def _too_large(size: int, limit: int) -> _Refused:
    return _Refused(Refusal.TOO_LARGE, f"{size} bytes are more than the limit of {limit}.")


def _not_text(encoding: str, error: UnicodeDecodeError) -> str:
    hint = " If the device sends GB18030, set the encoding." if encoding == "utf-8" else ""
    return f"Byte {error.start} is not valid {encoding}.{hint}"
