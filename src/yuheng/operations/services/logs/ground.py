"""What orders of a log stand on: work units and their classes, people, customers, products and their routings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from yuheng.engineering import selectors as engineering
from yuheng.engineering import services as engineer
from yuheng.engineering.rules.specs import (
    AlternativeSpec,
    EffectivitySpec,
    LinkSpec,
    MaterialSpec,
    SegmentSpec,
    WorkMasterSpec,
)
from yuheng.engineering.rules.words import Source
from yuheng.engines.eventlog import Log, Routing, Segment
from yuheng.equipment import selectors as equipment
from yuheng.equipment import services as equip
from yuheng.kernel.actor import Actor
from yuheng.kernel.models import Site
from yuheng.operations.models import Party
from yuheng.operations.services.logs.names import code_of, stem_of
from yuheng.operations.services.orders import PartySpec, write_party
from yuheng.people import selectors as people
from yuheng.people import services as persons

AREA, AREA_ZH, AREA_EN = "LOG", "日志导入", "Imported from a log"
LONGEST_CODE, LONGEST_NAME = 40, 80
LONGEST_S = 365 * 86_400.0


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the log: its own id and unit, the routing in force, the code of each operation's segment."""

    id: int
    unit: str
    work_master_version_id: int | None
    segments: Mapping[str, str]
    per_piece_s: Mapping[str, float]


@dataclass(slots=True)
class Ground:
    """Names of the log -> what they are here."""

    units: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)  # by class name
    class_of: dict[str, str] = field(default_factory=dict)  # machine -> class name
    people: dict[str, tuple[int, str]] = field(default_factory=dict)  # id, user name
    customers: dict[str, int] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)


def lay_ground(*, actor: Actor, site_id: int, log: Log, at: datetime, with_people: bool) -> Ground:
    """Write what is missing of it: each kind whole or not at all. Raises what the services of each kind raise."""
    ground = Ground()
    with transaction.atomic():
        _write_equipment(ground, actor, site_id, log, at)
    if with_people:
        with transaction.atomic():
            _write_people(ground, actor, site_id, log, at)
    with transaction.atomic():
        _write_customers(ground, actor, site_id, log, at)
    for routing in log.routings:
        with transaction.atomic():
            _write_product(ground, actor, site_id, routing, log, at)
    return ground


# ---- equipment -------------------------------------------------------------------------------------------------------


