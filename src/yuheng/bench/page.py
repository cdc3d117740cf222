"""What a big, busy plant costs the browser that shows it, and what two hundred browsers cost the server."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from yuheng.bench.browser import MainThread, open_page, pixels_that_differ
from yuheng.bench.latency import connected
from yuheng.bench.plants import Credential, a_credential, a_plant, a_tag, a_unit_tree
from yuheng.bench.processes import cpu_seconds
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.visitor import Visitor
from yuheng.bench.waiting import wait_until

SUMMARY = "CPU of a page with 2,000 tiles, 10 % changing a second; CPU of the server with 200 live streams"

SOURCE = "bench-machines"
SHARE_CHANGING = 0.1
BEATS_PER_S = 10
PICTURES_APART_S = 5.0
"""Between the two pictures that show how much of the map really looks different; taken after the measurement."""
COUNT_CHANGES = """
() => {
  window.yuhengCount = 0;
  const count = (list) => { window.yuhengCount += list.length; };
  const map = document.querySelector(".plant-map");
  new MutationObserver(count).observe(map, {subtree: true, attributeFilter: ["class"]});
}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes."""
    parser.add_argument("--units", type=int, default=2_000, help="work units on the map (default 2,000)")
    parser.add_argument("--clients", type=int, default=200, help="live streams at once (default 200)")


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Let a tenth of the machines change each second; measure the page, then the server with many streams."""
    areas = area_units(options.units)
    credential = a_credential("bench-device")
    with running_stack(reporter) as stack:
        reporter.step(f"importing {options.units:,} work units")
        stack.import_plant(page_plant(credential, areas))
        visitor = Visitor(stack.url)
        visitor.sign_in(*stack.administrator())
        with connected(stack, credential) as device, _changing(device, areas, options.seed):
            reporter.step(f"the page for {options.seconds:.0f} s")
            page = _measure_page(visitor, options)
            reporter.step(f"{options.clients} live streams for {options.seconds:.0f} s")
            server = _measure_server(stack, visitor, options)
    rows = [[f"main thread, {name}", value] for name, value in page["main_thread_ms_per_s"].items()]
    rows += [
        ["server with the streams", server["server_cpu_ms_per_s"]],
        ["server without", server["server_idle_ms_per_s"]],
    ]
    reporter.table("CPU, milliseconds a second", rows)
    return {**page, **server, "units": options.units, "changes_per_s": options.units * SHARE_CHANGING}


def area_units(count: int) -> dict[str, list[str]]:
    """Return area -> unit codes, a hundred units each."""
    codes = [f"M{number:04d}" for number in range(count)]
    return {f"area{at // 100:02d}": codes[at : at + 100] for at in range(0, count, 100)}


def page_plant(credential: Credential, areas: dict[str, list[str]]) -> dict[str, Any]:
    """Return machines with one tag each."""
    source = {"code": SOURCE, "connector": "mqtt_json", "topics": ["bench/machines/#"], "settings": {}}
    tags = [
        a_tag(SOURCE, f"{area}/{unit}", "bool", work_unit=unit, symbol="run")
        for area, units in areas.items()
        for unit in units
    ]
    device = {
        "username": credential.username,
        "password": credential.password,
        "publish_topics": ["bench/machines/#"],
        "subscribe_topics": [],
        "sources": [SOURCE],
    }
    return a_plant(**a_unit_tree(areas), sources=[source], tags=tags, devices=[device])


