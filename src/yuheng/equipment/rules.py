"""Codes, map geometry and automatic layout. Plain Python."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

CODE_PATTERN = re.compile(r"[A-Za-z0-9\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff._-]{0,39}")

TILE_WIDTH, TILE_HEIGHT = 58.0, 36.0
GAP = 6.0
HEADER = 26.0
MAP_WIDTH = 1200.0


def is_code(text: str) -> bool:
    """Return whether the text may name equipment: letters, digits, CJK, then also ``. _ -``; at most 40.

    Examples
    --------
    >>> is_code("L01"), is_code("焊接-1"), is_code("two words"), is_code("a/b"), is_code("")
    (True, True, False, False, False)
    """
    return CODE_PATTERN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle on the plant map: top left corner and size, in map pixels."""

    x: float
    y: float
    w: float
    h: float

    def overlaps(self, other: Rect) -> bool:
        """Return whether the two share more than an edge."""
        return (
            self.x < other.x + other.w
            and other.x < self.x + self.w
            and self.y < other.y + other.h
            and other.y < self.y + self.h
        )


@dataclass(frozen=True, slots=True)
class AreaLayout:
    """An area with the rectangles of its work units, in their order; None where nobody has placed it."""

    rect: Rect | None
    units: tuple[Rect | None, ...]


@dataclass(frozen=True, slots=True)
class PlacedArea:
    """An area with every rectangle decided."""

    rect: Rect
    units: tuple[Rect, ...]


def lay_out(areas: Sequence[AreaLayout]) -> list[PlacedArea]:
    """Give every area and unit a place; what has one keeps it.

    Units without a place fill free cells of their area in rows (the area grows downwards when they do not fit).
    Areas without a place are set in shelves below everything that has one. The same input gives the same map.
    """
    floor = max((area.rect.y + area.rect.h + 2 * GAP for area in areas if area.rect), default=2 * GAP)
    placed: list[PlacedArea] = []
    x, y, shelf = 2 * GAP, floor, 0.0
    for area in areas:
        rect = area.rect
        if rect is None:
            size = _size_for(len(area.units))
            if x > 2 * GAP and x + size.w > MAP_WIDTH:
                x, y, shelf = 2 * GAP, y + shelf + 2 * GAP, 0.0
            rect = replace(size, x=x, y=y)
            x, shelf = x + rect.w + 2 * GAP, max(shelf, rect.h)
        placed.append(_fill(rect, area.units))
    return placed


def extent(rects: Sequence[Rect]) -> tuple[float, float]:
    """Width and height of the map that shows them all."""
    right = max((rect.x + rect.w for rect in rects), default=MAP_WIDTH)
    bottom = max((rect.y + rect.h for rect in rects), default=MAP_WIDTH / 2)
    return right + 2 * GAP, bottom + 2 * GAP


def _size_for(count: int) -> Rect:
    columns = min(max(round((count * 1.6) ** 0.5), 3), 16)
    rows = max(-(-count // columns), 1)
    return Rect(0.0, 0.0, columns * (TILE_WIDTH + GAP) + GAP + GAP, HEADER + rows * (TILE_HEIGHT + GAP) + GAP)


def _fill(rect: Rect, units: Sequence[Rect | None]) -> PlacedArea:
    taken = [unit for unit in units if unit is not None]
    columns = max(int((rect.w - GAP) // (TILE_WIDTH + GAP)), 1)
    placed: list[Rect] = []
    cell = 0
    for unit in units:
        while unit is None:
            row, column = divmod(cell, columns)
            free = Rect(
                rect.x + GAP + column * (TILE_WIDTH + GAP),
                rect.y + HEADER + row * (TILE_HEIGHT + GAP),
                TILE_WIDTH,
                TILE_HEIGHT,
            )
            cell += 1
            if not any(free.overlaps(other) for other in taken):
                unit = free
        placed.append(unit)
    bottom = max((unit.y + unit.h + GAP for unit in placed), default=0.0)
    return PlacedArea(replace(rect, h=max(rect.h, bottom - rect.y)), tuple(placed))
