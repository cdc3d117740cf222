"""Operations performance of another system (a subcontractor, a machine's own MES): what it says becomes job responses.

What a segment response says are totals; what is not told yet is told, at the times it gives. What is told already, by
people or by the same document, is compared and never told twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from yuheng.engines.b2mml import Node
from yuheng.equipment import selectors as plant
from yuheng.kernel.errors import Conflict
from yuheng.operations.models import JobOrder
from yuheng.operations.rules import BEFORE_START, OVER, Act, JobState, Source
from yuheng.operations.rules.documents import PRODUCED
from yuheng.operations.services import execute
from yuheng.operations.services.documents.rows import Taking
from yuheng.operations.services.imports import ImportAction

CHANGE, LEAVE = ImportAction.CHANGE, ImportAction.LEAVE
ZERO = Decimal(0)
_USED: dict[str, Any] = dict.fromkeys(
    ("ID", "Description", "ActualStartTime", "ActualEndTime", "ProcessSegmentID", "OperationsRequestID",
     "OperationsDefinitionID", "OperationsSegmentID", "JobResponseID", "SegmentState", "OperationsType",
     "EquipmentActual", "MaterialActual", "SegmentResponseChild", "PostingDate", "PublishedDate"), ""
)  # fmt: skip
_ENDS = frozenset({"Completed", "Closed"})
_STOPS = frozenset({"Held", "Suspended", "Paused"})


@dataclass(frozen=True, slots=True)
class Told:
    """What a segment response says in all."""

    node: Node
    request: str
    segment: str
    start: datetime | None
    end: datetime | None
    state: str
    good: Decimal
    scrap: Decimal
    rework: Decimal
    unit: str


def take(taking: Taking, nodes: Sequence[Node]) -> None:
    """Tell job orders what a performance says of them, earliest first."""
    found: list[tuple[datetime, int, Node, Node]] = []
    for response in nodes:
        for top in response.all("SegmentResponse"):
            for one in _walk(top):
                start = taking.moment(one.moment("ActualStartTime"))
                found.append((start or datetime.max.replace(tzinfo=UTC), len(found), response, one))
    for _start, _rank, response, one in sorted(found, key=lambda row: row[:2]):
        taking.attempt(
            "response", one.said("ID"), one,
            lambda response=response, one=one: _take(taking, response, one),  # type: ignore[misc]
        )  # fmt: skip


def _walk(node: Node) -> list[Node]:
    return [node, *(one for child in node.all("SegmentResponseChild") for one in _walk(child))]


def _read(taking: Taking, response: Node, node: Node) -> Told:
    totals = {"good": ZERO, "scrap": ZERO, "rework": ZERO}
    for one in node.all("MaterialActual"):
        use = one.first("MaterialUse")
        word = use.text if use is not None else ""
        other = use.attributes.get("OtherValue", "").lower() if use is not None and word == "Other" else ""
        kind = "good" if word in PRODUCED else other
        if kind not in totals:
            taking.note(one)
            continue
        amount, _unit = taking.quantity(one)
        if amount < 0:
            raise one.wrong(gettext_noop("The quantity is not negative."))
        totals[kind] += amount
    start, end = taking.moment(node.moment("ActualStartTime")), taking.moment(node.moment("ActualEndTime"))
    if start is not None and end is not None and end < start:
        raise (node.first("ActualEndTime") or node).wrong(gettext_noop("It would have ended before it began."))
    taking.leave_unused(node, _USED)
    units = [one.said("EquipmentID") for one in node.all("EquipmentActual") if one.said("EquipmentID")]
    return Told(
        node,
        node.said("OperationsRequestID") or response.said("OperationsRequestID"),
        node.said("ProcessSegmentID") or node.said("OperationsSegmentID"),
        start,
        end,
        node.said("SegmentState"),
        totals["good"],
        totals["scrap"],
        totals["rework"],
        units[0] if units else "",
    )


def _take(taking: Taking, response: Node, node: Node) -> ImportAction:
    told = _read(taking, response, node)
    job = _job_of(taking, told)
    more = (told.good - job.good, told.scrap - job.scrap, told.rework - job.rework)
    if JobState(job.state) in OVER:
        return _compare(told, job, more)
    if any(part < 0 for part in more):
        raise Conflict(
            _("Job %(job)s has reported more already than the document says. Correct it where it was reported.")
            % {"job": job.code}
        )
    if told.state == "Aborted":
        raise node.wrong(gettext_noop("A job is aborted by the dispatcher, with a reason; not by a document."))
    has_changed = False
    if JobState(job.state) in BEFORE_START:
        if told.start is None:
            if any(more):
                raise node.wrong(gettext_noop("Pieces are reported, but not when the work began (ActualStartTime)."))
            return LEAVE
        execute.start_job_order(
            actor=taking.actor, job_order_id=job.pk, work_unit_id=_unit(taking, told, job), at=taking.at,
            act=_act(job, "start", told.start),
        )  # fmt: skip
        has_changed = True
    reason = "document"
    if told.state in _ENDS:
        execute.finish_job_order(
            actor=taking.actor, job_order_id=job.pk, at=taking.at, good=more[0], scrap=more[1], rework=more[2],
            reason=reason, is_short=told.good + told.scrap + told.rework < job.quantity,
            act=_act(job, "finish", told.end or taking.at),
        )  # fmt: skip
        return CHANGE
    if any(more):
        execute.report_quantities(
            actor=taking.actor, job_order_id=job.pk, at=taking.at, good=more[0], scrap=more[1], rework=more[2],
            reason=reason, act=_act(job, f"{told.good}/{told.scrap}/{told.rework}", told.end or taking.at),
        )  # fmt: skip
        has_changed = True
    if told.state in _STOPS and job.state == JobState.RUNNING.value:
        execute.pause_job_order(
            actor=taking.actor, job_order_id=job.pk, reason=reason, at=taking.at,
            act=_act(job, f"pause{taking.at.timestamp():.0f}", told.end or taking.at),
        )  # fmt: skip
        has_changed = True
    return CHANGE if has_changed else LEAVE


def _job_of(taking: Taking, told: Told) -> JobOrder:
    """Return the job order: by the response's ID, else by request and segment. Raises `Misread`."""
    rows = JobOrder.objects.filter(site_id=taking.site_id)
    code = told.node.identified()
    found: JobOrder | None = rows.filter(code=code).first()
    if found is None and told.request and told.segment:
        mine = list(rows.filter(request__code=told.request, segment=told.segment, split=0, is_rework=False)[:2])
        found = mine[0] if len(mine) == 1 else None
    if found is None:
        raise told.node.wrong(
            gettext_noop("There is no job order %(code)s, and none of request %(request)s at segment %(segment)s."),
            code=code[:60], request=told.request[:60] or "–", segment=told.segment[:60] or "–",
        )  # fmt: skip
    if told.request and not _is_of(found, told.request):
        raise told.node.wrong(
            gettext_noop("Job order %(code)s is not of request %(request)s."),
            code=found.code,
            request=told.request[:60],
        )
    return found


