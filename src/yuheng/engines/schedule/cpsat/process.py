"""The exact solver as a child process with a hard kill: in this process nothing of it is ever loaded."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from yuheng.engines.schedule.cpsat.frames import receive, send
from yuheng.engines.schedule.cpsat.task import Finished, Found, Proven, Task, Timing

POLL_SECONDS = 0.01
"""How late a cancel or a deadline is seen, at most; the kill itself takes a millisecond."""
GRACE_SECONDS = 0.5
"""So much later than the solver's own limit the process is killed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How an exact solve ended.

    Parameters
    ----------
    status
        "optimal", "feasible", "infeasible", "unknown", "not modelled", "unavailable" (OR-Tools is not installed),
        "cancelled", or "killed" (deadline, or out of memory). What was found before still counts.
    timing, values
        The best plan and its terms' values; ``None`` and empty when there is none.
    bound
        Lower bound of the first objective; ``None``: unknown.
    """

    status: str
    timing: Timing | None = None
    values: tuple[float, ...] = ()
    bound: float | None = None
    seconds: float = 0.0
    reason: str = ""


def is_available() -> bool:
    """Whether OR-Tools is installed. Everything but the exact solver works without it."""
    return importlib.util.find_spec("ortools") is not None


class ExactSolver:
    """A child process that stays for the next task, because its start costs a second. A context manager."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._answers: SimpleQueue[Any] = SimpleQueue()

    def __enter__(self) -> ExactSolver:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def solve(
        self,
        task: Task,
        *,
        is_cancelled: Callable[[], bool] | None = None,
        on_found: Callable[[Found], None] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Solve a task; whatever happens in the child, return at the deadline (`time.monotonic`) or on cancel.

        Notes
        -----
        The child's start (a second when it is cold) and the building of the model count as solving.
        """
        if not is_available():
            return Answer("unavailable", reason="OR-Tools is not installed")
        begun = time.monotonic()
        deadline = begun + task.seconds if deadline is None else deadline
        child = self._started()
        best, bound, finished = None, None, None
        try:
            send(_pipe(child.stdin), replace(task, seconds=max(0.01, deadline - time.monotonic())))
        except OSError:
            finished = Finished("killed", "the solver's process ended")
        while finished is None:
            try:
                message = self._answers.get(timeout=POLL_SECONDS)
            except Empty:
                message = self._overdue(deadline, is_cancelled)
            if isinstance(message, Found):
                best = message
                if on_found is not None:
                    on_found(message)
            elif isinstance(message, Proven):
                bound = message.bound if bound is None else max(bound, message.bound)
            elif isinstance(message, Finished):
                finished = message
            if finished is None and is_cancelled is not None and is_cancelled():
                finished = Finished("cancelled")
        if finished.status in {"cancelled", "killed"}:
            self.close()
        return Answer(
            finished.status,
            None if best is None else best.timing,
            () if best is None else best.values,
            bound,
            time.monotonic() - begun,
            finished.reason,
        )

    def close(self) -> None:
        """Kill the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    def _overdue(self, deadline: float, is_cancelled: Callable[[], bool] | None) -> Finished | None:
        if is_cancelled is not None and is_cancelled():
            return Finished("cancelled")
        child = self._child
        if child is None or (child.poll() is not None and self._answers.empty()):
            return Finished("killed", "the solver's process ended, perhaps for lack of memory")
        if time.monotonic() > deadline + GRACE_SECONDS:
            return Finished("killed", "the solver did not keep its time limit")
        return None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        child = subprocess.Popen(
            [sys.executable, "-m", "yuheng.engines.schedule.cpsat.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._child, self._answers = child, SimpleQueue()
        Thread(target=_forward, args=(child.stdout, self._answers), daemon=True).start()
        return child


def _forward(source: Any, answers: SimpleQueue[Any]) -> None:
    """Bring the child's messages into this process until its pipe closes."""
    try:
        while (message := receive(source)) is not None:
            answers.put(message)
    except (OSError, ValueError):
        return  # killed in the middle of a frame, or the pipe was closed


def _pipe(pipe: Any) -> Any:
    if pipe is None:
        raise OSError("the child has no pipe")
    return pipe
