"""Real engines for tests, started when a test asks for them, by the same code as the supervisor's.

Fixtures (exported by the root ``conftest.py``)
-----------------------------------------------
``postgres_server``        session: `RunningPostgres`; tests marked ``django_db`` start it by themselves
``migrated_database_url``  function: address of a fresh, migrated database, for tests that start real processes
``nats_server``            session: `RunningBroker` shared by the tests of one process
``fresh_nats``             function: a `RunningBroker` of one's own, to kill or fill
``chromium_path``          session: a Chromium for browser tests
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from pytest_django.plugin import DjangoDbBlocker

from yuheng.config.supervisor.broker import RELOAD_SIGNAL, Broker
from yuheng.config.supervisor.ports import free_port
from yuheng.config.supervisor.postgres import STOP_SIGNAL, Postgres, wait_until_ready
from yuheng.config.supervisor.privileges import child_setup
from yuheng.testing import early

TEMPLATE = "yuheng_template"


class _RunningProcess:
    """A server process of a test: started, killed, restarted."""

    stop_signal: signal.Signals = signal.SIGTERM

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self.process is None:
            raise RuntimeError("The server is not running.")
        return self.process.pid

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, no clean-up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it politely; after 5 s, less politely."""
        self._end(self.stop_signal)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=5)
        self.process = None

    def _log_tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:] if self.log.exists() else ""


class RunningPostgres(_RunningProcess):
    """A PostgreSQL server of one's own."""

    stop_signal = STOP_SIGNAL

    def __init__(self, postgres: Postgres) -> None:
        super().__init__(postgres.directory.with_name("postgres.log"))
        self.postgres = postgres

    @property
    def url(self) -> str:
        """Address of the database ``yuheng``, with user and password."""
        return self.postgres.url()

    def start(self) -> None:
        """Start (again, on the same port) and wait until it answers."""
        self.postgres.directory.parent.mkdir(parents=True, exist_ok=True)
        self.postgres.prepare()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.postgres.command(),
                preexec_fn=self.postgres.child_setup(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until_ready(self.postgres, is_alive=self.is_alive)
        self.postgres.ensure_database()


class RunningBroker(_RunningProcess):
    """A nats-server with JetStream and MQTT of one's own."""

    def __init__(self, broker: Broker, *, devices: str = "") -> None:
        super().__init__(broker.directory / "nats.log")
        self.broker = broker
        self.devices = devices

    @property
    def url(self) -> str:
        """Address with the internal user and its password."""
        return self.broker.url

    @property
    def host(self) -> str:
        """Where MQTT clients connect."""
        return self.broker.mqtt_host

    @property
    def mqtt_port(self) -> int:
        """Port of the MQTT listener."""
        return self.broker.mqtt_port

    @property
    def monitor_url(self) -> str:
        """Address of the server's own monitoring pages."""
        return f"http://127.0.0.1:{self.broker.monitor_port}"

    def start(self) -> None:
        """Start (again, on the same ports and store) and wait until both doors are open."""
        self.broker.directory.mkdir(parents=True, exist_ok=True)
        self.broker.devices_file.write_text(self.devices, encoding="utf-8")
        if complaint := self.broker.write_configuration():
            raise ValueError(complaint)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.broker.command(), preexec_fn=child_setup(), stdout=log, stderr=log, start_new_session=True
            )
        _wait_for(self._is_open, "nats-server to listen")

    def restart(self) -> None:
        """Kill it and start it again on the same store."""
        self.kill()
        self.start()

    def set_devices(self, devices: str) -> None:
        """Put other device users into force (NATS user maps, one a line), as the supervisor does."""
        self.devices = devices
        self.broker.devices_file.write_text(devices, encoding="utf-8")
        if complaint := self.broker.apply_devices():
            raise ValueError(complaint)
        before = self._log_tail().count("Reloaded server configuration")
        os.kill(self.pid, RELOAD_SIGNAL)
        _wait_for(lambda: self._log_tail().count("Reloaded server configuration") > before, "nats-server to reload")

    def _is_open(self) -> bool:
        if not self.is_alive():
            raise RuntimeError(f"nats-server ended while starting: {self._log_tail()}")
        return self.broker.answers()


