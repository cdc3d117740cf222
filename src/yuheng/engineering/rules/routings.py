"""What a work master must be: a graph without circles, places for every segment, times that can be calculated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from yuheng.engineering.rules import graphs
from yuheng.engineering.rules.bills import formula_faults, tried_faults
from yuheng.engineering.rules.faults import Cyclic, Fault, Incalculable, _
from yuheng.engineering.rules.options import as_parameters, check_parameters
from yuheng.engineering.rules.resolution import ResolvedLink, ResolvedRouting, ResolvedSegment, SegmentAlternative
from yuheng.engineering.rules.specs import Check as CheckSpec
from yuheng.engineering.rules.specs import LinkSpec, ParameterSpec, RecipeParameter, SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.words import CONFIRMS, CheckKind, LinkKind, SegmentKind
from yuheng.engines.formulas.expressions import (
    CannotBeCalculated,
    Parameter,
    Value,
    compile_condition,
    compile_expression,
    evaluate,
    holds,
)
from yuheng.engines.formulas.language import FormulaError
from yuheng.kernel import units

MOST_SEGMENTS = 500
LONGEST_S = 366 * 86_400.0
_CODE = re.compile(r"[A-Za-z0-9\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff._-]{0,19}")
_AT_A_PLACE = (SegmentKind.PRODUCE, SegmentKind.INSPECT, SegmentKind.REWORK)


@dataclass(frozen=True, slots=True)
class Places:
    """Equipment of the plant that segments may name: id -> code."""

    classes: Mapping[int, str]
    units: Mapping[int, str]
    documents: frozenset[int] = frozenset()


def precedence(spec: WorkMasterSpec) -> dict[str, list[str]]:
    """Return who comes directly before whom; rework, and the ways back from it, apart."""
    rework = {one.code for one in spec.segments if one.kind is SegmentKind.REWORK}
    edges: dict[str, list[str]] = {one.code: [] for one in spec.segments if one.code not in rework}
    for link in spec.whole_links():
        if link.kind is not LinkKind.REWORK and link.before in edges and link.after in edges:
            edges[link.before].append(link.after)
    return edges


def check_work_master(spec: WorkMasterSpec, places: Places) -> list[Fault]:
    """Return what is wrong with a draft as it is written."""
    faults = check_parameters(spec.parameters)
    if len(spec.segments) > MOST_SEGMENTS:
        faults.append(Fault(_("A work master has at most %(most)s segments."), "", {"most": MOST_SEGMENTS}))
    if faults:
        return faults
    parameters = as_parameters(spec.parameters)
    seen: set[str] = set()
    for one in spec.segments:
        if not _CODE.fullmatch(one.code):
            values = {"code": one.code}
            faults.append(Fault(_("'%(code)s' is not a segment's code such as 10 or W-2."), one.code, values))
        elif one.code in seen:
            faults.append(Fault(_("This segment's code stands twice."), one.code))
        else:
            faults += _check_segment(one, parameters, places)
        seen.add(one.code)
    return faults + _check_links(spec)


def _check_segment(one: SegmentSpec, parameters: Mapping[str, Parameter], places: Places) -> list[Fault]:
    where, faults = one.code, []
    if not one.name_zh.strip() or not one.name_en.strip():
        faults.append(Fault(_("Give the segment's name in both languages."), where))
    if one.equipment_class_id is not None and one.equipment_class_id not in places.classes:
        faults.append(Fault(_("There is no such equipment class at this plant."), where))
    known = [one.work_unit_id for one in one.alternatives]
    if any(unit not in places.units for unit in known):
        faults.append(Fault(_("There is no such work unit in use at this plant."), where))
    if len(set(known)) != len(known):
        faults.append(Fault(_("A work unit stands twice among the alternatives."), where))
    texts = [(one.setup_time, "s"), (one.run_time, "s")]
    texts += [(text, "s") for other in one.alternatives for text in (other.setup_time, other.run_time) if text.strip()]
    if one.condition.strip():
        texts.append((one.condition, ""))
    for text, unit in texts:
        faults += formula_faults(text, parameters, unit, where)
    faults += _check_measures(one)
    faults += [fault for item in one.recipe for fault in _check_limits(item, where)]
    faults += [fault for item in one.checks for fault in _check_check(item, where, places)]
    for codes in ([item.code for item in one.recipe], [item.code for item in one.checks]):
        if len(set(codes)) != len(codes) or any(not code.strip() for code in codes):
            faults.append(Fault(_("Parameters and checks each have a code of their own."), where))
    if not set(one.document_ids) <= places.documents:
        faults.append(Fault(_("There is no such document at this plant."), where))
    return faults


def _check_measures(one: SegmentSpec) -> list[Fault]:
    where, faults = one.code, []
    if one.run_quantity <= 0 or not 0 < one.yield_ratio <= 1:
        faults.append(Fault(_("The run time is for more than nothing, and the yield a share above 0."), where))
    for batch in (one.transfer_batch, one.batch_size):
        if batch is not None and batch <= 0:
            faults.append(Fault(_("A batch is more than nothing."), where))
    for seconds in (one.transfer_s, one.wait_s, one.lead_time_s or 0.0):
        if not 0 <= seconds <= LONGEST_S:
            faults.append(Fault(_("A time is between nothing and a year."), where))
    if not 0 <= one.crew_size <= 100:
        faults.append(Fault(_("A crew has 0 to 100 people."), where))
    if any(need.count < 1 or not need.skill.strip() for need in one.skills):
        faults.append(Fault(_("A skill has a name, and at least one person needs it."), where))
    if any(need.count < 1 or not need.tool.strip() for need in one.tools):
        faults.append(Fault(_("A tool has a name, and at least one is needed."), where))
    if not set(one.confirms) <= set(CONFIRMS):
        values = {"known": ", ".join(CONFIRMS)}
        faults.append(Fault(_("A person confirms some of: %(known)s."), where, values))
    if one.signals.counts and not one.signals.count_symbol.strip():
        faults.append(Fault(_("Say which signal counts the pieces."), where))
    if one.signals.pieces_per_cycle <= 0:
        faults.append(Fault(_("A cycle makes more than nothing."), where))
    return faults


def _check_limits(item: RecipeParameter | CheckSpec, where: str) -> list[Fault]:
    if not units.is_unit(item.unit):
        return [Fault(_("'%(unit)s' is not a UCUM unit."), where, {"unit": item.unit})]
    numbers = [number for number in (item.low, item.target, item.high) if number is not None]
    if numbers != sorted(numbers):
        return [Fault(_("%(code)s: the limits are the wrong way round."), where, {"code": item.code})]
    return []


def _check_check(item: CheckSpec, where: str, places: Places) -> list[Fault]:
    faults = _check_limits(item, where)
    if item.kind is CheckKind.MEASURED and item.low is None and item.high is None:
        faults.append(Fault(_("%(code)s: what is measured needs a limit."), where, {"code": item.code}))
    if item.every < 0:
        faults.append(Fault(_("%(code)s: it is checked at every n-th piece, or once."), where, {"code": item.code}))
    if not set(item.document_ids) <= places.documents:
        faults.append(Fault(_("There is no such document at this plant."), where))
    return faults


def _check_links(spec: WorkMasterSpec) -> list[Fault]:
    kinds = {one.code: one.kind for one in spec.segments}
    faults: list[Fault] = []
    seen: set[tuple[str, str]] = set()
    for link in spec.whole_links():
        where = f"{link.before} → {link.after}"
        if link.before not in kinds or link.after not in kinds:
            faults.append(Fault(_("This link names a segment that there is not."), where))
        elif link.before == link.after:
            faults.append(Fault(_("A segment does not follow itself."), where))
        elif (link.before, link.after) in seen:
            faults.append(Fault(_("This link stands twice."), where))
        elif not 0 <= link.lag_s <= LONGEST_S or (link.most is not None and link.most < 1):
            faults.append(Fault(_("A time is between nothing and a year."), where))
        elif (
            link.kind is not LinkKind.REWORK
            and kinds[link.after] is SegmentKind.REWORK
            and kinds[link.before] is not SegmentKind.REWORK
        ):
            faults.append(Fault(_("A rework segment is reached by a rework link only."), where))
        seen.add((link.before, link.after))
    return faults


def cycle_of(spec: WorkMasterSpec) -> list[str]:
    """Return the codes of a circle of segments, the first one again at the end; empty without one."""
    return graphs.find_cycle(precedence(spec))


def check_acyclic(spec: WorkMasterSpec) -> None:
    """Raise `Cyclic`, naming the circle."""
    if cycle := cycle_of(spec):
        raise Cyclic(Fault(_("The segments go round in a circle: %(way)s."), "", {"way": " → ".join(cycle)}))


def check_work_master_for_release(spec: WorkMasterSpec) -> list[Fault]:
    """Return why a work master that `check_work_master` accepts must not be released."""
    if not any(one.kind is not SegmentKind.REWORK for one in spec.segments):
        return [Fault(_("The work master has no segments."))]
    if cycle := cycle_of(spec):
        return [Fault(_("The segments go round in a circle: %(way)s."), "", {"way": " → ".join(cycle)})]
    parameters = as_parameters(spec.parameters)
    faults: list[Fault] = []
    for one in spec.segments:
        if one.kind in _AT_A_PLACE and one.equipment_class_id is None and not one.alternatives:
            faults.append(Fault(_("Say where it is done: an equipment class or work units."), one.code))
        if one.kind is SegmentKind.SUBCONTRACT and (not one.subcontractor.strip() or one.lead_time_s is None):
            faults.append(Fault(_("Say who does it, and how long that takes."), one.code))
        for text in (one.setup_time, one.run_time, *_own_times(one)):
            faults += tried_faults(text, "s", one.condition, parameters, one.code, must_be_some=False)
    return faults + _check_rework(spec)


def _own_times(one: SegmentSpec) -> list[str]:
    return [text for other in one.alternatives for text in (other.setup_time, other.run_time) if text.strip()]


def _check_rework(spec: WorkMasterSpec) -> list[Fault]:
    """Rework must be reachable, must lead back, and leads backwards."""
    faults: list[Fault] = []
    links = spec.whole_links()
    edges = precedence(spec)
    rework = {one.code for one in spec.segments if one.kind is SegmentKind.REWORK}
    all_ways: dict[str, list[str]] = {}
    for link in links:
        all_ways.setdefault(link.before, []).append(link.after)
    reached = {link.after for link in links if link.kind is LinkKind.REWORK}
    for code in sorted(rework):
        if not any(code in graphs.reachable(start, all_ways) for start in reached):
            faults.append(Fault(_("No rework link leads to this segment."), code))
        elif not graphs.reachable(code, all_ways) & set(edges):
            faults.append(Fault(_("Nothing leads from this rework segment back to the others."), code))
    inside = [one for one in links if one.kind is LinkKind.REWORK and {one.before, one.after} <= set(edges)]
    for link in inside:
        if link.before not in graphs.reachable(link.after, edges):
            where = f"{link.before} → {link.after}"
            faults.append(Fault(_("Rework leads back to an earlier segment, not onwards."), where))
    return faults


# ---- for one order ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KnownWorkMaster:
    """A version of a work master with what its segments are called."""

    version_id: int
    number: int
    spec: WorkMasterSpec
    places: Places

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The options its formulas may use."""
        return self.spec.parameters


