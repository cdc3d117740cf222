"""What is wanted: parties, customer orders, operations requests, and the material they need."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.rules import LIVE_REQUESTS, OPEN_REQUESTS, OrderState, RequestState

CODE_LENGTH = 80
NAME_LENGTH = 200
NOTE_LENGTH = 1000
UNIT_LENGTH = 40
OPEN = sorted(state.value for state in OPEN_REQUESTS)
LIVE = sorted(state.value for state in LIVE_REQUESTS)


class Counter(SiteScopedModel):
    """The last number given out, by kind: codes of orders, requests, lots."""

    kind = models.CharField(max_length=16)
    value = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "kind"], name="operations_counter_once_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class Party(SiteScopedModel):
    """Whom the plant deals with: customers and suppliers. ``gln``: its GS1 number, or nothing."""

    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    gln = models.CharField(max_length=13, blank=True, default="")
    is_customer = models.BooleanField(default=True)
    is_supplier = models.BooleanField(default=False)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="party_code_once_per_site")]

    def __str__(self) -> str:
        return self.code


class CustomerOrder(SiteScopedModel):
    """What a customer ordered, until when."""

    code = models.CharField(max_length=CODE_LENGTH)
    customer = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="orders")
    reference = models.CharField(max_length=CODE_LENGTH, blank=True, default="")  # the customer's own number
    promised_at = models.DateTimeField()
    priority = models.PositiveSmallIntegerField(default=500)
    is_rush = models.BooleanField(default=False)
    rank = models.PositiveSmallIntegerField(default=500)  # `rules.rank_of`
    state = models.CharField(
        max_length=12, choices=[(s.value, s.name) for s in OrderState], default=OrderState.ENTERED.value
    )
    note = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")
    entered_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="customer_order_code_once_per_site"),
            models.CheckConstraint(
                condition=Q(priority__gte=1, priority__lte=999), name="customer_order_priority_is_1_to_999"
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "rank", "promised_at", "id"],
                condition=Q(state__in=["entered", "released"]),
                name="customer_order_open",
            ),
            models.Index(fields=["site", "-id"], name="customer_order_newest"),
        ]

    def __str__(self) -> str:
        return self.code


class CustomerOrderLine(models.Model):
    """One product of an order. ``options`` choose the variant; ``serial`` is for effectivity by serial number."""

    order = models.ForeignKey(CustomerOrder, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    material = models.ForeignKey("engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    unit = models.CharField(max_length=UNIT_LENGTH)
    options = models.JSONField(default=dict)
    serial = models.CharField(max_length=CODE_LENGTH, blank=True, default="")
    promised_at = models.DateTimeField(null=True, blank=True)  # null: the order's
    is_cancelled = models.BooleanField(default=False)
    # The number of the production order that it is released as; "": order and position. An ERP gives its own.
    request_code = models.CharField(max_length=CODE_LENGTH, blank=True, default="")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="order_line_position_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_line_quantity_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.position}"


class OperationsRequest(SiteScopedModel):
    """A production order: so many of a material until then. Made parts of a product are requests below its own.

    At release ``resolution`` (of the topmost request) takes the whole answer of engineering: bill of material, work
    masters, options, frozen with its fingerprint. ``good``, ``scrap``, ``job_count``, ``jobs_over``, ``planned_s`` and
    ``done_s`` follow from the job orders; see `rules.progress`.
    """

    code = models.CharField(max_length=CODE_LENGTH)
    line = models.ForeignKey(
        CustomerOrderLine, null=True, blank=True, on_delete=models.PROTECT, related_name="requests"
    )
    order = models.ForeignKey(CustomerOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="requests")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    root = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    path = models.CharField(max_length=200, blank=True, default="")  # find numbers from the product; "" for itself
    level = models.PositiveSmallIntegerField(default=0)
    material = models.ForeignKey("engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    unit = models.CharField(max_length=UNIT_LENGTH)
    options = models.JSONField(default=dict)
    serial = models.CharField(max_length=CODE_LENGTH, blank=True, default="")
    bom_version = models.ForeignKey(
        "engineering.BomVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    work_master_version = models.ForeignKey(
        "engineering.WorkMasterVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    resolution = models.JSONField(null=True, blank=True)
    resolution_sha256 = models.CharField(max_length=64, blank=True, default="")
    priority = models.PositiveSmallIntegerField(default=500)
    is_rush = models.BooleanField(default=False)
    rank = models.PositiveSmallIntegerField(default=500)
    due_at = models.DateTimeField()
    state = models.CharField(
        max_length=12, choices=[(s.value, s.name) for s in RequestState], default=RequestState.FORECAST.value
    )
    hold_reason = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")
    entered_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    planned_start = models.DateTimeField(null=True, blank=True)
    planned_end = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    good = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    scrap = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    job_count = models.PositiveIntegerField(default=0)
    jobs_over = models.PositiveIntegerField(default=0)
    planned_s = models.FloatField(default=0.0)
    done_s = models.FloatField(default=0.0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="operations_request_code_once_per_site"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="operations_request_quantity_is_positive"),
            models.CheckConstraint(
                condition=Q(state__in=["forecast", "cancelled", "closed"]) | ~Q(resolution_sha256=""),
                name="released_request_has_its_frozen_resolution",
            ),
            models.CheckConstraint(
                condition=Q(priority__gte=1, priority__lte=999), name="operations_request_priority_is_1_to_999"
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "rank", "due_at", "id"], condition=Q(state__in=OPEN), name="operations_request_open"
            ),
            models.Index(fields=["site", "-id"], name="operations_request_newest"),
        ]

    def __str__(self) -> str:
        return self.code


class MaterialRequirement(SiteScopedModel):
    """Material that a job order uses (B2MML: Consumed). ``issued`` is what was taken for it so far, less returns.

    ``supplied_by`` is the request that makes it, null for what comes from stock. ``owner_path`` and ``path`` are the
    find numbers of the frozen bill of material.
    """

    request = models.ForeignKey(OperationsRequest, on_delete=models.PROTECT, related_name="requirements")
    job_order = models.ForeignKey(
        "operations.JobOrder", null=True, blank=True, on_delete=models.PROTECT, related_name="requirements"
    )
    material = models.ForeignKey("engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+")
    supplied_by = models.ForeignKey(
        OperationsRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="supplies"
    )
    path = models.CharField(max_length=200)
    position = models.CharField(max_length=120, blank=True, default="")
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    quantity_per = models.DecimalField(max_digits=24, decimal_places=9)
    unit = models.CharField(max_length=UNIT_LENGTH)
    issued = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    needed_at = models.DateTimeField()
    is_open = models.BooleanField(default=True)  # still to be issued, for a request that is live

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=0), name="requirement_quantity_is_not_negative"),
            models.CheckConstraint(condition=Q(issued__gte=0), name="requirement_issued_is_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["site", "material", "needed_at"],
                include=["quantity", "issued"],
                condition=Q(is_open=True, supplied_by__isnull=True),
                name="requirement_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.path}"
