"""Uploaded files of orders, stock or a plant's event log: kept in pieces, looked at, applied, tried again."""

from __future__ import annotations

from django.db import models

from yuheng.kernel.models import SiteScopedModel


class OrderFile(SiteScopedModel):
    """A file somebody gave. ``phase``: see `rules.files.Phase`.

    ``rows_done`` of ``rows_total`` (null: not known yet) is its progress; ``refused_rows`` of the file can be
    downloaded and tried again. ``requested_by`` is who applies it: the worker acts for them. ``wish`` is what was
    chosen with it, ``report`` what an event log says. ``replays`` is the file whose refused rows these are.
    """

    kind = models.CharField(max_length=12)
    file_name = models.CharField(max_length=200)
    size_bytes = models.BigIntegerField(default=0)
    phase = models.CharField(max_length=12, default="waiting")
    rows_total = models.BigIntegerField(null=True, blank=True)
    rows_done = models.BigIntegerField(default=0)
    refused_rows = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    trouble = models.TextField(blank=True, default="")
    wish = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    is_cancelled = models.BooleanField(default=False)
    leave_out_refused = models.BooleanField(default=False)
    plan_sha256 = models.CharField(max_length=64, blank=True, default="")
    person_name = models.CharField(max_length=150)
    requested_by = models.JSONField(default=dict)
    replays = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["site", "-id"], name="order_file_newest"),
            models.Index(
                fields=["id"], condition=models.Q(phase__in=["waiting", "applying"]), name="order_file_at_work"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name


class OrderFilePiece(models.Model):
    """A part of a file, so that none of it needs memory whole; ``is_refused``: of its refused rows, as CSV."""

    order_file = models.ForeignKey(OrderFile, on_delete=models.CASCADE, related_name="pieces")
    is_refused = models.BooleanField(default=False)
    rank = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ["rank"]
        constraints = [
            models.UniqueConstraint(fields=["order_file", "is_refused", "rank"], name="order_file_piece_once")
        ]

    def __str__(self) -> str:
        return str(self.rank)


class OrderFileRow(models.Model):
    """What becomes of an order or receipt of a file: the first of every action are kept for people to look at."""

    order_file = models.ForeignKey(OrderFile, on_delete=models.CASCADE, related_name="rows")
    line = models.BigIntegerField()
    action = models.CharField(max_length=12)
    key = models.CharField(max_length=200)
    reason = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["order_file", "action", "id"], name="order_file_rows_by_action")]

    def __str__(self) -> str:
        return f"{self.line} {self.action}"
