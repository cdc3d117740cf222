"""Which processes an installation has, where they listen, and what they are told through the environment."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from yuheng.bus.tls import TlsFiles
from yuheng.config.supervisor import broker as brokers
from yuheng.config.supervisor import postgres as databases
from yuheng.config.supervisor.broker import Broker
from yuheng.config.supervisor.errors import CannotStart
from yuheng.config.supervisor.places import Places, passwords
from yuheng.config.supervisor.ports import claim
from yuheng.config.supervisor.postgres import Postgres
from yuheng.config.supervisor.privileges import child_setup
from yuheng.config.supervisor.service import Service
from yuheng.upkeep import certificates
from yuheng.upkeep.certificates import TlsPlaces, TlsRefused

USUAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
"""Plain although there are certificates: nobody else hears what is said there."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Options of ``yuheng up``. Port 0: any free one.

    Attributes
    ----------
    tls_certificate, tls_key
        Files of one's own; None: those of `yuheng tls init`, where they exist. See `chosen_tls`.
    demo_plant
        Which demo plants: a key of `simulation.plants.CHOICES`; "": the elevator plant.
    is_plain
        Passwords may go in the clear over the network: somebody said so.
    backup_dir, backup_at, backup_keep
        Where the worker puts a backup every night, when (local time of the machine), and how many are kept.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    web_port: int = 8000
    gateway_port: int = 8080
    mqtt_port: int = 1883
    nats_port: int = 0
    pg_port: int = 0
    is_demo: bool = False
    demo_plant: str = ""
    opens_browser: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    is_plain: bool = False
    needs_tls: bool = False
    backup_dir: Path | None = None
    backup_at: str = "02:30"
    backup_keep: int = 7


@dataclass(frozen=True, slots=True)
class Process:
    """One of our own processes: ``python`` with these arguments.

    One that needs no database starts while the database is still being migrated.
    """

    name: str
    arguments: tuple[str, ...]
    needs_database: bool = False
    only_in_demo: bool = False
    start_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Table:
    """What ``yuheng up`` runs after the engines.

    Attributes
    ----------
    processes
        Started together once streams (and, where needed, the database) are ready; those of the demo after the others.
    has_database_step, has_streams_step
        Migrations, first administrator and demo content; streams, buckets and consumers.
    """

    processes: tuple[Process, ...]
    has_database_step: bool = True
    has_streams_step: bool = True


