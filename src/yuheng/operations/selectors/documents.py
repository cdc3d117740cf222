"""What we tell other systems, as B2MML: schedules, performance, material, equipment; and the documents that came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import chain, groupby
from typing import Any

from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.engines.b2mml import E
from yuheng.engines.b2mml.writing import (
    envelope,
    identifier,
    in_order,
    moment,
    named_value,
    quantity,
    texts,
)
from yuheng.equipment import selectors as plant
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.operations.models import (
    CustomerOrder,
    JobOrder,
    JobResponse,
    MaterialRequirement,
    OperationsRequest,
    StockBalance,
)
from yuheng.operations.rules import JobState, JobSubstate, LotState, RequestState, ResponseKind
from yuheng.operations.rules.documents import (
    DISPOSITIONS,
    JOB_REQUEST_WORDS,
    REQUEST_WORDS,
    RESPONSE_WORDS,
    MaterialProperty,
    Parameter,
    response_word,
)
from yuheng.operations.selectors.pages import VIEW

BATCH = 200
MOST_OUT = 50_000


class DocumentKind(StrEnum):
    """What can be written."""

    SCHEDULE = "schedule"
    PERFORMANCE = "performance"
    MATERIAL = "material"
    EQUIPMENT = "equipment"


NOUN_OF = {
    DocumentKind.SCHEDULE: "OperationsSchedule",
    DocumentKind.PERFORMANCE: "OperationsPerformance",
    DocumentKind.MATERIAL: "MaterialInformation",
    DocumentKind.EQUIPMENT: "EquipmentInformation",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be told. Of requests: those of these numbers or customer orders; without any: what is open.

    ``changed_since`` narrows performance to requests of which something was told since then, over ones included.
    """

    kind: DocumentKind
    requests: Sequence[str] = ()
    orders: Sequence[str] = ()
    changed_since: datetime | None = None
    has_envelope: bool = True


def document(*, actor: Actor, site_id: int, wish: Wish, now: datetime) -> E:
    """Return a document, made while it is written: a batch of requests is in memory at a time.

    Raises
    ------
    PermissionRefused,
    Conflict
        There is nothing to tell: the schemas have no empty documents of requests.
    """
    actor.require({DocumentKind.MATERIAL: "engineering.view", DocumentKind.EQUIPMENT: "equipment.view"}.get(
        wish.kind, VIEW), site_id=site_id)  # fmt: skip
    site = plant.site(actor=actor, site_id=site_id)
    document_id = f"{site.code}-{wish.kind.value}-{now:%Y%m%dT%H%M%S}"
    scope = E("HierarchyScope", parts=[identifier("EquipmentID", site.code), E("EquipmentLevel", "Site")])
    is_master_data = wish.kind in (DocumentKind.MATERIAL, DocumentKind.EQUIPMENT)
    head: list[E | None] = [identifier("ID", document_id), scope if is_master_data else None]
    head.append(moment("PublishedDate", now))
    noun = NOUN_OF[wish.kind]
    if wish.kind is DocumentKind.SCHEDULE:
        body: Iterable[E] = _never_empty(_requests(site_id, wish))
        head += [scope, E("OperationsType", "Production")]
    elif wish.kind is DocumentKind.PERFORMANCE:
        body = _never_empty(_responses(site_id, wish))
        head += [scope, E("OperationsType", "Production")]
    elif wish.kind is DocumentKind.MATERIAL:
        body = _materials(actor, site_id)
    else:
        body = _equipment(actor, site_id)
    root = E(noun, parts=chain(head, body))
    if not wish.has_envelope:
        return root
    return envelope("Show", noun, root, sender=f"yuheng/{site.code}", document_id=document_id, at=now)


def in_pieces(parts: Iterable[str], size: int = 64 * 1024) -> Iterator[str]:
    """Yield a document in pieces that are worth sending."""
    waiting: list[str] = []
    length = 0
    for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= size:
            yield "".join(waiting)
            waiting, length = [], 0
    yield "".join(waiting)


