"""Reasons of stops, what was said about stretches of time, saved views."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Func, Q

from yuheng.analysis.rules import HandOverPart, LossKind
from yuheng.kernel.models import SiteScopedModel


class Reason(SiteScopedModel):
    """A node of the site's reason tree. It is retired, never deleted: what was said with it keeps its meaning.

    ``loss`` is empty when it is that of the parent. Without a `ReasonClass` it holds for every work unit.
    """

    code = models.CharField(max_length=40)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    name_zh = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)
    loss = models.CharField(max_length=12, blank=True, default="", choices=[(k.value, k.name) for k in LossKind])
    position = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="reason_code_is_unique_in_its_site"),
            models.CheckConstraint(condition=~Q(code=""), name="reason_has_a_code"),
            models.CheckConstraint(
                condition=Q(loss="") | Q(loss__in=[k.value for k in LossKind]), name="reason_loss_is_known"
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=False) | ~Q(loss=""), name="reason_at_the_top_names_its_loss"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class ReasonClass(models.Model):
    """A reason holds for units of this equipment class (of others too, by other rows)."""

    objects = models.Manager["ReasonClass"]()

    reason = models.ForeignKey(Reason, on_delete=models.CASCADE, related_name="of_classes")
    equipment_class = models.ForeignKey("equipment.EquipmentClass", on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["reason", "equipment_class"], name="reason_names_a_class_once"),
        ]

    def __str__(self) -> str:
        return f"{self.reason_id} for {self.equipment_class_id}"


class Explanation(SiteScopedModel):
    """Somebody gave a reason for ``[from_at, until_at)`` of a work unit; see `rules` for how it follows its stop.

    Rows are not changed but replaced: ``replaced_at`` says when a row stopped counting. ``continues`` is the row of
    which this is what remained when part of it got another reason.
    """

    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    reason = models.ForeignKey(Reason, on_delete=models.PROTECT, related_name="+")
    comment = models.CharField(max_length=1000, blank=True, default="")
    from_at = models.DateTimeField()
    until_at = models.DateTimeField()
    is_start_cut = models.BooleanField(default=False)
    is_end_cut = models.BooleanField(default=False)
    given_by = models.CharField(max_length=150)
    given_at = models.DateTimeField()
    replaced_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.CharField(max_length=150, blank=True, default="")
    continues = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["work_unit_id", "from_at"]
        indexes = [models.Index(fields=["work_unit", "from_at"], name="explanation_by_start")]
        constraints = [
            models.CheckConstraint(condition=Q(until_at__gt=F("from_at")), name="explanation_ends_after_it_starts"),
            ExclusionConstraint(
                name="one_explanation_counts_at_a_time",
                expressions=[
                    (Func(F("work_unit"), F("work_unit"), models.Value("[]"), function="int8range"), "&&"),
                    (Func(F("from_at"), F("until_at"), function="tstzrange"), "&&"),
                ],
                condition=Q(replaced_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.work_unit_id} {self.reason_id} from {self.from_at:%F %T}"


class SavedView(SiteScopedModel):
    """A trend page somebody wants to see again: its address' query, under a name.

    Without ``is_shared`` only its owner sees it. ``default_of`` is the work unit whose trends it opens.
    """

    owner = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="+")
    name_zh = models.CharField(max_length=120, blank=True, default="")
    name_en = models.CharField(max_length=120, blank=True, default="")
    query = models.CharField(max_length=4000)
    is_shared = models.BooleanField(default=False)
    default_of = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["name_en", "name_zh", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name_zh="") | ~Q(name_en=""), name="saved_view_has_a_name"),
            models.CheckConstraint(
                condition=Q(default_of__isnull=True) | Q(is_shared=True), name="saved_view_that_is_a_default_is_shared"
            ),
            models.UniqueConstraint(fields=["default_of"], name="work_unit_has_one_default_view"),
        ]

    def __str__(self) -> str:
        return self.name_en or self.name_zh


class ShiftNote(SiteScopedModel):
    """Something one shift tells the next. Rows are added, never changed."""

    shift_start = models.DateTimeField()
    text = models.CharField(max_length=2000)
    written_by = models.CharField(max_length=150)
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["written_at", "id"]
        indexes = [models.Index(fields=["site", "shift_start"], name="shift_note_by_shift")]
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="shift_note_says_something")]

    def __str__(self) -> str:
        return f"{self.shift_start:%F %T} {self.written_by}"


class ShiftSignature(SiteScopedModel):
    """Who gave a shift away and who took over; once each."""

    shift_start = models.DateTimeField()
    part = models.CharField(max_length=8, choices=[(p.value, p.name) for p in HandOverPart])
    signed_by = models.CharField(max_length=150)
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["signed_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "shift_start", "part"], name="shift_is_signed_once_by_each_part"),
            models.CheckConstraint(
                condition=Q(part__in=[p.value for p in HandOverPart]), name="shift_signature_part_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shift_start:%F %T} {self.part} {self.signed_by}"
