"""Versions of a material, what they consist of, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from yuheng.engineering.models import BomVersion, Document, Effectivity, WorkMasterVersion
from yuheng.engineering.rules import comparing
from yuheng.engineering.rules.bills import Part
from yuheng.engineering.rules.comparing import Comparison
from yuheng.engineering.rules.routings import Places
from yuheng.engineering.rules.specs import BomSpec, EffectivitySpec, WorkMasterSpec
from yuheng.engineering.rules.words import VersionKind, VersionState
from yuheng.engineering.selectors.contents import bom_specs, document_ids_of, places_of, work_master_specs
from yuheng.engineering.selectors.materials import VIEW, material, parts_of
from yuheng.engineering.selectors.resolving import spec_of
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a bill of material or work master, without its content."""

    id: int
    kind: VersionKind
    site_id: int
    material_id: int
    number: int
    state: VersionState
    note: str
    edition: int
    created_at: datetime
    created_by: str
    released_at: datetime | None
    released_by: str
    content_sha256: str
    effectivities: tuple[EffectivitySpec, ...]

    @property
    def is_draft(self) -> bool:
        """Return whether it may still be changed."""
        return self.state is VersionState.DRAFT


@dataclass(frozen=True, slots=True)
class MaterialVersions:
    """All versions of a material, newest first."""

    boms: tuple[VersionRow, ...]
    work_masters: tuple[VersionRow, ...]


@dataclass(frozen=True, slots=True)
class BomVersionRow:
    """A bill of material with its lines; ``parts`` has every material that they name."""

    version: VersionRow
    spec: BomSpec
    parts: Mapping[int, Part]


@dataclass(frozen=True, slots=True)
class WorkMasterRow:
    """A work master with its segments; ``places`` has the equipment of the plant."""

    version: VersionRow
    spec: WorkMasterSpec
    places: Places


def versions_of(*, actor: Actor, material_id: int) -> MaterialVersions:
    """Every version of a material. Six queries. Raises `NotVisible`."""
    row = material(actor=actor, material_id=material_id)
    boms = BomVersion.objects.filter(material_id=row.id).order_by("-number")
    masters = WorkMasterVersion.objects.filter(material_id=row.id).order_by("-number")
    held = _effectivities(material_id=row.id)
    return MaterialVersions(
        tuple(_row(one, VersionKind.BOM, held) for one in boms),
        tuple(_row(one, VersionKind.WORK_MASTER, held) for one in masters),
    )


def version_rows(kind: VersionKind, ids: Iterable[int]) -> dict[int, VersionRow]:
    """Id -> version, for those that exist. Two queries."""
    model = BomVersion if kind is VersionKind.BOM else WorkMasterVersion
    rows = list(model.objects.filter(pk__in=set(ids)))
    held = _effectivities(material_id__in=[row.material_id for row in rows])
    return {row.pk: _row(row, kind, held) for row in rows}


def _effectivities(**which: object) -> dict[tuple[str, int], list[EffectivitySpec]]:
    found: dict[tuple[str, int], list[EffectivitySpec]] = {}
    for row in Effectivity.objects.filter(is_active=True, **which):
        found.setdefault((row.kind, row.bom_id or row.work_master_id or 0), []).append(spec_of(row))
    return found


def _row(
    row: BomVersion | WorkMasterVersion, kind: VersionKind, held: Mapping[tuple[str, int], list[EffectivitySpec]]
) -> VersionRow:
    return VersionRow(
        id=row.pk,
        kind=kind,
        site_id=row.site_id,
        material_id=row.material_id,
        number=row.number,
        state=VersionState(row.state),
        note=row.note,
        edition=row.edition,
        created_at=row.created_at,
        created_by=row.created_by,
        released_at=row.released_at,
        released_by=row.released_by,
        content_sha256=row.content_sha256,
        effectivities=tuple(held.get((kind.value, row.pk), ())),
    )


