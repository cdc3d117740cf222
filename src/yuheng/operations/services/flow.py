"""What follows when pieces are made: job orders behind become ready, requests and orders progress and end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Exists, F, FloatField, OuterRef, Q, Sum, Value
from django.db.models.functions import Cast, Least
from django.utils.translation import gettext as _

from yuheng.kernel.events import publish
from yuheng.operations.events import OrderCompleted, RequestCompleted
from yuheng.operations.models import (
    CustomerOrder,
    CustomerOrderLine,
    JobDependency,
    JobOrder,
    MaterialRequirement,
    OperationsRequest,
)
from yuheng.operations.rules import (
    BEFORE_START,
    LIVE_REQUESTS,
    OVER,
    Arrival,
    Command,
    Feed,
    JobState,
    JobSubstate,
    LinkKind,
    RequestState,
    arrival,
)
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.services.facts import can, move

_OVER = sorted(state.value for state in OVER)
_BEFORE = sorted(state.value for state in BEFORE_START)
_LIVE = sorted(state.value for state in LIVE_REQUESTS)


def counts_pieces(unit: str) -> bool:
    """Return whether a unit counts whole things (``{piece}``, ``1``) rather than measures.

    Examples
    --------
    >>> counts_pieces("{piece}"), counts_pieces("kg")
    (True, False)
    """
    return unit == "1" or unit.startswith("{")


def feeds_of(job_order_id: int) -> list[Feed]:
    """Return what is before a job order. One query."""
    rows = JobDependency.objects.filter(after_id=job_order_id).values_list(
        "before__request_id",
        "before__segment",
        "before__good",
        "quantity_per",
        "before__transfer_batch",
        "before__state",
        "before__actual_start",
        "kind",
    )
    return [
        Feed(
            (request, segment),
            good,
            per,
            batch,
            is_over=JobState(state) in OVER,
            has_begun=begun is not None,
            is_parallel=kind == LinkKind.START_START.value,
        )
        for request, segment, good, per, batch, state, begun, kind in rows
    ]


def taken_by_siblings(job: JobOrder) -> Decimal:
    """Return what other job orders of the same segment (splits; not rework) have taken. One query."""
    processed = JobOrder.objects.filter(request_id=job.request_id, segment=job.segment, is_rework=False).exclude(
        pk=job.pk
    )
    found = processed.aggregate(sum=Sum(F("good") + F("scrap") + F("rework")))["sum"]
    return found or ZERO


def arrival_of(job: JobOrder) -> Arrival:
    """Return what has come to a job order. At most two queries; rework has its pieces already: none."""
    if job.is_rework:
        return Arrival(None, True, True)
    feeds = feeds_of(job.pk)
    if not feeds:
        return Arrival(None, True, True)
    return arrival(feeds, taken=taken_by_siblings(job), whole=counts_pieces(job.unit))


def processed(job: JobOrder) -> Decimal:
    """Return the pieces a job order has reported, whatever became of them."""
    return job.good + job.scrap + job.rework


def propagate(jobs: Iterable[JobOrder], *, at: datetime) -> None:
    """Let the job orders behind be ready, or waiting again, or, when nothing will ever come, be cancelled.

    A few queries for each job order behind; requests of what was cancelled are brought up to date, too.
    """
    sources = {job.pk for job in jobs}
    touched: set[int] = set()
    while sources:
        ids = sorted(
            JobDependency.objects.filter(before_id__in=sources, after__state__in=_BEFORE)
            .order_by()
            .values_list("after_id", flat=True)
            .distinct()
        )
        sources = set()
        for job in _lock_with_requests(ids):
            come = arrival_of(job)
            if come.is_final and come.quantity == 0:
                _nothing_comes(job, at=at)
                sources.add(job.pk)
                touched.add(job.request_id)
            elif come.may_begin != (job.substate != JobSubstate.WAITING.value):
                move(job, Command.PREPARE if come.may_begin else Command.UNPREPARE, at=at)
                job.save(update_fields=["state", "substate", "changed_at"])
    for request in OperationsRequest.objects.defer("resolution").filter(pk__in=touched):
        refresh_request(request, at=at)


def _lock_with_requests(ids: Sequence[int]) -> list[JobOrder]:
    """Lock job orders that are fed, their requests first."""
    if not ids:
        return []
    requests = set(JobOrder.objects.filter(pk__in=ids).values_list("request_id", flat=True))
    list(
        OperationsRequest.objects.filter(pk__in=requests)
        .select_for_update(no_key=True)
        .order_by("pk")
        .values_list("pk")
    )
    rows = (
        JobOrder.objects.filter(pk__in=ids, state__in=_BEFORE)
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    return list(rows)


def _nothing_comes(job: JobOrder, *, at: datetime) -> None:
    if not can(job, Command.CANCEL):
        return
    move(job, Command.CANCEL, at=at)
    job.hold_reason = _("Nothing is left to do: all pieces were lost before.")
    job.save(update_fields=["state", "substate", "hold_reason", "changed_at"])


def refresh_request(request: OperationsRequest, *, at: datetime) -> None:
    """Bring a request's copies up to date from its job orders, and end it when all of them are over.

    One query for the job orders and one to write; a few more when it ends.
    """
    work = F("setup_s") + F("run_s")
    share = Least(Value(1.0), Cast(F("good") + F("scrap") + F("rework"), FloatField()) / Cast("quantity", FloatField()))
    rows = list(
        JobOrder.objects.filter(request_id=request.pk)
        .order_by()
        .values("segment", "is_last")
        .annotate(
            jobs=Count("pk"),
            over=Count("pk", filter=Q(state__in=_OVER)),
            ended=Count("pk", filter=Q(state=JobState.ENDED.value)),
            begun=Count("pk", filter=Q(actual_start__isnull=False)),
            pieces=Sum("good"),
            lost=Sum("scrap"),
            planned=Sum(work, filter=~Q(state__in=["cancelled", "aborted"]), default=0.0),
            done=Sum(
                work,
                filter=Q(state="ended"),
                default=0.0,
            )
            + Sum(work * share, filter=~Q(state__in=_OVER), default=0.0),
        )
    )
    last = [row["pieces"] for row in rows if row["is_last"]]
    request.good = min(last) if last else ZERO
    request.scrap = sum((row["lost"] for row in rows), ZERO)
    request.job_count = sum(row["jobs"] for row in rows)
    request.jobs_over = sum(row["over"] for row in rows)
    request.planned_s = float(sum(row["planned"] for row in rows))
    request.done_s = float(sum(row["done"] for row in rows))
    fields = ["good", "scrap", "job_count", "jobs_over", "planned_s", "done_s"]
    state = RequestState(request.state)
    has_begun = any(row["begun"] for row in rows)
    if state is RequestState.RELEASED and has_begun:
        request.state, request.started_at = RequestState.RUNNING.value, request.started_at or at
        fields += ["state", "started_at"]
    is_all_over = bool(rows) and request.jobs_over == request.job_count
    if is_all_over and state in LIVE_REQUESTS:
        is_made = any(row["ended"] for row in rows)
        request.state = (RequestState.COMPLETED if is_made else RequestState.ABORTED).value
        request.ended_at = at
        fields += ["state", "ended_at"]
        request.save(update_fields=list(dict.fromkeys(fields)))
        _request_ended(request, at=at)
        return
    if not is_all_over and state is RequestState.COMPLETED:  # rework was added afterwards
        request.state, request.ended_at = RequestState.RUNNING.value, None
        fields += ["state", "ended_at"]
    request.save(update_fields=list(dict.fromkeys(fields)))


def _request_ended(request: OperationsRequest, *, at: datetime) -> None:
    close_requirements([request.pk])
    publish(
        RequestCompleted(
            site_id=request.site_id,
            request_id=request.pk,
            code=request.code,
            good=str(request.good),
            scrap=str(request.scrap),
        ),
        at=at,
    )
    if request.order_id is not None and request.parent_id is None:
        complete_order(request.order_id, at=at)


def close_requirements(request_ids: Iterable[int]) -> None:
    """What a request that is over had still open is not needed any more."""
    MaterialRequirement.objects.filter(request_id__in=list(request_ids), is_open=True).update(is_open=False)


def complete_order(order_id: int, *, at: datetime) -> None:
    """End an order when every line of it has been released and is made. Two queries; three when it ends."""
    order = CustomerOrder.objects.select_for_update(of=("self",), no_key=True).get(pk=order_id)
    if order.state != "released":
        return
    requests = OperationsRequest.objects.filter(line_id=OuterRef("pk"), parent__isnull=True)
    lines = CustomerOrderLine.objects.filter(order_id=order_id, is_cancelled=False)
    is_open = lines.filter(~Exists(requests) | Exists(requests.filter(state__in=[*_LIVE, "forecast"]))).exists()
    if is_open:
        return
    order.state, order.changed_at = "completed", at
    order.save(update_fields=["state", "changed_at"])
    publish(OrderCompleted(site_id=order.site_id, order_id=order.pk, code=order.code), at=at)


def most_taken_behind(job: JobOrder) -> Decimal:
    """Return how many pieces of the job order's segment were used behind it, in its own pieces. Two queries."""
    links = list(
        JobDependency.objects.filter(before_id=job.pk).values_list(
            "after__request_id", "after__segment", "quantity_per"
        )
    )
    most = ZERO
    for request_id, segment, per in {(request, segment, per) for request, segment, per in links}:
        rows = JobOrder.objects.filter(request_id=request_id, segment=segment, is_rework=False)
        used = rows.aggregate(sum=Sum(F("good") + F("scrap") + F("rework")))["sum"] or ZERO
        most = max(most, used * per)
    return most
