"""What would happen to the tags of machines when they follow a template. No database, no clock.

A machine's tag takes every field of its template tag except those that somebody set by hand (its overrides). A tag
that a machine has already under the same symbol, or nameless at the same address, is linked, never doubled; where a
linked one differs, the difference is an override.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yuheng.engines.patterns import PatternError, fill, names_in
from yuheng.telemetry.tag_fields import FOLLOWED

PATTERNS = ("address", "name_zh", "name_en")
"""Fields of a template tag that are patterns."""

BUILT_IN = ("unit", "n", "area", "center", "class", "source", "symbol")
"""Names that every pattern may use."""

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WantedTag:
    """A template tag; ``key`` tells it from the others (its id, or a negative number while it has none)."""

    key: int
    values: Mapping[str, Any]  # every name of `FOLLOWED`; "source" is a code, "" for the machine's own


@dataclass(frozen=True, slots=True)
class PresentTag:
    """A tag that exists. ``template_key`` None: it follows nothing."""

    id: int
    values: Mapping[str, Any]  # every name of `FOLLOWED`
    template_key: int | None = None
    overrides: frozenset[str] = frozenset()
    is_retired: bool = False
    work_unit_id: int | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """A work unit with what fills its patterns. ``id`` 0: it would be made.

    ``scope`` holds the values of `BUILT_IN` (but ``symbol``) and of the variables that were given for it.
    """

    id: int
    code: str
    source: str
    scope: Mapping[str, str | int]
    tags: tuple[PresentTag, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a tag that would change."""

    tag_id: int
    symbol: str
    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Kept:
    """A field that stays as somebody set it by hand, though the template says otherwise."""

    tag_id: int
    symbol: str
    name: str
    own: Any
    template: Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a machine cannot follow the template; ``reason`` and ``details`` make the sentence (`spoken_plans`)."""

    machine: str
    reason: str
    details: tuple[str, ...] = ()


@dataclass(slots=True)
class MachinePlan:
    """What would happen to one machine.

    ``written`` holds the values that a tag would have: of new tags under the key 0, of others under the tag's id.
    """

    machine: Machine
    changes: list[Change] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    added: list[tuple[int, Values]] = field(default_factory=list)  # (template key, values)
    revived: list[tuple[int, int, Values]] = field(default_factory=list)  # (template key, tag id, values)
    linked: list[tuple[int, int, Values, frozenset[str]]] = field(default_factory=list)  # (key, tag id, values, own)
    changed: list[tuple[int, int, Values, frozenset[str]]] = field(default_factory=list)  # (key, tag id, values, own)
    retired: list[PresentTag] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def has_effect(self) -> bool:
        """Return whether anything of the machine would be written."""
        return bool(self.added or self.revived or self.linked or self.changed or self.retired)

    def told(self) -> list[Any]:
        """Everything it would do, in an order of its own, for a fingerprint."""
        return [
            self.machine.code,
            self.machine.source,
            sorted([key, values] for key, values in ((v["symbol"], sorted(v.items())) for _k, v in self.added)),
            [[tag_id, sorted(values.items())] for _key, tag_id, values in self.revived],
            [[tag_id, sorted(values.items()), sorted(own)] for _key, tag_id, values, own in self.linked],
            [[tag_id, sorted(values.items()), sorted(own)] for _key, tag_id, values, own in self.changed],
            sorted(tag.id for tag in self.retired),
            [[one.reason, *one.details] for one in self.problems],
        ]


def unknown_names(wanted: WantedTag, variables: Iterable[str]) -> dict[str, PatternError]:
    """Return field -> what is wrong with its pattern, whatever the machine."""
    known = {*BUILT_IN, *variables}
    wrong: dict[str, PatternError] = {}
    for name in PATTERNS:
        try:
            missing = sorted(names_in(str(wanted.values[name])) - known)
        except PatternError as error:
            wrong[name] = error
        else:
            if missing:
                wrong[name] = PatternError("unknown", missing[0])
    return wrong


def rendered(wanted: WantedTag, machine: Machine, defaults: Mapping[str, str]) -> Values:
    """Return what a machine's tag would be without overrides.

    Parameters
    ----------
    defaults
        Variable -> its default, a pattern of built-in names.

    Raises
    ------
    PatternError
    """
    scope: dict[str, str | int] = {**machine.scope, "symbol": str(wanted.values["symbol"])}
    for name, pattern in defaults.items():
        if name not in scope:
            scope[name] = fill(pattern, {key: scope[key] for key in BUILT_IN if key in scope})
    values = dict(wanted.values)
    for name in PATTERNS:
        values[name] = fill(str(values[name]), scope)
    values["source"] = values["source"] or machine.source
    return values


def plan_machine(
    machine: Machine, wanted: Sequence[WantedTag], defaults: Mapping[str, str], elsewhere: Mapping[Any, PresentTag]
) -> MachinePlan:
    """Say what would happen to one machine.

    Parameters
    ----------
    elsewhere
        (source code, address) -> the tag that is there, for every address this machine may ask for.
    """
    plan = MachinePlan(machine)
    by_key = {tag.template_key: tag for tag in machine.tags if tag.template_key is not None and not tag.is_retired}
    by_symbol = {tag.values["symbol"]: tag for tag in machine.tags if tag.values["symbol"] and not tag.is_retired}
    taken: set[int] = set()
    for one in wanted:
        try:
            values = rendered(one, machine, defaults)
        except PatternError as error:
            plan.problems.append(Problem(machine.code, f"pattern_{error.reason}", (one.values["symbol"], error.what)))
            continue
        if problem := _too_long(machine, one, values):
            plan.problems.append(problem)
            continue
        present = by_key.get(one.key)
        if present is not None:
            taken.add(present.id)
            _follow(plan, one, present, with_derived_unit(values, present.values))
            continue
        present = by_symbol.get(values["symbol"])
        if present is not None and present.template_key is None:
            taken.add(present.id)
            _link(plan, one, present, with_derived_unit(values, present.values))
            continue
        _add(plan, one, values, elsewhere)
    keys = {one.key for one in wanted}
    plan.retired = [
        tag
        for tag in machine.tags
        if tag.template_key is not None and tag.template_key not in keys and not tag.is_retired and tag.id not in taken
    ]
    return plan


def clashes(plans: Sequence[MachinePlan], elsewhere: Mapping[Any, PresentTag]) -> dict[str, list[Problem]]:
    """Return machine code -> problems of addresses and symbols that two tags would have."""
    found: dict[str, list[Problem]] = {}
    moved: dict[int, Values] = {}
    gone: set[int] = set()
    for plan in plans:
        for _key, tag_id, values, _own in (*plan.changed, *plan.linked):
            moved[tag_id] = values
        for _key, tag_id, values in plan.revived:
            moved[tag_id] = values
        gone.update(tag.id for tag in plan.retired)
    owners: dict[Any, str] = {}
    for place, tag in elsewhere.items():
        if tag.id not in moved or (moved[tag.id]["source"], moved[tag.id]["address"]) == place:
            owners[place] = f"#{tag.id}"
    for plan in plans:
        symbols: dict[str, str] = {
            tag.values["symbol"]: f"#{tag.id}"
            for tag in plan.machine.tags
            if tag.values["symbol"] and not tag.is_retired and tag.id not in moved and tag.id not in gone
        }
        for owner, values in _results(plan):
            place = (values["source"], values["address"])
            other = owners.setdefault(place, owner)
            if other != owner:
                details = (values["symbol"], values["address"], _who(other, elsewhere.get(place)))
                found.setdefault(plan.machine.code, []).append(Problem(plan.machine.code, "address", details))
            same = symbols.setdefault(values["symbol"], owner)
            if same != owner:
                problem = Problem(plan.machine.code, "symbol", (values["symbol"],))
                found.setdefault(plan.machine.code, []).append(problem)
    return found


def with_derived_unit(template: Values, present: Mapping[str, Any]) -> Values:
    """Return what a template says, with the unit that a calculated tag got from its formula when none is wanted."""
    if template["formula"] and template["unit"] == "1" and present["formula"] == template["formula"]:
        return {**template, "unit": present["unit"]}
    return template


def overridden(values: Mapping[str, Any], template: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of a tag that are not as its template says."""
    return frozenset(name for name in FOLLOWED if values[name] != template[name])


