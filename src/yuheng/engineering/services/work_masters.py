"""Work masters: drafts made, written, copied, thrown away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from yuheng.engineering.models import (
    AffectedVersion,
    SegmentAlternative,
    SegmentLink,
    WorkMasterVersion,
    WorkSegment,
)
from yuheng.engineering.rules.routings import check_work_master
from yuheng.engineering.rules.specs import SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.words import VersionKind
from yuheng.engineering.said import refused
from yuheng.engineering.selectors.contents import document_ids_of, places_of, work_master_specs
from yuheng.engineering.services.access import (
    EDIT,
    check_in_use,
    find_version,
    locked_draft,
    locked_material,
    record_version,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict


@transaction.atomic
def define_work_master(*, actor: Actor, material_id: int, spec: WorkMasterSpec, at: datetime) -> WorkMasterVersion:
    """Make a new draft with all of its segments and links.

    Raises
    ------
    PermissionRefused, NotVisible, Conflict
    InvalidInput
        ``fields`` says what is wrong by segment.
    """
    material = locked_material(actor, material_id)
    check_in_use(material)
    check_content(material.site_id, spec)
    last = WorkMasterVersion.objects.filter(material=material).aggregate(last=Max("number"))["last"] or 0
    version = WorkMasterVersion.objects.create(
        site_id=material.site_id,
        material=material,
        number=last + 1,
        note=spec.note,
        parameters=msgspec.to_builtins(spec.parameters),
        created_at=at,
        created_by=actor.name,
    )
    write_segments(version, spec)
    record_version(actor, version, "created", at, segments=len(spec.segments))
    return version


@transaction.atomic
def replace_work_master(
    *, actor: Actor, version_id: int, spec: WorkMasterSpec, at: datetime, edition: int | None = None
) -> WorkMasterVersion:
    """Write a draft's whole content anew.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    VersionIsReleased
        It is no draft any more.
    Conflict
        Somebody else wrote it since: ``edition`` is not its edition.
    """
    version = locked_draft(actor, VersionKind.WORK_MASTER, version_id, edition)
    assert isinstance(version, WorkMasterVersion)
    check_content(version.site_id, spec)
    SegmentLink.objects.filter(work_master=version).delete()
    WorkSegment.objects.filter(work_master=version).delete()
    version.note, version.parameters = spec.note, msgspec.to_builtins(spec.parameters)
    version.edition += 1
    version.save()
    write_segments(version, spec)
    record_version(actor, version, "edited", at, segments=len(spec.segments), edition=version.edition)
    return version


@transaction.atomic
def copy_work_master(*, actor: Actor, version_id: int, at: datetime) -> WorkMasterVersion:
    """Make a draft with the content of another version."""
    source = find_version(actor, VersionKind.WORK_MASTER, version_id, EDIT)
    assert isinstance(source, WorkMasterVersion)
    spec = work_master_specs([source])[source.pk]
    return define_work_master(actor=actor, material_id=source.material_id, spec=spec, at=at)


@transaction.atomic
def discard_work_master(*, actor: Actor, version_id: int, at: datetime) -> None:
    """Throw a draft away. Refused while a change names it."""
    version = locked_draft(actor, VersionKind.WORK_MASTER, version_id)
    change = AffectedVersion.objects.filter(work_master_id=version.pk).select_related("change").first()
    if change is not None:
        raise Conflict(_("The change %(code)s names this version.") % {"code": change.change.code})
    record_version(actor, version, "discarded", at)
    version.delete()


def check_content(site_id: int, spec: WorkMasterSpec) -> None:
    """Raise `InvalidInput` unless the content may be kept as a draft."""
    if faults := check_work_master(spec, places_of(site_id, document_ids_of(spec))):
        raise refused(faults)


def write_segments(version: WorkMasterVersion, spec: WorkMasterSpec) -> None:
    """Insert the segments of a version that has none, and their links."""
    rows = WorkSegment.objects.bulk_create(
        [WorkSegment(work_master=version, rank=rank, **_fields(one)) for rank, one in enumerate(spec.segments)]
    )
    by_code = {row.code: row for row in rows}
    SegmentAlternative.objects.bulk_create(
        [
            SegmentAlternative(
                segment=by_code[one.code],
                work_unit_id=other.work_unit_id,
                setup_time=other.setup_time.strip(),
                run_time=other.run_time.strip(),
                preference=other.preference,
            )
            for one in spec.segments
            for other in one.alternatives
        ]
    )
    SegmentLink.objects.bulk_create(
        [
            SegmentLink(
                work_master=version,
                before=by_code[link.before],
                after=by_code[link.after],
                kind=link.kind,
                lag_s=link.lag_s,
                most=link.most,
            )
            for link in spec.whole_links()
        ]
    )
    attached = WorkSegment.documents.through
    attached.objects.bulk_create(
        [
            attached(worksegment_id=by_code[one.code].pk, document_id=pk)
            for one in spec.segments
            for pk in dict.fromkeys(one.document_ids)
        ]
    )


def _fields(one: SegmentSpec) -> dict[str, Any]:
    plain: dict[str, Any] = {
        name: getattr(one, name)
        for name in (
            "code", "name_zh", "name_en", "kind", "equipment_class_id", "condition", "setup_time", "run_time",
            "run_quantity", "transfer_s", "wait_s", "transfer_batch", "batch_size", "setup_family", "crew_size",
            "yield_ratio", "subcontractor", "lead_time_s", "instruction_zh", "instruction_en",
        )
    }  # fmt: skip
    return plain | {
        name: msgspec.to_builtins(getattr(one, name))
        for name in ("skills", "tools", "recipe", "checks", "signals", "confirms")
    }
