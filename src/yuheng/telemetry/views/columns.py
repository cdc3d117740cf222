"""Columns of the grids in which tags and templates are edited, in the reader's language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from yuheng.telemetry.rules import DataType
from yuheng.telemetry.tag_fields import EDITABLE, TEMPLATE_FIELDS

_NUMBERS = frozenset({"scale", "offset", "deadband", "stale_after_s"})


def labels() -> dict[str, str]:
    """Field of a tag -> its word."""
    return {
        "symbol": _("Symbol"),
        "source": _("Data source"),
        "address": _("Address"),
        "data_type": _("Data type"),
        "work_unit": _("Work unit"),
        "role": _("Role"),
        "name_zh": _("Chinese name"),
        "name_en": _("English name"),
        "unit": _("Unit"),
        "scale": _("Scale"),
        "offset": _("Offset"),
        "deadband": _("Deadband"),
        "tag_class": _("Tag class"),
        "stale_after_s": _("Stale after (s)"),
        "is_writable": _("Writable"),
        "formula": _("Formula"),
    }


def template_columns() -> list[dict[str, Any]]:
    """Columns of a template's tags."""
    words = labels()
    return [_column(field.name, words, field.default) for field in TEMPLATE_FIELDS]


def tag_columns() -> list[dict[str, Any]]:
    """Columns of tags that exist; their source cannot be changed in the grid."""
    words = labels()
    source = {"name": "source", "label": words["source"], "kind": "text", "locked": True}
    return [source, *(_column(field.name, words, None) for field in EDITABLE)]


def _column(name: str, words: dict[str, str], default: Any) -> dict[str, Any]:
    column: dict[str, Any] = {
        "name": name,
        "label": words.get(name, name),
        "kind": "number" if name in _NUMBERS else "text",
        "wide": name == "address",
    }
    if isinstance(default, bool):
        column |= {"kind": "choice", "choices": ["false", "true"]}
    if name == "data_type":
        column |= {"kind": "choice", "choices": [str(one) for one in DataType], "default": str(DataType.FLOAT)}
    elif isinstance(default, float):
        column["default"] = f"{default:g}"
    elif isinstance(default, str | bool) and default != "":
        column["default"] = str(default).lower() if isinstance(default, bool) else default
    return column
