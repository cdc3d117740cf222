"""Keys and secrets of a backup, readable as they are or sealed with a passphrase.

Sealed: scrypt (N = 2^15, r = 8, p = 1) gives the key, AES-256-GCM seals one JSON object of path -> content (base64).
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from yuheng.config.backup.manifest import BackupRefused

SEALED = "keys.sealed"
OPEN = "keys"
_MAGIC = b"YHKEYS1\n"
_SALT, _NONCE = 16, 12
_NOT_KEPT = frozenset({"postgres", "columns", "logs", "backups", "wal"})
_KEPT_OF_BROKER = frozenset({"devices.conf", "store-limit"})
_NOT_KEPT_OF_RUN = frozenset({"status.json", "children.json", "supervisor.lock"})


def kept_files(data_dir: Path) -> dict[str, bytes]:
    """Return what an installation keeps outside its engines: path below the data directory -> content.

    Everything is kept except what an engine keeps itself and what is true only while it runs, so that a certificate or
    a key which a connector puts there is in the backup without being named here.
    """
    found = {}
    for path in sorted(data_dir.rglob("*")):
        name = path.relative_to(data_dir)
        if _is_kept(name.parts) and path.is_file() and not path.is_symlink():
            found[name.as_posix()] = path.read_bytes()
    return found


def _is_kept(parts: tuple[str, ...]) -> bool:
    if parts[0] in _NOT_KEPT or parts[-1].endswith((".new", ".part", ".lock", ".log")):
        return False
    if parts[0] == "nats":
        return len(parts) == 2 and parts[1] in _KEPT_OF_BROKER
    if parts[0] == "run":
        return len(parts) == 2 and parts[1].endswith(".json") and parts[1] not in _NOT_KEPT_OF_RUN
    return True


def write(directory: Path, files: Mapping[str, bytes], passphrase: str) -> str:
    """Write the files below a backup; return ``plain`` or ``sealed``."""
    if passphrase:
        plain = json.dumps({name: base64.b64encode(data).decode() for name, data in files.items()}).encode()
        salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
        _write_private(
            directory / SEALED, _MAGIC + salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, plain, _MAGIC)
        )
        return "sealed"
    for name, data in files.items():
        _write_private(directory / OPEN / name, data)
    return "plain"


def read(directory: Path, passphrase: str) -> dict[str, bytes]:
    """Return the files of a backup.

    Raises
    ------
    BackupRefused
        They are sealed, and the passphrase is missing or wrong.
    """
    sealed = directory / SEALED
    if not sealed.exists():
        root = directory / OPEN
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
    if not passphrase:
        raise BackupRefused("The keys of this backup are sealed: give the passphrase with --passphrase-file FILE.")
    data = sealed.read_bytes().removeprefix(_MAGIC)
    salt, nonce, secret = data[:_SALT], data[_SALT : _SALT + _NONCE], data[_SALT + _NONCE :]
    try:
        plain = AESGCM(_key(passphrase, salt)).decrypt(nonce, secret, _MAGIC)
    except InvalidTag as error:
        raise BackupRefused("The passphrase does not open the keys of this backup.") from error
    return {name: base64.b64decode(text) for name, text in json.loads(plain).items()}


def place(data_dir: Path, files: Mapping[str, bytes]) -> None:
    """Write the files where they were; readable by their owner only.

    Raises
    ------
    BackupRefused
        A path leads outside the data directory.
    """
    for name, data in files.items():
        path = (data_dir / name).resolve()
        if not path.is_relative_to(data_dir.resolve()):
            raise BackupRefused(f"The backup names a file outside its place: {name}.")
        _write_private(path, data)


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode())


def _write_private(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
