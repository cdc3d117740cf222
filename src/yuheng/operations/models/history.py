"""Where each job order was and when: an append-only log that the database writes itself, and what of it is new."""

from __future__ import annotations

from typing import Any

from django.db import models

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.models.jobs import JobOrder
from yuheng.operations.rules.moves import MoveKind


class JobMove(SiteScopedModel):
    """One change of a job order's place. Written by triggers on job orders and responses, whoever changes them.

    ``at`` is when it happened (of responses: their ``at``), ``recorded_at`` when it was told. ``work_s`` is the planned
    work of the job order from then on, ``work_unit`` where it lies, null: nobody's yet.
    """

    job_order = models.ForeignKey(JobOrder, on_delete=models.PROTECT, related_name="moves", db_index=False)
    what = models.CharField(max_length=12, choices=[(k.value, k.name) for k in MoveKind])
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    work_s = models.FloatField(default=0.0)
    reason = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["job_order", "id"], name="job_move_of_job")]

    def __str__(self) -> str:
        return f"{self.job_order_id} {self.what}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: the database writes this log."""
        raise RuntimeError("The log of job orders is written by the database.")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise RuntimeError("The log of job orders is never deleted.")


class TouchedJob(models.Model):
    """A job order of which there is news that nobody above has taken yet (`services.history.take_touched`)."""

    job_order_id = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.job_order_id)
