"""Questions about job orders: a station's queue, the dispatch list, one with everything, and what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.models import (
    CustomerOrder,
    JobDependency,
    JobOrder,
    JobResponse,
    MaterialRequirement,
    OperationsRequest,
    StockBalance,
)
from yuheng.operations.rules import OPEN_STATES, OVER, JobState, JobSubstate, ResponseKind, Source
from yuheng.operations.rules.turns import OVERDUE, RUSH_RANK, turn
from yuheng.operations.selectors.pages import (
    PAGE,
    VIEW,
    Page,
    clamp,
    newest,
    older_than,
    urgent_after,
    urgent_cursor,
)
from yuheng.operations.selectors.rows import COLUMNS, JobRow, job_row, with_arrivals

_OPEN = sorted(state.value for state in OPEN_STATES)
MOST_NAMED = 500
MOST_SAID = 8
"""Codes in one sentence."""

MOST_RESPONSES = 200
MOST_LOTS = 20


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What the dispatch list is narrowed to; empty means everything. Without ``states``: what is open."""

    states: Sequence[str] = ()
    substates: Sequence[str] = ()
    work_unit_ids: Sequence[int] = ()
    work_center_ids: Sequence[int] = ()
    equipment_class_ids: Sequence[int] = ()
    request_id: int | None = None
    order_id: int | None = None
    text: str = ""
    is_late: bool = False
    is_rush: bool = False
    is_held: bool = False
    is_unassigned: bool = False


