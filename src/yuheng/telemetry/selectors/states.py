"""The states of work units over time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Count, F, IntegerField, Q
from django.db.models.functions import Extract, Floor

from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.actor import Actor
from yuheng.telemetry.models import WorkUnitState
from yuheng.telemetry.selectors.visible import VIEW, of_visible_sites

MAX_INTERVALS = 50_000


@dataclass(frozen=True, slots=True)
class StateRow:
    """A work unit was in a state from ``started_at`` to ``ended_at`` (None: still is)."""

    work_unit_id: int
    state: int
    cause: str
    started_at: datetime
    ended_at: datetime | None


def states_between(
    *, actor: Actor, start: datetime, end: datetime, work_unit_ids: Collection[int], limit: int = MAX_INTERVALS
) -> list[StateRow]:
    """Intervals that touch [start, end), by work unit and start; not cut at its ends. One query.

    Work units of sites the actor does not see have none.
    """
    rows = of_visible_sites(WorkUnitState.objects.filter(work_unit_id__in=work_unit_ids), actor)
    return _rows(rows.filter(_touches(start, end))[:limit])


def states_of_site(
    *, actor: Actor, site_id: int, start: datetime, end: datetime, limit: int = MAX_INTERVALS
) -> list[StateRow]:
    """Intervals of every work unit of a site that touch [start, end), by work unit and start. One query."""
    actor.require(VIEW, site_id=site_id)
    return _rows(WorkUnitState.objects.filter(_touches(start, end), site_id=site_id)[:limit])


def stops_of_site(
    *,
    actor: Actor,
    site_id: int,
    start: datetime,
    end: datetime,
    states: Collection[int],
    at_least_s: float,
    work_unit_ids: Collection[int] | None = None,
    limit: int = MAX_INTERVALS,
) -> list[StateRow]:
    """Intervals in some states that touch [start, end) and last long enough, newest first. One query.

    One that still lasts counts as lasting until ``end``.
    """
    actor.require(VIEW, site_id=site_id)
    rows = WorkUnitState.objects.filter(_touches(start, end), site_id=site_id, state__in=states)
    if work_unit_ids is not None:
        rows = rows.filter(work_unit_id__in=work_unit_ids)
    shortest = timedelta(seconds=at_least_s)
    is_long = Q(ended_at__isnull=False, ended_at__gte=F("started_at") + shortest) | Q(
        ended_at__isnull=True, started_at__lte=end - shortest
    )
    return _rows(rows.filter(is_long).order_by("-started_at", "work_unit_id")[:limit])


def activity_of_site(*, actor: Actor, site_id: int, start: datetime, end: datetime, bins: int) -> list[tuple[int, int]]:
    """(states begun, stops begun among them) in each of ``bins`` equal parts of [start, end). One query."""
    actor.require(VIEW, site_id=site_id)
    step_s = (end - start).total_seconds() / bins
    place = Floor(
        (Extract("started_at", "epoch", tzinfo=UTC) - start.timestamp()) / step_s, output_field=IntegerField()
    )
    rows = (
        WorkUnitState.objects.filter(site_id=site_id, started_at__gte=start, started_at__lt=end)
        .order_by()
        .values_list(place)
        .annotate(begun=Count("pk"), stops=Count("pk", filter=Q(state=UnitState.DOWN)))
    )
    found = {int(at): (begun, stops) for at, begun, stops in rows}
    return [found.get(at, (0, 0)) for at in range(bins)]


def _touches(start: datetime, end: datetime) -> Q:
    return Q(started_at__lt=end) & (Q(ended_at__isnull=True) | Q(ended_at__gt=start))


def _rows(rows: object) -> list[StateRow]:
    assert hasattr(rows, "values_list")
    columns = rows.values_list("work_unit_id", "state", "cause", "started_at", "ended_at")
    return [StateRow(*row) for row in columns]


def typical_stops(*, actor: Actor, site_id: int, since: datetime, state: int) -> dict[tuple[int, str], float]:
    """(work unit, cause) -> median seconds of what is over of a state; cause "" is all causes together. One query.

    Parameters
    ----------
    since
        Stops that began before are not asked about.
    """
    actor.require(VIEW, site_id=site_id)
    with connection.cursor() as database:
        database.execute(
            """
            SELECT work_unit_id, coalesce(cause, ''),
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at))
            FROM telemetry_workunitstate
            WHERE site_id = %s AND state = %s AND started_at >= %s AND ended_at IS NOT NULL
            GROUP BY GROUPING SETS ((work_unit_id), (work_unit_id, cause))
            """,
            [site_id, state, since],
        )
        rows = database.fetchall()
    return {(unit_id, cause): float(seconds) for unit_id, cause, seconds in rows}
