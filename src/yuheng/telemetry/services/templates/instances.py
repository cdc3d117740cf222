"""Making many like machines of a class in one action: units, places on the map and tags, after a dry run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engines.patterns import PatternError, fill
from yuheng.equipment import selectors as equipment
from yuheng.equipment import services as equipment_services
from yuheng.equipment.rules import Rect, is_code
from yuheng.equipment.services import NewUnit
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.telemetry.events import TagsChanged
from yuheng.telemetry.models import ClassTemplate, DataSource, TemplatedUnit
from yuheng.telemetry.selectors import templates as stored
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.templates.editing import locked_template, plan_machines, refuse_problems
from yuheng.telemetry.services.templates.writing import Ids, fingerprint, write_plans
from yuheng.telemetry.template_plans import Machine, MachinePlan, Problem

MOST_MACHINES = 500
"""In one action."""
MOST_TAGS = 50_000
LARGEST_NUMBER = 999_999
OWN_COLUMNS = ("n", "code", "name_zh", "name_en", "source")
"""Columns of the table of machines that are not variables."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the machines are drawn: the first tile's corner, tile size, gap, and so many to a row. Map pixels."""

    x: float
    y: float
    columns: int = 10
    w: float = 58.0
    h: float = 36.0
    gap: float = 6.0

    def cell(self, index: int) -> Rect:
        """Return the place of the machine with this index."""
        row, column = divmod(index, self.columns)
        return Rect(self.x + column * (self.w + self.gap), self.y + row * (self.h + self.gap), self.w, self.h)


@dataclass(frozen=True, slots=True)
class MachinesSpec:
    """Like machines that are to be made.

    Attributes
    ----------
    code, name_zh, name_en
        Patterns with ``{n}`` and the variables; the names also with ``{unit}``.
    first, last
        Their numbers, both included.
    variables
        Variable -> pattern, for every machine that the table says nothing else of.
    table
        A row a machine: `OWN_COLUMNS` and variables, by column name. With a table, its rows are the machines; one
        without ``n`` gets the number after the row before.
    grid
        Their places on the map; None: wherever there is room.
    """

    work_center_id: int
    source_id: int
    code: str = "P{n:02d}"
    name_zh: str = "{unit}"
    name_en: str = "{unit}"
    first: int = 1
    last: int = 1
    variables: Mapping[str, str] | None = None
    table: Sequence[Mapping[str, str]] = ()
    grid: Grid | None = None


@dataclass(frozen=True, slots=True)
class DraftUnit:
    """One machine as it would be; ``id`` 0: the work unit is new, else one that is there is brought under."""

    id: int
    code: str
    name_zh: str
    name_en: str
    number: int
    source: str
    variables: Mapping[str, str]
    rect: Rect | None


@dataclass(frozen=True, slots=True)
class MachinesPlan:
    """What making the machines would do, machine by machine and tag by tag."""

    class_id: int
    site_id: int
    work_center_id: int
    version: int
    units: tuple[DraftUnit, ...]
    plans: tuple[MachinePlan, ...]

    @property
    def problems(self) -> list[Problem]:
        """What stands in the way."""
        return [problem for plan in self.plans for problem in plan.problems]

    def counts(self) -> dict[str, int]:
        """How many units, tags and problems."""
        return {
            "units": len(self.units),
            "units_added": sum(unit.id == 0 for unit in self.units),
            "tags_added": sum(len(plan.added) for plan in self.plans),
            "tags_taken": sum(len(plan.linked) + len(plan.revived) for plan in self.plans),
            "problems": len(self.problems),
            "machines_refused": sum(bool(plan.problems) for plan in self.plans),
        }

    def without_refused(self) -> MachinesPlan:
        """Return the plan of those that nothing stands in the way of."""
        kept = [(unit, plan) for unit, plan in zip(self.units, self.plans, strict=True) if not plan.problems]
        return replace(self, units=tuple(unit for unit, _p in kept), plans=tuple(plan for _u, plan in kept))

    def sha256(self) -> str:
        """Fingerprint: two plans that do the same have the same."""
        told = [
            [unit.id, unit.name_zh, unit.name_en, unit.number, sorted(unit.variables.items()), str(unit.rect)]
            for unit in self.units
        ]
        return fingerprint([self.class_id, self.work_center_id, told, [plan.told() for plan in self.plans]])