def resolve_routing(
    known: KnownWorkMaster,
    values: Mapping[str, Value],
    *,
    path: str,
    material_id: int,
    code: str,
    quantity: Decimal,
    unit: str,
) -> ResolvedRouting:
    """Return the routing for these options: segments whose condition does not hold are taken out, their links joined.

    Raises
    ------
    Cyclic, Incalculable
    """
    spec = known.spec
    check_acyclic(spec)
    parameters = as_parameters(spec.parameters)
    kept = [one for one in spec.segments if _is_needed(one, parameters, values, path)]
    if not any(one.kind is not SegmentKind.REWORK for one in kept):
        raise Incalculable(Fault(_("No segment of the work master is left for these options."), path))
    links = _bridged(spec, {one.code for one in kept})
    segments = tuple(_resolved(one, parameters, values, known.places, path) for one in kept)
    regular = [one.code for one in kept if one.kind is not SegmentKind.REWORK]
    edges: dict[str, list[str]] = {one: [] for one in regular}
    for link in links:
        if link.kind is not LinkKind.REWORK and link.before in edges and link.after in edges:
            edges[link.before].append(link.after)
    order = tuple(graphs.topological_order(regular, edges))
    return ResolvedRouting(
        path, material_id, code, quantity, unit, known.version_id, known.number, segments, links, order
    )


