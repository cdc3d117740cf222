"""Stages of job orders, their sums by quarters of an hour, lead times. All follows from operations' logs."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.performance.rules.stages import Stage


class JobStage(SiteScopedModel):
    """A job order was in a stage at a place from ``since`` to ``until`` (null: it still is).

    The intervals of a job order touch each other; they are written anew when its log says something new.
    """

    job_order = models.ForeignKey("operations.JobOrder", on_delete=models.PROTECT, related_name="+", db_index=False)
    position = models.PositiveIntegerField()
    stage = models.CharField(max_length=8, choices=[(s.value, s.name) for s in Stage])
    work_center = models.ForeignKey(
        "equipment.WorkCenter", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    equipment_class = models.ForeignKey(
        "equipment.EquipmentClass", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    work_s = models.FloatField(default=0.0)
    reason = models.CharField(max_length=80, blank=True, default="")
    is_shared = models.BooleanField(default=False)  # others may be in work at the same machine: an oven

    class Meta:
        ordering = ["job_order_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["job_order", "position"], name="one_stage_of_a_job_order_at_a_time"),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=F("since")), name="stage_ends_after_it_begins"
            ),
        ]
        indexes = [
            models.Index(fields=["site", "stage", "since"], name="job_stage_by_time"),
            models.Index(fields=["site", "stage", "until"], name="job_stage_by_end"),
            models.Index(
                fields=["site", "since"],
                condition=Q(is_shared=True, stage__in=["process", "setup"]),
                name="job_stage_shared",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_order_id} {self.stage}"


class FlowTally(SiteScopedModel):
    """Sum of what changed from ``at`` on for ``span_s`` (`rules.tallies.SPANS_S`) at a place in a stage.

    See `rules.tallies`: counts at any moment and means over any time are sums of these.
    """

    at = models.DateTimeField()
    span_s = models.PositiveIntegerField(default=900)
    stage = models.CharField(max_length=8, choices=[(s.value, s.name) for s in Stage])
    work_center = models.ForeignKey(
        "equipment.WorkCenter", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    equipment_class = models.ForeignKey(
        "equipment.EquipmentClass", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    jobs = models.BigIntegerField(default=0)
    jobs_ms = models.BigIntegerField(default=0)
    work_ms = models.BigIntegerField(default=0)
    work_moment = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["site", "span_s", "at", "stage", "work_center", "equipment_class"],
                name="one_flow_tally_per_time_place_and_stage",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at} {self.stage}"


class LeadTime(SiteScopedModel):
    """How long a production order took from release to its end, and where the time went, in microseconds.

    The parts follow the path back from what ended last (`rules.leads`); their sum is ``ended_at - started_at``.
    """

    request = models.OneToOneField("operations.OperationsRequest", on_delete=models.PROTECT, related_name="+")
    material = models.ForeignKey("engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+")
    last_job_order = models.ForeignKey(
        "operations.JobOrder", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    is_product = models.BooleanField(default=True)  # false: a part made for a product
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    process_us = models.BigIntegerField(default=0)
    setup_us = models.BigIntegerField(default=0)
    queue_us = models.BigIntegerField(default=0)
    material_us = models.BigIntegerField(default=0)
    stop_us = models.BigIntegerField(default=0)
    hold_us = models.BigIntegerField(default=0)
    outside_us = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-ended_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(ended_at__gte=F("started_at")), name="lead_time_ends_after_it_begins"),
        ]
        indexes = [models.Index(fields=["site", "ended_at"], name="lead_time_by_end")]

    def __str__(self) -> str:
        return str(self.request_id)