def plan_instances(*, actor: Actor, equipment_class_id: int, spec: MachinesSpec) -> MachinesPlan:
    """Say every unit, tag and address that would be made, and what stands in the way; nothing is written.

    A fixed number of queries, whatever the number of machines.

    Raises
    ------
    NotVisible, PermissionRefused, InvalidInput
        No work center or data source of the site; no machine or too many.
    """
    kind = equipment.equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(EDIT, site_id=kind.site_id)
    actor.require("equipment.edit", site_id=kind.site_id)
    template = stored.load_template(equipment_class_id=equipment_class_id)
    center = equipment.work_center(actor=actor, work_center_id=spec.work_center_id)
    sources = dict(DataSource.objects.filter(site_id=kind.site_id).values_list("pk", "code"))
    if center.site_id != kind.site_id:
        raise InvalidInput(_("Choose a work center of this site."), {"work_center": _("Choose one.")})
    if spec.source_id not in sources:
        raise InvalidInput(_("Choose a data source of this site."), {"source": _("Choose one.")})
    rows = _rows(spec)
    if len(rows) * max(1, len(template.tags)) > MOST_TAGS:
        raise InvalidInput(_("That would be more than %(count)d tags at once.") % {"count": MOST_TAGS})
    names = [one.name for one in template.variables]
    drafts = [_draft(index, row, spec, names, sources) for index, row in enumerate(rows)]
    codes = [unit.code for unit, _problems in drafts]
    present = {
        row.code: row
        for row in equipment.work_units(actor=actor, site_id=kind.site_id, with_retired=True)
        if row.code in set(codes)
    }
    followed = set(
        TemplatedUnit.objects.filter(work_unit_id__in=[row.id for row in present.values()]).values_list("pk", flat=True)
    )
    units: list[DraftUnit] = []
    problems: list[list[Problem]] = []
    for index, (unit, wrong) in enumerate(drafts):
        wrong = [*wrong, *_in_the_way(unit, present.get(unit.code), kind, spec, followed)]
        if unit.code in codes[:index]:
            wrong.append(Problem(unit.code, "code_twice", (unit.code,)))
        there = present.get(unit.code)
        units.append(replace(unit, id=there.id) if there is not None else unit)
        problems.append(wrong)
    tags = stored.present_tags_of(work_unit_ids=[unit.id for unit in units if unit.id])
    machines = [
        Machine(
            unit.id,
            unit.code,
            unit.source,
            stored.scope(unit.code, unit.number, center.area_code, center.code, kind.code, unit.source, unit.variables),
            tags.get(unit.id, ()),
        )
        for unit in units
    ]
    plans = plan_machines(site_id=kind.site_id, machines=machines, wanted=template.tags, variables=template.variables)
    for plan, wrong in zip(plans, problems, strict=True):
        plan.problems[:0] = wrong
    return MachinesPlan(kind.id, kind.site_id, center.id, template.version, tuple(units), plans)


@transaction.atomic
def instantiate(
    *,
    actor: Actor,
    equipment_class_id: int,
    spec: MachinesSpec,
    at: datetime,
    plan_sha256: str | None = None,
    leave_out_refused: bool = False,
) -> MachinesPlan:
    """Make the machines that the dry run with this fingerprint said: all or none.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        The plant is not as the dry run said, or something stands in the way of a machine that is not left out.
    """
    actor.require(EDIT, site_id=equipment.site_of_equipment_class(actor=actor, equipment_class_id=equipment_class_id))
    row = locked_template(equipment_class_id)
    plan = plan_instances(actor=actor, equipment_class_id=equipment_class_id, spec=spec)
    if plan_sha256 is not None and plan.sha256() != plan_sha256:
        raise Conflict(_("The plant changed since the dry run. Look at the new dry run and apply that."))
    if leave_out_refused:
        plan = plan.without_refused()
    refuse_problems(plan.problems)
    made = equipment_services.create_work_units(
        actor=actor,
        work_center_id=spec.work_center_id,
        equipment_class_id=equipment_class_id,
        units=[NewUnit(unit.code, unit.name_zh, unit.name_en, unit.rect) for unit in plan.units if not unit.id],
        at=at,
    )
    brought = [unit.id for unit in plan.units if unit.id]
    equipment_services.classify_work_units(
        actor=actor, work_unit_ids=brought, equipment_class_id=equipment_class_id, at=at
    )
    written = _follow(row, plan, made, at)
    publish(TagsChanged(site_id=plan.site_id, count=written), at=at)
    audit.record(
        actor=actor,
        action="template.instantiate",
        at=at,
        site_id=plan.site_id,
        object_kind="equipment_class",
        object_id=equipment_class_id,
        counts=plan.counts(),
        units=[unit.code for unit in plan.units[:100]],
    )
    return plan


