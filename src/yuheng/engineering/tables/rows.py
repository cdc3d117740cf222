"""Rows of text to specs and back: materials, options, lines of bills, segments. Every fault names its cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from yuheng.engineering.rules.faults import Fault, Faulty, _
from yuheng.engineering.rules.specs import (
    AlternateSpec,
    AlternativeSpec,
    LineSpec,
    LinkSpec,
    MaterialSpec,
    ParameterSpec,
    SegmentSpec,
    WorkMasterSpec,
)
from yuheng.engineering.rules.words import LinkKind, SegmentKind, Source, Tracking
from yuheng.engineering.tables import cells
from yuheng.engines.formulas.expressions import Kind

Row = Mapping[str, str]
Read = TypeVar("Read")

MATERIAL_COLUMNS = (
    "code", "name_zh", "name_en", "class", "unit", "source", "tracking", "conversions", "description",
)  # fmt: skip
OPTION_COLUMNS = ("name", "kind", "name_zh", "name_en", "unit", "choices", "default", "low", "high")
LINE_COLUMNS = (
    "find_number", "component", "quantity", "unit", "condition", "scrap", "segment", "alternates", "options",
    "position", "note",
)  # fmt: skip
SEGMENT_COLUMNS = (
    "code", "name_zh", "name_en", "kind", "equipment_class", "setup_time", "run_time", "run_quantity", "work_units",
    "after", "rework", "setup_family", "crew", "skills", "tools", "recipe", "checks", "signals", "confirms",
    "transfer_s", "transfer_batch", "wait_s", "batch_size", "yield", "condition", "subcontractor", "lead_time_s",
    "documents", "instruction_zh", "instruction_en",
)  # fmt: skip
_ALTERNATE = re.compile(r"(?P<code>\S+)\s*(?:[×*]\s*(?P<ratio>[\d.]+))?\s*(?:@\s*(?P<priority>\d{1,4}))?")


class CellFaults(Faulty):
    """Cells that cannot be read; ``cells`` maps a column to what is wrong."""

    def __init__(self, found: dict[str, Fault]) -> None:
        super().__init__(*found.values())
        self.cells = found


@dataclass(slots=True)
class _Reader:
    """Reads the cells of one row, and remembers every one that it cannot."""

    row: Row
    wrong: dict[str, Fault] = field(default_factory=dict)

    def text(self, column: str) -> str:
        return self.row.get(column, "").strip()

    def read(self, column: str, reading: Callable[[str], Read], default: Read) -> Read:
        try:
            return reading(self.text(column))
        except Faulty as error:
            fault = error.faults[0]
            self.wrong[column] = Fault(fault.sentence, column, fault.values)
            return default

    def fail(self, column: str, sentence: str, **values: object) -> None:
        self.wrong[column] = Fault(sentence, column, dict(values))

    def done(self) -> None:
        if self.wrong:
            raise CellFaults(self.wrong)


def _word(kind: Any, default: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if not text:
            return default
        try:
            return kind(text.lower())
        except ValueError:
            known = ", ".join(one.value for one in kind)
            raise cells.wrong(_("'%(text)s' is none of: %(known)s."), text=text[:40], known=known) from None

    return read


def _known(ids: Mapping[str, int], sentence: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text not in ids:
            raise cells.wrong(sentence, code=text[:60])
        return ids[text]

    return read


# ---- materials ----------------------------------------------------------------------------------------------------


def read_material(row: Row) -> MaterialSpec:
    """Read a material. Raises `CellFaults`."""
    reader = _Reader(row)
    spec = MaterialSpec(
        code=reader.text("code"),
        name_zh=reader.text("name_zh") or reader.text("name_en"),
        name_en=reader.text("name_en") or reader.text("name_zh"),
        unit=reader.text("unit") or "{piece}",
        source=reader.read("source", _word(Source, Source.BUY), Source.BUY),
        tracking=reader.read("tracking", _word(Tracking, Tracking.NONE), Tracking.NONE),
        class_code=reader.text("class"),
        description=reader.text("description"),
        conversions=reader.read("conversions", cells.read_conversions, {}),
    )
    reader.done()
    return spec


def write_material(spec: MaterialSpec) -> dict[str, str]:
    """Write a material."""
    return {
        "code": spec.code,
        "name_zh": spec.name_zh,
        "name_en": spec.name_en,
        "class": spec.class_code,
        "unit": spec.unit,
        "source": spec.source.value,
        "tracking": spec.tracking.value,
        "conversions": cells.write_conversions(spec.conversions),
        "description": spec.description,
    }


# ---- options ------------------------------------------------------------------------------------------------------


def read_option(row: Row) -> ParameterSpec:
    """Read an option. Raises `CellFaults`."""
    reader = _Reader(row)
    choices = tuple(cells.parts(reader.text("choices")))
    spec = ParameterSpec(
        name=reader.text("name"),
        kind=reader.read("kind", _word(Kind, Kind.CHOICE if choices else Kind.NUMBER), Kind.NUMBER),
        name_zh=reader.text("name_zh"),
        name_en=reader.text("name_en"),
        unit=reader.text("unit") or "1",
        choices=choices,
        default=reader.text("default"),
        low=reader.read("low", cells.optional_number, None),
        high=reader.read("high", cells.optional_number, None),
    )
    reader.done()
    return spec


def write_option(spec: ParameterSpec) -> dict[str, str]:
    """Write an option."""
    return {
        "name": spec.name,
        "kind": spec.kind.value,
        "name_zh": spec.name_zh,
        "name_en": spec.name_en,
        "unit": "" if spec.unit == "1" else spec.unit,
        "choices": "; ".join(spec.choices),
        "default": spec.default,
        "low": cells.plain(spec.low),
        "high": cells.plain(spec.high),
    }


# ---- bills --------------------------------------------------------------------------------------------------------


def read_line(row: Row, material_ids: Mapping[str, int]) -> LineSpec:
    """Read a line of a bill. ``material_ids``: code -> id of what it may name. Raises `CellFaults`."""
    reader = _Reader(row)
    known = _known(material_ids, _("There is no material %(code)s at this plant."))

    def alternates(text: str) -> tuple[AlternateSpec, ...]:
        found: list[AlternateSpec] = []
        for part in cells.parts(text):
            match = _ALTERNATE.fullmatch(part)
            if match is None:
                raise cells.wrong(_("'%(text)s' is written like this: %(like)s"), text=part[:60], like="B-200 × 2 @1")
            found.append(
                AlternateSpec(
                    known(match["code"]), int(match["priority"] or len(found) + 1), cells.number(match["ratio"] or "1")
                )
            )
        return tuple(found)

    spec = LineSpec(
        find_number=reader.text("find_number"),
        material_id=reader.read("component", known, 0),
        quantity=reader.text("quantity") or "1",
        unit=reader.text("unit"),
        condition=reader.text("condition"),
        scrap_ratio=reader.read("scrap", cells.share, Decimal(0)),
        segment=reader.text("segment"),
        position=reader.text("position"),
        note=reader.text("note"),
        bindings=reader.read("options", cells.read_named_formulas, {}),
        alternates=reader.read("alternates", alternates, ()),
    )
    if not spec.find_number:
        reader.fail("find_number", _("Give the line a find number."))
    reader.done()
    return spec


def write_line(spec: LineSpec, codes: Mapping[int, str]) -> dict[str, str]:
    """Write a line of a bill."""
    alternates = [
        codes.get(one.material_id, "?")
        + (f" × {cells.plain(one.ratio)}" if one.ratio != 1 else "")
        + (f" @{one.priority}" if one.priority != at else "")
        for at, one in enumerate(spec.alternates, start=1)
    ]
    return {
        "find_number": spec.find_number,
        "component": codes.get(spec.material_id, "?"),
        "quantity": spec.quantity,
        "unit": spec.unit,
        "condition": spec.condition,
        "scrap": cells.plain(spec.scrap_ratio) if spec.scrap_ratio else "",
        "segment": spec.segment,
        "alternates": "; ".join(alternates),
        "options": cells.write_named_formulas(spec.bindings),
        "position": spec.position,
        "note": spec.note,
    }


# ---- work masters -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Equipment:
    """Code -> id of what segments may name."""

    classes: Mapping[str, int]
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment with the links that its row tells of."""

    spec: SegmentSpec
    after: tuple[LinkSpec, ...]
    rework: tuple[LinkSpec, ...]


