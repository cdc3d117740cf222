"""What an alarm is: once for an equipment class or for one work unit, with what single units do otherwise."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.engines.alarms.vocabulary import Category, Priority
from yuheng.kernel.models import SiteScopedModel

CODE_LENGTH = 40
NAME_LENGTH = 120
TEXT_LENGTH = 1000
PRIORITIES = [(priority.value, priority.name) for priority in Priority]


class AlarmDefinition(SiteScopedModel):
    """An alarm of every work unit of a class, or of one work unit.

    ``when`` is a condition over the unit's symbols, its ``state`` and ``cause``, and the ``parameters`` (name ->
    number or text). ``deadband`` is in the unit of the compared tag. ``parent_code`` names the alarm that explains this
    one: of the same work unit, or of ``parent_work_unit``.
    """

    equipment_class = models.ForeignKey(
        "equipment.EquipmentClass", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    code = models.CharField(max_length=CODE_LENGTH)
    when = models.CharField(max_length=500)
    parameters = models.JSONField(default=dict)
    value_symbol = models.CharField(max_length=60, blank=True, default="")  # what {value} shows; "": the first named
    deadband = models.FloatField(default=0.0)
    on_delay_s = models.FloatField(default=0.0)
    off_delay_s = models.FloatField(default=0.0)
    chatter_window_s = models.FloatField(default=60.0)
    priority = models.PositiveSmallIntegerField(choices=PRIORITIES, default=Priority.MEDIUM)
    category = models.CharField(
        max_length=16, choices=[(c.value, c.name) for c in Category], default=Category.EQUIPMENT.value
    )
    is_latching = models.BooleanField(default=False)
    acknowledge_required = models.BooleanField(default=True)
    confirm_required = models.BooleanField(default=False)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    message_zh = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    message_en = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    guidance_zh = models.TextField(blank=True, default="")
    guidance_en = models.TextField(blank=True, default="")
    consequence_zh = models.TextField(blank=True, default="")
    consequence_en = models.TextField(blank=True, default="")
    response_time_s = models.PositiveIntegerField(null=True, blank=True)
    suppress_states = models.JSONField(default=list)  # state words: suppressed by design while the unit is in one
    suppress_when = models.CharField(max_length=500, blank=True, default="")
    suppress_outside_shifts = models.BooleanField(default=False)
    parent_code = models.CharField(max_length=CODE_LENGTH, blank=True, default="")
    parent_work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    is_enabled = models.BooleanField(default=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["equipment_class_id", "work_unit_id", "priority", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(equipment_class__isnull=True, work_unit__isnull=False)
                | Q(equipment_class__isnull=False, work_unit__isnull=True),
                name="alarm_definition_is_of_a_class_or_a_work_unit",
            ),
            models.UniqueConstraint(
                fields=["equipment_class", "code"],
                condition=Q(retired_at__isnull=True, equipment_class__isnull=False),
                name="alarm_code_once_per_class",
            ),
            models.UniqueConstraint(
                fields=["work_unit", "code"],
                condition=Q(retired_at__isnull=True, work_unit__isnull=False),
                name="alarm_code_once_per_work_unit",
            ),
            models.CheckConstraint(
                condition=Q(priority__in=[p.value for p in Priority]), name="alarm_definition_priority_is_known"
            ),
            models.CheckConstraint(condition=Q(deadband__gte=0.0), name="alarm_deadband_is_not_negative"),
            models.CheckConstraint(
                condition=Q(on_delay_s__gte=0.0, off_delay_s__gte=0.0, chatter_window_s__gte=0.0),
                name="alarm_delays_are_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(parent_code="") | Q(parent_work_unit__isnull=True), name="alarm_parent_unit_has_a_code"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class AlarmOverride(SiteScopedModel):
    """What one work unit does otherwise than its class's definition says. Null (or an absent parameter): as there."""

    definition = models.ForeignKey(AlarmDefinition, on_delete=models.CASCADE, related_name="overrides")
    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.CASCADE, related_name="+")
    parameters = models.JSONField(default=dict)
    deadband = models.FloatField(null=True, blank=True)
    on_delay_s = models.FloatField(null=True, blank=True)
    off_delay_s = models.FloatField(null=True, blank=True)
    priority = models.PositiveSmallIntegerField(choices=PRIORITIES, null=True, blank=True)
    is_enabled = models.BooleanField(null=True, blank=True)
    reason = models.CharField(max_length=400, blank=True, default="")
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["definition_id", "work_unit_id"]
        constraints = [
            models.UniqueConstraint(fields=["definition", "work_unit"], name="alarm_override_once_per_work_unit"),
            models.CheckConstraint(
                condition=Q(deadband__isnull=True) | Q(deadband__gte=0.0), name="alarm_override_deadband_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} on {self.work_unit_id}"
