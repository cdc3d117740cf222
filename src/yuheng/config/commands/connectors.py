"""``yuheng connectors``: what is installed, with its quality tier."""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

HELP = "List the installed connectors: name, tier, what they can do, and which package provides them."
GROUP = "yuheng.connectors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer JSON."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """List them; exit code 1 when one cannot be loaded."""
    rows = [describe(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)]
    sys.stdout.write(
        json.dumps({"connectors": rows}, ensure_ascii=False, indent=2) + "\n" if args.json else _table(rows)
    )
    return 1 if any(row["error"] for row in rows) else 0


def describe(point: EntryPoint) -> dict[str, Any]:
    """Return what one connector says about itself; a broken package is a row with its error, not a crash."""
    row: dict[str, Any] = {
        "name": point.name,
        "title": "",
        "tier": None,
        "can_write": False,
        "distribution": point.dist.name if point.dist else None,
        "version": point.dist.version if point.dist else None,
        "error": None,
    }
    try:
        manifest = point.load().manifest
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {error}"
        return row
    tier = getattr(manifest, "tier", None)
    row |= {
        "title": str(getattr(manifest, "title", "")),
        "tier": str(getattr(tier, "value", tier)) if tier is not None else None,
        "can_write": bool(getattr(manifest, "can_write", False)),
    }
    return row


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'name':<14} {'tier':<8} {'writes':<7} {'package':<22} title"]
    for row in rows:
        package = f"{row['distribution']} {row['version']}"
        writes = "yes" if row["can_write"] else "no"
        title = f"cannot be loaded: {row['error']}" if row["error"] else row["title"]
        lines.append(f"{row['name']:<14} {row['tier'] or '-':<8} {writes:<7} {package:<22} {title}")
    return "\n".join(lines) + "\n"
