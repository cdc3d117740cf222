"""Data sources, devices, tags, state rules, state intervals and dead letters."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Func, Q

from yuheng.engines.points import Refusal
from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.models import SiteScopedModel
from yuheng.telemetry.rules import CommandState, DataType, DeadLetterState


class DataSource(SiteScopedModel):
    """One way in: a connector with its settings.

    ``topics`` are the MQTT filters the source claims; ``settings`` hold what the connector's JSON Schema describes,
    the payload mapping among it.
    """

    code = models.CharField(max_length=60)
    connector = models.CharField(max_length=60)
    topics = models.JSONField(default=list)
    settings = models.JSONField(default=dict)
    is_enabled = models.BooleanField(default=True)
    allows_writes = models.BooleanField(default=False)
    makes_tags_by_itself = models.BooleanField(default=False)
    own_tags_limit = models.PositiveIntegerField(default=5000)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="data_source_code_is_unique_in_its_site"),
            models.CheckConstraint(condition=~Q(code=""), name="data_source_has_a_code"),
            models.CheckConstraint(condition=Q(own_tags_limit__gt=0), name="data_source_may_make_at_least_one_tag"),
        ]

    def __str__(self) -> str:
        return self.code


class Device(SiteScopedModel):
    """The credential of something that sends: over MQTT (``broker_hash``) and over HTTP (``password_sha256``).

    The password itself is shown once and never stored.
    """

    username = models.CharField(max_length=60, unique=True)
    broker_hash = models.CharField(max_length=80)
    password_sha256 = models.CharField(max_length=64)
    publish_topics = models.JSONField(default=list)
    subscribe_topics = models.JSONField(default=list)
    sources = models.ManyToManyField(DataSource, related_name="+", blank=True)
    is_active = models.BooleanField(default=True)
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["username"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_active=True, revoked_at__isnull=True) | Q(is_active=False, revoked_at__isnull=False),
                name="device_is_active_until_it_is_revoked",
            ),
        ]

    def __str__(self) -> str:
        return self.username


class TagClass(SiteScopedModel):
    """How long tags of the class are kept (days; 0 for ever) and how they are averaged."""

    code = models.CharField(max_length=40)
    raw_days = models.PositiveIntegerField(default=730)
    minute_days = models.PositiveIntegerField(default=3650)
    hour_days = models.PositiveIntegerField(default=0)
    is_time_weighted = models.BooleanField(default=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="tag_class_code_is_unique_in_its_site"),
        ]

    def __str__(self) -> str:
        return self.code


class ClassTemplate(models.Model):
    """What the machines of an equipment class have in common: variables of the address patterns, and `TemplateTag`.

    ``version`` grows with every change, so that of two engineers the second one learns of the first.
    ``variables``: ``[{"name", "default", "note"}]``; a default is a pattern, too.
    """

    equipment_class = models.OneToOneField(
        "equipment.EquipmentClass", on_delete=models.CASCADE, related_name="+", primary_key=True
    )
    version = models.PositiveIntegerField(default=0)
    variables = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"template of class {self.pk}, version {self.version}"


class TemplateTag(models.Model):
    """A tag that every machine of a class has. ``address`` and the names are patterns (`engines.patterns`).

    ``source`` null: the data source of the machine.
    """

    template = models.ForeignKey(ClassTemplate, on_delete=models.CASCADE, related_name="tags")
    ordinal = models.PositiveIntegerField()
    symbol = models.CharField(max_length=60)
    source = models.ForeignKey(DataSource, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    address = models.CharField(max_length=400)
    data_type = models.CharField(max_length=8, choices=[(t.value, t.name) for t in DataType])
    role = models.CharField(max_length=40, blank=True, default="")
    name_zh = models.CharField(max_length=120, blank=True, default="")
    name_en = models.CharField(max_length=120, blank=True, default="")
    unit = models.CharField(max_length=24, default="1")
    scale = models.FloatField(default=1.0)
    offset = models.FloatField(default=0.0)
    deadband = models.FloatField(default=0.0)
    tag_class = models.ForeignKey(TagClass, on_delete=models.PROTECT, related_name="+")
    stale_after_s = models.FloatField(default=60.0)
    formula = models.TextField(blank=True, default="")  # every machine calculates it from its own symbols

    class Meta:
        ordering = ["template_id", "ordinal"]
        constraints = [
            models.UniqueConstraint(
                fields=["template", "symbol"],
                name="template_symbol_is_unique_in_its_class",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(condition=~Q(symbol=""), name="template_tag_has_a_symbol"),
            models.CheckConstraint(condition=~Q(address=""), name="template_tag_has_an_address"),
            models.CheckConstraint(condition=~Q(scale=0.0), name="template_scale_is_not_zero"),
        ]

    def __str__(self) -> str:
        return self.symbol


class TemplatedUnit(SiteScopedModel):
    """A work unit whose tags follow the template of its class: where they come from and what fills the patterns."""

    work_unit = models.OneToOneField("equipment.WorkUnit", on_delete=models.CASCADE, related_name="+", primary_key=True)
    template = models.ForeignKey(ClassTemplate, on_delete=models.PROTECT, related_name="units")
    source = models.ForeignKey(DataSource, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(default=0)
    variables = models.JSONField(default=dict)

    class Meta:
        ordering = ["work_unit_id"]

    def __str__(self) -> str:
        return f"unit {self.pk} by template {self.template_id}"


class Tag(SiteScopedModel):
    """One signal. ``value = raw * scale + offset``, in ``unit`` (UCUM); its id is its name in the column store.

    ``template_tag``: it follows a template, save for the fields in ``overrides``, which somebody set by hand.
    ``retired_at``: no longer read; its history stays.
    """

    source = models.ForeignKey(DataSource, on_delete=models.PROTECT, related_name="+")
    address = models.CharField(max_length=400)
    data_type = models.CharField(max_length=8, choices=[(t.value, t.name) for t in DataType])
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    symbol = models.CharField(max_length=60, blank=True, default="")
    role = models.CharField(max_length=40, blank=True, default="")
    name_zh = models.CharField(max_length=120, blank=True, default="")
    name_en = models.CharField(max_length=120, blank=True, default="")
    unit = models.CharField(max_length=24, default="1")
    scale = models.FloatField(default=1.0)
    offset = models.FloatField(default=0.0)
    deadband = models.FloatField(default=0.0)
    tag_class = models.ForeignKey(TagClass, on_delete=models.PROTECT, related_name="+")
    stale_after_s = models.FloatField(default=60.0)
    is_made_by_itself = models.BooleanField(default=False)
    formula = models.TextField(blank=True, default="")  # calculated from other tags: see `engines.formulas`
    template_tag = models.ForeignKey(TemplateTag, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    overrides = models.JSONField(default=list, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["source_id", "address"]
        constraints = [
            models.UniqueConstraint(fields=["source", "address"], name="tag_address_is_unique_in_its_source"),
            models.UniqueConstraint(
                fields=["work_unit", "symbol"],
                condition=~Q(symbol="") & Q(retired_at__isnull=True),
                name="tag_symbol_is_unique_in_its_work_unit",
            ),
            models.CheckConstraint(
                condition=Q(symbol="") | Q(work_unit__isnull=False), name="tag_symbol_needs_a_work_unit"
            ),
            models.CheckConstraint(condition=~Q(address=""), name="tag_has_an_address"),
            models.CheckConstraint(
                condition=Q(data_type__in=[t.value for t in DataType]), name="tag_data_type_is_known"
            ),
            models.CheckConstraint(condition=~Q(scale=0.0), name="tag_scale_is_not_zero"),
            models.CheckConstraint(condition=Q(deadband__gte=0.0), name="tag_deadband_is_not_negative"),
            models.CheckConstraint(condition=Q(stale_after_s__gt=0.0), name="tag_goes_stale_after_some_time"),
        ]

    def __str__(self) -> str:
        return self.address


class StateRuleSet(models.Model):
    """How the units of an equipment class are judged: after how much silence they are without data, and the rules."""

    equipment_class = models.OneToOneField(
        "equipment.EquipmentClass", on_delete=models.CASCADE, related_name="+", primary_key=True
    )
    no_data_after_s = models.FloatField(default=60.0)
    rederive_from = models.DateTimeField(null=True, blank=True)  # the newest wish to judge the past by these rules
    rederive_asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(no_data_after_s__gt=0.0), name="state_rule_set_waits_for_data"),
        ]

    def __str__(self) -> str:
        return f"states of class {self.pk}"


class StateRule(models.Model):
    """A rule of an equipment class: the first whose condition holds names the state of a unit of that class.

    The language of ``when`` and ``cause`` is `engines.states.rules`; what cause codes mean is equipment's.
    """

    rule_set = models.ForeignKey(StateRuleSet, on_delete=models.CASCADE, related_name="rules")
    ordinal = models.PositiveSmallIntegerField()
    state = models.PositiveSmallIntegerField(choices=[(s.value, s.name) for s in UnitState])
    when = models.CharField(max_length=500)
    cause = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["rule_set_id", "ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["rule_set", "ordinal"], name="state_rule_ordinal_is_unique_in_its_set"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in UnitState]), name="state_rule_names_a_known_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{UnitState(self.state).name}: {self.when}"


class WorkUnitState(SiteScopedModel):
    """A work unit was in one state from ``started_at`` to ``ended_at`` (exclusive; null: still is)."""

    work_unit = models.ForeignKey("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    state = models.PositiveSmallIntegerField(choices=[(s.value, s.name) for s in UnitState])
    cause = models.CharField(max_length=400, blank=True, default="")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["work_unit_id", "started_at"]
        indexes = [models.Index(fields=["work_unit", "started_at"], name="work_unit_state_by_start")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gt=F("started_at")),
                name="work_unit_state_ends_after_it_starts",
            ),
            ExclusionConstraint(  # no btree_gist in the embedded PostgreSQL: the key is a range of one value
                name="work_unit_is_in_one_state_at_a_time",
                expressions=[
                    (
                        Func(
                            F("work_unit"),
                            F("work_unit"),
                            models.Value("[]"),
                            function="int8range",
                        ),
                        "&&",
                    ),
                    (Func(F("started_at"), F("ended_at"), function="tstzrange"), "&&"),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.work_unit_id} {UnitState(self.state).name} from {self.started_at:%F %T}"


class LogPosition(models.Model):
    """How far a stream was taken in, written in the transaction that took it: each message counts exactly once.

    ``stream_made_at`` names the incarnation of the stream; when it differs, the stream was made anew and its
    sequence began again.
    """

    stream = models.CharField(max_length=60, primary_key=True)
    stream_made_at = models.CharField(max_length=64)
    sequence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.stream} at {self.sequence}"


class DeadLetterGroup(models.Model):
    """Messages or points that could not become values, counted by source, reason and what (topic or address).

    ``site`` is null when nobody knows whose message it was. ``replay_from_us`` and ``replay_until_us`` bound by
    arrival what is being replayed (after a Sparkplug birth); null: all of it.
    """

    objects = models.Manager["DeadLetterGroup"]()

    site = models.ForeignKey("kernel.Site", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    source = models.ForeignKey(DataSource, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=40, choices=[(r.value, r.name) for r in Refusal])
    kind = models.CharField(max_length=12)
    what = models.CharField(max_length=400)
    detail = models.CharField(max_length=400, blank=True, default="")
    count = models.BigIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    state = models.CharField(
        max_length=12, choices=[(s.value, s.name) for s in DeadLetterState], default=DeadLetterState.OPEN
    )
    replayed_count = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(null=True, blank=True)
    replay_from_us = models.BigIntegerField(null=True, blank=True)
    replay_until_us = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-last_seen_at"]
        indexes = [models.Index(fields=["state", "-last_seen_at"], name="dead_letter_group_open_first")]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "reason", "kind", "what"],
                nulls_distinct=False,
                name="dead_letter_group_is_one_for_source_reason_and_what",
            ),
            models.CheckConstraint(
                condition=Q(last_seen_at__gte=F("first_seen_at")), name="dead_letter_group_is_last_seen_after_first"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.what} ({self.count})"


class DeadLetterSample(models.Model):
    """One message of a group, as it came (at most 64 KB of it)."""

    group = models.ForeignKey(DeadLetterGroup, on_delete=models.CASCADE, related_name="samples")
    payload = models.BinaryField()
    size = models.PositiveIntegerField()
    topic = models.CharField(max_length=1000)
    arrived_at = models.DateTimeField()
    sequence = models.BigIntegerField()
    detail = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        ordering = ["-sequence"]
        indexes = [models.Index(fields=["group", "-sequence"], name="dead_letter_sample_newest")]

    def __str__(self) -> str:
        return f"#{self.sequence} {self.topic}"


class TagWriting(models.Model):
    """Values may be written to the tag: between ``low`` and ``high`` (in its unit), or these values only."""

    tag = models.OneToOneField(Tag, on_delete=models.CASCADE, related_name="writing", primary_key=True)
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    allowed = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(low__isnull=True) | Q(high__isnull=True) | Q(low__lte=F("high")),
                name="tag_writing_limits_are_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"writing to tag {self.pk}"


class MachineCommand(SiteScopedModel):
    """A value to be written to a machine, at most once; ``value`` in the tag's unit, ``raw_value`` in the machine's.

    ``state`` is changed only by `telemetry.services.commands`; the legal moves are in ``rules``.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    source = models.ForeignKey(DataSource, on_delete=models.PROTECT, related_name="+")
    tag = models.ForeignKey(Tag, on_delete=models.PROTECT, related_name="+")
    address = models.CharField(max_length=400)
    value = models.JSONField()
    raw_value = models.JSONField()
    unit = models.CharField(max_length=24, default="1")
    reason = models.CharField(max_length=400)
    requested_by = models.CharField(max_length=150)
    requested_by_id = models.BigIntegerField(null=True, blank=True)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    timeout_s = models.FloatField(default=10.0)
    state = models.CharField(
        max_length=12, choices=[(s.value, s.name) for s in CommandState], default=CommandState.REQUESTED
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    sentence = models.CharField(max_length=400, blank=True, default="")
    read_back = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        indexes = [
            models.Index(fields=["source", "-requested_at"], name="machine_command_of_source"),
            models.Index(fields=["tag", "-requested_at"], name="machine_command_of_tag"),
            models.Index(
                fields=["requested_at"], condition=Q(state__in=["requested", "sent"]), name="machine_command_open"
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="machine_command_has_a_reason"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in CommandState]), name="machine_command_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "sent"], ended_at__isnull=True)
                | ~Q(state__in=["requested", "sent"]) & Q(ended_at__isnull=False),
                name="machine_command_ends_when_its_outcome_is_known",
            ),
            models.CheckConstraint(condition=Q(timeout_s__gt=0.0), name="machine_command_has_time"),
        ]

    def __str__(self) -> str:
        return f"{self.address} := {self.value} ({self.state})"


class SourceGap(SiteScopedModel):
    """Values of a source that could not be had; ``addresses`` empty: of all of its tags, null start: from ever."""

    id = models.UUIDField(primary_key=True, editable=False)
    source = models.ForeignKey(DataSource, on_delete=models.CASCADE, related_name="+")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField()
    sentence = models.CharField(max_length=400)
    addresses = models.JSONField(default=list, blank=True)
    noted_at = models.DateTimeField()

    class Meta:
        ordering = ["-noted_at"]
        indexes = [models.Index(fields=["source", "-noted_at"], name="source_gap_newest")]

    def __str__(self) -> str:
        return f"gap of source {self.source_id} until {self.ended_at:%F %T}"
