"""Materials, their classes, units and revisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from yuheng.engineering.models import MaterialClass, MaterialDefinition, MaterialRevision, MaterialUnit
from yuheng.engineering.rules import measures
from yuheng.engineering.rules.bills import Part
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible

VIEW = "engineering.view"
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class MaterialRow:
    """A material definition. ``conversions``: other unit -> so many of ``unit``; ``revision``: the current one."""

    id: int
    site_id: int
    code: str
    name_zh: str
    name_en: str
    description: str
    unit: str
    source: Source
    tracking: Tracking
    class_id: int | None
    class_code: str
    class_name_zh: str
    class_name_en: str
    revision: str
    retired_at: datetime | None
    conversions: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MaterialName:
    """What lists show of a material."""

    code: str
    name_zh: str
    name_en: str
    unit: str
    tracking: Tracking
    source: Source


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A material class."""

    id: int
    code: str
    name_zh: str
    name_en: str


def material(*, actor: Actor, material_id: int) -> MaterialRow:
    """One material. Three queries. Raises `NotVisible`."""
    row = MaterialDefinition.objects.visible_to(actor).select_related("material_class").filter(pk=material_id).first()
    if row is None:
        raise NotVisible(_("There is no such material here."))
    actor.require(VIEW, site_id=row.site_id)
    return _rows([row])[0]


def material_by_code(*, actor: Actor, site_id: int, code: str) -> MaterialRow:
    """One material by its code at a plant. Three queries. Raises `NotVisible`."""
    actor.require(VIEW, site_id=site_id)
    row = MaterialDefinition.objects.select_related("material_class").filter(site_id=site_id, code=code).first()
    if row is None:
        raise NotVisible(_("There is no material %(code)s at this plant.") % {"code": code})
    return _rows([row])[0]


def search_materials(
    *,
    actor: Actor,
    site_id: int,
    text: str = "",
    source: str = "",
    class_code: str = "",
    with_retired: bool = False,
    after: str = "",
    limit: int = 50,
) -> list[MaterialRow]:
    """Materials by code, those behind the code ``after``; every word of ``text`` in code or name. Three queries."""
    actor.require(VIEW, site_id=site_id)
    found = _asked(site_id, text, source, class_code, with_retired).filter(code__gt=after)
    return _rows(list(found.select_related("material_class").order_by("code")[: min(limit, MOST_LISTED)]))


def count_materials(
    *, actor: Actor, site_id: int, text: str = "", source: str = "", class_code: str = "", with_retired: bool = False
) -> int:
    """How many materials `search_materials` would find in all. One query."""
    actor.require(VIEW, site_id=site_id)
    return int(_asked(site_id, text, source, class_code, with_retired).count())


def _asked(site_id: int, text: str, source: str, class_code: str, with_retired: bool) -> Any:
    found = MaterialDefinition.objects.filter(site_id=site_id)
    for word in text.split()[:8]:
        found = found.filter(Q(code__icontains=word) | Q(name_zh__icontains=word) | Q(name_en__icontains=word))
    if source:
        found = found.filter(source=source)
    if class_code:
        found = found.filter(material_class__code=class_code)
    return found if with_retired else found.filter(retired_at__isnull=True)


def material_ids(*, site_id: int) -> dict[str, int]:
    """Code -> id of a plant's materials, retired ones included; for importers. One query."""
    return dict(MaterialDefinition.objects.filter(site_id=site_id).values_list("code", "pk"))


def material_ids_of(*, site_id: int, codes: Iterable[str]) -> dict[str, int]:
    """Code -> id of those materials that exist at the plant. One query."""
    found = MaterialDefinition.objects.filter(site_id=site_id, code__in=set(codes))
    return dict(found.values_list("code", "pk"))


def material_names(ids: Iterable[int]) -> dict[int, MaterialName]:
    """Id -> what lists show, for those that exist. One query."""
    rows = MaterialDefinition.objects.filter(pk__in=set(ids)).values_list(
        "pk", "code", "name_zh", "name_en", "unit", "tracking", "source"
    )
    return {
        pk: MaterialName(code, zh, en, unit, Tracking(tracking), Source(source))
        for pk, code, zh, en, unit, tracking, source in rows
    }


