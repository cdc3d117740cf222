"""From rows to a plan (a dry run), and from a plan to the database, in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment.events import EquipmentChanged
from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import REQUIRED, Field, Unreadable
from yuheng.equipment.importing.files import ParsedFile, unknown_name, write_csv
from yuheng.equipment.importing.section import Action, PlannedRow, RawRow, Section, Values
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.kernel.models import Organisation, Site

KEYS_IN_AUDIT = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """Every row of a file and what would happen to it. ``site_id`` None: the site itself would be added."""

    site_id: int | None
    site_code: str
    rows: tuple[PlannedRow, ...]

    def count(self, action: Action) -> int:
        """How many rows have the action."""
        return sum(row.action is action for row in self.rows)

    def counts(self) -> dict[str, int]:
        """Action -> number of rows, all four."""
        return {action.value: self.count(action) for action in Action}

    @property
    def has_effect(self) -> bool:
        """Return whether applying it would write anything."""
        return any(row.action in {Action.ADD, Action.CHANGE} for row in self.rows)

    def sha256(self) -> str:
        """Fingerprint: two plans that do the same have the same."""
        told = [
            [row.section, row.action.value, row.key, _plain(row.values), _plain(row.changes), row.reason]
            for row in self.rows
        ]
        return hashlib.sha256(json.dumps([self.site_code, told], sort_keys=True, default=str).encode()).hexdigest()


def make_plan(*, actor: Actor, parsed: ParsedFile, sections: Sequence[Section], site_id: int | None) -> Plan:
    """Decide for every row whether it would be added, changed, left or refused, and why; write nothing.

    Parameters
    ----------
    site_id
        The site to import into; None: the one the file names, which may be new.

    Raises
    ------
    NotVisible, PermissionRefused, InvalidInput
        The file names another site than ``site_id``, or a new one that the actor may not add.

    Notes
    -----
    A row is refused alone: what refers to it is refused, too, but the others stand. One query or few a section.
    """
    site, site_rows = _site_of(actor, parsed, site_id)
    known: dict[str, frozenset[str]] = {}
    planned = list(site_rows)
    for section in sections:
        existing = section.existing(site.pk) if site is not None else {}
        rows = _plan_section(actor, section, parsed.rows.get(section.name, ()), existing, known, site)
        accepted = {row.key for row in rows if row.action is not Action.REFUSE}
        known[section.name] = frozenset(existing) | accepted
        planned.extend(rows)
    return Plan(site.pk if site else None, site.code if site else str(parsed.site.get("code", "")), tuple(planned))


@transaction.atomic
def apply_plan(
    *,
    actor: Actor,
    parsed: ParsedFile,
    sections: Sequence[Section],
    site_id: int | None,
    plan_sha256: str,
    at: datetime,
    leave_out_refused: bool = False,
) -> Plan:
    """Do exactly what the dry run said.

    Raises
    ------
    Conflict
        Something changed since the dry run, or rows are refused and leaving them out was not asked for.
    """
    if site_id is not None:
        Site.objects.select_for_update().filter(pk=site_id).first()
    plan = make_plan(actor=actor, parsed=parsed, sections=sections, site_id=site_id)
    if plan.sha256() != plan_sha256:
        raise Conflict(_("The plant changed since the dry run. Look at the new dry run and apply that."))
    if plan.count(Action.REFUSE) and not leave_out_refused:
        raise Conflict(_("Some rows are refused. Correct the file, or choose to leave those rows out."))
    site = _write_site(parsed, plan, actor)
    for section in sections:
        rows = [row for row in plan.rows if row.section == section.name and row.action in {Action.ADD, Action.CHANGE}]
        if rows:
            section.apply(actor=actor, site_id=site.pk, rows=rows, at=at)
    if plan.has_effect:
        publish(EquipmentChanged(site_id=site.pk, kind="site", object_id=site.pk, change="imported"), at=at)
        _audit(actor, site, plan, at)
    return Plan(site.pk, site.code, plan.rows)


def _audit(actor: Actor, site: Site, plan: Plan, at: datetime) -> None:
    touched = [row for row in plan.rows if row.action in {Action.ADD, Action.CHANGE}]
    counts = Counter(f"{row.section}.{row.action.value}" for row in touched)
    keys = [f"{row.section} {row.key}" for row in touched[:KEYS_IN_AUDIT]]
    audit.record(
        actor=actor,
        action="equipment.imported",
        at=at,
        site_id=site.pk,
        object_kind="site",
        object_id=site.code,
        counts=dict(counts),
        first_keys=keys,
    )


# ---- one section --------------------------------------------------------------------------------------------------


def _plan_section(
    actor: Actor,
    section: Section,
    rows: Sequence[RawRow],
    existing: Mapping[str, Values],
    known: Mapping[str, frozenset[str]],
    site: Site | None,
) -> list[PlannedRow]:
    may = actor.may(section.permission, site_id=site.pk) if site else actor.may_everywhere(section.permission)
    planned: list[PlannedRow] = []
    first_at: dict[str, str] = {}
    for row in rows:
        if not may:
            reason = _("You may not change this here (%(permission)s).") % {"permission": section.permission}
            planned.append(_refused(section, row, section.key_of(row.values), reason))
            continue
        one = _plan_row(section, row, existing, known)
        if one.action is not Action.REFUSE and one.key in first_at:
            reason = _("The same stands in %(where)s already.") % {"where": first_at[one.key]}
            one = _refused(section, row, one.key, reason)
        first_at.setdefault(one.key, row.where)
        planned.append(one)
    accepted = [row for row in planned if row.action is not Action.REFUSE]
    reasons = section.check_together(accepted, existing)
    return [_refused_late(row, reasons) for row in planned]


def _refused_late(row: PlannedRow, reasons: Mapping[str, str]) -> PlannedRow:
    """Refuse an accepted row that has a reason by now."""
    if row.action is Action.REFUSE or row.key not in reasons:
        return row
    return PlannedRow(row.section, Action.REFUSE, row.key, row.where, reason=reasons[row.key])


def _plan_row(
    section: Section, row: RawRow, existing: Mapping[str, Values], known: Mapping[str, frozenset[str]]
) -> PlannedRow:
    values, problems = _clean(section, row)
    key = section.key_of(values)
    if problems:
        return _refused(section, row, key or section.key_of(row.values), " ".join(problems))
    old = existing.get(key)
    if old is None:
        values, missing = _with_defaults(section, values)
        if missing:
            names = ", ".join(missing)
            return _refused(section, row, key, _("A new row needs: %(names)s.") % {"names": names})
    whole = {**(old or {}), **values}
    if reason := _dangling(section, values, known) or section.check(whole, known):
        return _refused(section, row, key, reason)
    if old is None:
        return PlannedRow(section.name, Action.ADD, key, row.where, values)
    changes = {name: (old.get(name), value) for name, value in values.items() if old.get(name) != value}
    action = Action.CHANGE if changes else Action.UNCHANGED
    return PlannedRow(section.name, action, key, row.where, values, changes)


def _clean(section: Section, row: RawRow) -> tuple[Values, list[str]]:
    by_name = {one.name: one for one in section.fields}
    values: Values = {}
    problems: list[str] = []
    for name, value in row.values.items():
        one = by_name.get(name)
        if one is None:
            problems.append(unknown_name(str(name), str(name), set(by_name)))
            continue
        try:
            values[name] = one.read(value)
        except Unreadable as error:
            problems.append(f"{name} {error}.")
    return values, problems


def _with_defaults(section: Section, values: Values) -> tuple[Values, list[str]]:
    missing = [one.name for one in section.fields if one.default is REQUIRED and one.name not in values]
    defaults = {one.name: one.default for one in section.fields if one.default is not REQUIRED}
    return {**defaults, **values}, missing


def _dangling(section: Section, values: Values, known: Mapping[str, frozenset[str]]) -> str:
    for one in section.fields:
        if one.refers_to and one.name in values:
            for key in _named(values[one.name]):
                if key not in known.get(one.refers_to, frozenset()):
                    return _("%(field)s '%(key)s' does not exist.") % {"field": one.name, "key": key}
    return ""


def _named(value: Any) -> list[str]:
    if value in ("", None):
        return []
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]


def _refused(section: Section, row: RawRow, key: str, reason: str) -> PlannedRow:
    return PlannedRow(section.name, Action.REFUSE, key, row.where, reason=reason)


def _plain(value: Any) -> Any:
    return {name: list(part) if isinstance(part, tuple) else part for name, part in value.items()}


# ---- the site itself ----------------------------------------------------------------------------------------------

_SITE_FIELDS = (
    Field("code", read.code, is_key=True),
    Field("name_zh", read.filled_text()),
    Field("name_en", read.filled_text()),
    Field("time_zone", read.filled_text(64), default="Asia/Shanghai"),
)


def _site_of(actor: Actor, parsed: ParsedFile, site_id: int | None) -> tuple[Site | None, list[PlannedRow]]:
    site = Site.objects.filter(pk=site_id).first() if site_id is not None else None
    if site_id is not None and (site is None or not actor.sees_site(site_id)):
        raise NotVisible(_("There is no such site here."))
    if not parsed.site:
        if site is None:
            raise InvalidInput(_("Say which site: the file does not name one."))
        return site, []
    values = _clean_head(parsed.site, _SITE_FIELDS, "site")
    if site is None:
        site = Site.objects.filter(code=values["code"]).first()
    elif values["code"] != site.code:
        raise InvalidInput(_("The file is for the site '%(code)s', not for this one.") % {"code": values["code"]})
    if site is None:
        return None, [_new_site(actor, parsed, values)]
    if not actor.sees_site(site.pk):
        raise NotVisible(_("There is no such site here."))
    return site, [_changed_site(actor, site, values)]


def _clean_head(head: Mapping[str, Any], known: Sequence[Field], name: str) -> Values:
    values: Values = {}
    for one in known:
        if one.name in head:
            try:
                values[one.name] = one.read(head[one.name])
            except Unreadable as error:
                raise InvalidInput(f"{name}.{one.name} {error}.") from error
    if "code" not in values:
        raise InvalidInput(_("'%(where)s' is not built as expected.") % {"where": f"{name}.code"})
    if "time_zone" in values and values["time_zone"] not in available_timezones():
        raise InvalidInput(_("'%(zone)s' is not a time zone such as Asia/Shanghai.") % {"zone": values["time_zone"]})
    return values


def _new_site(actor: Actor, parsed: ParsedFile, values: Values) -> PlannedRow:
    actor.require_everywhere("site.admin")
    firm = _clean_head(parsed.organisation, _SITE_FIELDS[:3], "organisation")
    values = {"time_zone": "Asia/Shanghai", "name_zh": values["code"], "name_en": values["code"], **values}
    return PlannedRow("site", Action.ADD, values["code"], "site", {**values, "organisation": firm["code"]})


def _changed_site(actor: Actor, site: Site, values: Values) -> PlannedRow:
    changes = {name: (getattr(site, name), new) for name, new in values.items() if getattr(site, name) != new}
    if changes and not actor.may("site.admin", site_id=site.pk):
        reason = _("You may not change this here (%(permission)s).") % {"permission": "site.admin"}
        return PlannedRow("site", Action.REFUSE, site.code, "site", reason=reason)
    action = Action.CHANGE if changes else Action.UNCHANGED
    return PlannedRow("site", action, site.code, "site", values, changes)


def _write_site(parsed: ParsedFile, plan: Plan, actor: Actor) -> Site:
    row = next((one for one in plan.rows if one.section == "site"), None)
    if plan.site_id is None and row is not None:
        firm, _made = Organisation.objects.get_or_create(
            code=row.values["organisation"],
            defaults={
                "name_zh": parsed.organisation.get("name_zh") or row.values["organisation"],
                "name_en": parsed.organisation.get("name_en") or row.values["organisation"],
            },
        )
        own = {name: row.values[name] for name in ("code", "name_zh", "name_en", "time_zone")}
        return Site.objects.create(organisation=firm, **own)
    site = Site.objects.get(code=plan.site_code)
    if row is not None and row.action is Action.CHANGE:
        for name, (_old, new) in row.changes.items():
            setattr(site, name, new)
        site.save(update_fields=list(row.changes))
    return site


# ---- export -------------------------------------------------------------------------------------------------------


def export_document(*, actor: Actor, sections: Sequence[Section], site_id: int) -> dict[str, Any]:
    """Return a site as a plant file, such that importing it changes nothing.

    Raises
    ------
    NotVisible, PermissionRefused
    """
    actor.require("equipment.view", site_id=site_id)
    site = Site.objects.select_related("organisation").get(pk=site_id)
    firm = site.organisation
    document: dict[str, Any] = {
        "format": "yuheng/plant-1",
        "organisation": {"code": firm.code, "name_zh": firm.name_zh, "name_en": firm.name_en},
        "site": {
            "code": site.code,
            "name_zh": site.name_zh,
            "name_en": site.name_en,
            "time_zone": site.time_zone,
        },
    }
    for section in sections:
        if actor.may(_view_of(section), site_id=site_id):
            section.put_into(document, list(section.existing(site_id).values()))
    return document


def csv_files(document: Mapping[str, Any], sections: Sequence[Section]) -> Iterator[tuple[str, bytes]]:
    """Yield ``(name, content)`` of one CSV file for each section that the exported plant file has rows of."""
    for section in sections:
        rows = [_whole(section, row) for row in section.rows_of(document)]
        if rows:
            yield f"{section.name}.csv", write_csv(section, rows)


def _whole(section: Section, row: RawRow) -> Values:
    values, _problems = _clean(section, row)
    return _with_defaults(section, values)[0]


def _view_of(section: Section) -> str:
    """Who may change a section may see it under the same context's ``view``."""
    return f"{section.permission.split('.')[0]}.view"
