"""Engineering change orders: written, submitted, decided by another person, implemented all at once or not at all."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.engineering.events import ChangeImplemented
from yuheng.engineering.models import AffectedVersion, BomVersion, EngineeringChangeOrder, WorkMasterVersion
from yuheng.engineering.rules.specs import ChangeSpec, EffectivitySpec
from yuheng.engineering.rules.words import CHANGE_TRANSITIONS, ChangeState, VersionKind, VersionState
from yuheng.engineering.selectors.changes import fingerprint_of
from yuheng.engineering.selectors.resolving import local_day
from yuheng.engineering.services.access import APPROVE, EDIT, AnyVersion, lock_site, locked_version, record
from yuheng.engineering.services.releasing import (
    check_releasable,
    end_from,
    make_room,
    put_into_force,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish

MOST_AFFECTED = 500
SomeVersion = TypeVar("SomeVersion", BomVersion, WorkMasterVersion)


@transaction.atomic
def create_change(*, actor: Actor, site_id: int, spec: ChangeSpec, at: datetime) -> EngineeringChangeOrder:
    """Write a change; without a code it gets the next one, ``ECO-0012``.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    lock_site(actor, site_id)
    _check(spec)
    code = spec.code.strip() or _next_code(site_id)
    try:
        with transaction.atomic():
            row = EngineeringChangeOrder.objects.create(
                site_id=site_id,
                code=code,
                created_at=at,
                created_by=actor.name,
                author_id=actor.person_id,
                **_own_fields(spec),
            )
    except IntegrityError as error:
        message = _("This code is taken at the site.")
        raise InvalidInput(message, {"code": message}) from error
    _record(actor, row, "created", at)
    return row


def _next_code(site_id: int) -> str:
    count = EngineeringChangeOrder.objects.filter(site_id=site_id).count() + 1
    while EngineeringChangeOrder.objects.filter(site_id=site_id, code=f"ECO-{count:04d}").exists():
        count += 1
    return f"ECO-{count:04d}"


def _check(spec: ChangeSpec) -> None:
    wrong: dict[str, str] = {}
    if not spec.title.strip() or len(spec.title) > 160:
        wrong["title"] = _("Give the change a title of at most 160 characters.")
    if not spec.reason.strip():
        wrong["reason"] = _("Say why.")
    if len(spec.code) > 40:
        wrong["code"] = _("A code has letters, digits and . _ - only, at most 40.")
    if wrong:
        raise InvalidInput(" ".join(wrong.values()), wrong)


def _own_fields(spec: ChangeSpec) -> dict[str, object]:
    names = ("title", "reason", "effective_from", "disposition_stock", "disposition_wip", "disposition_field")
    return {name: getattr(spec, name) for name in names}


@transaction.atomic
def edit_change(*, actor: Actor, change_id: int, spec: ChangeSpec, at: datetime) -> EngineeringChangeOrder:
    """Write a change's text anew, while it is a draft."""
    row = _locked(actor, change_id, EDIT)
    _require(row, ChangeState.DRAFT)
    _check(spec)
    for name, value in _own_fields(spec).items():
        setattr(row, name, value)
    row.save()
    _record(actor, row, "edited", at)
    return row


