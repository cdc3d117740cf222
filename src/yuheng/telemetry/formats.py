"""Tables of history as JSON, Arrow, Parquet or CSV, whichever the caller asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv"
JSON = "application/json"
_BY_NAME = {"arrow": ARROW, "parquet": PARQUET, "csv": CSV, "json": JSON}
_ENDING = {ARROW: "arrow", PARQUET: "parquet", CSV: "csv", JSON: "json"}


def wanted_format(request: HttpRequest) -> str:
    """Return the media type asked for: ``?format=`` decides, else the ``Accept`` header, else JSON."""
    name = request.GET.get("format", "")
    if name:
        if name not in _BY_NAME:
            raise InvalidInput(_("The format is json, arrow, parquet or csv."), {"format": name})
        return _BY_NAME[name]
    return request.get_preferred_type([JSON, ARROW, PARQUET, CSV]) or JSON


def response_of(table: pa.Table, *, media_type: str, file_name: str) -> HttpResponse:
    """Return the table as a response; what is not JSON comes as a file to save."""
    writers = {ARROW: _arrow, PARQUET: _parquet, CSV: _csv, JSON: _json}
    response = HttpResponse(writers[media_type](table), content_type=media_type)
    response["Vary"] = "Accept"
    if media_type != JSON:
        response["Content-Disposition"] = f'attachment; filename="{file_name}.{_ENDING[media_type]}"'
    return response


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _csv(table: pa.Table) -> bytes:
    """Times as ISO 8601 in UTC; UTF-8 with a mark, so that spreadsheets read Chinese."""
    sink = io.BytesIO()
    pa_csv.write_csv(_with_iso_times(table), sink)
    return b"\xef\xbb\xbf" + sink.getvalue()


def _json(table: pa.Table) -> bytes:
    """An object of columns; times as ISO 8601 in UTC, what is not finite as null."""
    columns = {name: _column(table.column(name)) for name in table.column_names}
    return orjson.dumps(columns, option=orjson.OPT_SERIALIZE_NUMPY)


def _column(column: pa.ChunkedArray) -> Sequence[Any]:
    if pa.types.is_timestamp(column.type):
        found: list[Any] = _iso(column).to_pylist()
        return found
    if pa.types.is_floating(column.type) and column.null_count == 0:
        values: Sequence[Any] = column.to_numpy()  # orjson writes what is not finite as null
        return values
    listed: list[Any] = column.to_pylist()
    return listed


def _iso(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """As text, always with six digits after the second. Arrow's own writing is ten times faster than its strftime."""
    plain = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us")).cast(pa.string())
    return pc.binary_join_element_wise(pc.replace_substring(plain, " ", "T"), "Z", "")


def _with_iso_times(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, _iso(table.column(index)))
    return table
