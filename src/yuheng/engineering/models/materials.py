"""ISA-95 material classes and definitions, their revisions and units."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.engineering.rules.words import Source, Tracking
from yuheng.kernel.models import SiteScopedModel

CODE_LENGTH = 60
NAME_LENGTH = 160


class MaterialClass(SiteScopedModel):
    """ISA-95 material class: what materials of a kind have in common."""

    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="material_class_code_once_per_site")]

    def __str__(self) -> str:
        return self.code


class MaterialDefinition(SiteScopedModel):
    """ISA-95 material definition: a product, part or raw material of a plant.

    ``unit`` (UCUM) is what it is counted or measured in; quantities of it are kept in no other. ``tracking`` says what
    is told apart in stock and genealogy. ``retired_at`` instead of deletion: orders keep pointing at it.
    """

    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(blank=True, default="")
    material_class = models.ForeignKey(
        MaterialClass, null=True, blank=True, on_delete=models.PROTECT, related_name="materials"
    )
    unit = models.CharField(max_length=40, default="{piece}")
    source = models.CharField(max_length=16, choices=[(one.value, one.name) for one in Source], default=Source.BUY)
    tracking = models.CharField(
        max_length=16, choices=[(one.value, one.name) for one in Tracking], default=Tracking.NONE
    )
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="material_code_once_per_site"),
            models.CheckConstraint(condition=Q(source__in=[one.value for one in Source]), name="material_source_known"),
            models.CheckConstraint(
                condition=Q(tracking__in=[one.value for one in Tracking]), name="material_tracking_known"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class MaterialUnit(models.Model):
    """Another unit a material is ordered or used in: one ``unit`` of it is ``factor`` of its own unit."""

    material = models.ForeignKey(MaterialDefinition, on_delete=models.CASCADE, related_name="units")
    unit = models.CharField(max_length=40)
    factor = models.DecimalField(max_digits=24, decimal_places=12)

    class Meta:
        ordering = ["unit"]
        constraints = [
            models.UniqueConstraint(fields=["material", "unit"], name="material_unit_once"),
            models.CheckConstraint(condition=Q(factor__gt=0), name="material_unit_factor_positive"),
        ]

    def __str__(self) -> str:
        return f"1 {self.unit} = {self.factor}"


class MaterialRevision(models.Model):
    """What a material was changed to; append-only, the newest one is current. Its drawings are `documents`."""

    material = models.ForeignKey(MaterialDefinition, on_delete=models.PROTECT, related_name="revisions")
    code = models.CharField(max_length=20)
    reason = models.TextField(blank=True, default="")
    documents = models.ManyToManyField("engineering.Document", related_name="+", blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["material", "code"], name="revision_code_once_per_material")]

    def __str__(self) -> str:
        return self.code
