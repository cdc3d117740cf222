"""Cycles, orders and reachability in small directed graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeVar

Node = TypeVar("Node", int, str)


def find_cycle(edges: Mapping[Node, Iterable[Node]], starts: Iterable[Node] | None = None) -> list[Node]:
    """Return the nodes of a cycle, the first one again at the end; empty when there is none.

    Examples
    --------
    >>> find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]})
    ['b', 'c', 'b']
    >>> find_cycle({"a": ["b", "c"], "b": ["c"]})
    []
    """
    done: set[Node] = set()
    for start in edges if starts is None else starts:
        if start in done:
            continue
        way: list[Node] = [start]
        on_way: set[Node] = {start}
        open_edges: list[Iterator[Node]] = [iter(edges.get(start, ()))]
        while way:
            following = next(open_edges[-1], None)
            if following is None:
                done.add(way[-1])
                on_way.discard(way.pop())
                open_edges.pop()
            elif following in on_way:
                cycle: list[Node] = way[way.index(following) :]
                cycle.append(following)
                return cycle
            elif following not in done:
                way.append(following)
                on_way.add(following)
                open_edges.append(iter(edges.get(following, ())))
    return []


def topological_order(nodes: Sequence[Node], edges: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """Return the nodes, each after all that lead to it; what is free to choose stays in the given order.

    Nodes on a cycle, and what follows them, are left out.
    """
    rank = {node: at for at, node in enumerate(nodes)}
    waiting = dict.fromkeys(nodes, 0)
    for before in nodes:
        for after in edges.get(before, ()):
            waiting[after] += 1
    ready = [rank[node] for node in nodes if not waiting[node]]
    heapify(ready)
    found: list[Node] = []
    while ready:
        node = nodes[heappop(ready)]
        found.append(node)
        for after in edges.get(node, ()):
            waiting[after] -= 1
            if not waiting[after]:
                heappush(ready, rank[after])
    return found


def reachable(start: Node, edges: Mapping[Node, Iterable[Node]]) -> set[Node]:
    """Return every node that can be reached from one, itself included."""
    found, open_nodes = {start}, [start]
    while open_nodes:
        for following in edges.get(open_nodes.pop(), ()):
            if following not in found:
                found.add(following)
                open_nodes.append(following)
    return found


def reversed_edges(edges: Mapping[Node, Iterable[Node]]) -> dict[Node, list[Node]]:
    """Return the same edges the other way round."""
    found: dict[Node, list[Node]] = {}
    for before, afters in edges.items():
        for after in afters:
            found.setdefault(after, []).append(before)
    return found
