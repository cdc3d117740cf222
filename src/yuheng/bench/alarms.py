"""An alarm storm: 5,000 changes of conditions in 10 s with 50 roots; single alarms to the screen; a long journal."""

from __future__ import annotations

import argparse
import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg

from yuheng.bench.latency import connected
from yuheng.bench.plants import a_credential, a_plant, a_tag, a_unit_tree
from yuheng.bench.report import Reporter
from yuheng.bench.stack import Stack, running_stack
from yuheng.bench.visitor import Visitor
from yuheng.bench.waiting import wait_until

SUMMARY = "5,000 condition changes in 10 s with 50 roots; an alarm to the live stream; a journal of 100,000 lines"

SOURCE = "bench-machines"
ROOTS = 50
CHILDREN = 49
STORM_S = 10.0
JOURNAL_ROWS = 100_000
SEEN_DEADLINE_S = 10.0
PROBE = "U00"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing of its own."""


def run(options: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """Raise and clear everything, then time single alarms, then ask a long journal."""
    credential = a_credential("bench-device")
    with running_stack(reporter) as stack:
        stack.import_plant(storm_plant(credential.username, credential.password))
        visitor = Visitor(stack.url)
        visitor.sign_in(*stack.administrator())
        site_id = visitor.json("/api/v1/sites")[0]["id"]
        with connected(stack, credential) as device, _listening(visitor, site_id) as screen:
            for unit in units():
                device.say(unit, ", ".join(f'"{name}": 0' for name in signals()))
            time.sleep(3)  # the historian takes in the calm before the storm
            reporter.step(f"{2 * ROOTS * (CHILDREN + 1):,} changes in {STORM_S:.0f} s")
            storm = _storm(device, visitor, site_id, screen, options.seed)
            _acknowledge_all(visitor, site_id)
            reporter.step(f"single alarms for {options.seconds:.0f} s")
            waits, unseen = _raise_singly(device, screen, options)
        reporter.step(f"a journal of {JOURNAL_ROWS:,} lines")
        list_ms = _long_journal(stack, visitor, site_id)
    p50, p95 = (round(float(v), 1) for v in np.percentile(waits, [50, 95])) if waits else (None, None)
    rows = [
        ["headline rows at most", storm["headline_rows"]],
        ["changes told", storm["changes"]],
        ["missing in the journal", storm["journal_lost"]],
        ["raised to screen p50 ms", p50],
        ["raised to screen p95 ms", p95],
        ["slowest list of the journal ms", max(list_ms.values())],
    ]
    reporter.table("Alarms", rows)
    return {
        **storm,
        "raised_to_screen_p50_ms": p50,
        "raised_to_screen_p95_ms": p95,
        "raised_n": len(waits),
        "raised_unseen": unseen,
        "list_ms": max(list_ms.values()),
        "list_ms_by_filter": list_ms,
        "lost": storm["journal_lost"],
    }


def units() -> list[str]:
    """Codes of the work units, one root each."""
    return [f"U{number:02d}" for number in range(ROOTS)]


def signals() -> list[str]:
    """Symbols of every unit: the root's, and one of each child."""
    return ["air", *(f"s{number:02d}" for number in range(CHILDREN))]


def storm_plant(username: str, password: str) -> dict[str, Any]:
    """Return machines with a root alarm and its children each."""

    def alarm(symbol: str, priority: str, **more: Any) -> dict[str, Any]:
        names = {"code": symbol, "name_zh": symbol, "name_en": symbol}
        return {**names, "when": f"{symbol} > 0.5", "priority": priority, "chatter_window_s": 0, **more}

    tree = a_unit_tree({"hall": units()})
    kind = dict(tree["classes"][0])
    kind["alarms"] = [alarm("air", "critical"), *(alarm(s, "medium", parent="air") for s in signals()[1:])]
    kind["states"] = [{"state": "producing", "when": "air >= 0"}]
    tags = [
        a_tag(SOURCE, f"{unit}/{name}", "float", work_unit=unit, symbol=name) for unit in units() for name in signals()
    ]
    return a_plant(
        classes=[kind],
        areas=tree["areas"],
        sources=[{"code": SOURCE, "connector": "mqtt_json", "topics": ["bench/machines/#"], "settings": {}}],
        tags=tags,
        devices=[
            {
                "username": username,
                "password": password,
                "publish_topics": ["bench/machines/#"],
                "subscribe_topics": [],
                "sources": [SOURCE],
            }
        ],
    )


class Screen:
    """What a browser would show: the counts, and when each frame came (Unix milliseconds)."""

    def __init__(self) -> None:
        self.headlines = 0
        self.most_headlines = 0
        self.frames: list[tuple[float, dict[str, Any]]] = []

    def take(self, frame: dict[str, Any]) -> None:
        """Note a frame."""
        self.headlines = frame["counts"]["headlines"]
        self.most_headlines = max(self.most_headlines, self.headlines)
        self.frames.append((time.time() * 1000, frame))