def read_segment(row: Row, known: Equipment) -> SegmentRow:
    """Read a segment. Raises `CellFaults`."""
    reader = _Reader(row)
    code = reader.text("code")
    class_id = _known(known.classes, _("There is no equipment class %(code)s at this plant."))
    seconds = _seconds_of(reader)
    spec = SegmentSpec(
        code=code,
        name_zh=reader.text("name_zh") or reader.text("name_en"),
        name_en=reader.text("name_en") or reader.text("name_zh"),
        kind=reader.read("kind", _word(SegmentKind, SegmentKind.PRODUCE), SegmentKind.PRODUCE),
        equipment_class_id=reader.read("equipment_class", lambda text: class_id(text) if text else None, None),
        condition=reader.text("condition"),
        setup_time=reader.text("setup_time") or "0",
        run_time=reader.text("run_time") or "0",
        run_quantity=reader.read("run_quantity", lambda text: cells.number(text or "1"), Decimal(1)),
        transfer_s=seconds("transfer_s") or 0.0,
        wait_s=seconds("wait_s") or 0.0,
        transfer_batch=reader.read("transfer_batch", cells.optional_number, None),
        batch_size=reader.read("batch_size", cells.optional_number, None),
        setup_family=reader.text("setup_family"),
        crew_size=reader.read("crew", lambda text: cells.whole(text, 1), 1),
        yield_ratio=reader.read("yield", lambda text: cells.share(text or "1"), Decimal(1)),
        subcontractor=reader.text("subcontractor"),
        lead_time_s=seconds("lead_time_s"),
        instruction_zh=reader.text("instruction_zh"),
        instruction_en=reader.text("instruction_en"),
        skills=reader.read("skills", cells.read_skills, ()),
        tools=reader.read("tools", cells.read_tools, ()),
        recipe=reader.read("recipe", cells.read_recipe, ()),
        checks=reader.read("checks", cells.read_checks, ()),
        signals=reader.read("signals", cells.read_signals, SegmentSpec("").signals),
        confirms=_confirms(reader),
        document_ids=reader.read("documents", cells.read_documents, ()),
        alternatives=reader.read("work_units", lambda text: _alternatives(text, known.units), ()),
    )
    none: tuple[LinkSpec, ...] = ()
    after = reader.read("after", lambda text: cells.read_after(text, code), none)
    rework = reader.read("rework", lambda text: cells.read_rework(text, code), none)
    if not code:
        reader.fail("code", _("Give the segment a code such as 10."))
    reader.done()
    return SegmentRow(spec, after, rework)


