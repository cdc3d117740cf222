"""Routings from observed paths: what comes before what, where, and how long a piece usually takes there."""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from yuheng.engines.eventlog.events import Progress
from yuheng.engines.eventlog.issues import Issues
from yuheng.engines.eventlog.spool import Spool

PRODUCT = "PRODUCT"
SHARE_OF_STANDARD = 0.5
"""An operation that fewer orders go through is no part of the standard routing."""
SURE = 0.9
"""So large a share of orders must have two operations in this sequence for one to wait for the other."""
MOST_PAIRED = 60
MOST_SEGMENTS = 400
TOO_LONG, AT_LEAST_S = 20.0, 3600.0
TOLD_EVERY = 20_000


@dataclass(slots=True)
class Segment:
    """One operation of a routing. ``per_piece_s`` is the median time of a piece; of a whole order without pieces."""

    name: str
    label: str
    share: float
    per_piece_s: float
    runs: int
    counts_pieces: bool
    machines: dict[str, float]
    rank: float


@dataclass(slots=True)
class Routing:
    """The usual way of a material through the plant: segments in order, and what waits for what (indices)."""

    material: str
    name: str
    orders: int
    variants: int
    main_share: float
    segments: list[Segment]
    links: list[tuple[int, int]]
    left_out: list[str]
    quantity: float


@dataclass(slots=True)
class _Operation:
    orders: int = 0
    rank: float = 0.0
    labels: Counter[str] = field(default_factory=Counter)
    times: array[float] = field(default_factory=lambda: array("d"))
    whole: array[float] = field(default_factory=lambda: array("d"))
    on: dict[str, array[float]] = field(default_factory=dict)
    runs: int = 0


@dataclass(slots=True)
class _Material:
    orders: int = 0
    name: str = ""
    quantities: array[float] = field(default_factory=lambda: array("d"))
    operations: dict[str, _Operation] = field(default_factory=dict)
    before: Counter[tuple[str, str]] = field(default_factory=Counter)
    variants: Counter[int] = field(default_factory=Counter)


