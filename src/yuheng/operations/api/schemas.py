"""Answers of the API, described from the dataclasses that selectors return: one definition, no copy that can differ."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ninja import Field, Schema
from pydantic import AwareDatetime, create_model

from yuheng.operations.rules import Act, Source
from yuheng.operations.rules.words import LONGEST_ACTION_ID
from yuheng.operations.selectors.orders import RequestRow
from yuheng.operations.selectors.pages import Page
from yuheng.operations.selectors.rows import JobRow

COMPUTED: dict[type, tuple[str, ...]] = {JobRow: ("word", "remaining"), RequestRow: ("share",)}
"""Properties of rows that are told, too."""
NAMES = {"Done": "FloorDoneOut", "ReasonRow": "FloorReasonOut"}
"""Names in the API's description where a class of another context has the usual one."""
Quantity = Annotated[Decimal, Field(ge=0, le=10**13)]
Amount = Annotated[Decimal, Field(gt=0, le=10**13)]
Difference = Annotated[Decimal, Field(ge=-(10**13), le=10**13)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
Limit = Annotated[int, Field(ge=1, le=500)]


def now() -> datetime:
    """Return the time of this machine: what services take as ``at``."""
    return datetime.now(UTC)


@cache
def schema_of(kind: type) -> type[Schema]:
    """Return the schema of a dataclass, with the properties of `COMPUTED`. Decimals become numbers."""
    hints = get_type_hints(kind)
    told: dict[str, Any] = {one.name: (_json_type(hints[one.name]), ...) for one in fields(kind)}
    for name in COMPUTED.get(kind, ()):
        told[name] = (_json_type(get_type_hints(getattr(kind, name).fget)["return"]), ...)
    made: type[Schema] = create_model(
        NAMES.get(kind.__name__, f"{kind.__name__}Out"), __base__=Schema, __doc__=kind.__doc__, **told
    )
    return made


@cache
def page_of(kind: type) -> type[Schema]:
    """Return the schema of a page of rows."""
    rows: Any = types.GenericAlias(list, (schema_of(kind),))
    made: type[Schema] = create_model(
        f"{kind.__name__}PageOut", __base__=Schema, __doc__=Page.__doc__, rows=(rows, ...), next_cursor=(str, ...)
    )
    return made


def _json_type(hint: Any) -> Any:
    """Return how a type is told: dataclasses as schemas, decimals as numbers, enumerations as their words."""
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
        if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
            return list[Any]
        return types.GenericAlias(list, (_json_type(arguments[0]),))
    if origin is dict:
        return types.GenericAlias(dict, (arguments[0], _json_type(arguments[1])))
    return hint


class ActIn(Schema):
    """What a teller says beside the act: its own id (the same one twice is one act) and when it happened."""

    action_id: Annotated[str, Field(max_length=LONGEST_ACTION_ID)] = ""
    happened_at: AwareDatetime | None = None
    source: Literal["person", "signal", "import"] = "person"
    run_id: Annotated[str, Field(max_length=80)] = ""

    def act(self) -> Act:
        """Return it as services take it."""
        return Act(
            action_id=self.action_id, happened_at=self.happened_at, source=Source(self.source), run_id=self.run_id
        )


class OrderReasonIn(Schema):
    """Why."""

    reason: Reason
