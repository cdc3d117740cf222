"""Fetch, check and write the third-party browser files under ``static/vendor``. Pure Python: no Node, no bundler.

    python tools/vendor.py            fetch the tarballs that vendor.toml names, verify, write the files
    python tools/vendor.py --check    verify what lies in the tree against vendor.toml; no network (used by CI)

The registry's address is not kept in the tree: it comes from ``npm_config_registry``, from npm's own configuration,
or is the public one.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parent.parent / "src" / "yuheng" / "web" / "static" / "vendor"
PUBLIC_REGISTRY = "https://registry.npmjs.org"
SOURCE_MAP = re.compile(rb"\n?(?://[#@]|/\*[#@])\s*sourceMappingURL=[^\n]*?(?:\*/)?\s*$")


def registry() -> str:
    """Return the npm registry this machine is configured for."""
    configured = os.environ.get("npm_config_registry", "")  # noqa: SIM112 - npm spells it so
    npm = shutil.which("npm")
    if not configured and npm:
        answer = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False)
        configured = answer.stdout.strip()
    return (configured if configured.startswith("http") else PUBLIC_REGISTRY).rstrip("/")


def libraries() -> list[dict[str, Any]]:
    """Return the entries of vendor.toml."""
    listed: list[dict[str, Any]] = tomllib.loads((VENDOR / "vendor.toml").read_text())["library"]
    return listed


def extracted(library: dict[str, Any], tarball: bytes) -> Iterator[tuple[Path, bytes]]:
    """Yield where each wanted file goes and its bytes, without its source map line."""
    digest = hashlib.sha256(tarball).hexdigest()
    if digest != library["tarball_sha256"]:
        raise SystemExit(
            f"{library['name']}: the tarball's sha256 is {digest}, vendor.toml says {library['tarball_sha256']}."
        )
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        for wanted in library["file"]:
            member = archive.extractfile(wanted["from"])
            if member is None:
                raise SystemExit(f"{library['name']}: the tarball has no file {wanted['from']}.")
            # A source map that is not shipped makes every browser with open tools ask for it.
            body = SOURCE_MAP.sub(b"", member.read()) + wanted.get("append", "").encode()
            yield VENDOR / wanted["to"], body


def check() -> list[str]:
    """Return one sentence for each file that is missing, changed or not listed."""
    faults = []
    listed = {VENDOR / "vendor.toml"}
    for library in libraries():
        for wanted in library["file"]:
            path = VENDOR / wanted["to"]
            listed.add(path)
            if not path.exists():
                faults.append(f"{wanted['to']} is missing; run tools/vendor.py.")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != wanted["sha256"]:
                faults.append(f"{wanted['to']} is not what vendor.toml describes.")
    strangers = (path for path in VENDOR.rglob("*") if path.is_file() and path not in listed)
    return faults + [f"{path.relative_to(VENDOR)} is not listed in vendor.toml." for path in strangers]


def fetch() -> None:
    """Download and write every listed file, and print the sha256 of each for vendor.toml."""
    for library in libraries():
        with urllib.request.urlopen(f"{registry()}/{library['tarball']}", timeout=60) as answer:
            tarball = answer.read()
        for path, body in extracted(library, tarball):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            print(f"{hashlib.sha256(body).hexdigest()}  {path.relative_to(VENDOR)}")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="verify only, without the network")
    if not parser.parse_args().check:
        fetch()
    faults = check()
    print("\n".join(faults) or "Vendored files are as vendor.toml describes.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
