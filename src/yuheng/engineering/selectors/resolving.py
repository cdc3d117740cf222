"""A product for one order: which versions hold, every level, every quantity; frozen by whoever releases the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from yuheng.engineering.models import BomVersion, Effectivity, WorkMasterVersion
from yuheng.engineering.rules import effectivity, measures, resolution
from yuheng.engineering.rules.bills import CompiledBom, Part, compile_bom
from yuheng.engineering.rules.effectivity import Candidate
from yuheng.engineering.rules.explosion import Explosion
from yuheng.engineering.rules.faults import Faulty, NothingEffective
from yuheng.engineering.rules.options import read_options
from yuheng.engineering.rules.resolution import Resolution, ResolvedLine
from yuheng.engineering.rules.routings import KnownWorkMaster, Places
from yuheng.engineering.rules.specs import BomSpec, EffectivitySpec, WorkMasterSpec
from yuheng.engineering.rules.words import Basis, Source, VersionKind, VersionState
from yuheng.engineering.said import as_refusal
from yuheng.engineering.selectors.contents import bom_specs, places_of, work_master_specs
from yuheng.engineering.selectors.materials import VIEW, current_revisions, parts_of
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.models import Site

IN_FORCE = (VersionState.RELEASED, VersionState.SUPERSEDED)
LARGEST_QUANTITY = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class EffectiveVersions:
    """Which versions of one material hold."""

    bom_version_id: int | None
    bom_number: int | None
    work_master_version_id: int | None
    work_master_number: int | None


def effective_versions(*, material_id: int, on: date, serial: str = "", order_code: str = "") -> EffectiveVersions:
    """Which versions hold for a day, serial number and order. Three queries.

    Raises
    ------
    NoEffectiveVersion
        The material has versions of a kind, but none of them, or more than one, holds.
    """
    loader = _Loader(on, serial, order_code)
    loader.look_up({material_id})
    try:
        bom = loader.chosen(material_id, VersionKind.BOM)
        master = loader.chosen(material_id, VersionKind.WORK_MASTER)
    except Faulty as error:
        raise as_refusal(error) from error
    return EffectiveVersions(
        bom.version_id if bom else None,
        bom.number if bom else None,
        master.version_id if master else None,
        master.number if master else None,
    )


def resolve(
    *,
    actor: Actor,
    site_id: int,
    material_id: int,
    quantity: Decimal,
    at: datetime,
    on: date | None = None,
    serial: str = "",
    order_code: str = "",
    options: Mapping[str, Any] | None = None,
    unit: str = "",
    bom_version_id: int | None = None,
    work_master_version_id: int | None = None,
) -> Resolution:
    """Return the product for one order: multi-level bill with quantities, routings with times, all frozen.

    Parameters
    ----------
    on
        Day that decides which versions hold; None: the day of ``at`` at the plant.
    quantity, unit
        How much is to be made; ``unit`` "" is the material's own.
    options
        Chosen values by name: text, truth, numbers in the option's unit, or ``{"value": 4.5, "unit": "m"}``.
    bom_version_id, work_master_version_id
        Take these released versions of the product itself whatever the effectivity says.

    Raises
    ------
    NotVisible, PermissionRefused, InvalidInput
    NoEffectiveVersion
        Of the product or something made in it.
    CyclicStructure
        The material contains itself, or its segments go round in a circle.
    CannotCalculate
        A formula divides by zero or is negative for these options, or an option is missing or unknown.

    Notes
    -----
    Reads only. Eight queries a level of made parts, and thirteen more.
    """
    actor.require(VIEW, site_id=site_id)
    part = parts_of([material_id], site_id=site_id).get(material_id)
    if part is None:
        raise NotVisible(_("There is no such material here."))
    base = _base_quantity(part, quantity, unit)
    on = on or local_day(site_id, at)
    loader = _Loader(on, serial, order_code)
    loader.force(material_id, bom_version_id, work_master_version_id)
    loader.load(material_id, site_id)
    try:
        found = Explosion(loader).run(material_id, base, read_options(options or {}))
    except Faulty as error:
        raise as_refusal(error) from error
    top = loader.part(material_id)
    bom, master = loader.chosen(material_id, VersionKind.BOM), loader.chosen(material_id, VersionKind.WORK_MASTER)
    assert master is not None  # the explosion refused otherwise
    return Resolution(
        site_id=site_id,
        material_id=material_id,
        material_code=top.code,
        name_zh=top.name_zh,
        name_en=top.name_en,
        revision=loader.revision_of(bom.version_id if bom else None) or top.revision,
        unit=top.unit,
        tracking=top.tracking,
        on=on,
        serial=serial,
        order_code=order_code,
        options=dict(sorted(found.options.items())),
        quantity=resolution.plain(base),
        bom_version_id=bom.version_id if bom else None,
        bom_version_number=bom.number if bom else None,
        work_master_version_id=master.version_id,
        work_master_version_number=master.number,
        lines=tuple(found.lines),
        routings=tuple(found.routings),
        resolved_at=at,
    )


def local_day(site_id: int, at: datetime) -> date:
    """Return the day at the plant. One query."""
    return at.astimezone(ZoneInfo(Site.objects.values_list("time_zone", flat=True).get(pk=site_id))).date()


def _base_quantity(part: Part, quantity: Decimal, unit: str) -> Decimal:
    if part.is_retired:
        raise Conflict(_("%(code)s is retired.") % {"code": part.code})
    if part.source is not Source.MAKE:
        raise InvalidInput(_("%(code)s is not made here: it is bought, or part of others.") % {"code": part.code})
    size = measures.factor(unit or part.unit, part.unit, part.conversions)
    if size is None:
        sentence = _("%(code)s is kept in '%(base)s', which '%(unit)s' is not.")
        text = sentence % {"code": part.code, "base": part.unit, "unit": unit}
        raise InvalidInput(text, {"unit": text})
    if not (quantity.is_finite() and 0 < quantity * size <= LARGEST_QUANTITY):
        text = _("The quantity is more than nothing and at most a thousand million.")
        raise InvalidInput(text, {"quantity": text})
    return quantity * size


def explode(
    *,
    actor: Actor,
    version_id: int,
    at: datetime,
    on: date | None = None,
    options: Mapping[str, Any] | None = None,
    quantity: Decimal = Decimal(1),
) -> tuple[ResolvedLine, ...]:
    """Return every level of a bill, a draft's too, without routings; below it, what holds on the day.

    Raises
    ------
    NotVisible, PermissionRefused, NoEffectiveVersion, CyclicStructure, CannotCalculate
    """
    version = BomVersion.objects.visible_to(actor).filter(pk=version_id).first()
    if version is None:
        raise NotVisible(_("There is no such version here."))
    actor.require(VIEW, site_id=version.site_id)
    loader = _Loader(on or local_day(version.site_id, at), "", "")
    loader.forced[(version.material_id, VersionKind.BOM)] = Candidate(version.pk, version.number, EffectivitySpec())
    loader.load(version.material_id, version.site_id, with_work_masters=False)
    try:
        explosion = Explosion(loader, with_routings=False)
        return tuple(explosion.run(version.material_id, quantity, read_options(options or {})).lines)
    except Faulty as error:
        raise as_refusal(error) from error


def resolution_from_document(document: Mapping[str, Any], *, sha256: str = "") -> Resolution:
    """Read a frozen product back; with ``sha256``, only when it is unchanged. Raises `InvalidInput`."""
    if sha256 and resolution.fingerprint(document) != sha256:
        raise InvalidInput(_("The frozen product was changed: its fingerprint is another."))
    try:
        return resolution.from_document(document)
    except Faulty as error:
        raise as_refusal(error) from error


class _Loader:
    """Finds which versions hold, and loads them level by level: what the explosion needs is there before it starts."""

    def __init__(self, on: date, serial: str, order_code: str) -> None:
        self.on, self.serial, self.order_code = on, serial, order_code
        self.forced: dict[tuple[int, VersionKind], Candidate] = {}
        self.candidates: dict[tuple[int, VersionKind], list[Candidate]] = {}
        self.existing: set[tuple[int, VersionKind]] = set()
        self.parts: dict[int, Part] = {}
        self.versions: dict[int, BomVersion] = {}
        self.boms: dict[int, BomSpec] = {}
        self.masters: dict[int, WorkMasterSpec] = {}
        self.places = Places({}, {})
        self.compiled: dict[int, CompiledBom] = {}

    # ---- which versions hold ------------------------------------------------------------------------------------

    def force(self, material_id: int, bom_version_id: int | None, work_master_version_id: int | None) -> None:
        """Take these versions of the product itself."""
        asked: tuple[tuple[VersionKind, Any, int | None], ...] = (
            (VersionKind.BOM, BomVersion, bom_version_id),
            (VersionKind.WORK_MASTER, WorkMasterVersion, work_master_version_id),
        )
        for kind, model, pk in asked:
            if pk is None:
                continue
            version = model.objects.filter(pk=pk, material_id=material_id, state__in=IN_FORCE).first()
            if version is None:
                raise InvalidInput(_("This version is not a released one of this material."))
            self.forced[(material_id, kind)] = Candidate(version.pk, version.number, EffectivitySpec())

    def look_up(self, material_ids: set[int]) -> None:
        """Find what could hold for these materials. Three queries."""
        rows = Effectivity.objects.filter(material_id__in=material_ids, is_active=True)
        for row in rows.select_related("bom", "work_master"):
            kind, version = VersionKind(row.kind), row.bom or row.work_master
            assert version is not None
            candidate = Candidate(version.pk, version.number, spec_of(row))
            self.candidates.setdefault((row.material_id, kind), []).append(candidate)
        models: tuple[tuple[VersionKind, Any], ...] = (
            (VersionKind.BOM, BomVersion),
            (VersionKind.WORK_MASTER, WorkMasterVersion),
        )
        for kind, model in models:
            found = model.objects.filter(material_id__in=material_ids).exclude(state=VersionState.OBSOLETE)
            self.existing |= {(pk, kind) for pk in found.order_by().values_list("material_id", flat=True).distinct()}

    def chosen(self, material_id: int, kind: VersionKind) -> Candidate | None:
        """Return the version that holds; None when there is none of the kind at all. Raises `NothingEffective`."""
        key = (material_id, kind)
        if key in self.forced:
            return self.forced[key]
        if key not in self.existing and key not in self.candidates:
            return None
        candidates = self.candidates.get(key, ())
        return effectivity.choose(candidates, on=self.on, serial=self.serial, order_code=self.order_code)

    def _chosen_ids(self, material_ids: Iterable[int], kind: VersionKind) -> list[int]:
        found: list[int] = []
        for pk in material_ids:
            try:
                candidate = self.chosen(pk, kind)
            except NothingEffective:
                continue  # said when it is needed: a condition may leave it out
            if candidate is not None:
                found.append(candidate.version_id)
        return found

    # ---- everything below a product -----------------------------------------------------------------------------

    def load(self, material_id: int, site_id: int, *, with_work_masters: bool = True) -> None:
        """Load the product and every level below it."""
        self.parts = parts_of([material_id], with_revisions=True)
        reached, frontier, master_ids = {material_id}, {material_id}, []
        while frontier:
            self.look_up(frontier)
            versions = BomVersion.objects.filter(pk__in=self._chosen_ids(frontier, VersionKind.BOM))
            loaded = {version.pk: version for version in versions.select_related("revision")}
            self.versions |= loaded
            specs = bom_specs(loaded.values())
            self.boms |= specs
            if with_work_masters:
                master_ids += self._chosen_ids(frontier, VersionKind.WORK_MASTER)
            named = {line.material_id for spec in specs.values() for line in spec.lines}
            named |= {one.material_id for spec in specs.values() for line in spec.lines for one in line.alternates}
            self.parts |= parts_of(named - set(self.parts))
            below = {line.material_id for spec in specs.values() for line in spec.lines} - reached
            frontier = {pk for pk in below if self.parts[pk].source is not Source.BUY}
            reached |= below
        self._add_revisions()
        if with_work_masters:
            self.masters = work_master_specs(WorkMasterVersion.objects.filter(pk__in=master_ids))
            self.places = places_of(site_id)

    def _add_revisions(self) -> None:
        """Say of each part which revision is current. One query."""
        for pk, code in current_revisions(self.parts).items():
            one = self.parts[pk]
            self.parts[pk] = Part(
                one.id, one.code, one.unit, one.source, one.tracking, one.conversions, one.name_zh, one.name_en, code,
                one.is_retired,
            )  # fmt: skip

    def revision_of(self, bom_version_id: int | None) -> str:
        """Return the revision that a bill is of, or ""."""
        version = self.versions.get(bom_version_id or 0)
        return version.revision.code if version is not None and version.revision is not None else ""

    # ---- explosion.Library --------------------------------------------------------------------------------------

    def part(self, material_id: int) -> Part:
        """Return a material."""
        return self.parts[material_id]

    def bom(self, material_id: int) -> CompiledBom | None:
        """Return the bill that holds."""
        chosen = self.chosen(material_id, VersionKind.BOM)
        if chosen is None:
            return None
        if chosen.version_id not in self.compiled:
            spec = self.boms[chosen.version_id]
            self.compiled[chosen.version_id] = compile_bom(chosen.version_id, chosen.number, spec, self.parts)
        return self.compiled[chosen.version_id]

    def work_master(self, material_id: int) -> KnownWorkMaster | None:
        """Return the work master that holds."""
        chosen = self.chosen(material_id, VersionKind.WORK_MASTER)
        if chosen is None:
            return None
        return KnownWorkMaster(chosen.version_id, chosen.number, self.masters[chosen.version_id], self.places)


def spec_of(row: Effectivity) -> EffectivitySpec:
    """Return a row as the rules know it."""
    return EffectivitySpec(
        Basis(row.basis),
        row.valid_from,
        row.valid_to,
        row.serial_prefix,
        row.serial_first,
        row.serial_last,
        row.order_code,
    )
