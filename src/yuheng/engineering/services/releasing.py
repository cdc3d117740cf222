"""Versions put into force and taken out of it: what is released never changes again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime

import msgspec
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.engineering.events import VersionReleased, VersionRetired, VersionSuperseded
from yuheng.engineering.models import BomLine, BomVersion, Effectivity, WorkMasterVersion
from yuheng.engineering.rules import effectivity as rules
from yuheng.engineering.rules import graphs
from yuheng.engineering.rules.bills import check_bom, check_bom_for_release
from yuheng.engineering.rules.faults import Fault
from yuheng.engineering.rules.resolution import fingerprint
from yuheng.engineering.rules.routings import check_work_master, check_work_master_for_release, cycle_of
from yuheng.engineering.rules.specs import BomSpec, EffectivitySpec, WorkMasterSpec
from yuheng.engineering.rules.words import Basis, VersionKind, VersionState
from yuheng.engineering.said import CyclicStructure, VersionIsReleased, refused, sentence_of
from yuheng.engineering.selectors.contents import bom_specs, document_ids_of, places_of, work_master_specs
from yuheng.engineering.selectors.materials import material_names, parts_of
from yuheng.engineering.selectors.resolving import local_day, spec_of
from yuheng.engineering.services.access import (
    APPROVE,
    AnyVersion,
    find_version,
    kind_of,
    lock_site,
    locked_version,
    record_version,
    tell_version,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput


@transaction.atomic
def release_bom(
    *, actor: Actor, version_id: int, at: datetime, effectivity: EffectivitySpec | None = None
) -> BomVersion:
    """Put a draft bill into force: from today (local day of ``at``) on, or for what ``effectivity`` says.

    Raises
    ------
    PermissionRefused
        Needs ``engineering.approve``.
    VersionIsReleased, InvalidInput
        It is no draft; something in it is wrong (``fields`` says what by find number): no lines, units that do not
        fit, a formula that options can make divide by zero, a retired part.
    CyclicStructure
        The material would contain itself; the message names the way round.
    Conflict
        Another version holds for the same: that takes an engineering change order.
    """
    released = _release(actor, VersionKind.BOM, version_id, at, effectivity)
    assert isinstance(released, BomVersion)
    return released


@transaction.atomic
def release_work_master(
    *, actor: Actor, version_id: int, at: datetime, effectivity: EffectivitySpec | None = None
) -> WorkMasterVersion:
    """Put a draft work master into force; as `release_bom`, with segments for lines."""
    released = _release(actor, VersionKind.WORK_MASTER, version_id, at, effectivity)
    assert isinstance(released, WorkMasterVersion)
    return released


def _release(
    actor: Actor, kind: VersionKind, version_id: int, at: datetime, effectivity: EffectivitySpec | None
) -> AnyVersion:
    site = lock_site(actor, find_version(actor, kind, version_id, APPROVE).site_id, APPROVE)
    version = locked_version(actor, kind, version_id, APPROVE)
    wanted = effectivity or EffectivitySpec(valid_from=local_day(site.pk, at))
    check_releasable([version])
    taken = in_the_way(version, wanted)
    if taken:
        sentence = _("Version %(number)d holds for this already. Make an engineering change order to replace it.")
        raise Conflict(sentence % {"number": _number_of(taken[0])})
    put_into_force(actor, version, wanted, at)
    return version


# ---- shared with changes; all of it needs the site's lock ---------------------------------------------------------


def check_releasable(versions: Sequence[AnyVersion]) -> None:
    """Raise unless all of these drafts may be put into force together.

    Raises
    ------
    VersionIsReleased, InvalidInput, CyclicStructure
    """
    for version in versions:
        if version.state != VersionState.DRAFT:
            raise VersionIsReleased(_("Version %(number)d is released already.") % {"number": version.number})
    boms = [version for version in versions if isinstance(version, BomVersion)]
    specs = bom_specs(boms)
    for version in boms:
        _check_bom(version, specs[version.pk])
    masters = [version for version in versions if isinstance(version, WorkMasterVersion)]
    contents = work_master_specs(masters)
    for master in masters:
        _check_work_master(master, contents[master.pk])
    if boms:
        _refuse_cycles(boms, specs)


def _check_bom(version: BomVersion, spec: BomSpec) -> None:
    named = {line.material_id for line in spec.lines}
    named |= {one.material_id for line in spec.lines for one in line.alternates}
    parts = parts_of(named, site_id=version.site_id)
    if faults := check_bom(spec, version.material_id, parts) or check_bom_for_release(spec, parts):
        raise refused(faults)


def _check_work_master(version: WorkMasterVersion, spec: WorkMasterSpec) -> None:
    faults = check_work_master(spec, places_of(version.site_id, document_ids_of(spec)))
    if not faults and (cycle := cycle_of(spec)):
        fault = Fault("The segments go round in a circle: %(way)s.", "", {"way": " → ".join(cycle)})
        raise CyclicStructure(sentence_of(fault))
    if faults := faults or check_work_master_for_release(spec):
        raise refused(faults)


def _refuse_cycles(boms: Sequence[BomVersion], specs: dict[int, BomSpec]) -> None:
    """Refuse a material that would contain itself through these bills and those in force. Two queries a level."""
    edges: dict[int, set[int]] = {}
    for version in boms:
        edges.setdefault(version.material_id, set()).update(line.material_id for line in specs[version.pk].lines)
    starts = set(edges)
    frontier, seen = {pk for below in edges.values() for pk in below}, set[int]()
    while frontier:
        seen |= frontier
        found = parts_below(frontier)
        for material_id, below in found.items():
            edges.setdefault(material_id, set()).update(below)
        frontier = {pk for below in found.values() for pk in below} - seen
    for pk in starts - seen:
        for below in parts_below([pk]).values():
            edges[pk].update(below)
    if cycle := graphs.find_cycle(edges, sorted(starts)):
        names = material_names(cycle)
        way = " → ".join(names[pk].code for pk in cycle)
        raise CyclicStructure(_("The material contains itself: %(way)s.") % {"way": way})


def parts_below(material_ids: Iterable[int]) -> dict[int, set[int]]:
    """Material -> components of its bills in force. One query."""
    rows = BomLine.objects.filter(
        bom__effectivities__is_active=True, bom__material_id__in=set(material_ids)
    ).values_list("bom__material_id", "component_id")
    found: dict[int, set[int]] = {}
    for material_id, component_id in rows.distinct():
        found.setdefault(material_id, set()).add(component_id)
    return found


def in_the_way(version: AnyVersion, wanted: EffectivitySpec) -> list[Effectivity]:
    """Return what other versions of the material hold for a part of the same. One query.

    Raises
    ------
    InvalidInput
        ``wanted`` says nothing, or ends before it begins.
    """
    if fault := rules.check_effectivity(wanted):
        raise InvalidInput(sentence_of(fault), {"effectivity": sentence_of(fault)})
    rows = Effectivity.objects.filter(material_id=version.material_id, kind=kind_of(version), is_active=True)
    rows = rows.filter(basis=wanted.basis).select_related("bom", "work_master").order_by("pk")
    return [row for row in rows if rules.overlap(spec_of(row), wanted)]


def _number_of(row: Effectivity) -> int:
    version = row.bom or row.work_master
    assert version is not None
    return version.number


def put_into_force(actor: Actor, version: AnyVersion, wanted: EffectivitySpec, at: datetime) -> None:
    """Write that a checked draft is released and holds; nothing else may hold for the same by now."""
    specs = bom_specs([version]) if isinstance(version, BomVersion) else work_master_specs([version])
    content: BomSpec | WorkMasterSpec = specs[version.pk]
    version.state, version.released_at, version.released_by = VersionState.RELEASED, at, actor.name
    version.content_sha256 = fingerprint(msgspec.to_builtins(content))
    version.save(update_fields=["state", "released_at", "released_by", "content_sha256"])
    _hold(version, wanted)
    tell_version(actor, VersionReleased, version, at)
    record_version(
        actor, version, "released", at, effectivity=rules.spoken(wanted), content_sha256=version.content_sha256
    )


def _hold(version: AnyVersion, wanted: EffectivitySpec) -> None:
    owner = {"bom": version} if isinstance(version, BomVersion) else {"work_master": version}
    try:
        with transaction.atomic():
            Effectivity.objects.create(
                site_id=version.site_id,
                material_id=version.material_id,
                kind=kind_of(version),
                is_active=True,
                **owner,
                **asdict(wanted),
            )
    except IntegrityError as error:
        raise Conflict(_("Another version was released for the same meanwhile. Look again.")) from error


def make_room(actor: Actor, version: AnyVersion, wanted: EffectivitySpec, at: datetime) -> list[AnyVersion]:
    """Shorten what other versions hold for, so that this one can; those left with nothing are superseded."""
    touched: dict[int, AnyVersion] = {}
    for row in in_the_way(version, wanted):
        holder = row.bom or row.work_master
        assert holder is not None
        touched[holder.pk] = holder
        left = rules.without(spec_of(row), wanted)
        row.delete()
        for one in left:
            _hold(holder, one)
    superseded = []
    for holder in touched.values():
        if _still_leads(holder, wanted):
            continue
        if holder.state == VersionState.RELEASED:
            holder.state = VersionState.SUPERSEDED
            holder.save(update_fields=["state"])
            tell_version(actor, VersionSuperseded, holder, at)
            record_version(actor, holder, "superseded", at, by=version.number)
            superseded.append(holder)
    return superseded


def end_from(actor: Actor, version: AnyVersion, start: date, at: datetime) -> None:
    """Let a version hold no longer than until a day; it is superseded by nothing."""
    gap = EffectivitySpec(valid_from=start)
    for row in version.effectivities.filter(is_active=True, basis=Basis.DATE):
        left = rules.without(spec_of(row), gap)
        row.delete()
        for one in left:
            _hold(version, one)
    if version.state == VersionState.RELEASED and not _still_leads(version, gap):
        version.state = VersionState.SUPERSEDED
        version.save(update_fields=["state"])
        tell_version(actor, VersionSuperseded, version, at)
        record_version(actor, version, "superseded", at, by=None)


def _still_leads(version: AnyVersion, wanted: EffectivitySpec) -> bool:
    """Return whether a version holds for something that lies not only before the one that replaces it."""
    rows = [spec_of(row) for row in version.effectivities.filter(is_active=True)]
    if wanted.basis is not Basis.DATE:
        return bool(rows)
    return any(
        one.basis is not Basis.DATE or one.valid_to is None or (wanted.valid_from or one.valid_to) < one.valid_to
        for one in rows
    )


@transaction.atomic
def retire_version(*, actor: Actor, kind: VersionKind, version_id: int, reason: str, at: datetime) -> AnyVersion:
    """Take a released version out of force without another: it must not be used any more.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        It is a draft: throw that away instead.
    """
    lock_site(actor, find_version(actor, kind, version_id, APPROVE).site_id, APPROVE)
    version = locked_version(actor, kind, version_id, APPROVE)
    if version.state == VersionState.OBSOLETE:
        return version
    if version.state == VersionState.DRAFT:
        raise Conflict(_("A draft was never in force; throw it away instead."))
    if not reason.strip():
        message = _("Say why.")
        raise InvalidInput(message, {"reason": message})
    version.effectivities.filter(is_active=True).update(is_active=False)
    version.state = VersionState.OBSOLETE
    version.save(update_fields=["state"])
    tell_version(actor, VersionRetired, version, at)
    record_version(actor, version, "retired", at, reason=reason[:400])
    return version
