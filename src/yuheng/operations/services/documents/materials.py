"""Material information: classes and definitions to engineering, lots to stock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from yuheng.engineering import selectors as engineering
from yuheng.engineering import services as products
from yuheng.engineering.rules.specs import MaterialSpec
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.engines.b2mml import Node
from yuheng.engines.b2mml.nodes import decimal_of
from yuheng.kernel.errors import Conflict, NotVisible
from yuheng.operations.models import MaterialLot, StockBalance, StockLocation
from yuheng.operations.rules import Act
from yuheng.operations.rules.documents import MaterialProperty, unit_of
from yuheng.operations.services import stock
from yuheng.operations.services.documents.rows import Taking
from yuheng.operations.services.imports import ImportAction

ADD, CHANGE, LEAVE = ImportAction.ADD, ImportAction.CHANGE, ImportAction.LEAVE
_CLASS: dict[str, Any] = dict.fromkeys(("ID", "Description"), "")
_DEFINITION: dict[str, Any] = dict.fromkeys(("ID", "Description", "MaterialDefinitionProperty", "MaterialClassID"), "")
_LOT: dict[str, Any] = dict.fromkeys(
    ("ID", "MaterialDefinitionID", "Description", "EffectiveEndDate", "Quantity"), ""
) | {"StorageLocation": {"Location": "", "LocationType": ""}}


def names_of(node: Node, code: str, known: tuple[str, str] = ("", "")) -> tuple[str, str]:
    """Return the Chinese and the English name: descriptions by their language, one without for both."""
    found = {"zh": "", "en": "", "": ""}
    for one in node.all("Description"):
        language = one.attributes.get("languageID", "").strip().lower()[:2]
        if language in found and not found[language]:
            found[language] = " ".join(one.text.split())
    either = found[""] or found["zh"] or found["en"]
    return (
        (found["zh"] or found[""] or known[0] or either or code)[:160],
        (found["en"] or found[""] or known[1] or either or code)[:160],
    )


# ---- classes ---------------------------------------------------------------------------------------------------------


def take_classes(taking: Taking, nodes: Sequence[Node]) -> None:
    """Add and rename material classes."""
    known = {
        row.code: (row.name_zh, row.name_en)
        for row in engineering.material_classes(actor=taking.actor, site_id=taking.site_id)
    }
    for node in nodes:
        taking.attempt("class", node.said("ID"), node, lambda node=node: _take_class(taking, node, known))  # type: ignore[misc]


def _take_class(taking: Taking, node: Node, known: dict[str, tuple[str, str]]) -> ImportAction:
    code = node.identified()
    zh, en = names_of(node, code, known.get(code, ("", "")))
    taking.leave_unused(node, _CLASS)
    if known.get(code) == (zh, en):
        return LEAVE
    products.save_material_class(
        actor=taking.actor, site_id=taking.site_id, code=code, name_zh=zh, name_en=en, at=taking.at
    )
    is_new, known[code] = code not in known, (zh, en)
    return ADD if is_new else CHANGE


# ---- definitions -----------------------------------------------------------------------------------------------------


def take_definitions(taking: Taking, nodes: Sequence[Node]) -> None:
    """Add and change materials."""
    seen: dict[str, Node] = {}
    for node in nodes:
        taking.attempt(
            "material",
            node.said("ID"),
            node,
            lambda node=node: _take_definition(taking, node, seen),  # type: ignore[misc]
        )


def _take_definition(taking: Taking, node: Node, seen: dict[str, Node]) -> ImportAction:
    code = node.identified()
    if code in seen:
        raise node.wrong(
            gettext_noop("The material stands in the document already, in line %(line)s."), line=seen[code].line
        )
    seen[code] = node
    try:
        row = engineering.material_by_code(actor=taking.actor, site_id=taking.site_id, code=code)
    except NotVisible:
        row = None
    known = (
        MaterialSpec(code, "", "")
        if row is None
        else MaterialSpec(
            code, row.name_zh, row.name_en, row.unit, row.source, row.tracking, row.class_code, row.description,
            {unit: factor.normalize() for unit, factor in row.conversions.items()},
        )
    )  # fmt: skip
    spec = _spec(taking, node, known)
    taking.leave_unused(node, _DEFINITION)
    if row is None:
        products.create_material(actor=taking.actor, site_id=taking.site_id, spec=spec, at=taking.at)
        return ADD
    if spec == known:
        return LEAVE
    products.edit_material(actor=taking.actor, material_id=row.id, spec=spec, at=taking.at)
    return CHANGE


def _spec(taking: Taking, node: Node, known: MaterialSpec) -> MaterialSpec:
    zh, en = names_of(node, known.code, (known.name_zh, known.name_en))
    classes = node.all("MaterialClassID")
    for extra in classes[1:]:
        taking.note(extra)
    said: dict[str, Node] = {}
    for one in node.all("MaterialDefinitionProperty"):
        name = one.said("ID")
        if name in set(MaterialProperty):
            said[name] = one
        else:
            taking.note(one)
    return MaterialSpec(
        code=known.code,
        name_zh=zh,
        name_en=en,
        unit=unit_of(_value(said.get(MaterialProperty.UNIT)) or known.unit),
        source=_word(said.get(MaterialProperty.SOURCE), Source, known.source),
        tracking=_word(said.get(MaterialProperty.TRACKING), Tracking, known.tracking),
        class_code=classes[0].text.strip() if classes else known.class_code,
        description=_value(said[MaterialProperty.NOTE]) if MaterialProperty.NOTE in said else known.description,
        conversions=_conversions(said.get(MaterialProperty.CONVERSION), known.conversions),
    )


def _value(node: Node | None) -> str:
    if node is None:
        return ""
    values = node.all("Value")
    return values[0].said("ValueString") if values else ""


def _word(node: Node | None, words: Any, known: Any) -> Any:
    if node is None:
        return known
    text = _value(node).lower()
    if text not in set(words):
        raise node.wrong(
            gettext_noop("'%(text)s' is not one of the words that may stand here: %(known)s."),
            text=text[:40],
            known=", ".join(words),
        )
    return words(text)


def _conversions(node: Node | None, known: dict[str, Decimal]) -> dict[str, Decimal]:
    """Return other unit -> so many of the material's own; the property's children are the units."""
    if node is None:
        return known
    found: dict[str, Decimal] = {}
    for one in node.all("MaterialDefinitionPropertyChild"):
        factor = decimal_of(_value(one))
        if factor is None:
            raise one.wrong(gettext_noop("'%(text)s' is no number."), text=_value(one)[:40])
        found[unit_of(one.identified())] = factor.normalize()
    return found


# ---- lots ------------------------------------------------------------------------------------------------------------


def take_lots(taking: Taking, nodes: Sequence[Node]) -> None:
    """Receive lots into stock, each once: a lot that is here already is compared, never received again."""
    places = dict(StockLocation.objects.filter(site_id=taking.site_id, retired_at=None).values_list("code", "pk"))
    for node in nodes:
        taking.attempt("lot", node.said("ID"), node, lambda node=node: _take_lot(taking, node, places))  # type: ignore[misc]


def _take_lot(taking: Taking, node: Node, places: dict[str, int]) -> ImportAction:
    code = node.identified()
    material = node.said("MaterialDefinitionID")
    material_id = engineering.material_ids_of(site_id=taking.site_id, codes=[material]).get(material)
    if material_id is None:
        raise (node.first("MaterialDefinitionID") or node).wrong(
            gettext_noop("There is no material %(code)s."), code=material[:60]
        )
    amount, unit = taking.quantity(node)
    factor = engineering.unit_factor(material_id=material_id, unit=unit) if unit else Decimal(1)
    location = node.first("StorageLocation")
    place = location.said("Location") if location is not None else ""
    if place and place not in places:
        raise (location or node).wrong(gettext_noop("There is no stock location %(code)s."), code=place[:60])
    taking.leave_unused(node, _LOT)
    known = MaterialLot.objects.filter(site_id=taking.site_id, material_id=material_id, code=code).first()
    if known is not None:
        there = sum(StockBalance.objects.filter(lot=known).values_list("quantity", flat=True), Decimal(0))
        if there == (amount * factor).quantize(Decimal("0.000001")):
            return LEAVE
        raise Conflict(
            _("Lot %(lot)s is here already, with %(there)s. Count it, if that is wrong: documents do not change stock.")
            % {"lot": code, "there": f"{there.normalize():f}"}
        )
    is_serial = engineering.material_names([material_id])[material_id].tracking is Tracking.SERIAL
    expires: datetime | None = taking.moment(node.moment("EffectiveEndDate"))
    stock.receive(
        actor=taking.actor, site_id=taking.site_id, material_id=material_id, quantity=amount, unit=unit,
        lot="" if is_serial else code, serials=[code] if is_serial else (), location_id=places.get(place),
        expires_at=expires, at=taking.at, act=Act(),
    )  # fmt: skip
    return ADD
