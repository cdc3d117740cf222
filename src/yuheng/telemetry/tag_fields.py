"""The fields of a tag: how each is read from a cell, a form or a file. Tags, templates and grids share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from yuheng.equipment.importing import Field, Unreadable
from yuheng.equipment.importing import fields as read
from yuheng.telemetry.rules import DataType

STANDARD = "standard"
"""Code of the tag class that every site has."""

ADDRESS = Field("address", read.filled_text(400))
SYMBOL = Field("symbol", read.text(60), default="")
DATA_TYPE = Field("data_type", read.one_of(tuple(DataType)))
TRAITS = (
    Field("role", read.text(40), default=""),
    Field("name_zh", read.text(), default=""),
    Field("name_en", read.text(), default=""),
    Field("unit", read.filled_text(24), default="1"),
    Field("scale", read.number(), default=1.0),
    Field("offset", read.number(), default=0.0),
    Field("deadband", read.number(least=0.0), default=0.0),
    Field("tag_class", read.code, default=STANDARD),
    Field("stale_after_s", read.number(above=0.0), default=60.0),
)
"""What a tag has besides where it comes from, whose it is and what kind of value it holds."""

FORMULA = Field("formula", read.text(1000), default="")
TEMPLATE_FIELDS = (SYMBOL, Field("source", read.text(60), default=""), ADDRESS, DATA_TYPE, *TRAITS, FORMULA)
"""A row of a template. ``source`` is a code; "": the data source of the machine, or that of calculated tags."""

EDITABLE = (ADDRESS, DATA_TYPE, Field("work_unit", read.optional_code, default=""), SYMBOL, *TRAITS)
"""What can be edited of a tag that exists; ``work_unit`` is a code."""

FOLLOWED = ("source", "address", "data_type", "symbol", *(field.name for field in TRAITS), "formula")
"""What a machine's tag takes from its template; each can be overridden."""

MOST_CELL_CHARACTERS = 2000


def read_cells(fields: tuple[Field, ...], cells: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the cells of one row: ``(clean values, field -> what is wrong)``. A name nobody knows is wrong, too."""
    known = {field.name: field for field in fields}
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, cell in cells.items():
        field = known.get(name)
        if field is None:
            wrong[str(name)[:40]] = _("There is no such column.")
            continue
        try:
            if isinstance(cell, str) and len(cell) > MOST_CELL_CHARACTERS:
                raise Unreadable(_("is longer than %(longest)d characters") % {"longest": MOST_CELL_CHARACTERS})
            is_empty = cell is None or (isinstance(cell, str) and not cell.strip())
            has_default = isinstance(field.default, str | float | int | bool)
            values[name] = field.default if is_empty and has_default else field.read(cell)
        except Unreadable as error:
            wrong[name] = f"{error}."
    return values, wrong
