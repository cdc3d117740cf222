"""What customers of the demo plant order, and the job orders that follow: bills exploded by engineering's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from yuheng.engineering.rules.bills import CompiledBom, Part, compile_bom
from yuheng.engineering.rules.explosion import Exploded, Explosion
from yuheng.engineering.rules.options import read_options
from yuheng.engineering.rules.routings import KnownWorkMaster, Places
from yuheng.engineering.rules.specs import (
    BomSpec,
    LineSpec,
    LinkSpec,
    ParameterSpec,
    SegmentSpec,
    WorkMasterSpec,
)
from yuheng.engineering.rules.words import Source
from yuheng.engines.formulas.expressions import Kind
from yuheng.experiments.parameters import BEGINS, Parameters
from yuheng.simulation.engine import chance, lognormal
from yuheng.simulation.making.customers import Market, OptionValue
from yuheng.simulation.products import Catalogue, Made

RUSH_WEIGHT_RANK = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A step of one part, as every order for it has it. ``before``: (place in the recipe, minutes that pass between).

    Times in minutes; ``run_min`` for all pieces. ``lot``: number of the part within the order.
    """

    path: str
    lot: int
    code: str
    machine: str
    family: str
    quantity: int
    setup_min: float
    run_min: float
    before: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Demand:
    """One order line: so many of a product by a promise. ``noise``: real run and set-up time against the standard."""

    number: int
    product: str
    at: int
    due: int
    rank: int
    tasks: tuple[Task, ...]
    noise: tuple[tuple[float, float], ...]

    @property
    def is_rush(self) -> bool:
        """Whether it goes before all others."""
        return self.rank == RUSH_WEIGHT_RANK


class _Library:
    """Bills and work masters of a catalogue, by the places of materials in it."""

    def __init__(self, catalogue: Catalogue) -> None:
        codes = [*(one.code for one in catalogue.made), *(one.code for one in catalogue.bought)]
        self.ids = {code: k for k, code in enumerate(codes, start=1)}
        made = {one.code for one in catalogue.made}
        units = {one.code: one.unit for one in catalogue.bought}
        self.parts = {
            key: Part(key, code, units.get(code, "{piece}"), Source.MAKE if code in made else Source.BUY)
            for code, key in self.ids.items()
        }
        self.classes = {code: k for k, code in enumerate(catalogue.plant.classes, start=1)}
        self._boms: dict[int, CompiledBom] = {}
        self._masters: dict[int, KnownWorkMaster] = {}
        places = Places({key: code for code, key in self.classes.items()}, {})
        for one in catalogue.made:
            key, options = self.ids[one.code], _options(one)
            lines = tuple(
                LineSpec(
                    str(10 * k), self.ids[line.material], line.quantity, condition=line.condition,
                    scrap_ratio=Decimal(line.scrap), segment=line.step, bindings=dict(line.bindings),
                )
                for k, line in enumerate(one.lines, start=1)
            )  # fmt: skip
            self._boms[key] = compile_bom(key, 1, BomSpec(lines, options), self.parts)
            self._masters[key] = KnownWorkMaster(key, 1, self._master(catalogue, one, options), places)

    def _master(self, catalogue: Catalogue, made: Made, options: tuple[ParameterSpec, ...]) -> WorkMasterSpec:
        steps = [step for step in made.steps if not step.rework_of]
        segments = tuple(
            SegmentSpec(
                step.code, step.name_zh, step.name_en, equipment_class_id=self.classes[step.machine],
                setup_time=f"{step.setup_s or catalogue.plant.classes[step.machine].setup_s:g}", run_time=step.run_s,
                wait_s=step.wait_s, setup_family=made.family,
            )
            for step in steps
        )  # fmt: skip
        links = tuple(LinkSpec(before.code, after.code) for before, after in pairwise(steps))
        return WorkMasterSpec(segments=segments, links=links, parameters=options)

    def part(self, material_id: int) -> Part:
        return self.parts[material_id]

    def bom(self, material_id: int) -> CompiledBom | None:
        return self._boms.get(material_id)

    def work_master(self, material_id: int) -> KnownWorkMaster | None:
        return self._masters.get(material_id)


