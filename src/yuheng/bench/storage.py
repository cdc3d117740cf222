"""Bytes a point on disk, of the demo plant's own data, after some minutes of it at a faster clock."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from yuheng.bench.historian import Bus, log_position
from yuheng.bench.plants import a_credential
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.waiting import wait_until
from yuheng.bus import subjects
from yuheng.simulation.edges import Edge, make_edges
from yuheng.simulation.elevator.model import ElevatorPlant
from yuheng.simulation.elevator.plant import ELEVATOR, plant_description
from yuheng.simulation.mqtt import Login
from yuheng.simulation.outages import Outages

SUMMARY = "bytes a point on disk, of the demo's data"

SETTLE_DEADLINE_S = 60.0
DRAIN_DEADLINE_S = 120.0
WARM_UP_S = 8 * 3600.0
QUIET_S = 4.0
"""The store merges its parts in the background; it has settled when their number did not change for so long."""


def settled_statistics(bus: Bus) -> dict[str, float]:
    """Return the store's own statistics once merging has calmed down, or after a minute."""
    deadline = time.monotonic() + SETTLE_DEADLINE_S
    statistics = bus.statistics()
    quiet_since = time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - quiet_since < QUIET_S:
        time.sleep(0.5)
        newest = bus.statistics()
        if newest["parts"] != statistics["parts"]:
            quiet_since = time.monotonic()
        statistics = newest
    return statistics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much of the plant's life is stored."""
    parser.add_argument("--minutes", type=float, default=60.0, help="minutes of the plant's life at 1 Hz (default 60)")


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Import the demo's plant, let its edge devices send their past faster than it happened, ask the store."""
    passwords = {ELEVATOR.edge_username(area): a_credential("").password for area in ELEVATOR.areas}
    with running_stack(reporter) as stack:
        stack.import_plant(plant_description(options.seed, passwords))
        reporter.step(f"the demo's edge devices send {options.minutes:g} minutes of their past")
        began = time.monotonic()
        minutes = asyncio.run(_send_past(stack, passwords, options))
        elapsed_s = time.monotonic() - began
        wait_until(
            lambda: len(set(log_position(stack.bus, subjects.MQTT_STREAM))) == 1,
            what="the historian to commit everything",
            deadline_s=DRAIN_DEADLINE_S,
        )
        statistics = settled_statistics(stack.bus)
    points = int(statistics["rows"])
    total = statistics["total_bytes"] / points if points else None
    reporter.table(
        "On disk",
        [
            ["points", points],
            ["bytes a point, samples", statistics["bytes_per_point"]],
            ["bytes a point, with roll-ups and states", total],
            ["parts", int(statistics["parts"])],
        ],
    )
    return {
        "bytes_per_point": round(statistics["bytes_per_point"], 3),
        "total_bytes_per_point": None if total is None else round(total, 3),
        "points": points,
        "parts": int(statistics["parts"]),
        "plant_minutes": round(minutes, 1),
        "times_faster": round(minutes * 60 / elapsed_s, 1),
    }


async def _send_past(stack: Stack, passwords: dict[str, str], options: argparse.Namespace) -> float:
    """Scan and publish the past second by second until it is over or the bench's seconds are; return the minutes sent.

    As the edge devices do it in daily life, only without waiting for the next second.
    """
    end = int(time.time())
    start = end - int(options.minutes * 60)
    plant = ElevatorPlant(seed=options.seed, start=start - WARM_UP_S)
    plant.run_until(start)
    edges = make_edges(plant, Outages(plant, seed=options.seed), seed=options.seed)
    at, deadline = start, time.monotonic() + options.seconds
    async with asyncio.TaskGroup() as group:
        publishers = [edge.connect(_login(stack, edge, passwords)) for edge in edges]
        tasks = [group.create_task(publisher.run()) for publisher in publishers]
        while at < end and time.monotonic() < deadline:
            plant.run_until(at)
            for edge in edges:
                samples, fallen = edge.scan(at, at * 1000)
                await edge.publish(samples, fallen, at * 1000)
            at += 1
        for publisher in publishers:
            await publisher.drain()
        for task in tasks:
            task.cancel()
    return (at - start) / 60


def _login(stack: Stack, edge: Edge, passwords: dict[str, str]) -> Login:
    username = edge.username
    return Login("127.0.0.1", stack.mqtt_port, username, passwords[username], client_id=f"bench-{username}")
