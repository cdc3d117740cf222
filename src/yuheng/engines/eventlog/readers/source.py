"""What every reader gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Row = tuple[int, dict[str, object]]
"""Where a person finds it (line of a table, number of an event), and its cells by column."""


@dataclass(slots=True)
class Source:
    """A log that can be read again and again, one row at a time.

    Attributes
    ----------
    broken
        Rows that could not be read as rows: where, and the text there. Filled while reading; the same each time.
    hints
        Role -> column, where the format itself says what a column is.
    identity
        The column by which events are told apart, if the format has one: equal rows are no duplicates then.
    """

    format: str
    encoding: str
    columns: list[str]
    rows: Callable[[], Iterator[Row]]
    broken: dict[int, str] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)
    identity: str = ""
