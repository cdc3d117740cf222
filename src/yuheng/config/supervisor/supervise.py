"""The whole life of ``yuheng up``: lock, orphans, engines, steps, processes, watch, stop."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from yuheng import __version__
from yuheng.bus.setup import StreamLimits, ensure_streams, hold_producers
from yuheng.bus.tls import pinned
from yuheng.bus.wire import WireError
from yuheng.config.supervisor import announcement
from yuheng.config.supervisor.broker import RELOAD_SIGNAL, Broker, store_limit
from yuheng.config.supervisor.errors import CannotStart, StartFailed
from yuheng.config.supervisor.keeper import Keeper
from yuheng.config.supervisor.orphans import remember, stop_orphans
from yuheng.config.supervisor.places import Lock, Places, write_private
from yuheng.config.supervisor.plant import (
    TABLE,
    Choices,
    Installation,
    Process,
    Table,
    broker_service,
    install,
    own_services,
    postgres_service,
)
from yuheng.config.supervisor.postgres import check_external
from yuheng.config.supervisor.refusals import tell_refusals
from yuheng.config.supervisor.service import Service, ServiceState, ServiceStatus
from yuheng.config.supervisor.violations import Violations
from yuheng.upkeep import certificates
from yuheng.upkeep.certificates import TlsPlaces, TlsRefused

STOP_WITHIN_S = 4.6
_ENGINES_NEED_S = 1.4
"""Kept back for the engines when our own processes are slow to stop."""
STEP_TIMEOUT_S = 180.0
CERTIFICATE_EVERY_S = 10.0
DISK_RESERVE_BYTES = 300_000_000
"""Less free disk than this: producers are held. Below the historian's reserve, which stops first and tells why."""
RESTART_BROKER_AFTER = 3
"""So many refusals although the disk has room again: the broker ran out of it while writing, and says no for ever."""


