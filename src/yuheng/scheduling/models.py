"""Plans, what-ifs, disturbances and suggestions."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.scheduling.rules.disturbances import DisturbanceKind
from yuheng.scheduling.rules.estimates import Basis
from yuheng.scheduling.rules.promises import ForecastCause, OfferKind
from yuheng.scheduling.rules.states import UNDER_WAY, PlanKind, ScenarioState, SuggestionState

NAME_LENGTH = 120
REASON_LENGTH = 400


class SitePlanning(models.Model):
    """How a site plans (`rules.Policy`), and the lock under which its published plan changes.

    ``last_number`` counts the site's plans; ``seen_at`` is when the planner looked last, ``trouble`` why its last look
    failed. ``keeps_plan``: where nobody has published a plan yet, the planner makes and publishes the first one.
    """

    site = models.OneToOneField("kernel.Site", on_delete=models.PROTECT, related_name="+", primary_key=True)
    last_number = models.PositiveIntegerField(default=0)
    frozen_min = models.PositiveIntegerField(default=60)
    stability = models.FloatField(default=0.5)
    stop_min = models.PositiveIntegerField(default=60)
    hold_h = models.PositiveIntegerField(default=8)
    material_h = models.PositiveIntegerField(default=24)
    solve_s = models.PositiveIntegerField(default=10)
    nightly_at = models.TimeField(null=True, blank=True)
    nightly_on = models.DateField(null=True, blank=True)  # the site's day for which it was made last
    suggests = models.BooleanField(default=True)
    places_new = models.BooleanField(default=True)
    least_stop_s = models.PositiveIntegerField(default=0)
    keeps_plan = models.BooleanField(default=False)
    seen_at = models.DateTimeField(null=True, blank=True)
    trouble = models.CharField(max_length=REASON_LENGTH, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(stability__gte=0, stability__lte=1), name="stability_is_between_0_and_1"
            ),
            models.CheckConstraint(condition=Q(solve_s__gte=1, solve_s__lte=600), name="solve_time_is_1_to_600_s"),
        ]

    def __str__(self) -> str:
        return f"planning of {self.site_id}"


class Plan(SiteScopedModel):
    """One version of a plan; never changed, but for which one is published.

    The rows are columns of equal length, by start: job order, work unit (0: at a supplier), minutes since ``origin``.
    As rows of a table ten thousand of them would be written at every move. ``completed``: root requests and their ends.
    """

    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=[(k.value, k.name) for k in PlanKind])
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    origin = models.DateTimeField()
    job_order_ids = ArrayField(models.BigIntegerField(), default=list)
    work_unit_ids = ArrayField(models.BigIntegerField(), default=list)
    setup_starts = ArrayField(models.IntegerField(), default=list)
    starts = ArrayField(models.IntegerField(), default=list)
    ends = ArrayField(models.IntegerField(), default=list)
    completed_ids = ArrayField(models.BigIntegerField(), default=list)
    completed_ends = ArrayField(models.IntegerField(), default=list)
    levers = models.JSONField(default=list)
    notices = models.JSONField(default=list)
    measures = models.JSONField(default=dict)
    is_published = models.BooleanField(default=False)
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "number"], name="plan_number_once_per_site"),
            models.UniqueConstraint(
                fields=["site"], condition=Q(is_published=True), name="one_published_plan_per_site"
            ),
        ]
        indexes = [models.Index(fields=["site", "-published_at"], name="plan_published")]

    def __str__(self) -> str:
        return f"plan {self.number} of {self.site_id}"

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse: suggestions are scored against plans later."""
        raise RuntimeError("A plan is never deleted.")


class Scenario(SiteScopedModel):
    """A plan that somebody asked for: levers, progress, and the plan once it is made. The planner solves them."""

    name = models.CharField(max_length=NAME_LENGTH)
    base = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="scenarios")
    levers = models.JSONField(default=list)
    state = models.CharField(
        max_length=12, choices=[(s.value, s.name) for s in ScenarioState], default=ScenarioState.WAITING.value
    )
    seconds = models.PositiveIntegerField(default=10)
    stability = models.FloatField(default=0.0)
    progress = models.FloatField(default=0.0)
    best = models.FloatField(null=True, blank=True)  # objective of the best plan so far
    message = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    is_cancel_asked = models.BooleanField(default=False)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=150)
    begun_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)  # the planner is alive and at it
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(state__in=sorted(state.value for state in UNDER_WAY)),
                name="scenario_under_way",
            ),
            models.Index(fields=["site", "-id"], name="scenario_newest"),
        ]

    def __str__(self) -> str:
        return self.name


