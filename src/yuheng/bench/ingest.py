"""How many points a second become committed, queryable rows; and what plain scripts reach on the same machine.

Closed loop at both ends: the publisher waits for PUBACK (a window of messages), and may run only a bounded number of
messages ahead of what the historian has committed, so a minute is a sustained minute. The clock starts with the
first publish and stops when a query counts every point published: rows that cannot be read do not count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from yuheng.bench.historian import log_position, tag_ids
from yuheng.bench.peer_runs import is_installed, run_peer
from yuheng.bench.plants import Credential, a_credential, source_code, throughput_plant
from yuheng.bench.processes import Cost, Meter
from yuheng.bench.publisher import Orders, Progress
from yuheng.bench.publishing import PublisherProcess, publish_in_step, publishing
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.storage import settled_statistics
from yuheng.bench.waiting import wait_until
from yuheng.bench.workload import HISTORY_MS, SCAN_MS, JsonWorkload, SingleWorkload, SparkplugWorkload, Workload
from yuheng.bus import subjects
from yuheng.bus.messages import PixelsQuestion

SUMMARY = "points a second from MQTT publish to a committed, queryable row; the same for plain scripts"

LEAD_MESSAGES = {"json": 10_000, "single": 100_000, "sparkplug": 10_000}
"""How far the publisher may run ahead of the historian's commits, in messages: a second or two of them."""

WINDOW_MESSAGES = {"json": 512, "single": 2_048, "sparkplug": 512}
"""How many messages may wait for PUBACK."""

DRAIN_DEADLINE_S = 120.0
PEERS = ("influx", "influx_fields", "pg_copy", "pg_copy_packed")
WIDTH_OF_ALL = 1
"""One pixel over everything: counted from raw rows, without duplicates, not from roll-ups."""
SCANS_A_COUNT = 3_600
LONGEST_ROUND_S = 8.0


