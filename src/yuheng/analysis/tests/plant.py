"""A unit with signals, states and reasons, and a historian that answers as if they had been measured."""

from __future__ import annotations

import math
from datetime import timedelta

import msgspec
import pyarrow as pa

from yuheng.analysis.models import Reason
from yuheng.analysis.services.reasons import ReasonSpec, write_reasons
from yuheng.bus import messages
from yuheng.bus.messages import Interval, StateRevision
from yuheng.engines.states.vocabulary import UnitState
from yuheng.telemetry.models import DataSource, Tag
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.services.state_intervals import apply_state_revision
from yuheng.telemetry.services.tags import TagSpec, write_tags
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, a_work_unit, an_equipment_class

START_US = microseconds(SHIFT_START)
HOUR_US = 3_600_000_000
US = pa.timestamp("us", "UTC")


def at(minutes):
    return SHIFT_START + timedelta(minutes=minutes)


def a_unit_with_signals():
    """H07 with power (kW), temperature (°C) and a program (text); states and a reason tree."""
    site = a_site()
    unit = a_work_unit("H07", equipment_class=an_equipment_class("robot"))
    source = DataSource.objects.create(site=site, code="weld", connector="mqtt_json", topics=["weld/#"])
    specs = [
        TagSpec(source.pk, "H07/power", "float", unit.pk, "power_kw", "power_kw", "功率", "Power", "kW"),
        TagSpec(source.pk, "H07/temp", "float", unit.pk, "temp", "", "温度", "Temperature", "Cel"),
        TagSpec(source.pk, "H07/program", "text", unit.pk, "program", "", "程序", "=Program"),
    ]
    write_tags(actor=SYSTEM, site_id=site.pk, tags=specs, at=SHIFT_START)
    changes = ((0, UnitState.PRODUCING, ""), (10, UnitState.DOWN, "12"), (40, UnitState.PRODUCING, ""))
    times = [microseconds(at(minute)) for minute, *_ in changes]
    intervals = [
        Interval(int(state), cause, start, end)
        for (_, state, cause), start, end in zip(changes, times, [*times[1:], None], strict=True)
    ]
    apply_state_revision(StateRevision(unit.pk, START_US, intervals))
    write_reasons(
        actor=SYSTEM,
        site_id=site.pk,
        reasons=[
            ReasonSpec("machine", "设备", "Machine", loss="breakdown"),
            ReasonSpec("wire", "送丝", "Wire feed", parent="machine"),
        ],
        at=SHIFT_START,
    )
    return unit, {tag.symbol: tag.pk for tag in Tag.objects.all()}, {row.code: row.pk for row in Reason.objects.all()}


def stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _times(us) -> pa.Array:
    return pa.array([moment(one) for one in us], US)


def _value(us: int) -> float:
    return 20 + 10 * math.sin((us - START_US) / 6e8)