class Disturbance(SiteScopedModel):
    """Something after which the published plan does not hold, since; expected to be over at.

    ``about`` says of what, within its kind (`rules.disturbances.Trouble`); ``details`` names it for people. ``hit``
    says whom: root requests with minutes of lateness that they gain when nothing is done.
    """

    kind = models.CharField(max_length=12, choices=[(k.value, k.name) for k in DisturbanceKind])
    about = models.CharField(max_length=80, default="")
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    cause = models.CharField(max_length=400, blank=True, default="")
    details = models.JSONField(default=dict)
    since = models.DateTimeField()
    expected_end = models.DateTimeField()
    basis = models.CharField(max_length=8, choices=[(b.value, b.name) for b in Basis])
    noticed_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    over_at = models.DateTimeField(null=True, blank=True)
    scored_at = models.DateTimeField(null=True, blank=True)
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    jobs_hit = models.PositiveIntegerField(default=0)
    late_min = models.PositiveIntegerField(default=0)
    hit = models.JSONField(default=list)
    message = models.CharField(max_length=REASON_LENGTH, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "kind", "about"], condition=Q(over_at__isnull=True), name="one_open_disturbance_about"
            ),
        ]
        indexes = [
            models.Index(fields=["site", "-id"], condition=Q(over_at__isnull=True), name="disturbance_open"),
            models.Index(
                fields=["site", "over_at"],
                condition=Q(over_at__isnull=False, scored_at__isnull=True),
                name="disturbance_to_score",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about}"


class Suggestion(SiteScopedModel):
    """One answer to a disturbance: a whole plan with what it means. Good only for the published plan it was made on.

    ``predicted``: weighted minutes of lateness that the plan promised. Once what it was about is made, the one that was
    followed is scored: ``realised`` against ``promised``, both over the orders of its `Outcome` rows.
    """

    disturbance = models.ForeignKey(Disturbance, on_delete=models.PROTECT, related_name="suggestions")
    rank = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=16)
    values = models.JSONField(default=dict)
    base = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(
        max_length=10, choices=[(s.value, s.name) for s in SuggestionState], default=SuggestionState.OPEN.value
    )
    consequences = models.JSONField(default=dict)
    predicted = models.FloatField()
    promised = models.FloatField(null=True, blank=True)
    realised = models.FloatField(null=True, blank=True)
    scored_at = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        ordering = ["disturbance_id", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["disturbance", "base", "rank"], name="suggestion_rank_once"),
        ]
        indexes = [
            models.Index(fields=["site", "-id"], condition=Q(state="open"), name="suggestion_open"),
            models.Index(fields=["site", "-scored_at"], condition=Q(scored_at__isnull=False), name="suggestion_scored"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.disturbance_id}"


class ExpectedReturn(SiteScopedModel):
    """Somebody said when a work unit that stands is back. The last word counts, until it has come back."""

    work_unit = models.OneToOneField("equipment.WorkUnit", on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()  # of the stop it was said about
    at = models.DateTimeField()
    said_at = models.DateTimeField()
    said_by = models.CharField(max_length=150)

    def __str__(self) -> str:
        return f"{self.work_unit_id} back at {self.at:%F %H:%M}"


class Promise(SiteScopedModel):
    """A date was promised to a customer: what was asked, what was possible, and what set the date. Never changed.

    ``way``: the stretches that led to the date (`building.promising.Step`); ``hurt``: orders that were to be later.
    """

    order = models.ForeignKey("operations.CustomerOrder", on_delete=models.PROTECT, related_name="+")
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=[(k.value, k.name) for k in OfferKind])
    wished_at = models.DateTimeField(null=True, blank=True)
    earliest_at = models.DateTimeField()
    promised_at = models.DateTimeField()
    former_at = models.DateTimeField()  # what was promised before
    reason = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    way = models.JSONField(default=list)
    hurt = models.JSONField(default=list)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["order", "-id"], name="promise_of_order")]

    def __str__(self) -> str:
        return f"{self.order_id} by {self.promised_at:%F %H:%M}"


class Forecast(SiteScopedModel):
    """When an order is expected to be done, from then on; one row for every change that matters, with its cause.

    ``ends_at`` is null while it cannot be planned. ``values`` name the cause: a plan, a machine, a material.
    """

    order = models.ForeignKey("operations.CustomerOrder", on_delete=models.PROTECT, related_name="+")
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    noted_at = models.DateTimeField()
    promised_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    cause = models.CharField(max_length=12, choices=[(c.value, c.name) for c in ForecastCause])
    values = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["order", "-id"], name="forecast_of_order")]

    def __str__(self) -> str:
        return f"{self.order_id} at {self.ends_at}"


class Outcome(models.Model):
    """One order of a suggestion that was followed: what it promised, and what came of it. Written once.

    ``made_at`` None: not done within the time that scoring waits; it counts as late until then.
    """

    suggestion = models.ForeignKey(Suggestion, on_delete=models.PROTECT, related_name="outcomes")
    request_id = models.BigIntegerField()
    code = models.CharField(max_length=120)
    due_at = models.DateTimeField()
    weight = models.FloatField()
    promised_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True, blank=True)
    promised_min = models.PositiveIntegerField()
    realised_min = models.PositiveIntegerField()

    class Meta:
        ordering = ["suggestion_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["suggestion", "request_id"], name="outcome_once_per_order"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.promised_min} -> {self.realised_min}"


class Absence(SiteScopedModel):
    """Somebody is away from work for a time. Shortened when they are back early."""

    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="+")
    start = models.DateTimeField()
    end = models.DateTimeField()
    note = models.CharField(max_length=REASON_LENGTH, blank=True, default="")
    said_at = models.DateTimeField()
    said_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["-start", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=models.F("start")), name="absence_ends_after_it_starts"),
        ]
        indexes = [models.Index(fields=["site", "end"], name="absence_of_site")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.start:%F %H:%M}"
