"""What every verb begins and ends with: permission and lock, telling and auditing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.engineering.events import MaterialChanged, VersionReleased, VersionRetired, VersionSuperseded
from yuheng.engineering.models import BomVersion, MaterialDefinition, WorkMasterVersion
from yuheng.engineering.rules.words import VersionKind, VersionState
from yuheng.engineering.said import VersionIsReleased
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, NotVisible
from yuheng.kernel.events import publish
from yuheng.kernel.models import Site

VIEW, EDIT, APPROVE = "engineering.view", "engineering.edit", "engineering.approve"

AnyVersion = BomVersion | WorkMasterVersion


def lock_site(actor: Actor, site_id: int, permission: str = EDIT) -> Site:
    """Lock a plant's engineering: releases and implementations of one plant happen one after the other.

    The lock leaves foreign keys to the site alone, so that everything else goes on.
    """
    actor.require(permission, site_id=site_id)
    site = Site.objects.select_for_update(no_key=True).filter(pk=site_id).first()
    if site is None:
        raise NotVisible(_("There is no such site here."))
    return site


def locked_material(actor: Actor, material_id: int, permission: str = EDIT) -> MaterialDefinition:
    """Find and lock a material that the actor may change."""
    found = MaterialDefinition.objects.visible_to(actor).select_for_update(no_key=True).filter(pk=material_id)
    row: MaterialDefinition | None = found.first()
    if row is None:
        raise NotVisible(_("There is no such material here."))
    actor.require(permission, site_id=row.site_id)
    return row


def check_in_use(row: MaterialDefinition) -> None:
    """Raise `Conflict` when the material is retired."""
    if row.retired_at is not None:
        raise Conflict(_("%(code)s is retired.") % {"code": row.code})


def model_of(kind: VersionKind) -> Any:
    """Return the table of versions of a kind."""
    return BomVersion if kind is VersionKind.BOM else WorkMasterVersion


def kind_of(version: AnyVersion) -> VersionKind:
    """Return what a version is of."""
    return VersionKind.BOM if isinstance(version, BomVersion) else VersionKind.WORK_MASTER


def find_version(actor: Actor, kind: VersionKind, version_id: int, permission: str) -> AnyVersion:
    """Find a version where the actor has the permission, without locking it."""
    row: AnyVersion | None = model_of(kind).objects.visible_to(actor).filter(pk=version_id).first()
    if row is None:
        raise NotVisible(_("There is no such version here."))
    actor.require(permission, site_id=row.site_id)
    return row


def locked_version(actor: Actor, kind: VersionKind, version_id: int, permission: str = EDIT) -> AnyVersion:
    """Find and lock a version where the actor has the permission."""
    found = model_of(kind).objects.visible_to(actor).select_for_update().filter(pk=version_id)
    row: AnyVersion | None = found.first()
    if row is None:
        raise NotVisible(_("There is no such version here."))
    actor.require(permission, site_id=row.site_id)
    return row


def locked_draft(actor: Actor, kind: VersionKind, version_id: int, edition: int | None = None) -> AnyVersion:
    """Find and lock a draft; with ``edition``, only as it was when somebody looked at it."""
    row = locked_version(actor, kind, version_id)
    if row.state != VersionState.DRAFT:
        raise VersionIsReleased(
            _("Version %(number)d is released and never changes. Make a new version from it.") % {"number": row.number}
        )
    if edition is not None and row.edition != edition:
        raise Conflict(_("Somebody else changed this version since you opened it. Load it again, then change it."))
    return row


def tell_material(actor: Actor, row: MaterialDefinition, change: str, at: datetime, **detail: Any) -> None:
    """Tell the others of a material, and write the audit trail."""
    publish(MaterialChanged(site_id=row.site_id, material_id=row.pk, change=change), at=at)
    record(actor, row.site_id, f"engineering.material_{change}", "material", row.pk, at, code=row.code, **detail)


def tell_version(
    actor: Actor, event: type[VersionReleased | VersionSuperseded | VersionRetired], version: AnyVersion, at: datetime
) -> None:
    """Tell the others what became of a version."""
    publish(
        event(
            site_id=version.site_id,
            kind=kind_of(version).value,
            material_id=version.material_id,
            version_id=version.pk,
            number=version.number,
        ),
        at=at,
    )


def record_version(actor: Actor, version: AnyVersion, change: str, at: datetime, **detail: Any) -> None:
    """Write the audit trail of a version."""
    kind = kind_of(version).value
    detail = {"material": version.material_id, "number": version.number, **detail}
    record(actor, version.site_id, f"engineering.{kind}_{change}", kind, version.pk, at, **detail)


def record(actor: Actor, site_id: int, action: str, kind: str, pk: int, at: datetime, **detail: Any) -> None:
    """Write the audit trail."""
    audit.record(
        actor=actor, action=action, at=at, site_id=site_id, object_kind=f"engineering.{kind}", object_id=pk, **detail
    )
