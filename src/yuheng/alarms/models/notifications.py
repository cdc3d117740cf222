"""Who is told of alarms, how, and what became of each message."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.alarms.models.alarms import AlarmEpisode
from yuheng.alarms.models.definitions import CODE_LENGTH, NAME_LENGTH
from yuheng.alarms.rules import ChannelKind, MessageState
from yuheng.kernel.models import SiteScopedModel


class NotificationChannel(SiteScopedModel):
    """A way out: mail (the server comes from the environment) or a webhook (``url``, signed with ``secret``).

    ``secret`` is never shown again; selectors leave it out.
    """

    code = models.CharField(max_length=CODE_LENGTH)
    kind = models.CharField(max_length=8, choices=[(k.value, k.name) for k in ChannelKind])
    url = models.CharField(max_length=500, blank=True, default="")
    secret = models.CharField(max_length=200, blank=True, default="")
    is_enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="notification_channel_code_once_per_site"),
            models.CheckConstraint(condition=Q(kind="mail") | ~Q(url=""), name="notification_webhook_has_an_address"),
        ]

    def __str__(self) -> str:
        return self.code


class NotificationRule(SiteScopedModel):
    """Which alarms are told to whom, step by step until somebody acknowledges.

    ``priorities``, ``area_ids``, ``equipment_class_ids`` and ``categories`` narrow it; an empty list means all.
    ``steps``: [{"after_min": 0, "channel": code, "language": "zh"|"en", "recipients": [{"shift": code or "",
    "to": [addresses]}]}]. A step is due ``after_min`` minutes after the alarm was raised, if nobody has acknowledged
    it by then; its recipients are those of the shift that runs then, and those without a shift.
    """

    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    is_enabled = models.BooleanField(default=True)
    priorities = models.JSONField(default=list)
    area_ids = models.JSONField(default=list)
    equipment_class_ids = models.JSONField(default=list)
    categories = models.JSONField(default=list)
    steps = models.JSONField(default=list)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="notification_rule_code_once_per_site")]

    def __str__(self) -> str:
        return self.code


class NotificationMessage(SiteScopedModel):
    """One message to one recipient, and what became of it. One for each rule, step, episode and recipient."""

    rule = models.ForeignKey(NotificationRule, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    channel = models.ForeignKey(NotificationChannel, on_delete=models.CASCADE, related_name="+")
    episode = models.ForeignKey(AlarmEpisode, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    step = models.PositiveSmallIntegerField(default=0)
    recipient = models.CharField(max_length=320)
    language = models.CharField(max_length=8, default="zh")
    subject = models.CharField(max_length=300)
    body = models.TextField()
    state = models.CharField(
        max_length=8, choices=[(s.value, s.name) for s in MessageState], default=MessageState.WAITING.value
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    made_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=400, blank=True, default="")
    is_test = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "step", "episode", "recipient"],
                condition=Q(is_test=False),
                name="one_message_per_rule_step_episode_and_recipient",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="notification_waiting"),
            models.Index(fields=["site", "-id"], name="notification_of_site"),
        ]

    def __str__(self) -> str:
        return f"{self.channel_id} -> {self.recipient}: {self.state}"
