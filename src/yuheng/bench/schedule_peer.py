"""PyJobShop on one problem, as its own documentation uses it: ``python -m yuheng.bench.schedule_peer FORMAT FILE``.

Prints one JSON line for every better makespan with the CPU seconds of this process so far; building the
model is inside them, importing is not. Whoever started it reads the lines and stops it when its time is over.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TextIO

import psutil

from yuheng.engines.schedule.problem import Link, Problem
from yuheng.engines.schedule.readers import FORMATS

IMPROVED = re.compile(r"^#\d+\s+\S+ best:(\d+)")
"""A line of CP-SAT's log that tells a better plan."""
LOOK_S = 0.02


def best_after(kind: str, path: Path, cpu_seconds: float) -> tuple[int | None, str]:
    """Run PyJobShop in a child with a hard stop; returns its best makespan, and why there is none.

    Parameters
    ----------
    cpu_seconds
        Of the child, model building included.
    """
    command = [sys.executable, "-m", "yuheng.bench.schedule_peer", kind, str(path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    best: list[int] = []
    assert child.stdout is not None
    assert child.stderr is not None
    lines = _lines(child.stdout)
    began: float | None = None
    why = "no plan in time"
    try:
        for line in lines:
            said = json.loads(line)
            if "missing" in said:
                return None, said["missing"]
            if began is None:
                began = said["cpu_s"]
                threading.Thread(target=_stop_after, args=(child, began + cpu_seconds), daemon=True).start()
            if "makespan" in said and said["cpu_s"] - began <= cpu_seconds:
                best.append(said["makespan"])
    finally:
        child.kill()
        child.wait()
        if child.returncode not in (0, -9) and not best:
            why = child.stderr.read().strip().rpartition("\n")[2] or why
        child.stdout.close()
        child.stderr.close()
    return (min(best), "") if best else (None, why)


def _lines(stream: IO[str]) -> Iterator[str]:
    for line in stream:
        if line.startswith("{"):
            yield line


def _stop_after(child: subprocess.Popen[str], cpu_s: float) -> None:
    """Kill the child once it has used its CPU time: its solver is known to overrun its own limit."""
    try:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            used = process.cpu_times()
            if used.user + used.system >= cpu_s:
                child.kill()
                return
            time.sleep(LOOK_S)
    except psutil.Error:
        return


def main(arguments: list[str]) -> int:
    """Solve and print, in the child."""
    try:
        pyjobshop = importlib.import_module("pyjobshop")  # of the development environment only
    except ImportError:
        _say(missing="PyJobShop is not installed (make setup-dev)")
        return 0
    kind, path = arguments
    problem = FORMATS[kind](Path(path).read_bytes(), path)
    _say()
    model = _model(pyjobshop, problem)
    reader = threading.Thread(target=_tell, args=(_own_output(),), daemon=True)
    reader.start()
    result = model.solve(num_workers=1, display=True)
    if result.objective < float("inf"):
        _say(makespan=int(result.objective))
    return 0


def _model(pyjobshop: Any, problem: Problem) -> Any:
    """The problem in PyJobShop's terms: machines, one job each, modes, end-before-start."""
    model = pyjobshop.Model()
    machines = {machine.id: model.add_machine(name=str(machine.id)) for machine in problem.machines}
    jobs = {job.id: model.add_job(name=str(job.id)) for job in problem.jobs}
    tasks = {operation.key: model.add_task(job=jobs[operation.job]) for operation in problem.operations}
    for operation in problem.operations:
        for mode in operation.modes:
            model.add_mode(tasks[operation.key], machines[mode.machine], mode.duration)
    for link in problem.precedences:
        assert link.kind is Link.FINISH_START
        model.add_end_before_start(tasks[link.before], tasks[link.after])
    model.set_objective(weight_makespan=1)
    return model


_out = sys.stdout


def _own_output() -> TextIO:
    """Turn this process' standard output (the solver writes to it from C++) into a pipe that it reads itself."""
    global _out
    keep = os.dup(1)
    _out = os.fdopen(keep, "w", buffering=1)
    read, write = os.pipe()
    os.dup2(write, 1)
    return os.fdopen(read)


def _tell(log: TextIO) -> None:
    for line in log:
        found = IMPROVED.match(line)
        if found:
            _say(makespan=int(found[1]))


def _say(**what: object) -> None:
    _out.write(json.dumps({"cpu_s": round(time.process_time(), 3), **what}) + "\n")
    _out.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
