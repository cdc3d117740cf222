"""Who can do what, with which tools, and the words for why: skills, qualifications, tools, reasons."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.models.jobs import JobOrder
from yuheng.operations.models.orders import CODE_LENGTH, NAME_LENGTH
from yuheng.operations.rules import ReasonKind


class Skill(SiteScopedModel):
    """Something that people must be able to do before they may do a job: ISA-95 personnel class."""

    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="skill_code_once_per_site")]

    def __str__(self) -> str:
        return self.code


class Qualification(SiteScopedModel):
    """A person has a skill, at a level, for a time. Rows are ended, never removed."""

    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="+")
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="qualifications")
    level = models.PositiveSmallIntegerField(default=1)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True)
    given_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["person_id", "skill_id", "valid_from"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="qualification_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.skill_id}"


class Tool(SiteScopedModel):
    """A tool, fixture or gauge. ``kind`` is what segments ask for; ``job_order`` is where it is in use now."""

    code = models.CharField(max_length=CODE_LENGTH)
    kind = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    serial = models.CharField(max_length=CODE_LENGTH, blank=True, default="")
    calibration_due_at = models.DateTimeField(null=True, blank=True)
    job_order = models.ForeignKey(JobOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="tools")
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["kind", "code"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="tool_code_once_per_site")]

    def __str__(self) -> str:
        return self.code


class FloorReason(SiteScopedModel):
    """A reason that the plant wrote itself; for kinds without any, those of `rules.words.USUAL_REASONS` hold."""

    kind = models.CharField(max_length=12, choices=[(k.value, k.name) for k in ReasonKind])
    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["kind", "id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "kind", "code"], name="floor_reason_once_per_kind_and_site")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.code}"
