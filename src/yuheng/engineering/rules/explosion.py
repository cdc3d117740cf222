"""From versions to one product for one order: every level, every quantity evaluated, circles refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from typing import Protocol, TypeVar

from yuheng.engineering.rules import measures
from yuheng.engineering.rules.bills import CompiledBom, CompiledLine, Part, is_word
from yuheng.engineering.rules.faults import Cyclic, Fault, Faulty, Incalculable, NothingEffective, _
from yuheng.engineering.rules.options import Given, as_parameters, bind
from yuheng.engineering.rules.resolution import ResolvedAlternate, ResolvedLine, ResolvedRouting, plain
from yuheng.engineering.rules.routings import KnownWorkMaster, resolve_routing
from yuheng.engineering.rules.specs import ParameterSpec
from yuheng.engineering.rules.words import SegmentKind, Source
from yuheng.engines.formulas.expressions import (
    CannotBeCalculated,
    Kind,
    Value,
    compile_expression,
    evaluate,
    holds,
)
from yuheng.engines.formulas.language import FormulaError
from yuheng.kernel.units import parse as parse_unit

MOST_LEVELS = 40
MOST_LINES = 50_000
ZERO, ONE = Decimal(0), Decimal(1)
Found = TypeVar("Found", "CompiledBom | None", "KnownWorkMaster | None")


class Library(Protocol):
    """Where the explosion finds what it needs; everything is loaded before it starts."""

    def part(self, material_id: int) -> Part:
        """Return a material."""

    def bom(self, material_id: int) -> CompiledBom | None:
        """Return the bill that holds; None when the material has none at all. Raises `Faulty`."""

    def work_master(self, material_id: int) -> KnownWorkMaster | None:
        """Return the work master that holds; None when the material has none at all. Raises `Faulty`."""


@dataclass(slots=True)
class Exploded:
    """What came out: lines depth first, routings of everything made; the product's first."""

    lines: list[ResolvedLine] = field(default_factory=list)
    routings: list[ResolvedRouting] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the product we are."""

    path: str
    owner_path: str
    material_id: int
    way: tuple[int, ...]
    quantity: Decimal  # of this material, net, for the whole order
    gross: Decimal
    per_owner: Decimal  # of this material, for one of the owner
    level: int


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose work master uses lines: its segments, and where lines of a segment that was taken out go."""

    segments: frozenset[str]
    moved: Mapping[str, str]
    is_known: bool


