"""What finished job orders took, and proposals to change a standard."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.performance.rules.standards import Part
from yuheng.performance.rules.times import Told


class JobTime(SiteScopedModel):
    """Measured times of one job order that ended with pieces; pauses and holds are taken out.

    ``run_s`` is for ``run_quantity`` pieces (or one batch), as the standard is; ``setup_s`` null: nobody told when the
    set-up was done, then the planned set-up was taken off the run. ``planned_*``: the standard it was made by.
    """

    job_order = models.OneToOneField("operations.JobOrder", on_delete=models.PROTECT, related_name="+")
    material = models.ForeignKey(
        "engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    work_master_version = models.ForeignKey(
        "engineering.WorkMasterVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    segment = models.CharField(max_length=80)
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.CharField(max_length=8, choices=[(t.value, t.name) for t in Told])
    pieces = models.DecimalField(max_digits=20, decimal_places=6)
    setup_s = models.FloatField(null=True, blank=True)
    run_s = models.FloatField()
    planned_setup_s = models.FloatField()
    planned_run_s = models.FloatField()
    pauses = models.PositiveIntegerField(default=0)
    paused_s = models.FloatField(default=0.0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        ordering = ["-ended_at", "-id"]
        indexes = [
            models.Index(fields=["site", "ended_at"], name="job_time_by_end"),
            models.Index(fields=["site", "material", "segment", "ended_at"], name="job_time_of_step"),
            models.Index(  # rows of a year come grouped, without a sort and without the table
                fields=["site", "material", "segment", "work_unit"],
                include=["ended_at", "run_s", "setup_s", "planned_run_s", "planned_setup_s", "pauses", "source"],
                name="job_time_grouped",
            ),
        ]

    def __str__(self) -> str:
        return str(self.job_order_id)


class StandardProposal(SiteScopedModel):
    """Somebody had a standard changed to what was measured: evidence, who, and the change that carries it.

    ``evidence``: ids of the job orders and their seconds, as they were when it was proposed.
    """

    material = models.ForeignKey("engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+")
    segment = models.CharField(max_length=80)
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )  # that has a standard of its own; null: the step's, for all machines
    part = models.CharField(max_length=8, choices=[(p.value, p.name) for p in Part])
    version = models.ForeignKey("engineering.WorkMasterVersion", on_delete=models.PROTECT, related_name="+")
    draft = models.ForeignKey(
        "engineering.WorkMasterVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    draft_number = models.PositiveIntegerField()
    change = models.ForeignKey("engineering.EngineeringChangeOrder", on_delete=models.PROTECT, related_name="+")
    change_code = models.CharField(max_length=40)
    present_formula = models.TextField()
    proposed_formula = models.TextField()
    present_s = models.FloatField()
    proposed_s = models.FloatField()
    n = models.PositiveIntegerField()
    p10_s = models.FloatField()
    p90_s = models.FloatField()
    low_s = models.FloatField()
    high_s = models.FloatField()
    open_jobs = models.PositiveIntegerField(default=0)
    load_s = models.FloatField(default=0.0)  # what it adds to the planned work that had not begun
    evidence = models.JSONField(default=list)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    person_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(proposed_s__gt=0), name="proposed_standard_is_positive"),
        ]
        indexes = [models.Index(fields=["site", "material", "segment"], name="standard_proposal_of_step")]

    def __str__(self) -> str:
        return f"{self.change_code} {self.segment} {self.part}"
