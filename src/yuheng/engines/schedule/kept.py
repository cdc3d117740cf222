"""Where compiled kernels are kept between runs: beside their sources, or, in a read-only installation, elsewhere."""

from __future__ import annotations

import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

SETTING = "NUMBA_CACHE_DIR"


def keep_kernels(environment: MutableMapping[str, str] = os.environ, package: Path = Path(__file__).parent) -> None:
    """Tell numba a place it can write to, where it would find none; without one it refuses to load a kernel.

    Order: what the environment says; beside the sources; the plant's data directory; the user's cache; a temporary
    directory, which costs a compilation every time the machine starts.
    """
    if SETTING in environment or _is_writable(package):
        return
    data, home = environment.get("YUHENG_DATA_DIR"), environment.get("HOME")
    wanted = [Path(data) / "kernels"] if data else []
    wanted += [Path(home) / ".cache" / "yuheng" / "kernels"] if home else []
    wanted.append(Path(tempfile.gettempdir()) / f"yuheng-kernels-{os.getuid() if hasattr(os, 'getuid') else 0}")
    for folder in wanted:
        if _is_writable(_nearest(folder)):
            environment[SETTING] = str(folder)
            return


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)