class Explosion:
    """One product, one order.

    Parameters
    ----------
    library
        Bills, work masters and materials that hold for the order.
    with_routings
        False leaves out how things are made: a look at the bill alone.
    """

    def __init__(self, library: Library, *, with_routings: bool = True) -> None:
        self.library = library
        self.with_routings = with_routings
        self.found = Exploded()
        self.known_options: set[str] = set()

    def run(self, material_id: int, quantity: Decimal, options: Mapping[str, Given]) -> Exploded:
        """Explode the product.

        Raises
        ------
        NothingEffective, Cyclic, Incalculable, Faulty
            Each names the find numbers from the product down, ``10/20``.
        """
        top = _Place("", "", material_id, (material_id,), quantity, quantity, ONE, 0)
        bom, master = self._versions(top, Source.MAKE)
        self._open(top, bom, master, dict(options), None)
        unknown = sorted(set(options) - self.known_options)
        if unknown:
            known = ", ".join(sorted(self.known_options)) or "-"
            values = {"name": ", ".join(unknown), "known": known}
            raise Incalculable(Fault(_("There is no option %(name)s. There are: %(known)s."), "", values))
        return self.found

    # ---- one made (or dissolved) material -------------------------------------------------------------------------

    def _versions(self, place: _Place, source: Source) -> tuple[CompiledBom | None, KnownWorkMaster | None]:
        part = self.library.part(place.material_id)
        bom = self._held(self.library.bom, place, part, _("%(code)s has no bill of material that holds. %(why)s"))
        if source is Source.PHANTOM:
            if bom is None:
                raise NothingEffective(Fault(_("%(code)s has no bill of material."), place.path, {"code": part.code}))
            return bom, None
        if not self.with_routings:
            return bom, None
        master = self._held(self.library.work_master, place, part, _("%(code)s has no work master that holds. %(why)s"))
        if master is None:
            raise NothingEffective(Fault(_("%(code)s has no work master."), place.path, {"code": part.code}))
        return bom, master

    @staticmethod
    def _held(find: Callable[[int], Found], place: _Place, part: Part, sentence: str) -> Found:
        try:
            return find(part.id)
        except NothingEffective as error:
            raise NothingEffective(Fault(sentence, place.path, {"code": part.code, "why": error.faults[0]})) from error
        except Faulty as error:
            raise type(error)(*(replace(one, where=_joined(place.path, one.where)) for one in error.faults)) from error

    def _open(
        self,
        place: _Place,
        bom: CompiledBom | None,
        master: KnownWorkMaster | None,
        given: dict[str, Given],
        owner: _Owner | None,
    ) -> None:
        """Write the routing of a made material, then its lines."""
        inherited = dict(given)
        if master is not None:
            values = self._bound(master.parameters, given, place.path)
            owner = self._made(place, master, values)
            inherited |= _passed_on(master.parameters, values)
        if bom is None:
            return
        values = self._bound(bom.parameters, given, place.path)
        inherited |= _passed_on(bom.parameters, values)
        for line in bom.lines:
            self._line(place, bom, line, values, inherited, owner)

    def _bound(self, parameters: tuple[ParameterSpec, ...], given: Mapping[str, Given], path: str) -> dict[str, Value]:
        values = bind(parameters, given, path)
        self.known_options.update(values)
        for name, value in values.items():
            self.found.options.setdefault(name, _as_text(value))
        return values

    def _made(self, place: _Place, master: KnownWorkMaster, values: Mapping[str, Value]) -> _Owner:
        part = self.library.part(place.material_id)
        routing = resolve_routing(
            master,
            values,
            path=place.path,
            material_id=part.id,
            code=part.code,
            quantity=plain(place.gross),
            unit=part.unit,
        )
        self.found.routings.append(routing)
        kept = frozenset(one.code for one in routing.segments)
        return _Owner(kept, _moved(master, kept), is_known=True)

    # ---- one line -------------------------------------------------------------------------------------------------

    def _line(
        self,
        place: _Place,
        bom: CompiledBom,
        line: CompiledLine,
        values: Mapping[str, Value],
        given: dict[str, Given],
        owner: _Owner | None,
    ) -> None:
        spec = line.spec
        path = f"{place.path}/{spec.find_number}" if place.path else spec.find_number
        per_parent = self._quantity(line, values, path) / bom.base_quantity
        if not per_parent:
            return
        part = self.library.part(spec.material_id)
        if spec.material_id in place.way:
            self._refuse_cycle((*place.way, spec.material_id), path)
        if place.level >= MOST_LEVELS or len(self.found.lines) >= MOST_LINES:
            values_ = {"levels": MOST_LEVELS, "lines": MOST_LINES}
            raise Incalculable(
                Fault(_("The product has more than %(levels)s levels or %(lines)s lines."), path, values_)
            )
        net = place.quantity * per_parent
        gross = place.gross * per_parent / (ONE - spec.scrap_ratio)
        if measures.is_count(part.unit):
            gross = plain(gross).to_integral_value(rounding=ROUND_CEILING)
        inner = _Place(
            path,
            place.owner_path if part.source is Source.PHANTOM else path,
            part.id,
            (*place.way, part.id),
            net,
            gross,
            place.per_owner * per_parent if part.source is Source.PHANTOM else ONE,
            place.level + 1,
        )
        own_bom, own_master = (None, None) if part.source is Source.BUY else self._versions(inner, part.source)
        self.found.lines.append(
            ResolvedLine(
                path=path,
                level=place.level + 1,
                find_number=spec.find_number,
                parent_path=place.path,
                owner_path=place.owner_path,
                material_id=part.id,
                code=part.code,
                name_zh=part.name_zh,
                name_en=part.name_en,
                revision=part.revision,
                source=part.source,
                tracking=part.tracking,
                quantity=plain(net),
                quantity_per=plain(place.per_owner * per_parent),
                scrap_ratio=plain(spec.scrap_ratio),
                gross_quantity=plain(gross),
                unit=part.unit,
                segment_code=self._segment(spec.segment, owner, path),
                position=spec.position,
                note=spec.note,
                bom_version_id=own_bom.version_id if own_bom else None,
                bom_version_number=own_bom.number if own_bom else None,
                work_master_version_id=own_master.version_id if own_master else None,
                work_master_version_number=own_master.number if own_master else None,
                alternates=self._alternates(line, net, gross),
            )
        )
        if part.source is not Source.BUY:
            own_given = self._options_of(line, own_bom, own_master, values, given, path)
            inherited_owner = owner if part.source is Source.PHANTOM else None
            self._open(inner, own_bom, own_master, own_given, inherited_owner)

    def _quantity(self, line: CompiledLine, values: Mapping[str, Value], path: str) -> Decimal:
        try:
            if line.condition is not None and not holds(line.condition, values):
                return ZERO
            found = evaluate(line.quantity, values) * line.factor
        except CannotBeCalculated as error:
            values_ = {"formula": line.spec.quantity, "why": str(error)}
            raise Incalculable(Fault(_("'%(formula)s' cannot be calculated: %(why)s"), path, values_)) from error
        if found < 0:
            raise Incalculable(Fault(_("'%(formula)s' is less than nothing."), path, {"formula": line.spec.quantity}))
        return found

    def _refuse_cycle(self, way: tuple[int, ...], path: str) -> None:
        start = way.index(way[-1])
        codes = " → ".join(self.library.part(one).code for one in way[start:])
        raise Cyclic(Fault(_("The material contains itself: %(way)s."), path, {"way": codes}))

    def _segment(self, code: str, owner: _Owner | None, path: str) -> str:
        if not code or owner is None or not owner.is_known:
            return code
        if code in owner.segments:
            return code
        if code in owner.moved:
            return owner.moved[code]
        raise Incalculable(
            Fault(_("It is used at segment %(segment)s, which the work master does not have."), path, {"segment": code})
        )

    def _alternates(self, line: CompiledLine, net: Decimal, gross: Decimal) -> tuple[ResolvedAlternate, ...]:
        found: list[ResolvedAlternate] = []
        for one in sorted(line.spec.alternates, key=lambda item: (item.priority, item.material_id)):
            part = self.library.part(one.material_id)
            found.append(
                ResolvedAlternate(
                    part.id,
                    part.code,
                    one.priority,
                    plain(net * one.ratio),
                    plain(gross * one.ratio),
                    part.unit,
                    part.tracking,
                )
            )
        return tuple(found)

    def _options_of(
        self,
        line: CompiledLine,
        bom: CompiledBom | None,
        master: KnownWorkMaster | None,
        values: Mapping[str, Value],
        given: dict[str, Given],
        path: str,
    ) -> dict[str, Given]:
        """Return what a component's own options are: what the line says, else what goes by the same name here."""
        if not line.spec.bindings:
            return given
        theirs = {one.name: one for holder in (master, bom) if holder for one in holder.parameters}
        own = dict(given)
        for name, text in line.spec.bindings.items():
            if name not in theirs:
                raise Incalculable(Fault(_("The component has no option %(name)s."), path, {"name": name}))
            own[name] = self._binding(text, theirs[name], values, given, path)
        return own

    def _binding(
        self, text: str, aim: ParameterSpec, values: Mapping[str, Value], given: Mapping[str, Given], path: str
    ) -> Given:
        text = text.strip()
        if is_word(text):
            return Given(text[1:-1])
        if aim.kind is not Kind.NUMBER and text in values:
            return Given(values[text])
        specs = {
            name: ParameterSpec(name, _kind_of(value), unit=given[name].unit or "1")
            for name, value in values.items()
            if name in given and not isinstance(value, str)
        }
        try:
            unit = aim.unit if aim.kind is Kind.NUMBER else "1"
            formula = compile_expression(text, as_parameters(list(specs.values())), parse_unit, wanted=unit)
            found = evaluate(formula, values)
        except (FormulaError, CannotBeCalculated) as error:
            sentence = _("Option %(name)s: %(why)s")
            raise Incalculable(Fault(sentence, path, {"name": aim.name, "why": str(error)})) from error
        return Given(bool(found) if aim.kind is Kind.BOOLEAN else found, unit)


