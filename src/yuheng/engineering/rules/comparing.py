"""Two versions next to each other: what was added, removed, changed; each field as people read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from yuheng.engineering.rules.bills import natural_key
from yuheng.engineering.rules.resolution import canonical_json
from yuheng.engineering.rules.specs import BomSpec, LineSpec, LinkSpec, ParameterSpec, SegmentSpec, WorkMasterSpec

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of something that stands in both versions."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One line, segment, link or option. ``changes`` is empty for what was added or removed."""

    kind: str
    key: str
    label: str
    changes: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one version has, and the other has not."""

    added: tuple[Compared, ...] = ()
    removed: tuple[Compared, ...] = ()
    changed: tuple[Compared, ...] = ()

    @property
    def is_same(self) -> bool:
        """Return whether nothing differs."""
        return not (self.added or self.removed or self.changed)


def compare_boms(before: BomSpec, after: BomSpec, codes: Mapping[int, str]) -> Comparison:
    """Compare bills. A line that only got another find number is a changed one.

    Parameters
    ----------
    codes
        Material id -> code, of every material in either.
    """

    def fields(line: LineSpec) -> dict[str, Any]:
        return _fields(line) | {
            "find_number": line.find_number,
            "component": codes.get(line.material_id, "?"),
            "alternates": "; ".join(f"{codes.get(one.material_id, '?')} × {one.ratio}" for one in line.alternates),
        }

    def label(line: LineSpec) -> str:
        return codes.get(line.material_id, "?")

    old, new = _renumbered(before.lines, after.lines)
    return _together(
        _compared("line", old, new, fields, label),
        _parameters(before.parameters, after.parameters),
        _head({"base_quantity": before.base_quantity}, {"base_quantity": after.base_quantity}),
    )


def _renumbered(
    before: Sequence[LineSpec], after: Sequence[LineSpec]
) -> tuple[dict[str, LineSpec], dict[str, LineSpec]]:
    """Key lines by find number; those without a twin, but with the same part elsewhere, by that twin's number."""
    old, new = ({one.find_number: one for one in lines} for lines in (before, after))
    gone = [one for number, one in old.items() if number not in new]
    come = {number: one for number, one in new.items() if number not in old}
    for line in gone:
        twin = next(
            (n for n, one in come.items() if (one.material_id, one.position) == (line.material_id, line.position)), None
        )
        if twin is not None:
            new[line.find_number] = new.pop(twin)
            del come[twin]
    return old, new


def compare_work_masters(
    before: WorkMasterSpec, after: WorkMasterSpec, classes: Mapping[int, str], units: Mapping[int, str]
) -> Comparison:
    """Compare work masters: segments by code, links by what they join.

    Parameters
    ----------
    classes, units
        Id -> code of equipment classes and work units.
    """

    def fields(one: SegmentSpec) -> dict[str, Any]:
        own = _fields(one)
        own["equipment_class"] = classes.get(one.equipment_class_id or 0, "")
        del own["equipment_class_id"]
        own["alternatives"] = "; ".join(
            " ".join(part for part in (units.get(x.work_unit_id, "?"), x.setup_time, x.run_time) if part)
            for x in one.alternatives
        )
        return own

    links = [{f"{one.before} → {one.after}": one for one in spec.whole_links()} for spec in (before, after)]
    segments = [{one.code: one for one in spec.segments} for spec in (before, after)]
    return _together(
        _compared("segment", segments[0], segments[1], fields, lambda one: one.name_zh),
        _compared("link", links[0], links[1], _fields, _link_label),
        _parameters(before.parameters, after.parameters),
    )


def _link_label(one: LinkSpec) -> str:
    return one.kind.value


def _parameters(before: Sequence[ParameterSpec], after: Sequence[ParameterSpec]) -> Comparison:
    old, new = ({one.name: one for one in specs} for specs in (before, after))
    return _compared("option", old, new, _fields, lambda one: one.name_zh)


def _head(before: dict[str, Any], after: dict[str, Any]) -> Comparison:
    changes = _changes(before, after)
    return Comparison(changed=(Compared("version", "", "", changes),) if changes else ())


def _fields(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__ if name not in ("material_id",)}


def _compared(
    kind: str,
    before: Mapping[str, Item],
    after: Mapping[str, Item],
    fields: Callable[[Item], dict[str, Any]],
    label: Callable[[Item], str],
) -> Comparison:
    def ordered(keys: set[str]) -> list[str]:
        return sorted(keys, key=natural_key)

    added = tuple(Compared(kind, key, label(after[key])) for key in ordered(set(after) - set(before)))
    removed = tuple(Compared(kind, key, label(before[key])) for key in ordered(set(before) - set(after)))
    changed = []
    for key in ordered(set(before) & set(after)):
        changes = _changes(fields(before[key]), fields(after[key]))
        if changes:
            changed.append(Compared(kind, key, label(after[key]), changes))
    return Comparison(added, removed, tuple(changed))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(name, _text(before[name]), _text(after[name]))
        for name in before
        if _text(before[name]) != _text(after[name])
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str | bool | int):
        return str(value)
    plain = msgspec.to_builtins(value)
    return canonical_json({"": plain})[4:-1].decode() if plain else ""


def _together(*parts: Comparison) -> Comparison:
    return Comparison(
        tuple(one for part in parts for one in part.added),
        tuple(one for part in parts for one in part.removed),
        tuple(one for part in parts for one in part.changed),
    )