def _wait_for(condition: Callable[[], bool], what: str, *, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {timeout_s:.0f} s for {what}.")
        time.sleep(0.02)


@contextmanager
def running_postgres(directory: Path, *, is_durable: bool = False) -> Iterator[RunningPostgres]:
    """Run a PostgreSQL of one's own below ``directory`` on a free port."""
    server = RunningPostgres(
        Postgres(directory / "postgres", port=free_port(), password=secrets.token_hex(16), is_durable=is_durable)
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def running_broker(
    directory: Path, *, devices: str = "", max_store_bytes: int = 16 * 10**9, mqtt_host: str = "127.0.0.1"
) -> Iterator[RunningBroker]:
    """Run a broker of one's own below ``directory`` on free ports.

    Parameters
    ----------
    devices
        NATS user maps, one a line, e.g. ``{user: "d", password: "p", permissions: {publish: ["a.>"]}}``.
    max_store_bytes
        Bound of the durable log: small to test a full disk.
    """
    broker = Broker(
        directory / "nats",
        port=free_port(),
        mqtt_port=free_port(),
        monitor_port=free_port(),
        password=secrets.token_hex(16),
        mqtt_host=mqtt_host,
        max_store_bytes=max_store_bytes,
    )
    server = RunningBroker(broker, devices=devices)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[RunningPostgres]:
    """The PostgreSQL of this test process; Django's settings already point at it."""
    server = RunningPostgres(early.POSTGRES)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres_server: RunningPostgres) -> None:
    """Start the server just before pytest-django makes its test database."""


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Leave the test database: its whole server goes away, and a page that still asks must not fail the last test."""
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let every connection know what migrations put into the test database, for tests that restore it.

    Django remembers that on the connection object. Beside Playwright's running loop a thread gets another one, which
    would not know, and a browser test after a flushing test would find no roles.
    """
    with django_db_blocker.unblock():
        contents = getattr(connection, "_test_serialized_contents", None)
        if contents is not None:
            DatabaseWrapper._test_serialized_contents = contents  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def migrated_template(postgres_server: RunningPostgres) -> str:
    """Name of a migrated database to copy from; made once, by Django's own command in its own process."""
    postgres_server.postgres.ensure_database(TEMPLATE)
    environment = os.environ | {
        "DATABASE_URL": postgres_server.postgres.url(TEMPLATE),
        "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
    }
    command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The migrations failed: {done.stderr[-2000:]}")
    return TEMPLATE


@pytest.fixture
def migrated_database_url(postgres_server: RunningPostgres, migrated_template: str) -> Iterator[str]:
    """Address of a fresh, migrated database, dropped afterwards."""
    name = f"yuheng_{secrets.token_hex(4)}"
    postgres_server.postgres.ensure_database(name, template=migrated_template)
    yield postgres_server.postgres.url(name)
    postgres_server.postgres.drop_database(name)


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """The broker shared by the tests of this process. Streams in it outlive a test: use subjects of your own."""
    with running_broker(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.fixture
def fresh_nats(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker of one's own, empty: to kill, fill, restart."""
    with running_broker(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of a Chromium: on PATH, else the test tool's own build, else Debian's package when root."""
    return find_chromium() or install_chromium()


def find_chromium() -> str:
    """Return an installed Chromium, or an empty text."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    return next((str(path) for path in sorted(cache.glob("chromium-*/chrome-linux*/chrome"), reverse=True)), "")


def install_chromium() -> str:
    """Install one and return its path.

    Raises
    ------
    RuntimeError
        Neither way worked; the sentence says what to do.
    """
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        ways += [["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", "chromium", "fonts-noto-cjk"]]
    for command in ways:
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, check=False, timeout=300)
        if path := find_chromium():
            return path
    raise RuntimeError("Browser tests need Chromium, and it could not be installed. Install the package 'chromium'.")
