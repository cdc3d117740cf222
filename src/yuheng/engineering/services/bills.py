"""Bills of material: drafts made, written, copied, thrown away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from yuheng.engineering.models import AffectedVersion, BomAlternate, BomLine, BomVersion, MaterialRevision
from yuheng.engineering.rules.bills import check_bom, sorted_lines
from yuheng.engineering.rules.specs import BomSpec
from yuheng.engineering.rules.words import VersionKind
from yuheng.engineering.said import refused
from yuheng.engineering.selectors.contents import bom_specs
from yuheng.engineering.selectors.materials import parts_of
from yuheng.engineering.services.access import (
    EDIT,
    check_in_use,
    find_version,
    locked_draft,
    locked_material,
    record_version,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, NotVisible

BATCH = 1_000


@transaction.atomic
def define_bom(*, actor: Actor, material_id: int, spec: BomSpec, at: datetime) -> BomVersion:
    """Make a new draft with all of its lines.

    Raises
    ------
    PermissionRefused, NotVisible, Conflict
    InvalidInput
        ``fields`` says what is wrong by find number.
    """
    material = locked_material(actor, material_id)
    check_in_use(material)
    check_content(material.site_id, material.pk, spec)
    last = BomVersion.objects.filter(material=material).aggregate(last=Max("number"))["last"] or 0
    version = BomVersion.objects.create(
        site_id=material.site_id,
        material=material,
        number=last + 1,
        created_at=at,
        created_by=actor.name,
        **_own_fields(spec),
    )
    write_lines(version, spec)
    record_version(actor, version, "created", at, lines=len(spec.lines))
    return version


@transaction.atomic
def replace_bom(
    *, actor: Actor, version_id: int, spec: BomSpec, at: datetime, edition: int | None = None
) -> BomVersion:
    """Write a draft's whole content anew.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    VersionIsReleased
        It is no draft any more.
    Conflict
        Somebody else wrote it since: ``edition`` is not its edition.
    """
    version = locked_draft(actor, VersionKind.BOM, version_id, edition)
    assert isinstance(version, BomVersion)
    check_content(version.site_id, version.material_id, spec)
    BomAlternate.objects.filter(line__bom=version).delete()
    BomLine.objects.filter(bom=version).delete()
    for name, value in _own_fields(spec).items():
        setattr(version, name, value)
    version.edition += 1
    version.save()
    write_lines(version, spec)
    record_version(actor, version, "edited", at, lines=len(spec.lines), edition=version.edition)
    return version


@transaction.atomic
def copy_bom(*, actor: Actor, version_id: int, at: datetime) -> BomVersion:
    """Make a draft with the content of another version."""
    source = find_version(actor, VersionKind.BOM, version_id, EDIT)
    assert isinstance(source, BomVersion)
    spec = bom_specs([source])[source.pk]
    return define_bom(actor=actor, material_id=source.material_id, spec=spec, at=at)


@transaction.atomic
def discard_bom(*, actor: Actor, version_id: int, at: datetime) -> None:
    """Throw a draft away. Refused while a change names it."""
    version = locked_draft(actor, VersionKind.BOM, version_id)
    change = AffectedVersion.objects.filter(bom_id=version.pk).select_related("change").first()
    if change is not None:
        raise Conflict(_("The change %(code)s names this version.") % {"code": change.change.code})
    record_version(actor, version, "discarded", at)
    version.delete()


def check_content(site_id: int, material_id: int, spec: BomSpec) -> None:
    """Raise `InvalidInput` unless the content may be kept as a draft."""
    if faults := check_bom(spec, material_id, parts_of(_named(spec), site_id=site_id)):
        raise refused(faults)
    revisions = MaterialRevision.objects.filter(material_id=material_id)
    if spec.revision_id is not None and not revisions.filter(pk=spec.revision_id).exists():
        raise NotVisible(_("There is no such revision of this material."))


def _named(spec: BomSpec) -> Iterable[int]:
    for line in spec.lines:
        yield line.material_id
        yield from (one.material_id for one in line.alternates)


def _own_fields(spec: BomSpec) -> dict[str, object]:
    return {
        "base_quantity": spec.base_quantity,
        "note": spec.note,
        "revision_id": spec.revision_id,
        "parameters": msgspec.to_builtins(spec.parameters),
    }


def write_lines(version: BomVersion, spec: BomSpec) -> None:
    """Insert the lines of a version that has none, and their alternates."""
    rows = [
        BomLine(
            bom=version,
            rank=rank,
            find_number=line.find_number,
            component_id=line.material_id,
            quantity=line.quantity.strip(),
            unit=line.unit,
            condition=line.condition.strip(),
            scrap_ratio=line.scrap_ratio,
            segment_code=line.segment,
            position=line.position[:200],
            note=line.note[:400],
            bindings=line.bindings,
        )
        for rank, line in enumerate(sorted_lines(spec.lines))
    ]
    BomLine.objects.bulk_create(rows, batch_size=BATCH)
    BomAlternate.objects.bulk_create(
        [
            BomAlternate(line=row, component_id=one.material_id, priority=one.priority, ratio=one.ratio)
            for row, line in zip(rows, sorted_lines(spec.lines), strict=True)
            for one in line.alternates
        ],
        batch_size=BATCH,
    )
