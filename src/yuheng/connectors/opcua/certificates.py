"""Our certificate, made once for each source, and what a person must know of the server's before accepting it."""

from __future__ import annotations

import base64
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_BITS = 2048
"""All three policies take 2048 to 4096 (OPC UA Part 7); old controllers are slow beyond 2048."""
VALID_DAYS = 3650


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """Our application instance certificate (OPC UA Part 6, 6.2.2) and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    application_uri: str

    @property
    def der(self) -> bytes:
        """The certificate, as servers take it into their trust list."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


def own_certificate(directory: Path, application_uri: str) -> OwnCertificate:
    """Return our certificate of this directory; make it when there is none, or when it ends within a month."""
    key_path, certificate_path = directory / "own-key.pem", directory / "own.der"
    try:
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        certificate = x509.load_der_x509_certificate(certificate_path.read_bytes())
    except (FileNotFoundError, ValueError, UnsupportedAlgorithm):
        return _made(directory, application_uri)
    ends_soon = certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=30)
    if not isinstance(key, rsa.RSAPrivateKey) or ends_soon or application_uri not in _uris(certificate):
        return _made(directory, application_uri)
    return OwnCertificate(certificate, key, application_uri)


def _made(directory: Path, application_uri: str) -> OwnCertificate:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Yuheng"),
            x509.NameAttribute(NameOID.COMMON_NAME, application_uri[:64]),
        ]
    )
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # self-signed: Part 6, 6.2.2 asks for it
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    subject_names = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(application_uri), x509.DNSName(_host_name())]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a device's clock may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(subject_names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    directory.mkdir(parents=True, exist_ok=True)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(directory / "own-key.pem", private)
    (directory / "own.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    return OwnCertificate(certificate, key, application_uri)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file at once; nobody but its owner can read it at any moment."""
    fresh = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    fresh.replace(path)


def first_certificate(der: bytes) -> bytes:
    """Return the first of a chain of DER certificates: servers may send theirs with its issuers behind it.

    Raises
    ------
    ValueError
        There is no certificate at all.
    """
    if len(der) < 4 or der[0] != 0x30:
        raise ValueError("The server shows no certificate.")
    size_bytes = der[1] & 0x7F if der[1] & 0x80 else 0
    size = int.from_bytes(der[2 : 2 + size_bytes], "big") if size_bytes else der[1]
    return der[: 2 + size_bytes + size]


FACTS = (
    "certificate",
    "certificate_subject",
    "certificate_issuer",
    "certificate_from",
    "certificate_until",
    "certificate_uri",
)


def base64_of(der: bytes) -> str:
    """Return a certificate as one line of text."""
    return base64.b64encode(der).decode()


def thumbprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate, in hexadecimal digits."""
    return x509.load_der_x509_certificate(first_certificate(der)).fingerprint(hashes.SHA256()).hex()


def describe(der: bytes) -> dict[str, str]:
    """Return what a person compares before accepting: subject, issuer, dates, addresses, thumbprint."""
    certificate = x509.load_der_x509_certificate(first_certificate(der))
    return {
        "certificate": certificate.fingerprint(hashes.SHA256()).hex(),
        "certificate_subject": certificate.subject.rfc4514_string(),
        "certificate_issuer": certificate.issuer.rfc4514_string(),
        "certificate_from": certificate.not_valid_before_utc.strftime("%Y-%m-%d"),
        "certificate_until": certificate.not_valid_after_utc.strftime("%Y-%m-%d"),
        "certificate_uri": ", ".join(_uris(certificate)),
    }


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _host_name() -> str:
    name = socket.gethostname()
    return name if name and name.isascii() else "localhost"
