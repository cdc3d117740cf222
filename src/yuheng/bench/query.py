"""How long questions take while data keeps arriving: over the bus and over the HTTP API."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from yuheng.bench.historian import log_position, tag_ids
from yuheng.bench.plants import Credential, a_credential, source_code, throughput_plant
from yuheng.bench.publisher import Orders
from yuheng.bench.publishing import publish_in_step, publishing
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.visitor import Visitor
from yuheng.bench.waiting import wait_until
from yuheng.bench.workload import HistoryWorkload, WideWorkload, Workload
from yuheng.bus import subjects
from yuheng.bus.messages import AggregateQuestion, LatestQuestion, PixelsQuestion

SUMMARY = "how long a trend, the latest values and hourly figures take while data arrives"

DAY_S = 86_400
HOUR_US = 3_600_000_000
WIDTH_PIXELS = 1_200
BACKGROUND_MESSAGES_PER_S = 50.0
LEAD_MESSAGES = 4_000
FILL_DEADLINE_S = 900.0
ROLLUP_DEADLINE_S = 60.0

Question = Callable[[], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much history is asked."""
    parser.add_argument("--hours", type=float, default=24.0, help="hours of history at 1 Hz (default 24, as promised)")


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Fill a day of a hundred tags, keep 5,000 values/s coming, and ask in turn."""
    now_ms = int(time.time()) * 1000
    start_ms = now_ms - int(options.hours * 3_600_000)
    workloads: dict[str, Workload] = {
        "history": HistoryWorkload(seed=options.seed, start_ms=start_ms),
        "wide": WideWorkload(seed=options.seed, start_ms=now_ms),
    }
    credential = a_credential("bench-device")
    with running_stack(reporter) as stack:
        stack.import_plant(throughput_plant(credential, workloads))
        seconds = int(options.hours * 3600)
        reporter.step(f"filling {options.hours:g} h of 100 tags at 1 Hz: {seconds * 100:,} points")
        publish(stack, credential, "history", start_ms, options.seed, messages=seconds)
        reporter.step("filling 10,000 tags with a value each")
        publish(stack, credential, "wide", now_ms, options.seed, messages=100)
        questions = _bus_questions(stack, start_ms * 1000, now_ms * 1000)
        visitor = Visitor(stack.url)
        visitor.sign_in(*stack.administrator())
        questions |= _http_questions(stack, visitor, start_ms * 1000, now_ms * 1000)
        reporter.step("waiting until the roll-ups are there")
        _wait_for_rollups(questions["bus_hourly_100_tags"])
        reporter.step(f"asking for {options.seconds:.0f} s while 5,000 values/s arrive")
        with background(stack, credential, now_ms, options, first=100):
            times = _ask_in_turn(questions, options.seconds)
        visitor.close()
    medians = {name: statistics.median(values) * 1000 for name, values in times.items()}
    worst = {name: sorted(values)[int(len(values) * 0.95)] * 1000 for name, values in times.items()}
    rows = [[name, medians[name], worst[name], len(times[name])] for name in times]
    reporter.table("Answers while data arrives", [["question", "p50 ms", "p95 ms", "n"], *rows])
    return {
        "medians_ms": {name: round(value, 2) for name, value in medians.items()},
        "p95_ms": {name: round(value, 2) for name, value in worst.items()},
        "n": min(map(len, times.values())),
        "hours": options.hours,
        "background_values_per_s": BACKGROUND_MESSAGES_PER_S * 100,
    }


def orders(stack: Stack, credential: Credential, kind: str, start_ms: int, seed: int, **more: Any) -> Orders:
    """Return the publisher's orders for this installation."""
    return Orders(
        host="127.0.0.1",
        port=stack.mqtt_port,
        username=credential.username,
        password=credential.password,
        kind=kind,
        seed=seed,
        start_ms=start_ms,
        **more,
    )


