"""Disagreements between machines and what was booked, as pages and programs see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.models import JobException
from yuheng.operations.rules.signals import ExceptionKind, ExceptionState
from yuheng.operations.selectors.pages import PAGE, VIEW, Page, newest, older_than


@dataclass(frozen=True, slots=True)
class ExceptionFilter:
    """What the list is narrowed to; without ``state``: what is open. ``state`` "all": everything."""

    state: str = ""
    kind: str = ""
    work_unit_id: int | None = None
    job_order_id: int | None = None
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """One disagreement; ``evidence``: what it was seen in, see `services.signals.comparing`."""

    id: int
    site_id: int
    kind: ExceptionKind
    state: ExceptionState
    work_unit_id: int
    work_unit_code: str
    job_order_id: int | None
    job_code: str
    request_id: int | None
    order_id: int | None
    order_code: str
    tag_id: int | None
    began_at: datetime
    ended_at: datetime | None
    found_at: datetime
    changed_at: datetime
    counted: Decimal | None
    reported: Decimal | None
    evidence: dict[str, Any]
    decided_at: datetime | None
    decided_by: str
    note: str

    @property
    def can_take_count(self) -> bool:
        """Whether the machine's count can be taken instead of the report."""
        kinds = (ExceptionKind.COUNT_DIFFERS, ExceptionKind.AFTER_FINISH)
        return self.state is ExceptionState.OPEN and self.kind in kinds and self.job_order_id is not None


_COLUMNS = (
    "pk", "site_id", "kind", "state", "work_unit_id", "work_unit__code", "job_order_id", "job_order__code",
    "job_order__request_id", "job_order__request__order_id", "job_order__request__order__code", "tag_id", "began_at",
    "ended_at", "found_at", "changed_at", "counted", "reported", "evidence", "decided_at", "decided_by", "note",
)  # fmt: skip


def _row(values: tuple[Any, ...]) -> ExceptionRow:
    made = list(values)
    made[2], made[3] = ExceptionKind(made[2]), ExceptionState(made[3])
    made[7], made[10] = made[7] or "", made[10] or ""
    return ExceptionRow(*made)


def exceptions(
    *,
    actor: Actor,
    site_id: int,
    narrowed: ExceptionFilter = ExceptionFilter(),
    cursor: str = "",
    limit: int = PAGE,
) -> Page[ExceptionRow]:
    """Disagreements of a site, newest first. One query. Raises `PermissionRefused`, `NotVisible`, `InvalidInput`."""
    actor.require(VIEW, site_id=site_id)
    rows = JobException.objects.filter(_wanted(narrowed) & older_than(cursor), site_id=site_id).order_by("-pk")
    return newest(rows.values_list(*_COLUMNS), _row, limit=limit)


def _wanted(narrowed: ExceptionFilter) -> Q:
    found = Q() if narrowed.state == "all" else Q(state=narrowed.state or ExceptionState.OPEN.value)
    if narrowed.kind:
        found &= Q(kind=narrowed.kind)
    if narrowed.work_unit_id is not None:
        found &= Q(work_unit_id=narrowed.work_unit_id)
    if narrowed.job_order_id is not None:
        found &= Q(job_order_id=narrowed.job_order_id)
    if narrowed.order_id is not None:
        found &= Q(job_order__request__order_id=narrowed.order_id)
    return found


def exception(*, actor: Actor, exception_id: int) -> ExceptionRow:
    """One disagreement. One query. Raises `PermissionRefused`, `NotVisible`."""
    values = JobException.objects.visible_to(actor).filter(pk=exception_id).values_list(*_COLUMNS).first()
    if values is None:
        actor.require(VIEW)
        raise NotVisible("There is no such thing here.")
    row = _row(values)
    actor.require(VIEW, site_id=row.site_id)
    return row


def open_exceptions(*, actor: Actor, site_id: int) -> int:
    """How many disagreements of a site wait for somebody; none for who may not see orders. One query."""
    if not actor.may(VIEW, site_id=site_id):
        return 0
    return int(JobException.objects.filter(site_id=site_id, state=ExceptionState.OPEN.value).count())


def open_by_unit(*, actor: Actor, site_id: int) -> dict[int, int]:
    """Work unit -> how many open disagreements it has. One query."""
    if not actor.may(VIEW, site_id=site_id):
        return {}
    rows = JobException.objects.filter(site_id=site_id, state=ExceptionState.OPEN.value).order_by()
    return dict(rows.values_list("work_unit_id").annotate(count=Count("pk")))
