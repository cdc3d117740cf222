"""Release: an operations request gets its frozen versions, job orders, their order, and the material they need.

Everything is one transaction and a constant number of statements, however many lines the bill of material has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.kernel.events import publish
from yuheng.kernel.models import Site
from yuheng.operations.events import RequestReleased
from yuheng.operations.models import JobDependency, JobOrder, MaterialLot, MaterialRequirement, OperationsRequest
from yuheng.operations.rules import (
    BEFORE_START,
    OPEN_STATES,
    JobState,
    LinkKind,
    LotKind,
    LotState,
    RequestState,
    find_cycle,
    rank_of,
    stored,
)
from yuheng.operations.services.directives import directive_of, rework_plan

MOST_SERIALS = 10_000
MOST_JOBS = 20_000
BATCH = 2_000


@dataclass(slots=True)
class Built:
    """What a release makes, before it is written."""

    requests: dict[str, OperationsRequest] = field(default_factory=dict)  # by path; "" is the product's own
    jobs: dict[tuple[str, str], JobOrder] = field(default_factory=dict)  # by (path, segment)
    links: list[tuple[tuple[str, str], tuple[str, str], LinkKind, Decimal, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Released:
    """What a release made."""

    request_ids: tuple[int, ...]
    job_orders: int
    requirements: int


def release(request: OperationsRequest, *, actor: Actor, at: datetime, on: date | None = None) -> Released:
    """Release a request that the caller has locked. Raises `Conflict` with the sentence that engineering gives."""
    if request.state != RequestState.FORECAST.value:
        raise Conflict(_("Request %(request)s is released already, or is over.") % {"request": request.code})
    built, resolution = would_make(request, actor=actor, at=at, on=on)
    needs = _write(request, resolution, built, at=at)
    _announce_lots(resolution, built, at=at)
    publish(
        RequestReleased(
            site_id=request.site_id,
            request_id=request.pk,
            code=request.code,
            order_id=request.order_id,
            job_orders=len(built.jobs),
        ),
        at=at,
    )
    return Released(tuple(row.pk for row in built.requests.values()), len(built.jobs), needs)


def would_make(request: OperationsRequest, *, actor: Actor, at: datetime, on: date | None = None) -> tuple[Built, Any]:
    """Return what a release of a request would make, and engineering's answer. Reads only; the request need not exist.

    Raises
    ------
    Conflict
        With the sentence that engineering gives, or because steps wait for each other.
    """
    resolution = engineering.resolve(
        actor=actor,
        site_id=request.site_id,
        material_id=request.material_id,
        on=on or _local_day(request.site_id, at),
        serial=request.serial,
        order_code=request.order.code if request.order else "",
        options=request.options,
        quantity=request.quantity,
        unit=request.unit,
        at=at,
    )
    built = Built()
    _build_requests(request, resolution, built, at=at)
    _build_jobs(resolution, built, at=at)
    _build_links(resolution, built)
    if find_cycle((id(built.jobs[a]), id(built.jobs[b])) for a, b, _kind, _per, _lag in built.links):
        raise Conflict(
            _("Steps of %(request)s wait for each other. Correct the work master.") % {"request": request.code}
        )
    _plan_backwards(built, at=at)
    return built, resolution


def _local_day(site_id: int, at: datetime) -> date:
    zone = Site.objects.values_list("time_zone", flat=True).get(pk=site_id)
    return at.astimezone(ZoneInfo(zone)).date()


# ---- requests --------------------------------------------------------------------------------------------------------


def _build_requests(request: OperationsRequest, resolution: Any, built: Built, *, at: datetime) -> None:
    """Make a request of every part that is made; the product's own row takes the frozen answer."""
    request.bom_version_id = resolution.bom_version_id
    request.work_master_version_id = resolution.work_master_version_id
    sha256 = resolution.sha256  # computed when asked for: once is enough
    request.resolution, request.resolution_sha256 = resolution.document, sha256
    request.quantity, request.unit = resolution.quantity, resolution.unit
    built.requests[""] = request
    made = {line.path: line for line in resolution.lines if line.source == "make"}
    for routing in resolution.routings:
        if not routing.path:
            continue
        line = made[routing.path]
        built.requests[routing.path] = OperationsRequest(
            site_id=request.site_id,
            code=f"{request.code}-{routing.path.replace('/', '.')}"[:80],
            line_id=request.line_id,
            order_id=request.order_id,
            path=routing.path,
            level=line.level,
            material_id=routing.material_id,
            quantity=routing.quantity,
            unit=routing.unit,
            options=request.options,
            bom_version_id=line.bom_version_id,
            work_master_version_id=routing.work_master_version_id,
            resolution_sha256=sha256,
            priority=request.priority,
            is_rush=request.is_rush,
            rank=request.rank,
            due_at=request.due_at,
            entered_at=at,
        )
    for row in built.requests.values():
        row.state, row.released_at = RequestState.RELEASED.value, at


