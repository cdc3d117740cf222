"""What the throughput bench sends: 1,000 tags of a plausible plant, in messages computed before the clock starts.

Of ten tags eight are random walks rounded to 0.01, one is a counter and one a boolean: the mix of
``../shared/design/telemetry.md``. One *scan* is one value of every tag, stamped one second after the scan before;
a run sends the scans of hours in a minute, so that the stored columns look like those of a plant at 1 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from yuheng.bench import sparkplug

TAG_COUNT = 1_000
POINTS_A_MESSAGE = 100
POOL_SCANS = 300
"""Scans computed in advance; later scans repeat their values under new stamps."""

SCAN_MS = 1_000
HISTORY_MS = 48 * 3_600_000
"""A run starts this far in the past, so that an accelerated hour never reaches into the future."""


@dataclass(frozen=True, slots=True)
class BenchTag:
    """One tag as the plant file has it."""

    address: str
    data_type: str


class Workload(Protocol):
    """Messages by number; the same number is always the same message."""

    points_per_message: int
    tags: list[BenchTag]

    def births(self) -> list[tuple[bytes, bytes]]:
        """Return (topic, payload) of what goes before the first message; empty for JSON."""
        ...

    def message(self, index: int) -> tuple[bytes, bytes]:
        """Return (topic, payload) of message ``index``."""
        ...


def kind_of(tag: int) -> str:
    """Return the data type of a tag number: eight walks, a counter and a boolean in ten."""
    return {8: "int", 9: "bool"}.get(tag % 10, "float")


def pool_values(seed: int, scans: int = POOL_SCANS, tags: int = TAG_COUNT) -> np.ndarray:
    """Return values of shape ``(scans, tags)``; walks rounded to 0.01, counters and booleans as whole numbers."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 0.05, (scans, tags)), axis=0) + rng.uniform(10, 90, tags)
    counter = np.cumsum(rng.random((scans, tags)) < 0.2, axis=0).astype(float)
    switch = (np.cumsum(rng.random((scans, tags)) < 0.02, axis=0) % 2).astype(float)
    column = np.arange(tags) % 10
    return np.where(column == 9, switch, np.where(column == 8, counter, np.round(walk, 2)))


def _json_number(tag: int, value: float) -> str:
    if tag % 10 == 9:
        return "true" if value else "false"
    return str(int(value)) if tag % 10 == 8 else repr(float(value))


class JsonWorkload:
    """``bench/json/g<k>`` carries ``{"ts": ms, "values": {100 names}}``; ten messages make one scan."""

    name = "json"
    topics = "bench/json/#"
    tag_count = TAG_COUNT
    pool_scans = POOL_SCANS
    points_per_message = POINTS_A_MESSAGE

    def __init__(self, *, seed: int, start_ms: int) -> None:
        self._start_ms = start_ms
        self._groups = self.tag_count // POINTS_A_MESSAGE
        self._topics = [f"bench/{self.name}/g{group}".encode() for group in range(self._groups)]
        self.tags = [BenchTag(f"g{tag // POINTS_A_MESSAGE}/t{tag:04d}", kind_of(tag)) for tag in range(self.tag_count)]
        pool = pool_values(seed, self.pool_scans, self.tag_count).tolist()
        self._bodies = [self._body(scan, group) for scan in pool for group in range(self._groups)]

    @staticmethod
    def _body(scan: list[float], group: int) -> bytes:
        numbers = range(group * POINTS_A_MESSAGE, (group + 1) * POINTS_A_MESSAGE)
        return ",".join(f'"t{tag:04d}":{_json_number(tag, scan[tag])}' for tag in numbers).encode()

    def births(self) -> list[tuple[bytes, bytes]]:
        """Return nothing: JSON needs no introduction."""
        return []

    def message(self, index: int) -> tuple[bytes, bytes]:
        """Return a hundred tags of a scan."""
        scan, group = divmod(index, self._groups)
        body = self._bodies[index % len(self._bodies)]
        return self._topics[group], b'{"ts":%d,"values":{%b}}' % (self._start_ms + scan * SCAN_MS, body)