def pixels(payload: bytes) -> bytes:
    q = msgspec.json.decode(payload, type=messages.PixelsQuestion)
    step = -(-(q.end_us - q.start_us) // q.width)
    rows = [(tag, q.start_us + i * step) for tag in q.tags for i in range(q.width) if not 50 <= i < 60]
    values = [_value(us) for _, us in rows]
    return stream(
        pa.table(
            {
                "tag": pa.array([tag for tag, _ in rows], pa.uint32()),
                "time": _times([us for _, us in rows]),
                "min": [v - 1 for v in values],
                "max": [v + 1 for v in values],
                "first": values,
                "last": values,
                "count": pa.array([60] * len(rows), pa.uint64()),
            }
        )
    )


def aggregate(payload: bytes) -> bytes:
    q = msgspec.json.decode(payload, type=messages.AggregateQuestion)
    first = q.start_us // q.bucket_us * q.bucket_us
    rows = [(tag, us) for tag in q.tags for us in range(first, q.end_us, q.bucket_us)]
    values = [_value(us) + 0.1 * tag for tag, us in rows]
    counts = pa.array([60] * len(rows), pa.uint64())
    good = pa.array([59 if i == 3 else 60 for i in range(len(rows))], pa.uint64())
    columns = dict.fromkeys(("min", "max", "avg", "first", "last", "time_weighted_avg"), values)
    head = {"tag": pa.array([tag for tag, _ in rows], pa.uint32()), "bucket": _times([us for _, us in rows])}
    return stream(pa.table({**head, **columns, "count": counts, "good_count": good}))


def raw(payload: bytes) -> bytes:
    q = msgspec.json.decode(payload, type=messages.RawQuestion)
    first = -(-q.start_us // 1_000_000) * 1_000_000
    rows = [(tag, us) for tag in sorted(q.tags) for us in range(first, min(q.end_us, START_US + HOUR_US), 1_000_000)]
    rows = rows[: q.limit]
    return stream(
        pa.table(
            {
                "tag": pa.array([tag for tag, _ in rows], pa.uint32()),
                "time": _times([us for _, us in rows]),
                "seq": pa.array([0] * len(rows), pa.uint64()),
                "value": pa.array([_value(us) for _, us in rows], pa.float64()),
                "text": pa.array([None] * len(rows), pa.string()),
                "quality": pa.array([0] * len(rows), pa.uint8()),
                "arrived": _times([us + 20_000 for _, us in rows]),
            }
        )
    )


def describe(payload: bytes) -> bytes:
    q = msgspec.json.decode(payload, type=messages.DescribeQuestion)
    spans = [(tag, i, a, b) for tag in q.tags for i, (a, b) in enumerate(zip(q.starts_us, q.ends_us, strict=True))]
    seconds = [(b - a) / 1e6 for *_, a, b in spans]
    fixed = {"min": 10.0, "max": 30.0, "mean": 20.0, "std": 2.0, "first": 19.0, "last": 21.0}
    return stream(
        pa.table(
            {
                "tag": pa.array([tag for tag, *_ in spans], pa.uint32()),
                "span": pa.array([i for _, i, *_ in spans], pa.uint32()),
                "count": pa.array([int(s) for s in seconds], pa.uint64()),
                "good_count": pa.array([int(s) for s in seconds], pa.uint64()),
                **{name: [value] * len(spans) for name, value in fixed.items()},
                "percentiles": [[11.0, 15.0, 20.0, 25.0, 29.0]] * len(spans),
                "min_us": [a for *_, a, _b in spans],
                "max_us": [a for *_, a, _b in spans],
                "covered_s": seconds,
                "integral": [20.0 * s for s in seconds],
                "above_s": [60.0 if q.high is not None else 0.0] * len(spans),
                "below_s": [0.0] * len(spans),
            }
        )
    )


def histogram(payload: bytes) -> bytes:
    rows = {"low": [10.0, 11.0, 13.0], "high": [11.0, 12.0, 14.0], "count": pa.array([3, 5, 1], pa.uint64())}
    return stream(pa.table(rows))


def cycles(payload: bytes) -> bytes:
    q = msgspec.json.decode(payload, type=messages.CyclesQuestion)
    if q.condition == "nonsense":
        raise ValueError("The condition names no symbol: it holds always or never.")
    spans = [(START_US + n * 120_000_000, START_US + (n + 1) * 120_000_000) for n in range(30)]
    told = [messages.CycleStatistics(tag, 10.0, 30.0, 20.0, 19.0, 21.0, 120) for tag in q.tags]
    inside = [messages.Cycle(a, b, True, told) for a, b in spans if a >= q.start_us and b <= q.end_us]
    return msgspec.json.encode(messages.CyclesAnswer(inside[-q.last :] if q.last else inside, q.start_us))


def overlay(payload: bytes) -> bytes:
    q = msgspec.json.decode(payload, type=messages.OverlayQuestion)
    step = -(-max(b - a for a, b in q.intervals) // q.width)
    rows = [
        (n, tag, offset, _value(a + offset))
        for n, (a, b) in enumerate(q.intervals)
        for tag in q.tags
        for offset in range(0, b - a, step)
    ]
    columns = {
        "cycle": pa.array([r[0] for r in rows], pa.uint32()),
        "tag": pa.array([r[1] for r in rows], pa.uint32()),
        "offset": pa.array([r[2] for r in rows], pa.int64()),
        **{name: [r[3] for r in rows] for name in ("min", "max", "first", "last")},
        "count": pa.array([4] * len(rows), pa.uint64()),
    }
    return stream(pa.table(columns))


ANSWERS = {
    "pixels": pixels,
    "aggregate": aggregate,
    "raw": raw,
    "describe": describe,
    "histogram": histogram,
    "cycles": cycles,
    "overlay": overlay,
}
