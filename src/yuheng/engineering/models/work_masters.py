"""ISA-95 work masters: how something is made, as a graph of segments."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from yuheng.engineering.models.materials import NAME_LENGTH
from yuheng.engineering.models.versions import Version
from yuheng.engineering.rules.words import LinkKind, SegmentKind, VersionState


class WorkMasterVersion(Version):
    """How one unit of a material is made, independent of any order."""

    class Meta:
        ordering = ["material_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["material", "number"], name="work_master_number_once_per_material"),
            models.CheckConstraint(
                condition=Q(state=VersionState.DRAFT, released_at__isnull=True)
                | Q(~Q(state=VersionState.DRAFT), released_at__isnull=False),
                name="work_master_is_released_at_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"work master {self.material_id} v{self.number}"


class WorkSegment(models.Model):
    """One step. Times are formulas that give seconds; what hangs below a step alone is kept as JSON of its spec.

    See `rules.specs.SegmentSpec` for what ``skills``, ``tools``, ``recipe``, ``checks``, ``signals`` and ``confirms``
    hold.
    """

    work_master = models.ForeignKey(WorkMasterVersion, on_delete=models.CASCADE, related_name="segments")
    rank = models.PositiveIntegerField()
    code = models.CharField(max_length=20)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    kind = models.CharField(max_length=16, choices=[(one.value, one.name) for one in SegmentKind])
    equipment_class = models.ForeignKey(
        "equipment.EquipmentClass", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    condition = models.CharField(max_length=1000, blank=True, default="")
    setup_time = models.CharField(max_length=1000, default="0")
    run_time = models.CharField(max_length=1000, default="0")
    run_quantity = models.DecimalField(max_digits=18, decimal_places=9, default=1)
    transfer_s = models.FloatField(default=0.0)
    wait_s = models.FloatField(default=0.0)
    transfer_batch = models.DecimalField(max_digits=18, decimal_places=9, null=True, blank=True)
    batch_size = models.DecimalField(max_digits=18, decimal_places=9, null=True, blank=True)
    setup_family = models.CharField(max_length=60, blank=True, default="")
    crew_size = models.PositiveSmallIntegerField(default=1)
    yield_ratio = models.DecimalField(max_digits=9, decimal_places=6, default=1)
    subcontractor = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    lead_time_s = models.FloatField(null=True, blank=True)
    instruction_zh = models.TextField(blank=True, default="")
    instruction_en = models.TextField(blank=True, default="")
    skills = models.JSONField(default=list, blank=True)
    tools = models.JSONField(default=list, blank=True)
    recipe = models.JSONField(default=list, blank=True)
    checks = models.JSONField(default=list, blank=True)
    signals = models.JSONField(default=dict, blank=True)
    confirms = models.JSONField(default=list, blank=True)
    documents = models.ManyToManyField("engineering.Document", related_name="+", blank=True)

    class Meta:
        ordering = ["work_master_id", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["work_master", "code"], name="segment_code_once_per_work_master"),
            models.CheckConstraint(
                condition=Q(run_quantity__gt=0, transfer_s__gte=0, wait_s__gte=0), name="segment_measures_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(yield_ratio__gt=0, yield_ratio__lte=1), name="segment_yield_between_0_and_1"
            ),
            models.CheckConstraint(
                condition=(Q(transfer_batch__isnull=True) | Q(transfer_batch__gt=0))
                & (Q(batch_size__isnull=True) | Q(batch_size__gt=0)),
                name="segment_batches_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class SegmentAlternative(models.Model):
    """A work unit that can do a segment, with its own times where they differ ("" the segment's)."""

    segment = models.ForeignKey(WorkSegment, on_delete=models.CASCADE, related_name="alternatives")
    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    setup_time = models.CharField(max_length=1000, blank=True, default="")
    run_time = models.CharField(max_length=1000, blank=True, default="")
    preference = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["preference", "id"]
        constraints = [models.UniqueConstraint(fields=["segment", "work_unit"], name="work_unit_once_per_segment")]

    def __str__(self) -> str:
        return f"{self.work_unit_id} for segment {self.segment_id}"


class SegmentLink(models.Model):
    """``after`` follows ``before``; a rework link is gone when a check at ``before`` fails, at most ``most`` times."""

    work_master = models.ForeignKey(WorkMasterVersion, on_delete=models.CASCADE, related_name="links")
    before = models.ForeignKey(WorkSegment, on_delete=models.CASCADE, related_name="+")
    after = models.ForeignKey(WorkSegment, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=[(one.value, one.name) for one in LinkKind])
    lag_s = models.FloatField(default=0.0)
    most = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["work_master_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["before", "after", "kind"], name="segment_link_once"),
            models.CheckConstraint(condition=~Q(before=F("after")), name="segment_does_not_follow_itself"),
            models.CheckConstraint(condition=Q(lag_s__gte=0), name="segment_link_lag_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.before_id} → {self.after_id}"
