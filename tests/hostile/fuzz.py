"""Fuzzing of every decoder: random bytes, mutations of the corpus, and structures put together at random.

``python -m tests.hostile.fuzz --seconds 60`` gives each decoder a minute and prints how many messages it took.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tests.hostile.corpus import ARRIVED_US, BIRTH, TAGS, corpus
from yuheng.engines.codec import SAMPLES, Batch, Message, decoder_for
from yuheng.engines.codec.sparkplug_schema import Payload
from yuheng.engines.points import Quality, Refusal

_TOPICS = {"mqtt_json": ["p/#"], "sparkplug_b": ["spBv1.0/#"]}
_BIRTHS = ("NBIRTH", "NDATA", "NDEATH")
_DEVICE = ("DBIRTH", "DDATA", "DDEATH")


def check_batch(batch: Batch, messages: int) -> None:
    """Assert what holds for every batch, whatever went in."""
    points = batch.points
    columns = (points.tag, points.time_us, points.value, points.quality, points.seq, points.arrived_us)
    assert len({len(column) for column in columns}) == 1
    known = {tag.id for tag in TAGS}
    assert set(points.tag.tolist()) <= known
    for value, quality in zip(points.value.tolist(), points.quality.tolist(), strict=True):
        assert math.isfinite(value) or (math.isnan(value) and quality >= Quality.BAD)
    for text in batch.texts:
        text.text.encode()
        assert text.tag in known
    indexes = [i for i, _ in batch.refused] + [i for i, _, _ in batch.refused_messages]
    assert all(0 <= i < messages for i in indexes)
    assert all(isinstance(reason, Refusal) for _, reason, _ in batch.refused_messages)


def _mutated(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat or splice."""
    out = bytearray(data[:5000])
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(out) + 1)
        match rng.randrange(5):
            case 0 if out:
                out[place % len(out)] ^= 1 << rng.randrange(8)
            case 1:
                del out[place : place + rng.randrange(1, 10)]
            case 2:
                out[place:place] = rng.randbytes(rng.randrange(1, 10))
            case 3:
                out[place:place] = out[: rng.randrange(20)]
            case _:
                out[place:place] = rng.choice((b"NaN", b"\xff", b"null", b"{", b"[", b'"', b"1e999", b"-", b"\x00"))
    return bytes(out)


