"""What a file would do, row by row; and the same again, done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from yuheng.engineering.importing.files import RawRow
from yuheng.engineering.models import (
    BomLine,
    BomVersion,
    MaterialClass,
    MaterialDefinition,
    MaterialUnit,
    WorkMasterVersion,
)
from yuheng.engineering.rules.bills import check_bom, sorted_lines
from yuheng.engineering.rules.comparing import compare_boms, compare_work_masters
from yuheng.engineering.rules.faults import Fault, Faulty, _
from yuheng.engineering.rules.routings import check_work_master
from yuheng.engineering.rules.specs import BomSpec, MaterialSpec, ParameterSpec, WorkMasterSpec
from yuheng.engineering.rules.words import Source, Tracking, VersionState
from yuheng.engineering.said import said, sentence_of
from yuheng.engineering.selectors.contents import bom_specs, document_ids_of, places_of, work_master_specs
from yuheng.engineering.selectors.materials import material_ids_of, parts_of
from yuheng.engineering.services.bills import define_bom, replace_bom
from yuheng.engineering.services.materials import check_material
from yuheng.engineering.services.work_masters import define_work_master, replace_work_master
from yuheng.engineering.tables import cells, rows
from yuheng.kernel.actor import Actor

BATCH = 1_000
LONGEST_GROUP = 5_000
ADD, CHANGE, UNCHANGED, REFUSE = "add", "change", "unchanged", "refuse"
COLUMNS: dict[str, tuple[str, ...]] = {
    "materials": rows.MATERIAL_COLUMNS,
    "boms": ("material", *rows.LINE_COLUMNS, "parameters"),
    "routings": ("material", *rows.SEGMENT_COLUMNS, "parameters"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happens to one row."""

    line: int
    action: str
    key: str
    changes: dict[str, list[str]] = field(default_factory=dict)
    reason: str = ""

    def digest(self) -> bytes:
        """Return what two plans that do the same have the same."""
        return repr((self.line, self.action, self.key, sorted(self.changes.items()), self.reason)).encode()


@dataclass(frozen=True, slots=True)
class Step:
    """Some rows that belong together, and how to write those of them that are added or changed."""

    outcomes: list[Outcome]
    write: Callable[[Actor, datetime], None] = lambda _actor, _at: None


def steps(kind: str, site_id: int, raw: Iterator[RawRow]) -> Iterator[Step]:
    """Decide about every row. At most a batch, or the rows of one material, are in memory at a time."""
    if kind == "materials":
        return _Materials(site_id).steps(raw)
    return (_Boms(site_id) if kind == "boms" else _Routings(site_id)).steps(raw)


