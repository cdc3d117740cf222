"""One machine and its template: what fills its patterns, back to the template, brought under, released, taken from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.telemetry.events import TagsChanged
from yuheng.telemetry.models import DataSource, Tag, TemplatedUnit
from yuheng.telemetry.selectors import templates as stored
from yuheng.telemetry.services.access import EDIT, locked
from yuheng.telemetry.services.templates.editing import (
    locked_template,
    plan_machines,
    refuse_problems,
    save_template,
)
from yuheng.telemetry.services.templates.overrides import expected_values
from yuheng.telemetry.services.templates.specs import TagRow, TemplateSpec
from yuheng.telemetry.services.templates.writing import Ids, update_rows, write_plans
from yuheng.telemetry.tag_fields import FOLLOWED, TEMPLATE_FIELDS
from yuheng.telemetry.template_plans import Machine, MachinePlan, Problem

_LAST_NUMBER = re.compile(r"(\d{1,6})(?!.*\d)")


def plan_machine_settings(
    *, actor: Actor, work_unit_id: int, source_id: int, number: int, variables: Mapping[str, str]
) -> MachinePlan:
    """Say what other settings of a machine would change in its tags; one that follows nothing yet is brought under.

    Raises
    ------
    NotVisible, PermissionRefused
    InvalidInput
        The unit has no class, or no such data source.
    """
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require(EDIT, site_id=unit.site_id)
    if unit.class_id is None:
        raise InvalidInput(_("The work unit %(code)s has no equipment class.") % {"code": unit.code})
    source = DataSource.objects.filter(pk=source_id, site_id=unit.site_id).first()
    if source is None:
        raise InvalidInput(_("Choose a data source of this site."), {"source": _("Choose one.")})
    template = stored.load_template(equipment_class_id=unit.class_id)
    known = {one.name for one in template.variables}
    given = {name: text.strip() for name, text in variables.items() if text.strip()}
    machine = Machine(
        unit.id,
        unit.code,
        source.code,
        stored.scope(unit.code, number, unit.area_code, unit.work_center_code, unit.class_code, source.code, given),
        stored.present_tags_of(work_unit_ids=[unit.id]).get(unit.id, ()),
    )
    plan = plan_machines(site_id=unit.site_id, machines=[machine], wanted=template.tags, variables=template.variables)[
        0
    ]
    strange = sorted(set(given) - known)
    plan.problems[:0] = [Problem(unit.code, "unknown_variable", (name,)) for name in strange]
    return plan


@transaction.atomic
def save_machine_settings(
    *, actor: Actor, work_unit_id: int, source_id: int, number: int, variables: Mapping[str, str], at: datetime
) -> MachinePlan:
    """Give a machine another source, number or variables, and its tags what follows from them.

    Raises
    ------
    NotVisible, PermissionRefused, InvalidInput
    Conflict
        An address or symbol is taken, or a pattern cannot be filled in.
    """
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require(EDIT, site_id=unit.site_id)
    if unit.class_id is not None:
        locked_template(unit.class_id)
    plan = plan_machine_settings(
        actor=actor, work_unit_id=work_unit_id, source_id=source_id, number=number, variables=variables
    )
    refuse_problems(plan.problems)
    TemplatedUnit.objects.update_or_create(
        work_unit_id=work_unit_id,
        defaults={
            "site_id": unit.site_id,
            "template_id": unit.class_id,
            "source_id": source_id,
            "number": number,
            "variables": {name: text.strip() for name, text in variables.items() if text.strip()},
        },
    )
    keys = {tag.key: tag.key for tag in stored.load_template(equipment_class_id=unit.class_id or 0).tags}
    written = write_plans(plans=[plan], unit_ids={unit.code: unit.id}, template_ids=keys, ids=Ids(unit.site_id), at=at)
    _tell(actor, unit.site_id, "template.machine_set", unit.id, written, at, source=source_id, number=number)
    return plan


@transaction.atomic
def back_to_template(
    *, actor: Actor, tag_ids: Sequence[int], names: Collection[str] | None = None, at: datetime
) -> int:
    """Give tags what their template says again, in these fields (None: in all); returns how many tags changed.

    Raises
    ------
    NotVisible, PermissionRefused, Conflict
    """
    rows = [locked(Tag, actor=actor, pk=pk) for pk in tag_ids]
    following = [row for row in rows if row.template_tag_id is not None]
    expected = expected_values(following)
    wanted = {}
    for row in following:
        if row.pk not in expected:
            continue
        dropped = [name for name in FOLLOWED if name in row.overrides and (names is None or name in names)]
        columns = Ids(row.site_id).columns(expected[row.pk])
        own = {f"{name}_id" if name in ("source", "tag_class") else name for name in dropped}
        wanted[row.pk] = {name: value for name, value in columns.items() if name in own}
        wanted[row.pk]["overrides"] = [name for name in row.overrides if name not in dropped]
    _check_free(following, wanted)
    changed = update_rows(wanted)
    for site_id in sorted({row.site_id for row in following}):
        of_site = [row for row in following if row.site_id == site_id]
        publish(TagsChanged(site_id=site_id, count=len(of_site)), at=at)
        audit.record(
            actor=actor,
            action="template.back",
            at=at,
            site_id=site_id,
            object_kind="tag",
            addresses=[row.address for row in of_site[:50]],
            fields=sorted(names) if names is not None else "all",
        )
    return changed


@transaction.atomic
def release_machine(*, actor: Actor, work_unit_id: int, at: datetime) -> None:
    """Let a machine follow its template no longer; its tags stay as they are."""
    row = locked(TemplatedUnit, actor=actor, pk=work_unit_id)
    Tag.objects.filter(work_unit_id=work_unit_id).update(template_tag=None, overrides=[])
    site_id = row.site_id
    row.delete()
    _tell(actor, site_id, "template.release", work_unit_id, 0, at)


@transaction.atomic
def template_from_machine(*, actor: Actor, work_unit_id: int, at: datetime) -> int:
    """Make the template of a unit's class from the unit: its tags with their addresses as patterns.

    Every appearance of the unit's code in an address becomes ``{unit}``. Tags without a symbol get one from their
    address. The unit itself follows the template from then on; others of its class can be brought under. Returns how
    many tags the template has.

    Raises
    ------
    NotVisible, PermissionRefused
    InvalidInput
        The unit has no class, or no tags.
    Conflict
        The class has a template already.
    """
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require(EDIT, site_id=unit.site_id)
    if unit.class_id is None:
        raise InvalidInput(_("The work unit %(code)s has no equipment class.") % {"code": unit.code})
    locked_template(unit.class_id)
    if stored.load_template(equipment_class_id=unit.class_id).tags:
        raise Conflict(_("The class %(code)s has a template already.") % {"code": unit.class_code})
    tags = [one for one in stored.present_tags_of(work_unit_ids=[unit.id]).get(unit.id, ()) if not one.is_retired]
    if not tags:
        raise InvalidInput(_("The work unit %(code)s has no tags to make a template from.") % {"code": unit.code})
    source = Counter(tag.values["source"] for tag in tags).most_common(1)[0][0]
    taken = {tag.values["symbol"] for tag in tags}
    cells: list[dict[str, object]] = []
    renamed: dict[int, dict[str, object]] = {}
    for tag in tags:
        own = {name: tag.values[name] for name in (field.name for field in TEMPLATE_FIELDS)}
        own["symbol"] = own["symbol"] or _symbol_of(str(own["address"]), unit.code, taken)
        if own["symbol"] != tag.values["symbol"]:
            renamed[tag.id] = {"symbol": own["symbol"]}
        own["source"] = "" if own["source"] == source else own["source"]
        for name in ("address", "name_zh", "name_en"):
            own[name] = _as_pattern(str(own[name]), unit.code)
        cells.append(own)
    update_rows(renamed)
    spec = TemplateSpec((), tuple(TagRow(row) for row in cells))
    save_template(actor=actor, equipment_class_id=unit.class_id, spec=spec, at=at)
    source_id = DataSource.objects.get(site_id=unit.site_id, code=source).pk
    save_machine_settings(
        actor=actor, work_unit_id=unit.id, source_id=source_id, number=number_in(unit.code), variables={}, at=at
    )
    return len(cells)


def number_in(code: str) -> int:
    """Return the last number in a code, as ``{n}`` of a unit that was there before; 0 without one."""
    found = _LAST_NUMBER.search(code)
    return int(found[1]) if found is not None else 0


def _as_pattern(text: str, unit_code: str) -> str:
    """Write braces doubled, then the unit's code (as a word of its own) as ``{unit}``."""
    plain = text.replace("{", "{{").replace("}", "}}")
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(unit_code)}(?![A-Za-z0-9])", "{unit}", plain)


