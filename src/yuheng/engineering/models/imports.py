"""Uploaded files of materials, bills of material and routings: kept in pieces, planned, applied."""

from __future__ import annotations

from django.db import models

from yuheng.kernel.models import SiteScopedModel


class ProductImport(SiteScopedModel):
    """A file somebody uploaded. ``phase``: waiting, planned, applying, applied, failed.

    ``rows_done`` of ``rows_total`` (null: not known yet) is its progress. ``requested_by`` is who applies it: the
    worker acts for them.
    """

    kind = models.CharField(max_length=20)
    file_name = models.CharField(max_length=200)
    size_bytes = models.BigIntegerField(default=0)
    phase = models.CharField(max_length=16, default="waiting", db_index=True)
    rows_total = models.BigIntegerField(null=True, blank=True)
    rows_done = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    trouble = models.TextField(blank=True, default="")
    leave_out_refused = models.BooleanField(default=False)
    plan_sha256 = models.CharField(max_length=64, blank=True, default="")
    person_name = models.CharField(max_length=150)
    requested_by = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.file_name


class ImportPiece(models.Model):
    """A part of an uploaded file, so that none of it needs memory whole. Dropped once applied."""

    product_import = models.ForeignKey(ProductImport, on_delete=models.CASCADE, related_name="pieces")
    rank = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ["rank"]
        constraints = [models.UniqueConstraint(fields=["product_import", "rank"], name="import_piece_once")]

    def __str__(self) -> str:
        return str(self.rank)


class ImportedRow(models.Model):
    """One row of a dry run, kept for people to look at: the first of every action."""

    product_import = models.ForeignKey(ProductImport, on_delete=models.CASCADE, related_name="rows")
    line = models.BigIntegerField()
    action = models.CharField(max_length=12)
    key = models.CharField(max_length=200)
    changes = models.JSONField(default=dict)
    reason = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["product_import", "action", "id"], name="import_rows_by_action")]

    def __str__(self) -> str:
        return f"{self.line} {self.action}"
