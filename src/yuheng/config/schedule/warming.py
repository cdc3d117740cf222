"""``yuheng schedule warm``: compile the engine's kernels once and keep them on disk."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import yuheng.engines.schedule
from yuheng.engines.schedule.warm import warm_everything


def run(args: argparse.Namespace) -> int:
    """Compile what is not there, and say how long it took."""
    if args.fresh:
        forget()
    began = time.monotonic()
    warm_everything()
    sys.stdout.write(f"The scheduling engine is compiled ({time.monotonic() - began:.1f} s).\n")
    return 0


def forget() -> None:
    """Remove compiled kernels: their cache sees changes of a kernel's own file, not of those that it calls."""
    for package in yuheng.engines.schedule.__path__:
        for kept in Path(package).rglob("__pycache__/*.nb[ci]"):
            kept.unlink(missing_ok=True)
