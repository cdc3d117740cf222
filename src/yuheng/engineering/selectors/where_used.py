"""Where a material is used, up to the products; and what a change of it touches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Min, Q
from django.utils.module_loading import import_string

from yuheng.engineering.models import BomLine
from yuheng.engineering.rules.words import VersionState
from yuheng.engineering.selectors.materials import material
from yuheng.kernel.actor import Actor

MOST_ROWS = 5_000
MOST_LEVELS = 40


@dataclass(frozen=True, slots=True)
class WhereUsedRow:
    """A bill that uses the material, or something that contains it. ``way``: codes from the material up to here."""

    level: int
    way: tuple[str, ...]
    material_id: int
    code: str
    name_zh: str
    name_en: str
    bom_version_id: int
    number: int
    state: VersionState
    find_number: str
    quantity: str
    unit: str
    is_alternate: bool


@dataclass(frozen=True, slots=True)
class ImpactRow:
    """Something open in a higher context that a change touches: an order, stock, a job."""

    kind: str
    code: str
    title: str
    url: str
    state: str
    quantity: str = ""
    unit: str = ""


def where_used(*, actor: Actor, material_id: int, levels: int = 0, with_drafts: bool = True) -> list[WhereUsedRow]:
    """Bills that use a material, directly and through others; the nearest first.

    Parameters
    ----------
    levels
        So many levels up; 0: all. A material that was met is not followed again.

    Notes
    -----
    Three queries for the material and one a level; at most `MOST_ROWS` rows.
    """
    start = material(actor=actor, material_id=material_id)
    found: list[WhereUsedRow] = []
    ways: dict[int, tuple[str, ...]] = {start.id: (start.code,)}
    frontier = {start.id}
    for level in range(1, (levels or MOST_LEVELS) + 1):
        rows = list(_lines_with(frontier, with_drafts)[: MOST_ROWS - len(found)])
        following: dict[int, tuple[str, ...]] = {}
        for line in rows:
            used = line.component_id if line.component_id in frontier else line.used_alternate
            parent = line.bom.material
            way = (*ways[used], parent.code)
            found.append(_row(level, way, line, is_alternate=used != line.component_id))
            if parent.pk not in ways and line.bom.state != VersionState.DRAFT:
                following.setdefault(parent.pk, way)
        ways |= following
        frontier = set(following)
        if not frontier or len(found) >= MOST_ROWS:
            break
    return found


def _lines_with(material_ids: Iterable[int], with_drafts: bool) -> Any:
    wanted = set(material_ids)
    states = Q(bom__effectivities__is_active=True)
    if with_drafts:
        states |= Q(bom__state=VersionState.DRAFT)
    rows = BomLine.objects.filter(Q(component_id__in=wanted) | Q(alternates__component_id__in=wanted), states)
    rows = rows.select_related("bom__material").annotate(used_alternate=_alternate_in(wanted))
    return rows.distinct().order_by("bom__material__code", "-bom__number", "rank", "pk")


def _alternate_in(wanted: set[int]) -> Any:
    return Min("alternates__component_id", filter=Q(alternates__component_id__in=wanted))


def _row(level: int, way: tuple[str, ...], line: BomLine, *, is_alternate: bool) -> WhereUsedRow:
    parent = line.bom.material
    return WhereUsedRow(
        level=level,
        way=way,
        material_id=parent.pk,
        code=parent.code,
        name_zh=parent.name_zh,
        name_en=parent.name_en,
        bom_version_id=line.bom_id,
        number=line.bom.number,
        state=VersionState(line.bom.state),
        find_number=line.find_number,
        quantity=line.quantity,
        unit=line.unit,
        is_alternate=is_alternate,
    )


Ask = Callable[..., list[ImpactRow]]


def open_work(
    *,
    actor: Actor,
    site_id: int,
    material_ids: frozenset[int],
    bom_version_ids: frozenset[int],
    work_master_version_ids: frozenset[int],
) -> list[ImpactRow]:
    """What higher contexts have open of these materials and versions: the setting ``ENGINEERING_IMPACT`` answers.

    Engineering knows nothing above it: `config.settings` names a function of operations with these arguments.
    """
    dotted: str = getattr(settings, "ENGINEERING_IMPACT", "")
    if not dotted:
        return []
    ask: Ask = import_string(dotted)
    return ask(
        actor=actor,
        site_id=site_id,
        material_ids=material_ids,
        bom_version_ids=bom_version_ids,
        work_master_version_ids=work_master_version_ids,
    )