# ---- job orders ------------------------------------------------------------------------------------------------------


def _build_jobs(resolution: Any, built: Built, *, at: datetime) -> None:
    for routing in resolution.routings:
        request = built.requests[routing.path]
        waits = {link.after for link in routing.links if link.kind != "rework"}
        segments = [routing.segment(code) for code in routing.order]
        last = _last_of(routing)
        feeds = _feeding_lines(resolution, routing)
        for position, segment in enumerate(segments):
            is_fed = segment.code in waits or bool(feeds.get(segment.code))
            built.jobs[routing.path, segment.code] = _job(
                request, routing, segment, position, is_last=segment.code in last, is_ready=not is_fed, at=at
            )
        request.job_count = len(segments)
    if len(built.jobs) > MOST_JOBS:
        raise Conflict(_("This order would have more than 20,000 job orders. Divide it."))


def _last_of(routing: Any) -> set[str]:
    """Return the codes of segments behind which nothing comes."""
    followed = {link.before for link in routing.links if link.kind != "rework"}
    return {code for code in routing.order if code not in followed}


def _job(
    request: OperationsRequest,
    routing: Any,
    segment: Any,
    position: int,
    *,
    is_last: bool,
    is_ready: bool,
    at: datetime,
) -> JobOrder:
    place = stored(is_allowed=True, is_ready=is_ready)
    plan = rework_plan(routing, segment.code)
    return JobOrder(
        site_id=request.site_id,
        code=f"{request.code}-{segment.code}"[:100],
        request=request,
        segment=segment.code,
        name_zh=segment.name_zh,
        name_en=segment.name_en,
        position=position,
        is_last=is_last,
        equipment_class_id=segment.equipment_class_id,
        candidates=[one.work_unit_id for one in segment.alternatives],
        is_subcontracted=segment.kind == "subcontract",
        shares_work_unit=bool(segment.batch_size) and segment.batch_size > 1,
        quantity=routing.quantity,
        unit=routing.unit,
        transfer_batch=segment.transfer_batch,
        state=place.state.value,
        substate=place.substate.value,
        rank=request.rank,
        due_at=request.due_at,
        planned_start=request.due_at,
        planned_end=request.due_at,
        setup_s=segment.setup_s,
        run_s=segment.lead_time_s if segment.lead_time_s is not None else segment.duration_s(routing.quantity),
        directive=directive_of(segment) | ({"rework": plan} if plan else {}),
        changed_at=at,
    )


def _feeding_lines(resolution: Any, routing: Any) -> dict[str, list[Any]]:
    """Return the made parts that go into each segment of a routing."""
    found: dict[str, list[Any]] = {}
    for line in resolution.lines:
        if line.source == "make" and line.owner_path == routing.path:
            found.setdefault(line.segment_code or routing.order[0], []).append(line)
    return found


# ---- what waits for what ---------------------------------------------------------------------------------------------


def _build_links(resolution: Any, built: Built) -> None:
    routings = {routing.path: routing for routing in resolution.routings}
    for routing in resolution.routings:
        for link in routing.links:
            if link.kind == "rework":
                continue
            kind = LinkKind.START_START if link.kind == "start_start" else LinkKind.FINISH_START
            wait = routing.segment(link.before).wait_s + routing.segment(link.before).transfer_s
            built.links.append(
                ((routing.path, link.before), (routing.path, link.after), kind, Decimal(1), link.lag_s + wait)
            )
        for segment, lines in _feeding_lines(resolution, routing).items():
            for line in lines:
                if line.path not in routings:
                    continue
                for code in _last_of(routings[line.path]):
                    built.links.append(
                        ((line.path, code), (routing.path, segment), LinkKind.ASSEMBLY, line.quantity_per, 0.0)
                    )


