"""Sparkplug B: birth and death certificates, aliases, sequence, all metric types.

Behaves as the specification asks of a host application (Sparkplug 3.0.0, chapters 5 and 6), with one addition:
data after a lost message are stored when their aliases are known, while a rebirth is requested, so that a gap
in the sequence costs nothing but the lost message.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from yuheng.engines.codec.batch import (
    MAX_PAYLOAD_BYTES,
    Batch,
    BirthExplains,
    KeepBirth,
    Message,
    RequestRebirth,
    TagSpec,
)
from yuheng.engines.codec.columns import BOOL, NAN, TEXT, Columns, TagTable
from yuheng.engines.codec.moments import MAX_TIME_US
from yuheng.engines.codec.sparkplug_schema import DataType
from yuheng.engines.codec.sparkplug_session import (
    DataPlan,
    Known,
    Node,
    Refused,
    Topic,
    birth_key,
    data_topic,
    parsed,
    read_topic,
    unquoted,
)
from yuheng.engines.points import Quality, Refusal

REBIRTH_PAUSE_US = 10_000_000
"""At most one request for a rebirth per edge node in this time: a flood of data must not become a flood of commands."""

_MAX_NESTING = 8
_MAX_PLANS = 4096  # of one edge node
_MAX_NODES = 10_000
_NOT_VALUES = ("bdSeq", "Node Control/", "Device Control/")
_IS_NULL = b"\x38\x01"  # field 7 = true; false alarms only cost the careful path
_QUALITY = b"uality"
_QUALITY_CODES = {0: Quality.BAD, 192: Quality.GOOD, 500: Quality.UNCERTAIN}  # section 6.4.12; 500 is STALE

_SIGNED_BITS = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
_NAMELESS = (Refusal.WRONG_SHAPE, "A metric of a birth certificate has no name.")
_FIELD_OF = {
    DataType.INT8: "int_value",
    DataType.INT16: "int_value",
    DataType.INT32: "int_value",
    DataType.INT64: "long_value",
    DataType.UINT8: "int_value",
    DataType.UINT16: "int_value",
    DataType.UINT32: "int_value",
    DataType.UINT64: "long_value",
    DataType.DATETIME: "long_value",
    DataType.FLOAT: "float_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
    DataType.TEXT: "string_value",
    DataType.UUID: "string_value",
}
_TEXTS = frozenset((DataType.STRING, DataType.TEXT, DataType.UUID))
_INTEGERS = frozenset(("int_value", "long_value"))


class SparkplugDecoder:
    """Decodes the Sparkplug B messages of one source.

    Parameters
    ----------
    settings
        ``has_group_in_address`` (default false: addresses are ``<edge node>/<device>/<metric>``) and
        ``max_payload_bytes``.
    topics
        Not needed: the namespace fixes what a topic means.
    tags
        The source's tags.
    """

    def __init__(self, settings: Mapping[str, Any], topics: Sequence[str], tags: Sequence[TagSpec]) -> None:
        self._table = TagTable(tags)
        self._has_group = bool(settings.get("has_group_in_address", False))
        self._max_bytes = int(settings.get("max_payload_bytes", MAX_PAYLOAD_BYTES))
        self._nodes: dict[tuple[str, str], Node] = {}
        self._topics: dict[str, Topic | str] = {}
        self.gaps = 0

    def restore(self, births: Mapping[str, bytes]) -> None:
        """Take up the sessions of an earlier life: aliases and types; the sequence starts anywhere."""
        for key in sorted(births, key=lambda key: key.count(".")):  # nodes before their devices
            parts = [unquoted(part) for part in key.split(".")]
            if len(parts) not in (2, 3) or not births[key]:
                continue
            try:
                payload = parsed(births[key])
            except (DecodeError, ValueError, zlib.error, Refused):
                continue  # an unreadable memory is no memory: the node will be asked for a rebirth
            node = self._node(parts[0], parts[1])
            device = parts[2] if len(parts) == 3 else ""
            self._learn(node, device, payload)
            node.next_seq = None

    def take_over(self, older: SparkplugDecoder) -> None:
        """Go on with the running sessions of a decoder whose place this one takes, e.g. after a change of tags."""
        self._nodes = older._nodes
        for node in self._nodes.values():
            node.plans.clear()

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Decode in order; never raises."""
        if len(self._topics) > 65_536:
            self._topics.clear()
        if self._table.plan_size > 1_000_000:
            self._table.forget_plans()
            for node in self._nodes.values():
                node.plans.clear()
        columns = Columns(self._table, messages)
        for index, message in enumerate(messages):
            try:
                self._take(columns, index, message)
            except Refused as refused:
                columns.refuse_message(index, refused.reason, refused.detail)
            except (DecodeError, UnicodeDecodeError, zlib.error, RecursionError) as error:
                columns.refuse_message(index, Refusal.UNDECODABLE, f"Not a Sparkplug B payload: {error}")
        return columns.finish()

    # ---- one message ---------------------------------------------------------------------------------------

    def _take(self, columns: Columns, index: int, message: Message) -> None:
        topic = self._topics.get(message.topic)
        if topic is None:
            topic = self._topics[message.topic] = read_topic(message.topic)
        if isinstance(topic, str):
            if topic:
                raise Refused(Refusal.WRONG_SHAPE, topic)
            return  # STATE and commands: spoken by hosts, not by machines
        if len(message.payload) > self._max_bytes:
            detail = f"{len(message.payload)} bytes are more than the limit of {self._max_bytes}."
            raise Refused(Refusal.TOO_LARGE, detail)
        raw = bytes(message.payload)
        if not raw:
            raise Refused(Refusal.UNDECODABLE, "The message is empty.")
        payload = parsed(raw)
        node = self._node(topic.group, topic.edge)
        if topic.type in ("NDATA", "DDATA"):
            self._take_data(columns, index, node, topic.device, payload, raw, message.arrived_us)
        elif topic.type in ("NBIRTH", "DBIRTH"):
            self._take_birth(columns, index, node, topic.device, payload, raw, message.arrived_us)
        else:
            self._take_death(columns, index, node, topic, payload, message.arrived_us)

    def _node(self, group: str, edge: str) -> Node:
        node = self._nodes.get((group, edge))
        if node is None:
            if len(self._nodes) >= _MAX_NODES:
                raise Refused(Refusal.NOT_BORN, f"More than {_MAX_NODES} edge nodes in one source.")
            node = self._nodes[group, edge] = Node(group, edge)
        return node

    # ---- births and deaths ---------------------------------------------------------------------------------

    def _take_birth(
        self, columns: Columns, index: int, node: Node, device: str, payload: Any, raw: bytes, arrived_us: int
    ) -> None:
        actions = columns.batch.actions
        if not device:
            forgotten = sorted(node.devices)
            actions.extend(KeepBirth(birth_key(node.group, node.edge, gone), b"") for gone in forgotten)
            node.next_seq, node.asked_us, node.born_us = None, None, arrived_us
        elif not node.is_born:
            self._ask_rebirth(columns, node, arrived_us)
        self._count(columns, node, payload, arrived_us)
        self._learn(node, device, payload)
        actions.append(KeepBirth(birth_key(node.group, node.edge, device), raw))
        since_us = node.waiting.pop(device, arrived_us)
        if since_us < arrived_us:
            actions.append(BirthExplains(data_topic(node.group, node.edge, device), since_us, arrived_us))
        base_us = _time_us(payload, arrived_us)
        seq = payload.seq if payload.seq < 256 else 0
        for metric in payload.metrics:
            if not metric.name:
                columns.refuse(index, self._address(node, device, ""), base_us, None, 0, seq, *_NAMELESS)
                continue
            self._take_metric(columns, index, node, device, metric.name, metric.datatype, metric, base_us, seq)

    def _learn(self, node: Node, device: str, payload: Any) -> None:
        node.forget(device if device else None)
        if device:
            node.devices.add(device)
        else:
            node.is_born = True
            node.bd_seq = _bd_seq(payload)
        for metric in payload.metrics:
            node.learn(metric, device)

    def _take_death(
        self, columns: Columns, index: int, node: Node, topic: Topic, payload: Any, arrived_us: int
    ) -> None:
        if topic.type == "DDEATH":
            self._count(columns, node, payload, arrived_us)
            columns.batch.actions.append(KeepBirth(birth_key(node.group, node.edge, topic.device), b""))
            node.forget(topic.device)
            node.waiting.pop(topic.device, None)
            self._mark_bad(columns, index, node, topic.device, _time_us(payload, arrived_us), arrived_us)
            return
        bd_seq = _bd_seq(payload)
        if node.is_born and bd_seq is not None and node.bd_seq is not None and bd_seq != node.bd_seq:
            detail = f"The death belongs to session {bd_seq}; the node lives in session {node.bd_seq}."
            raise Refused(Refusal.STALE_DEATH, detail)
        for device in ("", *sorted(node.devices)):
            columns.batch.actions.append(KeepBirth(birth_key(node.group, node.edge, device), b""))
        node.forget(None)
        node.is_born, node.bd_seq, node.next_seq = False, None, None
        node.waiting.clear()
        # The broker sends the death with the time at which the node *connected*: the arrival is the truth.
        self._mark_bad(columns, index, node, "", arrived_us, arrived_us)

    def _mark_bad(self, columns: Columns, index: int, node: Node, device: str, time_us: int, arrived_us: int) -> None:
        """Give every tag of the node or device a point without value, of BAD quality."""
        prefix = self._address(node, device, "")
        for address, row in self._table.row_of.items():
            if not address.startswith(prefix):
                continue
            if self._table.kinds[row] == TEXT:
                columns.add_text(row, None, time_us, 0, Quality.BAD, arrived_us)
            else:
                columns.add_group(index, row, (NAN,), time_us, 0, Quality.BAD, arrived_us)

    # ---- data ----------------------------------------------------------------------------------------------

    def _take_data(
        self, columns: Columns, index: int, node: Node, device: str, payload: Any, raw: bytes, arrived_us: int
    ) -> None:
        if not node.is_born or (device and device not in node.devices):
            self._await_birth(columns, node, device, arrived_us)
            who = device or node.edge
            raise Refused(Refusal.NOT_BORN, f"'{who}' sent data without a birth certificate; a rebirth was requested.")
        self._count(columns, node, payload, arrived_us)
        metrics = payload.metrics
        if not metrics:
            return  # an empty data message says only: I am alive
        base_us = _time_us(payload, arrived_us)
        seq = payload.seq if payload.seq < 256 else 0
        plan = None if _IS_NULL in raw or _QUALITY in raw else self._plan(node, device, metrics)
        if plan is None or not self._take_by_plan(columns, index, plan, metrics, base_us, seq, arrived_us):
            self._take_one_by_one(columns, index, node, device, metrics, range(len(metrics)), base_us, seq, arrived_us)
        elif plan.others:
            self._take_one_by_one(columns, index, node, device, metrics, plan.others, base_us, seq, arrived_us)

    def _plan(self, node: Node, device: str, metrics: Any) -> DataPlan | None:
        """Find the plan of these metrics by their aliases, or names; None when they need a closer look."""
        is_named = bool(metrics[0].name)
        keys = [metric.name for metric in metrics] if is_named else [metric.alias for metric in metrics]
        cache_key = (device, *keys)
        plan = node.plans.get(cache_key)
        if plan is not None:
            return plan
        if is_named:
            known = [node.names.get((device, key)) for key in keys]
        else:
            known = [node.aliases.get(key) for key in keys]
            if 0 in keys and not all(metric.HasField("alias") for metric in metrics):
                return None
        if len(node.plans) >= _MAX_PLANS or any(one is None or one.device != device for one in known):
            return None
        plan = self._new_plan(node, [one for one in known if one is not None])
        node.plans[cache_key] = plan
        return plan

    def _new_plan(self, node: Node, known: Sequence[Known]) -> DataPlan:
        rows: list[int] = []
        places: list[int] = []
        others: list[int] = []
        for place, one in enumerate(known):
            row = self._table.row_of.get(self._address(node, one.device, one.name))
            if row is not None and _is_plain_number(one.datatype, self._table.kinds[row]):
                places.append(place)
                rows.append(row)
            else:
                others.append(place)
        getters = tuple(
            (_FIELD_OF[type_], attrgetter(_FIELD_OF[type_]), _SIGNED_BITS.get(type_, 0))
            for type_ in (DataType(known[place].datatype) for place in places)
        )
        fields = {field for field, _, _ in getters}
        return DataPlan(
            start=self._table.add_plan(rows),
            places=None if not others else tuple(places),
            getters=getters,
            field=fields.pop() if len(fields) == 1 else "",
            others=tuple(others),
        )

    def _take_by_plan(
        self, columns: Columns, index: int, plan: DataPlan, metrics: Any, base_us: int, seq: int, arrived_us: int
    ) -> bool:
        """Append all plain numbers at once; False, with nothing appended, when one of them has no value."""
        chosen = list(metrics) if plan.places is None else [metrics[place] for place in plan.places]
        if not chosen:
            return True
        values = _values(chosen, plan)
        if 0 in values and not _have_values(chosen, values, plan):
            return False
        times = [metric.timestamp for metric in chosen]
        first = times[0]
        is_own = times.count(first) != len(times)
        if max(times) * 1000 >= MAX_TIME_US or (0 in times and any(metric.HasField("timestamp") for metric in chosen)):
            return False  # beyond the calendar, or really from 1970
        time_us = base_us
        if first and not is_own:
            time_us = first * 1000
        elif is_own:
            columns.own_times.append((len(columns.starts), [time * 1000 if time else base_us for time in times]))
        columns.add_group(index, plan.start, values, time_us, seq, 0, arrived_us)
        return True

    def _take_one_by_one(
        self,
        columns: Columns,
        index: int,
        node: Node,
        device: str,
        metrics: Any,
        places: Sequence[int],
        base_us: int,
        seq: int,
        arrived_us: int,
    ) -> None:
        unknown: list[int] = []
        for place in places:
            metric = metrics[place]
            known = self._known(node, device, metric)
            if known is None:
                unknown.append(metric.alias)
                self._await_birth(columns, node, device, arrived_us)
            elif known.device == device:
                type_ = known.datatype or metric.datatype
                self._take_metric(columns, index, node, device, known.name, type_, metric, base_us, seq)
            else:
                detail = f"The alias {metric.alias} is of '{known.device or node.edge}'."
                address = self._address(node, device, f"alias {metric.alias}")
                columns.refuse(index, address, base_us, None, 0, seq, Refusal.UNKNOWN_ALIAS, detail)
        if unknown:
            names = ", ".join(map(str, unknown[:10]))
            raise Refused(Refusal.UNKNOWN_ALIAS, f"No birth certificate has the aliases {names}; asked for a rebirth.")

    def _known(self, node: Node, device: str, metric: Any) -> Known | None:
        if metric.HasField("alias") and metric.alias in node.aliases:
            return node.aliases[metric.alias]
        if metric.name:
            return node.names.get((device, metric.name)) or Known(metric.name, device, metric.datatype)
        return None

    def _take_metric(
        self,
        columns: Columns,
        index: int,
        node: Node,
        device: str,
        name: str,
        datatype: int,
        metric: Any,
        base_us: int,
        seq: int,
        depth: int = 0,
    ) -> None:
        """Append one metric, whatever it is."""
        address = self._address(node, device, name)
        if name.startswith(_NOT_VALUES) and address not in self._table.row_of:
            return
        time_us = metric.timestamp * 1000 if metric.HasField("timestamp") else base_us
        if time_us >= MAX_TIME_US:
            detail = "The time stamp is beyond the year 9999."
            columns.refuse(index, address, base_us, None, 0, seq, Refusal.WRONG_SHAPE, detail)
            return
        quality = _quality(metric)
        which = metric.WhichOneof("value")
        arrived_us = columns.arrived_at(index)
        if metric.is_null:
            columns.add_value(index, address, None, time_us, seq, Quality.BAD, arrived_us)
        elif which == "template_value":
            self._take_members(columns, index, node, device, name, metric.template_value, time_us, seq, depth)
        elif which in ("bytes_value", "dataset_value", "extension_value"):
            value = getattr(metric, which)[:256].hex()
            detail = f"A {_type_name(datatype)} cannot become the value of a tag."
            columns.refuse(index, address, time_us, value, quality, seq, Refusal.WRONG_TYPE, detail)
        elif which is None:
            detail = "The metric has no value and does not say that it is null."
            columns.refuse(index, address, time_us, None, quality, seq, Refusal.WRONG_SHAPE, detail)
        else:
            value = _value(metric, which, datatype)
            columns.add_value(index, address, value, time_us, seq, quality, arrived_us)

    def _take_members(
        self,
        columns: Columns,
        index: int,
        node: Node,
        device: str,
        name: str,
        template: Any,
        base_us: int,
        seq: int,
        depth: int,
    ) -> None:
        """Append the members of a template instance below its name; a definition has no values."""
        if template.is_definition:
            return
        if depth >= _MAX_NESTING:
            detail = f"Templates are nested more than {_MAX_NESTING} deep."
            address = self._address(node, device, name)
            columns.refuse(index, address, base_us, None, 0, seq, Refusal.WRONG_SHAPE, detail)
            return
        for member in template.metrics:
            inner = f"{name}/{member.name}"
            self._take_metric(columns, index, node, device, inner, member.datatype, member, base_us, seq, depth + 1)

    # ---- session -------------------------------------------------------------------------------------------

    def _count(self, columns: Columns, node: Node, payload: Any, arrived_us: int) -> None:
        """Follow the sequence 0..255; after a gap ask for a rebirth and go on from here."""
        if arrived_us < node.born_us:
            return  # replayed from the dead letters: it has had its place in the sequence
        if not payload.HasField("seq"):
            return
        seq = payload.seq & 0xFF
        if node.next_seq is not None and seq != node.next_seq:
            self.gaps += 1
            self._ask_rebirth(columns, node, arrived_us)
        node.next_seq = (seq + 1) & 0xFF

    def _await_birth(self, columns: Columns, node: Node, device: str, arrived_us: int) -> None:
        """Data cannot be understood without a birth to come: ask for it, and remember since when they wait."""
        if arrived_us < node.born_us:
            return  # a birth after them did not explain them: nothing more will, and asking again would never end
        node.waiting.setdefault(device, arrived_us)
        self._ask_rebirth(columns, node, arrived_us)

    def _ask_rebirth(self, columns: Columns, node: Node, arrived_us: int) -> None:
        if node.asked_us is not None and abs(arrived_us - node.asked_us) < REBIRTH_PAUSE_US:
            return
        node.asked_us = arrived_us
        columns.batch.actions.append(RequestRebirth(node.group, node.edge))

    def _address(self, node: Node, device: str, name: str) -> str:
        owner = f"{node.edge}/{device}" if device else node.edge
        return f"{node.group}/{owner}/{name}" if self._has_group else f"{owner}/{name}"


