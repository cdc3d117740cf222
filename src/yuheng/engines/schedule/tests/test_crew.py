"""Several workers: they end with the run, and one that is killed takes nothing with it."""

import multiprocessing
import os
import signal
import threading
import time

from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.generate import plant
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.solve import Cancel, solve


def test_two_workers_find_a_plan_and_end_with_the_run():
    problem = plant(20, 1, machines=10)

    solution = solve(problem, Objective(), 3.0, workers=2, seed=1)

    assert check(problem, solution.plan) == []
    assert multiprocessing.active_children() == []


def test_a_killed_worker_takes_nothing_with_it():
    problem = plant(20, 2, machines=10)
    cancel = Cancel()
    killed: list[int] = []

    def kill_and_cancel():
        deadline = time.monotonic() + 60
        while not multiprocessing.active_children() and time.monotonic() < deadline:
            time.sleep(0.02)
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)
            killed.append(child.pid)
        cancel.set()

    assassin = threading.Thread(target=kill_and_cancel)
    assassin.start()
    solution = solve(problem, Objective((("tardiness", 1.0), ("flow", 0.001))), 120.0, workers=2, cancel=cancel)
    assassin.join()

    assert killed
    assert check(problem, solution.plan) == []
    assert multiprocessing.active_children() == []
