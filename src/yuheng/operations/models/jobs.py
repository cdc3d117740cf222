"""What is to be done, and what was done: job orders, what waits for what, append-only job responses, calls for help."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Case, F, Q, Value, When

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.models.orders import (
    CODE_LENGTH,
    NAME_LENGTH,
    NOTE_LENGTH,
    UNIT_LENGTH,
    OperationsRequest,
    Party,
)
from yuheng.operations.rules import (
    OPEN_STATES,
    HelpKind,
    JobState,
    JobSubstate,
    LinkKind,
    ResponseKind,
    Source,
)
from yuheng.operations.rules.words import LONGEST_ACTION_ID

OPEN = sorted(state.value for state in OPEN_STATES)
BEGUN = [JobState.RUNNING.value, JobState.INTERRUPTED.value]


class JobOrder(SiteScopedModel):
    """One executable step (ISA-95): a segment of a request's work master, or a part of it split off.

    ``directive`` is the frozen segment (times, parameters, checks, documents, tools, skills): ISA-95's work directive.
    ``turn``, ``turn_at``: the order of queues and dispatch lists. What the published plan has placed (``placed_at``:
    since when) goes by its planned start; a rush that no plan knows goes before, all else that none knows behind.
    ``good``, ``scrap``, ``rework``, ``worked_s``, ``actual_start`` and ``actual_end`` are copies of what the job
    responses say (`rules.progress.derive`).
    """

    code = models.CharField(max_length=CODE_LENGTH + 20)
    request = models.ForeignKey(OperationsRequest, on_delete=models.PROTECT, related_name="job_orders")
    segment = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    position = models.PositiveIntegerField()  # in topological order of the request's segments
    split = models.PositiveSmallIntegerField(default=0)
    is_rework = models.BooleanField(default=False)
    is_last = models.BooleanField(default=False)  # its good pieces are the request's
    rework_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reworks")
    equipment_class = models.ForeignKey(
        "equipment.EquipmentClass", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    candidates = ArrayField(
        models.BigIntegerField(), default=list
    )  # work unit ids it may run on; empty: all of its class
    supplier = models.ForeignKey(Party, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    is_subcontracted = models.BooleanField(default=False)
    shares_work_unit = models.BooleanField(default=False)  # an oven or a bench takes several at once
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    unit = models.CharField(max_length=UNIT_LENGTH)
    transfer_batch = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    state = models.CharField(max_length=24, choices=[(s.value, s.name) for s in JobState])
    substate = models.CharField(max_length=12, choices=[(s.value, s.name) for s in JobSubstate], blank=True, default="")
    hold_reason = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")  # of hold, cancel or abort
    rank = models.PositiveSmallIntegerField(default=500)
    due_at = models.DateTimeField()
    planned_start = models.DateTimeField()
    planned_end = models.DateTimeField()
    placed_at = models.DateTimeField(null=True, blank=True)
    turn = models.GeneratedField(
        expression=Case(
            When(placed_at__isnull=False, then=Value(1)), When(rank=0, then=Value(0)), default=F("rank") + Value(2)
        ),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    turn_at = models.GeneratedField(
        expression=Case(When(placed_at__isnull=False, then=F("planned_start")), default=F("due_at")),
        output_field=models.DateTimeField(),
        db_persist=True,
    )
    setup_s = models.FloatField(default=0.0)
    run_s = models.FloatField(default=0.0)  # of the whole quantity
    directive = models.JSONField(default=dict)
    good = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    scrap = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    rework = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    actual_start = models.DateTimeField(null=True, blank=True)
    actual_end = models.DateTimeField(null=True, blank=True)
    running_since = models.DateTimeField(null=True, blank=True)
    worked_s = models.FloatField(default=0.0)
    operator = models.CharField(max_length=150, blank=True, default="")  # who began or took over last
    operator_zh = models.CharField(max_length=80, blank=True, default="")
    operator_en = models.CharField(max_length=80, blank=True, default="")
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["request_id", "position", "split"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="job_order_code_once_per_site"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="job_order_quantity_is_positive"),
            models.CheckConstraint(
                condition=Q(good__gte=0, scrap__gte=0, rework__gte=0), name="job_order_counts_are_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(good__lte=F("quantity") - F("scrap") - F("rework")),
                name="job_order_makes_no_more_than_its_quantity",
            ),
            models.UniqueConstraint(
                fields=["work_unit"],
                condition=Q(state="running", shares_work_unit=False),
                name="one_running_job_order_per_work_unit",
            ),
            models.CheckConstraint(
                condition=~Q(state="running") | Q(work_unit__isnull=False) | Q(is_subcontracted=True),
                name="running_job_order_has_a_work_unit",
            ),
        ]
        indexes = [
            models.Index(
                fields=["work_unit", "turn", "turn_at", "id"], condition=Q(state__in=OPEN), name="job_order_of_unit"
            ),
            models.Index(
                fields=["equipment_class", "turn", "turn_at", "id"],
                condition=Q(state__in=OPEN, work_unit__isnull=True),
                name="job_order_unassigned",
            ),
            models.Index(fields=["site", "turn", "turn_at", "id"], condition=Q(state__in=OPEN), name="job_order_open"),
            models.Index(fields=["site", "state"], condition=Q(state__in=BEGUN), name="job_order_begun"),
            GinIndex(
                fields=["candidates"],
                condition=Q(state__in=OPEN, work_unit__isnull=True) & ~Q(candidates=[]),
                name="job_order_candidates",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class JobDependency(models.Model):
    """``after`` waits for ``before``. ``quantity_per``: pieces of before in one piece of after."""

    before = models.ForeignKey(JobOrder, on_delete=models.PROTECT, related_name="outgoing")
    after = models.ForeignKey(JobOrder, on_delete=models.PROTECT, related_name="incoming")
    kind = models.CharField(max_length=16, choices=[(k.value, k.name) for k in LinkKind])
    quantity_per = models.DecimalField(max_digits=24, decimal_places=9, default=1)
    lag_s = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["before", "after"], name="job_dependency_once"),
            models.CheckConstraint(condition=~Q(before=F("after")), name="job_order_does_not_wait_for_itself"),
            models.CheckConstraint(condition=Q(quantity_per__gt=0), name="job_dependency_quantity_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.before_id} -> {self.after_id}"


class JobResponse(SiteScopedModel):
    """What came back from the floor. Append-only: the database refuses update and delete; a correction is a new row.

    ``at`` is when it happened, ``recorded_at`` when it was told. ``action_id`` is the teller's own id, once per site.
    ``data``: parameters, the result of a check, crew, tools. Quantities of corrections are signed differences.
    """

    job_order = models.ForeignKey(JobOrder, on_delete=models.PROTECT, related_name="responses", db_index=False)
    request = models.ForeignKey(OperationsRequest, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=12, choices=[(k.value, k.name) for k in ResponseKind])
    action_id = models.CharField(max_length=LONGEST_ACTION_ID, blank=True, default="")
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    source = models.CharField(max_length=8, choices=[(s.value, s.name) for s in Source], default=Source.PERSON.value)
    run_id = models.CharField(max_length=80, blank=True, default="")
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=150)
    person_id = models.BigIntegerField(null=True, blank=True)
    impersonator = models.CharField(max_length=150, blank=True, default="")
    good = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    scrap = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    rework = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    reason = models.CharField(max_length=80, blank=True, default="")
    note = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")
    lot = models.ForeignKey("operations.MaterialLot", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    requirement = models.ForeignKey(
        "operations.MaterialRequirement", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    quantity = models.DecimalField(max_digits=20, decimal_places=6, default=0)  # of material, in its own unit
    corrects = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="corrections")
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "action_id"], condition=~Q(action_id=""), name="job_response_action_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="correction", corrects__isnull=False)
                | Q(corrects__isnull=True, good__gte=0, scrap__gte=0, rework__gte=0),
                name="only_a_correction_is_negative",
            ),
        ]
        indexes = [
            models.Index(fields=["job_order", "id"], name="job_response_of_job"),
            models.Index(fields=["request", "id"], name="job_response_of_request"),
            models.Index(fields=["site", "id"], name="job_response_newest"),
            models.Index(fields=["work_unit", "id"], name="job_response_of_unit"),
            models.Index(
                fields=["work_unit", "id"],
                condition=Q(kind__in=["started", "resumed", "paused", "finished", "aborted"]),
                name="job_response_of_clock",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.job_order_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; refuse to change what was recorded."""
        if not self._state.adding:
            raise RuntimeError("A job response is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise RuntimeError("A job response is never deleted.")


class HelpCall(SiteScopedModel):
    """Somebody at a station calls for help; who came, and when it was over."""

    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    job_order = models.ForeignKey(JobOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=[(k.value, k.name) for k in HelpKind])
    action_id = models.CharField(max_length=LONGEST_ACTION_ID, blank=True, default="")
    note = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")
    called_at = models.DateTimeField()
    called_by = models.CharField(max_length=150)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.CharField(max_length=150, blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True, default="")
    outcome = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")

    class Meta:
        ordering = ["-called_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "action_id"], condition=~Q(action_id=""), name="help_call_action_once"
            ),
        ]
        indexes = [
            models.Index(fields=["site", "called_at"], condition=Q(ended_at__isnull=True), name="help_call_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.work_unit_id}"
