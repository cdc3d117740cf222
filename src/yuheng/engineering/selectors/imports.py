"""Uploaded product files, how far they are, and what their dry runs said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.engineering.models import ImportedRow, ProductImport
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible

EDIT = "engineering.edit"
_FIELDS = (
    "id", "site_id", "kind", "file_name", "size_bytes", "phase", "rows_total", "rows_done", "counts", "trouble",
    "plan_sha256", "person_name", "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportState:
    """An uploaded file. ``counts``: action -> rows so far."""

    id: int
    site_id: int
    kind: str
    file_name: str
    size_bytes: int
    phase: str
    rows_total: int | None
    rows_done: int
    counts: dict[str, int]
    trouble: str
    plan_sha256: str
    person_name: str
    created_at: datetime

    @property
    def is_moving(self) -> bool:
        """Return whether the worker is at it, or will be."""
        return self.phase in ("waiting", "applying")

    @property
    def effect_count(self) -> int:
        """How many rows would be written."""
        return self.counts.get("add", 0) + self.counts.get("change", 0)


@dataclass(frozen=True, slots=True)
class DryRow:
    """One row of a dry run."""

    line: int
    action: str
    key: str
    changes: dict[str, Any]
    reason: str


def product_imports(*, actor: Actor, site_id: int) -> list[ImportState]:
    """Uploaded files of a plant, newest first. One query."""
    actor.require(EDIT, site_id=site_id)
    return [ImportState(**row) for row in ProductImport.objects.filter(site_id=site_id).values(*_FIELDS)[:50]]


def product_import(*, actor: Actor, import_id: int) -> ImportState:
    """One uploaded file. One query. Raises `NotVisible`."""
    row = ProductImport.objects.visible_to(actor).filter(pk=import_id).values(*_FIELDS).first()
    if row is None:
        raise NotVisible(_("There is no such import here."))
    actor.require(EDIT, site_id=row["site_id"])
    return ImportState(**row)


def import_rows(*, actor: Actor, import_id: int, action: str = "") -> list[DryRow]:
    """The first rows of a dry run, refused ones first. Two queries. Raises `NotVisible`."""
    product_import(actor=actor, import_id=import_id)
    rows = ImportedRow.objects.filter(product_import_id=import_id)
    if action:
        rows = rows.filter(action=action)
    found = rows.order_by("line").values_list("line", "action", "key", "changes", "reason")[:800]
    return sorted((DryRow(*row) for row in found), key=lambda row: (row.action != "refuse", row.line))
