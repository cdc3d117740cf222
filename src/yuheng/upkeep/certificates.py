"""An authority of one's own for the floor's tablets, and server certificates signed by it. Files in ``<data>/tls``.

``ca.crt`` is what tablets trust (10 years), ``ca.key`` signs, ``server.crt`` and ``server.key`` serve (397 days:
browsers refuse longer ones), ``settings.json`` remembers the names to renew with.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from yuheng.bus.tls import TlsFiles
from yuheng.upkeep.files import replace

CA_LIFE = timedelta(days=3653)
SERVER_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
_EARLIER = timedelta(hours=1)
"""Certificates begin a little before they are made: clocks of tablets are seldom right."""


class TlsRefused(Exception):
    """The certificate cannot be made or used; the sentence says why."""


@dataclass(frozen=True, slots=True)
class TlsPlaces:
    """Where the files of an installation's own authority lie."""

    directory: Path

    @property
    def ca(self) -> Path:
        """What tablets trust."""
        return self.directory / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """What signs; it never leaves the machine except in a backup."""
        return self.directory / "ca.key"

    @property
    def settings(self) -> Path:
        """Names to renew with."""
        return self.directory / "settings.json"

    @property
    def server(self) -> TlsFiles:
        """What the doors show."""
        return TlsFiles(self.directory / "server.crt", self.directory / "server.key")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: str  # SHA-256, in pairs

    def days_left(self, now: datetime) -> float:
        """Return days until it ends; negative afterwards."""
        return (self.not_after - now).total_seconds() / 86_400


def names_of_this_machine() -> list[str]:
    """Return host names and addresses under which others may reach this machine."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname()]
    with contextlib.suppress(OSError):
        names.append(socket.getfqdn())
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in {socket.AF_INET, socket.AF_INET6} and "%" not in address.address:
                names.append(address.address)
    return [name for name in dict.fromkeys(names) if name]


def init(places: TlsPlaces, *, names: Sequence[str], at: datetime) -> None:
    """Make an authority and a server certificate.

    Raises
    ------
    TlsRefused
        There is an authority already: tablets trust it; `renew` keeps it. Or a name is not one.
    """
    if places.ca.exists() or places.ca_key.exists():
        raise TlsRefused(f"{places.directory} has an authority already. Renew its certificate with: yuheng tls renew")
    _general_names(names)
    places.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Yuheng 玉衡"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Yuheng {socket.gethostname()} {at:%Y-%m-%d}"[:64]),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _EARLIER)
        .not_valid_after(at + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    replace(places.ca_key, _pem(key), 0o600)
    replace(places.ca, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    renew(places, names=names, at=at)


def renew(places: TlsPlaces, *, names: Sequence[str] = (), at: datetime) -> Certificate:
    """Make a new server key and certificate, for the names of before unless others are given.

    Raises
    ------
    TlsRefused
        There is no authority, it has ended, or a name is not one.
    """
    try:
        authority = x509.load_pem_x509_certificate(places.ca.read_bytes())
        authority_key = serialization.load_pem_private_key(places.ca_key.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise TlsRefused(f"There is no authority in {places.directory}. Make one with: yuheng tls init") from error
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise TlsRefused(f"The authority in {places.directory} was not made by yuheng tls init.")
    if authority.not_valid_after_utc <= at:
        raise TlsRefused(f"The authority in {places.directory} ended on {authority.not_valid_after_utc:%Y-%m-%d}.")
    wanted = list(names) or _remembered(places)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted[0][:64])]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _EARLIER)
        .not_valid_after(min(at + SERVER_LIFE, authority.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(_general_names(wanted)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM) + authority.public_bytes(serialization.Encoding.PEM)
    replace(places.settings, json.dumps({"names": wanted}, ensure_ascii=False).encode(), 0o644)
    replace(places.server.key, _pem(key), 0o600)
    replace(places.server.certificate, chain, 0o644)
    return describe(places.server.certificate)


def renew_when_due(places: TlsPlaces, *, at: datetime) -> Certificate | None:
    """Renew our own certificate when it ends within `RENEW_BEFORE`; return the new one, or None.

    Raises
    ------
    TlsRefused
        It is due, and cannot be renewed.
    """
    if not places.ca_key.exists() or describe(places.server.certificate).not_after - at > RENEW_BEFORE:
        return None
    return renew(places, at=at)


def describe(path: Path) -> Certificate:
    """Return what the first certificate of a PEM file says. Raises `TlsRefused`."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise TlsRefused(f"{path} holds no certificate that can be read.") from error
    names: list[str] = []
    with contextlib.suppress(x509.ExtensionNotFound):
        value = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [*value.get_values_for_type(x509.DNSName), *map(str, value.get_values_for_type(x509.IPAddress))]
    return Certificate(
        found.subject.rfc4514_string(),
        found.issuer.rfc4514_string(),
        tuple(names),
        found.not_valid_before_utc,
        found.not_valid_after_utc,
        found.fingerprint(hashes.SHA256()).hex(":").upper(),
    )


def check_pair(files: TlsFiles, *, at: datetime) -> Certificate:
    """Check that a certificate holds now and that the key is its own. Raises `TlsRefused`."""
    about = describe(files.certificate)
    if about.not_after <= at:
        raise TlsRefused(f"The certificate {files.certificate} ended on {about.not_after:%Y-%m-%d}. Renew it.")
    try:
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise TlsRefused(f"{files.key} holds no key that can be read (without a passphrase).") from error
    public = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0].public_key()
    if _public_bytes(public) != _public_bytes(key.public_key()):
        raise TlsRefused(f"The key {files.key} is not that of the certificate {files.certificate}.")
    return about


def _public_bytes(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _remembered(places: TlsPlaces) -> list[str]:
    try:
        return [str(name) for name in json.loads(places.settings.read_text(encoding="utf-8"))["names"]]
    except (OSError, ValueError, KeyError):
        return names_of_this_machine()


def _general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            try:
                found.append(x509.DNSName(name.encode("idna").decode("ascii")))
            except (UnicodeError, ValueError) as error:
                raise TlsRefused(f"{name!r} is no host name and no address.") from error
    if not found:
        raise TlsRefused("A certificate needs at least one name.")
    return found


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)