def _plan_backwards(built: Built, *, at: datetime) -> None:
    """Give each job order the latest times that keep the promise; when that is past, the earliest from now.

    Without calendars and capacity: those are the scheduling engine's.
    """
    behind: dict[tuple[str, str], list[tuple[tuple[str, str], float]]] = {}
    waits: dict[tuple[str, str], int] = dict.fromkeys(built.jobs, 0)
    for before, after, _kind, _per, lag in built.links:
        behind.setdefault(before, []).append((after, lag))
        waits[after] += 1
    order: list[tuple[str, str]] = [key for key, count in waits.items() if not count]
    for key in order:  # grows while it is walked: topological
        for after, _lag in behind.get(key, ()):
            waits[after] -= 1
            if not waits[after]:
                order.append(after)
    for key in reversed(order):
        job = built.jobs[key]
        ends = [built.jobs[after].planned_start - timedelta(seconds=lag) for after, lag in behind.get(key, ())]
        job.planned_end = min([job.due_at, *ends])
        job.planned_start = job.planned_end - timedelta(seconds=job.setup_s + job.run_s)
    first = min((job.planned_start for job in built.jobs.values()), default=at)
    if first < at:  # too late for the promise: everything moves, its order stays
        for job in built.jobs.values():
            job.planned_start += at - first
            job.planned_end += at - first
    for (path, _code), job in built.jobs.items():
        request = built.requests[path]
        request.planned_start = min(request.planned_start or job.planned_start, job.planned_start)
        request.planned_end = max(request.planned_end or job.planned_end, job.planned_end)
        request.planned_s += job.setup_s + job.run_s


# ---- writing ---------------------------------------------------------------------------------------------------------


def _write(request: OperationsRequest, resolution: Any, built: Built, *, at: datetime) -> int:
    request.root_id = None
    request.save()
    children = [row for path, row in built.requests.items() if path]
    owners = {line.path: line.owner_path for line in resolution.lines if line.source == "make"}
    by_level: dict[int, list[OperationsRequest]] = {}
    for row in children:
        row.root = request
        by_level.setdefault(row.level, []).append(row)
    for level in sorted(by_level):  # a parent is there before its parts
        for row in by_level[level]:
            row.parent = built.requests[owners[row.path]]
        OperationsRequest.objects.bulk_create(by_level[level], batch_size=BATCH)
    for (path, _code), job in built.jobs.items():
        job.request = built.requests[path]
    JobOrder.objects.bulk_create(built.jobs.values(), batch_size=BATCH)
    JobDependency.objects.bulk_create(
        [
            JobDependency(
                before=built.jobs[before], after=built.jobs[after], kind=kind.value, quantity_per=per, lag_s=lag
            )
            for before, after, kind, per, lag in once(built.links)
        ],
        batch_size=BATCH,
    )
    needs = needs_of(resolution, built)
    MaterialRequirement.objects.bulk_create(needs, batch_size=BATCH)
    return len(needs)


def once(links: Sequence[Any]) -> list[Any]:
    """Return one link for each pair: two lines of one part into one step need their pieces together."""
    found: dict[Any, Any] = {}
    for before, after, kind, per, lag in links:
        known = found.get((before, after))
        if known is None:
            found[before, after] = (before, after, kind, per, lag)
        elif kind is LinkKind.ASSEMBLY:
            found[before, after] = (before, after, kind, known[3] + per, max(lag, known[4]))
    return list(found.values())


