"""Tables: terminals, their streams, who is signed in there, and what was reported."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.terminal.rules import OPEN, Kind, Outcome


class StationDevice(SiteScopedModel):
    """A tablet that an engineer has registered; it acts for whoever is signed in at it, never by itself.

    Of the pairing code and of the token in its cookie only hashes are kept.
    """

    name = models.CharField(max_length=80)
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    pairing_sha256 = models.CharField(max_length=64, unique=True, null=True, blank=True)
    pairing_until = models.DateTimeField(null=True, blank=True)
    token_sha256 = models.CharField(max_length=64, unique=True, null=True, blank=True)
    salt = models.CharField(max_length=32)  # the directory of badges that the tablet keeps is of use to it alone
    registered_at = models.DateTimeField()
    paired_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="station_device_name_once_per_site")]

    def __str__(self) -> str:
        return self.name


class StationStream(models.Model):
    """How far the server has taken a terminal's stream. The row is locked while more is taken."""

    device = models.ForeignKey(StationDevice, on_delete=models.PROTECT, related_name="streams")
    stream = models.UUIDField()
    last_sequence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "stream"], name="station_stream_once")]

    def __str__(self) -> str:
        return f"{self.device_id}: {self.stream} to {self.last_sequence}"


class TerminalSession(models.Model):
    """Somebody's being signed in at a terminal; several may be at once. The id is the terminal's own."""

    id = models.UUIDField(primary_key=True)
    device = models.ForeignKey(StationDevice, on_delete=models.PROTECT, related_name="sessions")
    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["started_at"]
        indexes = [
            models.Index(fields=["device"], condition=Q(ended_at__isnull=True), name="terminal_session_open"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} at {self.device_id}"


class TerminalAction(SiteScopedModel):
    """One thing somebody did at a terminal, as the terminal said it, and what became of it.

    ``job_order_id`` is what the terminal named and may name nothing: then the action is a conflict, which a foreign
    key could not hold.
    """

    id = models.BigAutoField(primary_key=True)
    device = models.ForeignKey(StationDevice, on_delete=models.PROTECT, related_name="actions")
    action_id = models.UUIDField(unique=True)
    stream = models.UUIDField()
    sequence = models.BigIntegerField()
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in Kind])
    payload = models.JSONField(default=dict)
    session = models.UUIDField(null=True, blank=True)
    person = models.ForeignKey("people.Person", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    job_order_id = models.BigIntegerField(null=True, blank=True)
    work_unit_id = models.BigIntegerField(null=True, blank=True)
    happened_at = models.DateTimeField()
    said_at = models.DateTimeField()
    received_at = models.DateTimeField()
    outcome = models.CharField(max_length=12, choices=[(outcome.value, outcome.value) for outcome in Outcome])
    sentence = models.TextField(blank=True, default="")
    tried_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=150, blank=True, default="")
    settled_at = models.DateTimeField(null=True, blank=True)
    discard_reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["device", "stream", "sequence"], name="terminal_action_once_in_its_stream"),
            models.CheckConstraint(
                condition=~Q(outcome=Outcome.DISCARDED.value) | ~Q(discard_reason=""),
                name="terminal_action_is_discarded_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["device", "id"], condition=Q(outcome__in=sorted(OPEN)), name="terminal_action_open"),
            models.Index(fields=["site", "-id"], name="terminal_action_by_site"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id}: {self.kind} {self.sequence}"