def _never_empty(found: Iterator[E]) -> Iterator[E]:
    first = next(found, None)
    if first is None:
        raise Conflict(_("There is nothing to tell: no request is like that."))
    return chain([first], found)


# ---- requests --------------------------------------------------------------------------------------------------------


def _chosen(site_id: int, wish: Wish) -> Any:
    rows = OperationsRequest.objects.filter(site_id=site_id, parent__isnull=True)
    if wish.requests:
        rows = rows.filter(code__in=wish.requests)
    if wish.orders:
        rows = rows.filter(order__code__in=wish.orders)
    if wish.requests or wish.orders:
        return rows
    if wish.changed_since is not None:
        told = JobResponse.objects.filter(site_id=site_id, recorded_at__gte=wish.changed_since)
        ids = set(told.values_list("request_id", flat=True).distinct()[: 4 * MOST_OUT])
        roots = OperationsRequest.objects.filter(pk__in=ids, root__isnull=False).values_list("root_id", flat=True)
        return rows.filter(pk__in=ids | set(roots))
    return rows.filter(state__in=["forecast", "released", "running", "held"])


def _batches(rows: Any) -> Iterator[list[OperationsRequest]]:
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[: MOST_OUT + 1])
    if len(ids) > MOST_OUT:
        raise Conflict(_("More than 50,000 requests are like that. Name some of them."))
    for begin in range(0, len(ids), BATCH):
        found = OperationsRequest.objects.filter(pk__in=ids[begin : begin + BATCH]).defer("resolution")
        yield list(found.select_related("material", "order__customer", "line", "work_master_version").order_by("pk"))


def _requests(site_id: int, wish: Wish) -> Iterator[E]:
    for rows in _batches(_chosen(site_id, wish)):
        jobs, needs = _jobs_of(rows), _needs_of(rows)
        for row in rows:
            yield _request(row, jobs.get(row.pk, []), needs)
    if not wish.requests:
        yield from _unreleased(site_id, wish)


def _unreleased(site_id: int, wish: Wish) -> Iterator[E]:
    """Yield the lines of customer orders that are entered and not released: forecasts."""
    rows = CustomerOrder.objects.filter(site_id=site_id, state="entered").select_related("customer")
    if wish.orders:
        rows = rows.filter(code__in=wish.orders)
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:MOST_OUT])
    for begin in range(0, len(ids), BATCH):
        batch = rows.filter(pk__in=ids[begin : begin + BATCH]).order_by("pk").prefetch_related("lines__material")
        for order in batch:
            lines = [line for line in order.lines.all() if not line.is_cancelled]
            for line in lines:
                row = OperationsRequest(
                    site_id=site_id, code=line.request_code or f"{order.code}-{line.position}", order=order, line=line,
                    material=line.material, quantity=line.quantity, unit=line.unit, options=line.options,
                    serial=line.serial, priority=order.priority, is_rush=order.is_rush,
                    due_at=line.promised_at or order.promised_at, state=RequestState.FORECAST.value,
                )  # fmt: skip
                yield _request(row, [], {})


def _jobs_of(rows: Sequence[OperationsRequest]) -> dict[int, list[JobOrder]]:
    """Topmost request -> its job orders and those of the parts made for it, as the routing has them."""
    ids = [row.pk for row in rows]
    family = OperationsRequest.objects.filter(pk__in=ids) | OperationsRequest.objects.filter(root_id__in=ids)
    found: dict[int, list[JobOrder]] = {}
    jobs = JobOrder.objects.filter(request__in=family.values("pk")).select_related(
        "request__material", "equipment_class", "work_unit"
    )
    for job in jobs.defer("request__resolution", "directive").order_by(
        "request__level", "request_id", "position", "split"
    ):
        found.setdefault(job.request.root_id or job.request_id, []).append(job)
    return found


