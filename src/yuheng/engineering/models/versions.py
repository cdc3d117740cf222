"""Versions, their effectivity, and bills of material. The database refuses to change what was released, too."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from yuheng.engineering.models.materials import CODE_LENGTH, MaterialDefinition, MaterialRevision
from yuheng.engineering.rules.words import Basis, VersionKind, VersionState
from yuheng.kernel.models import SiteScopedModel

STATES = [(one.value, one.name) for one in VersionState]


class Version(SiteScopedModel):
    """A numbered version of something of a material. ``edition`` counts the changes of a draft.

    ``parameters`` are the options its formulas may use (`rules.specs.ParameterSpec`). ``content_sha256`` is the
    fingerprint of the whole content, written at release.
    """

    material = models.ForeignKey(MaterialDefinition, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=STATES, default=VersionState.DRAFT)
    note = models.TextField(blank=True, default="")
    parameters = models.JSONField(default=list, blank=True)
    edition = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True, default="")
    content_sha256 = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        abstract = True


class BomVersion(Version):
    """ISA-95 bill of material: what ``base_quantity`` of a material is made of."""

    revision = models.ForeignKey(MaterialRevision, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    base_quantity = models.DecimalField(max_digits=24, decimal_places=9, default=1)

    class Meta:
        ordering = ["material_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["material", "number"], name="bom_version_number_once_per_material"),
            models.CheckConstraint(condition=Q(base_quantity__gt=0), name="bom_base_quantity_positive"),
            models.CheckConstraint(
                condition=Q(state=VersionState.DRAFT, released_at__isnull=True)
                | Q(~Q(state=VersionState.DRAFT), released_at__isnull=False),
                name="bom_is_released_at_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"BOM {self.material_id} v{self.number}"


class BomLine(models.Model):
    """One part of a bill of material, found by its number. ``quantity`` and ``condition`` are formulas."""

    bom = models.ForeignKey(BomVersion, on_delete=models.CASCADE, related_name="lines")
    rank = models.PositiveIntegerField()
    find_number = models.CharField(max_length=20)
    component = models.ForeignKey(MaterialDefinition, on_delete=models.PROTECT, related_name="+")
    quantity = models.CharField(max_length=1000)
    unit = models.CharField(max_length=40)
    condition = models.CharField(max_length=1000, blank=True, default="")
    scrap_ratio = models.DecimalField(max_digits=9, decimal_places=6, default=0)
    segment_code = models.CharField(max_length=20, blank=True, default="")
    position = models.CharField(max_length=200, blank=True, default="")
    note = models.CharField(max_length=400, blank=True, default="")
    bindings = models.JSONField(default=dict, blank=True)  # parameter of the component -> formula over ours

    class Meta:
        ordering = ["bom_id", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["bom", "find_number"], name="find_number_once_per_bom"),
            models.CheckConstraint(
                condition=Q(scrap_ratio__gte=0, scrap_ratio__lt=1), name="bom_line_scrap_between_0_and_1"
            ),
        ]

    def __str__(self) -> str:
        return self.find_number


class BomAlternate(models.Model):
    """What may be used instead of a line's component; ``ratio`` of it stand for one of the component."""

    line = models.ForeignKey(BomLine, on_delete=models.CASCADE, related_name="alternates")
    component = models.ForeignKey(MaterialDefinition, on_delete=models.PROTECT, related_name="+")
    priority = models.PositiveSmallIntegerField(default=1)
    ratio = models.DecimalField(max_digits=18, decimal_places=9, default=1)

    class Meta:
        ordering = ["priority", "id"]
        constraints = [
            models.UniqueConstraint(fields=["line", "component"], name="alternate_once_per_bom_line"),
            models.CheckConstraint(condition=Q(ratio__gt=0), name="alternate_ratio_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.component_id} for line {self.line_id}"


class Effectivity(SiteScopedModel):
    """For which dates, serial numbers or order a version holds. Two active ones of a material never overlap.

    ``valid_to`` is the first day on which it does not hold any more (null: no end); ``serial_last`` null: no end. The
    exclusion constraints are in a migration: Django cannot write them without an extension of PostgreSQL.
    """

    material = models.ForeignKey(MaterialDefinition, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=[(one.value, one.name) for one in VersionKind])
    bom = models.ForeignKey(BomVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="effectivities")
    work_master = models.ForeignKey(
        "engineering.WorkMasterVersion", null=True, blank=True, on_delete=models.CASCADE, related_name="effectivities"
    )
    basis = models.CharField(max_length=8, choices=[(one.value, one.name) for one in Basis])
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    serial_prefix = models.CharField(max_length=60, blank=True, default="")
    serial_first = models.BigIntegerField(null=True, blank=True)
    serial_last = models.BigIntegerField(null=True, blank=True)
    order_code = models.CharField(max_length=60, blank=True, default="")
    is_active = models.BooleanField(default=False)

    class Meta:
        ordering = ["basis", "valid_from", "serial_prefix", "serial_first", "order_code", "id"]
        indexes = [models.Index(fields=["material", "kind"], condition=Q(is_active=True), name="effectivity_in_force")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=VersionKind.BOM, bom__isnull=False, work_master__isnull=True)
                | Q(kind=VersionKind.WORK_MASTER, bom__isnull=True, work_master__isnull=False),
                name="effectivity_is_of_one_version",
            ),
            models.CheckConstraint(
                condition=Q(basis=Basis.DATE, valid_from__isnull=False)
                | Q(basis=Basis.SERIAL, serial_first__isnull=False)
                | Q(~Q(order_code=""), basis=Basis.ORDER),
                name="effectivity_says_what_for",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="effectivity_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(serial_last__isnull=True) | Q(serial_last__gte=F("serial_first")),
                name="effectivity_serials_rise",
            ),
            models.UniqueConstraint(
                fields=["material", "kind", "order_code"],
                condition=Q(is_active=True, basis=Basis.ORDER),
                name="one_effective_version_per_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.bom_id or self.work_master_id} by {self.basis}"


__all__ = ["CODE_LENGTH", "BomAlternate", "BomLine", "BomVersion", "Effectivity", "Version"]