def publish(stack: Stack, credential: Credential, kind: str, start_ms: int, seed: int, *, messages: int) -> None:
    """Publish so many messages and wait until the historian has committed them."""
    base, _ = log_position(stack.bus, subjects.MQTT_STREAM)
    wanted = orders(stack, credential, kind, start_ms, seed, seconds=FILL_DEADLINE_S, messages=messages)
    with publishing(wanted) as process:
        publish_in_step(
            process,
            lambda: log_position(stack.bus, subjects.MQTT_STREAM)[1] - base,
            lead=LEAD_MESSAGES,
            pause=lambda: time.sleep(0.03),
        )
    wait_until(
        lambda: len(set(log_position(stack.bus, subjects.MQTT_STREAM))) == 1,
        what="the historian to commit everything",
        deadline_s=FILL_DEADLINE_S,
    )


def background(stack: Stack, credential: Credential, start_ms: int, options: argparse.Namespace, *, first: int) -> Any:
    """Return a context in which 5,000 values a second arrive (100 messages were already published: ``first``)."""
    return publishing(
        orders(
            stack,
            credential,
            "wide",
            start_ms,
            options.seed,
            seconds=options.seconds + 3600,
            rate=BACKGROUND_MESSAGES_PER_S,
            first=first,
            client_id="yuheng-bench-background",
        )
    )


def _bus_questions(stack: Stack, start_us: int, end_us: int) -> dict[str, Question]:
    plant = stack.bus.plant()
    assert plant is not None
    history = list(tag_ids(plant, source_code("history")).values())
    wide = list(tag_ids(plant, source_code("wide")).values())
    hours = (start_us // HOUR_US * HOUR_US, end_us // HOUR_US * HOUR_US + HOUR_US)
    return {
        "bus_trend_24h": lambda: stack.bus.table("pixels", PixelsQuestion(history[:1], start_us, end_us, WIDTH_PIXELS)),
        "bus_latest_10000_tags": lambda: stack.bus.table("latest", LatestQuestion(wide)),
        "bus_hourly_100_tags": lambda: stack.bus.table("aggregate", AggregateQuestion(history, *hours, HOUR_US)),
    }


def _http_questions(stack: Stack, visitor: Visitor, start_us: int, end_us: int) -> dict[str, Question]:
    """Return the same questions to the API, answered as Arrow like the bus does."""
    plant = stack.bus.plant()
    assert plant is not None
    history = list(tag_ids(plant, source_code("history")).values())
    wide = list(tag_ids(plant, source_code("wide")).values())
    span = {"start": _iso(start_us), "end": _iso(end_us)}
    trend = _address("pixels", tags=history[:1], width=WIDTH_PIXELS, **span)
    latest = _address("latest", tags=wide)
    hourly = _address("aggregate", tags=history, bucket="1h", **span)
    return {
        "http_trend_24h": lambda: visitor.get(trend),
        "http_latest_10000_tags": lambda: visitor.get(latest),
        "http_hourly_100_tags": lambda: visitor.get(hourly),
    }


def _address(operation: str, *, tags: list[int], **more: object) -> str:
    query = {"tags": ",".join(map(str, tags)), **{name: str(value) for name, value in more.items()}, "format": "arrow"}
    return f"/api/v1/history/{operation}?{urlencode(query, safe=',:')}"


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def _wait_for_rollups(hourly: Question) -> None:
    """Return once the hourly question is fast, or after a minute: the roll-ups of a filled day follow it."""
    deadline = time.monotonic() + ROLLUP_DEADLINE_S
    best_s = float("inf")
    while time.monotonic() < deadline and best_s > 0.1:
        began = time.perf_counter()
        hourly()
        best_s = min(best_s, time.perf_counter() - began)
        time.sleep(1)


def _ask_in_turn(questions: dict[str, Question], seconds: float) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in questions}
    for question in questions.values():  # once unmeasured: connections and caches as they are in daily life
        question()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, question in questions.items():
            began = time.perf_counter()
            question()
            times[name].append(time.perf_counter() - began)
            time.sleep(0.05)
    return times
