"""``python -m yuheng.simulation``: let the demo plant live, and publish it like any plant.

It reads where it is from the environment (set by the supervisor) and its devices' credentials from
``<data>/run/demo-devices.json``, which the demo's installer writes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from yuheng.simulation.edges import SCAN_EVERY_S, Clock, Edge, make_edges, recall
from yuheng.simulation.elevator.model import ElevatorPlant, mix_of_states
from yuheng.simulation.elevator.outages import Outages
from yuheng.simulation.elevator.plant import edge_username
from yuheng.simulation.mqtt import Login

log = logging.getLogger("yuheng.simulation")

WARM_UP_S = 8 * 3600.0
"""One shift lived in silence, so that buffers, set-ups and breakdowns are where they are on any day."""
HISTORY_STEP_S = 10.0
REMEMBER_EVERY_S = 15.0
CREDENTIALS_WAIT_S = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options = _options(arguments)
    try:
        return asyncio.run(_run(options, Path(os.environ.get("YUHENG_DATA_DIR", "var")) / "run"))
    except FileNotFoundError as error:
        log.error("%s", error)
        return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m yuheng.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0, help="model seconds in a real second (stamps stay real)")
    parser.add_argument("--history", type=float, default=30.0, metavar="MINUTES", help="recent past to send first")
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace, run_dir: Path) -> int:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    passwords = await _passwords(run_dir / "demo-devices.json", stop)
    if stop.is_set():
        return 0
    life = asyncio.create_task(_live(options, run_dir / "simulation.json", passwords))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({life, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in (life, stopped):
        task.cancel()
    await asyncio.wait({life, stopped})
    if not life.cancelled() and (error := life.exception()) is not None:
        raise error
    return 0


async def _passwords(path: Path, stop: asyncio.Event) -> dict[str, str]:
    """Return user name -> password, once the installer has written them."""
    deadline = time.monotonic() + CREDENTIALS_WAIT_S
    while not stop.is_set():
        try:
            return _read_passwords(path)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise FileNotFoundError(
                    f"{path} is missing: the demo plant was not installed. Start with 'yuheng up --demo'."
                ) from None
            await asyncio.sleep(0.2)
    return {}


def _read_passwords(path: Path) -> dict[str, str]:
    passwords: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["devices"]
    return passwords


async def _live(options: argparse.Namespace, memory: Path, passwords: dict[str, str]) -> None:
    now = time.time()
    recalled_from = max(now - options.history * 60, _last_said(memory) + SCAN_EVERY_S)
    plant = ElevatorPlant(seed=options.seed, start=recalled_from - WARM_UP_S)
    plant.run_until(recalled_from)
    plant.reset_counters()
    edges = make_edges(plant, Outages(plant, seed=options.seed), seed=options.seed)
    publishers = [edge.connect(_login(edge, passwords)) for edge in edges]
    try:
        async with asyncio.TaskGroup() as group:
            for publisher in publishers:
                group.create_task(publisher.run())
            await recall(edges, plant, start=recalled_from, end=now, step_s=HISTORY_STEP_S)
            mix = ", ".join(f"{count} {state.name.lower()}" for state, count in mix_of_states(plant).items())
            log.info("The plant lives: %d machines, %s.", len(plant.machines), mix)
            clock = Clock(time.time(), plant.now, options.speed)
            for index, edge in enumerate(edges):  # spread over the second, so that the load is even
                group.create_task(edge.run(clock, clock.wall_start + index * SCAN_EVERY_S / len(edges)))
            _say_ready()
            while True:
                await asyncio.sleep(REMEMBER_EVERY_S)
                _remember(memory, time.time())
    finally:
        _remember(memory, time.time())
        for publisher in publishers:
            await publisher.close()


def _login(edge: Edge, passwords: dict[str, str]) -> Login:
    username = edge_username(edge.area)
    host = os.environ.get("YUHENG_MQTT_HOST", "127.0.0.1")
    port = int(os.environ.get("YUHENG_MQTT_PORT", "1883"))
    return Login(host, port, username, passwords.get(username, ""), client_id=f"demo-{username}")


def _say_ready() -> None:
    if path := os.environ.get("YUHENG_READY_FILE"):
        Path(path).write_text(str(os.getpid()), encoding="utf-8")


def _last_said(memory: Path) -> float:
    """Return when this plant last published, seconds since 1970; 0 when it never did."""
    try:
        return float(json.loads(memory.read_text(encoding="utf-8"))["published_until"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _remember(memory: Path, published_until: float) -> None:
    """Keep how far the plant has published, so that the next start fills the gap and nothing else."""
    fresh = memory.with_suffix(".new")
    try:
        fresh.write_text(json.dumps({"published_until": published_until}), encoding="utf-8")
        fresh.replace(memory)
    except OSError as error:
        log.warning("Cannot remember in %s: %s", memory, error)


if __name__ == "__main__":
    sys.exit(main())
