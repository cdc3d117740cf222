"""Orders of a log as closed requests with ended job orders, and the responses from which these follow."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Protocol

from django.db import transaction
from django.db.models import OuterRef, Subquery

from yuheng.engines.eventlog import Job, Order, Stretch
from yuheng.operations.models import (
    CustomerOrder,
    CustomerOrderLine,
    JobDependency,
    JobOrder,
    JobResponse,
    OperationsRequest,
)
from yuheng.operations.rules import JobState, JobSubstate, LinkKind, OrderState, RequestState, ResponseKind
from yuheng.operations.rules.progress import ZERO, Source, Told, derive
from yuheng.operations.services.logs.ground import Ground, Product
from yuheng.operations.services.logs.names import code_of
from yuheng.operations.services.orders import USUAL_PRIORITY

BATCH = 2_000
LONGEST_CODE = 60
ONE = Decimal(1)


@dataclass(slots=True)
class Counts:
    """What became of a batch."""

    written: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Made:
    """A job order and what it follows from, before they are written."""

    job: JobOrder
    told: list[JobResponse]
    done: Job


@transaction.atomic
def write_orders(*, site_id: int, orders: Sequence[Order], ground: Ground, at: datetime) -> Counts:
    """Write a batch of orders with their jobs; what is there already stays. The caller has checked permissions.

    A constant number of queries, whatever the size of the batch.
    """
    counts = Counts()
    codes = {order.code: code_of(order.code, LONGEST_CODE) for order in orders}
    known = {
        row.code: row
        for row in OperationsRequest.objects.defer("resolution").filter(site_id=site_id, code__in=codes.values())
    }
    foreign = {code for code, row in known.items() if row.resolution_sha256 or row.state != RequestState.CLOSED.value}
    counts.kept["orders"] += sum(codes[order.code] in foreign for order in orders)
    ours = [order for order in orders if codes[order.code] not in foreign]
    customers = _write_customer_orders(
        site_id, [one for one in ours if codes[one.code] not in known], codes, ground, counts
    )
    requests = _write_requests(site_id, ours, codes, known, customers, ground, counts)
    there = set(
        JobOrder.objects.filter(request__in=[row for code, row in known.items() if code not in foreign]).values_list(
            "code", flat=True
        )
    )
    made: list[_Made] = []
    links: list[tuple[JobOrder, JobOrder, LinkKind]] = []
    for order in ours:
        new = _jobs_of(order, requests[codes[order.code]], ground, there, at)
        links += _links(new)
        made += new
    _write_jobs(made, links, counts)
    _sum_up([order for order in ours if codes[order.code] in known], codes, known)
    return counts


# ---- orders and requests ---------------------------------------------------------------------------------------------


def _write_customer_orders(
    site_id: int, orders: Sequence[Order], codes: Mapping[str, str], ground: Ground, counts: Counts
) -> dict[str, tuple[int, int]]:
    """Return order code -> (customer order, its line) for orders that name a customer."""
    named = [order for order in orders if order.customer]
    taken = set(
        CustomerOrder.objects.filter(site_id=site_id, code__in=[codes[order.code] for order in named]).values_list(
            "code", flat=True
        )
    )
    named = [order for order in named if codes[order.code] not in taken]
    rows = CustomerOrder.objects.bulk_create(
        [
            CustomerOrder(
                site_id=site_id,
                code=codes[order.code],
                customer_id=ground.customers[order.customer],
                promised_at=order.due or order.end,
                priority=USUAL_PRIORITY,
                state=OrderState.COMPLETED.value,
                entered_at=order.start,
                changed_at=order.end,
            )
            for order in named
        ]
    )
    lines = CustomerOrderLine.objects.bulk_create(
        [
            CustomerOrderLine(
                order=row,
                position=1,
                material_id=ground.products[order.material].id,
                quantity=_quantity(order),
                unit=ground.products[order.material].unit,
            )
            for row, order in zip(rows, named, strict=True)
        ]
    )
    counts.written["customer_orders"] += len(rows)
    return {row.code: (row.pk, line.pk) for row, line in zip(rows, lines, strict=True)}


def _write_requests(
    site_id: int,
    orders: Sequence[Order],
    codes: Mapping[str, str],
    known: Mapping[str, OperationsRequest],
    customers: Mapping[str, tuple[int, int]],
    ground: Ground,
    counts: Counts,
) -> dict[str, OperationsRequest]:
    new = []
    for order in orders:
        code = codes[order.code]
        if code in known:
            counts.kept["orders"] += 1
            continue
        product = ground.products[order.material]
        customer_order, line = customers.get(code, (None, None))
        row = OperationsRequest(
            site_id=site_id,
            code=code,
            order_id=customer_order,
            line_id=line,
            material_id=product.id,
            quantity=_quantity(order),
            unit=product.unit,
            work_master_version_id=product.work_master_version_id,
            priority=USUAL_PRIORITY,
            due_at=order.due or order.end,
            state=RequestState.CLOSED.value,
            entered_at=order.start,
        )
        _put_sums(row, order)
        new.append(row)
    written = OperationsRequest.objects.bulk_create(new, batch_size=BATCH)
    counts.written["orders"] += len(written)
    return {row.code: row for row in (*known.values(), *written)}


def _put_sums(row: OperationsRequest, order: Order) -> None:
    last = max(order.jobs, key=lambda job: (job.end, job.start))
    row.released_at = row.planned_start = row.started_at = order.start
    row.planned_end = row.ended_at = order.end
    row.good = _amount(last.good)
    row.scrap = sum((_amount(job.scrap) for job in order.jobs), ZERO)
    row.job_count = row.jobs_over = len(order.jobs)
    row.planned_s = row.done_s = sum(job.worked_s for job in order.jobs)


def _sum_up(orders: Sequence[Order], codes: Mapping[str, str], known: Mapping[str, OperationsRequest]) -> None:
    """Bring requests up to date whose orders go on in this log."""
    changed = []
    for order in orders:
        row = known[codes[order.code]]
        if row.job_count < len(order.jobs):
            _put_sums(row, order)
            changed.append(row)
    names = "released_at planned_start started_at planned_end ended_at good scrap job_count jobs_over planned_s done_s"
    OperationsRequest.objects.bulk_update(changed, names.split(), batch_size=BATCH)


def _quantity(order: Order) -> Decimal:
    most = max((_amount(job.good + job.scrap + job.rework) for job in order.jobs), default=ZERO)
    return max(_amount(order.quantity or 0.0), most) or ONE


def _amount(value: float) -> Decimal:
    return Decimal(str(round(value, 6)))


# ---- jobs and what was told of them ----------------------------------------------------------------------------------


def _jobs_of(order: Order, request: OperationsRequest, ground: Ground, there: set[str], at: datetime) -> list[_Made]:
    product = ground.products[order.material]
    last = max(order.jobs, key=lambda job: (job.end, job.start))
    made = []
    ready = order.start
    for position, done in enumerate(order.jobs):
        segment = product.segments.get(done.operation) or _odd_segment(done.operation)
        code = f"{request.code}-{segment}" + (f"-{done.visit}" if done.visit > 1 else "")
        free, ready = ready, max(ready, done.end)
        if code in there:
            continue
        job = _job(request, done, segment, code, position, product, ground, ready=free, is_last=done is last)
        told = _told(job, done, ground, at)
        progress = derive(Told(ResponseKind(one.kind), one.at, one.good, one.scrap, one.rework) for one in told)
        job.worked_s = progress.worked_s
        job.good, job.scrap, job.rework = progress.good, progress.scrap, progress.rework
        job.quantity = max(request.quantity, job.good + job.scrap + job.rework)
        made.append(_Made(job, told, done))
    return made


def _odd_segment(operation: str) -> str:
    """Return a segment's code for an operation that the routing leaves out."""
    return f"X-{hashlib.sha256(operation.encode()).hexdigest()[:6]}"


