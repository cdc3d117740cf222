"""Read JSON objects into the problem's values, key by key, with a sentence for everything that does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from yuheng.engines.schedule.faults import Fault, gettext_noop
from yuheng.engines.schedule.parts import Id

_MISSING = gettext_noop("is missing. Give it.")
_KIND = gettext_noop("%(value)s is not %(wanted)s.")
_TYPO = gettext_noop("this key is unknown. Did you mean %(known)s?")

ALMOST = 0.8
"""A key this much like a known one is taken for a slip of the pen, not for somebody's own remark."""

type_reader = Callable[["Row", str, Any], Any]


class Unfit(Exception):
    """A value was noted as a fault; whatever it belongs to cannot be made."""


class Row:
    """One JSON object being read; collects faults under the name of its row.

    Parameters
    ----------
    name
        "order 3, operation 2".
    faults
        Where faults of the whole file go.
    """

    def __init__(self, name: str, value: object, faults: list[Fault]) -> None:
        self.name = name
        self.faults = faults
        if not isinstance(value, Mapping):
            self.refuse("row", value, gettext_noop("an object"))
        self.value: Mapping[str, Any] = value  # type: ignore[assignment]

    def refuse(self, field: str, value: object, wanted: str) -> None:
        """Note a fault and give up on this row."""
        self.faults.append(Fault(self.name, field, _KIND, {"value": shown(value), "wanted": wanted}))
        raise Unfit

    def get(self, field: str, reader: type_reader, default: Any = ...) -> Any:
        """Read one key with a reader; ``...`` as default: it must be there. ``null`` counts as absent."""
        value = self.value.get(field)
        if value is None:
            if default is ...:
                self.faults.append(Fault(self.name, field, _MISSING))
                raise Unfit
            return default
        return reader(self, field, value)

    def all(self, readers: Mapping[str, tuple[type_reader, Any]]) -> dict[str, Any]:
        """Read every key that is there; those that are not keep the default of the class they go to."""
        self.known(readers)
        return {
            field: self.get(field, reader)
            for field, (reader, default) in readers.items()
            if self.value.get(field) is not None or default is ...
        }

    def known(self, fields: Mapping[str, object]) -> None:
        """Refuse keys that are almost known ones; others are somebody's remarks."""
        for key in self.value:
            if key not in fields and (close := difflib.get_close_matches(key, fields, 1, ALMOST)):
                self.faults.append(Fault(self.name, key, _TYPO, {"known": close[0]}))
                raise Unfit


def shown(value: object) -> str:
    """Shorten a value for a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def whole(row: Row, field: str, value: Any) -> int:
    """Read a whole number; 3.0 is one, true is none."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        row.refuse(field, value, gettext_noop("a whole number"))
    return int(value)


def number(row: Row, field: str, value: Any) -> float:
    """Read any number."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or abs(value) > 1e300:
        row.refuse(field, value, gettext_noop("a number"))
    return value if isinstance(value, int) else float(value)


def is_whole(value: str) -> bool:
    """Whether a text can be written again: JSON can name half a character, which no file holds."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def text(row: Row, field: str, value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str):
        row.refuse(field, value, gettext_noop("a text"))
    if not is_whole(value):
        row.refuse(field, value, gettext_noop("a text of whole characters"))
    return str(value)


def truth(row: Row, field: str, value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        row.refuse(field, value, gettext_noop("true or false"))
    return bool(value)


def ident(row: Row, field: str, value: Any) -> Id:
    """Read an id: a text or a whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        row.refuse(field, value, gettext_noop("an id (a text or a whole number)"))
    if isinstance(value, str) and not is_whole(value):
        row.refuse(field, value, gettext_noop("a text of whole characters"))
    return value  # type: ignore[no-any-return]


def items(row: Row, field: str, value: Any) -> Sequence[Any]:
    """Read a list."""
    if not isinstance(value, list):
        row.refuse(field, value, gettext_noop("a list"))
    return value  # type: ignore[no-any-return]


def tuples_of(reader: type_reader, size: int | None = None) -> type_reader:
    """Return a reader of lists as tuples, of a given length if one is given."""

    def read(row: Row, field: str, value: Any) -> tuple[Any, ...]:
        entries = items(row, field, value)
        if size is not None and len(entries) != size:
            row.refuse(field, value, f"a list of {size}")
        return tuple(reader(row, field, entry) for entry in entries)

    return read


def one_of(kind: Callable[[str], Any], words: Sequence[str]) -> type_reader:
    """Return a reader of one of a few words."""

    def read(row: Row, field: str, value: Any) -> Any:
        if value not in words:
            row.refuse(field, value, f"one of {', '.join(words)}")
        return kind(value)

    return read
