"""``yuheng replay PATH``: send recordings of real machines through MQTT, into the same model as any machine."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.aio.msg import Msg

from yuheng.bus import documents, subjects
from yuheng.bus.messages import Health
from yuheng.config.running import NothingRuns, Running, find_running
from yuheng.config.supervisor.places import write_private
from yuheng.simulation.mqtt import Login, Message, Publisher
from yuheng.simulation.recorded.plant import DEVICE, MACHINES, SOURCE, TOPIC, recorded_plant
from yuheng.simulation.recorded.player import Pace, Progress, play
from yuheng.simulation.recorded.readers import Found, NotARecording, find_recordings

HELP = "Send recordings of real machines (SKAB, NAB, screw and torque curves) through MQTT into the plant."

CANNOT, NOT_RUNNING, INTERRUPTED = 2, 3, 130
CREDENTIALS_FILE = "recordings-device.json"
KNOWN_WITHIN_S = 30.0
CONNECTED_WITHIN_S = 20.0
OWN_SITE = {
    "organisation": {"code": "recorded", "name_zh": "公开数据", "name_en": "Public recordings"},
    "site": {"code": "recorded1", "name_zh": "实测数据", "name_en": "Recorded plant", "time_zone": "Asia/Shanghai"},
}
"""Made when the installation has no site yet."""


class CannotPlay(Exception):
    """The recordings cannot be played; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The recorded machines as they are in the database."""

    site_id: int
    site_name: str
    tag_ids: frozenset[int]
    password: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Path, pace, and where."""
    parser.add_argument("path", type=Path, help="a recording, or a folder of them")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=_speed, default=None, metavar="1..1000", help="recorded seconds in a real second")
    pace.add_argument("--as-recorded", action="store_true", help="original time stamps, as fast as possible (backfill)")
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until Ctrl-C")
    parser.add_argument("--site", default="", help="code of the site that gets the machines (default: the demo plant)")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")


def _speed(text: str) -> float:
    speed = float(text)
    if not 1 <= speed <= 1000:
        raise argparse.ArgumentTypeError("it must be between 1 and 1000")
    return speed


def run(args: argparse.Namespace) -> int:
    """Find, configure, play."""
    try:
        found = _found(args.path)
        running = find_running(args.data_dir)
        running.set_up_django()
        configured = configure(running, {recording.kind for recording in found.recordings}, args.site)
        return asyncio.run(_play(running, configured, found, args))
    except NothingRuns as error:
        sys.stderr.write(f"{error}\n")
        return NOT_RUNNING
    except (CannotPlay, FileNotFoundError, NotARecording) as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT


def _found(path: Path) -> Found:
    found = find_recordings(path)
    if found.skipped:
        for sentence, count in Counter(found.skipped.values()).items():
            sys.stderr.write(f"Left out: {count} files. {sentence}\n")
    if not found.recordings:
        raise CannotPlay(f"There is no recording of a machine in {path}.")
    for kind, count in Counter(recording.kind for recording in found.recordings).items():
        machine = MACHINES[kind]
        sys.stderr.write(f"{machine.work_unit}  {machine.name_zh}  {machine.name_en}: {count} recordings\n")
    return found


# ---- the recorded machines in the database --------------------------------------------------------------------------


def configure(running: Running, kinds: Collection[str], site_code: str = "") -> Configured:
    """Make work units, tags, state rules, the data source and its device, unless they are there.

    Needs `django.setup` to have run.

    Raises
    ------
    CannotPlay
        There is no such site, or something in it stands in the way.
    """
    from yuheng.equipment import selectors as equipment  # noqa: PLC0415 - models need django.setup()
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.kernel.errors import DomainError  # noqa: PLC0415
    from yuheng.telemetry.models import Tag  # noqa: PLC0415

    actor = system_actor("replay")
    at = datetime.now(UTC)
    try:
        site_id = _import(actor, recorded_plant(kinds), site_code, at)
        password = _credential(running.places.run / CREDENTIALS_FILE, actor, site_id, at)
        site = equipment.site(actor=actor, site_id=site_id)
    except DomainError as error:
        raise CannotPlay(str(error)) from error
    tag_ids = frozenset(Tag.objects.filter(source__code=SOURCE, source__site_id=site_id).values_list("pk", flat=True))
    return Configured(site_id, f"{site.name_zh} {site.name_en}", tag_ids, password)


def _import(actor: Any, plant: dict[str, Any], site_code: str, at: datetime) -> int:
    from yuheng.config.plant_file import SECTIONS  # noqa: PLC0415 - models need django.setup()
    from yuheng.equipment import importing  # noqa: PLC0415

    site_id = _choose_site(actor, site_code)
    content = json.dumps(plant if site_id is not None else {**plant, **OWN_SITE}).encode()
    parsed = importing.parse(content, kind="", sections=SECTIONS)
    plan = importing.make_plan(actor=actor, parsed=parsed, sections=SECTIONS, site_id=site_id)
    refused = [row for row in plan.rows if row.action is importing.Action.REFUSE]
    if refused:
        raise CannotPlay(f"The plant cannot take the recorded machines: {refused[0].key}: {refused[0].reason}")
    done = importing.apply_plan(
        actor=actor, parsed=parsed, sections=SECTIONS, site_id=site_id, plan_sha256=plan.sha256(), at=at
    )
    if done.site_id is None:
        raise CannotPlay("The recorded machines were imported without a site.")
    return done.site_id


