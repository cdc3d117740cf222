"""Drawings, instructions and pictures, kept by their content."""

from __future__ import annotations

from django.db import models

from yuheng.kernel.models import SiteScopedModel


class Document(SiteScopedModel):
    """A file as it was when it was attached: found by its content, never changed, never removed."""

    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=80)
    content = models.BinaryField()
    size_bytes = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["site", "sha256", "name"], name="document_kept_once_per_site")]

    def __str__(self) -> str:
        return self.name
