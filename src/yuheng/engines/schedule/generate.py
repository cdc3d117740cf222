"""Problems by seed: the public benchmark's plants, bit for bit, and small ones with every rule at once for tests."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import pairwise
from typing import Any

import numpy as np

from yuheng.engines.schedule.problem import (
    Buffer,
    Calendar,
    Demand,
    Id,
    Job,
    Link,
    Machine,
    Mode,
    Operation,
    Operator,
    Precedence,
    Problem,
    Resource,
    SetupMatrix,
    Status,
)
from yuheng.engines.schedule.readers.plant import read_plant

MATRIX_SEED = 5
FEATURES = frozenset(
    {
        *("alternatives", "assembly", "lags", "max_lags", "overlap", "release", "due", "calendars", "whole", "setups"),
        *("tools", "people", "material", "batches", "buffers", "fixed", "routings"),
    }
)
"""What `random_problem` can put in; ``whole``: operations that no break may interrupt."""

DAY = 1440


def plant_document(
    orders: int = 200,
    seed: int = 1,
    *,
    operations: int = 15,
    machines: int = 60,
    load: float = 0.95,
    families: int = 8,
    backlog: int = 50,
    tightness: tuple[float, float] = (1.1, 2.2),
) -> dict[str, Any]:
    """Return a synthetic plant as the document that the public files hold (seed 1 there). Times are minutes.

    Parameters
    ----------
    orders, operations
        Orders, and operations of each: a chain over work centres of 2 to 4 machines.
    load
        Work of the bottleneck by the time over which orders are released.
    backlog
        Orders that are there from the start.
    tightness
        Due dates lie so many times the order's work after its release.

    References
    ----------
    ``scheduling.md``, appendix. The order of the draws is part of the format: any change makes other plants.
    """
    g = np.random.default_rng(seed)
    centers = _work_centers(machines)
    speed = g.uniform(0.9, 1.25, machines)
    popularity = np.array([len(center) for center in centers]) * g.uniform(0.5, 1.0, len(centers))
    popularity[g.integers(len(centers))] *= 1.3
    popularity /= popularity.sum()
    modes: list[list[list[list[int]]]] = []
    family: list[list[int]] = []
    busy = np.zeros(len(centers))
    for _order in range(orders):
        last, rows, kinds = -1, [], []
        for _step in range(operations):
            center = last
            while center == last:
                center = int(g.choice(len(centers), p=popularity))
            last = center
            base = float(np.clip(g.lognormal(np.log(45), 0.6), 5, 300))
            rows.append([[m, max(1, round(base * float(speed[m])))] for m in centers[center]])
            kinds.append(int(g.integers(families)))
            busy[center] += np.mean([duration for _m, duration in rows[-1]]) / len(rows[-1])
        modes.append(rows)
        family.append(kinds)
    span = busy.max() / load
    release = np.sort(np.where(np.arange(orders) < backlog, 0, g.uniform(0, span, orders))).astype(int)
    least = np.array([sum(min(duration for _m, duration in row) for row in rows) for rows in modes], float)
    due = (release + least * g.uniform(*tightness, orders)).astype(int)
    weight = g.choice([1, 2, 4], orders, p=[0.6, 0.2, 0.2])
    matrix = np.random.default_rng(MATRIX_SEED).integers(5, 40, (families, families))
    np.fill_diagonal(matrix, 0)
    return {
        "name": f"plant{orders}x{operations}s{seed}",
        "time_unit": "minute",
        "machines": machines,
        "work_centres": centers,
        "orders": [
            {"release": int(r), "due": int(d), "weight": int(w), "ops": rows, "family": kinds}
            for r, d, w, rows, kinds in zip(release, due, weight, modes, family, strict=True)
        ],
        "setup_matrix_optional": matrix.tolist(),
    }


def plant(orders: int = 200, seed: int = 1, *, use_setups: bool = False, **shape: Any) -> Problem:
    """Return `plant_document` as a problem, with the set-ups of its eight families if asked for."""
    return read_plant(json.dumps(plant_document(orders, seed, **shape)), use_setups=use_setups)


def _work_centers(machines: int) -> list[list[int]]:
    """Machines in groups of 2, 3, 4, 2, 3, 4 and so on."""
    centers: list[list[int]] = []
    first = 0
    while first < machines:
        size = min((2, 3, 4)[len(centers) % 3], machines - first)
        centers.append(list(range(first, first + size)))
        first += size
    return centers


def random_problem(seed: int, size: int = 30, features: Collection[str] = FEATURES) -> Problem:
    """Return a feasible problem with any of `FEATURES`.

    Parameters
    ----------
    size
        About how many operations.

    Notes
    -----
    One order after the other is always a feasible plan: longest lags leave room for a night, small buffers stand only
    before machines that assemble nothing, and only first operations are fixed.
    """
    unknown = set(features) - FEATURES
    if unknown:
        raise ValueError(f"no such features: {sorted(unknown)}")
    return _Random(seed, size, frozenset(features)).problem()


class _Random:
    """One random problem in the making."""

    def __init__(self, seed: int, size: int, features: frozenset[str]) -> None:
        self.seed = seed
        self.g = np.random.default_rng(seed)
        self.features = features
        self.jobs = max(1, size // 5)
        self.machines = int(self.g.integers(3, 6 + size // 40))
        self.ovens = [f"oven{k}" for k in range(2 if "batches" in features else 0)]
        self.families = ["red", "green", "blue"]
        self.links: list[Precedence] = []

    def has(self, feature: str, chance: float = 1.0) -> bool:
        return feature in self.features and bool(self.g.random() < chance)

    def between(self, low: int, high: int) -> int:
        return int(self.g.integers(low, high + 1))

    def problem(self) -> Problem:
        operations = [operation for job in range(self.jobs) for operation in self.job(job)]
        if "fixed" in self.features:
            operations = self.fixed(operations)
        jobs = tuple(self.order(job, [op for op in operations if op.job == f"J{job}"]) for job in range(self.jobs))
        return Problem(
            name=f"random{self.seed}",
            machines=self.all_machines(),
            jobs=jobs,
            operations=tuple(operations),
            precedences=tuple(self.links),
            resources=self.tools(),
            operators=self.people(),
            setup_matrices=self.matrices(),
            calendars=self.calendars(),
            buffers=(Buffer("rack", self.between(0, 2)),) if "buffers" in self.features else (),
        )

    def order(self, job: int, operations: list[Operation]) -> Job:
        release = self.between(0, 600) if self.has("release", 0.5) else 0
        if any(operation.status is not Status.OPEN for operation in operations):
            release = 0
        work = sum(min(mode.duration for mode in operation.modes) for operation in operations)
        due = release + int(work * self.g.uniform(1.0, 4.0)) if self.has("due", 0.9) else None
        return Job(f"J{job}", release, due, float(self.g.choice([1.0, 2.0, 4.0])))

    def job(self, job: int) -> list[Operation]:
        """A chain, or an assembly of two branches; perhaps with a middle part that can be made in two ways."""
        count = self.between(3, 7)
        rows = [self.operation(f"J{job}", 10 * (k + 1)) for k in range(count)]
        if self.has("routings", 0.3) and count >= 4:
            other = self.operation(f"J{job}", 15, routing="B")
            rows[1] = self.operation(f"J{job}", 20, routing="A")
            for middle in (rows[1], other):
                self.link(rows[0], middle)
                self.link(middle, rows[2])
            self.follow(rows[2:])
            return [*rows, other]
        if self.has("assembly", 0.4) and count >= 4:
            half = count // 2
            self.follow(rows[:half])
            self.follow(rows[half:-1])
            for branch in (rows[half - 1], rows[-2]):
                self.links.append(Precedence(branch.key, rows[-1].key))
            rows[-1] = self.on_plain_machines(rows[-1])
            if self.has("assembly", 0.3) and job:
                self.links.append(Precedence((f"J{job - 1}", 10), rows[-1].key))
            return rows
        self.follow(rows)
        return rows

    def follow(self, rows: list[Operation]) -> None:
        for before, after in pairwise(rows):
            self.link(before, after)

    def link(self, before: Operation, after: Operation) -> None:
        in_oven = {before.modes[0].machine, after.modes[0].machine} & set(self.ovens)
        if self.has("overlap", 0.2) and not in_oven:
            self.links.append(Precedence(before.key, after.key, Link.OVERLAP, transfer=self.between(1, 4), quantity=4))
            return
        lag = self.between(1, 60) if self.has("lags", 0.3) else 0
        most = lag + 4 * DAY + self.between(0, DAY) if self.has("max_lags", 0.2) and not after.material_at else None
        self.links.append(Precedence(before.key, after.key, min_lag=lag, max_lag=most))

    def operation(self, job: Id, name: Id, routing: Id | None = None) -> Operation:
        g = self.g
        if self.ovens and g.random() < 0.2:
            machines: list[Id] = list(self.ovens)
        else:
            count = self.between(1, 3) if "alternatives" in self.features else 1
            machines = [f"M{k}" for k in g.choice(self.machines, min(count, self.machines), replace=False)]
        demands = []
        if self.has("tools", 0.3):
            demands.append(Demand(f"tool{self.between(0, 1)}"))
        if self.has("people", 0.4):
            demands.append(Demand(str(g.choice(["mill", "weld", "check"]))))
        return Operation(
            name,
            job,
            tuple(Mode(machine, self.between(5, 120)) for machine in machines),
            family=str(g.choice(self.families)) if self.features & {"setups", "batches"} else None,
            demands=tuple(demands),
            size=self.between(1, 3) if machines[0] in self.ovens else 1,
            interruptible=not self.has("whole", 0.4),
            material_at=self.between(1, 900) if self.has("material", 0.15) else 0,
            material="steel",
            routing=routing,
        )

    def on_plain_machines(self, row: Operation) -> Operation:
        """An assembly never waits behind a small buffer, where its parts could block each other for good."""
        machines = [f"M{k}" for k in range(1, self.machines)]
        modes = tuple(Mode(m, self.between(5, 120)) for m in machines[:2])
        return Operation(row.id, row.job, modes, family=row.family, demands=row.demands)

    def fixed(self, operations: list[Operation]) -> list[Operation]:
        """Some first operations run already, one is frozen behind, one is pinned to a machine."""
        waits = {link.after for link in self.links}
        taken: set[Id] = set()
        found = []
        for row in operations:
            first, machine = row.key not in waits, row.modes[0].machine
            if first and machine not in taken and not row.demands and not row.routing and self.g.random() < 0.4:
                taken.add(machine)
                status, start = (Status.STARTED, 0) if self.g.random() < 0.6 else (Status.FROZEN, 2 * DAY)
                row = Operation(row.id, row.job, row.modes, row.family, size=row.size, status=status,
                                fixed_machine=machine, fixed_start=start)  # fmt: skip
            elif self.g.random() < 0.1:
                row = _pinned(row)
            found.append(row)
        return found

    def all_machines(self) -> tuple[Machine, ...]:
        machines = []
        for k, name in enumerate([*(f"M{k}" for k in range(self.machines)), *self.ovens]):
            closed = self.between(0, 3) * DAY + 500
            machines.append(
                Machine(
                    name,
                    calendar=("day" if self.g.random() < 0.7 else "two") if "calendars" in self.features else None,
                    closures=((closed, closed + 120),) if self.has("calendars", 0.3) else (),
                    available_from=self.between(0, 90) if self.g.random() < 0.3 and "release" in self.features else 0,
                    setup_matrix="change" if "setups" in self.features else None,
                    initial_family=self.families[0] if self.has("setups", 0.5) else None,
                    batch_capacity=4 if name in self.ovens else 1,
                    input_buffer="rack" if "buffers" in self.features and k == 0 else None,
                )
            )
        return tuple(machines)

    def calendars(self) -> tuple[Calendar, ...]:
        if not self.features & {"calendars"}:
            return ()
        return (
            Calendar("day", ((360, 600), (630, 840)), DAY),
            Calendar("two", ((360, 840), (840, 1320)), DAY, closures=((2 * DAY, 3 * DAY),)),
        )

    def tools(self) -> tuple[Resource, ...]:
        if "tools" not in self.features:
            return ()
        away = (self.between(0, 500), self.between(600, 1200), -1)
        return (Resource("tool0", 1), Resource("tool1", 2, changes=(away,)))

    def people(self) -> tuple[Operator, ...]:
        if "people" not in self.features:
            return ()
        calendar = "two" if "calendars" in self.features else None
        return (
            Operator("Ana", ("mill", "weld"), calendar),
            Operator("Ben", ("mill",), calendar, absences=((100, 900),)),
            Operator("Cleo", ("weld", "check"), calendar),
        )

    def matrices(self) -> tuple[SetupMatrix, ...]:
        if "setups" not in self.features:
            return ()
        times = tuple(tuple(0 if a == b else self.between(5, 40) for b in range(3)) for a in range(3))
        return (SetupMatrix("change", tuple(self.families), times, (10, 10, 10)),)


def _pinned(row: Operation) -> Operation:
    machine = row.modes[-1].machine
    return Operation(row.id, row.job, row.modes, row.family, row.demands, row.size, row.interruptible, row.release,
                     row.material_at, row.material, row.routing, Status.PINNED, machine)  # fmt: skip