def needs_of(resolution: Any, built: Built) -> list[MaterialRequirement]:
    """Return the material that each job order takes; unsaved rows."""
    first = {routing.path: routing.order[0] for routing in resolution.routings if routing.order}
    found = []
    for line in resolution.lines:
        if line.source == "phantom":
            continue
        owner = built.requests.get(line.owner_path)
        if owner is None:
            continue
        job = built.jobs.get((line.owner_path, line.segment_code or first.get(line.owner_path, "")))
        found.append(
            MaterialRequirement(
                site_id=owner.site_id,
                request=owner,
                job_order=job,
                material_id=line.material_id,
                supplied_by=built.requests.get(line.path) if line.source == "make" else None,
                path=line.path,
                position=str(line.position or "")[:120],
                quantity=line.gross_quantity,
                quantity_per=line.quantity_per,
                unit=line.unit,
                needed_at=job.planned_start if job is not None else owner.planned_start or owner.due_at,
                is_open=True,
            )
        )
    return found


def _announce_lots(resolution: Any, built: Built, *, at: datetime) -> None:
    """Give what will be made its lot or serial numbers now, so that labels can be printed before the first step."""
    tracking: Mapping[str, str] = {
        "": str(resolution.tracking),
        **{line.path: str(line.tracking) for line in resolution.lines if line.source == "make"},
    }
    codes = {"": resolution.material_code, **{line.path: line.code for line in resolution.lines}}
    site = Site.objects.values_list("code", flat=True).get(pk=resolution.site_id)
    lots: list[MaterialLot] = []
    for path, request in built.requests.items():
        kind = tracking[path]
        if kind == "none":
            continue
        numbers = [request.code]
        if kind == "serial":
            if request.quantity > MOST_SERIALS:
                raise Conflict(_("This order would need more than 10,000 serial numbers. Divide it."))
            count = int(request.quantity.to_integral_value(rounding="ROUND_CEILING"))
            single = [request.serial] if request.serial and count == 1 else []
            numbers = single or [f"{request.code}-{number:04d}" for number in range(1, count + 1)]
        lots += [
            MaterialLot(
                site_id=request.site_id,
                kind=(LotKind.INSTANCE if kind == "serial" else LotKind.LOT).value,
                code=number[:80],
                uri=f"urn:{site}:{codes[path]}:{number}"[:300],
                material_id=request.material_id,
                state=LotState.IN_PROGRESS.value,
                request=request,
                created_at=at,
            )
            for number in numbers
        ]
    MaterialLot.objects.bulk_create(lots, batch_size=BATCH)


# ---- all job orders of requests at once -----------------------------------------------------------------------------


def cancel_all(requests: Any, *, reason: str, at: datetime) -> None:
    """Cancel requests of which nothing has begun, with their job orders, lots and needs. Six statements.

    ``requests`` is a queryset; the caller has checked that nothing has begun.
    """
    ids = list(requests.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk", flat=True))
    jobs = JobOrder.objects.filter(request_id__in=ids, state__in=[state.value for state in BEFORE_START])
    list(jobs.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk"))
    jobs.update(state=JobState.CANCELLED.value, substate="", hold_reason=reason[:1000], changed_at=at)
    MaterialRequirement.objects.filter(request_id__in=ids, is_open=True).update(is_open=False)
    waiting = MaterialLot.objects.filter(request_id__in=ids, state=LotState.IN_PROGRESS.value)
    waiting.update(state=LotState.DESTROYED.value)
    OperationsRequest.objects.filter(pk__in=ids).update(
        state=RequestState.CANCELLED.value,
        hold_reason=reason[:1000],
        ended_at=at,
        jobs_over=F("job_count"),
        planned_s=0.0,
        done_s=0.0,
    )


def reorder(requests: Any, priority: int, *, is_rush: bool, due_at: datetime | None = None) -> None:
    """Give open requests and their open job orders another priority, and perhaps another date. Three statements."""
    ids = list(requests.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk", flat=True))
    rank = rank_of(priority, is_rush=is_rush)
    date_: dict[str, Any] = {} if due_at is None else {"due_at": due_at}
    OperationsRequest.objects.filter(pk__in=ids).update(priority=priority, is_rush=is_rush, rank=rank, **date_)
    jobs = JobOrder.objects.filter(request_id__in=ids, state__in=[state.value for state in OPEN_STATES])
    list(jobs.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk"))
    jobs.update(rank=rank, **date_)
