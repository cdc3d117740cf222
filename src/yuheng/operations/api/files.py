"""JSON edge: files of orders, stock and logs of any size; looked at and applied by the worker, with progress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _
from ninja import Field, Query, Router, Schema

from yuheng.kernel.errors import InvalidInput
from yuheng.operations.api.schemas import now, schema_of
from yuheng.operations.rules.files import FileKind
from yuheng.operations.selectors import files as shown
from yuheng.operations.selectors.files import FileRow, FileState
from yuheng.operations.services import files
from yuheng.people.identity import actor_of

router = Router(tags=["orders"])
FileStateOut = schema_of(FileState)
FileRowOut = schema_of(FileRow)
PIECE = 1024 * 1024
BINARY = "application/octet-stream"
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}
}
_CSV: dict[str, Any] = {
    "responses": {200: {"description": "Refused rows", "content": {"text/csv": {"schema": {"type": "string"}}}}}
}


class GiveQuery(Schema):
    """What the body is: a file of this kind and name; ``columns`` of a log as a JSON object, role to column."""

    site_id: int
    kind: FileKind
    name: Annotated[str, Field(max_length=200)] = "orders.csv"
    columns: Annotated[str, Field(max_length=4000)] = ""
    zone: Annotated[str, Field(max_length=60)] = ""
    dates: Annotated[str, Field(max_length=10)] = ""
    order_type: Annotated[str, Field(max_length=200)] = ""
    with_people: bool = True


class FilesQuery(Schema):
    """Whose files."""

    site_id: int
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class FileRowsQuery(Schema):
    """Which rows of a dry run: add, change, leave, refuse; "" all."""

    action: Annotated[str, Field(max_length=12)] = ""


class ApplyFileIn(Schema):
    """The fingerprint of the dry run that was looked at."""

    plan_sha256: Annotated[str, Field(min_length=1, max_length=64)]
    leave_out_refused: bool = False


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    while piece := request.read(PIECE):
        yield piece


def _columns(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(_("Columns are written as what=column."), {"columns": _("Send a JSON object.")})
    return found


@router.post("/order-files", response=FileStateOut, openapi_extra=_BODY)
def give_order_file(request: HttpRequest, asked: Query[GiveQuery]) -> FileState:
    """Give a file of any size (the body, as it is); a large one is looked at by the worker: ask how far it is."""
    actor = actor_of(request)
    wish = {
        "columns": _columns(asked.columns), "zone": asked.zone, "dates": asked.dates, "order_type": asked.order_type,
        "with_people": asked.with_people,
    }  # fmt: skip
    row = files.give_file(
        actor=actor, site_id=asked.site_id, kind=asked.kind.value, file_name=asked.name, pieces=_pieces(request),
        wish=wish, at=now(),
    )  # fmt: skip
    return shown.order_file(actor=actor, file_id=row.pk)


@router.get("/order-files", response=list[FileStateOut])  # type: ignore[valid-type]
def list_order_files(request: HttpRequest, asked: Query[FilesQuery]) -> list[FileState]:
    """Files that were given, newest first."""
    return shown.order_files(actor=actor_of(request), site_id=asked.site_id, limit=asked.limit)


@router.get("/order-files/{int:order_file_id}", response=FileStateOut)
def show_order_file(request: HttpRequest, order_file_id: int) -> FileState:
    """One file: its phase, how many rows are done, what its dry run says."""
    return shown.order_file(actor=actor_of(request), file_id=order_file_id)


@router.get("/order-files/{int:order_file_id}/rows", response=list[FileRowOut])  # type: ignore[valid-type]
def show_order_file_rows(request: HttpRequest, order_file_id: int, asked: Query[FileRowsQuery]) -> list[FileRow]:
    """Return the first orders or receipts of a dry run, refused ones first, each with why."""
    return shown.file_rows(actor=actor_of(request), file_id=order_file_id, action=asked.action)


@router.get("/order-files/{int:order_file_id}/refused", openapi_extra=_CSV)
def refused_order_file_rows(request: HttpRequest, order_file_id: int) -> StreamingHttpResponse:
    """Return every refused row as CSV, with where it stands and why; correct it and give it again."""
    return refused_csv(request, order_file_id)


@router.post("/order-files/{int:order_file_id}/apply", response=FileStateOut)
def apply_order_file(request: HttpRequest, order_file_id: int, body: ApplyFileIn) -> FileState:
    """Do exactly what the dry run with this fingerprint said, or nothing."""
    actor = actor_of(request)
    files.apply_file(
        actor=actor, file_id=order_file_id, plan_sha256=body.plan_sha256, leave_out_refused=body.leave_out_refused,
        at=now(),
    )  # fmt: skip
    return shown.order_file(actor=actor, file_id=order_file_id)


@router.post("/order-files/{int:order_file_id}/cancel", response=FileStateOut)
def cancel_order_file(request: HttpRequest, order_file_id: int) -> FileState:
    """Leave a file: the dry run or the application under way is stopped, and nothing of it is written."""
    actor = actor_of(request)
    files.cancel_file(actor=actor, file_id=order_file_id, at=now())
    return shown.order_file(actor=actor, file_id=order_file_id)


@router.post("/order-files/{int:order_file_id}/replay", response=FileStateOut)
def replay_order_file(request: HttpRequest, order_file_id: int) -> FileState:
    """Give the refused rows again, as a file of their own, once what they lacked is there."""
    actor = actor_of(request)
    row = files.try_refused_again(actor=actor, file_id=order_file_id, at=now())
    return shown.order_file(actor=actor, file_id=row.pk)


def refused_csv(request: HttpRequest, order_file_id: int) -> StreamingHttpResponse:
    """Answer with the refused rows of a file."""
    name, pieces = shown.refused_file(actor=actor_of(request), file_id=order_file_id)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers=headers)
