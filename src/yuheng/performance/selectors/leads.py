"""Where the lead times of production orders went: by product and period, one by one, and the path of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import Extract
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.selectors import history
from yuheng.operations.selectors.pages import VIEW, Page, clamp
from yuheng.operations.selectors.rows import JobRow
from yuheng.performance.models import LeadTime
from yuheng.performance.rules.leads import path
from yuheng.performance.rules.periods import Period
from yuheng.performance.rules.stages import LEAD_STAGES, Stage
from yuheng.performance.selectors.lives import lives_of_trees
from yuheng.performance.selectors.paging import cursor_of, earlier_than

_PARTS = tuple(f"{stage.value}_us" for stage in LEAD_STAGES)
MOST_PRODUCTS = 200


@dataclass(frozen=True, slots=True)
class LeadSum:
    """Production orders of one product that ended in a period: mean lead time, longest, mean parts (all seconds)."""

    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    orders: int
    lead_s: float
    longest_s: float
    parts_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class LeadRow:
    """One production order: lead time and its parts in seconds; the parts add up to it."""

    id: int
    request_id: int
    request_code: str
    order_id: int | None
    order_code: str
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    started_at: datetime
    ended_at: datetime
    lead_s: float
    parts_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class PathPiece:
    """A part of the way of a production order: which job order, in which stage, from when to when."""

    stage: Stage
    since: datetime
    until: datetime
    seconds: float
    reason: str
    job: JobRow


@dataclass(frozen=True, slots=True)
class LeadPath:
    """The way that decided how long a production order took, from release to end without a gap."""

    site_id: int
    lead: LeadRow
    pieces: tuple[PathPiece, ...]


def _narrowed(site_id: int, period: Period, *, material_id: int | None, text: str, parts_too: bool) -> Any:
    rows = LeadTime.objects.filter(site_id=site_id, ended_at__gte=period.start, ended_at__lt=_until(period))
    if material_id is not None:
        rows = rows.filter(material_id=material_id)
    if text:
        rows = rows.filter(Q(request__code__icontains=text) | Q(request__order__code__icontains=text))
    return rows if parts_too else rows.filter(is_product=True)


def _until(period: Period) -> datetime:
    """Return the end of a period's last day: what ended in the present quarter counts, too."""
    return period.closes


def by_product(*, actor: Actor, site_id: int, period: Period, parts_too: bool = False, text: str = "") -> list[LeadSum]:
    """Mean lead times of products, those with the most orders first. Two queries.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW, site_id=site_id)
    length = Extract(F("ended_at") - F("started_at"), "epoch")
    rows = list(
        _narrowed(site_id, period, material_id=None, text=text, parts_too=parts_too)
        .order_by()
        .values("material_id")
        .annotate(orders=Count("pk"), longest=Max(length), **{f"sum_{name}": Sum(name) for name in _PARTS})
        .order_by("-orders", "material_id")[:MOST_PRODUCTS]
    )
    names = engineering.material_names([row["material_id"] for row in rows])
    found = []
    for row in rows:
        name, orders = names[row["material_id"]], row["orders"]
        parts = {stage.value: row[f"sum_{stage.value}_us"] / 1e6 / orders for stage in LEAD_STAGES}
        found.append(
            LeadSum(
                row["material_id"], name.code, name.name_zh, name.name_en, orders,
                sum(row[f"sum_{part}"] for part in _PARTS) / 1e6 / orders, float(row["longest"]), parts,
            )
        )  # fmt: skip
    return found


def lead_times(
    *,
    actor: Actor,
    site_id: int,
    period: Period,
    material_id: int | None = None,
    text: str = "",
    parts_too: bool = False,
    cursor: str = "",
    limit: int = 50,
) -> Page[LeadRow]:
    """Production orders that ended in a period, newest first. One query.

    Raises
    ------
    PermissionRefused, InvalidInput
    """
    actor.require(VIEW, site_id=site_id)
    rows = _narrowed(site_id, period, material_id=material_id, text=text, parts_too=parts_too)
    length = clamp(limit)
    values = rows.filter(earlier_than(cursor, "ended_at")).order_by("-ended_at", "-pk").values(*_COLUMNS)
    found = [_row(one) for one in values[: length + 1]]
    last = found[length - 1] if len(found) > length else None
    return Page(found[:length], "" if last is None else cursor_of(last.ended_at, last.id))


_COLUMNS = (
    "pk", "request_id", "request__code", "request__order_id", "request__order__code", "material_id", "material__code",
    "material__name_zh", "material__name_en", "started_at", "ended_at", *_PARTS,
)  # fmt: skip


def _row(values: dict[str, Any]) -> LeadRow:
    parts = {stage.value: values[f"{stage.value}_us"] / 1e6 for stage in LEAD_STAGES}
    head: list[Any] = [values[name] for name in _COLUMNS[:11]]
    head[4] = head[4] or ""
    head += [(values["ended_at"] - values["started_at"]).total_seconds(), parts]
    return LeadRow(*head)


def lead_path(*, actor: Actor, request_id: int) -> LeadPath:
    """Return the way of one production order that is over. Eight queries.

    Raises
    ------
    NotVisible
        There is none, it is not over, or it is of a site that the actor does not see.
    PermissionRefused
    """
    actor.require(VIEW)
    row = LeadTime.objects.visible_to(actor).filter(request_id=request_id).first()
    if row is None:
        raise NotVisible(_("There is no lead time of this production order: it is not over, or not here."))
    actor.require(VIEW, site_id=row.site_id)
    lead = _row(LeadTime.objects.filter(pk=row.pk).values(*_COLUMNS)[0])
    root = history.requests_of([request_id])[request_id].root_id
    lives, _requests = lives_of_trees([root])
    pieces = path(lives, row.last_job_order_id, row.started_at)
    jobs = {
        job.id: job
        for job in history.job_rows(
            actor=actor, site_id=row.site_id, job_order_ids=list({one.job_order_id for one in pieces})
        )
    }
    shown = tuple(
        PathPiece(
            one.stage, one.since, one.until, (one.until - one.since).total_seconds(), one.reason, jobs[one.job_order_id]
        )
        for one in pieces
    )
    return LeadPath(row.site_id, lead, shown)