def name_products(spool: Spool, issues: Issues, *, has_material: bool) -> None:
    """Give orders without a material one: orders of one path make one product, when there are few paths."""
    (without,) = spool.one("SELECT count(*) FROM made WHERE mat = ''")
    if not without:
        return
    if not has_material:
        issues.note("no_material_column")
    ways = list(
        spool.rows("SELECT path, count(*) FROM made WHERE mat = '' GROUP BY path ORDER BY 2 DESC, 1 LIMIT 2001")
    )
    if 1 < len(ways) <= min(2_000, max(20, without // 5)):
        for number, (path, _count) in enumerate(ways, start=1):
            names = json.loads(path)
            spool.do(
                "UPDATE made SET mat = ?, matname = ? WHERE mat = '' AND path = ?",
                (f"PATH-{number:03d}", " → ".join(names)[:150], path),
            )
    spool.do("UPDATE made SET mat = ? WHERE mat = ''", (PRODUCT,))


def find_routings(spool: Spool, issues: Issues, progress: Progress) -> list[Routing]:
    """Return a routing for each material, the most frequent first; report what is unusual."""
    spool.do("CREATE INDEX of_ord ON job (ord, t0)")
    materials: dict[str, _Material] = {}
    rows = spool.rows(
        "SELECT j.ord, m.mat, m.matname, m.qty, j.op, j.step, j.mach, j.worked, j.pieces, j.guessed, j.line, j.t0, "
        "j.t1, j.visit FROM made m JOIN job j ON j.ord = m.id ORDER BY j.ord, j.t0, j.t1, j.id"
    )
    for order, group in groupby(rows, key=itemgetter(0)):
        jobs = list(group)
        _observe(materials.setdefault(jobs[0][1], _Material()), jobs, issues)
        if order % TOLD_EVERY == 0:
            progress("paths", order)
    routings = [
        _routing(name, found) for name, found in sorted(materials.items(), key=lambda one: (-one[1].orders, one[0]))
    ]
    _report_outliers(spool, issues, materials)
    for routing in routings:
        for operation in routing.left_out:
            issues.add("rare_operation", None, material=routing.material, operation=operation)
    _report_sequence(spool, issues, routings)
    return routings


def _observe(material: _Material, jobs: Sequence[tuple[Any, ...]], issues: Issues) -> None:
    material.orders += 1
    material.name = material.name or jobs[0][2]
    if jobs[0][3]:
        material.quantities.append(jobs[0][3])
    path = list(dict.fromkeys(job[4] for job in jobs))
    material.variants[hash(tuple(path))] += 1
    for job in jobs:
        _time(material.operations.setdefault(job[4], _Operation()), job, issues)
    last = max(1, len(path) - 1)
    for rank, name in enumerate(path):
        material.operations[name].orders += 1
        material.operations[name].rank += rank / last
    _pair(material.before, path[:MOST_PAIRED], jobs)


def _time(own: _Operation, job: tuple[Any, ...], issues: Issues) -> None:
    own.runs += 1
    if job[5]:
        own.labels[job[5]] += 1
    if job[6]:
        own.on.setdefault(job[6], array("d"))
    if job[7] <= 0:
        issues.add("zero_duration", job[10], operation=job[4])
        return
    own.whole.append(job[7])
    if job[8]:
        own.times.append(job[7] / job[8])
    if job[6]:
        own.on[job[6]].append(job[7] / (job[8] or 1.0))


def _pair(before: Counter[tuple[str, str]], path: Sequence[str], jobs: Sequence[tuple[Any, ...]]) -> None:
    """Count who came before whom. Together means that neither waits: half of the shorter one lies within both."""
    times = {job[4]: (job[11], job[12]) for job in reversed(jobs) if job[13] == 1}
    for at, one in enumerate(path):
        start, end = times[one]
        for other in path[at + 1 :]:
            since, until = times[other]
            shorter = min(end - start, until - since)
            if shorter > 0 and (min(end, until) - max(start, since)) * 2 > shorter:
                before[one, other] += 1
                before[other, one] += 1
            else:
                before[one, other] += 2


def _routing(code: str, found: _Material) -> Routing:
    usual = {name for name, one in found.operations.items() if one.orders >= SHARE_OF_STANDARD * found.orders}
    kept = usual or set(found.operations)
    ranked = sorted(kept, key=lambda name: (found.operations[name].rank / found.operations[name].orders, name))[
        :MOST_SEGMENTS
    ]
    segments = [_segment(name, found.operations[name], found.orders) for name in ranked]
    main = found.variants.most_common(1)[0][1]
    return Routing(
        code, found.name, found.orders, len(found.variants), main / found.orders, segments,
        _links(ranked, found.before), sorted(set(found.operations) - set(ranked)), median(found.quantities) or 1.0,
    )  # fmt: skip


def _segment(name: str, own: _Operation, orders: int) -> Segment:
    label = own.labels.most_common(1)[0][0] if own.labels else ""
    counts = len(own.times) * 2 > len(own.whole)
    usual = median(own.times if counts else own.whole) or 0.0
    machines = {machine: median(times) or usual for machine, times in sorted(own.on.items())}
    return Segment(name, label, own.orders / orders, usual, own.runs, counts, machines, own.rank / own.orders)


def _links(ranked: Sequence[str], before: Counter[tuple[str, str]]) -> list[tuple[int, int]]:
    """Return the sequences that hold nearly always, without those that follow from others."""
    after: list[int] = [0] * len(ranked)  # bits of all that wait for this one
    direct: list[tuple[int, int]] = []
    for first in range(len(ranked) - 1, -1, -1):
        for second in range(first + 1, len(ranked)):
            forth, back = before[ranked[first], ranked[second]], before[ranked[second], ranked[first]]
            if after[first] >> second & 1 or not forth or forth < SURE * (forth + back):
                continue
            direct.append((first, second))
            after[first] |= 1 << second | after[second]
    return sorted(direct)


def median(values: Sequence[float]) -> float | None:
    """Return the middle of some numbers; None without any.

    Examples
    --------
    >>> median([3.0, 1.0, 2.0]), median([1.0, 3.0]), median([])
    (2.0, 2.0, None)
    """
    if not values:
        return None
    row = sorted(values)
    half = len(row) // 2
    return row[half] if len(row) % 2 else (row[half - 1] + row[half]) / 2


def _report_outliers(spool: Spool, issues: Issues, materials: dict[str, _Material]) -> None:
    """Report jobs that took far longer than usual; a night or a weekend within them, most often."""
    usual: dict[tuple[str, str], float] = {}
    for code, found in materials.items():
        for name, own in found.operations.items():
            if len(own.whole) >= 5:
                usual[code, name] = median(own.whole) or math.inf
    rows = spool.rows(
        "SELECT m.mat, j.op, j.worked, j.line FROM job j JOIN made m ON m.id = j.ord "
        "WHERE j.worked > ? AND j.guessed = 0",
        (AT_LEAST_S,),
    )
    for material, operation, worked, line in rows:
        if worked > TOO_LONG * usual.get((material, operation), math.inf):
            issues.add("too_long", line, operation=operation, hours=round(worked / 3600, 1))


def _report_sequence(spool: Spool, issues: Issues, routings: Sequence[Routing]) -> None:
    """Report orders that go through two operations the other way round than their routing says."""
    waits: dict[str, list[tuple[str, str]]] = {
        one.material: [(one.segments[a].name, one.segments[b].name) for a, b in one.links] for one in routings
    }
    for code, material, path in spool.rows("SELECT code, mat, path FROM made"):
        place = {name: at for at, name in enumerate(json.loads(path))}
        for first, second in waits.get(material, ()):
            if place.get(first, -1) > place.get(second, math.inf):
                issues.add("out_of_sequence", None, order=code, operations=[second, first])
                break