def _time_us(payload: Any, arrived_us: int) -> int:
    if not payload.HasField("timestamp"):
        return arrived_us
    time_us: int = payload.timestamp * 1000
    if time_us >= MAX_TIME_US:
        raise Refused(Refusal.WRONG_SHAPE, "The time stamp is beyond the year 9999.")
    return time_us


def _bd_seq(payload: Any) -> int | None:
    for metric in payload.metrics:
        if metric.name == "bdSeq":
            return int(metric.long_value or metric.int_value)
    return None


def _quality(metric: Any) -> int:
    """Read the property ``Quality``; GOOD when there is none."""
    if not metric.HasField("properties"):
        return Quality.GOOD
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        if key.lower() == "quality":
            return _QUALITY_CODES.get(value.int_value or value.long_value, Quality.UNCERTAIN)
    return Quality.GOOD


def _is_plain_number(datatype: int, kind: int) -> bool:
    """Whether every value of this metric type may go to a tag of this kind without a closer look."""
    if datatype == DataType.BOOLEAN:
        return kind == BOOL
    return kind != TEXT and datatype in _FIELD_OF and datatype not in _TEXTS


def _values(chosen: Sequence[Any], plan: DataPlan) -> list[Any]:
    """Read the values of plain metrics; the common types without a call per value."""
    if plan.field == "double_value":
        return [metric.double_value for metric in chosen]
    if plan.field == "float_value":
        return [metric.float_value for metric in chosen]
    if plan.field == "boolean_value":
        return [metric.boolean_value for metric in chosen]
    return [
        read(metric) if not bits else _signed(read(metric), bits)
        for (_, read, bits), metric in zip(plan.getters, chosen, strict=True)
    ]


def _have_values(chosen: Sequence[Any], values: Sequence[Any], plan: DataPlan) -> bool:
    """Tell a real 0 from an absent value, or from one in a field that its type does not use."""
    for metric, value, getter in zip(chosen, values, plan.getters, strict=True):
        if not value and metric.WhichOneof("value") != getter[0]:
            return False
    return True


def _signed(value: int, bits: int) -> int:
    """Read two's complement. Writers extend the sign to 32 bits or do not; the low bits are the same."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _value(metric: Any, which: str, datatype: int) -> Any:
    """Return the value in whatever field it came; signed as its type says."""
    value = getattr(metric, which)
    if which in _INTEGERS and datatype in _SIGNED_BITS:
        return _signed(value, _SIGNED_BITS[DataType(datatype)])
    if which in _INTEGERS and datatype == DataType.BOOLEAN:
        return bool(value)
    return value


def _type_name(datatype: int) -> str:
    return DataType(datatype).name.capitalize() if datatype in DataType._value2member_map_ else f"type {datatype}"
