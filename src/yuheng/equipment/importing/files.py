"""Reading and writing plant files (YAML, JSON) and CSV files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml
from django.utils.translation import gettext as _

from yuheng.equipment.importing.section import Misplaced, RawRow, Section, Values
from yuheng.kernel.errors import InvalidInput

FORMAT = "yuheng/plant-1"
LARGEST_FILE = 32 * 1024 * 1024
MOST_ROWS = 200_000
_HEADER = {
    "format": frozenset[str](),
    "organisation": frozenset({"code", "name_zh", "name_en"}),
    "site": frozenset({"code", "name_zh", "name_en", "time_zone"}),
}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """Rows of a file by section, before anything is checked."""

    organisation: Mapping[str, Any] = field(default_factory=dict)
    site: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Sequence[RawRow]] = field(default_factory=dict)


def parse(content: bytes, *, kind: str, sections: Sequence[Section]) -> ParsedFile:
    """Read a file: a plant file when ``kind`` is "", else a CSV file of the section with that name.

    Raises
    ------
    InvalidInput
        It is too large, not text, not YAML/JSON/CSV, or not built like a plant file; the message says where.
    """
    if len(content) > LARGEST_FILE:
        raise InvalidInput(_("The file is larger than 32 MB. Split it."))
    if kind:
        section = next((one for one in sections if one.name == kind), None)
        if section is None:
            known = ", ".join(one.name for one in sections)
            raise InvalidInput(_("There is no kind '%(kind)s'. Known: %(known)s.") % {"kind": kind, "known": known})
        return ParsedFile(rows={kind: section.from_csv(_csv_rows(decode(content)))})
    return _plant_file(decode(content), sections)


def kind_of_csv(content: bytes, *, sections: Sequence[Section], file_name: str = "") -> str:
    """Guess what a CSV file holds: by its name, else by the section that knows most of its columns."""
    stem = file_name.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
    if any(stem == section.name for section in sections):
        return stem
    first = decode(content).split("\n", 1)[0]
    header = {name.strip() for name in next(csv.reader([first], delimiter=_delimiter(first)), [])}
    best = max(sections, key=lambda section: (len(header & set(section.columns)), -len(section.columns)))
    if not header & set(best.columns):
        raise InvalidInput(_("The first line has no known column names. Say what the file holds."))
    return best.name


def is_csv(file_name: str) -> bool:
    """Return whether the name is that of a CSV file (else it is taken as YAML, which includes JSON)."""
    return file_name.lower().endswith((".csv", ".tsv", ".txt"))


def decode(content: bytes) -> str:
    """Read text in UTF-8 (with or without a mark), UTF-16 with a mark, or GB18030 as spreadsheets in China write it.

    Raises
    ------
    InvalidInput
        It is none of these.
    """
    has_mark = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ["utf-16"] if has_mark else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise InvalidInput(_("The file is not text in UTF-8 or GB18030."))


# ---- CSV ----------------------------------------------------------------------------------------------------------


def _delimiter(first_line: str) -> str:
    return max(",;\t", key=first_line.count)


def _csv_rows(text: str) -> list[RawRow]:
    first_line = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first_line), strict=True)
    rows: list[RawRow] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(_csv_row(header, cells, reader.line_num))
            if len(rows) > MOST_ROWS:
                raise InvalidInput(_("The file has more than 200,000 rows. Split it."))
    except csv.Error as error:
        raise InvalidInput(_("Row %(row)d is not CSV: %(why)s.") % {"row": reader.line_num, "why": error}) from error
    return rows


def _check_header(header: list[str]) -> None:
    if not any(header):
        raise InvalidInput(_("The file is empty; its first row must name the columns."))
    if twice := {name for name in header if name and header.count(name) > 1}:
        raise InvalidInput(_("Columns stand twice: %(names)s.") % {"names": ", ".join(sorted(twice))})


def _csv_row(header: list[str], cells: list[str], line: int) -> RawRow:
    """Pair cells with columns; an empty cell says nothing. Cells beyond the header get a name nobody knows."""
    named = zip(header, cells, strict=False)
    values = {name or f"column {index + 1}": cell for index, (name, cell) in enumerate(named) if cell.strip()}
    values.update(
        {f"column {index + 1}": cell for index, cell in enumerate(cells) if index >= len(header) and cell.strip()}
    )
    return RawRow(f"row {line}", values)


def write_csv(section: Section, rows: Sequence[Values]) -> bytes:
    """Write a section as CSV: UTF-8 with a mark, so that spreadsheets read Chinese."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=section.columns, restval="")
    writer.writeheader()
    for row in rows:
        writer.writerows(section.to_csv(row))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


# ---- plant files --------------------------------------------------------------------------------------------------


def _plant_file(text: str, sections: Sequence[Section]) -> ParsedFile:
    document = _load(text)
    if not isinstance(document, dict):
        raise InvalidInput(_("A plant file is an object with sections such as 'areas' and 'tags'."))
    if document.get("format") != FORMAT:
        raise InvalidInput(_("The file must say 'format: %(format)s'.") % {"format": FORMAT})
    _check_names(document, {*_HEADER, *(section.document_key for section in sections)}, "")
    try:
        rows = {section.name: list(section.rows_of(document)) for section in sections}
    except Misplaced as error:
        raise InvalidInput(_("'%(where)s' is not built as expected.") % {"where": error}) from error
    if sum(len(found) for found in rows.values()) > MOST_ROWS:
        raise InvalidInput(_("The file has more than 200,000 rows. Split it."))
    return ParsedFile(organisation=_head(document, "organisation"), site=_head(document, "site"), rows=rows)


def _load(text: str) -> Any:
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):  # a few lines of aliases can stand for gigabytes
                raise InvalidInput(_("Aliases (*name) are not allowed in a plant file."))
        return yaml.load(text, Loader=_Loader)  # a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:300]
        raise InvalidInput(_("The file is not YAML or JSON: %(why)s") % {"why": why}) from error


def _head(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name) or {}
    if not isinstance(found, dict):
        raise InvalidInput(_("'%(where)s' is not built as expected.") % {"where": name})
    _check_names(found, set(_HEADER[name]), f"{name}.")
    return found


def _check_names(found: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in found:
        if name not in known:
            raise InvalidInput(unknown_name(f"{where}{name}", str(name), known))


def unknown_name(shown: str, name: str, known: set[str]) -> str:
    """Say that a name is unknown, and the nearest known one."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return _("'%(name)s' is unknown; did you mean '%(near)s'?") % {"name": shown, "near": near[0]}
    return _("'%(name)s' is unknown.") % {"name": shown}


def write_plant_file(document: Mapping[str, Any]) -> bytes:
    """Write a plant file as YAML."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(document, Dumper=dumper, allow_unicode=True, sort_keys=False, width=110)
    return text.encode()
