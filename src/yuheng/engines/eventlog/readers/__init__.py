"""Files to rows: each reader gives the columns it knows and, as often as asked, the rows from the beginning."""

from __future__ import annotations

from pathlib import Path

from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.readers.bytes import kind_of
from yuheng.engines.eventlog.readers.jsons import read_json
from yuheng.engines.eventlog.readers.ocel_sqlite import read_ocel_sqlite
from yuheng.engines.eventlog.readers.ocel_xml import read_ocel_xml
from yuheng.engines.eventlog.readers.source import Source
from yuheng.engines.eventlog.readers.tables import read_csv, read_xlsx
from yuheng.engines.eventlog.readers.xes import read_xes

__all__ = ["FORMATS", "Source", "open_source"]

FORMATS = {
    "csv": read_csv,
    "xlsx": read_xlsx,
    "xes": read_xes,
    "json": read_json,
    "ocel-xml": read_ocel_xml,
    "ocel-sqlite": read_ocel_sqlite,
}


def open_source(path: Path, *, scratch: Path, order_type: str = "") -> Source:
    """Return a log's rows; what the file is is told by its content, not its name.

    Parameters
    ----------
    scratch
        An empty folder of the caller's for what does not fit into memory.
    order_type
        For object-centric logs: the type of objects that are the orders; "" finds one.

    Raises
    ------
    LogError
        It is no file of these kinds, or not a whole one.
    OSError
    """
    if not path.is_file():
        raise LogError(gettext_noop("There is no file %(path)s."), {"path": path.name})
    return FORMATS[kind_of(path)](path, scratch, order_type)
