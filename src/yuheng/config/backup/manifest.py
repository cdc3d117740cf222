"""What a backup says about itself: files with checksums, counts, versions. No database, no bus."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
NAME = re.compile(r"yuheng-(\d{8}T\d{6}Z)")
_BLOCK = 1 << 20


class BackupRefused(Exception):
    """The backup or the restore cannot be done; the sentence says why and what to do."""


@dataclass(slots=True)
class Manifest:
    """Contents of ``manifest.json``.

    Attributes
    ----------
    made_at
        ISO 8601 in UTC: everything acknowledged before it is in the backup.
    files
        Path below the backup -> size in bytes and SHA-256.
    relational
        Table -> rows and a digest of all rows that does not depend on their order.
    columns
        Table -> rows, as they lie in the parts (before the engine merges rows with one key).
    streams
        Stream -> ``config``, ``state`` and ``created`` as the broker told them.
    schema
        ``relational``: app -> newest migration; ``columns``: number of the newest one.
    """

    version: str
    made_at: str
    engines: dict[str, str] = field(default_factory=dict)
    schema: dict[str, Any] = field(default_factory=dict)
    relational: dict[str, dict[str, Any]] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: str = "plain"
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(int(entry["size"]) for entry in self.files.values())


def sha256(path: Path) -> str:
    """Return the checksum of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def copied(source: Path, target: Path) -> dict[str, Any]:
    """Copy a file and make it durable; return its size and checksum, computed from what was read."""
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(_BLOCK):
            digest.update(block)
            size += len(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def list_files(directory: Path, *, known: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return size and checksum of every file below a directory; those in ``known`` are not read again."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and name not in {MANIFEST, SEAL}:
            found[name] = known.get(name) or {"size": path.stat().st_size, "sha256": sha256(path)}
    return found


def write(directory: Path, manifest: Manifest) -> None:
    """Write the manifest and its seal."""
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1, sort_keys=True)
    for name, content in ((MANIFEST, text), (SEAL, hashlib.sha256(text.encode()).hexdigest() + "\n")):
        with (directory / name).open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def read(directory: Path) -> Manifest:
    """Read a backup's manifest.

    Raises
    ------
    BackupRefused
        There is none, it was changed, or it has a format that this version does not know.
    """
    try:
        text = (directory / MANIFEST).read_text(encoding="utf-8")
        seal = (directory / SEAL).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BackupRefused(f"{directory} is no backup: {error.filename or directory} cannot be read.") from error
    if hashlib.sha256(text.encode()).hexdigest() != seal:
        raise BackupRefused(f"The backup {directory} is damaged: its manifest is not what was written.")
    try:
        values = json.loads(text)
        if values["format"] > FORMAT:
            raise BackupRefused(
                f"The backup {directory} was made by a newer Yuheng ({values['version']}). Restore it with that one."
            )
        return Manifest(**values)
    except (ValueError, KeyError, TypeError) as error:
        raise BackupRefused(f"The manifest of {directory} cannot be read.") from error


def check_files(directory: Path, manifest: Manifest) -> None:
    """Compare every file with the manifest.

    Raises
    ------
    BackupRefused
        One is missing, has another size or content; it is named.
    """
    for name, entry in manifest.files.items():
        path = directory / name
        if not path.is_file():
            raise BackupRefused(f"The backup {directory} is damaged: {name} is missing.")
        if path.stat().st_size != entry["size"] or sha256(path) != entry["sha256"]:
            raise BackupRefused(f"The backup {directory} is damaged: {name} is not what was written.")


def backups_in(place: Path) -> list[Path]:
    """Return the finished backups in a directory, oldest first."""
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if NAME.fullmatch(path.name) and (path / SEAL).exists())


def prune(place: Path, *, keep: int) -> list[Path]:
    """Delete all but the newest ``keep`` backups; return what was deleted."""
    gone = backups_in(place)[:-keep] if keep > 0 else []
    for path in gone:
        (path / SEAL).unlink(missing_ok=True)  # first: half a backup must not look like one
        shutil.rmtree(path)
    return gone


def newest_of(text: str) -> tuple[int, ...]:
    """Return a version as numbers, for comparing.

    Examples
    --------
    >>> newest_of("0.10.1") > newest_of("0.9")
    True
    """
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