def _at(path: str, code: str) -> str:
    return f"{path} · {code}" if path else code


def _is_needed(one: SegmentSpec, parameters: Mapping[str, Parameter], values: Mapping[str, Value], path: str) -> bool:
    if not one.condition.strip():
        return True
    try:
        return holds(compile_condition(one.condition, parameters, units.parse), values)
    except (FormulaError, CannotBeCalculated) as error:
        raise Incalculable(Fault("%(why)s", _at(path, one.code), {"why": str(error)})) from error


def _bridged(spec: WorkMasterSpec, kept: set[str]) -> tuple[ResolvedLink, ...]:
    """Return the links; where a segment was taken out, those before it lead to those after it."""
    links: list[LinkSpec] = list(spec.whole_links())
    for gone in [one.code for one in spec.segments if one.code not in kept]:
        into = [link for link in links if link.after == gone and link.kind is not LinkKind.REWORK]
        out = [link for link in links if link.before == gone and link.kind is not LinkKind.REWORK]
        links = [link for link in links if gone not in (link.before, link.after)]
        present = {(link.before, link.after) for link in links}
        for first in into:
            for second in out:
                if first.before != second.after and (first.before, second.after) not in present:
                    present.add((first.before, second.after))
                    kind = first.kind if first.kind is second.kind else LinkKind.FINISH_START
                    links.append(LinkSpec(first.before, second.after, kind, first.lag_s + second.lag_s))
    return tuple(ResolvedLink(one.before, one.after, one.kind, one.lag_s, one.most) for one in links)