def _seen(text: str) -> int:
    """Return a short fingerprint of a key: a million of them fit into memory."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


# ---- materials ----------------------------------------------------------------------------------------------------


class _Materials:
    def __init__(self, site_id: int) -> None:
        self.site_id = site_id
        self.seen: set[int] = set()
        self.classes = dict(MaterialClass.objects.filter(site_id=site_id).values_list("code", "pk"))

    def steps(self, raw: Iterator[RawRow]) -> Iterator[Step]:
        while batch := list(islice(raw, BATCH)):
            yield self.step(batch)

    def step(self, batch: list[RawRow]) -> Step:
        codes = {row.cells.get("code", "") for row in batch}
        found = MaterialDefinition.objects.filter(site_id=self.site_id, code__in=codes).select_related("material_class")
        existing = {row.code: row for row in found}
        units: dict[int, dict[str, Any]] = {}
        for unit in MaterialUnit.objects.filter(material__in=existing.values()):
            units.setdefault(unit.material_id, {})[unit.unit] = unit.factor.normalize()
        used = set(
            BomLine.objects.filter(component__in=existing.values()).values_list("component_id", flat=True).distinct()
        )
        outcomes: list[Outcome] = []
        new: list[MaterialSpec] = []
        changed: list[tuple[MaterialDefinition, MaterialSpec]] = []
        for row in batch:
            outcome, spec = self.decide(row, existing, units, used)
            outcomes.append(outcome)
            if spec is not None and outcome.action == ADD:
                new.append(spec)
            elif spec is not None and outcome.action == CHANGE:
                changed.append((existing[spec.code], spec))
        return Step(outcomes, lambda _actor, at: self.write(new, changed, at))

    def decide(
        self,
        row: RawRow,
        existing: Mapping[str, MaterialDefinition],
        units: Mapping[int, dict[str, Any]],
        used: set[int],
    ) -> tuple[Outcome, MaterialSpec | None]:
        key = row.cells.get("code", "")
        present = existing.get(key)
        before = _written(present, units.get(present.pk, {})) if present else {}
        try:
            spec = rows.read_material({**before, **row.cells})
        except rows.CellFaults as error:
            return _refused(row.line, key, " ".join(said(fault) for fault in error.faults)), None
        wrong = check_material(spec)
        if spec.class_code and spec.class_code not in self.classes:
            wrong["class"] = sentence_of(
                Fault(_("There is no material class %(code)s at this plant."), "", {"code": spec.class_code})
            )
        if present is not None and spec.unit != present.unit and present.pk in used:
            sentence = _("%(code)s is used in bills of material; its unit cannot change any more.")
            wrong["unit"] = sentence_of(Fault(sentence, "", {"code": key}))
        if wrong:
            return _refused(row.line, key, " ".join(dict.fromkeys(wrong.values()))), None
        mark = _seen(key)
        if mark in self.seen:
            return _refused(row.line, key, sentence_of(Fault(_("This material stands in the file already.")))), None
        self.seen.add(mark)
        if present is None:
            return Outcome(row.line, ADD, key), spec
        after = rows.write_material(spec)
        changes = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
        return Outcome(row.line, CHANGE if changes else UNCHANGED, key, changes), spec

    def write(
        self, new: list[MaterialSpec], changed: list[tuple[MaterialDefinition, MaterialSpec]], at: datetime
    ) -> None:
        made = MaterialDefinition.objects.bulk_create(
            [
                MaterialDefinition(site_id=self.site_id, code=spec.code, created_at=at, **self.fields(spec))
                for spec in new
            ]
        )
        for row, spec in changed:
            for name, value in self.fields(spec).items():
                setattr(row, name, value)
        names = list(self.fields(MaterialSpec("", "", "")))
        MaterialDefinition.objects.bulk_update([row for row, _spec in changed], names)
        MaterialUnit.objects.filter(material__in=[row for row, _spec in changed]).delete()
        pairs = [*zip(made, new, strict=True), *changed]
        MaterialUnit.objects.bulk_create(
            [
                MaterialUnit(material=row, unit=unit, factor=size)
                for row, spec in pairs
                for unit, size in spec.conversions.items()
            ]
        )

    def fields(self, spec: MaterialSpec) -> dict[str, Any]:
        own = {
            name: getattr(spec, name) for name in ("name_zh", "name_en", "description", "unit", "source", "tracking")
        }
        return own | {"material_class_id": self.classes.get(spec.class_code)}


def _written(row: MaterialDefinition, units: dict[str, Any]) -> dict[str, str]:
    return rows.write_material(
        MaterialSpec(
            row.code,
            row.name_zh,
            row.name_en,
            row.unit,
            Source(row.source),
            Tracking(row.tracking),
            row.material_class.code if row.material_class else "",
            row.description,
            dict(sorted(units.items())),
        )
    )


def _refused(line: int, key: str, reason: str) -> Outcome:
    return Outcome(line, REFUSE, key, reason=reason)


# ---- versions: all rows of a material together ----------------------------------------------------------------------


class _Versions:
    """Bills and routings: the rows of one material stand together, and are taken or refused together."""

    def __init__(self, site_id: int) -> None:
        self.site_id = site_id
        self.seen: set[int] = set()

    def steps(self, raw: Iterator[RawRow]) -> Iterator[Step]:
        group: list[RawRow] = []
        code = ""
        for row in raw:
            if group and (row.cells.get("material", "") != code or len(group) > LONGEST_GROUP):
                yield self.step(code, group)
                group = []
            code = row.cells.get("material", "")
            group.append(row)
        if group:
            yield self.step(code, group)

    def step(self, code: str, group: list[RawRow]) -> Step:
        mark = _seen(code)
        if mark in self.seen:
            return self.refuse(code, group, Fault(_("The rows of one material stand together; sort the file.")))
        self.seen.add(mark)
        material_id = material_ids_of(site_id=self.site_id, codes=[code]).get(code)
        if material_id is None:
            fault = Fault(_("There is no material %(code)s at this plant."), "", {"code": code[:60]})
            return self.refuse(code, group, fault)
        if len(group) > LONGEST_GROUP:
            return self.refuse(
                code, group, Fault(_("A material has at most %(most)s rows."), "", {"most": LONGEST_GROUP})
            )
        return self.decide(code, material_id, group)

    def refuse(self, code: str, group: list[RawRow], fault: Fault) -> Step:
        return Step([_refused(row.line, code, sentence_of(fault)) for row in group])

    def decide(self, code: str, material_id: int, group: list[RawRow]) -> Step:
        raise NotImplementedError

    @staticmethod
    def parameters(group: list[RawRow]) -> tuple[ParameterSpec, ...]:
        """Read the options of a version: JSON in one of its rows. Raises `Faulty`."""
        text = next((row.cells["parameters"] for row in group if row.cells.get("parameters")), "")
        if not text:
            return ()
        try:
            return tuple(msgspec.json.decode(text, type=list[ParameterSpec]))
        except msgspec.MsgspecError as error:
            raise Faulty(Fault(_("The options cannot be read: %(why)s"), "", {"why": str(error)})) from error

    @staticmethod
    def outcomes(
        code: str, key: str, group: list[RawRow], wrong: dict[int, str], action: str, changes: dict[str, list[str]]
    ) -> list[Outcome]:
        if wrong:
            other = sentence_of(Fault(_("Another row of this material is refused.")))
            return [_refused(row.line, f"{code} {row.cells.get(key, '')}", wrong.get(row.line, other)) for row in group]
        return [
            Outcome(row.line, action, f"{code} {row.cells.get(key, '')}", changes if at == 0 else {})
            for at, row in enumerate(group)
        ]


class _Boms(_Versions):
    def decide(self, code: str, material_id: int, group: list[RawRow]) -> Step:
        named = {row.cells.get("component", "") for row in group}
        named |= {part.split()[0] for row in group for part in cells.parts(row.cells.get("alternates", ""))}
        ids = material_ids_of(site_id=self.site_id, codes=named)
        wrong: dict[int, str] = {}
        lines = []
        for row in group:
            try:
                lines.append(rows.read_line(row.cells, ids))
            except rows.CellFaults as error:
                wrong[row.line] = " ".join(said(fault) for fault in error.faults)
        spec = BomSpec(tuple(lines))
        try:
            spec = BomSpec(tuple(sorted_lines(lines)), self.parameters(group))
        except Faulty as error:
            wrong[group[0].line] = sentence_of(error.faults[0])
        if not wrong:
            where = {row.cells.get("find_number", ""): row.line for row in group}
            for fault in check_bom(spec, material_id, parts_of(ids.values(), site_id=self.site_id)):
                wrong.setdefault(where.get(fault.where, group[0].line), sentence_of(fault))
        newest = BomVersion.objects.filter(material_id=material_id).order_by("-number").first()
        if wrong or newest is None:
            action, changes = ADD, dict[str, list[str]]()
        else:
            before = bom_specs([newest])[newest.pk]
            spec = BomSpec(spec.lines, spec.parameters, before.base_quantity, before.note, before.revision_id)
            found = compare_boms(before, spec, {pk: name for name, pk in ids.items()})
            action, changes = _told(found, newest.state)
        outcomes = self.outcomes(code, "find_number", group, wrong, action, changes)
        if wrong or action == UNCHANGED:
            return Step(outcomes)

        def write(actor: Actor, at: datetime) -> None:
            if newest is not None and newest.state == VersionState.DRAFT:
                replace_bom(actor=actor, version_id=newest.pk, spec=spec, at=at)
            else:
                define_bom(actor=actor, material_id=material_id, spec=spec, at=at)

        return Step(outcomes, write)


class _Routings(_Versions):
    def __init__(self, site_id: int) -> None:
        super().__init__(site_id)
        self.places = places_of(site_id)
        self.known = rows.Equipment(
            {code: pk for pk, code in self.places.classes.items()}, {code: pk for pk, code in self.places.units.items()}
        )

    def decide(self, code: str, material_id: int, group: list[RawRow]) -> Step:
        wrong: dict[int, str] = {}
        read = []
        for row in group:
            try:
                read.append(rows.read_segment(row.cells, self.known))
            except rows.CellFaults as error:
                wrong[row.line] = " ".join(said(fault) for fault in error.faults)
        spec = WorkMasterSpec()
        try:
            spec = rows.work_master_of(read, self.parameters(group))
        except Faulty as error:
            wrong[group[0].line] = sentence_of(error.faults[0])
        if not wrong:
            where = {row.cells.get("code", ""): row.line for row in group}
            ids = document_ids_of(spec)
            places = places_of(self.site_id, ids) if ids else self.places
            for fault in check_work_master(spec, places):
                wrong.setdefault(where.get(fault.where, group[0].line), said(fault))
        newest = WorkMasterVersion.objects.filter(material_id=material_id).order_by("-number").first()
        if wrong or newest is None:
            action, changes = ADD, dict[str, list[str]]()
        else:
            before = work_master_specs([newest])[newest.pk]
            spec = WorkMasterSpec(spec.segments, spec.links, spec.parameters, before.note)
            found = compare_work_masters(before, spec, self.places.classes, self.places.units)
            action, changes = _told(found, newest.state)
        outcomes = self.outcomes(code, "code", group, wrong, action, changes)
        if wrong or action == UNCHANGED:
            return Step(outcomes)

        def write(actor: Actor, at: datetime) -> None:
            if newest is not None and newest.state == VersionState.DRAFT:
                replace_work_master(actor=actor, version_id=newest.pk, spec=spec, at=at)
            else:
                define_work_master(actor=actor, material_id=material_id, spec=spec, at=at)

        return Step(outcomes, write)


def _told(found: Any, state: str) -> tuple[str, dict[str, list[str]]]:
    """Return what happens to a version, and the first differences in short."""
    if found.is_same:
        return UNCHANGED, {}
    changes = {one.key or one.kind: ["", "+"] for one in found.added}
    changes |= {one.key or one.kind: ["−", ""] for one in found.removed}
    changes |= {
        f"{one.key} {change.field}".strip(): [change.before, change.after]
        for one in found.changed
        for change in one.changes
    }
    action = CHANGE if state == VersionState.DRAFT else ADD
    return action, dict(islice(changes.items(), 20))