def _needs_of(rows: Sequence[OperationsRequest]) -> dict[int, list[MaterialRequirement]]:
    """Job order -> material that it uses."""
    ids = [row.pk for row in rows]
    family = OperationsRequest.objects.filter(pk__in=ids) | OperationsRequest.objects.filter(root_id__in=ids)
    found: dict[int, list[MaterialRequirement]] = {}
    needs = MaterialRequirement.objects.filter(request__in=family.values("pk"), job_order__isnull=False)
    for one in needs.select_related("material").order_by("pk"):
        found.setdefault(one.job_order_id, []).append(one)
    return found


def _definition_of(row: OperationsRequest) -> str:
    """Return the name of what says how it is made: material and number of its work master's version."""
    version = row.work_master_version.number if row.work_master_version_id and row.work_master_version else 0
    return f"{row.material.code}/{version}" if version else row.material.code


def _request(row: OperationsRequest, jobs: Sequence[JobOrder], needs: dict[int, list[MaterialRequirement]]) -> E:
    definition = _definition_of(row)
    product = E("MaterialRequirement", parts=in_order("MaterialRequirement", [
        identifier("ID", f"{row.code}-P"),
        identifier("MaterialDefinitionID", row.material.code),
        *texts("Description", row.material.name_zh, row.material.name_en),
        E("MaterialUse", "Produced"),
        quantity(row.quantity, row.unit),
        *(_option("MaterialRequirementProperty", name, value) for name, value in row.options.items()),
    ]))  # fmt: skip
    top = E("SegmentRequirement", parts=in_order("SegmentRequirement", [
        identifier("ID", row.code),
        moment("LatestEndTime", row.due_at),
        identifier("ProcessSegmentID", row.material.code),
        identifier("OperationsDefinitionID", definition),
        identifier("OperationsSegmentID", row.material.code),
        *_parameters(row),
        product,
        *(_step(job, definition, needs.get(job.pk, [])) for job in jobs),
    ]))  # fmt: skip
    return E("OperationsRequest", parts=in_order("OperationsRequest", [
        identifier("ID", row.code),
        *texts("Description", row.material.name_zh, row.material.name_en),
        moment("StartTime", row.planned_start if row.planned_start and row.planned_start <= row.due_at else None),
        moment("EndTime", row.due_at),
        E("OperationsType", "Production"),
        E("Priority", str(row.priority)),
        E("RequestState", REQUEST_WORDS[RequestState(row.state)]),
        identifier("OperationsDefinitionID", definition),
        top,
    ]))  # fmt: skip


def _parameters(row: OperationsRequest) -> Iterator[E]:
    def said(name: Parameter, text: str, data_type: str = "string") -> E:
        return named_value("SegmentParameter", name.value, text, data_type)

    if row.order is not None and row.line is not None:
        yield said(Parameter.ORDER, row.order.code)
        yield said(Parameter.ORDER_LINE, str(row.line.position), "integer")
        yield said(Parameter.CUSTOMER, row.order.customer.code)
        yield said(Parameter.CUSTOMER_NAME, row.order.customer.name_zh)
        if row.order.reference:
            yield said(Parameter.REFERENCE, row.order.reference)
        promised = moment("x", row.order.promised_at)
        yield said(Parameter.PROMISE, (promised.text if promised else "") or "", "dateTime")
        if row.order.note:
            yield said(Parameter.NOTE, row.order.note)
    if row.is_rush:
        yield said(Parameter.RUSH, "true", "boolean")
    if row.serial:
        yield said(Parameter.SERIAL, row.serial)


def _option(tag: str, name: str, value: Any) -> E:
    if isinstance(value, bool):
        return named_value(tag, name, "true" if value else "false", "boolean")
    if isinstance(value, int):
        return named_value(tag, name, str(value), "integer")
    if isinstance(value, float):
        return named_value(tag, name, repr(value), "double")
    return named_value(tag, name, str(value))