def classes_of(machines: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Return machine -> the name of its class: a stem that several share, else what it mostly does.

    Examples
    --------
    >>> classes_of({"CNC-1": {"turn": 3}, "CNC-2": {"mill": 1}, "Oven": {"harden": 9}})
    {'CNC-1': 'CNC', 'CNC-2': 'CNC', 'Oven': 'harden'}
    """
    stems = Counter(stem_of(name) for name in machines)
    return {
        name: stem
        if stems[stem := stem_of(name)] > 1
        else max(done, key=lambda operation: (done[operation], operation))
        for name, done in machines.items()
    }


def _write_equipment(ground: Ground, actor: Actor, site_id: int, log: Log, at: datetime) -> None:
    machines = log.machines()
    ground.class_of = classes_of(machines)
    by_hand = {one.name for routing in log.routings for one in routing.segments if not one.machines}
    wanted = sorted({*ground.class_of.values(), *by_hand})
    known = {row.name_zh: row.id for row in equipment.equipment_classes(actor=actor, site_id=site_id)}
    codes = equipment.equipment_class_ids(site_id=site_id)
    for name in wanted:
        if name in known or (found := codes.get(name)) is None:
            found = known.get(name)
        if found is None:
            code = code_of(name, LONGEST_CODE, codes)
            label = name[:LONGEST_NAME]
            row = equip.create_equipment_class(
                actor=actor, site_id=site_id, code=code, name_zh=label, name_en=label, at=at
            )
            found = codes[code] = row.pk
            ground.written["equipment_classes"] += 1
        ground.classes[name] = found
    _write_units(ground, actor, site_id, sorted(machines), at)


def _write_units(ground: Ground, actor: Actor, site_id: int, machines: list[str], at: datetime) -> None:
    rows = equipment.work_units(actor=actor, site_id=site_id, with_retired=True)
    known = {row.name_zh: row.id for row in rows} | {row.code: row.id for row in rows}
    codes = {row.code for row in rows}
    centers: dict[str, int] = {}
    for name in machines:
        if name in known:
            ground.units[name] = known[name]
            ground.kept["work_units"] += 1
            continue
        kind = ground.class_of[name]
        if not centers:
            centers = _centers(actor, site_id, at)
        center = code_of(f"{AREA}-{kind}", LONGEST_CODE)
        if center not in centers:
            label = kind[:LONGEST_NAME]
            centers[center] = equip.create_work_center(
                actor=actor, area_id=centers[""], code=center, name_zh=label, name_en=label, at=at
            ).pk
            ground.written["work_centers"] += 1
        code = code_of(name, LONGEST_CODE, codes)
        codes.add(code)
        label = name[:LONGEST_NAME]
        ground.units[name] = equip.create_work_unit(
            actor=actor, work_center_id=centers[center], code=code, name_zh=label, name_en=label,
            equipment_class_id=ground.classes[kind], at=at,
        ).pk  # fmt: skip
        ground.written["work_units"] += 1


def _centers(actor: Actor, site_id: int, at: datetime) -> dict[str, int]:
    """Return the work centers of the log's area by code, and the area's own id as ""."""
    tree = equipment.equipment_tree(actor=actor, site_id=site_id, with_retired=True)
    area = next((one for one in tree.areas if one.code == AREA), None)
    if area is not None:
        return {"": area.id} | {center.code: center.id for center in area.centers}
    made = equip.create_area(actor=actor, site_id=site_id, code=AREA, name_zh=AREA_ZH, name_en=AREA_EN, at=at)
    return {"": made.pk}


# ---- people and customers --------------------------------------------------------------------------------------------


def _write_people(ground: Ground, actor: Actor, site_id: int, log: Log, at: datetime) -> None:
    names = log.operators()
    if not names:
        return
    known: dict[str, tuple[int, str]] = {}
    usernames = set()
    for row in people.people(actor=actor):
        usernames.add(row.username)
        for name in (row.name_en, row.name_zh, row.username):
            known[name] = (row.id, row.username)
    firm = Site.objects.values_list("organisation_id", flat=True).get(pk=site_id)
    for name in names:
        if name in known:
            ground.people[name] = known[name]
            ground.kept["persons"] += 1
            continue
        username = code_of(name, LONGEST_CODE, usernames)
        label = name[:LONGEST_NAME]
        row_id = persons.enter_person(
            actor=actor, username=username, name_zh=label, name_en=label, organisation_id=firm, at=at
        ).pk
        usernames.add(username)
        ground.people[name] = (row_id, username)
        ground.written["persons"] += 1


def _write_customers(ground: Ground, actor: Actor, site_id: int, log: Log, at: datetime) -> None:
    rows = list(Party.objects.filter(site_id=site_id).values_list("pk", "code", "name_zh"))
    known = {name: pk for pk, _code, name in rows} | {code: pk for pk, code, _name in rows}
    codes = {code for _pk, code, _name in rows}
    for name in log.customers():
        if name in known:
            ground.customers[name] = known[name]
            continue
        code = code_of(name, 60, codes)
        codes.add(code)
        spec = PartySpec(code, name, name)
        ground.customers[name] = write_party(actor=actor, site_id=site_id, spec=spec, at=at).pk
        ground.written["customers"] += 1


# ---- products --------------------------------------------------------------------------------------------------------


def _write_product(ground: Ground, actor: Actor, site_id: int, routing: Routing, log: Log, at: datetime) -> None:
    code = code_of(routing.material, 60)
    ids = engineering.material_ids_of(site_id=site_id, codes=[code, routing.material])
    pk = ids.get(routing.material) or ids.get(code)
    if pk is None:
        label = (routing.name or routing.material)[:160]
        spec = MaterialSpec(code, label, label, source=Source.MAKE)
        pk = engineer.create_material(actor=actor, site_id=site_id, spec=spec, at=at).pk
        ground.written["materials"] += 1
    unit = engineering.material_names([pk])[pk].unit
    version, codes = _write_routing(ground, actor, site_id, pk, routing, log, at)
    times = {one.name: one.per_piece_s for one in routing.segments if one.counts_pieces}
    ground.products[routing.material] = Product(pk, unit, version, codes, times)


def _write_routing(
    ground: Ground,
    actor: Actor,
    site_id: int,
    material_id: int,
    routing: Routing,
    log: Log,
    at: datetime,
) -> tuple[int, dict[str, str]]:
    """Return the work master's version, and operation -> segment; one that is there already stays as it is."""
    there = engineering.versions_of(actor=actor, material_id=material_id).work_masters
    if there:
        ground.kept["routings"] += 1
        known = engineering.work_master_version(actor=actor, version_id=there[0].id).spec.segments
        return there[0].id, {one.name_zh: one.code for one in known}
    codes = _segment_codes(routing.segments)
    segments = tuple(_segment(one, codes[one.name], routing, ground) for one in routing.segments)
    names = [one.name for one in routing.segments]
    links = tuple(LinkSpec(codes[names[a]], codes[names[b]]) for a, b in routing.links)
    spec = WorkMasterSpec(segments=segments, links=links, note=f"{log.path.name[:120]}: {routing.orders}")
    draft = engineer.define_work_master(actor=actor, material_id=material_id, spec=spec, at=at)
    zone = ZoneInfo(Site.objects.values_list("time_zone", flat=True).get(pk=site_id))
    period = log.period()
    since = min(period[0] if period else at, at).astimezone(zone).date()
    engineer.release_work_master(actor=actor, version_id=draft.pk, effectivity=EffectivitySpec(valid_from=since), at=at)
    ground.written["routings"] += 1
    return draft.pk, codes


def _segment(one: Segment, code: str, routing: Routing, ground: Ground) -> SegmentSpec:
    kinds = {ground.class_of[name] for name in one.machines}
    quantity = Decimal(1) if one.counts_pieces else Decimal(str(round(routing.quantity, 3))) or Decimal(1)
    each = 1.0 if one.counts_pieces else float(quantity)
    alternatives = tuple(
        AlternativeSpec(ground.units[name], run_time=_seconds(value if one.counts_pieces else value * each))
        for name, value in one.machines.items()
    )
    kind = one.name if not kinds else next(iter(kinds))
    return SegmentSpec(
        code=code,
        name_zh=one.name[:LONGEST_NAME],
        name_en=one.name[:LONGEST_NAME],
        equipment_class_id=ground.classes[kind] if len(kinds) < 2 else None,
        run_time=_seconds(one.per_piece_s),
        run_quantity=quantity,
        alternatives=alternatives,
    )


def _seconds(value: float) -> str:
    return f"{min(value, LONGEST_S):.3f}".rstrip("0").rstrip(".")


def _segment_codes(segments: list[Segment]) -> dict[str, str]:
    """Return operation -> segment code: the log's own numbers where every one has another, else 10, 20, 30…"""
    own = [one.label for one in segments]
    if all(label and code_of(label, 20) == label for label in own) and len(set(own)) == len(own):
        return {one.name: one.label for one in segments}
    return {one.name: str(10 * number) for number, one in enumerate(segments, start=1)}