def _follow(row: ClassTemplate, plan: MachinesPlan, made: Mapping[str, int], at: datetime) -> int:
    ids = Ids(plan.site_id)
    unit_ids = {**{unit.code: unit.id for unit in plan.units if unit.id}, **made}
    TemplatedUnit.objects.bulk_create(
        [
            TemplatedUnit(
                site_id=plan.site_id,
                work_unit_id=unit_ids[unit.code],
                template=row,
                source_id=ids.sources[unit.source],
                number=unit.number,
                variables=dict(unit.variables),
            )
            for unit in plan.units
        ],
        batch_size=500,
    )
    keys = {tag.key: tag.key for tag in stored.load_template(equipment_class_id=row.pk).tags}
    return write_plans(plans=plan.plans, unit_ids=unit_ids, template_ids=keys, ids=ids, at=at)


def _rows(spec: MachinesSpec) -> list[dict[str, str]]:
    """One row a machine, each with its number."""
    rows: list[dict[str, str]] = []
    if spec.table:
        number = spec.first - 1
        for given in list(spec.table)[: MOST_MACHINES + 1]:
            row = {name.strip(): str(text).strip() for name, text in given.items() if str(text).strip()}
            text = row.get("n", "")
            number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else number + 1
            rows.append({**row, "n": text or str(number)})
    elif spec.last >= spec.first:
        count = min(spec.last - spec.first + 1, MOST_MACHINES + 1)
        rows = [{"n": str(spec.first + index)} for index in range(count)]
    if not rows:
        raise InvalidInput(_("Say how many machines: from a number to one that is not smaller."))
    if len(rows) > MOST_MACHINES:
        raise InvalidInput(_("At most %(count)d machines are made at once.") % {"count": MOST_MACHINES})
    return rows


def _draft(
    index: int, row: Mapping[str, str], spec: MachinesSpec, names: Sequence[str], sources: Mapping[int, str]
) -> tuple[DraftUnit, list[Problem]]:
    problems: list[Problem] = []
    text = row["n"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    shown = row.get("code", text)
    if (str(number) != text.lstrip("0") and text.strip("0")) or number > LARGEST_NUMBER:
        problems.append(Problem(shown, "number", (text,)))
    values: dict[str, str | int] = {"n": number}
    variables: dict[str, str] = {}
    for name, pattern in {**(spec.variables or {}), **{k: v for k, v in row.items() if k not in OWN_COLUMNS}}.items():
        if name not in names:
            problems.append(Problem(shown, "unknown_variable", (name,)))
        elif pattern:
            # a cell of the table is meant as it stands; only what holds for all machines is a pattern
            found = pattern if name in row else _filled(pattern, values, shown, problems)
            values[name] = variables[name] = found
    code = row.get("code") or _filled(spec.code, values, shown, problems)
    values["unit"] = code
    source = row.get("source", sources[spec.source_id])
    if source not in sources.values():
        problems.append(Problem(code, "source", (source,)))
        source = sources[spec.source_id]
    name_zh = row.get("name_zh") or _filled(spec.name_zh, values, code, problems)
    name_en = row.get("name_en") or _filled(spec.name_en, values, code, problems)
    if not is_code(code):
        problems.append(Problem(code, "code", (code,)))
    if not (0 < len(name_zh.strip()) <= 120 and 0 < len(name_en.strip()) <= 120):
        problems.append(Problem(code, "name", (code,)))
    rect = spec.grid.cell(index) if spec.grid is not None else None
    return DraftUnit(0, code, name_zh, name_en, number, source, variables, rect), problems


def _filled(pattern: str, values: Mapping[str, str | int], machine: str, problems: list[Problem]) -> str:
    try:
        return fill(pattern, values)
    except PatternError as error:
        problems.append(Problem(machine, f"pattern_{error.reason}", (pattern, error.what)))
        return pattern


def _in_the_way(
    unit: DraftUnit,
    there: equipment.WorkUnitRow | None,
    kind: equipment.EquipmentClassRow,
    spec: MachinesSpec,
    followed: set[int],
) -> list[Problem]:
    """A unit that is there is brought under the template when it is of the class, or of none, and in use."""
    if there is None:
        return []
    if there.work_center_id != spec.work_center_id:
        return [Problem(unit.code, "code_taken", (unit.code, there.work_center_code))]
    if there.is_retired:
        return [Problem(unit.code, "retired", (unit.code,))]
    if there.class_id not in (None, kind.id):
        return [Problem(unit.code, "other_class", (unit.code, there.class_code))]
    return [Problem(unit.code, "templated", (unit.code,))] if there.id in followed else []