def _step(job: JobOrder, definition: str, needs: Sequence[MaterialRequirement]) -> E:
    machine = job.work_unit or job.equipment_class
    return E("SegmentRequirementChild", parts=in_order("SegmentRequirement", [
        identifier("ID", job.code),
        *texts("Description", job.name_zh, job.name_en),
        moment("EarliestStartTime", job.planned_start),
        moment("LatestEndTime", job.planned_end),
        identifier("ProcessSegmentID", job.segment),
        E("Duration", _duration(job.setup_s + job.run_s)),
        identifier("OperationsDefinitionID", definition),
        identifier("OperationsSegmentID", job.segment),
        E("SegmentState", JOB_REQUEST_WORDS[JobState(job.state)]),
        None if machine is None else E("EquipmentRequirement", parts=in_order("EquipmentRequirement", [
            identifier("ID", f"{job.code}-E"),
            identifier("EquipmentClassID", job.equipment_class.code) if job.equipment_class else None,
            identifier("EquipmentID", job.work_unit.code) if job.work_unit else None,
        ])),
        *(E("MaterialRequirement", parts=in_order("MaterialRequirement", [
            identifier("ID", f"{job.code}-M{number}"),
            identifier("MaterialDefinitionID", need.material.code),
            E("MaterialUse", "Consumed"),
            quantity(need.quantity, need.unit),
        ])) for number, need in enumerate(needs, start=1)),
    ]))  # fmt: skip


def _duration(seconds: float) -> str:
    """Write a duration.

    Examples
    --------
    >>> _duration(5400.0), _duration(0.5), _duration(0)
    ('PT5400S', 'PT0.5S', 'PT0S')
    """
    whole = timedelta(seconds=round(seconds, 3)) / timedelta(milliseconds=1)
    text = f"{whole / 1000:.3f}".rstrip("0").rstrip(".")
    return f"PT{text}S"


# ---- performance -----------------------------------------------------------------------------------------------------


def _responses(site_id: int, wish: Wish) -> Iterator[E]:
    for rows in _batches(_chosen(site_id, wish).filter(job_count__gt=0)):
        jobs = _jobs_of(rows)
        told = _told([job.pk for found in jobs.values() for job in found])
        for row in rows:
            mine = jobs.get(row.pk, [])
            if mine:
                yield _response(row, mine, told)


def _told(job_ids: Sequence[int]) -> dict[int, list[JobResponse]]:
    found: dict[int, list[JobResponse]] = {}
    rows = JobResponse.objects.filter(job_order_id__in=job_ids).select_related("lot__material", "work_unit")
    for one in rows.order_by("pk").iterator(chunk_size=2_000):
        found.setdefault(one.job_order_id, []).append(one)
    return found


def _response(row: OperationsRequest, jobs: Sequence[JobOrder], told: dict[int, list[JobResponse]]) -> E:
    return E("OperationsResponse", parts=in_order("OperationsResponse", [
        identifier("ID", f"{row.code}-R"),
        *texts("Description", row.material.name_zh, row.material.name_en),
        moment("StartTime", row.started_at),
        moment("EndTime", row.ended_at),
        E("OperationsType", "Production"),
        identifier("OperationsRequestID", row.code),
        identifier("SegmentRequirementID", row.code),
        identifier("OperationsDefinitionID", _definition_of(row)),
        E("ResponseState", RESPONSE_WORDS[RequestState(row.state)]),
        *(_segment_response(job, row, told.get(job.pk, [])) for job in jobs),
    ]))  # fmt: skip


