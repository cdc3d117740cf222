"""A section of a plant file: one kind of row, how it is read, what exists, how it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from yuheng.equipment.importing.fields import Field, as_cell
from yuheng.kernel.actor import Actor

Values = dict[str, Any]
KEY_SEPARATOR = " · "


class Action(StrEnum):
    """What an import does with a row."""

    ADD = "add"
    CHANGE = "change"
    UNCHANGED = "unchanged"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stands in the file; ``where`` is how a person finds it: ``row 7``, ``areas[0].work_centers[2]``."""

    where: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """What would happen to one row, and why.

    Attributes
    ----------
    values
        Clean values: all fields of a new row, of an existing one those the file gives.
    changes
        Field -> (old, new), for a change.
    reason
        Why it is refused; "" otherwise.
    """

    section: str
    action: Action
    key: str
    where: str
    values: Values = field(default_factory=dict)
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    reason: str = ""


class Section:
    """Base of all sections; a flat list under its own name in the plant file.

    A context that has something to import subclasses this and puts an instance into its ``SECTIONS``;
    ``config.plant_file`` lists them in the order in which they must be applied (what is referred to comes first).

    Attributes
    ----------
    name
        Key in the plant file and kind of a CSV file: ``tags``.
    permission
        What the actor needs at the site to import rows of it.
    fields
        Known fields; others are refused, with the nearest known name.
    passed_over
        Names that stand in the same place of a plant file but belong to other sections.
    """

    name: ClassVar[str]
    permission: ClassVar[str] = "equipment.edit"
    fields: ClassVar[tuple[Field, ...]]
    passed_over: ClassVar[frozenset[str]] = frozenset()

    # ---- what each section must say -----------------------------------------------------------------------------

    def existing(self, site_id: int) -> dict[str, Values]:
        """Key -> clean values of every row the site has, in the order in which an export lists them."""
        raise NotImplementedError

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write the rows (`Action.ADD` and `Action.CHANGE` only), inside the import's transaction.

        The actor's permission was checked; auditing the import as a whole is done by the caller.
        """
        raise NotImplementedError

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return why clean, complete values are refused, or "". ``known``: section -> keys that exist or will."""
        return ""

    def check_together(self, rows: Sequence[PlannedRow], existing: Mapping[str, Values]) -> dict[str, str]:
        """Return key -> why, of rows that are fine alone but cannot stand beside the others.

        ``rows`` are those that would be added, changed or left; ``existing`` is what the site has.
        """
        return {}

    # ---- how rows stand in files: overridden by nested sections -------------------------------------------------

    @property
    def document_key(self) -> str:
        """Top-level key of the plant file where the rows are found."""
        return self.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of its CSV file."""
        return tuple(one.name for one in self.fields)

    def key_of(self, values: Mapping[str, Any]) -> str:
        """Return the key of a row."""
        return KEY_SEPARATOR.join(str(values.get(one.name, "")) for one in self.fields if one.is_key)

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """Find the rows in a plant file."""
        for where, item in items(document, self.name):
            yield RawRow(where, {name: value for name, value in item.items() if name not in self.passed_over})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Write the rows into a plant file; sections before this one have written theirs."""
        if rows:
            document[self.name] = [self.without_defaults(row) for row in rows]

    def from_csv(self, rows: Sequence[RawRow]) -> Sequence[RawRow]:
        """Turn the lines of a CSV file (cells are text, empty ones left out) into rows."""
        return rows

    def to_csv(self, values: Values) -> Iterator[dict[str, str]]:
        """Turn a row into lines of a CSV file."""
        yield {name: as_cell(value) for name, value in values.items()}

    def without_defaults(self, values: Mapping[str, Any]) -> Values:
        """Leave out what a reader would fill in anyway."""
        defaults = {one.name: one.default for one in self.fields}
        return {name: value for name, value in values.items() if value != defaults.get(name)}


class Misplaced(ValueError):
    """The file's structure is not that of a plant file; the message says where."""


def items(parent: Mapping[str, Any], name: str, where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield ``(where, object)`` of a list of objects.

    Raises
    ------
    Misplaced
        It is not a list, or one of its items is no object.
    """
    found = parent.get(name)
    if found is None:
        return
    place = f"{where}.{name}" if where else name
    if not isinstance(found, list):
        raise Misplaced(place)
    for index, item in enumerate(found):
        if not isinstance(item, dict):
            raise Misplaced(f"{place}[{index}]")
        yield f"{place}[{index}]", item
