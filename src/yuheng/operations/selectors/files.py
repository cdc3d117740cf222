"""Files of orders, stock and logs: how far they are, what their dry runs said, their refused rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible, PermissionRefused
from yuheng.operations.models import OrderFile, OrderFilePiece, OrderFileRow
from yuheng.operations.rules.files import MOVING, FileKind

ORDERS, MOVE = "orders.edit", "materials.move"
SHOWN = 500
_FIELDS = (
    "id", "site_id", "kind", "file_name", "size_bytes", "phase", "rows_total", "rows_done", "refused_rows", "counts",
    "trouble", "wish", "report", "is_cancelled", "plan_sha256", "person_name", "replays_id", "created_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileState:
    """A file that was given. ``counts``: action -> orders or receipts; ``report``: what an event log says."""

    id: int
    site_id: int
    kind: str
    file_name: str
    size_bytes: int
    phase: str
    rows_total: int | None
    rows_done: int
    refused_rows: int
    counts: dict[str, int]
    trouble: str
    wish: dict[str, Any]
    report: dict[str, Any]
    is_cancelled: bool
    plan_sha256: str
    person_name: str
    replays_id: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_moving(self) -> bool:
        """Return whether the worker is at it, or will be."""
        return self.phase in MOVING

    @property
    def effect_count(self) -> int:
        """How many orders or receipts would be written."""
        return self.counts.get("add", 0) + self.counts.get("change", 0)


@dataclass(frozen=True, slots=True)
class FileRow:
    """What becomes of an order or receipt."""

    line: int
    action: str
    key: str
    reason: str


def may_give(actor: Actor, site_id: int) -> list[FileKind]:
    """Return what somebody may give a file of."""
    kinds = [FileKind.ORDERS, FileKind.LOG] if actor.may(ORDERS, site_id=site_id) else []
    return kinds + ([FileKind.STOCK] if actor.may(MOVE, site_id=site_id) else [])


def _require(actor: Actor, site_id: int, kind: str) -> None:
    actor.require(MOVE if kind == FileKind.STOCK else ORDERS, site_id=site_id)


def order_files(*, actor: Actor, site_id: int, limit: int = 50) -> list[FileState]:
    """Files of a site that somebody may give such of, newest first. One query. Raises `PermissionRefused`."""
    kinds = may_give(actor, site_id)
    if not kinds:
        actor.require(ORDERS, site_id=site_id)
    rows = OrderFile.objects.filter(site_id=site_id, kind__in=kinds).values(*_FIELDS)[:limit]
    return [FileState(**row) for row in rows]


def order_file(*, actor: Actor, file_id: int) -> FileState:
    """One file. One query. Raises `NotVisible`, `PermissionRefused`."""
    row = OrderFile.objects.visible_to(actor).filter(pk=file_id).values(*_FIELDS).first()
    if row is None:
        if not (actor.may(ORDERS) or actor.may(MOVE)):
            raise PermissionRefused(f"{actor.name} may not do this ({ORDERS}).")
        raise NotVisible(_("There is no such file here."))
    _require(actor, row["site_id"], row["kind"])
    return FileState(**row)


def file_rows(*, actor: Actor, file_id: int, action: str = "") -> list[FileRow]:
    """The first rows of a dry run, refused ones first. Two queries. Raises `NotVisible`, `PermissionRefused`."""
    order_file(actor=actor, file_id=file_id)
    rows = OrderFileRow.objects.filter(order_file_id=file_id)
    if action:
        rows = rows.filter(action=action)
    found = rows.order_by("line").values_list("line", "action", "key", "reason")[: 4 * SHOWN]
    return sorted((FileRow(*row) for row in found), key=lambda row: (row.action != "refuse", row.line))[:SHOWN]


def refused_file(*, actor: Actor, file_id: int) -> tuple[str, Iterator[bytes]]:
    """Name and content of the refused rows of a file, as CSV, a piece at a time. Raises `NotVisible`."""
    state = order_file(actor=actor, file_id=file_id)
    ranks = OrderFilePiece.objects.filter(order_file_id=file_id, is_refused=True).order_by("rank")
    keys = list(ranks.values_list("pk", flat=True))
    if not keys:
        raise NotVisible(_("Nothing of this file was refused."))
    stem = "".join(
        one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in Path(state.file_name).stem
    )
    pieces = (bytes(OrderFilePiece.objects.values_list("content", flat=True).get(pk=pk)) for pk in keys)
    return f"{stem[:80]}-refused.csv", pieces
