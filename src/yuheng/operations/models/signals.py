"""Where machines' signals and job orders meet: what was counted, for which job, and what disagrees."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.models.jobs import JobOrder
from yuheng.operations.models.orders import NOTE_LENGTH
from yuheng.operations.rules.signals import ExceptionKind, ExceptionState, SignalKind


class UnitMeeting(SiteScopedModel):
    """How far the signals of a work unit have met its jobs. Its row is locked first by everything in here.

    ``lags`` are its last readings (taken, arrived; microseconds), ``offset_s`` is what its clock is off (to be added).
    ``response_id``: up to which job response of the unit whose pieces were whose is settled.
    """

    work_unit = models.OneToOneField("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    offset_s = models.FloatField(default=0.0)
    is_clock_known = models.BooleanField(default=True)
    lags = models.JSONField(default=list)
    response_id = models.BigIntegerField(default=0)
    run_id = models.CharField(max_length=200, blank=True, default="")
    run_since = models.DateTimeField(null=True, blank=True)
    met_at = models.DateTimeField(null=True, blank=True)
    look_at = models.DateTimeField(null=True, blank=True)  # something is to be looked at then, whatever comes

    class Meta:
        indexes = [models.Index(fields=["look_at"], condition=Q(look_at__isnull=False), name="unit_meeting_due")]

    def __str__(self) -> str:
        return f"signals of {self.work_unit_id}"


class MachineSignal(SiteScopedModel):
    """One change of a signal that jobs listen to: a cycle counted, or another run of the controller.

    ``at`` is the machine's time, ``happened_at`` the same by our clock. ``pieces`` is what this row added to the count,
    ``began_at`` when the row before happened: the cycle's beginning. Both follow from the rows around it and change
    when one is put in between. ``job_order``: whose pieces they are; nothing: no job had the machine.
    """

    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+", db_index=False)
    tag_id = models.BigIntegerField()
    symbol = models.CharField(max_length=60)
    kind = models.CharField(max_length=8, choices=[(k.value, k.name) for k in SignalKind])
    role = models.CharField(max_length=40, blank=True, default="")
    at = models.DateTimeField()
    seq = models.BigIntegerField(default=0)
    value = models.FloatField(null=True, blank=True)
    text = models.CharField(max_length=200, blank=True, default="")
    arrived_at = models.DateTimeField()
    happened_at = models.DateTimeField()
    is_timed = models.BooleanField(default=True)  # not: its clock is not known yet, `happened_at` may change
    is_met = models.BooleanField(default=False)
    began_at = models.DateTimeField(null=True, blank=True)
    step = models.CharField(max_length=8, blank=True, default="")
    count = models.FloatField(default=0.0)
    pieces = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    job_order = models.ForeignKey(
        JobOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    how = models.CharField(max_length=8, blank=True, default="")

    class Meta:
        ordering = ["at", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["work_unit", "symbol", "at", "seq"], name="machine_signal_once"),
        ]
        indexes = [
            models.Index(fields=["work_unit", "happened_at"], name="machine_signal_of_unit"),
            models.Index(
                fields=["job_order", "at"], condition=Q(job_order__isnull=False), name="machine_signal_of_job"
            ),
            models.Index(fields=["work_unit"], condition=Q(is_met=False), name="machine_signal_fresh"),
            models.Index(fields=["arrived_at"], name="machine_signal_old"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} of {self.work_unit_id} at {self.at}"


class JobCount(SiteScopedModel):
    """What a machine counted for a job order, in all. ``told``: how much of it signals have reported as responses.

    ``is_good_only``: the counter leaves scrap out. ``pace_s``: the usual seconds a piece; nothing before three cycles.
    """

    job_order = models.OneToOneField(JobOrder, on_delete=models.PROTECT, related_name="count")
    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    tag_id = models.BigIntegerField(default=0)
    is_good_only = models.BooleanField(default=False)
    counted = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    told = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    told_times = models.PositiveIntegerField(default=0)
    told_at = models.DateTimeField(null=True, blank=True)
    cycles = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField(null=True, blank=True)
    last_at = models.DateTimeField(null=True, blank=True)
    pace_s = models.FloatField(null=True, blank=True)
    is_compared = models.BooleanField(default=False)  # after its end, with what was reported

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(counted__gte=0), name="job_count_is_not_negative")]

    def __str__(self) -> str:
        return f"{self.counted} of {self.job_order_id}"


class JobException(SiteScopedModel):
    """A machine's signals and what was booked disagree. ``key`` names one occurrence: it is told once, and grows.

    ``evidence``: tag, interval and values it was seen in; the sentence is made of them in the reader's language.
    """

    key = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=[(k.value, k.name) for k in ExceptionKind])
    state = models.CharField(
        max_length=12, choices=[(s.value, s.name) for s in ExceptionState], default=ExceptionState.OPEN.value
    )
    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    job_order = models.ForeignKey(JobOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="exceptions")
    tag_id = models.BigIntegerField(null=True, blank=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    found_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    counted = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    reported = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    evidence = models.JSONField(default=dict)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True, default="")
    note = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["site", "key"], name="job_exception_once")]
        indexes = [
            models.Index(fields=["site", "-id"], condition=Q(state="open"), name="job_exception_open"),
            models.Index(fields=["site", "-id"], name="job_exception_newest"),
            models.Index(fields=["work_unit", "-id"], condition=Q(state="open"), name="job_exception_of_unit"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
