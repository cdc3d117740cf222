"""Who cancels waits 50 ms at most: what runs between two looks at the flag is counted here, not timed.

A search calls a compiled kernel, looks at the flag, calls it again. So two things bound the wait, whatever the machine:
nothing is begun after the flag is set, and a call does a bounded amount of work (or adapts to how long calls take).
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from yuheng.engines.schedule import rebuild, searching, solve
from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.cpsat import process
from yuheng.engines.schedule.decode import by_rule, choose_routings, new_board, urgency
from yuheng.engines.schedule.dispatch import first_plan, rules
from yuheng.engines.schedule.exact import ExactSolver, is_available, solve_exact
from yuheng.engines.schedule.generate import plant, random_problem
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.makespan import MakespanSearch, tabu
from yuheng.engines.schedule.makespan import search as makespan_search
from yuheng.engines.schedule.objective import Objective, parse_objective
from yuheng.engines.schedule.readers import read_jsp
from yuheng.engines.schedule.scoring import scorer
from yuheng.engines.schedule.tardiness import Costs, TardinessSearch
from yuheng.engines.schedule.tardiness import search as tardiness_search

ASKED_AT = 7
"""The call of a kernel during which somebody cancels."""


class Kernel:
    """Stands before a kernel: notes how much each call was to do, sets the flag during one, makes a clock go on."""

    def __init__(self, kernel, work, stop=None, second_each=0.0):
        self.kernel, self.work, self.stop, self.second_each = kernel, work, stop, second_each
        self.calls: list[int] = []
        self.now = 0.0

    def __call__(self, *args):
        self.calls.append(args[self.work])
        self.now += self.second_each * args[self.work]
        if self.stop is not None and len(self.calls) == ASKED_AT:
            self.stop[0] = 1
        return self.kernel(*args)

    def clock(self):
        """What `time.process_time` says on this machine."""
        return self.now


@pytest.fixture
def stop():
    return np.zeros(1, np.uint8)


def job_shop():
    """A square one, which no rule solves to its bound."""
    g = np.random.default_rng(5)
    visits = [zip(g.permutation(10), g.integers(1, 100, 10), strict=True) for _job in range(10)]
    rows = [" ".join(f"{machine} {ticks}" for machine, ticks in row) for row in visits]
    return read_jsp("\n".join(["10 10", *rows]))


TABU_MOVES = 20
"""Which argument of `tabu.run` says how many moves to make."""


def test_no_tabu_moves_are_made_after_somebody_cancelled(monkeypatch, stop):
    search = MakespanSearch(compile_problem(job_shop()), 1)
    kernel = Kernel(tabu.run, TABU_MOVES, stop)
    monkeypatch.setattr(makespan_search.tabu, "run", kernel)

    search.run(1e9, stop)

    assert len(kernel.calls) == ASKED_AT


def pretend(*args):
    """Make moves that change nothing."""
    args[10][tabu.IT] += args[TABU_MOVES]
    return tabu.RUNNING


def on_a_machine(monkeypatch, second_each):
    """A search on a machine that needs so long for a move, by its own clock."""
    search = MakespanSearch(compile_problem(job_shop()), 1)
    kernel = Kernel(pretend, TABU_MOVES, second_each=second_each)
    monkeypatch.setattr(makespan_search.tabu, "run", kernel)
    monkeypatch.setattr(makespan_search, "time", SimpleNamespace(process_time=kernel.clock))
    return search, kernel


@pytest.mark.parametrize("second_each", [1e-8, 1e-6, 5e-6, 1e-4, 5e-3], ids=str)
def test_a_call_makes_as_many_moves_as_fit_into_ten_milliseconds(monkeypatch, second_each):
    search, kernel = on_a_machine(monkeypatch, second_each)

    search.run(1.0)

    assert kernel.calls[0] <= 64  # nobody knows yet how fast this machine is
    settled = [count * second_each for count in kernel.calls[10:]]
    assert len(settled) > 50
    assert max(settled) <= 0.02


def test_a_machine_that_becomes_slow_gets_shorter_calls(monkeypatch):
    search, kernel = on_a_machine(monkeypatch, 1e-6)
    search.run(0.5)
    before = len(kernel.calls)

    kernel.second_each = 1e-4
    search.run(5.0)

    slow = [count * kernel.second_each for count in kernel.calls[before + 1 :]]
    assert len(slow) > 50
    assert max(slow) <= 0.02


ANNEAL_PROPOSALS = 7
"""Which argument of `anneal` says how many proposals to make."""


@pytest.mark.parametrize(
    ("problem", "most"),
    [(plant(40, 1, machines=15), 4096), (random_problem(1, 200, {"due", "setups", "calendars"}), 1024)],
    ids=["plain", "full"],
)
def test_no_proposals_are_made_after_somebody_cancelled(monkeypatch, stop, problem, most):
    arrays = compile_problem(problem)
    made = first_plan(arrays)
    search = TardinessSearch(arrays, Costs(flow=1.0), 1, (made.mode, made.start))
    kernel = Kernel(tardiness_search.anneal, ANNEAL_PROPOSALS, stop)
    monkeypatch.setattr(tardiness_search, "anneal", kernel)

    search.run(1e9, stop, proposals=10_000_000)

    assert len(kernel.calls) == ASKED_AT
    assert max(kernel.calls) <= most


def rebuilding(problem):
    arrays = compile_problem(problem)
    layout = lay_out(arrays)
    board, known = new_board(layout, choose_routings(arrays)), urgency(layout)
    by_rule(board, known)
    return rebuild.RebuildSearch(board, known, scorer(problem, arrays, parse_objective("flow"), None), 3)


CLIMB_STEPS = 3
"""Which argument of `climb` says how many steps to take."""


def test_nothing_is_rebuilt_after_somebody_cancelled(monkeypatch, stop):
    search = rebuilding(random_problem(4, 60))
    kernel = Kernel(rebuild.climb, CLIMB_STEPS, stop)
    monkeypatch.setattr(rebuild, "climb", kernel)

    search.run(1e9, stop, lambda *_found: None)

    assert len(kernel.calls) == ASKED_AT


def test_a_slow_rebuilding_looks_at_the_flag_after_every_step(monkeypatch):
    search = rebuilding(random_problem(4, 60))
    kernel = Kernel(rebuild.climb, CLIMB_STEPS, second_each=0.03)
    monkeypatch.setattr(rebuild, "climb", kernel)
    monkeypatch.setattr(rebuild, "time", SimpleNamespace(perf_counter=kernel.clock))

    search.run(1e9, np.zeros(1, np.uint8), lambda *_found: None, steps=30)

    assert kernel.calls == [1] * 30


def test_the_kernel_that_rebuilds_looks_at_the_flag_itself(stop):
    search = rebuilding(random_problem(4, 60))
    stop[0] = 1
    address = search._address

    assert rebuild.climb(address(search.board), address(search.trial), stop, 1_000_000) == 0
    assert search.steps == 0


@pytest.mark.parametrize("after", [1, 5, 30])
def test_no_rule_is_tried_after_somebody_cancelled(monkeypatch, stop, after):
    passes = []
    kernel = rules.kernels.dispatch

    def counted(*args):
        passes.append(args)
        if len(passes) == after:
            stop[0] = 1
        return kernel(*args)

    monkeypatch.setattr(rules.kernels, "dispatch", counted)
    made = first_plan(compile_problem(plant(20, 1, machines=12)), stop=stop)

    assert len(passes) == after
    assert (made.end >= 0).all()


def test_no_further_rule_of_the_general_decoder_either(monkeypatch):
    """The first plan is made whatever it takes; whoever cancelled meanwhile gets that one."""
    cancel, passes = solve.Cancel(), []
    monkeypatch.setattr(solve, "_load_kernels", lambda *_kind: None)

    def once(board, *args):
        passes.append(args)
        cancel.set()
        deadline = time.monotonic() + 30
        while not limits[0].stop[0]:
            assert time.monotonic() < deadline, "the flag never reached the kernels"
            limits[0]._done.wait(0.001)
        return by_rule(board, *args)

    limits = []
    real = solve.Limits

    def watched(*args):
        limits.append(real(*args))
        return limits[0]

    monkeypatch.setattr(solve, "Limits", watched)
    monkeypatch.setattr("yuheng.engines.schedule.rules.by_rule", once)
    problem = random_problem(3, 40)

    found = solve.solve(problem, Objective(), 600.0, cancel=cancel)

    assert len(passes) == 1
    assert found.finished_by in {"cancelled", "optimal"}
    assert check(problem, found.plan) == []


def until_set(limits):
    """Wait for the thread that watches; it may be late on a busy machine, but must come."""
    deadline = time.monotonic() + 30
    while not limits.stop[0] and time.monotonic() < deadline:
        limits._done.wait(0.001)
    return bool(limits.stop[0])


def test_the_clock_that_was_given_ends_a_run():
    now = [5.0]
    with searching.Limits(10.0, clock=lambda: now[0]) as limits:
        assert limits.left == pytest.approx(10.0)
        now[0] = 15.0
        assert until_set(limits)
        assert limits.is_over


def test_a_phase_ends_at_its_share_of_the_time_and_the_next_one_begins():
    now = [0.0]
    with searching.Limits(10.0, clock=lambda: now[0]) as limits:
        assert limits.phase(0.2)
        now[0] = 2.0
        assert until_set(limits)
        assert limits.phase(1.0)
        assert not limits.stop[0]
        now[0] = 10.0
        assert until_set(limits)
        assert not limits.phase(1.0)


def test_the_flag_is_looked_at_more_often_than_a_cancel_may_take():
    assert searching.WATCH_S + 0.02 <= 0.05  # and a kernel's call
    assert process.POLL_SECONDS <= 0.05


# --- the exact solver's process


STUBBORN = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); sys.stdin.buffer.read(1); signal.pause()"


@pytest.fixture
def stubborn_child(monkeypatch):
    """A child that takes a task, never answers, and does not end when it is asked to."""
    begun, start = [], subprocess.Popen

    def popen(_argv, **options):
        begun.append(start([sys.executable, "-c", STUBBORN], **options))
        return begun[-1]

    monkeypatch.setattr(process.subprocess, "Popen", popen)
    yield begun
    for child in begun:
        if child.poll() is None:
            child.kill()
            child.wait()


@pytest.mark.skipif(not is_available(), reason="OR-Tools is not installed")
def test_a_solver_that_does_not_keep_its_limit_is_killed(monkeypatch, stubborn_child):
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.0)
    with ExactSolver() as own:
        found = solve_exact(plant(4, 1, machines=6), Objective(), time_limit_s=0.01, solver=own)
        assert own._child is None

    assert (found.status, found.plan) == ("killed", None)
    assert [child.returncode for child in stubborn_child] == [-signal.SIGKILL]


@pytest.mark.skipif(not is_available(), reason="OR-Tools is not installed")
def test_a_solver_that_does_not_listen_is_killed_when_somebody_cancels(stubborn_child):
    looks = []

    def is_cancelled():
        looks.append(len(stubborn_child))
        return len(looks) >= 3

    with ExactSolver() as own:
        found = solve_exact(
            plant(4, 1, machines=6), Objective(), time_limit_s=600, is_cancelled=is_cancelled, solver=own
        )

    assert found.status == "cancelled"
    assert [child.returncode for child in stubborn_child] == [-signal.SIGKILL]


@pytest.mark.skipif(not is_available(), reason="OR-Tools is not installed")
def test_nothing_of_the_child_is_left_when_the_caller_fails(stubborn_child):
    with pytest.raises(ZeroDivisionError), ExactSolver() as own:
        solve_exact(plant(4, 1, machines=6), Objective(), time_limit_s=600, is_cancelled=lambda: 1 // 0, solver=own)

    assert [child.returncode for child in stubborn_child] == [-signal.SIGKILL]