def _job(
    request: OperationsRequest,
    done: Job,
    segment: str,
    code: str,
    position: int,
    product: Product,
    ground: Ground,
    *,
    ready: datetime,
    is_last: bool,
) -> JobOrder:
    """Return a job order as it was when the step before it had ended: the log of moves begins there."""
    operator = next((one.operator for one in reversed(done.stretches) if one.operator), "")
    usual = product.per_piece_s.get(done.operation)
    return JobOrder(
        site_id=request.site_id,
        code=code[:100],
        request=request,
        segment=segment,
        name_zh=done.operation,
        name_en=done.operation,
        position=position,
        is_rework=done.visit > 1,
        is_last=is_last,
        equipment_class_id=ground.classes.get(ground.class_of.get(done.machine, done.operation)),
        work_unit_id=ground.units.get(done.machine),
        quantity=request.quantity,
        unit=request.unit,
        state=JobState.ALLOWED_TO_START.value,
        substate=JobSubstate.READY.value,
        due_at=request.due_at,
        planned_start=done.start,
        planned_end=done.end,
        run_s=usual * float(request.quantity) if usual else done.worked_s,
        operator=ground.people.get(operator, (0, operator))[1][:150],
        operator_zh=operator[:80],
        operator_en=operator[:80],
        changed_at=min(ready, done.start),
    )


