"""Engineering change orders."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.engineering.models.materials import NAME_LENGTH
from yuheng.engineering.models.versions import BomVersion
from yuheng.engineering.models.work_masters import WorkMasterVersion
from yuheng.engineering.rules.words import ChangeState
from yuheng.kernel.models import SiteScopedModel


class EngineeringChangeOrder(SiteScopedModel):
    """Why versions are replaced, from when, what becomes of stock and work in progress, and who agreed.

    Whoever approves is neither the author nor the one who submitted it: a constraint, too.
    """

    code = models.CharField(max_length=40)
    title = models.CharField(max_length=NAME_LENGTH)
    reason = models.TextField()
    state = models.CharField(
        max_length=16, choices=[(one.value, one.name) for one in ChangeState], default=ChangeState.DRAFT
    )
    effective_from = models.DateField()
    disposition_stock = models.TextField(blank=True, default="")
    disposition_wip = models.TextField(blank=True, default="")
    disposition_field = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    author_id = models.BigIntegerField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    submitted_by = models.CharField(max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True, default="")
    decision_note = models.TextField(blank=True, default="")
    content_sha256 = models.CharField(max_length=64, blank=True, default="")  # of what was submitted
    implemented_at = models.DateTimeField(null=True, blank=True)
    implemented_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="change_code_once_per_site"),
            models.CheckConstraint(
                condition=~Q(state__in=[ChangeState.APPROVED, ChangeState.IMPLEMENTED])
                | (~Q(decided_by="") & ~Q(decided_by=models.F("created_by")) & ~Q(decided_by=models.F("submitted_by"))),
                name="change_is_approved_by_another_person",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class AffectedVersion(models.Model):
    """A draft that a change puts into force, or a version that it takes out of force without another (``is_end``)."""

    change = models.ForeignKey(EngineeringChangeOrder, on_delete=models.CASCADE, related_name="affected")
    bom = models.ForeignKey(BomVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    work_master = models.ForeignKey(
        WorkMasterVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    is_end = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(bom__isnull=False, work_master__isnull=True)
                | Q(bom__isnull=True, work_master__isnull=False),
                name="change_affects_one_version_a_row",
            ),
            models.UniqueConstraint(fields=["change", "bom"], name="bom_once_per_change"),
            models.UniqueConstraint(fields=["change", "work_master"], name="work_master_once_per_change"),
        ]

    def __str__(self) -> str:
        return f"{self.change_id}: {self.bom_id or self.work_master_id}"
