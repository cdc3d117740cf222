"""From a device's publish to a changed tile in a real browser, while 5,000 values a second arrive beside it."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from yuheng.bench.browser import WATCH, open_page
from yuheng.bench.historian import tag_ids
from yuheng.bench.plants import Credential, a_credential, a_plant, a_tag, a_unit_tree, throughput_plant
from yuheng.bench.query import background, publish
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.visitor import Visitor
from yuheng.bench.waiting import wait_until
from yuheng.bench.workload import WideWorkload

if TYPE_CHECKING:
    from playwright.sync_api import Page

SUMMARY = "from publish to a changed tile in a real browser, with 5,000 values/s beside it"

SOURCE = "bench-machines"
UNIT_COUNT = 20
SEEN_DEADLINE_S = 5.0
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.15, 0.45
"""Between two publishes, at random: a fixed beat would always meet the same moment of the others' rhythms."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing of its own."""


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Toggle a machine and watch its tile; then change a value and watch it on the station page."""
    credential = a_credential("bench-device")
    with running_stack(reporter) as stack:
        start_ms = int(time.time()) * 1000
        stack.import_plant(latency_plant(credential, options.seed, start_ms))
        publish(stack, credential, "wide", start_ms, options.seed, messages=100)
        visitor = Visitor(stack.url)
        visitor.sign_in(*stack.administrator())
        with background(stack, credential, start_ms, options, first=100), connected(stack, credential) as device:
            reporter.step(f"toggling a machine for {options.seconds:.0f} s and watching its tile")
            tile = _watch_tile(stack, visitor, device, options)
            reporter.step(f"changing a value for {options.seconds:.0f} s and watching the station page")
            value = _watch_value(stack, visitor, device, options)
    rows = [
        ["tile changed", *tile.summary()],
        ["tile painted", *tile.summary(painted=True)],
        ["value changed", *value.summary()],
    ]
    reporter.table("From publish to the browser", [["", "p50 ms", "p95 ms", "max ms", "n", "unseen"], *rows])
    p50, p95, worst, n, unseen = tile.summary()
    painted_p50, painted_p95, *_ = tile.summary(painted=True)
    value_p50, value_p95, _, value_n, value_unseen = value.summary()
    return {
        "p50_ms": p50,
        "p95_ms": p95,
        "max_ms": worst,
        "n": n,
        "unseen": unseen,
        "painted_p50_ms": painted_p50,
        "painted_p95_ms": painted_p95,
        "value_p50_ms": value_p50,
        "value_p95_ms": value_p95,
        "value_n": value_n,
        "value_unseen": value_unseen,
        "background_values_per_s": 5_000,
    }


def latency_plant(credential: Credential, seed: int, start_ms: int) -> dict[str, Any]:
    """Return machines with a state rule, beside the background's 10,000 tags."""
    units = [f"U{number:02d}" for number in range(UNIT_COUNT)]
    plant = throughput_plant(credential, {"wide": WideWorkload(seed=seed, start_ms=start_ms)})
    source = {"code": SOURCE, "connector": "mqtt_json", "topics": ["bench/machines/#"], "settings": {}}
    tags = []
    for unit in units:
        tags.append(a_tag(SOURCE, f"{unit}/run", "bool", work_unit=unit, symbol="run"))
        tags.append(a_tag(SOURCE, f"{unit}/speed", "float", work_unit=unit, symbol="speed"))
    plant["sources"].append(source)
    plant["tags"] += tags
    plant["devices"][0]["publish_topics"].append("bench/machines/#")
    plant["devices"][0]["sources"].append(SOURCE)
    return a_plant(**a_unit_tree({"hall": units}), **{key: plant[key] for key in ("sources", "tags", "devices")})


