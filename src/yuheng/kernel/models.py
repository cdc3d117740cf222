"""Organisation, site, outbox and audit."""

from __future__ import annotations

from typing import Any, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from yuheng.kernel.actor import Actor


class Organisation(models.Model):
    """A firm (tenant). It owns sites; nothing of it is visible to another."""

    code = models.SlugField(max_length=40, unique=True)
    name_zh = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.code


class Site(models.Model):
    """ISA-95 site: a plant. The unit of permission; its time zone decides what 'today' and 'shift' mean."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    code = models.SlugField(max_length=40, unique=True)
    name_zh = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="Asia/Shanghai")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.code


class SiteScopedQuerySet(models.QuerySet[Any]):
    """Rows that belong to a site."""

    def visible_to(self, actor: Actor) -> Self:
        """Keep what the actor may see; every selector starts here."""
        sites = actor.site_ids()
        return self if sites is None else self.filter(site_id__in=sites)


class SiteScopedModel(models.Model):
    """A row of one site (tenancy)."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")

    objects = SiteScopedQuerySet.as_manager()

    class Meta:
        abstract = True


class OutboxEvent(models.Model):
    """A fact that others must hear of, written in the transaction that made it true.

    ``poisoned_at`` is set when delivery failed so often that `kernel.outbox` gave up; it stays, with ``last_error``,
    until somebody repairs the cause and calls `kernel.outbox.retry_poisoned`.
    """

    kind = models.CharField(max_length=120)
    payload = models.JSONField(encoder=DjangoJSONEncoder)
    at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    retry_at = models.DateTimeField(null=True, blank=True)
    poisoned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(delivered_at__isnull=True), name="outbox_undelivered")
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class AuditRecord(models.Model):
    """Who changed what, when, on whose behalf. Append-only: the database refuses update and delete, too."""

    at = models.DateTimeField(db_index=True)
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=150)
    person_id = models.BigIntegerField(null=True, blank=True)
    impersonator = models.CharField(max_length=150, blank=True, default="")
    action = models.CharField(max_length=80)
    object_kind = models.CharField(max_length=80, blank=True, default="")
    object_id = models.CharField(max_length=80, blank=True, default="")
    detail = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["site", "id"], name="audit_by_site"),
            models.Index(fields=["actor_name", "id"], name="audit_by_actor"),
            models.Index(fields=["impersonator", "id"], name="audit_by_impersonator"),
            models.Index(fields=["action", "id"], name="audit_by_action"),
            models.Index(fields=["object_kind", "object_id", "id"], name="audit_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.object_kind} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; refuse to change what was recorded."""
        if not self._state.adding:
            raise RuntimeError("An audit record is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise RuntimeError("An audit record is never deleted.")