class HistoryWorkload(JsonWorkload):
    """A hundred tags in one message: 86,400 messages are a day at 1 Hz."""

    name = "history"
    topics = "bench/history/#"
    tag_count = 100


class WideWorkload(JsonWorkload):
    """Ten thousand tags: fifty messages a second are 5,000 values a second."""

    name = "wide"
    topics = "bench/wide/#"
    tag_count = 10_000
    pool_scans = 10


class SingleWorkload:
    """``bench/single/s<k>`` carries ``{"ts": ms, "values": {"value": v}}``: one point a message."""

    topics = "bench/single/#"
    points_per_message = 1

    def __init__(self, *, seed: int, start_ms: int) -> None:
        self._start_ms = start_ms
        self._topics = [f"bench/single/s{tag:04d}".encode() for tag in range(TAG_COUNT)]
        self.tags = [BenchTag(f"s{tag:04d}/value", kind_of(tag)) for tag in range(TAG_COUNT)]
        self._bodies = [
            _json_number(tag, value).encode() for scan in pool_values(seed).tolist() for tag, value in enumerate(scan)
        ]

    def births(self) -> list[tuple[bytes, bytes]]:
        """Return nothing: JSON needs no introduction."""
        return []

    def message(self, index: int) -> tuple[bytes, bytes]:
        """Return one value of one tag."""
        scan, tag = divmod(index, TAG_COUNT)
        body = self._bodies[index % len(self._bodies)]
        return self._topics[tag], b'{"ts":%d,"values":{"value":%b}}' % (self._start_ms + scan * SCAN_MS, body)


class SparkplugWorkload:
    """One edge node with ten devices of 100 metrics, by alias, each metric with its own time stamp."""

    topics = "spBv1.0/bench/#"
    points_per_message = POINTS_A_MESSAGE
    node = "edge"

    def __init__(self, *, seed: int, start_ms: int) -> None:
        self._start_ms = start_ms
        self._devices = TAG_COUNT // POINTS_A_MESSAGE
        self.tags = [
            BenchTag(f"{self.node}/d{tag // POINTS_A_MESSAGE}/t{tag:04d}", kind_of(tag)) for tag in range(TAG_COUNT)
        ]
        self._topics = [f"spBv1.0/bench/DDATA/{self.node}/d{device}".encode() for device in range(self._devices)]
        self._bodies = [
            sparkplug.data_body((tag, kind_of(tag), scan[tag]) for tag in self._numbers(device))
            for scan in pool_values(seed).tolist()
            for device in range(self._devices)
        ]

    @staticmethod
    def _numbers(device: int) -> range:
        return range(device * POINTS_A_MESSAGE, (device + 1) * POINTS_A_MESSAGE)

    def births(self) -> list[tuple[bytes, bytes]]:
        """Return NBIRTH and ten DBIRTHs, sequence numbers 0 to 10, stamped just before the first scan."""
        stamp = self._start_ms - SCAN_MS
        out = [(f"spBv1.0/bench/NBIRTH/{self.node}".encode(), sparkplug.node_birth(stamp, bd_seq=0))]
        for device in range(self._devices):
            metrics = [(tag, f"t{tag:04d}", kind_of(tag)) for tag in self._numbers(device)]
            topic = f"spBv1.0/bench/DBIRTH/{self.node}/d{device}".encode()
            out.append((topic, sparkplug.device_birth(stamp, metrics, seq=device + 1)))
        return out

    def message(self, index: int) -> tuple[bytes, bytes]:
        """Return one DDATA; the sequence continues after the births and wraps at 256."""
        scan, device = divmod(index, self._devices)
        body = self._bodies[index % len(self._bodies)]
        stamp = self._start_ms + scan * SCAN_MS
        return self._topics[device], sparkplug.data(stamp, body, seq=(index + 1 + self._devices) % 256)


WORKLOADS: dict[str, type[JsonWorkload] | type[SingleWorkload] | type[SparkplugWorkload]] = {
    "json": JsonWorkload,
    "single": SingleWorkload,
    "sparkplug": SparkplugWorkload,
    "history": HistoryWorkload,
    "wide": WideWorkload,
}
