"""Equipment information: areas, work centers, work units and their classes, through the plant's own import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_noop

from yuheng.engines.b2mml import Node
from yuheng.equipment import importing
from yuheng.equipment import selectors as plant
from yuheng.equipment.importing import Action, ParsedFile, Plan, RawRow
from yuheng.equipment.importing.sections import SECTIONS
from yuheng.kernel.actor import Actor
from yuheng.operations.services.documents.materials import names_of
from yuheng.operations.services.documents.rows import Taking
from yuheng.operations.services.imports import ImportAction

AREAS, CENTERS, UNITS, CLASSES = "areas", "work_centers", "work_units", "classes"
_LEVELS = {
    "Area": AREAS,
    "WorkCenter": CENTERS, "ProductionLine": CENTERS, "ProcessCell": CENTERS, "ProductionUnit": CENTERS,
    "StorageZone": CENTERS,
    "WorkUnit": UNITS, "WorkCell": UNITS, "Unit": UNITS, "StorageUnit": UNITS,
}  # fmt: skip
_USED: dict[str, Any] = dict.fromkeys(
    ("ID", "Description", "EquipmentLevel", "EquipmentChild", "EquipmentClassID", "HierarchyScope"), ""
)
Known = Mapping[str, Mapping[str, Mapping[str, Any]]]
_ACTIONS = {
    Action.ADD: ImportAction.ADD,
    Action.CHANGE: ImportAction.CHANGE,
    Action.UNCHANGED: ImportAction.LEAVE,
    Action.REFUSE: ImportAction.REFUSE,
}


def take(taking: Taking, equipment: Sequence[Node], classes: Sequence[Node]) -> None:
    """Add and change equipment: nested as ``EquipmentChild``, or flat with the parent as ``HierarchyScope``."""
    site = plant.site(actor=taking.actor, site_id=taking.site_id)
    places: dict[str, Node] = {}
    known = {one.name: one.existing(taking.site_id) for one in SECTIONS if one.name in (AREAS, CENTERS, UNITS, CLASSES)}
    rows: dict[str, list[RawRow]] = {AREAS: [], CENTERS: [], UNITS: [], CLASSES: []}
    begin = len(taking.rows)
    for node in classes:

        def act_class(node: Node = node) -> ImportAction:
            _put(taking, rows, places, CLASSES, node, {}, known)
            return ImportAction.LEAVE

        taking.attempt("class", node.said("ID"), node, act_class)
    for node in equipment:

        def act(node: Node = node) -> ImportAction:
            _walk(taking, rows, places, node, site.code, "", known)
            return ImportAction.LEAVE

        taking.attempt("equipment", node.said("ID"), node, act)
    taking.rows[begin:] = [row for row in taking.rows[begin:] if row.action is ImportAction.REFUSE]
    parsed = ParsedFile(organisation={}, site={}, rows=rows)
    plan = importing.make_plan(actor=taking.actor, parsed=parsed, sections=SECTIONS, site_id=taking.site_id)
    _tell(taking, plan, places)
    if plan.has_effect and not plan.count(Action.REFUSE) and len(taking.rows) == begin + len(plan.rows):
        _apply(taking.actor, parsed, plan, taking)


def _apply(actor: Actor, parsed: ParsedFile, plan: Plan, taking: Taking) -> None:
    importing.apply_plan(
        actor=actor, parsed=parsed, sections=SECTIONS, site_id=taking.site_id, plan_sha256=plan.sha256(), at=taking.at
    )


def _tell(taking: Taking, plan: Plan, places: dict[str, Node]) -> None:
    for row in plan.rows:
        taking.tell(row.section, row.key, places[row.where], _ACTIONS[row.action], row.reason)


def _put(
    taking: Taking, rows: dict[str, list[RawRow]], places: dict[str, Node], section: str, node: Node,
    more: dict[str, str], known: Known,
) -> None:  # fmt: skip
    code = node.identified()
    old = known[section].get(code, {})
    zh, en = names_of(node, code, (str(old.get("name_zh", "")), str(old.get("name_en", ""))))
    places[node.path] = node
    names = {"name_zh": zh, "name_en": en}
    rows[section].append(RawRow(node.path, {"code": code, **names, **more}))
    taking.leave_unused(node, _USED)


def _walk(
    taking: Taking, rows: dict[str, list[RawRow]], places: dict[str, Node], node: Node, site_code: str, parent: str,
    known: Known,
) -> None:  # fmt: skip
    level = node.first("EquipmentLevel")
    word = level.text.strip() if level is not None else ""
    children: Iterable[Node] = node.all("EquipmentChild")
    if word in ("Enterprise", "Site"):
        if word == "Site" and node.identified() != site_code:
            raise node.wrong(
                gettext_noop("The document is for the site '%(code)s', not for this one."), code=node.said("ID")[:60]
            )
        for child in children:
            _walk(taking, rows, places, child, site_code, "", known)
        return
    section = _LEVELS.get(word)
    if section is None:
        raise (level or node).wrong(
            gettext_noop("Equipment of the level '%(level)s' is not kept here. Known: %(known)s."),
            level=word or "–",
            known=", ".join(_LEVELS),
        )
    scope = node.first("HierarchyScope")
    above = parent or (_deepest(scope) if scope is not None else "")
    more = {AREAS: {}, CENTERS: {"area": above}, UNITS: {"work_center": above}}[section]
    more = {name: value for name, value in more.items() if value}
    kinds = node.all("EquipmentClassID")
    for extra in kinds[1:] if section == UNITS else kinds:
        taking.note(extra)
    if section == UNITS and kinds:
        more["class"] = kinds[0].text.strip()
    _put(taking, rows, places, section, node, more, known)
    for child in children:
        _walk(taking, rows, places, child, site_code, node.identified(), known)


def _deepest(scope: Node) -> str:
    inner = scope.first("HierarchyScopeChild")
    return _deepest(inner) if inner is not None else scope.said("EquipmentID")
