"""What became of job orders, for the context above that counts and measures it. Facts of many at once, no lazy ones.

These questions ask no permission: `performance` asks them for its own tables and guards what it shows. Lists that are
shown (`job_rows`, `request_codes`) take an actor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, FloatField, Q, Sum
from django.db.models.functions import Cast, Coalesce

from yuheng.kernel.actor import Actor
from yuheng.operations.models import JobDependency, JobMove, JobOrder, JobResponse, OperationsRequest, TouchedJob
from yuheng.operations.rules import BEFORE_START, MoveKind, ResponseKind, Source
from yuheng.operations.selectors.pages import VIEW
from yuheng.operations.selectors.rows import COLUMNS, JobRow, job_row, with_arrivals

_TIMED = [kind.value for kind in (ResponseKind.STARTED, ResponseKind.SET_UP, ResponseKind.PAUSED,
                                  ResponseKind.RESUMED, ResponseKind.FINISHED)]  # fmt: skip
_BEFORE = sorted(state.value for state in BEFORE_START)


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the log of a job order; see `models.JobMove`."""

    id: int
    what: MoveKind
    at: datetime
    work_unit_id: int | None
    work_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class JobHead:
    """What a job order is, without its state.

    ``planned_setup_s``, ``planned_run_s``: standard of the frozen segment, the run for ``run_quantity`` pieces, or for
    a batch of ``batch_size``; the job order's own work unit's where it has a standard of its own.
    """

    id: int
    site_id: int
    code: str
    request_id: int
    root_id: int
    material_id: int
    work_master_version_id: int | None
    segment: str
    name_zh: str
    name_en: str
    split: int
    is_rework: bool
    is_subcontracted: bool
    shares_work_unit: bool
    rework_of_id: int | None
    equipment_class_id: int | None
    candidates: tuple[int, ...]
    work_unit_id: int | None
    pieces: Decimal
    quantity: Decimal
    unit: str
    planned_setup_s: float
    planned_run_s: float
    run_quantity: float
    batch_size: float | None


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What a production order is. ``root_id``: the product's own, itself for a product."""

    id: int
    site_id: int
    code: str
    root_id: int
    order_id: int | None
    order_code: str
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    quantity: Decimal
    unit: str
    state: str


_HEAD = (
    "pk", "site_id", "code", "request_id", "request__root_id", "request__material_id",
    "request__work_master_version_id", "segment", "name_zh", "name_en", "split", "is_rework", "is_subcontracted",
    "shares_work_unit", "rework_of_id", "equipment_class_id", "candidates", "work_unit_id", "good", "scrap", "rework",
    "quantity", "unit", "directive__setup_s", "directive__run_s", "directive__run_quantity", "directive__batch_size",
    "directive__alternatives", "setup_s", "run_s",
)  # fmt: skip


def moves_of(job_order_ids: Iterable[int]) -> dict[int, list[Move]]:
    """Job order -> its log, in the order in which it was written. One query."""
    found: dict[int, list[Move]] = defaultdict(list)
    rows = JobMove.objects.filter(job_order_id__in=list(job_order_ids)).order_by("pk")
    for job, pk, what, at, unit, work_s, reason in rows.values_list(
        "job_order_id", "pk", "what", "at", "work_unit_id", "work_s", "reason"
    ):
        found[job].append(Move(pk, MoveKind(what), at, unit, work_s, reason))
    return found


def heads_of(job_order_ids: Iterable[int]) -> dict[int, JobHead]:
    """Job order -> what it is. One query."""
    return _heads(JobOrder.objects.filter(pk__in=list(job_order_ids)))


def heads_of_trees(root_ids: Iterable[int]) -> dict[int, JobHead]:
    """All job orders of products and of the parts made for them. One query."""
    roots = list(root_ids)
    return _heads(JobOrder.objects.filter(Q(request_id__in=roots) | Q(request__root_id__in=roots)))


def _heads(rows: Any) -> dict[int, JobHead]:
    found = {}
    for values in rows.order_by().values_list(*_HEAD):
        *told, good, scrap, rework, quantity, unit, setup_s, run_s, per, batch, alternatives, own_setup, own_run = (
            values
        )
        told[4] = told[4] or told[3]
        told[16] = tuple(told[16])
        if run_s is None:  # it comes from a log, without a work master
            setup_s, run_s, per = own_setup, own_run, quantity
        own: dict[str, Any] = next((one for one in alternatives or () if one.get("work_unit_id") == told[17]), {})
        standard = (float(own.get("setup_s", setup_s) or 0.0), float(own.get("run_s", run_s) or 0.0))
        sizes = (float(per or 1.0), float(batch) if batch else None)
        made: list[Any] = [*told, good + scrap + rework, quantity, unit, *standard, *sizes]
        found[told[0]] = JobHead(*made)
    return found


