"""Steps lie where they happen: later ones to the right, bars on one line of time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from yuheng.operations.drawing import MOST_NODES, NODE_W, WIDTH, route_graph, timeline
from yuheng.testing.builders import SHIFT_START as AT


def a_step(number: int, **more: Any) -> Any:
    hour = timedelta(hours=1)
    usual = {"planned_start": AT + number * hour, "planned_end": AT + (number + 1) * hour}
    rest = {"actual_start": None, "actual_end": None, "good": Decimal(0), "quantity": Decimal(10)}
    return SimpleNamespace(id=number, **{**usual, **rest, **more})


def test_every_step_lies_right_of_all_that_it_waits_for():
    links = [(1, 2), (2, 4), (1, 3), (3, 4), (9, 4)]  # 9 belongs to another order
    graph = route_graph([a_step(n) for n in (4, 3, 2, 1)], links)
    assert graph is not None
    x = {node.job.id: node.x for node in graph.nodes}
    assert x[1] < x[2] == x[3] < x[4]
    assert len({(node.x, node.y) for node in graph.nodes}) == 4
    assert len(graph.edges) == 4


def test_what_could_not_be_read_is_not_drawn():
    assert route_graph([], []) is None
    assert route_graph([a_step(n) for n in range(MOST_NODES + 1)], []) is None


def test_a_step_that_is_half_made_shows_half_its_bar():
    graph = route_graph([a_step(1, good=Decimal(5)), a_step(2)], [(1, 2)])
    assert graph is not None
    assert [node.done_w for node in graph.nodes] == [NODE_W / 2, 0.0]


def test_bars_lie_on_one_line_of_time():
    now = AT + timedelta(hours=3)
    begun = a_step(1, actual_start=AT + timedelta(hours=1))
    late = a_step(0, actual_start=AT, actual_end=AT + timedelta(hours=2))
    drawn = timeline([late, begun, a_step(5)], now)
    assert drawn is not None
    assert drawn.steps[0].is_late
    assert drawn.steps[1].is_late  # it should have ended by now
    assert not drawn.steps[5].is_late
    assert drawn.steps[5].actual is None
    bars = [bar for step in drawn.steps.values() for bar in (step.planned, step.actual) if bar]
    assert all(0 <= bar.x <= bar.x + bar.w <= WIDTH for bar in bars)
    assert drawn.now_x is not None
    assert drawn.steps[1].actual is not None
    assert abs(drawn.steps[1].actual.x + drawn.steps[1].actual.w - drawn.now_x) < 0.2
    assert timeline([], now) is None