def bom_version(*, actor: Actor, version_id: int) -> BomVersionRow:
    """One bill of material whole. Six queries. Raises `NotVisible`."""
    row = _visible_bom(actor, version_id)
    spec = bom_specs([row])[row.pk]
    named = {line.material_id for line in spec.lines}
    named |= {one.material_id for line in spec.lines for one in line.alternates}
    held = _effectivities(material_id=row.material_id)
    return BomVersionRow(_row(row, VersionKind.BOM, held), spec, parts_of(named, site_id=row.site_id))


def work_master_version(*, actor: Actor, version_id: int) -> WorkMasterRow:
    """One work master whole. Nine queries. Raises `NotVisible`."""
    row = _visible_work_master(actor, version_id)
    spec = work_master_specs([row])[row.pk]
    held = _effectivities(material_id=row.material_id)
    places = places_of(row.site_id, document_ids_of(spec))
    return WorkMasterRow(_row(row, VersionKind.WORK_MASTER, held), spec, places)


def _visible_bom(actor: Actor, version_id: int) -> BomVersion:
    row: BomVersion | None = BomVersion.objects.visible_to(actor).filter(pk=version_id).first()
    if row is None:
        raise NotVisible(_("There is no such version here."))
    actor.require(VIEW, site_id=row.site_id)
    return row


def _visible_work_master(actor: Actor, version_id: int) -> WorkMasterVersion:
    row: WorkMasterVersion | None = WorkMasterVersion.objects.visible_to(actor).filter(pk=version_id).first()
    if row is None:
        raise NotVisible(_("There is no such version here."))
    actor.require(VIEW, site_id=row.site_id)
    return row


def compare_boms(*, actor: Actor, before_id: int, after_id: int) -> Comparison:
    """What differs between two bills of one plant. Six queries. Raises `NotVisible`, `InvalidInput`."""
    before, after = _visible_bom(actor, before_id), _visible_bom(actor, after_id)
    if before.site_id != after.site_id:
        raise InvalidInput(_("Only versions of one plant can be compared."))
    specs = bom_specs([before, after])
    named = {line.material_id for spec in specs.values() for line in spec.lines}
    named |= {one.material_id for spec in specs.values() for line in spec.lines for one in line.alternates}
    codes = {pk: part.code for pk, part in parts_of(named).items()}
    return comparing.compare_boms(specs[before.pk], specs[after.pk], codes)


def compare_work_masters(*, actor: Actor, before_id: int, after_id: int) -> Comparison:
    """What differs between two work masters of one plant. Eight queries. Raises `NotVisible`, `InvalidInput`."""
    before, after = _visible_work_master(actor, before_id), _visible_work_master(actor, after_id)
    if before.site_id != after.site_id:
        raise InvalidInput(_("Only versions of one plant can be compared."))
    specs = work_master_specs([before, after])
    places = places_of(before.site_id)
    return comparing.compare_work_masters(specs[before.pk], specs[after.pk], places.classes, places.units)


@dataclass(frozen=True, slots=True)
class DocumentName:
    """A kept file without its content."""

    id: int
    name: str
    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A kept file."""

    name: str
    media_type: str
    content: bytes
    sha256: str


def document_file(*, actor: Actor, document_id: int) -> DocumentFile:
    """A drawing, picture or instruction with its content. One query. Raises `NotVisible`."""
    row = Document.objects.visible_to(actor).filter(pk=document_id).first()
    if row is None:
        raise NotVisible(_("There is no such document here."))
    actor.require(VIEW, site_id=row.site_id)
    return DocumentFile(row.name, row.media_type, bytes(row.content), row.sha256)


def document_names(*, actor: Actor, site_id: int, ids: Iterable[int] | None = None) -> list[DocumentName]:
    """Files of a plant by name, or those with these ids. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Document.objects.filter(site_id=site_id)
    if ids is not None:
        rows = rows.filter(pk__in=set(ids))
    found = rows.values_list("pk", "name", "media_type", "size_bytes", "sha256")[:500]
    return [DocumentName(*row) for row in found]