def say(line: str) -> None:
    """Print one line; a closed terminal must not end the plant."""
    with suppress(OSError, ValueError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def supervise(choices: Choices, *, table: Table = TABLE, say: Callable[[str], None] = say) -> int:
    """Run an installation until it is asked to stop; return the exit code."""
    places = Places(choices.data_dir)
    lock = Lock(places)
    try:
        places.make()
        lock.take()
        for sentence in stop_orphans(places):
            say(sentence)
        installation = install(choices)
        return asyncio.run(Supervisor(installation, table=table, say=say).run())
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 2
    finally:
        lock.release()


class Supervisor:
    """Starts the services in order, keeps them, and stops them."""

    def __init__(self, installation: Installation, *, table: Table, say: Callable[[str], None]) -> None:
        self.installation, self.table = installation, table
        self.keepers: dict[str, Keeper] = {}
        self.violations = Violations()
        self.complaint = ""
        self.administrator: dict[str, str] | None = None
        self._say = say
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._asked_at: float | None = None
        self._is_started = False
        self._is_holding = False
        self._refused_with_room = 0
        self._prepared_pid: int | None = None  # the broker whose streams are as they should be
        self.disk_reserve_bytes = DISK_RESERVE_BYTES
        self._started_at = time.time()

    async def run(self) -> int:
        """Live; 0 after a stop that was asked for, 1 when the start failed."""
        self._listen_to_signals()
        status = asyncio.create_task(self._keep_status())
        watch = asyncio.create_task(self._watch_devices())
        renewing = asyncio.create_task(self._watch_certificate())
        starting = asyncio.create_task(self._start())
        code = 0
        try:
            stop = asyncio.create_task(self._stop.wait())
            await asyncio.wait({starting, stop}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await stop
        except (StartFailed, CannotStart) as error:
            sys.stderr.write(f"{error}\n")
            code = 1
        finally:
            for task in (starting, watch, renewing, status):
                task.cancel()
            await self._stop_all()
            await asyncio.gather(starting, watch, renewing, status, return_exceptions=True)
            self._write_status()
        return code

    # ---- start ------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        began = time.monotonic()
        await self._bring_up(self._engines())
        if self.table.has_streams_step:
            await self._prepare_streams()
        usual = [process for process in self.table.processes if not process.only_in_demo]
        await _all_of(
            self._bring_up_processes([process for process in usual if not process.needs_database]),
            self._bring_up_on_database([process for process in usual if process.needs_database]),
        )
        if self.installation.choices.is_demo:
            await self._bring_up_processes([process for process in self.table.processes if process.only_in_demo])
        self._is_started = True
        self._changed.set()
        for line in announcement.lines(self.snapshot(), self.administrator, seconds=time.monotonic() - began):
            self._say(line)
        if self.installation.choices.opens_browser and announcement.has_screen():
            await asyncio.to_thread(webbrowser.open, self.installation.url)

    def _engines(self) -> list[Service]:
        engines = []
        if self.installation.postgres is not None:
            engines.append(postgres_service(self.installation, self.installation.postgres))
        if self.installation.broker is not None:
            engines.append(
                broker_service(self.installation.broker, on_line=self.violations.take, on_complaint=self._complain)
            )
        return engines

    async def _bring_up_processes(self, processes: Sequence[Process]) -> None:
        await self._bring_up(own_services(self.installation, processes))

    async def _bring_up_on_database(self, processes: Sequence[Process]) -> None:
        if self.table.has_database_step:
            await self._prepare_database()
        await self._bring_up_processes(processes)

    async def _bring_up(self, services: Sequence[Service]) -> None:
        """Start services together and wait until each serves."""
        keepers = [self._add(service) for service in services]
        for keeper in keepers:
            keeper.start()
        await _all_of(*(keeper.first_ready() for keeper in keepers))

    def _add(self, service: Service) -> Keeper:
        keeper = Keeper(service, logs=self.installation.places.logs, say=self._say, changed=self._changed.set)
        self.keepers[service.name] = keeper
        return keeper

    async def _prepare_streams(self) -> None:
        """Make the durable log's streams and readers, then let the devices in."""
        user, password = self.installation.nats_user()
        host, port = self.installation.mqtt_host, self.installation.ports.mqtt
        limits = _stream_limits(self.installation.broker)
        began = time.monotonic()
        try:
            files = self.installation.tls if self.installation.has_mqtt_tls else None
            mqtt_tls = pinned(files.certificate) if files else None
            await ensure_streams(self.installation.nats_url, host, port, user, password, limits, mqtt_tls)
        except (OSError, TimeoutError, WireError) as error:
            where = "" if self.installation.broker else " Check NATS_URL and --mqtt-port: that broker is yours."
            raise StartFailed(f"The durable log could not be prepared: {error}.{where}") from error
        await self._reload_devices()
        self._is_holding = False
        if "nats" in self.keepers:
            self._prepared_pid = self.keepers["nats"].status.pid
        self._say(f"{'streams':<11} ready in {time.monotonic() - began:.1f} s")

    async def _prepare_database(self) -> None:
        """Migrate, make the first administrator and the demo's content, in a child with Django."""
        began = time.monotonic()
        if self.installation.postgres is None:
            await asyncio.to_thread(check_external, self.installation.database_url)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "yuheng.config.supervisor.steps",
            env=dict(self.installation.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = await asyncio.wait_for(child.communicate(), timeout=STEP_TIMEOUT_S)
        except TimeoutError as error:
            raise StartFailed(f"The database was not ready after {STEP_TIMEOUT_S:.0f} s.") from error
        finally:
            if child.returncode is None:
                child.kill()
        if child.returncode != 0:
            raise StartFailed(f"The database could not be prepared:\n{err.decode('utf-8', 'replace')[-3000:]}")
        self.administrator = json.loads(out.splitlines()[-1])["administrator"]
        self._say(f"{'database':<11} ready in {time.monotonic() - began:.1f} s")

    # ---- devices ----------------------------------------------------------------------------------------------

    async def _watch_devices(self) -> None:
        """Reload the broker when the worker has written other devices; tell what the broker refused."""
        broker = self.installation.broker
        if broker is None:
            return
        known = _stamp(broker)
        while True:
            await asyncio.sleep(0.5)
            try:
                await self._restore_streams()
                if self._is_prepared() and (now := _stamp(broker)) != known:
                    await self._reload_devices()
                    known = now
                await self._mind_the_disk(broker)
            except (OSError, subprocess.SubprocessError, StartFailed, TimeoutError, WireError) as error:
                self._complain(f"The broker could not be looked after, trying again: {error}")
            if untold := self.violations.take_untold():
                self._changed.set()
                await tell_refusals(self.installation.nats_url, untold)

    def _is_prepared(self) -> bool:
        """Return whether the broker that runs now has our readers: before that, no device may be let in."""
        status = self.keepers["nats"].status
        return status.state is ServiceState.READY and status.pid == self._prepared_pid

    async def _restore_streams(self) -> None:
        """After the broker was started again, maybe on an empty store: make what is missing, let devices in."""
        status = self.keepers["nats"].status if "nats" in self.keepers else None
        if self._prepared_pid is None or status is None or status.state is not ServiceState.READY:
            return
        if status.pid != self._prepared_pid:
            await self._prepare_streams()

    async def _mind_the_disk(self, broker: Broker) -> None:
        """Hold the producers before the disk is full: a broker that ran into that refuses until it is restarted."""
        free = shutil.disk_usage(broker.directory).free
        if self._prepared_pid is None:
            return
        if not self._is_holding and free < self.disk_reserve_bytes:
            await hold_producers(self.installation.nats_url)
            self._is_holding = True
        elif self._is_holding and free > 1.2 * self.disk_reserve_bytes:
            await self._let_producers_go_on()
        if self._is_holding:
            self._complain(
                f"The disk is almost full ({free // 1_000_000} MB free): devices are held, nothing is lost. "
                "Free some space."
            )

    async def _let_producers_go_on(self) -> None:
        """Take the hold away; tried again by whoever looks after the broker until it succeeds."""
        try:
            await self._prepare_streams()
        except StartFailed:
            self._refused_with_room += 1
            if self._refused_with_room % RESTART_BROKER_AFTER == 0:
                self._say("The disk has room again, but the broker still refuses: it is started anew.")
                self.keepers["nats"].kill()
            raise
        self._refused_with_room = 0

    async def _reload_devices(self) -> None:
        if self.installation.broker is None:
            return
        self._complain(await asyncio.to_thread(self.installation.broker.apply_devices))
        self.keepers["nats"].signal(RELOAD_SIGNAL)

    def _complain(self, complaint: str) -> None:
        if complaint and complaint != self.complaint:
            self._say(complaint)
        self.complaint = complaint
        self._changed.set()

    async def _watch_certificate(self) -> None:
        """Renew our own certificate in time; let the broker take up files that were replaced by whomever."""
        files = self.installation.tls
        if files is None:
            return
        places = TlsPlaces(files.certificate.parent)
        known = files.certificate.stat().st_mtime_ns
        while True:
            await asyncio.sleep(CERTIFICATE_EVERY_S)
            try:
                if files == places.server and (made := certificates.renew_when_due(places, at=datetime.now(UTC))):
                    self._say(f"{'tls':<11} certificate renewed, until {made.not_after:%Y-%m-%d}")
                if (now := files.certificate.stat().st_mtime_ns) != known and "nats" in self.keepers:
                    self.keepers["nats"].signal(RELOAD_SIGNAL)
                    known = now
            except (OSError, TlsRefused) as error:
                self._complain(f"The certificate could not be looked after, trying again: {error}")

    # ---- status -----------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return what ``status.json`` says."""
        services = {name: keeper.status.as_json() for name, keeper in self.keepers.items()}
        for name, is_ours in (("postgres", self.installation.postgres), ("nats", self.installation.broker)):
            if is_ours is None:
                services[name] = ServiceStatus(state=ServiceState.EXTERNAL).as_json()
        return {
            "version": __version__,
            "started_at": self._started_at,
            "is_ready": self._is_started,
            "is_demo": self.installation.choices.is_demo,
            "data_dir": str(self.installation.choices.data_dir),
            "services": services,
            **self.installation.addresses(),
            "devices_complaint": self.complaint or None,
            "refused_publishes": {"total": self.violations.total, "top": self.violations.top()},
            "demo": self._demo(),
        }

    def _demo(self) -> Any:
        if not self.installation.choices.is_demo:
            return None
        try:
            return json.loads(self.installation.places.demo_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    async def _keep_status(self) -> None:
        """Write after each change, at most ten times a second."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._write_status()
            await asyncio.sleep(0.1)

    def _write_status(self) -> None:
        children = {
            name: (keeper.status.pid, int(keeper.service.stop_signal))
            for name, keeper in self.keepers.items()
            if keeper.status.pid is not None
        }
        with suppress(OSError):  # a full disk is the historian's to report, not a reason to fall
            remember(self.installation.places, children)
            write_private(self.installation.places.status_file, json.dumps(self.snapshot(), ensure_ascii=False))

    # ---- stop -------------------------------------------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                loop.add_signal_handler(number, self._ask_to_stop)

    def _ask_to_stop(self) -> None:
        """Stop; a second Ctrl-C stops at once. Wrappers deliver one Ctrl-C twice, hence the second between them."""
        now = time.monotonic()
        if self._asked_at is not None and now - self._asked_at > 1.0:
            for keeper in self.keepers.values():
                keeper.kill()
        self._asked_at = self._asked_at or now
        self._stop.set()

    async def _stop_all(self) -> None:
        """Stop our own processes first, the engines last; whoever is late is killed. At most `STOP_WITHIN_S`."""
        began = time.monotonic()
        engines = [self.keepers[name] for name in ("nats", "postgres") if name in self.keepers]
        own = [keeper for keeper in reversed(self.keepers.values()) if keeper not in engines]
        if own or engines:
            self._say("stopping")
        await _stop_together(own, patience_s=STOP_WITHIN_S - _ENGINES_NEED_S)
        await _stop_together(engines, patience_s=STOP_WITHIN_S - (time.monotonic() - began))
        if own or engines:
            self._say(f"stopped in {time.monotonic() - began:.1f} s")


async def _all_of(*parts: Coroutine[Any, Any, None]) -> None:
    """Do all at once; the first failure ends the others and is raised as it is, not wrapped in a group."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _stop_together(keepers: Sequence[Keeper], *, patience_s: float) -> None:
    if not keepers:
        return
    for keeper in keepers:
        keeper.ask_to_stop()
    stopping = [asyncio.create_task(keeper.stopped()) for keeper in keepers]
    _, late = await asyncio.wait(stopping, timeout=max(0.1, patience_s))
    if late:
        for keeper in keepers:
            keeper.kill()
        await asyncio.wait(stopping, timeout=1.0)


def _stream_limits(broker: Broker | None) -> StreamLimits:
    """Share the durable log: JetStream reserves what a stream is promised, and MQTT's own stream needs the most."""
    usual = StreamLimits()
    if broker is None:
        return usual
    room = broker.max_store_bytes or store_limit(broker.directory)
    return StreamLimits(
        ingest_bytes=min(usual.ingest_bytes, room // 5),
        dead_bytes=min(usual.dead_bytes, room // 10),
        events_bytes=min(usual.events_bytes, room // 20),
        alarms_bytes=min(usual.alarms_bytes, room // 40),
        births_bytes=room // 50,
        mqtt_bytes=room // 2,
        mqtt_state_bytes=room // 50,
    )


def _stamp(broker: Broker) -> tuple[int, int]:
    try:
        found = broker.devices_file.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
