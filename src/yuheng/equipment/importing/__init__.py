"""Import and export of plants: parse → plan (dry run) → apply exactly that plan.

Higher contexts add their kinds of rows by subclassing `Section`; ``config.plant_file`` lists them all.
"""

from yuheng.equipment.importing.fields import REQUIRED, Field, Unreadable, as_cell
from yuheng.equipment.importing.files import (
    ParsedFile,
    is_csv,
    kind_of_csv,
    parse,
    write_csv,
    write_plant_file,
)
from yuheng.equipment.importing.plan import Plan, apply_plan, csv_files, export_document, make_plan
from yuheng.equipment.importing.section import Action, Misplaced, PlannedRow, RawRow, Section, Values, items

__all__ = [
    "REQUIRED",
    "Action",
    "Field",
    "Misplaced",
    "ParsedFile",
    "Plan",
    "PlannedRow",
    "RawRow",
    "Section",
    "Unreadable",
    "Values",
    "apply_plan",
    "as_cell",
    "csv_files",
    "export_document",
    "is_csv",
    "items",
    "kind_of_csv",
    "make_plan",
    "parse",
    "write_csv",
    "write_plant_file",
]
