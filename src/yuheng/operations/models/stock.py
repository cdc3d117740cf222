"""What there is: locations, lots and serialised instances, balances, append-only movements."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from yuheng.kernel.models import SiteScopedModel
from yuheng.operations.models.jobs import JobOrder, JobResponse
from yuheng.operations.models.orders import (
    CODE_LENGTH,
    NAME_LENGTH,
    NOTE_LENGTH,
    MaterialRequirement,
    OperationsRequest,
    Party,
)
from yuheng.operations.rules import LocationKind, LotKind, LotState, MovementKind
from yuheng.operations.rules.words import LONGEST_ACTION_ID


class StockLocation(SiteScopedModel):
    """Where material lies (ISA-95 operational location); ``work_unit``: beside that station."""

    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    kind = models.CharField(
        max_length=12, choices=[(k.value, k.name) for k in LocationKind], default=LocationKind.STORE.value
    )
    work_unit = models.ForeignKey(
        "equipment.WorkUnit", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="stock_location_code_once_per_site")]

    def __str__(self) -> str:
        return self.code


class MaterialLot(SiteScopedModel):
    """A lot, or one serialised instance: the object that events and genealogy will be about (`TraceObject`).

    ``uri`` is its natural key: ``urn:<site>:<material>:<lot or serial>``, or a GS1 Digital Link; never the bare number.
    """

    kind = models.CharField(max_length=8, choices=[(k.value, k.name) for k in LotKind], default=LotKind.LOT.value)
    code = models.CharField(max_length=CODE_LENGTH)
    uri = models.CharField(max_length=300, unique=True)
    material = models.ForeignKey("engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+")
    revision = models.CharField(max_length=40, blank=True, default="")
    state = models.CharField(
        max_length=12, choices=[(s.value, s.name) for s in LotState], default=LotState.AVAILABLE.value
    )
    supplier = models.ForeignKey(Party, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    supplier_lot = models.CharField(max_length=CODE_LENGTH, blank=True, default="")
    request = models.ForeignKey(
        OperationsRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="lots"
    )  # that makes it
    split_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    note = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "material", "code"], name="lot_code_once_per_material_and_site"),
        ]
        indexes = [models.Index(fields=["site", "code"], name="lot_by_code")]

    def __str__(self) -> str:
        return self.uri


class StockBalance(SiteScopedModel):
    """How much of a lot lies where: the sum of its movements, never below zero."""

    lot = models.ForeignKey(MaterialLot, on_delete=models.PROTECT, related_name="balances")
    location = models.ForeignKey(StockLocation, on_delete=models.PROTECT, related_name="+")
    material = models.ForeignKey("engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=20, decimal_places=6, default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["lot", "location"], name="one_balance_per_lot_and_location"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="stock_is_never_negative"),
        ]
        indexes = [
            models.Index(
                fields=["site", "material", "id"],
                include=["quantity"],
                condition=Q(quantity__gt=0),
                name="stock_on_hand",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id}@{self.location_id}"


class StockMovement(SiteScopedModel):
    """One change of stock. Append-only: the database refuses update and delete; a wrong one is moved back.

    ``quantity`` is positive, in the material's unit; from where, to where: one of them may be outside the stock.
    """

    lot = models.ForeignKey(MaterialLot, on_delete=models.PROTECT, related_name="movements", db_index=False)
    material = models.ForeignKey("engineering.MaterialDefinition", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=[(k.value, k.name) for k in MovementKind])
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    from_location = models.ForeignKey(
        StockLocation, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    to_location = models.ForeignKey(
        StockLocation, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    job_order = models.ForeignKey(JobOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    request = models.ForeignKey(OperationsRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    requirement = models.ForeignKey(
        MaterialRequirement, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    response = models.ForeignKey(
        JobResponse, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    action_id = models.CharField(max_length=LONGEST_ACTION_ID, blank=True, default="")
    reason = models.CharField(max_length=80, blank=True, default="")
    note = models.CharField(max_length=NOTE_LENGTH, blank=True, default="")
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    actor_name = models.CharField(max_length=150)
    person_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="movement_quantity_is_positive"),
            models.CheckConstraint(
                condition=Q(from_location__isnull=False) | Q(to_location__isnull=False),
                name="movement_has_a_place",
            ),
            models.UniqueConstraint(
                fields=["site", "action_id", "lot"], condition=~Q(action_id=""), name="movement_action_once"
            ),
        ]
        indexes = [
            models.Index(fields=["lot", "id"], name="movement_of_lot"),
            models.Index(fields=["site", "id"], name="movement_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.lot_id} {self.quantity}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; refuse to change what was recorded."""
        if not self._state.adding:
            raise RuntimeError("A stock movement is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise RuntimeError("A stock movement is never deleted.")
