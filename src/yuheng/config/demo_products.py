"""The demo plants' products, brought into engineering by its own services. What is there already stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from yuheng.engineering import selectors, services
from yuheng.engineering.rules import (
    BomSpec,
    LineSpec,
    LinkSpec,
    MaterialSpec,
    ParameterSpec,
    SegmentSpec,
    Source,
    Tracking,
    WorkMasterSpec,
)
from yuheng.engineering.rules.specs import (
    AlternateSpec,
    AlternativeSpec,
    Check,
    RecipeParameter,
    SignalRules,
    SkillNeed,
)
from yuheng.engineering.rules.words import CheckKind, LinkKind, SegmentKind
from yuheng.engines.formulas.expressions import Kind
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.simulation.making.drawings import drawing
from yuheng.simulation.products import Catalogue, Line, Made, Option, Step

MOST_REWORKED = 2
RELEASED_STATES = frozenset({"released"})

Pace = Callable[[], None]
"""Called after each write, so that whoever waits for a core gets one."""


def define(*, actor: Actor, site_id: int, catalogue: Catalogue, seed: int, at: datetime, pace: Pace) -> int:
    """Make what is missing of a catalogue's materials, bills and work masters; return how many materials were made.

    Parameters
    ----------
    at
        From when it holds; the past that is told afterwards must lie behind it.
    """
    ids = selectors.material_ids(site_id=site_id)
    before = len(ids)
    for bought in catalogue.bought:
        if bought.code not in ids:
            spec = MaterialSpec(
                bought.code, bought.name_zh, bought.name_en, bought.unit, Source.BUY, Tracking(bought.tracking)
            )
            ids[bought.code] = services.create_material(actor=actor, site_id=site_id, spec=spec, at=at).pk
            pace()
    places = _Places(actor, site_id)
    for made in catalogue.parts_first():
        if made.code not in ids:
            material = MaterialSpec(
                made.code, made.name_zh, made.name_en, source=Source.MAKE, tracking=Tracking(made.tracking)
            )
            ids[made.code] = services.create_material(actor=actor, site_id=site_id, spec=material, at=at).pk
        there = selectors.versions_of(actor=actor, material_id=ids[made.code])
        if not any(version.state in RELEASED_STATES for version in there.boms):
            _define_bom(actor, ids, made, at)
            pace()
        if not any(version.state in RELEASED_STATES for version in there.work_masters):
            _define_work_master(actor, ids[made.code], catalogue, made, places, seed, at)
            pace()
    return len(ids) - before


class _Places:
    """Keys of classes and work units by their codes."""

    def __init__(self, actor: Actor, site_id: int) -> None:
        self.site_id = site_id
        self.classes = equipment.equipment_class_ids(site_id=site_id)
        self.units = {row.code: row.id for row in equipment.work_units(actor=actor, site_id=site_id)}


def _define_bom(actor: Actor, ids: Mapping[str, int], made: Made, at: datetime) -> None:
    lines = tuple(_line(10 * place, line, ids) for place, line in enumerate(made.lines, start=1))
    spec = BomSpec(lines=lines, parameters=_parameters(made.options))
    draft = services.define_bom(actor=actor, material_id=ids[made.code], spec=spec, at=at)
    services.release_bom(actor=actor, version_id=draft.pk, at=at)


def _line(number: int, line: Line, ids: Mapping[str, int]) -> LineSpec:
    return LineSpec(
        find_number=str(number),
        material_id=ids[line.material],
        quantity=line.quantity,
        condition=line.condition,
        scrap_ratio=Decimal(line.scrap),
        segment=line.step,
        position=line.position,
        bindings=dict(line.bindings),
        alternates=tuple(AlternateSpec(ids[code], place) for place, code in enumerate(line.alternates, start=1)),
    )


def _parameters(options: tuple[Option, ...]) -> tuple[ParameterSpec, ...]:
    return tuple(
        ParameterSpec(
            one.name, Kind(one.kind), one.name_zh, one.name_en, one.unit, one.choices, one.default,
            Decimal(one.low) if one.low else None, Decimal(one.high) if one.high else None,
        )
        for one in options
    )  # fmt: skip


def _define_work_master(
    actor: Actor, material_id: int, catalogue: Catalogue, made: Made, places: _Places, seed: int, at: datetime
) -> None:
    picture = drawing(made.code, made.family, seed)
    document = services.keep_document(
        actor=actor, site_id=places.site_id, name=f"{made.code}.png", content=picture, at=at
    )
    segments = tuple(_segment(catalogue, made, step, places, document.pk) for step in made.steps)
    line = [step.code for step in made.steps if not step.rework_of]
    links = [LinkSpec(before, after) for before, after in pairwise(line)]
    for step in made.steps:
        if step.rework_of:
            links.append(LinkSpec(step.rework_of, step.code, LinkKind.REWORK, most=MOST_REWORKED))
            links.append(LinkSpec(step.code, step.rework_of, LinkKind.REWORK))
    spec = WorkMasterSpec(segments=segments, links=tuple(links), parameters=_parameters(made.options))
    draft = services.define_work_master(actor=actor, material_id=material_id, spec=spec, at=at)
    services.release_work_master(actor=actor, version_id=draft.pk, at=at)


def _segment(catalogue: Catalogue, made: Made, step: Step, places: _Places, document: int) -> SegmentSpec:
    trade = catalogue.trade(step.machine)
    kind = catalogue.plant.classes[step.machine]
    checks = () if step.rework_of else (trade.checks if step.checks is None else step.checks)
    return SegmentSpec(
        code=step.code,
        name_zh=step.name_zh,
        name_en=step.name_en,
        kind=SegmentKind.REWORK if step.rework_of else SegmentKind.PRODUCE,
        equipment_class_id=places.classes[step.machine],
        setup_time=f"{step.setup_s or kind.setup_s:g}",
        run_time=step.run_s,
        wait_s=step.wait_s,
        transfer_batch=Decimal(step.transfer) if step.transfer else None,
        setup_family=made.family,
        crew_size=step.crew,
        instruction_zh=trade.instruction_zh,
        instruction_en=trade.instruction_en,
        skills=(SkillNeed(trade.skill[0]),),
        recipe=tuple(
            RecipeParameter(one.code, one.name_zh, one.name_en, one.unit, one.target, one.low, one.high, one.symbol)
            for one in trade.settings
        ),
        checks=tuple(
            Check(one.code, CheckKind(one.kind), one.name_zh, one.name_en, one.unit, one.low, one.target, one.high, 0)
            for one in checks
        ),
        signals=SignalRules(
            counts=trade.is_counting,
            count_symbol="good_count" if trade.is_counting else "",
            pauses=trade.is_counting,
            run_id_symbol="run_id" if trade.is_counting else "",
        ),
        confirms=("start", "finish") if trade.is_counting else ("start", "quantity", "finish"),
        document_ids=(document,),
        alternatives=tuple(
            AlternativeSpec(places.units[unit], preference=place) for place, unit in enumerate(step.only, start=1)
        ),
    )