@dataclass(frozen=True, slots=True)
class IngestRun:
    """One workload, published for some seconds."""

    kind: str
    points_per_s: float
    messages_per_s: float
    acknowledged_messages_per_s: float
    published_points: int
    missing_points: int
    elapsed_s: float
    drain_s: float  # from the last PUBACK until everything could be counted
    greatest_lag_messages: int
    publisher_cpu_us_per_point: float
    cpu_us_per_point: dict[str, float]
    cores_used: dict[str, float]
    rss_mb: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Peers can be left out."""
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs of ours and the peers (default 3)")
    parser.add_argument("--no-peers", action="store_true", help="measure ours only")
    parser.add_argument(
        "--only", choices=sorted(LEAD_MESSAGES), default=None, help="one workload only (the other rates are then null)"
    )


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Measure the three workloads, then ours against the peers in short alternating runs."""
    start_ms = (int(time.time()) - HISTORY_MS // 1000) * 1000
    workloads: dict[str, Workload] = {
        "json": JsonWorkload(seed=options.seed, start_ms=start_ms),
        "single": SingleWorkload(seed=options.seed, start_ms=start_ms),
        "sparkplug": SparkplugWorkload(seed=options.seed, start_ms=start_ms),
    }
    credential = a_credential("bench-device")
    with running_stack(reporter) as stack:
        stack.import_plant(throughput_plant(credential, workloads))
        lane = Lane(stack, credential, workloads, options.seed, start_ms)
        runs: dict[str, IngestRun] = {}
        bytes_per_point: float | None = None
        for kind in [options.only] if options.only else list(workloads):
            reporter.step(f"publishing {kind} for {options.seconds:.0f} s")
            runs[kind] = lane.measure(kind, options.seconds)
            if kind == "json":
                bytes_per_point = round(settled_statistics(stack.bus)["bytes_per_point"], 3)
        peers = {} if options.no_peers else compare(lane, options, reporter)
    _print(reporter, runs, peers, bytes_per_point)
    return _result(runs, peers, bytes_per_point)


class Lane:
    """The way from a publisher to counted rows, on one installation."""

    def __init__(
        self, stack: Stack, credential: Credential, workloads: dict[str, Workload], seed: int, start_ms: int
    ) -> None:
        self._stack = stack
        self._credential = credential
        self._workloads = workloads
        self._seed = seed
        self._start_ms = start_ms
        self._published: dict[str, int] = {}  # messages so far: a later run goes on where the one before ended

    def measure(self, kind: str, seconds: float) -> IngestRun:
        """Publish a workload for some seconds and wait until every point is counted."""
        stack, workload = self._stack, self._workloads[kind]
        before_messages = self._published.get(kind, 0)
        base, _ = log_position(stack.bus, subjects.MQTT_STREAM)
        meter = Meter(stack.pids())
        with publishing(self._orders(kind, seconds, before_messages)) as process:
            lag = _Lag(stack, base + len(workload.births()), LEAD_MESSAGES[kind], process)
            meter.start()
            done = publish_in_step(process, lag.committed, lead=LEAD_MESSAGES[kind], pause=lag.pause)
        self._published[kind] = before_messages + done.sent
        points = done.sent * workload.points_per_message
        ended_at, missing = self._count_until(kind, before_messages, self._published[kind])
        costs = meter.stop()
        return _ingest_run(kind, done, points, missing, ended_at, lag.greatest, costs, meter.elapsed_s)

    def _orders(self, kind: str, seconds: float, first: int) -> Orders:
        return Orders(
            host="127.0.0.1",
            port=self._stack.mqtt_port,
            username=self._credential.username,
            password=self._credential.password,
            kind=kind,
            seed=self._seed,
            start_ms=self._start_ms,
            seconds=seconds,
            window=WINDOW_MESSAGES[kind],
            allowed=LEAD_MESSAGES[kind],
            first=first,
        )

    def missing(self, kind: str, first: int, past: int) -> int:
        """Return how many points of the messages ``[first, past)`` a query of the raw rows does not find.

        Counted by the scans that the messages belong to (the first one may hold messages of the run before), an hour
        of the devices' clock a question: a question about everything would take longer with every run.
        """
        workload = self._workloads[kind]
        plant = self._stack.bus.plant()
        assert plant is not None
        ids = list(tag_ids(plant, source_code(kind)).values())
        a_scan = len(workload.tags) // workload.points_per_message
        first_scan, end_scan = first // a_scan, -(-past // a_scan)
        found = 0
        for scan in range(first_scan, end_scan, SCANS_A_COUNT):
            edges_us = [
                (self._start_ms + edge * SCAN_MS) * 1000 for edge in (scan, min(scan + SCANS_A_COUNT, end_scan))
            ]
            table = self._stack.bus.table("pixels", PixelsQuestion(ids, edges_us[0], edges_us[1], WIDTH_OF_ALL))
            found += int(sum(table.column("count").to_pylist()))
        return (past - first_scan * a_scan) * workload.points_per_message - found

    def _count_until(self, kind: str, first: int, past: int) -> tuple[float, int]:
        """Count again and again; return when the first complete count was asked for, and how many points miss."""
        stack = self._stack
        deadline = time.monotonic() + DRAIN_DEADLINE_S
        while True:
            wait_until(
                lambda: len(set(log_position(stack.bus, subjects.MQTT_STREAM))) == 1,
                what="the historian to commit everything in the log",
                deadline_s=DRAIN_DEADLINE_S,
                pause_s=0.01,
            )
            asked_at = time.time()
            missing = self.missing(kind, first, past)
            if missing <= 0 or time.monotonic() > deadline:
                return asked_at, missing


class _Lag:
    """Follows how many of a run's messages are committed."""

    def __init__(self, stack: Stack, base: int, lead: int, process: PublisherProcess) -> None:
        self._stack = stack
        self._base = base
        self._lead = lead
        self._process = process
        self.greatest = 0

    def committed(self) -> int:
        """Return the number of messages of this run that the historian has acknowledged to the log."""
        newest, committed = log_position(self._stack.bus, subjects.MQTT_STREAM)
        self.greatest = max(self.greatest, newest - committed)
        return max(committed - self._base, 0)

    @staticmethod
    def pause() -> None:
        """Ask thirty times a second: often enough that the publisher never waits for us."""
        time.sleep(0.03)


def _ingest_run(
    kind: str,
    done: Progress,
    points: int,
    missing: int,
    ended_at: float,
    greatest_lag: int,
    costs: dict[str, Cost],
    measured_s: float,
) -> IngestRun:
    elapsed_s = ended_at - done.began_at
    return IngestRun(
        kind=kind,
        points_per_s=round((points - max(missing, 0)) / elapsed_s, 1),
        messages_per_s=round(done.sent / elapsed_s, 1),
        acknowledged_messages_per_s=round(done.acked / (done.at - done.began_at), 1),
        published_points=points,
        missing_points=missing,
        elapsed_s=round(elapsed_s, 3),
        drain_s=round(ended_at - done.at, 3),
        greatest_lag_messages=greatest_lag,
        publisher_cpu_us_per_point=round(done.cpu_s / points * 1e6, 3),
        cpu_us_per_point={name: round(cost.cpu_s / points * 1e6, 3) for name, cost in costs.items()},
        cores_used={name: round(cost.cpu_s / measured_s, 3) for name, cost in costs.items()},
        rss_mb={name: round(cost.rss_mb, 1) for name, cost in costs.items()},
    )


def compare(lane: Lane, options: argparse.Namespace, reporter: Reporter) -> dict[str, dict[str, float | None]]:
    """Run ours and each peer in turn, ``rounds`` times; return the medians of rates and of ratios.

    Our installation stays up, idle, while a peer runs.
    """
    seconds = min(max(options.seconds / 4, 4.0), LONGEST_ROUND_S)
    rates: dict[str, list[float]] = {peer: [] for peer in ("ours", *PEERS)}
    for number in range(options.rounds):
        reporter.step(f"ours and the peers, {seconds:.0f} s each: round {number + 1} of {options.rounds}")
        rates["ours"].append(lane.measure("json", seconds).points_per_s)
        for peer in filter(is_installed, PEERS):
            with tempfile.TemporaryDirectory(prefix="yuheng-peer-", ignore_cleanup_errors=True) as directory:
                start_ms = (int(time.time()) - HISTORY_MS // 1000) * 1000
                one = run_peer(peer, Path(directory), seconds=seconds, seed=options.seed, start_ms=start_ms)
                rates[peer].append(one.points_per_s)
    return {peer: _compared(rates["ours"], values) for peer, values in rates.items()}


def _compared(ours: list[float], theirs: list[float]) -> dict[str, float | None]:
    if not theirs:
        return {"points_per_s": None, "ratio": None}
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return {"points_per_s": round(statistics.median(theirs), 1), "ratio": round(ratio, 3)}


def _result(
    runs: dict[str, IngestRun], peers: dict[str, dict[str, float | None]], bytes_per_point: float | None
) -> dict[str, Any]:
    def rate(kind: str) -> float | None:
        return runs[kind].points_per_s if kind in runs else None

    return {
        "points_per_s": rate("json"),
        "single_messages_per_s": rate("single"),
        "sparkplug_points_per_s": rate("sparkplug"),
        "ratio_influx": peers.get("influx", {}).get("ratio"),
        "ratio_pg_copy": peers.get("pg_copy", {}).get("ratio"),
        "bytes_per_point": bytes_per_point,
        "missing": sum(max(run.missing_points, 0) for run in runs.values()),
        "peers": peers,
        "runs": {kind: asdict(run) for kind, run in runs.items()},
    }


def _print(
    reporter: Reporter,
    runs: dict[str, IngestRun],
    peers: dict[str, dict[str, float | None]],
    bytes_per_point: float | None,
) -> None:
    rows: list[list[object]] = [
        ["workload", "points/s", "messages/s", "PUBACK/s", "missing", "drain s", "µs/pt historian"]
    ]
    for kind, one in runs.items():
        rates = [one.points_per_s, one.messages_per_s, one.acknowledged_messages_per_s]
        rows.append([kind, *rates, one.missing_points, one.drain_s, one.cpu_us_per_point.get("historian")])
    reporter.table("MQTT QoS 1 publish -> committed, counted row", rows)
    costs = [["process", *(f"{kind} cores" for kind in runs), "RSS MB"]]
    last = list(runs.values())[-1]
    for name in last.cores_used:
        costs.append([name, *(run.cores_used.get(name) for run in runs.values()), last.rss_mb[name]])  # type: ignore[list-item]
    reporter.table("What it cost", costs)
    if peers:
        lines = [[peer, values["points_per_s"], values["ratio"]] for peer, values in peers.items()]
        reporter.table("Peers, medians of alternating runs", [["", "points/s", "ours / theirs"], *lines])
    if bytes_per_point is not None:
        reporter.table("On disk", [["bytes a point (JSON workload)", bytes_per_point]])
