"""What follows when pieces are made: job orders behind become ready, requests and orders progress and end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, F, OuterRef, Subquery, Sum
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


_FEEDS = (
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


def arrivals_of(jobs: Sequence[JobOrder]) -> dict[int, Arrival]:
    """Return what has come to each job order. At most one query: rework has its pieces already.

    What siblings took (other job orders of the same segment: splits, not rework) comes along with what is before.
    """
    asked = {job.pk: job for job in jobs if not job.is_rework}
    siblings = (
        JobOrder.objects.filter(
            request_id=OuterRef("after__request_id"), segment=OuterRef("after__segment"), is_rework=False
        )
        .exclude(pk=OuterRef("after_id"))
        .order_by()
        .values("request_id")
        .annotate(sum=Sum(F("good") + F("scrap") + F("rework")))
        .values("sum")
    )
    feeds: dict[int, list[Feed]] = {}
    taken: dict[int, Decimal] = {}
    if asked:
        rows = JobDependency.objects.filter(after_id__in=sorted(asked)).order_by()
        for row in rows.values_list(*_FEEDS, Subquery(siblings)):
            after, request, segment, good, per, batch, state, begun, kind, took = row
            taken[after] = took or ZERO
            feeds.setdefault(after, []).append(
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
    return {
        job.pk: arrival(feeds[job.pk], taken=taken[job.pk], whole=counts_pieces(job.unit))
        if job.pk in feeds
        else Arrival(None, True, True)
        for job in jobs
    }


def arrival_of(job: JobOrder) -> Arrival:
    """Return what has come to a job order. At most one query; rework has its pieces already: none."""
    return arrivals_of([job])[job.pk]


def processed(job: JobOrder) -> Decimal:
    """Return the pieces a job order has reported, whatever became of them."""
    return job.good + job.scrap + job.rework


def propagate(jobs: Iterable[JobOrder], *, at: datetime, locked: Iterable[int] | None = None) -> None:
    """Let the job orders behind be ready, or waiting again, or, when nothing will ever come, be cancelled.

    ``locked``: ids of requests that the caller has locked; None: those of these job orders. Three queries for all that
    are behind, one more for each that changes and when they are of other requests; requests of what was cancelled are
    brought up to date, too.
    """
    first = list(jobs)
    sources = {job.pk for job in first}
    held = {job.request_id for job in first} if locked is None else set(locked)
    touched: set[int] = set()
    while sources:
        behind = dict(
            JobDependency.objects.filter(before_id__in=sources, after__state__in=_BEFORE)
            .order_by()
            .values_list("after_id", "after__request_id")
            .distinct()
        )
        sources = set()
        found = _lock_with_requests(behind, held)
        come_to = arrivals_of(found)
        for job in found:
            come = come_to[job.pk]
            if come.is_final and come.quantity == 0:
                _nothing_comes(job, at=at)
                sources.add(job.pk)
                touched.add(job.request_id)
            elif come.may_begin != (job.substate != JobSubstate.WAITING.value):
                move(job, Command.PREPARE if come.may_begin else Command.UNPREPARE, at=at)
                job.save(update_fields=["state", "substate", "changed_at"])
    for request in OperationsRequest.objects.defer("resolution").filter(pk__in=touched) if touched else ():
        refresh_request(request, at=at)


def _lock_with_requests(behind: Mapping[int, int], held: set[int]) -> list[JobOrder]:
    """Lock job orders that are fed (id -> request), their requests first unless the caller holds them already."""
    if not behind:
        return []
    if others := sorted(set(behind.values()) - held):
        rows = OperationsRequest.objects.filter(pk__in=others).select_for_update(no_key=True).order_by("pk")
        list(rows.values_list("pk"))
        held.update(others)
    jobs = (
        JobOrder.objects.filter(pk__in=sorted(behind), state__in=_BEFORE)
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    return list(jobs)


def _nothing_comes(job: JobOrder, *, at: datetime) -> None:
    if not can(job, Command.CANCEL):
        return
    move(job, Command.CANCEL, at=at)
    job.hold_reason = _("Nothing is left to do: all pieces were lost before.")
    job.save(update_fields=["state", "substate", "hold_reason", "changed_at"])


_SUMMED = (
    "segment", "is_last", "state", "actual_start", "good", "scrap", "rework", "quantity", "setup_s", "run_s",
)  # fmt: skip


def refresh_request(request: OperationsRequest, *, at: datetime) -> None:
    """Bring a request's copies up to date from its job orders, and end it when all of them are over.

    One query for the job orders and one to write; a few more when it ends.
    """
    rows = list(JobOrder.objects.filter(request_id=request.pk).order_by().values_list(*_SUMMED))
    made: dict[str, Decimal] = {}
    lost = ZERO
    planned = done = 0.0
    over = ended = begun = 0
    for segment, is_last, state_, since, good, scrap, rework, quantity, setup_s, run_s in rows:
        work = float(setup_s) + float(run_s)
        lost += scrap
        if is_last:
            made[segment] = made.get(segment, ZERO) + good
        begun += since is not None
        if state_ in _OVER:
            over += 1
            ended += state_ == JobState.ENDED.value
            done += work if state_ == JobState.ENDED.value else 0.0
            planned += work if state_ == JobState.ENDED.value else 0.0
        else:
            planned += work
            done += work * min(1.0, float((good + scrap + rework) / quantity))
    request.good = min(made.values(), default=ZERO)
    request.scrap = lost
    request.job_count, request.jobs_over = len(rows), over
    request.planned_s, request.done_s = planned, done
    fields = ["good", "scrap", "job_count", "jobs_over", "planned_s", "done_s"]
    state = RequestState(request.state)
    if state is RequestState.RELEASED and begun:
        request.state, request.started_at = RequestState.RUNNING.value, request.started_at or at
        fields += ["state", "started_at"]
    is_all_over = bool(rows) and request.jobs_over == request.job_count
    if is_all_over and state in LIVE_REQUESTS:
        request.state = (RequestState.COMPLETED if ended else RequestState.ABORTED).value
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