def _is_of(job: JobOrder, code: str) -> bool:
    """Return whether the request of this number is the job order's, or the product's for which it makes a part."""
    request = job.request
    return code in (request.code, request.root.code if request.root is not None else request.code)


def _compare(told: Told, job: JobOrder, more: tuple[Decimal, Decimal, Decimal]) -> ImportAction:
    if not any(more):
        return LEAVE
    raise Conflict(
        _("Job %(job)s is over with %(good)s good and %(scrap)s scrap; the document says otherwise. Correct it here.")
        % {"job": job.code, "good": f"{job.good.normalize():f}", "scrap": f"{job.scrap.normalize():f}"}
    )


def _unit(taking: Taking, told: Told, job: JobOrder) -> int | None:
    if not told.unit:
        if job.work_unit_id is None and not job.is_subcontracted:
            raise told.node.wrong(
                gettext_noop("Nothing says where it was done: give EquipmentActual with EquipmentID.")
            )
        return job.work_unit_id
    known = {unit.code: unit.id for unit in plant.work_units(actor=taking.actor, site_id=taking.site_id)}
    if told.unit not in known:
        place = told.node.first("EquipmentActual") or told.node
        raise place.wrong(gettext_noop("There is no work unit %(code)s."), code=told.unit[:60])
    return known[told.unit]


def _act(job: JobOrder, what: str, happened: datetime) -> Act:
    return Act(action_id=f"b2mml:{job.pk}:{what}"[:64], happened_at=happened, source=Source.IMPORT)
