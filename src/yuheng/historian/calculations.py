"""Calculated tags: compiled from the configuration, calculated from samples of other tags whenever they are asked for.

Nothing calculated is stored: history is calculated from the inputs as they are known, so late data and corrections are
in it at once. What is asked over a long time is calculated from roll-ups, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from yuheng.bus.documents import Plant, Tag
from yuheng.engines.formulas.calculation import Input, calculate, moments
from yuheng.engines.formulas.language import Formula, FormulaError, Node, Past, parse, walk
from yuheng.engines.formulas.measuring import check
from yuheng.historian.sampled import EMPTY, Series
from yuheng.kernel import units

ReadSamples = Callable[[Sequence[int], int, int], Mapping[int, Series]]
"""Samples of stored tags in [start, end) and those held before: (tags, start_us, end_us)."""


@dataclass(frozen=True, slots=True)
class Calculated:
    """One calculated tag. ``reach_us``: how far back all its windows look, those of its inputs included."""

    tag: int
    tree: Node
    inputs: Mapping[str, int]
    reach_us: int
    has_memory: bool
    looks_at_samples: bool  # prev, delta: roll-ups would mean something else


@dataclass(slots=True)
class Calculations:
    """All calculated tags of a configuration, inputs before what is calculated from them."""

    by_id: dict[int, Calculated] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.by_id)

    def split(self, tags: Collection[int]) -> tuple[list[int], list[int]]:
        """Return stored tags and calculated ones, each once."""
        stored = [tag for tag in dict.fromkeys(tags) if tag not in self.by_id]
        return stored, [tag for tag in dict.fromkeys(tags) if tag in self.by_id]

    def needed(self, tags: Collection[int]) -> tuple[list[int], list[Calculated]]:
        """Return the stored tags that calculated ones need, and what must be calculated for them, in order."""
        wanted, stack = set(tags), list(tags)
        while stack:
            one = self.by_id.get(stack.pop())
            for tag in one.inputs.values() if one else ():
                if tag not in wanted:
                    wanted.add(tag)
                    stack.append(tag)
        stored = sorted(tag for tag in wanted if tag not in self.by_id)
        return stored, [one for tag, one in self.by_id.items() if tag in wanted]

    def series(self, tags: Collection[int], start_us: int, end_us: int, read: ReadSamples) -> dict[int, Series]:
        """Return calculated tags over ``[start, end)``; the newest value before comes first."""
        stored, steps = self.needed(tags)
        reach_us = max((one.reach_us for one in steps), default=0)
        known = dict(read(stored, start_us - reach_us, end_us)) if stored else {}
        for one in steps:
            inputs = {name: Input(*known.get(tag, EMPTY)) for name, tag in one.inputs.items()}
            at_us = moments(inputs, 0, end_us)
            known[one.tag] = Series(at_us, *calculate(one.tree, inputs, at_us))
        found = {}
        for tag in tags:
            series = known.get(tag, EMPTY)
            first = max(0, int(np.searchsorted(series.time_us, start_us)) - 1)
            found[tag] = Series(series.time_us[first:], series.value[first:], series.quality[first:])
        return found


def compiled(plant: Plant) -> Calculations:
    """Compile the formulas of a configuration; one that cannot be used is a complaint, and has no values."""
    found = Calculations()
    tags = {tag.id: tag for tag in plant.tags}
    wanted = {tag.id: tag for tag in plant.tags if tag.formula}
    broken: set[int] = set()
    left = list(wanted.values())
    while left:
        ready = [tag for tag in left if not any(i in wanted and i not in found.by_id for i in tag.inputs.values())]
        if not ready:
            break
        for tag in ready:
            try:
                found.by_id[tag.id] = _compiled(tag, tags, found)
            except FormulaError as error:
                found.complaints.append(f"{tag.address}: {error}")
                broken.add(tag.id)
                del wanted[tag.id]
        left = [tag for tag in left if tag.id not in found.by_id and tag.id not in broken]
    found.complaints += [f"{tag.address}: the formula needs its own value." for tag in left]
    return found


def _compiled(tag: Tag, tags: Mapping[int, Tag], found: Calculations) -> Calculated:
    formula: Formula = parse(tag.formula)
    codes = {}
    for name in formula.names:
        one = tags.get(tag.inputs.get(name, -1))
        if one is None or one.data_type == "text" or (one.formula and one.id not in found.by_id):
            raise FormulaError(f"There is no tag '{name}' that can be calculated with.")
        codes[name] = one.unit
    tree = check(formula, codes, units.parse, wanted=tag.unit).tree
    inner = [found.by_id[i] for i in tag.inputs.values() if i in found.by_id]
    return Calculated(
        tag.id,
        tree,
        {name: tag.inputs[name] for name in formula.names},
        formula.reach_us + max((one.reach_us for one in inner), default=0),
        formula.has_memory,
        any(isinstance(node, Past) and node.name != "rate" for node in walk(tree))
        or any(one.looks_at_samples for one in inner),
    )