@dataclass(frozen=True, slots=True)
class ResponseRow:
    """One job response."""

    id: int
    job_order_id: int
    job_code: str
    request_id: int
    kind: ResponseKind
    at: datetime
    recorded_at: datetime
    source: Source
    run_id: str
    work_unit_id: int | None
    work_unit_code: str
    actor_name: str
    person_id: int | None
    good: Decimal
    scrap: Decimal
    rework: Decimal
    reason: str
    note: str
    lot_id: int | None
    lot_code: str
    material_code: str
    quantity: Decimal
    corrects_id: int | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LotThere:
    """A lot that could be taken, and where it lies."""

    lot_id: int
    code: str
    uri: str
    location_code: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class RequirementRow:
    """Material that a job order uses: ``needed`` in all, ``consumed`` so far, and the lots on hand that fit."""

    id: int
    job_order_id: int | None
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    tracking: str
    unit: str
    path: str
    position: str
    needed: Decimal
    consumed: Decimal
    needed_at: datetime
    supplied_by_id: int | None
    supplied_by_code: str
    lots: tuple[LotThere, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkedJob:
    """A job order before or behind another."""

    id: int
    code: str
    segment_zh: str
    segment_en: str
    state: JobState
    substate: JobSubstate
    good: Decimal
    kind: str


@dataclass(frozen=True, slots=True)
class JobDetail:
    """One job order with all a station shows. ``directive``: the frozen step; ``missing``: why it cannot start."""

    job: JobRow
    directive: dict[str, Any]
    requirements: tuple[RequirementRow, ...]
    predecessors: tuple[LinkedJob, ...]
    successors: tuple[LinkedJob, ...]
    responses: tuple[ResponseRow, ...]
    checks_done: dict[str, ResponseRow]
    missing: tuple[str, ...]


# ---- lists -----------------------------------------------------------------------------------------------------------


def job_order(*, actor: Actor, job_order_id: int) -> JobRow:
    """One job order. At most three queries. Raises `NotVisible`, `PermissionRefused`."""
    return _one(actor, Q(pk=job_order_id))


def job_by_code(*, actor: Actor, site_id: int, code: str) -> JobRow:
    """The job order that a scanned traveller means: by its code. Raises `NotVisible`. At most three queries."""
    actor.require(VIEW, site_id=site_id)
    said = code.strip().removeprefix("J:")
    return _one(actor, Q(site_id=site_id, code=said))


def _one(actor: Actor, wanted: Q) -> JobRow:
    values = JobOrder.objects.visible_to(actor).filter(wanted).values_list(*COLUMNS).first()
    if values is None:
        actor.require(VIEW)
        raise NotVisible(_("There is no such job order here."))
    row = job_row(values)
    actor.require(VIEW, site_id=row.site_id)
    return with_arrivals([row])[0]


def station_queue(*, actor: Actor, work_unit_id: int, now: datetime, limit: int = PAGE) -> list[JobRow]:
    """What a station runs and may run next: begun here, what can begin in turn, what still waits for something.

    Planned here; assigned to nobody, ready, and of its class (or naming it as an alternative); and what the plan has at
    another such station, because it should have begun there or that is at another job (`rules.turns`). Five queries.

    Raises
    ------
    NotVisible, PermissionRefused
    """
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require(VIEW, site_id=unit.site_id)
    length = clamp(limit)
    here = JobOrder.objects.filter(work_unit_id=unit.id, state__in=_OPEN).order_by(*_IN_TURN)
    begun = here.filter(state__in=_BEGUN)
    can_begin = Q(state=JobState.ALLOWED_TO_START.value, substate__in=_MAY_BEGIN)
    able = JobOrder.objects.filter(can_begin, site_id=unit.site_id, is_subcontracted=False).order_by(*_IN_TURN)
    free = able.filter(work_unit_id__isnull=True)
    of_class = free.filter(equipment_class_id=unit.class_id, candidates=[])
    named = free.exclude(candidates=[]).filter(candidates__contains=[unit.id])
    ahead = JobOrder.objects.filter(work_unit_id=OuterRef("work_unit_id"), state__in=_BEGUN)
    elsewhere = able.filter(
        Q(candidates=[], equipment_class_id=unit.class_id) | Q(candidates__contains=[unit.id]),
        Q(planned_start__lte=now - OVERDUE) | Exists(ahead),
        work_unit_id__isnull=False,
        placed_at__isnull=False,
        substate=JobSubstate.READY.value,
    ).exclude(work_unit_id=unit.id)
    parts = [here.exclude(can_begin).exclude(state__in=_BEGUN)]
    for found in (here.filter(can_begin), of_class, named, elsewhere):
        parts += [found, found.filter(rank=RUSH_RANK)]
    cut = [one.values_list("pk", flat=True)[:length] for one in parts]
    ids = list(begun.values_list("pk", flat=True)[:length].union(*cut))
    rows = [job_row(one) for one in JobOrder.objects.filter(pk__in=ids).order_by(*_IN_TURN).values_list(*COLUMNS)]
    rows.sort(key=lambda row: _turn(row, unit.id, now))
    return with_arrivals(rows[:length])


def _turn(row: JobRow, here: int, now: datetime) -> tuple[Any, ...]:
    """What is begun keeps the order it comes in, and so does what waits for something."""
    if row.state in _BEGUN:
        return (0,)
    found = turn(
        job_id=row.id, rank=row.rank, due_at=row.due_at,
        planned_start=row.planned_start if row.placed_at else None,
        work_unit_id=row.work_unit_id, here=here, now=now, waits_behind=True,
    )  # fmt: skip
    if found is None or row.state is not JobState.ALLOWED_TO_START or row.substate.value not in _MAY_BEGIN:
        return (2,)
    return 1, *found


_BEGUN = (JobState.RUNNING, JobState.INTERRUPTED)
_MAY_BEGIN = (JobSubstate.READY.value, JobSubstate.LOADED.value)
_IN_TURN = ("turn", "turn_at", "pk")


def dispatch_list(
    *,
    actor: Actor,
    site_id: int,
    now: datetime,
    narrowed: JobFilter = JobFilter(),
    cursor: str = "",
    limit: int = PAGE,
) -> Page[JobRow]:
    """The site's job orders in turn: as the published plan has them, before it rush, behind it by priority and date.

    Three queries; up to three more with a text.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The cursor is none.
    """
    actor.require(VIEW, site_id=site_id)
    length = clamp(limit)
    rows = _narrowed(site_id, narrowed, now).filter(urgent_after(cursor, "turn_at", "turn")).order_by(*_IN_TURN)
    found = list(rows.values_list(*COLUMNS, "turn", "turn_at")[: length + 1])
    last = found[length - 1] if len(found) > length else None
    cursor = "" if last is None else urgent_cursor(last[-2], last[-1], last[0])
    return Page(with_arrivals([job_row(values[:-2]) for values in found[:length]]), cursor)


def _narrowed(site_id: int, narrowed: JobFilter, now: datetime) -> Any:
    rows = JobOrder.objects.filter(site_id=site_id)
    rows = rows.filter(state__in=list(narrowed.states) if narrowed.states else _OPEN)
    given: dict[str, Any] = {
        "substate__in": list(narrowed.substates) or None,
        "work_unit_id__in": list(narrowed.work_unit_ids) or None,
        "work_unit__work_center_id__in": list(narrowed.work_center_ids) or None,
        "equipment_class_id__in": list(narrowed.equipment_class_ids) or None,
        "request_id": narrowed.request_id,
        "request__order_id": narrowed.order_id,
        "due_at__lt": now if narrowed.is_late else None,
        "rank": 0 if narrowed.is_rush else None,
        "work_unit_id__isnull": True if narrowed.is_unassigned else None,
    }
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    if narrowed.is_held:
        rows = rows.filter(Q(state=JobState.NOT_ALLOWED_TO_START.value) | Q(substate=JobSubstate.SUSPENDED.value))
    return rows.filter(_says(site_id, narrowed.text)) if narrowed.text.strip() else rows


def _says(site_id: int, text: str) -> Q:
    """Return the condition that a job order is about a text: the few orders and requests that say it are found first.

    A job order's code begins with its request's; its whole code is found by itself.
    """
    said = text.strip()[:80]
    customer = Q(customer__code__icontains=said) | Q(customer__name_zh__icontains=said)
    customer |= Q(customer__name_en__icontains=said) | Q(code__icontains=said) | Q(reference__icontains=said)
    orders = list(
        CustomerOrder.objects.filter(customer, site_id=site_id)
        .order_by("-pk")
        .values_list("pk", flat=True)[:MOST_NAMED]
    )
    material = Q(material__code__icontains=said) | Q(material__name_zh__icontains=said)
    material |= Q(material__name_en__icontains=said) | Q(code__icontains=said)
    requests = list(
        OperationsRequest.objects.filter(material, site_id=site_id, state__in=["released", "running", "held"])
        .order_by("rank", "due_at", "pk")
        .values_list("pk", flat=True)[:MOST_NAMED]
    )
    of_orders = OperationsRequest.objects.filter(order_id__in=orders).values_list("pk", flat=True)
    return Q(request_id__in=[*requests, *of_orders]) | Q(code=said)


# ---- one with everything ---------------------------------------------------------------------------------------------


def job_detail(*, actor: Actor, job_order_id: int) -> JobDetail:
    """One job order with everything. At most nine queries. Raises `NotVisible`, `PermissionRefused`."""
    found = job_details(actor=actor, job_order_ids=[job_order_id])
    if not found:
        actor.require(VIEW)
        raise NotVisible(_("There is no such job order here."))
    return found[0]


def job_details(*, actor: Actor, job_order_ids: Sequence[int]) -> list[JobDetail]:
    """Job orders with everything, in the order asked for; those that are not visible are left out. Nine queries.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW)
    sites = actor.site_ids_with(VIEW)
    rows = JobOrder.objects.filter(pk__in=list(job_order_ids)[:200])
    if sites is not None:
        rows = rows.filter(site_id__in=sites)
    values = list(rows.values_list(*COLUMNS, "directive"))
    directives = {one[0]: one[-1] for one in values}
    jobs = {row.id: row for row in with_arrivals([job_row(one[:-1]) for one in values])}
    ids = list(jobs)
    needs = requirements_of(job_order_ids=ids)
    before, behind = _links(ids)
    told = _last_responses(ids)
    checks = _checks(ids)
    found = []
    for pk in dict.fromkeys(job_order_ids):
        if (job := jobs.get(pk)) is not None:
            own = tuple(needs.get(pk, ()))
            found.append(
                JobDetail(
                    job=job,
                    directive=directives[pk],
                    requirements=own,
                    predecessors=tuple(before.get(pk, ())),
                    successors=tuple(behind.get(pk, ())),
                    responses=tuple(told.get(pk, ())),
                    checks_done=checks.get(pk, {}),
                    missing=tuple(_missing(job, own, before.get(pk, []))),
                )
            )
    return found


def _missing(job: JobRow, needs: Sequence[RequirementRow], before: Sequence[LinkedJob]) -> list[str]:
    """Return why a job order cannot start now, as sentences; empty: it can, or has."""
    if job.state is JobState.NOT_ALLOWED_TO_START or job.substate is JobSubstate.SUSPENDED:
        return [_("It is on hold: %(reason)s") % {"reason": job.hold_reason or "–"}]
    if job.state is not JobState.ALLOWED_TO_START:
        return []
    sentences = []
    if job.substate is JobSubstate.WAITING:
        waits = [one.code for one in before if one.state not in OVER]
        sentences.append(_("It waits for %(jobs)s.") % {"jobs": named_all(waits) or "–"})
    gone = [
        need.material_code
        for need in needs
        if need.supplied_by_id is None
        and need.consumed < need.needed
        and not any(lot.quantity > 0 for lot in need.lots)
    ]
    if gone:
        sentences.append(_("There is no %(material)s in stock.") % {"material": named_all(gone)})
    return sentences


def named_all(codes: Sequence[str]) -> str:
    """Return codes in one line: the first of them, and how many more there are. None goes unsaid."""
    shown = list(dict.fromkeys(codes))
    if len(shown) <= MOST_SAID:
        return ", ".join(shown)
    return _("%(codes)s and %(count)d more") % {"codes": ", ".join(shown[:MOST_SAID]), "count": len(shown) - MOST_SAID}


def requirements_of(
    *, job_order_ids: Sequence[int] = (), request_ids: Sequence[int] = (), with_lots: bool = True
) -> dict[int, list[RequirementRow]]:
    """Job order (or request) -> its list of material, with the lots that fit; for selectors. Two queries."""
    by_request = bool(request_ids)
    rows = MaterialRequirement.objects.order_by("pk")
    rows = rows.filter(request_id__in=request_ids) if by_request else rows.filter(job_order_id__in=job_order_ids)
    values = list(
        rows.values_list(
            "pk", "job_order_id", "material_id", "material__code", "material__name_zh", "material__name_en",
            "material__tracking", "unit", "path", "position", "quantity", "issued", "needed_at", "supplied_by_id",
            "supplied_by__code", "request_id", "site_id",
        )
    )  # fmt: skip
    lots = _lots_on_hand({one[-1] for one in values}, {one[2] for one in values}) if values and with_lots else {}
    found: dict[int, list[RequirementRow]] = {}
    for one in values:
        made: list[Any] = [*one[:14], one[14] or "", tuple(lots.get((one[-1], one[2]), ()))]
        row = RequirementRow(*made)
        found.setdefault(one[15] if by_request else one[1], []).append(row)
    return found


def _lots_on_hand(site_ids: set[int], material_ids: set[int]) -> dict[tuple[int, int], list[LotThere]]:
    number = Window(RowNumber(), partition_by=[F("site_id"), F("material_id")], order_by=["lot_id", "pk"])
    rows = (
        StockBalance.objects.filter(
            site_id__in=site_ids, material_id__in=material_ids, quantity__gt=0, lot__state="available"
        )
        .annotate(number=number)
        .filter(number__lte=MOST_LOTS)
        .order_by("lot_id", "pk")
        .values_list("site_id", "material_id", "lot_id", "lot__code", "lot__uri", "location__code", "quantity")
    )
    found: dict[tuple[int, int], list[LotThere]] = {}
    for site_id, material_id, *rest in rows:
        found.setdefault((site_id, material_id), []).append(LotThere(*rest))
    return found


def _links(ids: Sequence[int]) -> tuple[dict[int, list[LinkedJob]], dict[int, list[LinkedJob]]]:
    before: dict[int, list[LinkedJob]] = {}
    behind: dict[int, list[LinkedJob]] = {}
    names = ("code", "name_zh", "name_en", "state", "substate", "good")
    columns = [f"{side}__{name}" for side in ("before", "after") for name in names]
    rows = JobDependency.objects.filter(Q(before_id__in=ids) | Q(after_id__in=ids)).order_by("pk")
    for one in rows.values_list("before_id", "after_id", "kind", *columns):
        first, second, kind = one[:3]
        if second in ids:
            before.setdefault(second, []).append(_linked(first, one[3:9], kind))
        if first in ids:
            behind.setdefault(first, []).append(_linked(second, one[9:15], kind))
    return before, behind


def _linked(pk: int, values: tuple[Any, ...], kind: str) -> LinkedJob:
    code, zh, en, state, substate, good = values
    return LinkedJob(pk, code, zh, en, JobState(state), JobSubstate(substate), good, kind)


# ---- what came back --------------------------------------------------------------------------------------------------

_RESPONSE = (
    "pk", "job_order_id", "job_order__code", "request_id", "kind", "at", "recorded_at", "source", "run_id",
    "work_unit_id", "work_unit__code", "actor_name", "person_id", "good", "scrap", "rework", "reason", "note",
    "lot_id", "lot__code", "lot__material__code", "quantity", "corrects_id", "data",
)  # fmt: skip


def _response(values: tuple[Any, ...]) -> ResponseRow:
    clean = list(values)
    clean[4], clean[7] = ResponseKind(clean[4]), Source(clean[7])
    for place in (10, 19, 20):
        clean[place] = clean[place] or ""
    return ResponseRow(*clean)


def _last_responses(ids: Sequence[int]) -> dict[int, list[ResponseRow]]:
    number = Window(RowNumber(), partition_by=[F("job_order_id")], order_by=["-pk"])
    newest_first = (
        JobResponse.objects.filter(job_order_id__in=ids).annotate(number=number).filter(number__lte=MOST_RESPONSES)
    )
    found: dict[int, list[ResponseRow]] = {}
    for one in newest_first.order_by("-pk").values_list(*_RESPONSE):
        found.setdefault(one[1], []).append(_response(one))
    return found


def _checks(ids: Sequence[int]) -> dict[int, dict[str, ResponseRow]]:
    found: dict[int, dict[str, ResponseRow]] = {}
    rows = JobResponse.objects.filter(job_order_id__in=ids, kind=ResponseKind.CHECK.value).order_by("pk")
    for one in rows.values_list(*_RESPONSE):
        row = _response(one)
        found.setdefault(row.job_order_id, {})[str(row.data.get("check", ""))] = row
    return found


@dataclass(frozen=True, slots=True)
class ResponseFilter:
    """What responses are narrowed to; at most one of the ids is needed to be quick."""

    job_order_id: int | None = None
    request_id: int | None = None
    work_unit_id: int | None = None
    kinds: Sequence[str] = field(default_factory=tuple)


def responses(
    *, actor: Actor, site_id: int, narrowed: ResponseFilter = ResponseFilter(), cursor: str = "", limit: int = PAGE
) -> Page[ResponseRow]:
    """What came back from the floor, newest first. One query.

    Raises `PermissionRefused`, `NotVisible`, `InvalidInput`.
    """
    actor.require(VIEW, site_id=site_id)
    rows = JobResponse.objects.filter(older_than(cursor), site_id=site_id)
    given = {
        "job_order_id": narrowed.job_order_id,
        "request_id": narrowed.request_id,
        "work_unit_id": narrowed.work_unit_id,
        "kind__in": list(narrowed.kinds) or None,
    }
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    return newest(rows.order_by("-pk").values_list(*_RESPONSE), _response, limit=limit)