def _any_json(rng: random.Random, depth: int = 0) -> object:
    """A random document that likes our keys."""
    kind = rng.randrange(9 if depth < 5 else 6)
    if kind < 6:
        scalars = (rng.random() * 1e3, rng.randrange(-(2**70), 2**70), rng.choice((True, False, None)), "x", 1, 1e308)
        return scalars[kind]
    if kind == 6:
        return [_any_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    keys = ("ts", "values", "temp", "count", "run", "program", "seq", "quality", "name", "value", "tag", "", "other")
    return {rng.choice(keys): _any_json(rng, depth + 1) for _ in range(rng.randrange(5))}


def _fill_metric(metric: object, rng: random.Random, depth: int = 0) -> None:
    fields = {
        "int_value": rng.randrange(2**32),
        "long_value": rng.randrange(2**64),
        "float_value": rng.choice((0.0, 1.5, math.nan, math.inf)),
        "double_value": rng.choice((0.0, 1e308, math.nan, -math.inf)),
        "boolean_value": rng.random() < 0.5,
        "string_value": "x",
        "bytes_value": b"\xff",
        "dataset_value": b"",
        "extension_value": b"\x01",
    }
    if rng.random() < 0.5:
        metric.name = rng.choice(("temp", "count", "program", "bdSeq", "Node Control/Rebirth", "x/y"))
    if rng.random() < 0.7:
        metric.alias = rng.choice((0, 1, 2, 3, 2**64 - 1))
    if rng.random() < 0.5:
        metric.timestamp = rng.choice((0, 1, ARRIVED_US // 1000, 2**63, 2**64 - 1))
    metric.datatype = rng.randrange(40)
    metric.is_null = rng.random() < 0.1
    if rng.random() < 0.1 and depth < 4:
        _fill_metric(metric.template_value.metrics.add(), rng, depth + 1)
    elif rng.random() < 0.9:
        name = rng.choice(list(fields))
        setattr(metric, name, fields[name])
    if rng.random() < 0.1:
        metric.properties.keys.append("Quality")
        metric.properties.values.add(int_value=rng.choice((0, 192, 500, 7)))


def _any_sparkplug(rng: random.Random) -> Message:
    payload = Payload()
    if rng.random() < 0.8:
        payload.seq = rng.choice((rng.randrange(256), 2**64 - 1))
    if rng.random() < 0.8:
        payload.timestamp = rng.choice((0, ARRIVED_US // 1000, 2**64 - 1))
    for _ in range(rng.randrange(5)):
        _fill_metric(payload.metrics.add(), rng)
    kind = rng.choice(_BIRTHS + _DEVICE)
    topic = f"spBv1.0/G/{kind}/edge" + ("/d" if kind in _DEVICE else "")
    data = payload.SerializeToString()
    return Message(topic, _mutated(data, rng) if rng.random() < 0.3 else data, ARRIVED_US)


def _any_line(rng: random.Random) -> bytes:
    atoms = ("d", "temp", "count", "=", ",", " ", '"', "\\", "\n", "1", "1.5", "i", "t", "NaN", "#", "17", "-", "送")
    return "".join(rng.choice(atoms) for _ in range(rng.randrange(40))).encode()


def _messages(connector: str, rng: random.Random, seeds: list[Message]) -> list[Message]:
    """Eight messages: mutations, random bytes, and structures of the connector's own kind."""
    out = []
    for _ in range(8):
        seed = rng.choice(seeds)
        kind = rng.randrange(3)
        if kind == 0:
            out.append(seed._replace(payload=_mutated(bytes(seed.payload), rng)))
        elif kind == 1:
            out.append(seed._replace(payload=rng.randbytes(rng.randrange(60))))
        elif connector == "mqtt_json":
            out.append(Message("p/d", json.dumps(_any_json(rng)).encode(), ARRIVED_US))
        elif connector == "sparkplug_b":
            out.append(_any_sparkplug(rng))
        elif connector == "http":
            out.append(Message(rng.choice(("write", "write?precision=s")), _any_line(rng), ARRIVED_US))
        else:
            out.append(seed)
    return out


_PATHS = (
    {"time_path": "ts", "values_path": "values", "seq_path": "values.seq", "quality_path": "quality"},
    {"list_path": "values", "name_path": "name", "value_path": "value", "time_path": "ts"},
    {"value_path": "values.0", "topic_pattern": "p/{name}", "time_format": "ns"},
    {"time_path": "values.ts", "topic_pattern": "p/{unit}/#", "quality_codes": "opc_da", "encoding": "gb18030"},
)


def _fuzzer(connector: str, settings: Mapping[str, str] = MappingProxyType({})) -> Callable[..., int]:
    def run(*, seconds: float, seed: int) -> int:
        """Fuzz for so long; return how many messages went through. Raises `AssertionError` with what broke it."""
        rng = random.Random(seed)
        seeds = [hostile.message for hostile in corpus() if hostile.connector == connector]
        seeds += [BIRTH] if connector == "sparkplug_b" else []
        decoder = decoder_for(connector, settings, _TOPICS.get(connector, []), TAGS)
        deadline = time.monotonic() + seconds
        count = 0
        while time.monotonic() < deadline:
            messages = _messages(connector, rng, seeds)
            try:
                check_batch(decoder.decode(messages), len(messages))
            except Exception as error:
                short = [(message.topic, bytes(message.payload)) for message in messages]
                raise AssertionError(f"{connector} broke on {short!r}") from error
            count += len(messages)
        return count

    return run


FUZZERS = {name: _fuzzer(name) for name in ("mqtt_json", "sparkplug_b", "http", SAMPLES)}
FUZZERS |= {f"mqtt_json by paths {i}": _fuzzer("mqtt_json", paths) for i, paths in enumerate(_PATHS)}


def main() -> None:
    """Fuzz every decoder in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each decoder")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    for name, run in FUZZERS.items():
        print(f"{name}: {run(seconds=given.seconds, seed=given.seed)} messages, seed {given.seed}")  # noqa: T201


if __name__ == "__main__":
    main()