@contextmanager
def _changing(device: connected, areas: dict[str, list[str]], seed: int) -> Iterator[None]:
    """Start every machine; then toggle a tenth of them each second, spread over ten beats, until the block ends."""
    running = {unit: True for units in areas.values() for unit in units}
    for area, units in areas.items():
        device.say(area, ",".join(f'"{unit}":true' for unit in units))
    stop = threading.Event()

    def beat() -> None:
        chance = random.Random(seed)
        home = {unit: area for area, units in areas.items() for unit in units}
        names = list(running)
        each = max(1, int(len(names) * SHARE_CHANGING / BEATS_PER_S))
        while not stop.wait(1 / BEATS_PER_S):
            by_area: dict[str, list[str]] = {}
            for unit in chance.sample(names, each):
                running[unit] = not running[unit]
                by_area.setdefault(home[unit], []).append(f'"{unit}":{str(running[unit]).lower()}')
            for area, texts in by_area.items():
                device.say(area, ",".join(texts))

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _measure_page(visitor: Visitor, options: argparse.Namespace) -> dict[str, Any]:
    with open_page(visitor, "/") as page:
        page.wait_for_selector(".tile.is-producing", timeout=30_000)
        thread = MainThread(page)
        page.wait_for_timeout(3_000)
        page.evaluate(COUNT_CHANGES)
        before, began = thread.busy_ms(), time.monotonic()
        page.wait_for_timeout(options.seconds * 1000)
        after, elapsed_s = thread.busy_ms(), time.monotonic() - began
        tiles, seen = page.locator(".tile").count(), page.evaluate("() => window.yuhengCount")
        first = page.locator(".map-scroll").screenshot()
        page.wait_for_timeout(PICTURES_APART_S * 1000)
        repainted = pixels_that_differ(page, first, page.locator(".map-scroll").screenshot(), least=8)
    busy = {name: round((after[name] - before[name]) / elapsed_s, 2) for name in before}
    return {
        "page_cpu_ms_per_s": busy["tasks"],
        "main_thread_ms_per_s": busy,
        "tiles": tiles,
        "tile_changes_per_s": round(seen / elapsed_s, 1),
        "pixels_changed_percent": round(repainted * 100, 2),
    }


def _measure_server(stack: Stack, visitor: Visitor, options: argparse.Namespace) -> dict[str, Any]:
    web = stack.pids()["web"]
    plant = stack.bus.plant()
    assert plant is not None
    site = plant.sources[0].site_id
    began, before = time.monotonic(), cpu_seconds(web)
    time.sleep(min(options.seconds, 10.0))
    idle = (cpu_seconds(web) - before) / (time.monotonic() - began) * 1000
    token = json.loads(visitor.get("/live/token"))["token"]
    crowd = Crowd(visitor.url, f"/live?topics=site:{site}&token={token}", options.clients)
    crowd.start()
    try:
        wait_until(crowd.is_complete, what=f"{options.clients} open streams", deadline_s=30)
        heard, began, before = crowd.heard_bytes, time.monotonic(), cpu_seconds(web)
        time.sleep(options.seconds)
        elapsed_s = time.monotonic() - began
        busy = (cpu_seconds(web) - before) / elapsed_s * 1000
        kib_per_s = (crowd.heard_bytes - heard) / 1024 / elapsed_s
    finally:
        crowd.stop()
    return {
        "server_cpu_ms_per_s": round(busy, 2),
        "server_idle_ms_per_s": round(idle, 2),
        "clients": options.clients,
        "client_kib_per_s": round(kib_per_s / options.clients, 2),
    }


class Crowd(threading.Thread):
    """Many live streams that read and forget, in one thread."""

    def __init__(self, url: str, path: str, count: int) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode()
        self._count = count
        self._open = 0
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self.heard_bytes = 0
        self.refusals: list[str] = []

    def is_complete(self) -> bool:
        """Return whether all streams have got their first bytes.

        Raises
        ------
        RuntimeError
            One was refused.
        """
        if self.refusals:
            raise RuntimeError(f"A live stream was refused: {self.refusals[0]}")
        return self._open == self._count

    def run(self) -> None:
        """Read until told to stop."""
        self._loop.run_until_complete(self._crowd())
        self._loop.close()

    def stop(self) -> None:
        """Close all streams."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self.join()

    async def _crowd(self) -> None:
        tasks = [asyncio.create_task(self._one()) for _ in range(self._count)]
        await self._ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(self._request)
            status = await reader.readline()
            if b" 200 " not in status:
                self.refusals.append(status.decode().strip())
                return
            self._open += 1
            while data := await reader.read(65536):
                self.heard_bytes += len(data)
        finally:
            writer.close()
