"""The board as its island reads it: columns of plain numbers, names once each. Times in minutes since the origin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.utils.translation import get_language

from yuheng.operations.rules import JobState
from yuheng.scheduling.selectors.board import Board, BoardRow

RUNS, PAUSED, IS_OVER, HELD, RUSH, AWAY = 1, 2, 4, 8, 16, 32
"""Bits of a job order's flags; twin of `FLAG` in ``static/scheduling/board-data.js``."""

JOB_COLUMNS = ("id", "code", "lane", "setup", "start", "end", "order", "name", "flags", "able", "work")


def in_language(zh: str, en: str) -> str:
    """Return the text in the reader's language, or the other one when it is missing."""
    return (en or zh) if (get_language() or "").startswith("en") else (zh or en)


class _Once:
    """Values in the order in which they were first met."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        if value not in self._places:
            self._places[value] = len(self.values)
            self.values.append(value)
        return self._places[value]


def columns(found: Board, *, zone: str, say_basis: Callable[[Any], str]) -> dict[str, Any]:
    """Return a board as columns.

    Parameters
    ----------
    say_basis
        Where an expected end comes from, in the reader's language.
    """
    lane = {unit.id: k for k, unit in enumerate(found.units)}
    names, customers, able = _Once(), _Once(), _Once()
    orders = _orders(found, customers)
    place_of_order = {root: k for k, root in enumerate(orders["root"])}

    def minute(at: datetime) -> int:
        return int((at - found.origin).total_seconds() // 60)

    def jobs(rows: Iterable[BoardRow]) -> dict[str, list[Any]]:
        made: dict[str, list[Any]] = {name: [] for name in JOB_COLUMNS}
        for row in rows:
            values = (
                row.job_order_id, row.code, lane.get(row.work_unit_id, -1), minute(row.setup_start), minute(row.start),
                minute(row.end), place_of_order[row.root_id],
                names.place(f"{row.segment} {in_language(row.name_zh, row.name_en)}"), flags(row),
                able.place(tuple(lane[unit] for unit in row.able if unit in lane)), row.work_min,
            )  # fmt: skip
            for column, value in zip(made.values(), values, strict=True):
                column.append(value)
        return made

    placed, waiting = jobs(found.rows), jobs(found.waiting)
    return {
        "number": found.number,
        "origin_ms": int(found.origin.timestamp() * 1000),
        "now_ms": int(found.now.timestamp() * 1000),
        "frozen_min": found.frozen_min,
        "zone": zone,
        "units": {
            "id": [unit.id for unit in found.units],
            "code": [unit.code for unit in found.units],
            "name": [in_language(unit.name_zh, unit.name_en) for unit in found.units],
            "center": [unit.work_center_code for unit in found.units],
            "calendar": [found.calendar_of.get(unit.id, -1) for unit in found.units],
        },
        "closed": [[minute(at) for span in spans for at in span] for spans in found.closed],
        "overtime": [
            [lane[unit], minute(start), minute(end)] for unit, (start, end) in found.overtime if unit in lane
        ],
        "stops": [
            {
                "lane": lane[one.work_unit_id], "start": minute(one.since), "end": minute(one.until),
                "cause": one.cause, "basis": say_basis(one.basis),
            }
            for one in found.stops if one.work_unit_id in lane
        ],
        "orders": orders,
        "customers": customers.values,
        "jobs": placed,
        "waiting": waiting,
        "names": names.values,
        "able": able.values,
    }  # fmt: skip


def _orders(found: Board, customers: _Once) -> dict[str, list[Any]]:
    """Return every order that a row belongs to, by due date."""
    first: dict[int, BoardRow] = {}
    for row in (*found.rows, *found.waiting):
        first.setdefault(row.root_id, row)

    def minute(at: datetime | None) -> int | None:
        return None if at is None else int((at - found.origin).total_seconds() // 60)

    rows = sorted(first.values(), key=lambda row: (row.due_at, row.order_code, row.root_id))
    return {
        "root": [row.root_id for row in rows],
        "id": [row.order_id for row in rows],
        "code": [row.order_code for row in rows],
        "customer": [customers.place(in_language(row.customer_zh, row.customer_en)) for row in rows],
        "due": [minute(row.due_at) for row in rows],
        "done": [minute(row.done_at) for row in rows],
        "late": [row.late_min for row in rows],
    }


def flags(row: BoardRow) -> int:
    """Return what a bar shows beside its place and its time, as bits."""
    return (
        RUNS * row.is_running
        + PAUSED * (row.state is JobState.INTERRUPTED)
        + IS_OVER * row.is_over
        + HELD * row.is_held
        + RUSH * row.is_rush
        + AWAY * (row.has_place and not row.unit_code)
    )