def material_classes(*, actor: Actor, site_id: int) -> list[ClassRow]:
    """The classes of a plant, by code. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = MaterialClass.objects.filter(site_id=site_id).values_list("pk", "code", "name_zh", "name_en")
    return [ClassRow(*row) for row in rows]


def unit_factor(*, material_id: int, unit: str) -> Decimal:
    """How many of the material's own unit one ``unit`` is. Two queries.

    Raises
    ------
    InvalidInput
        They measure different things, and the material says nothing of it.
    """
    part = parts_of([material_id]).get(material_id)
    if part is None:
        raise NotVisible(_("There is no such material here."))
    found = measures.factor(unit or part.unit, part.unit, part.conversions)
    if found is None:
        sentence = _("%(code)s is kept in '%(base)s', which '%(unit)s' is not.")
        text = sentence % {"code": part.code, "base": part.unit, "unit": unit}
        raise InvalidInput(text, {"unit": text})
    return found


def parts_of(ids: Iterable[int], *, site_id: int | None = None, with_revisions: bool = False) -> dict[int, Part]:
    """Id -> what rules must know of a material, for those that exist (at the plant). Two or three queries."""
    wanted = set(ids)
    found = MaterialDefinition.objects.filter(pk__in=wanted)
    if site_id is not None:
        found = found.filter(site_id=site_id)
    conversions = _conversions(wanted)
    revisions = current_revisions(wanted) if with_revisions else {}
    return {
        row.pk: Part(
            row.pk,
            row.code,
            row.unit,
            Source(row.source),
            Tracking(row.tracking),
            conversions.get(row.pk, {}),
            row.name_zh,
            row.name_en,
            revisions.get(row.pk, ""),
            row.retired_at is not None,
        )
        for row in found
    }


def current_revisions(ids: Iterable[int]) -> dict[int, str]:
    """Id -> code of the newest revision, of those that have one. One query."""
    rows = MaterialRevision.objects.filter(material_id__in=set(ids)).order_by("material_id", "-id")
    return dict(rows.distinct("material_id").values_list("material_id", "code"))


def _conversions(ids: Iterable[int]) -> Mapping[int, dict[str, Decimal]]:
    found: dict[int, dict[str, Decimal]] = {}
    for material_id, unit, size in MaterialUnit.objects.filter(material_id__in=set(ids)).values_list(
        "material_id", "unit", "factor"
    ):
        found.setdefault(material_id, {})[unit] = size.normalize()
    return found


def _rows(rows: list[MaterialDefinition]) -> list[MaterialRow]:
    ids = [row.pk for row in rows]
    conversions, revisions = _conversions(ids), current_revisions(ids)
    return [
        MaterialRow(
            id=row.pk,
            site_id=row.site_id,
            code=row.code,
            name_zh=row.name_zh,
            name_en=row.name_en,
            description=row.description,
            unit=row.unit,
            source=Source(row.source),
            tracking=Tracking(row.tracking),
            class_id=row.material_class_id,
            class_code=row.material_class.code if row.material_class else "",
            class_name_zh=row.material_class.name_zh if row.material_class else "",
            class_name_en=row.material_class.name_en if row.material_class else "",
            revision=revisions.get(row.pk, ""),
            retired_at=row.retired_at,
            conversions=conversions.get(row.pk, {}),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """What a material was changed to, with its drawings."""

    id: int
    code: str
    reason: str
    created_at: datetime
    created_by: str
    document_ids: tuple[int, ...]


def revisions_of(*, actor: Actor, material_id: int) -> list[RevisionRow]:
    """Revisions of a material, newest first. Five queries. Raises `NotVisible`."""
    material(actor=actor, material_id=material_id)
    rows = MaterialRevision.objects.filter(material_id=material_id).prefetch_related("documents")
    return [
        RevisionRow(
            row.pk,
            row.code,
            row.reason,
            row.created_at,
            row.created_by,
            tuple(document.pk for document in row.documents.defer("content").all()),
        )
        for row in rows
    ]
