"""Where the segments of a work master are drawn: left to right as they follow each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yuheng.engineering.rules import graphs
from yuheng.engineering.rules.routings import precedence
from yuheng.engineering.rules.specs import LinkSpec, SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.words import LinkKind, SegmentKind

WIDTH, HEIGHT = 150, 52
GAP_X, GAP_Y = 46, 22
MARGIN = 16


@dataclass(frozen=True, slots=True)
class Box:
    """A segment on the drawing, in pixels from the top left corner."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    place: str
    x: int
    y: int

    @property
    def text_x(self) -> int:
        """Where its texts begin."""
        return self.x + 10

    @property
    def code_y(self) -> int:
        """Line of the code."""
        return self.y + 21

    @property
    def name_y(self) -> int:
        """Line of the name."""
        return self.y + 40


@dataclass(frozen=True, slots=True)
class Arrow:
    """A link; ``path`` is an SVG path, ``label`` a lag or how often rework is allowed."""

    before: str
    after: str
    kind: str
    path: str
    label: str
    label_x: int
    label_y: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A work master, drawn."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    cycle: str  # the way round, when there is a circle: such a drawing shows it


def draw(spec: WorkMasterSpec, classes: Mapping[int, str]) -> Drawing:
    """Lay a work master out. Columns are the longest way from a start; what is in one column keeps its order."""
    columns = _columns(spec)
    places: dict[str, tuple[int, int]] = {}
    depth: dict[int, int] = {}
    for one in spec.segments:
        column = columns[one.code]
        row = depth.get(column, 0)
        depth[column] = row + 1
        places[one.code] = (MARGIN + column * (WIDTH + GAP_X), MARGIN + 20 + row * (HEIGHT + GAP_Y))
    boxes = tuple(_box(one, places[one.code], classes) for one in spec.segments)
    known = {one.code for one in spec.segments}
    arrows = tuple(
        _arrow(one, places[one.before], places[one.after])
        for one in spec.whole_links()
        if one.before in known and one.after in known
    )
    width = max((box.x + WIDTH for box in boxes), default=0) + MARGIN
    height = max((box.y + HEIGHT for box in boxes), default=0) + MARGIN + 24
    return Drawing(boxes, arrows, width, height, " → ".join(graphs.find_cycle(precedence(spec))))


def _columns(spec: WorkMasterSpec) -> dict[str, int]:
    edges = precedence(spec)
    codes = list(edges)
    found = dict.fromkeys((one.code for one in spec.segments), 0)
    for code in graphs.topological_order(codes, edges):
        for after in edges[code]:
            found[after] = max(found[after], found[code] + 1)
    for link in spec.whole_links():  # what is reached by rework stands below where it is reached from
        if link.kind is LinkKind.REWORK and link.after in found and link.after not in edges:
            found[link.after] = found.get(link.before, 0)
    return found


def _box(one: SegmentSpec, at: tuple[int, int], classes: Mapping[int, str]) -> Box:
    place = one.subcontractor if one.kind is SegmentKind.SUBCONTRACT else classes.get(one.equipment_class_id or 0, "")
    return Box(one.code, one.name_zh, one.name_en, one.kind.value, place, *at)


def _arrow(link: LinkSpec, before: tuple[int, int], after: tuple[int, int]) -> Arrow:
    (x1, y1), (x2, y2) = before, after
    label = f"+{link.lag_s:g} s" if link.lag_s else f"× {link.most}" if link.most else ""
    if x2 > x1:
        start, end = (x1 + WIDTH, y1 + HEIGHT // 2), (x2 - 3, y2 + HEIGHT // 2)
        if link.kind is LinkKind.START_START:
            start = (x1 + 12, y1 + HEIGHT)
        bend = GAP_X // 2
        path = f"M{start[0]} {start[1]} C{start[0] + bend} {start[1]} {end[0] - bend} {end[1]} {end[0]} {end[1]}"
        return Arrow(
            link.before,
            link.after,
            link.kind.value,
            path,
            label,
            (start[0] + end[0]) // 2,
            (start[1] + end[1]) // 2 - 5,
        )
    if x1 == x2:  # down to, or up from, a rework segment
        down = 1 if y2 > y1 else -1
        edge = HEIGHT if down > 0 else 0
        side = 40 if down > 0 else WIDTH - 40
        path = f"M{x1 + side} {y1 + edge} L{x2 + side} {y2 + (HEIGHT - edge) - 3 * down}"
        return Arrow(link.before, link.after, link.kind.value, path, label, x1 + side + 6, (y1 + y2 + HEIGHT) // 2 + 4)
    low = max(y1, y2) + HEIGHT + 14
    path = f"M{x1 + WIDTH // 2} {y1 + HEIGHT} V{low} H{x2 + WIDTH // 2} V{y2 + HEIGHT + 3}"
    return Arrow(link.before, link.after, link.kind.value, path, label, (x1 + x2 + WIDTH) // 2, low - 4)
