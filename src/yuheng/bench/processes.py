"""What processes cost: CPU time and memory, each with its children."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds spent since a moment, and memory now. PSS shares out what processes have in common."""

    cpu_s: float
    rss_mb: float
    pss_mb: float


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int, *, with_children: bool = True) -> float:
    """Return user and system time of a process and its living (and waited-for) children."""
    total = 0.0
    for process in _family(pid) if with_children else _family(pid)[:1]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if with_children:
            total += times.children_user + times.children_system
    return total


def memory_mb(pid: int, *, with_children: bool = True) -> tuple[float, float]:
    """Return (RSS, PSS) in MB (10^6 bytes)."""
    rss = pss = 0.0
    for process in _family(pid) if with_children else _family(pid)[:1]:
        try:
            info = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        rss += info.rss / 1e6
        pss += info.pss / 1e6
    return rss, pss


def is_running(pids: Iterable[int], module: str) -> bool:
    """Return whether one of these processes, or a child of one, runs a module."""
    for pid in pids:
        for process in _family(pid):
            try:
                if module in process.cmdline():
                    return True
            except psutil.Error:
                continue
    return False


@dataclass(slots=True)
class Meter:
    """Measures named processes between `start` and `stop`. The supervisor counts alone: its children have names."""

    pids: dict[str, int]
    alone: frozenset[str] = frozenset({"supervisor"})
    _before: dict[str, float] = field(default_factory=dict)
    _began: float = 0.0
    elapsed_s: float = 0.0

    def start(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        self._before = {name: cpu_seconds(pid, with_children=name not in self.alone) for name, pid in self.pids.items()}

    def stop(self) -> dict[str, Cost]:
        """Return each process's cost since `start`."""
        self.elapsed_s = time.monotonic() - self._began
        costs = {}
        for name, pid in self.pids.items():
            spent = cpu_seconds(pid, with_children=name not in self.alone) - self._before[name]
            costs[name] = Cost(max(spent, 0.0), *memory_mb(pid, with_children=name not in self.alone))
        return costs
