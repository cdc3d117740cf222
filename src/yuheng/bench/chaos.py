"""Is everything that was acknowledged there, exactly once, whatever is killed?

Devices send numbered samples over MQTT QoS 1 and HTTP; each resends what was not acknowledged, with the same time stamp
and sequence. Meanwhile processes are killed (-9), or the store is held, or the disk is full. In the end what was
acknowledged is compared with what queries return.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from yuheng.bench.devices import Clock, Device, HttpDevice, MqttDevice, Sampler, wall_clock_ms
from yuheng.bench.historian import Bus, HistorianRefused, log_position, tag_ids
from yuheng.bench.ledger import NOTHING, Ledger, StoredSample, Verdict, judge
from yuheng.bench.plants import Credential, a_credential, a_plant, a_tag
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, is_serving, running_stack
from yuheng.bus import subjects
from yuheng.bus.messages import RawQuestion
from yuheng.bus.wire import WireError

SUMMARY = "processes are killed while devices send: what was acknowledged and is lost or double?"

VICTIMS = ("gateway", "historian", "web", "worker", "nats", "postgres")
MQTT_DEVICES = 4
HTTP_DEVICES = 2
MQTT_SOURCE = "bench-chaos-mqtt"
HTTP_SOURCE = "bench-chaos-http"

RECOVERY_DEADLINE_S = 90.0
DRAIN_DEADLINE_S = 180.0
PAGE_ROWS = 100_000
SLEEP_S = 0.2

Scenario = Callable[[Stack, argparse.Namespace, Reporter], Awaitable[dict[str, Any]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What goes wrong, and how busy the devices are."""
    parser.add_argument(
        "--scenario",
        choices=[*SCENARIOS, "all"],
        default="kills",
        help="kills (default); outage: the store is held for an accelerated hour; disk-full: no disk is left; all",
    )
    parser.add_argument("--rate", type=float, default=50.0, help="samples a second and device (default 50)")
    parser.add_argument("--every", type=float, default=7.0, help="mean seconds between two kills (default 7)")


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Run one scenario, or all; each on an installation of its own."""
    names = list(SCENARIOS) if options.scenario == "all" else [options.scenario]
    outcomes = {name: _run_scenario(name, options, reporter) for name in names}
    total = sum((outcome["verdict"] for outcome in outcomes.values()), NOTHING)
    killed: Counter[str] = Counter()
    for outcome in outcomes.values():
        killed.update(outcome["told"].get("kills_by_process", {}))
    _print(reporter, outcomes)
    return {
        "acked": total.acked,
        "stored": total.stored,
        "lost": total.lost,
        "duplicated": total.duplicated,
        "kills": sum(killed.values()),
        "kills_by_process": dict(killed),
        "misplaced": total.misplaced,
        "strange": total.strange,
        "sent": total.sent,
        "silent_devices": sum(outcome["told"]["silent_devices"] for outcome in outcomes.values()),
        "scenarios": {name: {**asdict(outcome["verdict"]), **outcome["told"]} for name, outcome in outcomes.items()},
    }


def _run_scenario(name: str, options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    credential = a_credential("bench-chaos")
    with running_stack(reporter, small_disk=name == "disk-full") as stack:
        stack.import_plant(chaos_plant(credential))
        clock = wall_clock_ms
        if name == "outage":
            clock = accelerated(OUTAGE_SPEED_OF / options.seconds)
        devices = _devices(stack, credential, options.rate, clock)
        told = asyncio.run(_live(devices, lambda: SCENARIOS[name](stack, options, reporter), reporter))
        reporter.step("waiting until everything serves and the log is empty")
        _wait_until_drained(stack, reporter)
        verdict = _compare(stack.bus, devices)
        told["connections"] = sum(device.connections for device in devices if isinstance(device, MqttDevice))
        refusals: Counter[int] = Counter()
        for device in devices:
            if isinstance(device, HttpDevice):
                refusals.update(device.refusals)
        told["silent_devices"] = sum(not device.ledger.acked for device in devices)
        told["http_refusals"] = {str(status): count for status, count in refusals.items()}
    return {"verdict": verdict, "told": told}


# ---- plant and devices ----------------------------------------------------


def chaos_plant(credential: Credential) -> dict[str, Any]:
    """Return one MQTT and one HTTP source with a tag a device, and one credential for all of them."""
    sources = [
        {"code": MQTT_SOURCE, "connector": "mqtt_json", "topics": ["bench/chaos/#"], "settings": {}},
        {"code": HTTP_SOURCE, "connector": "http", "topics": [], "settings": {}},
    ]
    tags = [a_tag(MQTT_SOURCE, f"m{number}/number") for number in range(MQTT_DEVICES)]
    tags += [a_tag(HTTP_SOURCE, f"h{number}/number") for number in range(HTTP_DEVICES)]
    device = {
        "username": credential.username,
        "password": credential.password,
        "publish_topics": ["bench/chaos/#"],
        "subscribe_topics": [],
        "sources": [MQTT_SOURCE, HTTP_SOURCE],
    }
    return a_plant(sources=sources, tags=tags, devices=[device])


def _devices(stack: Stack, credential: Credential, rate: float, clock: Clock) -> list[Device]:
    port, push = stack.mqtt_port, f"{stack.gateway_url}/push/{HTTP_SOURCE}"
    devices: list[Device] = []
    for number in range(MQTT_DEVICES):
        sampler = Sampler(Ledger(f"m{number}/number"), rate, clock)
        devices.append(MqttDevice(sampler, credential, port=port, topic=f"bench/chaos/m{number}"))
    for number in range(HTTP_DEVICES):
        sampler = Sampler(Ledger(f"h{number}/number"), rate, clock)
        devices.append(HttpDevice(sampler, credential, url=f"{push}/h{number}"))
    return devices


def accelerated(speed: float, *, now_ms: Clock = wall_clock_ms) -> Clock:
    """Return a clock that runs ``speed`` times faster and ends up, after the run, at about the real time."""
    began = now_ms()
    span = OUTAGE_SPEED_OF * 1000

    def clock() -> int:
        return int(began - span + (now_ms() - began) * speed)

    return clock


async def _live(
    devices: list[Device], scenario: Callable[[], Awaitable[dict[str, Any]]], reporter: Reporter
) -> dict[str, Any]:
    """Let the devices live through a scenario; then let them finish what is open."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        lives = [group.create_task(device.run(stop)) for device in devices]
        told = await scenario()
        reporter.step("no new samples; the devices see to it that what is open gets acknowledged")
        stop.set()
        _, unfinished = await asyncio.wait(lives, timeout=RECOVERY_DEADLINE_S)
        for life in unfinished:
            life.cancel()
    return {**told, "devices_never_done": len(unfinished)}


