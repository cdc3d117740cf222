"""What versions consist of, many at once: rows to specs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from yuheng.engineering.models import (
    BomAlternate,
    BomLine,
    BomVersion,
    Document,
    SegmentAlternative,
    SegmentLink,
    WorkMasterVersion,
    WorkSegment,
)
from yuheng.engineering.rules.resolution import plain
from yuheng.engineering.rules.routings import Places
from yuheng.engineering.rules.specs import (
    AlternateSpec,
    AlternativeSpec,
    BomSpec,
    Check,
    LineSpec,
    LinkSpec,
    ParameterSpec,
    RecipeParameter,
    SegmentSpec,
    SignalRules,
    SkillNeed,
    ToolNeed,
    WorkMasterSpec,
)
from yuheng.engineering.rules.words import LinkKind, SegmentKind
from yuheng.equipment import selectors as equipment

Item = TypeVar("Item")


def bom_specs(versions: Iterable[BomVersion]) -> dict[int, BomSpec]:
    """Version id -> content. Two queries for all of them."""
    known = {one.pk: one for one in versions}
    alternates: dict[int, list[AlternateSpec]] = {}
    for one in BomAlternate.objects.filter(line__bom_id__in=known):
        alternates.setdefault(one.line_id, []).append(AlternateSpec(one.component_id, one.priority, plain(one.ratio)))
    lines: dict[int, list[LineSpec]] = {pk: [] for pk in known}
    for row in BomLine.objects.filter(bom_id__in=known).order_by("bom_id", "rank"):
        lines[row.bom_id].append(
            LineSpec(
                row.find_number,
                row.component_id,
                row.quantity,
                row.unit,
                row.condition,
                plain(row.scrap_ratio),
                row.segment_code,
                row.position,
                row.note,
                dict(row.bindings),
                tuple(alternates.get(row.pk, ())),
            )
        )
    return {
        pk: BomSpec(
            tuple(lines[pk]), _list(one.parameters, ParameterSpec), plain(one.base_quantity), one.note, one.revision_id
        )
        for pk, one in known.items()
    }


def work_master_specs(versions: Iterable[WorkMasterVersion]) -> dict[int, WorkMasterSpec]:
    """Version id -> content. Four queries for all of them."""
    known = {one.pk: one for one in versions}
    alternatives: dict[int, list[AlternativeSpec]] = {}
    for one in SegmentAlternative.objects.filter(segment__work_master_id__in=known):
        alternatives.setdefault(one.segment_id, []).append(
            AlternativeSpec(one.work_unit_id, one.setup_time, one.run_time, one.preference)
        )
    documents: dict[int, list[int]] = {}
    attached = WorkSegment.documents.through.objects.filter(worksegment__work_master_id__in=known)
    for segment_id, document_id in attached.order_by("id").values_list("worksegment_id", "document_id"):
        documents.setdefault(segment_id, []).append(document_id)
    segments: dict[int, list[SegmentSpec]] = {pk: [] for pk in known}
    codes: dict[int, str] = {}
    for row in WorkSegment.objects.filter(work_master_id__in=known).order_by("work_master_id", "rank"):
        codes[row.pk] = row.code
        segments[row.work_master_id].append(_segment(row, alternatives.get(row.pk, []), documents.get(row.pk, [])))
    links: dict[int, list[LinkSpec]] = {pk: [] for pk in known}
    for link in SegmentLink.objects.filter(work_master_id__in=known).order_by("work_master_id", "id"):
        links[link.work_master_id].append(
            LinkSpec(codes[link.before_id], codes[link.after_id], LinkKind(link.kind), link.lag_s, link.most)
        )
    return {
        pk: WorkMasterSpec(tuple(segments[pk]), tuple(links[pk]), _list(one.parameters, ParameterSpec), one.note)
        for pk, one in known.items()
    }


def _segment(row: WorkSegment, alternatives: list[AlternativeSpec], documents: list[int]) -> SegmentSpec:
    return SegmentSpec(
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        kind=SegmentKind(row.kind),
        equipment_class_id=row.equipment_class_id,
        condition=row.condition,
        setup_time=row.setup_time,
        run_time=row.run_time,
        run_quantity=plain(row.run_quantity),
        transfer_s=row.transfer_s,
        wait_s=row.wait_s,
        transfer_batch=None if row.transfer_batch is None else plain(row.transfer_batch),
        batch_size=None if row.batch_size is None else plain(row.batch_size),
        setup_family=row.setup_family,
        crew_size=row.crew_size,
        yield_ratio=plain(row.yield_ratio),
        subcontractor=row.subcontractor,
        lead_time_s=row.lead_time_s,
        instruction_zh=row.instruction_zh,
        instruction_en=row.instruction_en,
        skills=_list(row.skills, SkillNeed),
        tools=_list(row.tools, ToolNeed),
        recipe=_list(row.recipe, RecipeParameter),
        checks=_list(row.checks, Check),
        signals=msgspec.convert(row.signals, SignalRules),
        confirms=tuple(row.confirms),
        document_ids=tuple(documents),
        alternatives=tuple(alternatives),
    )


def _list(rows: list[Any], of: type[Item]) -> tuple[Item, ...]:
    return tuple(msgspec.convert(row, of) for row in rows)


def places_of(site_id: int, document_ids: Iterable[int] = ()) -> Places:
    """Equipment and documents of a plant that work masters may name. Two or three queries."""
    classes = equipment.equipment_class_ids(site_id=site_id)
    units = equipment.work_unit_ids(site_id=site_id)
    wanted = set(document_ids)
    known = set(Document.objects.filter(site_id=site_id, pk__in=wanted).values_list("pk", flat=True)) if wanted else ()
    return Places(
        {pk: code for code, pk in classes.items()}, {pk: code for code, pk in units.items()}, frozenset(known)
    )


def document_ids_of(spec: WorkMasterSpec) -> set[int]:
    """Every document that a work master names."""
    found = {pk for one in spec.segments for pk in one.document_ids}
    return found | {pk for one in spec.segments for check in one.checks for pk in check.document_ids}
