"""Documents that came from other systems: what became of each, and those that could not be taken, to be looked at."""

from __future__ import annotations

from django.db import models

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.models.orders import CODE_LENGTH, NOTE_LENGTH
from yuheng.operations.rules.documents import Outcome


class ExchangedDocument(SiteScopedModel):
    """A document that came: applied, or refused with where and why.

    ``content`` is kept whole while it waits to be applied, of refused ones up to `rules.documents.KEPT_BYTES`, and of
    applied ones not at all; ``size_bytes`` is the whole's.
    """

    at = models.DateTimeField()
    actor_name = models.CharField(max_length=150)
    root = models.CharField(max_length=CODE_LENGTH, blank=True, default="")
    document_id = models.CharField(max_length=CODE_LENGTH, blank=True, default="")  # BODID, or the noun's ID
    sender = models.CharField(max_length=CODE_LENGTH, blank=True, default="")
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    outcome = models.CharField(max_length=8, choices=[(one.value, one.name) for one in Outcome])
    reason = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")
    path = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")
    line = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict)
    content = models.BinaryField(default=b"")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["site", "-id"], name="exchanged_document_newest")]

    def __str__(self) -> str:
        return f"{self.root} {self.outcome}"