def _options(made: Made) -> tuple[ParameterSpec, ...]:
    return tuple(
        ParameterSpec(
            one.name, Kind(one.kind), one.name_zh, one.name_en, one.unit, one.choices, one.default,
            Decimal(one.low) if one.low else None, Decimal(one.high) if one.high else None,
        )
        for one in made.options
    )  # fmt: skip


class Recipes:
    """Product and options to tasks; equal orders share their recipe."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._library = _Library(catalogue)
        self._class_of = {key: code for code, key in self._library.classes.items()}
        self._known: dict[tuple[object, ...], tuple[Task, ...]] = {}

    def tasks(self, product: str, quantity: int, options: Mapping[str, OptionValue]) -> tuple[Task, ...]:
        """Return everything that has to be done for an order line, each task after those it waits for."""
        key = (product, quantity, *sorted(options.items()))
        if key not in self._known:
            found = Explosion(self._library).run(
                self._library.ids[product], Decimal(quantity), read_options(dict(options))
            )
            self._known[key] = self._tasks(found)
        return self._known[key]

    def _tasks(self, found: Exploded) -> tuple[Task, ...]:
        place: dict[tuple[str, str], int] = {}
        rows: list[Task] = []
        fed: dict[tuple[str, str], list[str]] = {}
        routings = {routing.path: routing for routing in found.routings}
        for line in found.lines:
            if line.path in routings:
                owner = routings[line.owner_path]
                fed.setdefault((line.owner_path, line.segment_code or owner.order[0]), []).append(line.path)
        for lot, routing in enumerate(reversed(found.routings)):  # parts before what they go into
            wait = 0
            for k, code in enumerate(routing.order):
                segment = routing.segment(code)
                before = [(place[routing.path, routing.order[k - 1]], wait)] if k else []
                for path in fed.get((routing.path, code), ()):
                    last = routings[path].order[-1]
                    before.append((place[path, last], 0))
                place[routing.path, code] = len(rows)
                rows.append(
                    Task(
                        routing.path, lot, code, self._class_of[segment.equipment_class_id or 0], segment.setup_family,
                        int(routing.quantity), segment.setup_s / 60.0,
                        segment.duration_s(routing.quantity) / 60.0, tuple(before),
                    )
                )  # fmt: skip
                wait = -(-int(segment.wait_s) // 60)
        return tuple(rows)


def longest_way(tasks: tuple[Task, ...]) -> float:
    """Return the minutes that an order takes when nobody stands in front of it: its critical path, set-ups included."""
    end: list[float] = []
    for task in tasks:
        begin = max((end[k] + lag for k, lag in task.before), default=0.0)
        end.append(begin + task.setup_min + task.run_min)
    return max(end)


def demands(catalogue: Catalogue, recipes: Recipes, parameters: Parameters, seed: int) -> list[Demand]:
    """Return every order of one world, by the time at which it comes; the same for every policy."""
    stream = chance(seed, "experiment/orders")
    market = Market(catalogue, seed=seed, name="experiment")
    found: list[Demand] = []
    now = 0.0
    while True:
        now += stream.expovariate(parameters.orders_per_hour / 60.0)
        if now >= parameters.ends_min:
            return found
        order = market.order(BEGINS)
        allowance = parameters.rush_allowance if order.is_rush else parameters.allowance
        times = stream.uniform(*allowance)
        for line in order.lines:
            tasks = recipes.tasks(line.material, line.quantity, line.options)
            number = len(found) + 1
            due = int(now + times * longest_way(tasks)) + 1
            rank = RUSH_WEIGHT_RANK if order.is_rush else order.priority
            found.append(
                Demand(number, line.material, int(now), due, rank, tasks, _noise(tasks, parameters, seed, number))
            )


def _noise(tasks: tuple[Task, ...], parameters: Parameters, seed: int, number: int) -> tuple[tuple[float, float], ...]:
    stream = chance(seed, f"experiment/work/{number}")
    return tuple(
        (lognormal(stream, 1.0, parameters.spread), lognormal(stream, 1.0, parameters.setup_spread)) for _ in tasks
    )
