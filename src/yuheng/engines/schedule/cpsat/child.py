"""The child process of the exact solver: one task after the other from stdin, answers to stdout, pickled frames.

It lives to be killed: no limit of the solver is trusted (its presolve may ignore them), so the parent ends the process
at the deadline. Should the parent die, the closed pipe ends it too.
"""

from __future__ import annotations

import os
import sys
import threading
from queue import SimpleQueue
from typing import IO, Any

from ortools.sat.python import cp_model

from yuheng.engines.schedule.cpsat.frames import receive, send
from yuheng.engines.schedule.cpsat.model import Model
from yuheng.engines.schedule.cpsat.task import Finished, Found, NotModelled, Proven, Task

STATUS = {
    cp_model.OPTIMAL: "optimal",
    cp_model.FEASIBLE: "feasible",
    cp_model.INFEASIBLE: "infeasible",
    cp_model.UNKNOWN: "unknown",
}


class _Reporter(cp_model.CpSolverSolutionCallback):
    """Sends every improvement as it is found."""

    def __init__(self, model: Model, out: IO[bytes]) -> None:
        super().__init__()
        self._model, self._out = model, out

    def on_solution_callback(self) -> None:
        """Send the plan and the values of all terms."""
        values = tuple(float(self.value(term)) / scale for term, scale in self._model.terms)
        send(self._out, Found(self._model.timing(self.value), values))


def solve(task: Task, out: IO[bytes]) -> Finished:
    """Solve one task, sending plans and bounds on the way."""
    try:
        model = Model(task)
    except NotModelled as error:
        return Finished("not modelled", str(error))
    if task.hint is not None:
        model.hint(task.hint)
    if not task.lexicographic:
        total, scale = model.weighted()
        return _minimise(task, model, out, total, scale, is_first=True)
    answer = Finished("unknown")
    for rank, (term, scale) in enumerate(model.terms):
        answer = _minimise(task, model, out, term, float(scale), is_first=rank == 0)
        if answer.status != "optimal":
            return answer
    return answer


def _minimise(task: Task, model: Model, out: IO[bytes], term: Any, scale: float, *, is_first: bool) -> Finished:
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.num_workers = task.workers
    parameters.random_seed = task.seed
    parameters.max_time_in_seconds = task.seconds
    parameters.max_memory_in_mb = task.memory_mb
    if task.deterministic_time is not None:
        parameters.max_deterministic_time = task.deterministic_time
    model.cp.minimize(term)
    if is_first:
        solver.best_bound_callback = lambda bound: send(out, Proven(bound / scale))
    status = STATUS.get(solver.solve(model.cp, _Reporter(model, out)), "unknown")
    if status == "optimal":
        model.cp.add(term <= int(solver.value(term)))
        model.cp.clear_hints()  # type: ignore[no-untyped-call]
        model.hint(model.timing(solver.value))
    if status in {"optimal", "feasible"} and is_first:
        send(out, Proven(solver.best_objective_bound / scale))
    return Finished(status, work=solver.deterministic_time)


def main() -> None:
    """Answer tasks until the parent closes the pipe."""
    source, out = sys.stdin.buffer, sys.stdout.buffer
    tasks: SimpleQueue[Task] = SimpleQueue()

    def listen() -> None:
        while (task := receive(source)) is not None:
            tasks.put(task)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        send(out, solve(tasks.get(), out))


if __name__ == "__main__":
    main()
