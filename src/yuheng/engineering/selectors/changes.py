"""Engineering change orders: lists, one whole, what it touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from yuheng.engineering.models import AffectedVersion, BomVersion, EngineeringChangeOrder, WorkMasterVersion
from yuheng.engineering.rules.resolution import fingerprint
from yuheng.engineering.rules.words import ChangeState, VersionKind, VersionState
from yuheng.engineering.selectors.contents import bom_specs, work_master_specs
from yuheng.engineering.selectors.materials import VIEW, material_names
from yuheng.engineering.selectors.versions import VersionRow, version_rows
from yuheng.engineering.selectors.where_used import ImpactRow, WhereUsedRow, open_work, where_used
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """An engineering change order."""

    id: int
    site_id: int
    code: str
    title: str
    reason: str
    state: ChangeState
    effective_from: date
    disposition_stock: str
    disposition_wip: str
    disposition_field: str
    created_at: datetime
    created_by: str
    submitted_at: datetime | None
    submitted_by: str
    decided_at: datetime | None
    decided_by: str
    decision_note: str
    implemented_at: datetime | None
    implemented_by: str


@dataclass(frozen=True, slots=True)
class AffectedRow:
    """A version that a change puts into force (or, ``is_end``, out of force), and the one that holds now."""

    id: int
    kind: VersionKind
    version: VersionRow
    material_id: int
    material_code: str
    material_name_zh: str
    material_name_en: str
    is_end: bool
    replaces: VersionRow | None


@dataclass(frozen=True, slots=True)
class ChangeWhole:
    """A change with the versions it affects."""

    change: ChangeRow
    affected: tuple[AffectedRow, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change touches: bills above the materials, and what is open in operations."""

    used_in: tuple[WhereUsedRow, ...]
    open_work: tuple[ImpactRow, ...]


_FIELDS = tuple(ChangeRow.__dataclass_fields__)


def changes(*, actor: Actor, site_id: int, state: str = "", before: int = 0, limit: int = 50) -> list[ChangeRow]:
    """Changes of a plant, newest first; those before the id ``before``. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = EngineeringChangeOrder.objects.filter(site_id=site_id)
    if state:
        rows = rows.filter(state=state)
    if before:
        rows = rows.filter(pk__lt=before)
    return [_row(row) for row in rows[: min(limit, 200)]]


def changes_of_material(*, actor: Actor, site_id: int, material_id: int) -> list[ChangeRow]:
    """Changes that touch a material, newest first. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = EngineeringChangeOrder.objects.filter(site_id=site_id)
    by_bom = rows.filter(affected__bom__material_id=material_id)
    by_master = rows.filter(affected__work_master__material_id=material_id)
    return [_row(row) for row in (by_bom | by_master).distinct()[:100]]


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft version that a change could put into force."""

    kind: VersionKind
    version_id: int
    number: int
    material_code: str
    material_name_zh: str
    material_name_en: str


def draft_versions(*, actor: Actor, site_id: int, limit: int = 200) -> list[DraftRow]:
    """Drafts of a plant that no open change names, newest first. Two queries."""
    actor.require(VIEW, site_id=site_id)
    found: list[DraftRow] = []
    for kind, model, name in (
        (VersionKind.BOM, BomVersion, "bom"),
        (VersionKind.WORK_MASTER, WorkMasterVersion, "work_master"),
    ):
        taken = AffectedVersion.objects.exclude(change__state=ChangeState.REJECTED).values(name)
        rows: Any = model.objects.filter(site_id=site_id, state=VersionState.DRAFT)
        rows = rows.exclude(pk__in=taken.filter(**{f"{name}__isnull": False})).order_by("-pk")
        fields = ("pk", "number", "material__code", "material__name_zh", "material__name_en")
        found += [DraftRow(kind, *row) for row in rows.values_list(*fields)[:limit]]
    return found


def _row(row: EngineeringChangeOrder) -> ChangeRow:
    return ChangeRow(**{name: getattr(row, name) for name in _FIELDS if name != "state"}, state=ChangeState(row.state))


def change(*, actor: Actor, change_id: int) -> ChangeWhole:
    """One change whole. At most nine queries. Raises `NotVisible`."""
    row = EngineeringChangeOrder.objects.visible_to(actor).filter(pk=change_id).first()
    if row is None:
        raise NotVisible(_("There is no such change here."))
    actor.require(VIEW, site_id=row.site_id)
    affected = list(AffectedVersion.objects.filter(change=row))
    return ChangeWhole(_row(row), _affected_rows(affected))


def _affected_rows(affected: Sequence[AffectedVersion]) -> tuple[AffectedRow, ...]:
    versions = {
        VersionKind.BOM: version_rows(VersionKind.BOM, [one.bom_id for one in affected if one.bom_id]),
        VersionKind.WORK_MASTER: version_rows(
            VersionKind.WORK_MASTER, [one.work_master_id for one in affected if one.work_master_id]
        ),
    }
    materials = {row.material_id for rows in versions.values() for row in rows.values()}
    names = material_names(materials)
    found = []
    for one in affected:
        kind = VersionKind.BOM if one.bom_id else VersionKind.WORK_MASTER
        version = versions[kind][one.bom_id or one.work_master_id or 0]
        name = names[version.material_id]
        found.append(
            AffectedRow(
                one.pk, kind, version, version.material_id, name.code, name.name_zh, name.name_en, one.is_end, None
            )
        )
    return tuple(found)


def impact(*, actor: Actor, change_id: int) -> Impact:
    """What a change touches. A few queries for each of its materials."""
    whole = change(actor=actor, change_id=change_id)
    material_ids = frozenset(one.material_id for one in whole.affected)
    used: list[WhereUsedRow] = []
    for pk in sorted(material_ids):
        used += where_used(actor=actor, material_id=pk, with_drafts=False)
    ids = {kind: {one.version.id for one in whole.affected if one.kind is kind} for kind in VersionKind}
    rows = open_work(
        actor=actor,
        site_id=whole.change.site_id,
        material_ids=material_ids | frozenset(one.material_id for one in used),
        bom_version_ids=frozenset(ids[VersionKind.BOM]),
        work_master_version_ids=frozenset(ids[VersionKind.WORK_MASTER]),
    )
    return Impact(tuple(used), tuple(rows))


def fingerprint_of(affected: Sequence[AffectedVersion]) -> str:
    """Fingerprint of everything a change affects, content included: what was approved is what is implemented."""
    boms = [one.bom for one in affected if one.bom is not None]
    masters = [one.work_master for one in affected if one.work_master is not None]
    contents: dict[str, object] = {
        f"bom {pk}": msgspec.to_builtins(spec, str_keys=True) for pk, spec in bom_specs(boms).items()
    }
    contents |= {
        f"work_master {pk}": msgspec.to_builtins(spec, str_keys=True) for pk, spec in work_master_specs(masters).items()
    }
    contents["ends"] = sorted(one.bom_id or -(one.work_master_id or 0) for one in affected if one.is_end)
    return fingerprint(contents)