@transaction.atomic
def add_to_change(
    *, actor: Actor, change_id: int, kind: VersionKind, version_id: int, is_end: bool = False, at: datetime
) -> AffectedVersion:
    """Put a draft version into a change; with ``is_end`` a released one, which then ends without another.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        The change is no draft, the version is not of the right state, or the change has one of that material already.
    """
    row = _locked(actor, change_id, EDIT)
    _require(row, ChangeState.DRAFT)
    version = locked_version(actor, kind, version_id)
    if version.site_id != row.site_id:
        raise NotVisible(_("There is no such version here."))
    if (version.state == VersionState.DRAFT) is is_end:
        if is_end:
            raise Conflict(_("A draft was never in force; throw it away instead."))
        raise Conflict(_("Version %(number)d is released already.") % {"number": version.number})
    present = list(row.affected.select_related("bom", "work_master"))
    if len(present) >= MOST_AFFECTED:
        raise Conflict(_("A change has at most %(most)d versions.") % {"most": MOST_AFFECTED})
    for one in present:
        other = one.bom if kind is VersionKind.BOM else one.work_master
        if other is not None and other.material_id == version.material_id:
            raise Conflict(_("The change has a version of this material already."))
    owner = {"bom": version} if isinstance(version, BomVersion) else {"work_master": version}
    added = AffectedVersion.objects.create(change=row, is_end=is_end, **owner)
    _record(actor, row, "edited", at, added=f"{kind.value} {version.pk}")
    return added


@transaction.atomic
def remove_from_change(*, actor: Actor, change_id: int, affected_id: int, at: datetime) -> None:
    """Take a version out of a change that is a draft."""
    row = _locked(actor, change_id, EDIT)
    _require(row, ChangeState.DRAFT)
    gone, _kinds = row.affected.filter(pk=affected_id).delete()
    if gone:
        _record(actor, row, "edited", at, removed=affected_id)


@transaction.atomic
def submit_change(*, actor: Actor, change_id: int, at: datetime) -> EngineeringChangeOrder:
    """Ask another person to approve: what is in the versions now is what they decide on.

    Raises
    ------
    PermissionRefused, NotVisible, Conflict
    InvalidInput, CyclicStructure
        One of the versions could not be released.
    """
    row = _locked(actor, change_id, EDIT)
    _move(row, ChangeState.IN_REVIEW)
    affected = _affected(row)
    if not affected:
        raise Conflict(_("The change affects no version yet."))
    check_releasable(_drafts(affected))
    row.submitted_at, row.submitted_by = at, actor.name
    row.content_sha256 = fingerprint_of(affected)
    row.save()
    _record(actor, row, "submitted", at, content_sha256=row.content_sha256)
    return row


@transaction.atomic
def withdraw_change(*, actor: Actor, change_id: int, at: datetime) -> EngineeringChangeOrder:
    """Take a submitted change back to write it on."""
    row = _locked(actor, change_id, EDIT)
    _require(row, ChangeState.IN_REVIEW)
    _move(row, ChangeState.DRAFT)
    row.content_sha256 = ""
    row.save()
    _record(actor, row, "withdrawn", at)
    return row


@transaction.atomic
def approve_change(*, actor: Actor, change_id: int, note: str = "", at: datetime) -> EngineeringChangeOrder:
    """Agree to a change as it was submitted.

    Raises
    ------
    PermissionRefused
        Needs ``engineering.approve``.
    Conflict
        The actor wrote or submitted it or one of its versions, or a version was changed since it was submitted.
    """
    row = _locked(actor, change_id, APPROVE)
    _move(row, ChangeState.APPROVED)
    affected = _affected(row)
    authors = {row.created_by, row.submitted_by, *(one.created_by for one in _drafts(affected))}
    if actor.name in authors or (actor.person_id is not None and actor.person_id == row.author_id):
        raise Conflict(_("Another person than the author approves a change."))
    _check_unchanged(row, affected)
    row.decided_at, row.decided_by, row.decision_note = at, actor.name, note
    row.save()
    _record(actor, row, "approved", at, note=note[:400], content_sha256=row.content_sha256)
    return row


@transaction.atomic
def reject_change(*, actor: Actor, change_id: int, note: str, at: datetime) -> EngineeringChangeOrder:
    """Refuse a change for good, and say why; its drafts stay."""
    row = _locked(actor, change_id, APPROVE)
    _move(row, ChangeState.REJECTED)
    if not note.strip():
        message = _("Say why.")
        raise InvalidInput(message, {"note": message})
    row.decided_at, row.decided_by, row.decision_note = at, actor.name, note
    row.save()
    _record(actor, row, "rejected", at, note=note[:400])
    return row