def _kind_of(value: Value) -> Kind:
    return Kind.BOOLEAN if isinstance(value, bool) else Kind.NUMBER


def _passed_on(parameters: tuple[ParameterSpec, ...], values: Mapping[str, Value]) -> dict[str, Given]:
    """Return values as the components get them: with their unit."""
    units = {one.name: one.unit if one.kind is Kind.NUMBER else "" for one in parameters}
    return {name: Given(value, units[name]) for name, value in values.items()}


def _as_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(plain(value))


def _moved(master: KnownWorkMaster, kept: frozenset[str]) -> dict[str, str]:
    """Return where what was used at a segment that is taken out goes: to the next one that stays, else the first."""
    following: dict[str, list[str]] = {}
    for link in master.spec.whole_links():
        following.setdefault(link.before, []).append(link.after)
    kinds = {one.code: one.kind for one in master.spec.segments}
    moved: dict[str, str] = {}
    for gone in (one.code for one in master.spec.segments if one.code not in kept):
        seen, open_codes = {gone}, [gone]
        while open_codes and gone not in moved:
            for after in following.get(open_codes.pop(0), ()):
                if after in kept and kinds[after] is not SegmentKind.REWORK:
                    moved[gone] = after
                    break
                if after not in seen:
                    seen.add(after)
                    open_codes.append(after)
        moved.setdefault(gone, "")
    return moved


def _joined(path: str, where: str) -> str:
    return f"{path}/{where}" if path and where else path or where