def _choose_site(actor: Any, site_code: str) -> int | None:
    """Return the site asked for, else the demo plant, else the first there is; None when there is none."""
    from yuheng.equipment import selectors as equipment  # noqa: PLC0415 - models need django.setup()
    from yuheng.simulation.plants import PLANTS  # noqa: PLC0415

    sites = {site.code: site.id for site in equipment.visible_sites(actor=actor)}
    if site_code:
        if site_code not in sites:
            raise CannotPlay(f"There is no site {site_code!r}. Known: {', '.join(sorted(sites)) or 'none'}.")
        return sites[site_code]
    demo = next((sites[plant.site_code] for plant in PLANTS.values() if plant.site_code in sites), None)
    return demo if demo is not None else min(sites.values(), default=None)


def _credential(path: Path, actor: Any, site_id: int, at: datetime) -> str:
    """Return the password of the device that plays, kept readable by its owner only between two replays."""
    from yuheng.telemetry.models import DataSource, Device  # noqa: PLC0415 - models need django.setup()
    from yuheng.telemetry.services import devices  # noqa: PLC0415

    source_id = DataSource.objects.get(site_id=site_id, code=SOURCE).pk
    device = Device.objects.filter(username=DEVICE).first()
    if device is None:
        issued = devices.issue_device(
            actor=actor,
            site_id=site_id,
            username=DEVICE,
            publish_topics=[f"{TOPIC}/#"],
            source_ids=[source_id],
            at=at,
        )
    elif device.is_active and _is_password(known := _kept_password(path), device.password_sha256):
        return known
    else:
        issued = devices.rotate_device_password(actor=actor, device_id=device.pk, at=at)
    write_private(path, json.dumps({"password": issued.password}))
    return issued.password


def _is_password(password: str, sha256: str) -> bool:
    return bool(password) and hashlib.sha256(password.encode()).hexdigest() == sha256


def _kept_password(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["password"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


# ---- playing --------------------------------------------------------------------------------------------------------


async def _play(running: Running, configured: Configured, found: Found, args: argparse.Namespace) -> int:
    host, port = running.mqtt
    # A client identifier of its own: two replays at once must not throw each other out.
    logging.getLogger("yuheng.simulation.mqtt").setLevel(logging.CRITICAL)  # the progress line says how it is connected
    login = Login(host, port, DEVICE, configured.password, client_id=f"{DEVICE}-{secrets.token_hex(4)}")
    publisher: Publisher[Message] = Publisher(login, window=200, capacity=400)
    progress = Progress()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connection = asyncio.create_task(publisher.run())
    show = asyncio.create_task(_show(progress, publisher))
    playing = asyncio.create_task(_wait_then_play(configured, found, publisher, progress, args))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({playing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            playing.result()
    finally:
        for task in (playing, stopped, show):
            task.cancel()
        await asyncio.gather(playing, stopped, show, return_exceptions=True)
        await publisher.close()
        await connection
    sys.stderr.write(f"\nSent {progress.records:,} records, {publisher.counts.acknowledged:,} messages acknowledged.\n")
    return INTERRUPTED if stop.is_set() else 0


async def _wait_then_play(
    configured: Configured,
    found: Found,
    publisher: Publisher[Message],
    progress: Progress,
    args: argparse.Namespace,
) -> None:
    await _until(lambda: publisher.is_connected, CONNECTED_WITHIN_S, lambda: _no_connection(publisher))
    await _wait_for_historian(os.environ["NATS_URL"], configured)
    sys.stderr.write(f"Playing at {configured.site_name}. Ctrl-C stops.\n")
    pace = Pace(args.speed, is_as_recorded=args.as_recorded)
    await play(found.recordings, publisher, pace, progress, loops=args.loop)


async def _until(condition: Callable[[], bool], within_s: float, complaint: Callable[[], str]) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise CannotPlay(complaint())
        await asyncio.sleep(0.05)


def _no_connection(publisher: Publisher[Message]) -> str:
    return f"No connection through MQTT within {CONNECTED_WITHIN_S:.0f} s: the broker {publisher.counts.last_error}."


async def _wait_for_historian(nats_url: str, configured: Configured) -> None:
    """Wait until the historian works with a configuration that has every tag; before, some would be dead letters."""
    connection = await nats.connect(nats_url)
    at_work = 0  # version of the configuration that the historian uses

    async def hear(message: Msg) -> None:
        nonlocal at_work
        at_work = int(msgspec.json.decode(message.data, type=Health).facts.get("config_version", 0))

    try:
        await connection.subscribe(subjects.live_health("historian"), cb=hear)
        bucket = await connection.jetstream().key_value(subjects.CONFIG_BUCKET)
        wanted = 0
        deadline = time.monotonic() + KNOWN_WITHIN_S
        while not wanted or at_work < wanted:
            if time.monotonic() > deadline:
                raise CannotPlay(
                    f"The historian has not taken up the recorded machines within {KNOWN_WITHIN_S:.0f} s. "
                    "See whether worker and historian run: yuheng status"
                )
            if not wanted:
                plant = documents.decode((await bucket.get(subjects.CONFIG_KEY)).value or b"{}")
                wanted = plant.version if configured.tag_ids <= {tag.id for tag in plant.tags} else 0
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def _show(progress: Progress, publisher: Publisher[Message]) -> None:
    """Keep one line about the progress; a line every ten seconds where nobody watches."""
    is_attended = sys.stderr.isatty()
    while True:
        await asyncio.sleep(0.5 if is_attended else 10.0)
        playing = "  ".join(f"{MACHINES[kind].work_unit} {name}" for kind, name in progress.now_playing.items())
        line = f"{progress.records:>9,} records  {progress.recordings}/{progress.total}  {playing}"
        if publisher.counts.last_error:
            line = f"held: the broker {publisher.counts.last_error}  {line}"
        sys.stderr.write(f"\r{line[:118]:<118}" if is_attended else f"{line}\n")