@contextmanager
def _listening(visitor: Visitor, site_id: int) -> Iterator[Screen]:
    """Read the live stream as a browser does."""
    token = visitor.json("/live/token")["token"]
    parts = urlsplit(visitor.url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=60)
    connection.request("GET", f"/live?token={token}&topics=alarms:{site_id}")
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"The live stream answers {answer.status}: {answer.read()[:200]!r}")
    screen = Screen()

    def read() -> None:
        try:
            while line := answer.readline():
                if line.startswith(b"data: "):
                    screen.take(json.loads(line[6:]))
        except (OSError, ValueError, AttributeError):
            return  # the stream was closed by us

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        wait_until(lambda: bool(screen.frames), what="the first frame of the live stream", deadline_s=30)
        yield screen
    finally:
        connection.close()


def _storm(device: connected, visitor: Visitor, site_id: int, screen: Screen, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    raises = [(chance.uniform(0, STORM_S / 2), unit, name) for unit in units() for name in signals()]
    changes = [(at, unit, name, 1) for at, unit, name in raises]
    changes += [(at + STORM_S / 2, unit, name, 0) for at, unit, name in raises]
    changes.sort()
    began = time.monotonic()
    for at, unit, name, value in changes:
        time.sleep(max(0.0, began + at - time.monotonic()))
        device.say(unit, f'"{name}": {value}')
    took = time.monotonic() - began
    wanted = len(changes)

    def told() -> int:
        return _journal_size(visitor, site_id)

    with suppress(TimeoutError):
        wait_until(lambda: told() >= wanted, what="the journal to hold every change", deadline_s=120, pause_s=1.0)
    caught_up = time.monotonic() - began - took
    found = told()
    return {
        "changes": wanted,
        "storm_s": round(took, 1),
        "headline_rows": screen.most_headlines,
        "journal_lost": max(0, wanted - found),
        "caught_up_after_s": round(caught_up, 1),
    }


def _journal_size(visitor: Visitor, site_id: int) -> int:
    """Count the activations and clearings, page by page."""
    size, cursor = 0, ""
    while True:
        page = visitor.json(
            f"/api/v1/alarms/journal?site_id={site_id}&kinds=activated,cleared&limit=500&cursor={cursor}"
        )
        size += len(page["rows"])
        cursor = page["next_cursor"]
        if not cursor:
            return size


def _acknowledge_all(visitor: Visitor, site_id: int) -> None:
    """Do what the operators do when a storm is over."""
    while rows := visitor.json(f"/api/v1/alarms?site_id={site_id}&shown=unacked&with_grouped=true&limit=2000"):
        visitor.post("/api/v1/alarms/acknowledge", {"alarm_ids": [row["id"] for row in rows]})


def _raise_singly(device: connected, screen: Screen, options: argparse.Namespace) -> tuple[list[float], int]:
    """Raise and clear one alarm again and again; return milliseconds from publish to frame, and how many never came."""
    chance = random.Random(options.seed)
    waits: list[float] = []
    unseen = 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        screen.frames.clear()
        published = device.say(PROBE, '"air": 1')
        seen = _first_active(screen)
        if seen is None:
            unseen += 1
        else:
            waits.append(seen - published)
        device.say(PROBE, '"air": 0')
        time.sleep(chance.uniform(0.3, 0.6))
    return waits, unseen


def _first_active(screen: Screen) -> float | None:
    """Return when a frame with a newly raised alarm came."""
    deadline = time.monotonic() + SEEN_DEADLINE_S
    while time.monotonic() < deadline:
        for at, frame in list(screen.frames):
            if any(row[4] & 2 and row[6] == 0 for row in frame["alarms"]):
                return at
        time.sleep(0.005)
    return None


def _long_journal(stack: Stack, visitor: Visitor, site_id: int) -> dict[str, float]:
    """Fill the journal up with copies of its own lines and time the list; medians in milliseconds."""
    password = json.loads((stack.data_dir / "secrets.json").read_text())["postgres"]
    port = next((stack.data_dir / "postgres").rglob("postmaster.pid")).read_text().splitlines()[3]
    url = f"postgresql://yuheng:{password}@127.0.0.1:{port}/yuheng"
    columns = (
        "site_id, alarm_id, episode_id, definition_id, work_unit_id, kind, priority, actor_kind, actor_name, "
        "person_id, impersonator, comment, value, count, message_zh, message_en, after"
    )
    with psycopg.connect(url, autocommit=True) as database:
        have = database.execute("SELECT count(*) FROM alarms_alarmjournal").fetchone()
        copies = -(-JOURNAL_ROWS // max(1, have[0] if have else 1))
        database.execute(
            f"INSERT INTO alarms_alarmjournal ({columns}, at, known_at) "
            f"SELECT {columns}, at - n * interval '1 minute', known_at - n * interval '1 minute' "
            "FROM alarms_alarmjournal, generate_series(1, %s) n",
            [copies],
        )
        database.execute("ANALYZE alarms_alarmjournal")
    plain = f"/api/v1/alarms/journal?site_id={site_id}&limit=50"
    filters = {
        "first page": plain,
        "priority": f"{plain}&priority=critical",
        "kind": f"{plain}&kinds=cleared",
        "text": f"{plain}&text=s07",
        "no such text": f"{plain}&text=nowhere",
        "who": f"{plain}&who=nobody",
    }
    return {name: _median_ms(visitor, path) for name, path in filters.items()}


def _median_ms(visitor: Visitor, path: str) -> float:
    took = []
    for _ in range(7):
        began = time.perf_counter()
        visitor.get(path)
        took.append((time.perf_counter() - began) * 1000)
    return round(float(np.median(took)), 1)