def _segment_response(job: JobOrder, row: OperationsRequest, told: Sequence[JobResponse]) -> E:
    return E("SegmentResponse", parts=in_order("SegmentResponse", [
        identifier("ID", job.code),
        *texts("Description", job.name_zh, job.name_en),
        moment("PostingDate", told[-1].recorded_at if told else None),
        moment("ActualStartTime", job.actual_start),
        moment("ActualEndTime", job.actual_end),
        E("OperationsType", "Production"),
        identifier("ProcessSegmentID", job.segment),
        identifier("OperationsRequestID", row.code),
        identifier("SegmentRequirementID", job.code),
        identifier("OperationsDefinitionID", _definition_of(row)),
        identifier("OperationsSegmentID", job.segment),
        *(identifier("JobResponseID", str(one.pk)) for one in told),
        E("SegmentState", response_word(JobState(job.state), JobSubstate(job.substate))),
        *_data(job, told),
        *_people(job, told),
        *_machines(job, told),
        *_made(job, told),
        *_used(job, told),
    ]))  # fmt: skip


def _data(job: JobOrder, told: Sequence[JobResponse]) -> Iterator[E]:
    if job.actual_start is not None:
        yield named_value("SegmentData", "WorkedTime", _duration(job.worked_s), "duration")
    yield named_value("SegmentData", "PlannedTime", _duration(job.setup_s + job.run_s), "duration")
    for one in told:
        if one.kind == ResponseKind.PARAMETERS.value:
            for name, said in one.data.get("values", {}).items():
                yield _option("SegmentData", str(name), said)
        elif one.kind == ResponseKind.CHECK.value and (check := str(one.data.get("check", ""))):
            result = one.data.get("value")
            yield _option("SegmentData", f"Check:{check}", one.data.get("passed") if result is None else result)


def _people(job: JobOrder, told: Sequence[JobResponse]) -> Iterator[E]:
    names = dict.fromkeys(one.actor_name for one in told if one.actor_kind == "person")
    for number, name in enumerate(names, start=1):
        yield E("PersonnelActual", parts=[identifier("ID", f"{job.code}-W{number}"), identifier("PersonID", name)])


def _machines(job: JobOrder, told: Sequence[JobResponse]) -> Iterator[E]:
    codes = dict.fromkeys(one.work_unit.code for one in told if one.work_unit is not None)
    for number, code in enumerate(codes, start=1):
        yield E("EquipmentActual", parts=[identifier("ID", f"{job.code}-E{number}"), identifier("EquipmentID", code)])


def _made(job: JobOrder, told: Sequence[JobResponse]) -> Iterator[E]:
    if job.actual_start is None:
        return
    parts = (("Produced", "", job.good), ("Other", "Scrap", job.scrap), ("Other", "Rework", job.rework))
    for use, other, amount in parts:
        if amount > 0 or not other:
            yield E("MaterialActual", parts=in_order("MaterialActual", [
                identifier("ID", f"{job.code}-{other or 'Good'}"),
                identifier("MaterialDefinitionID", job.request.material.code),
                E("MaterialUse", use, attributes={"OtherValue": other} if other else {}),
                quantity(amount, job.unit),
            ]))  # fmt: skip


def _used(job: JobOrder, told: Sequence[JobResponse]) -> Iterator[E]:
    """Yield what was used by lot, less what was given back."""
    sums: dict[int, tuple[Any, Any]] = {}
    for one in told:
        if one.lot_id is None or one.kind not in (ResponseKind.CONSUMED.value, ResponseKind.RETURNED.value):
            continue
        sign = 1 if one.kind == ResponseKind.CONSUMED.value else -1
        lot, before = sums.get(one.lot_id, (one.lot, 0))
        sums[one.lot_id] = (lot, before + sign * one.quantity)
    for number, (lot, amount) in enumerate(sums.values(), start=1):
        if amount > 0:
            yield E("MaterialActual", parts=in_order("MaterialActual", [
                identifier("ID", f"{job.code}-M{number}"),
                identifier("MaterialDefinitionID", lot.material.code),
                identifier("MaterialLotID", lot.code),
                E("MaterialUse", "Consumed"),
                quantity(amount, lot.material.unit),
            ]))  # fmt: skip


# ---- material --------------------------------------------------------------------------------------------------------


