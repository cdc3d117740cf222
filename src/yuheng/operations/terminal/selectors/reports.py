"""Questions about what was reported at tablets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from yuheng.kernel.actor import Actor
from yuheng.operations.models import JobOrder
from yuheng.operations.terminal.models import StationDevice, TerminalAction
from yuheng.operations.terminal.rules import OPEN, Kind, Outcome
from yuheng.people.rules import Permission

VIEW = Permission.OPERATIONS_VIEW
MOST_REPORTS = 200


@dataclass(frozen=True, slots=True)
class ReportRow:
    """Something reported at a tablet; ``person_*`` are "" when nobody is known behind it."""

    id: int
    device_id: int
    device_name: str
    kind: Kind
    outcome: Outcome
    job_order_id: int | None
    work_unit_id: int | None
    payload: dict[str, object]
    person_zh: str
    person_en: str
    happened_at: datetime
    received_at: datetime
    sentence: str
    settled_by: str
    settled_at: datetime | None
    discard_reason: str


def open_reports(*, actor: Actor, site_id: int) -> list[ReportRow]:
    """Return what waits for a decision at a site, in the order of reporting; at most `MOST_REPORTS`. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = TerminalAction.objects.filter(site_id=site_id, outcome__in=sorted(OPEN)).order_by("id")
    return _reports(rows)


def settled_reports(*, actor: Actor, site_id: int) -> list[ReportRow]:
    """Return what was decided on, newest first; at most `MOST_REPORTS`. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = TerminalAction.objects.filter(site_id=site_id, settled_at__isnull=False).order_by("-settled_at", "-id")
    return _reports(rows)


def open_reports_of_device(device: StationDevice) -> list[ReportRow]:
    """Return what of one tablet waits for a decision: the tablet shows it. One query."""
    return _reports(TerminalAction.objects.filter(device=device, outcome__in=sorted(OPEN)).order_by("id"))


def count_open(*, actor: Actor, site_id: int) -> int:
    """Return how many reports of a site wait for a decision. One query."""
    actor.require(VIEW, site_id=site_id)
    return TerminalAction.objects.filter(site_id=site_id, outcome__in=sorted(OPEN)).count()


def codes_of_jobs(rows: Iterable[ReportRow]) -> dict[int, str]:
    """Return job order -> code, of those that reports name and that exist. One query."""
    ids = {row.job_order_id for row in rows if row.job_order_id is not None}
    return dict(JobOrder.objects.filter(pk__in=ids).values_list("pk", "code")) if ids else {}


def _reports(rows: QuerySet[TerminalAction]) -> list[ReportRow]:
    return [
        ReportRow(
            id=row.pk,
            device_id=row.device_id,
            device_name=row.device.name,
            kind=Kind(row.kind),
            outcome=Outcome(row.outcome),
            job_order_id=row.job_order_id,
            work_unit_id=row.work_unit_id,
            payload={name: value for name, value in row.payload.items() if name != "badge"},
            person_zh=row.person.name_zh if row.person else "",
            person_en=row.person.name_en if row.person else "",
            happened_at=row.happened_at,
            received_at=row.received_at,
            sentence=row.sentence,
            settled_by=row.settled_by,
            settled_at=row.settled_at,
            discard_reason=row.discard_reason,
        )
        for row in rows.select_related("device", "person")[:MOST_REPORTS]
    ]
