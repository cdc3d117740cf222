"""The truth about alarms: each one now, its episodes, and an append-only journal of everything that happened."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from yuheng.alarms.models.definitions import PRIORITIES, TEXT_LENGTH, AlarmDefinition
from yuheng.engines.alarms.machine import Shelving
from yuheng.engines.alarms.vocabulary import JournalKind
from yuheng.kernel.models import SiteScopedModel

VALUE_LENGTH = 80
COMMENT_LENGTH = 1000


class Alarm(SiteScopedModel):
    """One definition on one work unit, as it is now: the condition instance of OPC UA Part 9.

    ``root`` is the alarm it is grouped under while that explains it. ``fact_at`` and ``fact_kind`` are of the newest
    fact taken in: facts come at least once, and a repeated one changes nothing. ``retain`` and ``is_hidden`` repeat
    what `engines.alarms.machine.AlarmState` derives, so that the database can ask for them.
    """

    definition = models.ForeignKey(AlarmDefinition, on_delete=models.PROTECT, related_name="+")
    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    priority = models.PositiveSmallIntegerField(choices=PRIORITIES)
    is_enabled = models.BooleanField(default=True)
    is_active = models.BooleanField(default=False)
    is_acked = models.BooleanField(default=True)
    is_confirmed = models.BooleanField(default=True)
    is_latched = models.BooleanField(default=False)
    is_uncertain = models.BooleanField(default=False)
    shelving = models.CharField(
        max_length=12, choices=[(s.value, s.name) for s in Shelving], default=Shelving.UNSHELVED.value
    )
    shelved_until = models.DateTimeField(null=True, blank=True)
    is_suppressed = models.BooleanField(default=False)
    is_design_suppressed = models.BooleanField(default=False)
    is_out_of_service = models.BooleanField(default=False)
    retain = models.BooleanField(default=False)
    is_hidden = models.BooleanField(default=False)
    episode = models.ForeignKey("AlarmEpisode", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    activated_at = models.DateTimeField(null=True, blank=True)
    cleared_at = models.DateTimeField(null=True, blank=True)
    known_at = models.DateTimeField(null=True, blank=True)  # when the activation reached this system
    acked_at = models.DateTimeField(null=True, blank=True)
    acked_by = models.CharField(max_length=150, blank=True, default="")
    count = models.PositiveIntegerField(default=0)
    value = models.CharField(max_length=VALUE_LENGTH, blank=True, default="")
    message_zh = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    message_en = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    root = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    note = models.CharField(max_length=COMMENT_LENGTH, blank=True, default="")  # newest comment or reason
    fact_at = models.DateTimeField(null=True, blank=True)
    fact_kind = models.CharField(max_length=16, blank=True, default="")
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["priority", "-activated_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["definition", "work_unit"], name="one_alarm_per_definition_and_work_unit"),
            models.CheckConstraint(condition=~Q(root=models.F("id")), name="alarm_is_not_its_own_root"),
        ]
        indexes = [
            models.Index(fields=["site"], condition=Q(retain=True), name="alarm_retained"),
            models.Index(fields=["shelved_until"], condition=Q(shelved_until__isnull=False), name="alarm_shelved"),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id}@{self.work_unit_id}"


class AlarmEpisode(SiteScopedModel):
    """One time that an alarm was raised: from its activation until it needed nobody any more.

    Its identity is definition, work unit and activation time. ``count`` is how often the condition became active in
    it. ``root`` is the episode it was grouped under when it was raised, or soon after.
    """

    alarm = models.ForeignKey(Alarm, on_delete=models.PROTECT, related_name="episodes")
    priority = models.PositiveSmallIntegerField(choices=PRIORITIES)
    activated_at = models.DateTimeField()
    known_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    acked_at = models.DateTimeField(null=True, blank=True)
    acked_by = models.CharField(max_length=150, blank=True, default="")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # when it needed nobody any more
    count = models.PositiveIntegerField(default=1)
    value = models.CharField(max_length=VALUE_LENGTH, blank=True, default="")
    message_zh = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    message_en = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    root = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    was_hidden = models.BooleanField(default=False)  # shelved, suppressed or out of service when it was raised

    class Meta:
        ordering = ["-activated_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["alarm", "activated_at"], name="one_episode_per_activation"),
        ]
        indexes = [
            models.Index(fields=["site", "activated_at"], name="alarm_episode_by_time"),
            models.Index(fields=["site"], condition=Q(ended_at__isnull=True), name="alarm_episode_open"),
        ]

    def __str__(self) -> str:
        return f"{self.alarm_id} at {self.activated_at}"


class AlarmJournal(SiteScopedModel):
    """Everything that ever happened to alarms. Append-only: the database refuses update and delete, too.

    ``at`` is when it happened by the source's clock, ``known_at`` when it became true here: what screens showed at a
    moment follows from the second (`selectors.replay.active_at`). ``after`` is the alarm's whole state afterwards.
    """

    alarm = models.ForeignKey(Alarm, on_delete=models.PROTECT, related_name="+")
    episode = models.ForeignKey(AlarmEpisode, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    definition = models.ForeignKey(AlarmDefinition, on_delete=models.PROTECT, related_name="+")
    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=[(k.value, k.name) for k in JournalKind])
    priority = models.PositiveSmallIntegerField(choices=PRIORITIES)
    at = models.DateTimeField()
    known_at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16, default="system")
    actor_name = models.CharField(max_length=150, blank=True, default="")
    person_id = models.BigIntegerField(null=True, blank=True)
    impersonator = models.CharField(max_length=150, blank=True, default="")
    comment = models.CharField(max_length=COMMENT_LENGTH, blank=True, default="")
    value = models.CharField(max_length=VALUE_LENGTH, blank=True, default="")
    count = models.PositiveIntegerField(default=0)
    message_zh = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    message_en = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    after = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["site", "-at", "-id"], name="alarm_journal_by_time"),
            models.Index(fields=["work_unit", "-at", "-id"], name="alarm_journal_of_unit"),
            models.Index(fields=["alarm", "-known_at", "-id"], name="alarm_journal_of_alarm"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.alarm_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; refuse to change what was recorded."""
        if not self._state.adding:
            raise RuntimeError("A line of the alarm journal is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise RuntimeError("A line of the alarm journal is never deleted.")