TABLE = Table(
    processes=(
        Process("historian", ("-m", "yuheng.historian")),
        Process("gateway", ("-m", "yuheng.gateway")),
        Process("web", ("-m", "yuheng.config.web_server"), needs_database=True),
        Process("worker", ("-m", "yuheng.config.worker"), needs_database=True),
        Process("planner", ("-m", "yuheng.config.planner"), needs_database=True),
        Process("simulation", ("-m", "yuheng.simulation"), only_in_demo=True),
    )
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens in this run; None when somebody else runs that engine."""

    web: int
    gateway: int
    mqtt: int
    nats: int | None
    pg: int | None


@dataclass(frozen=True, slots=True)
class Installation:
    """One data directory with its engines and addresses, ready to be started."""

    choices: Choices
    places: Places
    ports: Ports
    postgres: Postgres | None
    broker: Broker | None
    database_url: str
    nats_url: str
    mqtt_host: str  # where devices of this machine connect
    tls: TlsFiles | None
    environment: Mapping[str, str] = field(repr=False)

    @property
    def scheme(self) -> str:
        """How pages and HTTP push are reached."""
        return "https" if self.tls else "http"

    @property
    def url(self) -> str:
        """Address of the pages."""
        return f"{self.scheme}://{_in_url(_reachable(self.choices.host))}:{self.ports.web}/"

    @property
    def gateway_url(self) -> str:
        """Address for HTTP push."""
        return f"{self.scheme}://{_in_url(_reachable(self.choices.host))}:{self.ports.gateway}/"

    @property
    def has_mqtt_tls(self) -> bool:
        """Whether devices speak TLS; a broker of one's own is told elsewhere."""
        return self.tls is not None and self.broker is not None

    def nats_user(self) -> tuple[str, str]:
        """Return the internal user and its password."""
        parts = urlsplit(self.nats_url)
        return unquote(parts.username or ""), unquote(parts.password or "")

    def addresses(self) -> dict[str, Any]:
        """Return what ``status.json`` says about addresses; no secret."""
        nats = urlsplit(self.nats_url)
        return {
            "url": self.url,
            "gateway_url": self.gateway_url,
            "mqtt": {"host": self.mqtt_host, "port": self.ports.mqtt, "tls": self.has_mqtt_tls},
            "tls": {"certificate": str(self.tls.certificate), "key": str(self.tls.key)} if self.tls else None,
            "nats": {"host": nats.hostname, "port": nats.port or 4222},
            "ports": {
                "web": self.ports.web,
                "gateway": self.ports.gateway,
                "mqtt": self.ports.mqtt,
                "nats": self.ports.nats,
                "pg": self.ports.pg,
            },
        }


def install(choices: Choices) -> Installation:
    """Claim the ports and gather everything a start needs; nothing is started.

    Raises
    ------
    CannotStart
        A port is taken, an engine is not installed, or an address cannot be listened on.
    """
    places = Places(choices.data_dir)
    secrets = passwords(places)
    tls = chosen_tls(choices, at=datetime.now(UTC))
    inherited_database, inherited_nats = os.environ.get("DATABASE_URL", ""), os.environ.get("NATS_URL", "")
    ports = _claim_ports(choices, runs_postgres=not inherited_database, runs_broker=not inherited_nats)
    postgres = None
    if ports.pg is not None:
        databases.binaries()
        postgres = Postgres(places.data_dir / "postgres", port=ports.pg, password=secrets.postgres)
    broker = None
    if ports.nats is not None:
        brokers.binary()
        broker = Broker(
            places.data_dir / "nats",
            port=ports.nats,
            mqtt_port=ports.mqtt,
            monitor_port=claim("127.0.0.1", 0, option="--nats-port"),
            password=secrets.nats,
            mqtt_host=choices.host,
            sync=os.environ.get("YUHENG_LOG_SYNC", "10s"),
            tls=tls,
        )
    database_url = postgres.url() if postgres else inherited_database
    nats_url = broker.url if broker else inherited_nats
    mqtt_host = _reachable(choices.host) if broker else urlsplit(nats_url).hostname or "127.0.0.1"
    return Installation(
        choices=choices,
        places=places,
        ports=ports,
        postgres=postgres,
        broker=broker,
        database_url=database_url,
        nats_url=nats_url,
        mqtt_host=mqtt_host,
        tls=tls,
        environment=_environment(choices, ports, database_url=database_url, nats_url=nats_url, mqtt_host=mqtt_host)
        | _tls_environment(tls, is_ours=broker is not None),
    )


def chosen_tls(choices: Choices, *, at: datetime) -> TlsFiles | None:
    """Return the certificate to serve with, or None for plain doors.

    An address that others can reach is served with TLS, or somebody has said ``--plain``: passwords of people and
    devices go through these doors. This machine's own address is plain, unless ``--tls`` asks for it.

    Raises
    ------
    CannotStart
        There is no certificate for an address that needs one, or the one that was named cannot be used.
    """
    if choices.is_plain:
        if choices.needs_tls or choices.tls_certificate:
            raise CannotStart("--plain and TLS were both asked for; choose one.")
        return None
    if (choices.tls_certificate is None) != (choices.tls_key is None):
        raise CannotStart("A certificate of yours needs its key: give both --tls-cert FILE and --tls-key FILE.")
    own = TlsPlaces(choices.data_dir / "tls")
    if choices.tls_certificate is not None and choices.tls_key is not None:
        files = TlsFiles(choices.tls_certificate.expanduser().absolute(), choices.tls_key.expanduser().absolute())
    elif own.server.certificate.exists() and (choices.needs_tls or choices.host not in USUAL_HOSTS):
        files = own.server
    elif choices.needs_tls or not is_loopback(choices.host):
        raise CannotStart(
            f"Others can reach {choices.host}, and there is no certificate: passwords would be readable on the way. "
            f"Make one with: yuheng tls init --data-dir {choices.data_dir} (or say --plain, if you mean it)."
            if not choices.needs_tls
            else f"There is no certificate. Make one with: yuheng tls init --data-dir {choices.data_dir}"
        )
    else:
        return None
    try:
        if files == own.server:
            certificates.renew_when_due(own, at=at)
        certificates.check_pair(files, at=at)
    except TlsRefused as error:
        raise CannotStart(str(error)) from error
    return files


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls_environment(tls: TlsFiles | None, *, is_ours: bool) -> dict[str, str]:
    if tls is None:
        return {"YUHENG_TLS_CERT": "", "YUHENG_TLS_KEY": "", "YUHENG_MQTT_TLS": ""}
    return {
        "YUHENG_TLS_CERT": str(tls.certificate),
        "YUHENG_TLS_KEY": str(tls.key),
        "YUHENG_MQTT_TLS": "1" if is_ours else "",
    }


def own_services(installation: Installation, processes: Iterable[Process]) -> list[Service]:
    """Return our own processes as services, in the order they start."""
    return [_own_service(installation, process) for process in processes]


def postgres_service(installation: Installation, postgres: Postgres) -> Service:
    """Return the embedded database as a service."""

    def is_ready(pid: int) -> bool:
        if not postgres.accepts_connections():
            return False
        postgres.ensure_database()
        return True

    return Service(
        name="postgres",
        command=postgres.command(),
        environment=engine_environment(),
        is_ready=is_ready,
        child_setup=postgres.child_setup,
        prepare=postgres.prepare,
        stop_signal=databases.STOP_SIGNAL,
    )


def broker_service(broker: Broker, *, on_line: Callable[[str], None], on_complaint: Callable[[str], None]) -> Service:
    """Return the embedded broker as a service; ``on_complaint`` hears what is wrong with the devices' users."""

    def prepare() -> None:
        on_complaint(broker.write_configuration(with_devices=broker.keeps_messages()))

    return Service(
        name="nats",
        command=broker.command(),
        environment=engine_environment(),
        is_ready=lambda pid: broker.answers(),
        child_setup=child_setup,
        prepare=prepare,
        stop_signal=brokers.STOP_SIGNAL,
        on_line=on_line,
    )


def engine_environment() -> dict[str, str]:
    """Return what an engine may see: no address or secret of ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("YUHENG_", "DATABASE_", "NATS_", "PG"))
    }


def _own_service(installation: Installation, process: Process) -> Service:
    ready_file = installation.places.ready_file(process.name)

    def is_ready(pid: int) -> bool:
        try:
            return ready_file.read_text(encoding="utf-8").strip() == str(pid)
        except OSError:
            return False

    return Service(
        name=process.name,
        command=[sys.executable, *process.arguments],
        environment={**installation.environment, "YUHENG_READY_FILE": str(ready_file)},
        is_ready=is_ready,
        child_setup=child_setup,
        prepare=lambda: ready_file.unlink(missing_ok=True),
        start_timeout_s=process.start_timeout_s,
    )


def _claim_ports(choices: Choices, *, runs_postgres: bool, runs_broker: bool) -> Ports:
    """Claim all ports; two options may not name the same one."""
    if not runs_broker and choices.mqtt_port == 0:
        raise CannotStart("NATS_URL names a broker of yours: say its MQTT port with --mqtt-port.")
    asked = {
        "--web-port": choices.web_port,
        "--gateway-port": choices.gateway_port,
        "--mqtt-port": choices.mqtt_port,
        "--nats-port": choices.nats_port,
        "--pg-port": choices.pg_port,
    }
    named = [port for port in asked.values() if port]
    if len(named) != len(set(named)):
        raise CannotStart("Two of the port options name the same port; give each its own.")
    used: set[int] = set()

    def one(option: str, host: str) -> int:
        port = claim(host, asked[option], option=option)
        while port in used:
            port = claim(host, 0, option=option)
        used.add(port)
        return port

    return Ports(
        web=one("--web-port", choices.host),
        gateway=one("--gateway-port", choices.host),
        mqtt=one("--mqtt-port", choices.host) if runs_broker else choices.mqtt_port,
        nats=one("--nats-port", "127.0.0.1") if runs_broker else None,
        pg=one("--pg-port", "127.0.0.1") if runs_postgres else None,
    )


def _environment(choices: Choices, ports: Ports, *, database_url: str, nats_url: str, mqtt_host: str) -> dict[str, str]:
    """Return what our own processes are told. One thread of numeric libraries each: there are few cores to share."""
    told = {
        "DATABASE_URL": database_url,
        "NATS_URL": nats_url,
        "YUHENG_DATA_DIR": str(choices.data_dir),
        "YUHENG_HOST": choices.host,
        "YUHENG_WEB_PORT": str(ports.web),
        "YUHENG_GATEWAY_PORT": str(ports.gateway),
        "YUHENG_MQTT_HOST": mqtt_host,
        "YUHENG_MQTT_PORT": str(ports.mqtt),
        "YUHENG_DEMO": "1" if choices.is_demo else "",
        "YUHENG_DEMO_PLANT": choices.demo_plant,
        "YUHENG_BACKUP_DIR": str(choices.backup_dir or ""),
        "YUHENG_BACKUP_AT": choices.backup_at,
        "YUHENG_BACKUP_KEEP": str(choices.backup_keep),
        "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }
    modest = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    return modest | dict(os.environ) | told


def _reachable(host: str) -> str:
    """Return an address of this machine for one to listen on."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