@transaction.atomic
def implement_change(*, actor: Actor, change_id: int, at: datetime) -> EngineeringChangeOrder:
    """Put an approved change into force: its versions are released, those before them superseded; all or nothing.

    They hold from ``effective_from`` of the change, or from today when that day is over.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, CyclicStructure
    Conflict
        It is not approved, or a version was changed since.
    """
    row = _locked(actor, change_id, APPROVE)
    _move(row, ChangeState.IMPLEMENTED)
    affected = _affected(row)
    _check_unchanged(row, affected)
    drafts = _drafts(affected)
    check_releasable(drafts)
    start = max(row.effective_from, local_day(row.site_id, at))
    wanted = EffectivitySpec(valid_from=start)
    for one in affected:
        version = one.bom or one.work_master
        if one.is_end and version is not None:
            end_from(actor, version, start, at)
    for version in drafts:
        make_room(actor, version, wanted, at)
        put_into_force(actor, version, wanted, at)
    row.implemented_at, row.implemented_by = at, actor.name
    row.save()
    publish(
        ChangeImplemented(site_id=row.site_id, change_id=row.pk, code=row.code, effective_from=start.isoformat()), at=at
    )
    _record(actor, row, "implemented", at, effective_from=start.isoformat(), versions=len(affected))
    return row


# ---- shared -------------------------------------------------------------------------------------------------------


def _locked(actor: Actor, change_id: int, permission: str) -> EngineeringChangeOrder:
    """Lock the plant's engineering and the change; the one order in which locks are taken."""
    found = EngineeringChangeOrder.objects.visible_to(actor).filter(pk=change_id).first()
    if found is None:
        raise NotVisible(_("There is no such change here."))
    lock_site(actor, found.site_id, permission)
    row: EngineeringChangeOrder = EngineeringChangeOrder.objects.select_for_update().get(pk=change_id)
    return row


def _affected(row: EngineeringChangeOrder) -> list[AffectedVersion]:
    """Return what a change affects; the drafts among it locked, so that nobody edits them meanwhile."""
    found = list(row.affected.all())
    boms = {one.pk: one for one in _lock(BomVersion, [a.bom_id for a in found if a.bom_id])}
    masters = {one.pk: one for one in _lock(WorkMasterVersion, [a.work_master_id for a in found if a.work_master_id])}
    for one in found:
        if one.bom_id:
            one.bom = boms[one.bom_id]
        if one.work_master_id:
            one.work_master = masters[one.work_master_id]
    return found


def _lock(model: type[SomeVersion], ids: list[int]) -> list[SomeVersion]:
    return list(model.objects.select_for_update().filter(pk__in=ids).order_by("pk"))


def _drafts(affected: list[AffectedVersion]) -> list[AnyVersion]:
    found: list[AnyVersion] = []
    for one in affected:
        version = one.bom or one.work_master
        if version is not None and not one.is_end:
            found.append(version)
    return found


def _check_unchanged(row: EngineeringChangeOrder, affected: list[AffectedVersion]) -> None:
    if fingerprint_of(affected) != row.content_sha256:
        raise Conflict(_("A version was changed since the change was submitted. Take it back and submit it again."))


def _require(row: EngineeringChangeOrder, state: ChangeState) -> None:
    if row.state != state:
        raise Conflict(_("The change %(code)s is %(state)s by now.") % {"code": row.code, "state": row.state})


def _move(row: EngineeringChangeOrder, state: ChangeState) -> None:
    if state not in CHANGE_TRANSITIONS[ChangeState(row.state)]:
        raise Conflict(_("The change %(code)s is %(state)s by now.") % {"code": row.code, "state": row.state})
    row.state = state


def _record(actor: Actor, row: EngineeringChangeOrder, change: str, at: datetime, **detail: object) -> None:
    record(actor, row.site_id, f"engineering.change_{change}", "change", row.pk, at, code=row.code, **detail)