class connected:
    """A paho client, as a machine builder would use it."""

    def __init__(self, stack: Stack, credential: Credential) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="yuheng-bench-machine")
        self._client.username_pw_set(credential.username, credential.password)
        self._port = stack.mqtt_port

    def __enter__(self) -> connected:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        wait_until(self._client.is_connected, what="the broker to let the machine in", deadline_s=10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, unit: str, text: str) -> float:
        """Publish values, e.g. ``"run": true``; return the moment just before, Unix milliseconds."""
        at = time.time() * 1000
        self._client.publish(f"bench/machines/{unit}", f'{{"ts":{int(at)},"values":{{{text}}}}}', qos=1)
        return at


class Times:
    """Milliseconds from publish to change, and to paint."""

    def __init__(self) -> None:
        self.changed: list[float] = []
        self.painted: list[float] = []
        self.unseen = 0

    def summary(self, *, painted: bool = False) -> tuple[float | None, float | None, float | None, int, int]:
        """Return p50, p95, maximum, number seen, number not seen within five seconds."""
        values = self.painted if painted else self.changed
        if not values:
            return None, None, None, 0, self.unseen
        p50, p95 = (round(float(value), 1) for value in np.percentile(values, [50, 95]))
        return p50, p95, round(max(values), 1), len(values), self.unseen


def _measure(
    page: Page, selector: str, seconds: float, seed: int, publish_next: Callable[[int], tuple[float, str]]
) -> Times:
    """Publish again and again; ``publish_next(number)`` returns the moment and what the element must then show."""
    times = Times()
    chance = random.Random(seed)
    page.evaluate(WATCH, selector)
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        page.evaluate("() => { window.yuhengChanges = []; }")
        published_ms, wanted = publish_next(number)
        seen = _first_change(page, wanted)
        if seen is None:
            times.unseen += 1
        else:
            times.changed.append(seen[0] - published_ms)
            times.painted.append(seen[1] - published_ms)
        time.sleep(chance.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
    return times


def _first_change(page: Page, wanted: str) -> tuple[float, float] | None:
    question = "(wanted) => window.yuhengChanges.find(([, , name, text]) => `${name} ${text}`.includes(wanted)) ?? null"
    deadline = time.monotonic() + SEEN_DEADLINE_S
    while time.monotonic() < deadline:
        if (found := page.evaluate(question, wanted)) is not None:
            return float(found[0]), float(found[1])
        time.sleep(0.02)  # the page has noted the moment itself; we only come to read it
    return None


def _unit_id(stack: Stack, code: str) -> int:
    plant = stack.bus.plant()
    assert plant is not None
    return next(unit.id for unit in plant.work_units if unit.code == code)


def _watch_tile(stack: Stack, visitor: Visitor, device: connected, options: argparse.Namespace) -> Times:
    selector = f'.tile[data-unit="{_unit_id(stack, "U00")}"]'
    device.say("U00", '"run": true')

    def toggle(number: int) -> tuple[float, str]:
        is_running = number % 2 == 0
        at = device.say("U00", f'"run": {str(is_running).lower()}')
        return at, "is-producing" if is_running else "is-idle"

    with open_page(visitor, "/") as page:
        page.wait_for_selector(f"{selector}.is-producing", timeout=30_000)
        return _measure(page, selector, options.seconds, options.seed, toggle)


def _watch_value(stack: Stack, visitor: Visitor, device: connected, options: argparse.Namespace) -> Times:
    plant = stack.bus.plant()
    assert plant is not None
    tag = tag_ids(plant, SOURCE)["U00/speed"]
    selector = f'tr[data-tag="{tag}"] [data-value]'
    device.say("U00", '"speed": 99')

    def change(number: int) -> tuple[float, str]:
        speed = 100 + number % 900  # three digits: whatever the page does to numbers, it leaves these alone
        return device.say("U00", f'"speed": {speed}'), str(speed)

    with open_page(visitor, f"/work-units/{_unit_id(stack, 'U00')}") as page:
        page.wait_for_selector(selector, timeout=30_000)
        page.wait_for_timeout(2_000)  # the page says which tags it watches once its stream is open
        return _measure(page, selector, options.seconds, options.seed, change)