def _resolved(
    one: SegmentSpec, parameters: Mapping[str, Parameter], values: Mapping[str, Value], places: Places, path: str
) -> ResolvedSegment:
    setup_s = _seconds(one.setup_time, parameters, values, _at(path, one.code))
    run_s = _seconds(one.run_time, parameters, values, _at(path, one.code))
    own: list[SegmentAlternative] = []
    for other in one.alternatives:
        setup = other.setup_time.strip()
        run = other.run_time.strip()
        where = _at(path, one.code)
        own.append(
            SegmentAlternative(
                work_unit_id=other.work_unit_id,
                work_unit_code=places.units.get(other.work_unit_id, ""),
                setup_s=_seconds(setup, parameters, values, where) if setup else setup_s,
                run_s=_seconds(run, parameters, values, where) if run else run_s,
                preference=other.preference,
            )
        )
    return ResolvedSegment(
        code=one.code,
        name_zh=one.name_zh,
        name_en=one.name_en,
        kind=one.kind,
        equipment_class_id=one.equipment_class_id,
        equipment_class_code=places.classes.get(one.equipment_class_id, "") if one.equipment_class_id else "",
        setup_s=setup_s,
        run_s=run_s,
        run_quantity=one.run_quantity,
        transfer_s=one.transfer_s,
        wait_s=one.wait_s,
        transfer_batch=one.transfer_batch,
        batch_size=one.batch_size,
        setup_family=one.setup_family,
        crew_size=one.crew_size,
        yield_ratio=one.yield_ratio,
        subcontractor=one.subcontractor,
        lead_time_s=one.lead_time_s,
        instruction_zh=one.instruction_zh,
        instruction_en=one.instruction_en,
        skills=one.skills,
        tools=one.tools,
        parameters=one.recipe,
        checks=one.checks,
        signals=one.signals,
        confirms=one.confirms,
        document_ids=one.document_ids,
        alternatives=tuple(sorted(own, key=lambda item: (item.preference, item.work_unit_code))),
    )


def _seconds(text: str, parameters: Mapping[str, Parameter], values: Mapping[str, Value], where: str) -> float:
    try:
        found = evaluate(compile_expression(text, parameters, units.parse, wanted="s"), values)
    except (FormulaError, CannotBeCalculated) as error:
        raise Incalculable(
            Fault(_("'%(formula)s' cannot be calculated: %(why)s"), where, {"formula": text, "why": str(error)})
        ) from error
    if found < 0:
        raise Incalculable(Fault(_("'%(formula)s' is less than nothing."), where, {"formula": text}))
    return float(found)


__all__ = [
    "KnownWorkMaster",
    "Places",
    "check_acyclic",
    "check_work_master",
    "check_work_master_for_release",
    "cycle_of",
    "precedence",
    "resolve_routing",
]