def _symbol_of(address: str, unit_code: str, taken: set[str]) -> str:
    last = re.split(r"[/.;=:|]", address.replace(unit_code, "").strip("/.;=:| "))[-1]
    stem = re.sub(r"\W+", "_", last, flags=re.ASCII).strip("_")[:50].lower() or "tag"
    stem = stem if not stem[0].isdigit() else f"t_{stem}"
    symbol, number = stem, 1
    while symbol in taken:
        number += 1
        symbol = f"{stem}_{number}"
    taken.add(symbol)
    return symbol


def _check_free(rows: Sequence[Tag], wanted: Mapping[int, Mapping[str, object]]) -> None:
    """Raise `Conflict` when an address or symbol that would come back is somebody else's by now."""
    for row in rows:
        own = wanted.get(row.pk, {})
        if {"address", "source_id"} & set(own):
            place = {"source_id": own.get("source_id", row.source_id), "address": own.get("address", row.address)}
            if Tag.objects.filter(**place).exclude(pk__in=wanted).exists():
                raise Conflict(_("Another tag of the source is at the address %(one)s.") % {"one": place["address"]})
        if "symbol" in own:
            same = Tag.objects.filter(work_unit_id=row.work_unit_id, symbol=own["symbol"], retired_at__isnull=True)
            if same.exclude(pk__in=wanted).exists():
                raise Conflict(_("Another tag of the work unit has the symbol %(one)s.") % {"one": own["symbol"]})


def _tell(actor: Actor, site_id: int, action: str, unit_id: int, written: int, at: datetime, **detail: object) -> None:
    publish(TagsChanged(site_id=site_id, count=written), at=at)
    audit.record(
        actor=actor, action=action, at=at, site_id=site_id, object_kind="work_unit", object_id=unit_id, **detail
    )