def _told(job: JobOrder, done: Job, ground: Ground, at: datetime) -> list[JobResponse]:
    """Return what the floor would have reported: started, paused and resumed between stretches, pieces, finished."""
    found: list[JobResponse] = []

    def tell(kind: ResponseKind, when: datetime, stretch: Stretch, *, with_pieces: bool = False) -> None:
        person_id, username = ground.people.get(stretch.operator, (None, stretch.operator))
        key = f"{job.request.code}|{job.code}|{len(found)}|{kind.value}|{when.isoformat()}"
        found.append(
            JobResponse(
                site_id=job.site_id,
                job_order=job,
                request=job.request,
                kind=kind.value,
                action_id=f"log:{hashlib.sha256(key.encode()).hexdigest()[:40]}",
                at=when,
                recorded_at=at,
                source=Source.IMPORT.value,
                work_unit_id=ground.units.get(stretch.machine),
                actor_kind="person" if stretch.operator else "system",
                actor_name=(username or "log")[:150],
                person_id=person_id,
                good=_amount(stretch.good) if with_pieces else ZERO,
                scrap=_amount(stretch.scrap) if with_pieces else ZERO,
                rework=_amount(stretch.rework) if with_pieces else ZERO,
                data={"row": stretch.row},
            )
        )

    ends = sorted(done.stretches, key=lambda one: (one.end, one.start))
    last = ends[-1]
    until: datetime | None = None
    told = 0
    for stretch in done.stretches:  # by start
        while told < len(ends) and ends[told].end <= stretch.start and ends[told] is not last:
            _pieces(tell, ends[told])
            told += 1
        if until is None:
            tell(ResponseKind.STARTED, stretch.start, stretch)
        elif stretch.start > until:
            tell(ResponseKind.PAUSED, until, stretch)
            tell(ResponseKind.RESUMED, stretch.start, stretch)
        until = max(until or stretch.end, stretch.end)
    for stretch in ends[told:-1]:
        _pieces(tell, stretch)
    tell(ResponseKind.FINISHED, last.end, last, with_pieces=True)
    return found


class _Tell(Protocol):
    def __call__(self, kind: ResponseKind, when: datetime, stretch: Stretch, *, with_pieces: bool = False) -> None: ...


def _pieces(tell: _Tell, stretch: Stretch) -> None:
    if stretch.good or stretch.scrap or stretch.rework:
        tell(ResponseKind.QUANTITY, stretch.end, stretch, with_pieces=True)


def _links(made: Sequence[_Made]) -> list[tuple[JobOrder, JobOrder, LinkKind]]:
    """Return what came behind what; what began before the other had ended went beside it."""
    found = []
    for before, after in pairwise(made):
        kind = LinkKind.FINISH_START if before.done.end <= after.done.start else LinkKind.START_START
        found.append((before.job, after.job, kind))
    return found


def _write_jobs(made: Sequence[_Made], links: Iterable[tuple[JobOrder, JobOrder, LinkKind]], counts: Counts) -> None:
    jobs = JobOrder.objects.bulk_create([one.job for one in made], batch_size=BATCH)
    told = [response for one in made for response in one.told]
    for response in told:  # their job orders and requests have keys by now
        response.job_order_id, response.request_id = response.job_order.pk, response.job_order.request_id
    JobResponse.objects.bulk_create(told, batch_size=BATCH)
    JobDependency.objects.bulk_create(
        [JobDependency(before=before, after=after, kind=kind.value) for before, after, kind in links], batch_size=BATCH
    )
    _end(jobs)
    counts.written["job_orders"] += len(jobs)
    counts.written["responses"] += len(told)


def _end(jobs: Sequence[JobOrder]) -> None:
    """End job orders as their responses say. Afterwards: the database logs the moves of those that go through it."""

    def at(kind: ResponseKind) -> Subquery:
        return Subquery(JobResponse.objects.filter(job_order_id=OuterRef("pk"), kind=kind.value).values("at")[:1])

    for first in range(0, len(jobs), BATCH):
        JobOrder.objects.filter(pk__in=[job.pk for job in jobs[first : first + BATCH]]).update(
            state=JobState.ENDED.value,
            substate=JobSubstate.CLOSED.value,
            actual_start=at(ResponseKind.STARTED),
            actual_end=at(ResponseKind.FINISHED),
            changed_at=at(ResponseKind.FINISHED),
        )
