"""Where an order is: its route as a graph, actual against planned, where every piece is, what each step waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.models import JobDependency, JobOrder, OperationsRequest
from yuheng.operations.rules import OVER, JobState, JobSubstate
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.selectors.jobs import RequirementRow, named_all, requirements_of
from yuheng.operations.selectors.orders import REQUEST, RequestRow, order_detail, request_detail, request_row
from yuheng.operations.selectors.rows import COLUMNS, JobRow, job_row, with_arrivals


@dataclass(frozen=True, slots=True)
class Link:
    """``after`` waits for ``before``."""

    before: int
    after: int
    kind: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of a request at one step: waiting in front of it, made, lost, sent to rework."""

    job_order_id: int
    waiting: Decimal
    good: Decimal
    scrap: Decimal
    rework: Decimal


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything about an order's way through the plant.

    ``requests`` topmost first; ``jobs`` in the order of their requests and steps; ``waits``: job order -> what it waits
    for, as a sentence; ``requirements``: request -> its list of material.
    """

    requests: tuple[RequestRow, ...]
    jobs: tuple[JobRow, ...]
    links: tuple[Link, ...]
    pieces: tuple[Pieces, ...]
    waits: dict[int, str]
    requirements: dict[int, list[RequirementRow]]


def order_progress(
    *, actor: Actor, now: datetime, order_id: int | None = None, request_id: int | None = None
) -> Progress:
    """The way of an order, or of one request with everything below it. At most eleven queries, whatever its size.

    Raises
    ------
    NotVisible, PermissionRefused
    """
    rows = OperationsRequest.objects.order_by("line__position", "level", "path", "pk")
    if order_id is not None:
        rows = rows.filter(order_id=order_detail(actor=actor, order_id=order_id).id)
    elif request_id is not None:
        top = request_detail(actor=actor, request_id=request_id)
        whole = OperationsRequest.objects.filter(pk=top.id) | OperationsRequest.objects.filter(root_id=top.id)
        rows = whole.order_by("level", "path", "pk")
    else:
        raise NotVisible(_("There is no such order here."))
    found = [request_row(one) for one in rows.values_list(*REQUEST)]
    ids = [one.id for one in found]
    place = {pk: number for number, pk in enumerate(ids)}
    jobs = [job_row(one) for one in JobOrder.objects.filter(request_id__in=ids).order_by("pk").values_list(*COLUMNS)]
    jobs.sort(key=lambda job: (place[job.request_id], job.position, job.is_rework, job.code))
    jobs = with_arrivals(jobs)
    links = [
        Link(*one)
        for one in JobDependency.objects.filter(after__request_id__in=ids)
        .order_by("pk")
        .values_list("before_id", "after_id", "kind")
    ]
    needs = requirements_of(request_ids=ids)
    return Progress(
        requests=tuple(found),
        jobs=tuple(jobs),
        links=tuple(links),
        pieces=tuple(_pieces(job) for job in jobs),
        waits=_waits(jobs, links, needs, now),
        requirements=needs,
    )


def _pieces(job: JobRow) -> Pieces:
    if job.state in OVER:
        waiting = ZERO
    elif job.arrived is None:
        waiting = job.remaining
    else:
        waiting = max(ZERO, min(job.arrived, job.quantity) - job.processed)
    return Pieces(job.id, waiting, job.good, job.scrap, job.rework)


def _waits(
    jobs: list[JobRow], links: list[Link], needs: dict[int, list[RequirementRow]], now: datetime
) -> dict[int, str]:
    by_id = {job.id: job for job in jobs}
    before: dict[int, list[JobRow]] = {}
    for link in links:
        if link.before in by_id:
            before.setdefault(link.after, []).append(by_id[link.before])
    short: dict[int, list[str]] = {}
    for rows in needs.values():
        for need in rows:
            there = sum((lot.quantity for lot in need.lots), ZERO)
            if need.supplied_by_id is None and need.needed - need.consumed > there and need.job_order_id is not None:
                short.setdefault(need.job_order_id, []).append(need.material_code)
    found = {}
    for job in jobs:
        if sentence := _wait(job, before.get(job.id, []), short.get(job.id, []), now):
            found[job.id] = sentence
    return found


def _wait(job: JobRow, before: list[JobRow], short: list[str], now: datetime) -> str:
    if job.state in OVER or job.state is JobState.RUNNING:
        return ""
    if job.state is JobState.NOT_ALLOWED_TO_START or job.substate is JobSubstate.SUSPENDED:
        return _("On hold: %(reason)s") % {"reason": job.hold_reason or "–"}
    if job.state is JobState.INTERRUPTED:
        return _("Interrupted; it has to be resumed at %(unit)s.") % {"unit": job.work_unit_code or "–"}
    if job.substate is JobSubstate.WAITING:
        open_ones = [one.code for one in before if one.state not in OVER]
        return _("Waits for %(jobs)s.") % {"jobs": named_all(open_ones) or "–"}
    if short:
        return _("Waits for material: %(materials)s.") % {"materials": named_all(short)}
    if job.is_subcontracted:
        return _("Waits to be sent to the supplier.")
    if job.work_unit_code:
        return _("Waits for %(unit)s.") % {"unit": job.work_unit_code}
    return _("Waits for a free machine.")
