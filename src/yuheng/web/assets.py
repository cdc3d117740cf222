"""Static files without a collecting step: found where apps keep them, addressed by content, served from memory.

``{% static "web/tokens.css" %}`` becomes ``/static/web/tokens.css?v=<hash>``; an answer to an address with the right
hash may be kept for ever. ES modules import each other by relative names, so those are given hashes too.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage

TEXT_TYPES = ("text/", "application/json", "image/svg+xml")
MIN_GZIP_BYTES = 512

_IMPORT = re.compile(
    rb"""(?P<before>\bfrom\s*|\bimport\s*\(?\s*)(?P<quote>["'])(?P<name>\.{1,2}/[^"'?]+\.js)(?P=quote)"""
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to send. ``version`` is the hash of ``body``; ``packed`` is None when gzip does not pay."""

    body: bytes
    packed: bytes | None
    content_type: str
    version: str


@dataclass(frozen=True, slots=True)
class _Kept:
    modified: tuple[int, ...]
    depends_on: tuple[Path, ...]
    asset: Asset


class AssetIndex:
    """Files by their static name. Rebuilds an entry when the file, or a module it imports, has changed."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def find(self, name: str) -> Asset | None:
        """Return the asset of a name like ``web/tokens.css``; None when no app has it."""
        kept = self._kept.get(name)
        if kept is not None and kept.modified == _modified(kept.depends_on):
            return kept.asset
        paths: dict[str, Path] = {}
        body = self._read(name, paths, {}, ())
        if body is None:
            return None
        asset = _make(name, body)
        files = tuple(paths.values())
        self._kept[name] = _Kept(_modified(files), files, asset)
        return asset

    def _read(
        self, name: str, paths: dict[str, Path], read: dict[str, bytes | None], above: tuple[str, ...]
    ) -> bytes | None:
        """Return the file's bytes with versions in its imports; collect every file they depend on.

        ``read`` keeps what was read on the way: two modules may import the same third one, and must name it alike, or
        the browser would load it twice. ``above`` are the modules that led here.
        """
        if name not in read:
            read[name] = self._read_anew(name, paths, read, (*above, name))
        return read[name]

    def _read_anew(
        self, name: str, paths: dict[str, Path], read: dict[str, bytes | None], above: tuple[str, ...]
    ) -> bytes | None:
        found = finders.find(name)
        if not isinstance(found, str) or not os.path.isfile(found):
            return None
        paths[name] = Path(found)
        body = Path(found).read_bytes()
        if not name.endswith(".js") or "/vendor/" in name:
            return body
        return _IMPORT.sub(lambda match: self._version_import(name, match, paths, read, above), body)

    def _version_import(
        self,
        name: str,
        match: re.Match[bytes],
        paths: dict[str, Path],
        read: dict[str, bytes | None],
        above: tuple[str, ...],
    ) -> bytes:
        target = os.path.normpath(str(PurePosixPath(name).parent / match["name"].decode()))
        if target in above:  # a circle of imports: its first member is versioned from outside
            return match[0]
        body = self._read(target, paths, read, above)
        if body is None:
            return match[0]
        address = match["name"] + b"?v=" + _hash(body).encode()
        return match["before"] + match["quote"] + address + match["quote"]


def _modified(paths: tuple[Path, ...]) -> tuple[int, ...]:
    try:
        return tuple(os.stat(path).st_mtime_ns for path in paths)
    except FileNotFoundError:
        return ()


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def _make(name: str, body: bytes) -> Asset:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    is_text = kind.startswith(TEXT_TYPES) or kind in {"text/javascript", "application/javascript"}
    packed = gzip.compress(body, 9, mtime=0) if is_text and len(body) >= MIN_GZIP_BYTES else None
    return Asset(body, packed, f"{kind}; charset=utf-8" if is_text else kind, _hash(body))


ASSETS = AssetIndex()


class VersionedStaticFiles(StaticFilesStorage):
    """Puts the content's hash into the address that ``{% static %}`` writes."""

    def url(self, name: str | None) -> str:
        """Return the address of a static file with its version."""
        address = super().url(name)
        asset = ASSETS.find(name) if name else None
        return f"{address}?v={asset.version}" if asset else address
