"""Answers of the API, described from the dataclasses that selectors return."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from ninja import Schema
from pydantic import create_model

from yuheng.performance.selectors.flow import StageRow
from yuheng.performance.selectors.leads import LeadRow

NAMES = {"JobRow": "FlowJobOut", "Spread": "TimeSpreadOut", "Standard": "TimeStandardOut"}
"""Names in the API's description where a class of another context has the usual one."""


@cache
def schema_of(kind: type) -> type[Schema]:
    """Return the schema of a dataclass. Decimals become numbers, enumerations their words."""
    hints = get_type_hints(kind)
    told: dict[str, Any] = {one.name: (_json_type(hints[one.name]), ...) for one in fields(kind)}
    made: type[Schema] = create_model(
        NAMES.get(kind.__name__, f"{kind.__name__}Out"), __base__=Schema, __doc__=kind.__doc__, **told
    )
    return made


def _page(kind: type) -> type[Schema]:
    rows: Any = types.GenericAlias(list, (schema_of(kind),))
    made: type[Schema] = create_model(
        f"{kind.__name__}PageOut", __base__=Schema, __doc__="One page.", rows=(rows, ...), next_cursor=(str, ...)
    )
    return made


def _json_type(hint: Any) -> Any:
    if hint is Decimal:
        return float
    if isinstance(hint, type) and issubclass(hint, Enum):
        return str
    if isinstance(hint, type) and is_dataclass(hint):
        return schema_of(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        inner = [_json_type(one) for one in arguments]
        found = inner[0]
        for one in inner[1:]:
            found = found | one
        return found
    if origin in (list, tuple):
        return types.GenericAlias(list, (_json_type(arguments[0]),))
    if origin is dict:
        return types.GenericAlias(dict, (arguments[0], _json_type(arguments[1])))
    return hint


StagePageOut = _page(StageRow)
LeadPageOut = _page(LeadRow)