# ---- scenarios ------------------------------------------------------------


async def _kills(stack: Stack, options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Kill one process after another, in seeded order at seeded moments."""
    chance = random.Random(options.seed)
    killed: Counter[str] = Counter()
    end = time.monotonic() + options.seconds
    waiting: list[str] = []
    while True:
        pause_s = chance.uniform(0.5, 1.5) * options.every
        if time.monotonic() + pause_s > end:
            await asyncio.sleep(max(end - time.monotonic(), 0))
            break
        await asyncio.sleep(pause_s)
        if not waiting:
            waiting = chance.sample(VICTIMS, len(VICTIMS))
        name = waiting.pop()
        if await asyncio.to_thread(_kill, stack, name):
            killed[name] += 1
            reporter.step(f"killed {name}")
        else:
            waiting.insert(0, name)  # it is still on its way up; somebody else first
    restarts = {name: int(service.get("restarts", 0)) for name, service in stack.status()["services"].items()}
    return {"kills_by_process": dict(killed), "restarts": restarts}


def _kill(stack: Stack, name: str) -> bool:
    service = stack.status().get("services", {}).get(name, {})
    if not is_serving(service):
        return False
    with suppress(ProcessLookupError):
        os.kill(int(service["pid"]), signal.SIGKILL)
        return True
    return False


OUTAGE_SPEED_OF = 3_600.0
"""Seconds of plant time in the outage scenario: an hour."""


async def _outage(stack: Stack, options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Stop the historian, which owns the store, while devices go on; an hour of samples in the bench's seconds."""
    pid = stack.pids()["historian"]
    reporter.step(f"the store is out for {options.seconds:.0f} s, an hour of the devices' clock")
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(options.seconds)
        newest, committed = await asyncio.to_thread(log_position, stack.bus, subjects.MQTT_STREAM)
    finally:
        os.kill(pid, signal.SIGCONT)
    return {"outage_s": options.seconds, "plant_time_s": OUTAGE_SPEED_OF, "held_messages": newest - committed}


async def _disk_full(stack: Stack, options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Fill the installation's own small disk, watch the historian hold the log, then make room."""
    filler = stack.data_dir / "filler"
    reporter.step("filling the disk")
    await asyncio.to_thread(stack.fill_disk, filler)
    try:
        await asyncio.sleep(options.seconds)
        newest, committed = await asyncio.to_thread(log_position, stack.bus, subjects.MQTT_STREAM)
        facts = await asyncio.to_thread(stack.bus.health, "historian")
    finally:
        filler.unlink(missing_ok=True)
        reporter.step("there is room again")
    return {
        "full_s": options.seconds,
        "held_messages": newest - committed,
        "historian_said": facts.get("hold_reason", ""),
    }


SCENARIOS: dict[str, Scenario] = {"kills": _kills, "outage": _outage, "disk-full": _disk_full}


# ---- the comparison -------------------------------------------------------


def _wait_until_drained(stack: Stack, reporter: Reporter) -> None:
    """Return once every service serves and the historian has committed everything in both logs."""
    deadline = time.monotonic() + DRAIN_DEADLINE_S
    quiet = 0
    while quiet < 3:  # three times in a row: between two looks nothing may start again
        if time.monotonic() > deadline:
            reporter.step("gave up waiting: the log is not empty; what is missing now counts as lost")
            return
        quiet = quiet + 1 if _is_drained(stack) else 0
        time.sleep(0.5)


def _is_drained(stack: Stack) -> bool:
    services = stack.status().get("services", {})
    if not services or not all(map(is_serving, services.values())):
        return False
    try:
        positions = [log_position(stack.bus, stream) for stream in (subjects.MQTT_STREAM, subjects.INGEST_STREAM)]
    except (WireError, OSError, TimeoutError):
        return False
    return all(newest == committed for newest, committed in positions)


def _compare(bus: Bus, devices: list[Device]) -> Verdict:
    plant = bus.plant()
    assert plant is not None
    ids = {**tag_ids(plant, MQTT_SOURCE), **tag_ids(plant, HTTP_SOURCE)}
    verdicts = [judge(device.ledger, read_samples(bus, ids[device.ledger.tag])) for device in devices]
    return sum(verdicts, NOTHING)


def read_samples(bus: Bus, tag_id: int) -> list[StoredSample]:
    """Return every row of a tag that a query returns, page by page.

    Raises
    ------
    HistorianRefused
        The historian does not answer.
    """
    end_us = int(time.time() * 1e6) + 86_400_000_000
    start_us = end_us - 40 * 86_400_000_000
    samples: list[StoredSample] = []
    while True:
        page = _page(bus, RawQuestion([tag_id], start_us, end_us, PAGE_ROWS))
        if len(page) < PAGE_ROWS:
            return samples + page
        last_us = page[-1].time_us
        samples += [sample for sample in page if sample.time_us < last_us]  # rows of the last moment come again
        start_us = last_us


def _page(bus: Bus, question: RawQuestion) -> list[StoredSample]:
    for attempt in range(5):
        try:
            table = bus.table("raw", question)
            break
        except (HistorianRefused, WireError, TimeoutError):
            if attempt == 4:
                raise
            time.sleep(1)
    times = table.column("time").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    values, seqs = table.column("value").to_pylist(), table.column("seq").to_pylist()
    return [StoredSample(int(value), time_us, seq) for value, time_us, seq in zip(values, times, seqs, strict=True)]


def _print(reporter: Reporter, outcomes: dict[str, dict[str, Any]]) -> None:
    columns = ("sent", "acked", "stored", "lost", "duplicated", "misplaced", "strange")
    rows: list[list[object]] = [["scenario", *columns]]
    rows += [[name, *(getattr(outcome["verdict"], column) for column in columns)] for name, outcome in outcomes.items()]
    reporter.table("Numbered samples over MQTT QoS 1 and HTTP", rows)
    for name, outcome in outcomes.items():
        reporter.table(name, [[key, str(value)] for key, value in outcome["told"].items()])
