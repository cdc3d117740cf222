"""Job orders and what hangs on them, as screens and programs see them: no lazy relations behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Sum

from yuheng.operations.models import JobDependency, JobOrder
from yuheng.operations.rules import OVER, Feed, JobState, JobSubstate, LinkKind, arrival, word
from yuheng.operations.rules.progress import ZERO


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job order with all that a line of a list needs.

    ``word`` is B2MML's name of the state. ``arrived``: pieces that have come from the steps before and may be worked
    on; None: nothing is before it. ``placed_at``: since when the published plan's times are its own; None: no
    plan knows it, its times are those of its release. ``setup_s`` and ``run_s`` are planned, for the whole job;
    ``worked_s`` measured.
    """

    id: int
    site_id: int
    code: str
    request_id: int
    request_code: str
    order_id: int | None
    order_code: str
    customer_zh: str
    customer_en: str
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    segment: str
    segment_zh: str
    segment_en: str
    position: int
    state: JobState
    substate: JobSubstate
    work_unit_id: int | None
    work_unit_code: str
    work_center_id: int | None
    equipment_class_id: int | None
    supplier_zh: str
    supplier_en: str
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    rework: Decimal
    unit: str
    rank: int
    is_rush: bool
    priority: int
    is_rework: bool
    is_subcontracted: bool
    is_last: bool
    due_at: datetime
    planned_start: datetime
    planned_end: datetime
    placed_at: datetime | None
    actual_start: datetime | None
    actual_end: datetime | None
    running_since: datetime | None
    setup_s: float
    run_s: float
    worked_s: float
    hold_reason: str
    operator: str
    operator_zh: str
    operator_en: str
    arrived: Decimal | None = None
    is_final: bool = True  # nothing more will arrive

    @property
    def word(self) -> str:
        """Return B2MML's word for the state."""
        return word(self.state, self.substate)

    @property
    def processed(self) -> Decimal:
        """Return the pieces that were reported, whatever became of them."""
        return self.good + self.scrap + self.rework

    @property
    def remaining(self) -> Decimal:
        """Return the pieces that are still open; none when the job order is over."""
        return ZERO if self.state in OVER else max(ZERO, self.quantity - self.processed)

    def is_late(self, now: datetime) -> bool:
        """Return whether it is open past its date."""
        return self.state not in OVER and self.due_at < now


COLUMNS = (
    "pk",
    "site_id",
    "code",
    "request_id",
    "request__code",
    "request__order_id",
    "request__order__code",
    "request__order__customer__name_zh",
    "request__order__customer__name_en",
    "request__material_id",
    "request__material__code",
    "request__material__name_zh",
    "request__material__name_en",
    "segment",
    "name_zh",
    "name_en",
    "position",
    "state",
    "substate",
    "work_unit_id",
    "work_unit__code",
    "work_unit__work_center_id",
    "equipment_class_id",
    "supplier__name_zh",
    "supplier__name_en",
    "quantity",
    "good",
    "scrap",
    "rework",
    "unit",
    "rank",
    "request__is_rush",
    "request__priority",
    "is_rework",
    "is_subcontracted",
    "is_last",
    "due_at",
    "planned_start",
    "planned_end",
    "placed_at",
    "actual_start",
    "actual_end",
    "running_since",
    "setup_s",
    "run_s",
    "worked_s",
    "hold_reason",
    "operator",
    "operator_zh",
    "operator_en",
)
_TEXTS = frozenset(
    place
    for place, name in enumerate(COLUMNS)
    if name.startswith(("request__order__", "supplier__")) or name == "work_unit__code"
)
_STATE, _SUBSTATE = COLUMNS.index("state"), COLUMNS.index("substate")


def job_row(values: tuple[Any, ...]) -> JobRow:
    """Return a row from `COLUMNS`; what is not there is ""."""
    clean: list[Any] = ["" if value is None and place in _TEXTS else value for place, value in enumerate(values)]
    clean[_STATE], clean[_SUBSTATE] = JobState(clean[_STATE]), JobSubstate(clean[_SUBSTATE])
    return JobRow(*clean)


def with_arrivals(rows: list[JobRow]) -> list[JobRow]:
    """Add to open job orders what has come to them. Two queries, however many there are; none when none is open."""
    open_rows = [row for row in rows if row.state not in OVER and not row.is_rework]
    if not open_rows:
        return rows
    feeds = feeds_of_many([row.id for row in open_rows])
    if not feeds:
        return rows
    taken = _taken({row.request_id for row in open_rows if row.id in feeds})
    found = {}
    for row in open_rows:
        if row.id in feeds:
            siblings = taken.get((row.request_id, row.segment), ZERO) - row.processed
            come = arrival(feeds[row.id], taken=siblings, whole=row.unit == "1" or row.unit.startswith("{"))
            found[row.id] = replace(row, arrived=come.quantity, is_final=come.is_final)
    return [found.get(row.id, row) for row in rows]


def feeds_of_many(job_order_ids: Iterable[int]) -> dict[int, list[Feed]]:
    """Job order -> what is before it. One query."""
    found: dict[int, list[Feed]] = {}
    rows = JobDependency.objects.filter(after_id__in=list(job_order_ids)).values_list(
        "after_id",
        "before__request_id",
        "before__segment",
        "before__good",
        "quantity_per",
        "before__transfer_batch",
        "before__state",
        "before__actual_start",
        "kind",
    )
    for after, request, segment, good, per, batch, state, begun, kind in rows:
        found.setdefault(after, []).append(
            Feed(
                (request, segment),
                good,
                per,
                batch,
                is_over=JobState(state) in OVER,
                has_begun=begun is not None,
                is_parallel=kind == LinkKind.START_START.value,
            )
        )
    return found


def _taken(request_ids: Iterable[int]) -> dict[tuple[int, str], Decimal]:
    rows = (
        JobOrder.objects.filter(request_id__in=list(request_ids), is_rework=False)
        .order_by()
        .values_list("request_id", "segment")
        .annotate(sum=Sum(F("good") + F("scrap") + F("rework")))
    )
    return {(request, segment): total for request, segment, total in rows}
