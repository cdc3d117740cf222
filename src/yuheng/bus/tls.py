"""TLS of an installation's own doors: contexts that follow renewed certificates, and clients of this machine.

Two variables name the files: ``YUHENG_TLS_CERT`` (certificate, then the chain) and ``YUHENG_TLS_KEY``, PEM both.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificate (with its chain) and key of a server, PEM."""

    certificate: Path
    key: Path


def tls_files() -> TlsFiles | None:
    """Return the files that the environment names; None: this installation speaks plainly."""
    certificate, key = os.environ.get("YUHENG_TLS_CERT", ""), os.environ.get("YUHENG_TLS_KEY", "")
    return TlsFiles(Path(certificate), Path(key)) if certificate and key else None


@dataclass(slots=True)
class ServerContext:
    """A server's context that takes renewed files up by itself: connections made afterwards get the new certificate."""

    files: TlsFiles
    context: ssl.SSLContext = field(init=False)
    _stamp: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(self.files.certificate, self.files.key)
        self._stamp = self._now()

    def follow(self) -> None:
        """Load the files again when they were replaced; files that do not fit together leave the old ones in force."""
        try:
            if (now := self._now()) != self._stamp:
                self.context.load_cert_chain(self.files.certificate, self.files.key)
                self._stamp = now
        except (OSError, ssl.SSLError):
            return  # half-way through a replacement: the next look finds both

    def _now(self) -> tuple[int, int]:
        return self.files.certificate.stat().st_mtime_ns, self.files.key.stat().st_mtime_ns


def pinned(certificate: Path) -> ssl.SSLContext:
    """Return a context that trusts exactly the server certificate in a file, whoever signed it and whatever its names.

    For our own processes: they read the file that the server reads, so nothing else needs to be trusted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context


def local_mqtt() -> ssl.SSLContext | None:
    """Return the context with which our own processes reach the devices' door here; None when it is plain.

    ``YUHENG_MQTT_TLS`` says whether that door is ours: a broker of somebody else has certificates of its own.
    """
    files = tls_files()
    return pinned(files.certificate) if files is not None and os.environ.get("YUHENG_MQTT_TLS") == "1" else None