def _results(plan: MachinePlan) -> Iterable[tuple[str, Values]]:
    for _key, values in plan.added:
        yield f"{plan.machine.code}.{values['symbol']}", values
    for _key, tag_id, values in plan.revived:
        yield f"#{tag_id}", values
    for _key, tag_id, values, _own in (*plan.changed, *plan.linked):
        yield f"#{tag_id}", values


def _who(owner: str, present: PresentTag | None) -> str:
    """Name who has an address: a machine's tag to come, or the symbol of one that is there."""
    if not owner.startswith("#"):
        return owner
    return str(present.values["symbol"] or owner) if present is not None else owner


def _too_long(machine: Machine, one: WantedTag, values: Values) -> Problem | None:
    if not values["address"].strip():
        return Problem(machine.code, "no_address", (one.values["symbol"],))
    for name, longest in (("address", 400), ("name_zh", 120), ("name_en", 120)):
        if len(values[name]) > longest:
            return Problem(machine.code, "too_long", (one.values["symbol"], name, str(longest)))
    return None


def _follow(plan: MachinePlan, one: WantedTag, present: PresentTag, values: Values) -> None:
    """A tag that follows already: what is not overridden changes; an override that says the same is none."""
    result = {name: present.values[name] if name in present.overrides else values[name] for name in FOLLOWED}
    symbol = str(present.values["symbol"])
    own = overridden(result, values)
    for name in FOLLOWED:
        if result[name] != present.values[name]:
            plan.changes.append(Change(present.id, symbol, name, present.values[name], result[name]))
        if name in own:
            plan.kept.append(Kept(present.id, symbol, name, result[name], values[name]))
    if result != dict(present.values) or own != present.overrides:
        plan.changed.append((one.key, present.id, result, own))


def _link(plan: MachinePlan, one: WantedTag, present: PresentTag, values: Values) -> None:
    result = {name: present.values[name] for name in FOLLOWED}
    own = overridden(result, values)
    plan.kept += [Kept(present.id, result["symbol"], name, result[name], values[name]) for name in sorted(own)]
    plan.linked.append((one.key, present.id, result, own))


def _add(plan: MachinePlan, one: WantedTag, values: Values, elsewhere: Mapping[Any, PresentTag]) -> None:
    """A new tag; or the nameless or retired one at its address, whose history goes on."""
    there = elsewhere.get((values["source"], values["address"]))
    is_free = there is not None and (there.is_retired or (there.work_unit_id is None and there.template_key is None))
    is_mine = there is not None and there.work_unit_id == plan.machine.id != 0 and there.template_key is None
    if there is not None and (is_free or is_mine):
        plan.revived.append((one.key, there.id, values))
    else:
        plan.added.append((one.key, values))