def _seconds_of(reader: _Reader) -> Callable[[str], float | None]:
    """Return what reads a column of seconds."""

    def read(column: str) -> float | None:
        found = reader.read(column, cells.optional_number, None)
        return None if found is None else float(found)

    return read


def _confirms(reader: _Reader) -> tuple[str, ...]:
    text = reader.text("confirms")
    if text == "-":
        return ()
    return tuple(cells.parts(text)) if text else SegmentSpec("").confirms


def _alternatives(text: str, unit_ids: Mapping[str, int]) -> tuple[AlternativeSpec, ...]:
    """Read ``L01; L02 | set-up | run | preference``."""
    known = _known(unit_ids, _("There is no work unit %(code)s at this plant."))
    found: list[AlternativeSpec] = []
    for part in cells.parts(text):
        code, *more = (piece.strip() for piece in part.split("|"))
        setup, run, preference = (*more, "", "", "")[:3]
        if len(more) > 3:
            raise cells.wrong(_("'%(text)s' is written like this: %(like)s"), text=part[:60], like="L02 | 60 | 95 | 2")
        found.append(AlternativeSpec(known(code), setup, run, cells.whole(preference, 1)))
    return tuple(found)


def write_segment(spec: SegmentSpec, links: Sequence[LinkSpec], known: Equipment) -> dict[str, str]:
    """Write a segment with the links of its work master that lead to it, and its rework."""
    classes = {pk: code for code, pk in known.classes.items()}
    units = {pk: code for code, pk in known.units.items()}
    alternatives = []
    for one in spec.alternatives:
        more = [one.setup_time, one.run_time, "" if one.preference == 1 else str(one.preference)]
        while more and not more[-1]:
            more.pop()
        alternatives.append(" | ".join([units.get(one.work_unit_id, "?"), *more]))
    return {
        "code": spec.code,
        "name_zh": spec.name_zh,
        "name_en": spec.name_en,
        "kind": spec.kind.value,
        "equipment_class": classes.get(spec.equipment_class_id or 0, ""),
        "setup_time": spec.setup_time,
        "run_time": spec.run_time,
        "run_quantity": "" if spec.run_quantity == 1 else cells.plain(spec.run_quantity),
        "work_units": "; ".join(alternatives),
        "after": cells.write_after(
            [one for one in links if one.after == spec.code and one.kind is not LinkKind.REWORK]
        ),
        "rework": cells.write_rework([one for one in links if one.before == spec.code and one.kind is LinkKind.REWORK]),
        "setup_family": spec.setup_family,
        "crew": "" if spec.crew_size == 1 else str(spec.crew_size),
        "skills": cells.write_skills(spec.skills),
        "tools": cells.write_tools(spec.tools),
        "recipe": cells.write_recipe(spec.recipe),
        "checks": cells.write_checks(spec.checks),
        "signals": cells.write_signals(spec.signals),
        "confirms": "; ".join(spec.confirms) or "-",
        "transfer_s": cells.plain(spec.transfer_s) if spec.transfer_s else "",
        "transfer_batch": cells.plain(spec.transfer_batch),
        "wait_s": cells.plain(spec.wait_s) if spec.wait_s else "",
        "batch_size": cells.plain(spec.batch_size),
        "yield": "" if spec.yield_ratio == 1 else cells.plain(spec.yield_ratio),
        "condition": spec.condition,
        "subcontractor": spec.subcontractor,
        "lead_time_s": cells.plain(spec.lead_time_s),
        "documents": cells.write_documents(spec.document_ids),
        "instruction_zh": spec.instruction_zh,
        "instruction_en": spec.instruction_en,
    }


def work_master_of(
    rows: Sequence[SegmentRow], parameters: Sequence[ParameterSpec] = (), note: str = ""
) -> WorkMasterSpec:
    """Put segments together. When no row says what it follows, they follow each other as they stand."""
    segments = tuple(row.spec for row in rows)
    rework = tuple(link for row in rows for link in row.rework)
    if any(row.after for row in rows):
        links = (*(link for row in rows for link in row.after), *rework)
    else:
        links = (*WorkMasterSpec(segments).whole_links(), *rework)
    return WorkMasterSpec(segments, links, tuple(parameters), note)