def _materials(actor: Actor, site_id: int) -> Iterator[E]:
    for kind in engineering.material_classes(actor=actor, site_id=site_id):
        yield E("MaterialClass", parts=[
            identifier("ID", kind.code), *texts("Description", kind.name_zh, kind.name_en),
        ])  # fmt: skip
    after = ""
    while rows := engineering.search_materials(actor=actor, site_id=site_id, after=after, limit=200):
        yield from (_material(row) for row in rows)
        after = rows[-1].code
    if actor.may(VIEW, site_id=site_id):
        yield from _lots(site_id)


def _material(row: Any) -> E:
    tag = "MaterialDefinitionProperty"
    conversions = [
        named_value("MaterialDefinitionPropertyChild", unit, f"{factor.normalize():f}", "decimal", row.unit)
        for unit, factor in sorted(row.conversions.items())
    ]
    return E("MaterialDefinition", parts=in_order("MaterialDefinition", [
        identifier("ID", row.code),
        identifier("Version", row.revision) if row.revision else None,
        *texts("Description", row.name_zh, row.name_en),
        named_value(tag, MaterialProperty.UNIT.value, row.unit),
        named_value(tag, MaterialProperty.SOURCE.value, str(row.source)),
        named_value(tag, MaterialProperty.TRACKING.value, str(row.tracking)),
        named_value(tag, MaterialProperty.NOTE.value, row.description) if row.description else None,
        E(tag, parts=[identifier("ID", MaterialProperty.CONVERSION.value), *conversions]) if conversions else None,
        identifier("MaterialClassID", row.class_code) if row.class_code else None,
    ]))  # fmt: skip


def _lots(site_id: int) -> Iterator[E]:
    """Yield lots on hand: in all, with the place where it lies when that is one."""
    rows = StockBalance.objects.filter(site_id=site_id, quantity__gt=0).select_related("lot", "location", "material")
    ordered = rows.order_by("lot_id", "pk").iterator(chunk_size=2_000)
    for _lot_id, found in groupby(ordered, key=lambda row: row.lot_id):
        balances = list(found)
        lot, material, state = balances[0].lot, balances[0].material, LotState(balances[0].lot.state)
        place = balances[0].location.code if len(balances) == 1 else ""
        yield E("MaterialLot", parts=in_order("MaterialLot", [
            identifier("ID", lot.code),
            moment("EffectiveEndDate", lot.expires_at),
            identifier("MaterialDefinitionID", material.code),
            E("Status", state.value),
            E("Disposition", DISPOSITIONS.get(state, "Closed")),
            E("StorageLocation", parts=[E("Location", place), E("LocationType", "Operational Location")])
            if place else None,
            quantity(sum((row.quantity for row in balances), Decimal(0)), material.unit),
        ]))  # fmt: skip


# ---- equipment -------------------------------------------------------------------------------------------------------


def _equipment(actor: Actor, site_id: int) -> Iterator[E]:
    site = plant.site(actor=actor, site_id=site_id)
    tree = plant.equipment_tree(actor=actor, site_id=site_id)
    areas = [
        _machine("Area", area, [
            _machine("WorkCenter", center, [_machine("WorkUnit", unit, []) for unit in center.units])
            for center in area.centers
        ])
        for area in tree.areas
    ]  # fmt: skip
    yield _machine("Site", site, areas, "Equipment")
    for kind in plant.equipment_classes(actor=actor, site_id=site_id):
        yield E("EquipmentClass", parts=[
            identifier("ID", kind.code), *texts("Description", kind.name_zh, kind.name_en),
            E("EquipmentLevel", "WorkUnit"),
        ])  # fmt: skip


def _machine(level: str, row: Any, children: Sequence[E], tag: str = "EquipmentChild") -> E:
    kind = getattr(row, "class_code", "") or ""
    return E(tag, parts=in_order("Equipment", [
        identifier("ID", row.code),
        *texts("Description", row.name_zh, row.name_en),
        E("EquipmentLevel", level),
        *children,
        identifier("EquipmentClassID", kind) if kind else None,
    ]))  # fmt: skip
