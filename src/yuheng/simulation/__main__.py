"""``python -m yuheng.simulation``: let the demo plants live, and publish them like any plant.

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
from dataclasses import dataclass
from pathlib import Path

from yuheng.simulation.catalogues import CATALOGUES
from yuheng.simulation.edges import SCAN_EVERY_S, Clock, Edge, make_edges, recall
from yuheng.simulation.layout import PlantSpec
from yuheng.simulation.making.doors import Web
from yuheng.simulation.making.shop import Keys, Shop
from yuheng.simulation.model import Plant, mix_of_states
from yuheng.simulation.mqtt import Login
from yuheng.simulation.outages import Outages
from yuheng.simulation.plants import CHOICES, PLANTS
from yuheng.simulation.served import ServedArea, make_served
from yuheng.simulation.work import RandomOrders, StartedJobs

log = logging.getLogger("yuheng.simulation")

WARM_UP_S = 8 * 3600.0
"""One shift lived in silence, so that buffers, set-ups and breakdowns are where they are on any day."""
HISTORY_STEP_S = 10.0
REMEMBER_EVERY_S = 15.0
CREDENTIALS_WAIT_S = 60.0
PAST = "yuheng.config.demo_past"
"""The module that tells what the plants made before; a process of its own, because it needs Yuheng's own code."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would name every request
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
    usual = os.environ.get("YUHENG_DEMO_PLANT") or "elevator"
    parser.add_argument("--plant", choices=sorted(CHOICES), default=usual, help="which plant (default: %(default)s)")
    parser.add_argument("--history", type=float, default=30.0, metavar="MINUTES", help="recent past to send first")
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace, run_dir: Path) -> int:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    devices = await _devices(run_dir / "demo-devices.json", stop)
    if stop.is_set():
        return 0
    life = asyncio.create_task(_live(options, run_dir, devices))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({life, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in (life, stopped):
        task.cancel()
    await asyncio.wait({life, stopped})
    if not life.cancelled() and (error := life.exception()) is not None:
        raise error
    return 0


@dataclass(frozen=True, slots=True)
class Devices:
    """What the installer has written.

    Attributes
    ----------
    passwords
        By user name.
    ports
        Of the served areas, by area code.
    floors
        Keys of those who make products, by the plant's name; a plant that is missing works on random orders.
    """

    passwords: dict[str, str]
    ports: dict[str, int]
    floors: dict[str, Keys]


async def _devices(path: Path, stop: asyncio.Event) -> Devices:
    """Return them, once the installer has written them."""
    deadline = time.monotonic() + CREDENTIALS_WAIT_S
    while not stop.is_set():
        try:
            return _read_devices(path)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise FileNotFoundError(
                    f"{path} is missing: the demo plant was not installed. Start with 'yuheng up --demo'."
                ) from None
            await asyncio.sleep(0.2)
    return Devices({}, {}, {})


def _read_devices(path: Path) -> Devices:
    found = json.loads(path.read_text(encoding="utf-8"))
    floors = {name: Keys(**keys) for name, keys in found.get("floors", {}).items()}
    return Devices(found["devices"], found.get("ports", {}), floors)


async def _live(options: argparse.Namespace, run_dir: Path, devices: Devices) -> None:
    """Let every plant that was asked for live, side by side."""
    lives = [Life(PLANTS[name], options, run_dir, devices) for name in CHOICES[options.plant]]
    try:
        async with asyncio.TaskGroup() as group:
            for life in lives:
                await life.begin(group)
            _say_ready()
            group.create_task(_make_products(lives, group))
            while True:
                await asyncio.sleep(REMEMBER_EVERY_S)
                for life in lives:
                    life.remember()
    finally:
        for life in lives:
            await life.end()


async def _make_products(lives: Sequence[Life], group: asyncio.TaskGroup) -> None:
    """Let people work on the orders that there are; once the past is told, they take over altogether."""
    shops = [life.shop for life in lives if life.shop is not None]
    if not shops:
        return
    for shop in shops:
        group.create_task(shop.run())
    await _tell_the_past()
    for shop in shops:
        shop.take_over()


async def _tell_the_past() -> None:
    """Run the process that tells it; what it could not tell is told with the next start."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", PAST)
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if code:
        log.warning("The past of the demo could not be told (%d); orders come from now on.", code)


class Life:
    """One plant, its edge devices and its servers."""

    def __init__(self, spec: PlantSpec, options: argparse.Namespace, run_dir: Path, devices: Devices) -> None:
        self._spec = spec
        self._options = options
        self._devices = devices
        self._memory = run_dir / ("simulation.json" if spec.name == "elevator" else f"simulation-{spec.name}.json")
        self._edges: list[Edge] = []
        self._served: list[ServedArea] = []
        self._is_told = False
        self._web: Web | None = None
        self.shop: Shop | None = None

    async def begin(self, group: asyncio.TaskGroup) -> None:
        """Warm up, send the recent past, and go on in the group."""
        seed, now = self._options.seed, time.time()
        recalled_from = max(now - self._options.history * 60, _last_said(self._memory) + SCAN_EVERY_S)
        plant = self._plant(recalled_from - WARM_UP_S)
        plant.run_until(recalled_from)
        plant.reset_counters()
        outages = Outages(plant, seed=seed)
        self._edges = make_edges(plant, outages, seed=seed)
        self._served = make_served(plant, outages, self._devices.ports, seed=seed)
        for edge in self._edges:
            group.create_task(edge.connect(_login(edge, self._devices.passwords)).run())
        self._is_told = True
        await recall(self._edges, plant, start=recalled_from, end=now, step_s=HISTORY_STEP_S)
        plant.run_until(now)
        for served in self._served:
            await served.server.prepare()
            await served.scan(now, int(now * 1000))
            await served.server.start()
        mix = ", ".join(f"{count} {state.name.lower()}" for state, count in mix_of_states(plant).items())
        log.info("The %s plant lives: %d machines, %s.", self._spec.name, len(plant.machines), mix)
        clock = Clock(time.time(), plant.now, self._options.speed)
        areas: list[Edge | ServedArea] = [*self._edges, *self._served]
        for index, area in enumerate(areas):  # spread over the second, so that the load is even
            group.create_task(area.run(clock, clock.wall_start + index * SCAN_EVERY_S / len(areas)))

    def _plant(self, start: float) -> Plant:
        """Return the plant, with people who make products where the installer has left their keys."""
        spec, seed = self._spec, self._options.seed
        keys, catalogue = self._devices.floors.get(spec.name), CATALOGUES.get(spec.name)
        if keys is None or catalogue is None:
            return Plant(spec, seed=seed, start=start)
        orders = RandomOrders(spec.routes, spec.mix, spec.pieces_per_hour, seed, start, lot_pieces=spec.lot_pieces)
        work = StartedJobs(orders)
        plant = Plant(spec, seed=seed, start=start, work=work)
        self._web = Web(_web_url(), keys.token, os.environ.get("YUHENG_TLS_CERT", ""))
        self.shop = Shop(plant, work, catalogue, keys, self._web, seed=seed)
        return plant

    def remember(self) -> None:
        """Keep how far it has published."""
        _remember(self._memory, time.time())

    async def end(self) -> None:
        """Say goodbye to broker and clients."""
        if self._is_told:
            self.remember()
        for edge in self._edges:
            if edge.publisher is not None:
                await edge.publisher.close()
        for served in self._served:
            await served.server.stop()
        if self._web is not None:
            await self._web.close()


def _login(edge: Edge, passwords: dict[str, str]) -> Login:
    host = os.environ.get("YUHENG_MQTT_HOST", "127.0.0.1")
    port = int(os.environ.get("YUHENG_MQTT_PORT", "1883"))
    return Login(host, port, edge.username, passwords.get(edge.username, ""), client_id=f"demo-{edge.username}")


def _web_url() -> str:
    """Return where this installation's pages are."""
    host = os.environ.get("YUHENG_HOST", "127.0.0.1")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    scheme = "https" if os.environ.get("YUHENG_TLS_CERT") else "http"
    return f"{scheme}://{host}:{os.environ.get('YUHENG_WEB_PORT', '8000')}"


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
