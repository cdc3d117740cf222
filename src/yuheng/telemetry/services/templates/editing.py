"""Editing a template: see what changes in which machines, then apply exactly that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engines.patterns import PatternError
from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.kernel.events import publish
from yuheng.telemetry.events import TagsChanged
from yuheng.telemetry.models import ClassTemplate, TemplateTag
from yuheng.telemetry.selectors import templates as stored
from yuheng.telemetry.selectors.templates import LoadedTemplate, Variable
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.formulas import source_of_calculated_tags
from yuheng.telemetry.services.templates.specs import TemplateSpec, known_codes, read_template
from yuheng.telemetry.services.templates.writing import Ids, fingerprint, write_plans
from yuheng.telemetry.spoken_plans import problem_sentence
from yuheng.telemetry.template_plans import (
    Machine,
    MachinePlan,
    Problem,
    WantedTag,
    clashes,
    plan_machine,
    rendered,
)


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """A field of the template itself that would change; ``old`` None: the tag is new; ``new`` None: it goes."""

    symbol: str
    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class TemplatePreview:
    """What a template that was written would change: in itself and in each machine that follows it."""

    class_id: int
    site_id: int
    version: int
    variables: tuple[Variable, ...]
    wanted: tuple[WantedTag, ...]
    template_changes: tuple[TemplateChange, ...]
    machines: tuple[MachinePlan, ...]

    @property
    def problems(self) -> list[Problem]:
        """Why it cannot be applied, machine by machine."""
        return [problem for plan in self.machines for problem in plan.problems]

    @property
    def affected(self) -> list[MachinePlan]:
        """Machines of which something would be written."""
        return [plan for plan in self.machines if plan.has_effect]

    @property
    def has_effect(self) -> bool:
        """Return whether applying it would write anything."""
        return bool(self.template_changes or self.affected)

    def counts(self) -> dict[str, int]:
        """How many machines, tags and fields are concerned, and how many fields stay as set by hand."""
        return {
            "machines": len(self.affected),
            "fields": sum(len(plan.changes) for plan in self.machines),
            "tags_changed": sum(len({change.tag_id for change in plan.changes}) for plan in self.machines),
            "tags_added": sum(len(plan.added) + len(plan.revived) for plan in self.machines),
            "tags_linked": sum(len(plan.linked) for plan in self.machines),
            "tags_retired": sum(len(plan.retired) for plan in self.machines),
            "kept": sum(len(plan.kept) for plan in self.machines),
            "problems": len(self.problems),
        }

    def sha256(self) -> str:
        """Fingerprint: two previews that would do the same have the same."""
        own = [asdict(change) for change in self.template_changes]
        variables = [asdict(one) for one in self.variables]
        return fingerprint([self.class_id, self.version, variables, own, [plan.told() for plan in self.machines]])


def preview_template(*, actor: Actor, equipment_class_id: int, spec: TemplateSpec) -> TemplatePreview:
    """Say what a template would change; nothing is written. Eight queries, whatever the number of machines.

    Raises
    ------
    NotVisible, PermissionRefused
    InvalidInput
        ``fields`` maps ``tags.<row>.<field>`` to what is wrong there.
    """
    site_id = equipment.site_of_equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(EDIT, site_id=site_id)
    present = stored.load_template(equipment_class_id=equipment_class_id)
    wanted = read_template(known=known_codes(site_id), spec=spec, present=present)
    machines = stored.load_machines(template_id=equipment_class_id)
    plans = plan_machines(site_id=site_id, machines=machines, wanted=wanted, variables=spec.variables)
    return TemplatePreview(
        equipment_class_id, site_id, present.version, spec.variables, wanted, _differences(present, spec, wanted), plans
    )


@transaction.atomic
def save_template(
    *,
    actor: Actor,
    equipment_class_id: int,
    spec: TemplateSpec,
    at: datetime,
    version: int | None = None,
    plan_sha256: str | None = None,
) -> TemplatePreview:
    """Write a template and everything that it changes in the machines that follow it: all or nothing.

    Parameters
    ----------
    version
        The version that was edited; None: whatever it is now (imports, which had their own dry run).
    plan_sha256
        Fingerprint of the preview that was looked at; None: none was.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        Somebody else changed the template since, or the machines are not as the preview said, or some cannot follow.
    """
    site_id = equipment.site_of_equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(EDIT, site_id=site_id)
    row = locked_template(equipment_class_id)
    if version is not None and row.version != version:
        raise Conflict(
            _("Somebody else changed this template since you opened it. Nothing was saved: compare, then save again.")
        )
    preview = preview_template(actor=actor, equipment_class_id=equipment_class_id, spec=spec)
    if plan_sha256 is not None and preview.sha256() != plan_sha256:
        raise Conflict(_("The machines changed since the preview. Look at the new preview and apply that."))
    refuse_problems(preview.problems)
    if not preview.has_effect:
        return preview
    if any(tag.values["formula"] for tag in preview.wanted):
        source_of_calculated_tags(actor, site_id, at)
    ids = Ids(site_id)
    keys = _write_template(row, preview, ids)
    units = {plan.machine.code: plan.machine.id for plan in preview.machines}
    written = write_plans(plans=preview.machines, unit_ids=units, template_ids=keys, ids=ids, at=at)
    TemplateTag.objects.filter(template=row).exclude(pk__in=keys.values()).delete()
    publish(TagsChanged(site_id=site_id, count=written), at=at)
    audit.record(
        actor=actor,
        action="template.save",
        at=at,
        site_id=site_id,
        object_kind="equipment_class",
        object_id=equipment_class_id,
        version=row.version,
        counts=preview.counts(),
        changes=[asdict(change) for change in preview.template_changes[:100]],
        machines=[plan.machine.code for plan in preview.affected[:100]],
    )
    return preview


def locked_template(equipment_class_id: int) -> ClassTemplate:
    """Return the template of a class, locked until the transaction ends; made empty when there is none."""
    ClassTemplate.objects.get_or_create(pk=equipment_class_id)
    return ClassTemplate.objects.select_for_update().get(pk=equipment_class_id)


def plan_machines(
    *, site_id: int, machines: Sequence[Machine], wanted: Sequence[WantedTag], variables: Iterable[Variable]
) -> tuple[MachinePlan, ...]:
    """Plan machines of one template together, with the clashes among them and with all other tags. One query."""
    defaults = stored.defaults_of(variables)
    elsewhere = stored.tags_at(site_id=site_id, places=_places(machines, wanted, defaults))
    plans = tuple(plan_machine(machine, wanted, defaults, elsewhere) for machine in machines)
    found = clashes(plans, elsewhere)
    for plan in plans:
        plan.problems.extend(found.get(plan.machine.code, ()))
    return plans


def refuse_problems(problems: Sequence[Problem]) -> None:
    """Raise `Conflict` with the first reasons when machines cannot follow."""
    if problems:
        first = " ".join(f"{one.machine}: {problem_sentence(one)}" for one in problems[:3])
        raise Conflict(_("%(count)d things stand in the way. %(first)s") % {"count": len(problems), "first": first})


def _places(
    machines: Sequence[Machine], wanted: Sequence[WantedTag], defaults: Mapping[str, str]
) -> Iterable[tuple[str, str]]:
    for machine in machines:
        for tag in machine.tags:
            yield tag.values["source"], tag.values["address"]
        for one in wanted:
            try:
                values = rendered(one, machine, defaults)
            except PatternError:
                continue  # told by the plan
            yield values["source"], values["address"]


def _differences(
    present: LoadedTemplate, spec: TemplateSpec, wanted: Sequence[WantedTag]
) -> tuple[TemplateChange, ...]:
    before = {tag.key: tag.values for tag in present.tags}
    found: list[TemplateChange] = []
    for tag in wanted:
        old = before.get(tag.key)
        symbol = str(tag.values["symbol"])
        if old is None:
            found.append(TemplateChange(symbol, "", None, tag.values["address"]))
            continue
        found += [
            TemplateChange(symbol, name, old[name], tag.values[name])
            for name in tag.values
            if old[name] != tag.values[name]
        ]
    kept = {tag.key for tag in wanted}
    found += [
        TemplateChange(str(tag.values["symbol"]), "", tag.values["address"], None)
        for tag in present.tags
        if tag.key not in kept
    ]
    order = [tag.key for tag in wanted if tag.key in before]
    if order != [tag.key for tag in present.tags if tag.key in kept]:
        found.append(TemplateChange("", "order", None, None))
    old_variables = {one.name: one for one in present.variables}
    for one in spec.variables:
        other = old_variables.pop(one.name, None)
        if other != one:
            found.append(TemplateChange(f"{{{one.name}}}", "default", other.default if other else None, one.default))
    found += [TemplateChange(f"{{{name}}}", "default", one.default, None) for name, one in old_variables.items()]
    return tuple(found)


def _write_template(row: ClassTemplate, preview: TemplatePreview, ids: Ids) -> dict[int, int]:
    """Write the template's own rows; return key of a wanted tag -> id of its row."""
    row.version += 1
    row.variables = [asdict(one) for one in preview.variables]
    row.save(update_fields=["version", "variables"])
    present = {tag.pk: tag for tag in TemplateTag.objects.filter(template=row)}
    changed: list[TemplateTag] = []
    added: list[tuple[int, TemplateTag]] = []
    columns: set[str] = {"ordinal"}
    for ordinal, one in enumerate(preview.wanted):
        own = {**ids.columns(one.values), "ordinal": ordinal}
        known = present.get(one.key)
        if known is None:
            added.append((one.key, TemplateTag(template=row, **own)))
            continue
        differing = {name for name, value in own.items() if getattr(known, name) != value}
        for name in differing:
            setattr(known, name, own[name])
        if differing:
            changed.append(known)
            columns |= {
                name.removesuffix("_id") if name in ("source_id", "tag_class_id") else name for name in differing
            }
    if changed:
        TemplateTag.objects.bulk_update(changed, sorted(columns), batch_size=500)
    TemplateTag.objects.bulk_create([tag for _key, tag in added], batch_size=500)
    return {**{pk: pk for pk in present if pk in {one.key for one in preview.wanted}}, **{k: t.pk for k, t in added}}
