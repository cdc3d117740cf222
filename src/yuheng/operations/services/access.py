"""The only door to rows that are to be changed: visibility, permission, then locks in one order.

Order of locks everywhere: site's counters, request, its job orders by key, requests and job orders they feed, lots.
Work flows from made parts to the product and never back, so two who lock along it cannot wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from django.db.models import Exists, F, OuterRef
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.kernel.models import SiteScopedModel, SiteScopedQuerySet
from yuheng.operations.models import Counter, JobDependency, JobOrder, OperationsRequest
from yuheng.operations.rules import LinkKind

VIEW = "operations.view"
EXECUTE = "operations.execute"
DISPATCH = "operations.dispatch"
ORDERS = "orders.edit"
MOVE = "materials.move"

Row = TypeVar("Row", bound=SiteScopedModel)


def locked(model: type[Row], *, actor: Actor, pk: int, permission: str) -> Row:
    """Return a row of a site, locked until the transaction ends.

    Raises
    ------
    PermissionRefused
        The actor sees the site but may not do this there.
    NotVisible
        There is no such row, or it is of a site that is not the actor's.
    """
    row: Row | None = model.objects.visible_to(actor).select_for_update(of=("self",), no_key=True).filter(pk=pk).first()
    if row is None:
        actor.require(permission)
        raise NotVisible(_("There is no such thing here."))
    actor.require(permission, site_id=row.site_id)
    return row


def locked_job(*, actor: Actor, job_order_id: int, permission: str) -> JobOrder:
    """Return a job order with its request, both locked, the request first. Raises as `locked`. Two queries.

    Its attribute ``lets_begin`` says whether another one may begin once this one has begun (a start-start link).
    """
    known = JobOrder.objects.visible_to(actor).order_by().filter(pk=job_order_id)
    request: OperationsRequest | None = (
        _slim_requests()
        .order_by()
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=known.values("request_id")[:1])
        .first()
    )
    if request is None:
        actor.require(permission)
        raise NotVisible(_("There is no such job order here."))
    actor.require(permission, site_id=request.site_id)
    beside = JobDependency.objects.filter(before_id=OuterRef("pk"), kind=LinkKind.START_START.value)
    jobs = JobOrder.objects.order_by().annotate(lets_begin=Exists(beside))
    job: JobOrder = jobs.select_for_update(of=("self",), no_key=True).get(pk=job_order_id)
    job.request = request
    return job


def locked_jobs(*, actor: Actor, job_order_ids: Iterable[int], permission: str) -> list[JobOrder]:
    """Return job orders with their requests, all locked, requests first, each by key.

    Raises `NotVisible` when one of them is not there, `PermissionRefused`. Three queries.
    """
    wanted = sorted(set(job_order_ids))
    actor.require(permission)
    known = list(JobOrder.objects.visible_to(actor).filter(pk__in=wanted).values_list("pk", "site_id", "request_id"))
    for site_id in sorted({site_id for _pk, site_id, _request in known}):
        actor.require(permission, site_id=site_id)
    if len(known) != len(wanted) or not known:
        raise NotVisible(_("There is no such job order here."))
    ids = sorted({request_id for _pk, _site, request_id in known})
    requests = {
        one.pk: one
        for one in _slim_requests().select_for_update(of=("self",), no_key=True).filter(pk__in=ids).order_by("pk")
    }
    jobs = list(JobOrder.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=wanted).order_by("pk"))
    for job in jobs:
        job.request = requests[job.request_id]
    return jobs


def locked_request(*, actor: Actor, request_id: int, permission: str) -> OperationsRequest:
    """Return a request, locked, without its frozen resolution (large). Raises as `locked`."""
    found = (
        _slim_requests().visible_to(actor).select_for_update(of=("self",), no_key=True).filter(pk=request_id).first()
    )
    if found is None:
        actor.require(permission)
        raise NotVisible(_("There is no such operations request here."))
    actor.require(permission, site_id=found.site_id)
    request: OperationsRequest = found
    return request


def _slim_requests() -> SiteScopedQuerySet:
    return OperationsRequest.objects.defer("resolution")


def next_number(*, site_id: int, kind: str, count: int = 1) -> int:
    """Return the first of so many new numbers; whoever asks next waits until this transaction ends. Two queries."""
    Counter.objects.get_or_create(site_id=site_id, kind=kind)
    Counter.objects.filter(site_id=site_id, kind=kind).update(value=F("value") + count)
    last: int = Counter.objects.values_list("value", flat=True).get(site_id=site_id, kind=kind)
    return last - count + 1
