"""Making the template of a class from a machine that is there."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.telemetry.selectors import templates as stored
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.templates.editing import locked_template, save_template
from yuheng.telemetry.services.templates.following import MachineSettings, follow_templates
from yuheng.telemetry.services.templates.specs import TagRow, TemplateSpec
from yuheng.telemetry.services.templates.writing import update_rows
from yuheng.telemetry.tag_fields import TEMPLATE_FIELDS

_LAST_NUMBER = re.compile(r"(\d{1,6})(?!.*\d)")


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
    machine = MachineSettings(unit.id, source, number_in(unit.code))
    follow_templates(actor=actor, site_id=unit.site_id, machines=[machine], at=at)
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
