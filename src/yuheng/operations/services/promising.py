"""What an order would make if it were released now, as planning reads open work. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.operations.models import CustomerOrder, CustomerOrderLine, JobOrder, OperationsRequest
from yuheng.operations.rules import OrderState, rank_of
from yuheng.operations.selectors import planning
from yuheng.operations.selectors.planning import OpenJob, OpenLink
from yuheng.operations.services import release
from yuheng.operations.services.access import ORDERS
from yuheng.operations.services.checks import clean_options, refuse
from yuheng.operations.services.orders import LineSpec, own_quantity

FIRST_ID = 1 << 52
"""Ids of what does not exist yet; no row of a table ever gets there."""
ROOM = 1 << 20
"""Ids that one line may use."""


@dataclass(frozen=True, slots=True)
class WouldMake:
    """Job orders and links that a line would become; ``root_id`` stands for its production order.

    ``needs``: material -> quantity that is taken from stock; ``first_need``: material -> the job that takes it first.
    """

    root_id: int
    jobs: tuple[OpenJob, ...]
    links: tuple[OpenLink, ...]
    needs: Mapping[int, float]
    first_need: Mapping[int, int]


def line_would_make(
    *,
    actor: Actor,
    site_id: int,
    spec: LineSpec,
    due_at: datetime,
    at: datetime,
    number: int = 0,
    priority: int = 500,
    is_rush: bool = False,
    code: str = "",
) -> WouldMake:
    """Return what one product would become. ``number``: which one of several that are asked for together.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        Each field that cannot be accepted, with why.
    Conflict
        Engineering cannot resolve it: its sentence.
    """
    actor.require(ORDERS, site_id=site_id)
    wrong: dict[str, str] = {}
    material = engineering.material_ids_of(site_id=site_id, codes=[spec.material]).get(spec.material.strip())
    if material is None:
        wrong["material"] = _("There is no material %(code)s.") % {"code": spec.material[:60]}
    options = clean_options(spec.options, "options", wrong)
    quantity, unit = Decimal(0), ""
    if material is not None:
        try:
            quantity, unit = own_quantity(site_id, material, spec.quantity, spec.unit)
        except InvalidInput as refusal:
            wrong["quantity"] = " ".join(refusal.fields.values()) or str(refusal)
        if quantity <= 0 and "quantity" not in wrong:
            wrong["quantity"] = _("Give a quantity above 0.")
    refuse(_("The line cannot be accepted as it is."), wrong)
    assert material is not None
    request = OperationsRequest(
        site_id=site_id,
        code=code or _("new order"),
        material_id=material,
        quantity=quantity,
        unit=unit,
        options=options,
        serial=spec.serial.strip(),
        priority=priority,
        is_rush=is_rush,
        rank=rank_of(priority, is_rush=is_rush),
        due_at=due_at,
        entered_at=at,
    )
    return _would_make(request, actor=actor, at=at, number=number)


def order_would_make(*, actor: Actor, order_id: int, at: datetime, number: int = 0) -> list[WouldMake]:
    """Return what the lines of an order that are not released yet would become. Raises as `line_would_make`."""
    order = CustomerOrder.objects.visible_to(actor).select_related("customer").get(pk=order_id)
    actor.require(ORDERS, site_id=order.site_id)
    if order.state not in (OrderState.ENTERED.value, OrderState.RELEASED.value):
        return []
    lines = CustomerOrderLine.objects.filter(order=order, is_cancelled=False, requests__isnull=True)
    found = []
    for k, line in enumerate(lines.order_by("position")):
        request = OperationsRequest(
            site_id=order.site_id,
            code=line.request_code or f"{order.code}-{line.position}"[:80],
            line=line,
            order=order,
            material_id=line.material_id,
            quantity=line.quantity,
            unit=line.unit,
            options=line.options,
            serial=line.serial,
            priority=order.priority,
            is_rush=order.is_rush,
            rank=order.rank,
            due_at=line.promised_at or order.promised_at,
            entered_at=at,
        )
        found.append(_would_make(request, actor=actor, at=at, number=number + k))
    return found


def _would_make(request: OperationsRequest, *, actor: Actor, at: datetime, number: int) -> WouldMake:
    built, resolution = release.would_make(request, actor=actor, at=at)
    base = FIRST_ID + number * ROOM
    ids = {key: base + k + 1 for k, key in enumerate(built.jobs)}
    requests = {path: base + ROOM // 2 + k for k, path in enumerate(built.requests)}
    root_id = requests[""]
    jobs = tuple(
        _open_job(row, ids[path, segment], requests[path], built.requests[path].code, request, root_id)
        for (path, segment), row in built.jobs.items()
    )
    links = tuple(
        _open_link(built.jobs[before], ids[before], ids[after], requests[before[0]], link)
        for before, after, *link in release.once(built.links)
    )
    needs: dict[int, float] = {}
    first: dict[int, int] = {}
    job_ids = {id(row): ids[key] for key, row in built.jobs.items()}
    for need in release.needs_of(resolution, built):
        if need.supplied_by is None and need.job_order is not None:
            needs[need.material_id] = needs.get(need.material_id, 0.0) + float(need.quantity)
            first.setdefault(need.material_id, job_ids[id(need.job_order)])
    return WouldMake(root_id, jobs, links, needs, first)


def _open_job(
    row: JobOrder, job_id: int, request_id: int, request_code: str, root: OperationsRequest, root_id: int
) -> OpenJob:
    customer = root.order.customer if root.order else None
    return OpenJob(
        id=job_id,
        code=row.code,
        request_id=request_id,
        request_code=request_code,
        root_id=root_id,
        root_code=root.code,
        order_id=root.order_id,
        order_code=root.order.code if root.order else "",
        customer_zh=customer.name_zh if customer else "",
        customer_en=customer.name_en if customer else "",
        material_id=root.material_id,
        segment=row.segment,
        name_zh=row.name_zh,
        name_en=row.name_en,
        state=row.state,
        substate=row.substate,
        is_request_held=False,
        work_unit_id=None,
        candidates=row.candidates,
        class_id=row.equipment_class_id,
        is_subcontracted=row.is_subcontracted,
        shares_work_unit=row.shares_work_unit,
        quantity=float(row.quantity),
        processed=0.0,
        transfer_batch=float(row.transfer_batch) if row.transfer_batch else None,
        rank=row.rank,
        due_at=row.due_at,
        planned_start=row.planned_start,
        planned_end=row.planned_end,
        actual_start=None,
        running_since=None,
        worked_s=0.0,
        setup_s=row.setup_s,
        run_s=row.run_s,
        step=planning.step_of_directive(row.directive),
    )


def _open_link(before: JobOrder, before_id: int, after_id: int, request_id: int, link: Sequence[Any]) -> OpenLink:
    kind, quantity_per, lag_s = link
    return OpenLink(
        before_id=before_id,
        after_id=after_id,
        kind=kind.value,
        lag_s=lag_s,
        quantity_per=float(quantity_per),
        is_open=True,
        good=0.0,
        ended_at=None,
        transfer_batch=float(before.transfer_batch) if before.transfer_batch else None,
        quantity=float(before.quantity),
        request_id=request_id,
        segment=before.segment,
    )


def with_work(
    work: planning.OpenWork, made: Sequence[WouldMake], short: Mapping[int, Sequence[str]]
) -> planning.OpenWork:
    """Return open work with what would be made beside it. ``short``: job -> codes of material that is short."""
    return replace(
        work,
        jobs=[*work.jobs, *(job for one in made for job in one.jobs)],
        links=[*work.links, *(link for one in made for link in one.links)],
        short={**work.short, **{job: list(codes) for job, codes in short.items()}},
    )
