"""Import and export of products as CSV or XLSX, row by row: memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from yuheng.engineering.importing.exporting import csv_lines
from yuheng.engineering.importing.planning import COLUMNS
from yuheng.engineering.importing.running import apply, plan
from yuheng.engineering.models import ProductImport
from yuheng.engineering.services.imports import KINDS, keep_upload, request_apply
from yuheng.kernel.actor import Actor

SMALL_BYTES = 256 * 1024
"""A file up to here is planned and applied while the person waits; a larger one by the worker."""

__all__ = ["COLUMNS", "KINDS", "SMALL_BYTES", "apply_planned", "csv_lines", "upload", "work_once"]


@transaction.atomic
def upload(
    *, actor: Actor, site_id: int, kind: str, file_name: str, pieces: Iterable[bytes], at: datetime
) -> ProductImport:
    """Keep a file, and plan it when it is small. The worker sees it only once this is done."""
    row = keep_upload(actor=actor, site_id=site_id, kind=kind, file_name=file_name, pieces=pieces, at=at)
    if row.size_bytes <= SMALL_BYTES:
        plan(row, at=at)
    return row


@transaction.atomic
def apply_planned(
    *, actor: Actor, import_id: int, plan_sha256: str, leave_out_refused: bool = False, at: datetime
) -> ProductImport:
    """Apply what was planned: at once when the file is small, else the worker does."""
    row = request_apply(
        actor=actor, import_id=import_id, plan_sha256=plan_sha256, leave_out_refused=leave_out_refused, at=at
    )
    if row.size_bytes <= SMALL_BYTES:
        apply(row, at=at, tells=False)
    return row


def work_once(*, at: datetime) -> bool:
    """Plan or apply the oldest file that waits; return whether there was one. For the worker."""
    row = ProductImport.objects.filter(phase__in=("waiting", "applying")).order_by("pk").first()
    if row is None:
        return False
    if row.phase == "waiting":
        plan(row, at=at)
    else:
        apply(row, at=at, tells=True)
    return True