def links_of(job_order_ids: Iterable[int]) -> list[tuple[int, int]]:
    """What waits for what: ``(before, after)`` of everything before these job orders. One query."""
    rows = JobDependency.objects.filter(after_id__in=list(job_order_ids)).order_by()
    return list(rows.values_list("before_id", "after_id"))


def lots_came_at(job_order_ids: Iterable[int]) -> dict[int, list[datetime]]:
    """Job order -> when the bought lots that it used had come. One query."""
    found: dict[int, list[datetime]] = defaultdict(list)
    rows = JobResponse.objects.filter(
        job_order_id__in=list(job_order_ids), kind=ResponseKind.CONSUMED.value, lot__request__isnull=True
    ).exclude(lot=None)
    for job, at in rows.order_by().values_list("job_order_id", "lot__created_at").distinct():
        found[job].append(at)
    return found


def sources_of(job_order_ids: Iterable[int]) -> dict[int, frozenset[Source]]:
    """Job order -> who told its times: people, signals or an import. One query."""
    found: dict[int, set[Source]] = defaultdict(set)
    rows = JobResponse.objects.filter(job_order_id__in=list(job_order_ids), kind__in=_TIMED)
    for job, source in rows.order_by().values_list("job_order_id", "source").distinct():
        found[job].add(Source(source))
    return {job: frozenset(one) for job, one in found.items()}


def requests_of(request_ids: Iterable[int]) -> dict[int, RequestHead]:
    """Production order -> what it is. One query."""
    rows = OperationsRequest.objects.filter(pk__in=list(request_ids)).order_by()
    values = rows.values_list(
        "pk", "site_id", "code", "root_id", "order_id", "order__code", "material_id", "material__code",
        "material__name_zh", "material__name_en", "quantity", "unit", "state",
    )  # fmt: skip
    found = {}
    for pk, site, code, root, order, order_code, *rest in values:
        made: list[Any] = [pk, site, code, root or pk, order, order_code or "", *rest]
        found[pk] = RequestHead(*made)
    return found


def with_those_above(request_ids: Iterable[int]) -> set[int]:
    """Production orders, and those that they are made for, up to the products. One query for each level."""
    found = layer = set(request_ids)
    while layer:
        above = OperationsRequest.objects.filter(pk__in=layer, parent__isnull=False).order_by()
        layer = set(above.values_list("parent_id", flat=True)) - found
        found = found | layer
    return found


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Planned work that has not begun: how many job orders, pieces and seconds."""

    jobs: int = 0
    pieces: Decimal = Decimal(0)
    setup_s: float = 0.0
    run_s: float = 0.0


def open_work(*, site_id: int, material_id: int, segment: str, work_unit_id: int | None = None) -> OpenWork:
    """What of a step of a product lies before the plant, at one work unit or at all. One query."""
    rows = JobOrder.objects.filter(
        site_id=site_id, state__in=_BEFORE, segment=segment, is_rework=False, request__material_id=material_id
    )
    if work_unit_id is not None:
        rows = rows.filter(work_unit_id=work_unit_id)
    found = rows.aggregate(
        jobs=Count("pk"),
        pieces=Coalesce(Sum("quantity"), Decimal(0)),
        setup_s=Coalesce(Sum("setup_s"), 0.0),
        run_s=Coalesce(Sum(Cast(F("run_s"), FloatField())), 0.0),
    )
    return OpenWork(**found)


def untaken() -> int:
    """Rows of news of job orders that nobody has taken yet. One query."""
    return TouchedJob.objects.count()


# ---- shown to people -------------------------------------------------------------------------------------------------


def job_rows(*, actor: Actor, site_id: int, job_order_ids: Sequence[int]) -> list[JobRow]:
    """Job orders of a site as lists show them, in the order of the ids. Three queries.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW, site_id=site_id)
    rows = JobOrder.objects.filter(site_id=site_id, pk__in=list(job_order_ids))
    found = {row.id: row for row in with_arrivals([job_row(values) for values in rows.values_list(*COLUMNS)])}
    return [found[pk] for pk in job_order_ids if pk in found]
