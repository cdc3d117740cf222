"""Forecasts of orders: the published plan moved by what really happens, one row a change that matters, with its cause.

The planner notes them; nothing here locks a plan or changes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from yuheng.engines.schedule.explain import Floor, Share, story
from yuheng.kernel.actor import Actor
from yuheng.operations.rules import JobState
from yuheng.operations.selectors.planning import OpenJob
from yuheng.scheduling.building import LEFT_OUT, Built, lasting, read_levers
from yuheng.scheduling.building.carrying import Carried, carry
from yuheng.scheduling.building.measuring import order_ends
from yuheng.scheduling.models import Forecast, Plan
from yuheng.scheduling.rules.promises import ForecastCause, is_news
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.selectors.promises import last_forecasts
from yuheng.scheduling.services.plans import build_now

MOST_STORIES = 40
"""So many orders are looked into for what delays them; of the others it is said that work goes otherwise."""
TOGETHER = timedelta(hours=4)
"""Changes that come of work as it goes are one row for so long: the last one counts."""
type_values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Order:
    """An order as it is expected now. ``ends_at`` None: part of it cannot be planned."""

    order_id: int
    promised_at: datetime
    ends_at: datetime | None
    root_id: int
    jobs: tuple[OpenJob, ...]


def planned_sites() -> dict[int, int]:
    """Site -> its published plan. One query."""
    return dict(Plan.objects.filter(is_published=True).values_list("site_id", "pk"))


@transaction.atomic
def note_forecasts(*, actor: Actor, site_id: int, at: datetime) -> int:
    """Note what every order is expected at now, where that is news; return how many rows were written or renewed.

    Notes
    -----
    The problem of this moment, three queries, one insert. Two notings at once would only say the same twice.
    """
    published = Plan.objects.filter(site_id=site_id, is_published=True).first()
    if published is None:
        return 0
    levers = lasting(read_levers(published.levers), at)
    built = build_now(actor=actor, site_id=site_id, at=at, levers=levers)
    goes_on = carry(built, rows_of_plan(published)) if built.problem is not None else None
    if goes_on is None:
        return 0
    now = _orders(built, goes_on)
    last = last_forecasts(site_id=site_id, order_ids=list(now))
    told = _Causes(built, goes_on, published)
    made, renewed = [], []
    for order_id, one in now.items():
        before = last.get(order_id)
        if before is not None and not _is_news(before, one):
            continue
        cause, values = told.of(one, before)
        if (
            before is not None
            and cause is ForecastCause.PROGRESS
            and before.cause == cause.value
            and before.plan_id == published.pk
            and at - before.noted_at < TOGETHER
        ):
            before.ends_at, before.values = one.ends_at, values
            renewed.append(before)
            continue
        made.append(
            Forecast(
                site_id=site_id,
                order_id=order_id,
                plan=published,
                noted_at=at,
                promised_at=one.promised_at,
                ends_at=one.ends_at,
                cause=cause.value,
                values=values,
            )
        )
    Forecast.objects.bulk_create(made, batch_size=1000)
    Forecast.objects.bulk_update(renewed, ["ends_at", "values"], batch_size=1000)
    return len(made) + len(renewed)


def _is_news(before: Forecast, one: _Order) -> bool:
    return is_news(before.ends_at, one.ends_at) or before.promised_at != one.promised_at


def _orders(built: Built, goes_on: Carried) -> dict[int, _Order]:
    """Open orders with the end of the last of their production orders; promised: the earliest line."""
    ends = order_ends(built, goes_on.plan)
    jobs: dict[int, list[OpenJob]] = {}
    for job in built.facts.work.jobs:
        if job.order_id is not None:
            jobs.setdefault(job.order_id, []).append(job)
    found = {}
    for order_id, rows in jobs.items():
        roots = {job.root_id for job in rows}
        known = [ends[root] for root in roots if root in ends]
        latest = max(known, key=lambda one: one.ends_at, default=None)
        is_whole = len(known) == len(roots)
        found[order_id] = _Order(
            order_id,
            min(job.due_at for job in rows),
            latest.ends_at if latest is not None and is_whole else None,
            latest.root_id if latest is not None else min(roots),
            tuple(rows),
        )
    return found


class _Causes:
    """Why an order is expected at another time than before."""

    def __init__(self, built: Built, goes_on: Carried, published: Plan) -> None:
        self._built, self._published = built, published
        self._plan, self._problem = goes_on.plan, goes_on.problem
        self._floor: Floor | None = None
        self._stories = 0
        self._left_out = {
            notice.job_order_id: notice for notice in built.notices if notice.code in LEFT_OUT and notice.job_order_id
        }
        self._engine_job = {row.id: k for k, row in enumerate(self._problem.jobs)}

    def of(self, one: _Order, before: Forecast | None) -> tuple[ForecastCause, type_values]:
        """Return the cause with what names it; the most certain first."""
        if before is None:
            return ForecastCause.FIRST, {"number": self._published.number}
        if one.ends_at is None:
            why = next((self._left_out[job.id] for job in one.jobs if job.id in self._left_out), None)
            return ForecastCause.LEFT_OUT, {"why": str(why.values.get("job", "–")) if why else "–"}
        if before.plan_id != self._published.pk:
            return ForecastCause.PLAN, {
                "number": self._published.number,
                "who": self._published.published_by,
                "reason": self._published.reason,
            }
        if not is_news(before.ends_at, one.ends_at):
            return ForecastCause.PROMISE, {}
        is_later = before.ends_at is None or one.ends_at > before.ends_at
        return self._later(one) if is_later else self._earlier(one, before)

    def _later(self, one: _Order) -> tuple[ForecastCause, type_values]:
        held = next((job for job in one.jobs if _is_held(job)), None)
        if held is not None:
            return ForecastCause.HOLD, {"job": held.code}
        stood = self._standing_on_the_way(one)
        if stood is not None:
            return ForecastCause.BREAKDOWN, stood
        short = self._built.facts.work.short
        codes = sorted({code for job in one.jobs for code in short.get(job.id, ())})
        if codes:
            return ForecastCause.SHORTAGE, {"materials": ", ".join(codes[:5])}
        return ForecastCause.PROGRESS, {"job": _at_work(one)}

    def _earlier(self, one: _Order, before: Forecast) -> tuple[ForecastCause, type_values]:
        values: Mapping[str, Any] = before.values
        if before.cause == ForecastCause.BREAKDOWN.value:
            unit_ids = {code: unit for unit, code in self._built.unit_code.items()}
            if unit_ids.get(str(values.get("unit"))) not in self._built.standing:
                return ForecastCause.BACK, {"unit": values.get("unit", "–")}
        if before.cause == ForecastCause.HOLD.value and not any(_is_held(job) for job in one.jobs):
            return ForecastCause.RELEASED, {"job": values.get("job", "–")}
        if before.cause == ForecastCause.SHORTAGE.value:
            short = self._built.facts.work.short
            if not any(short.get(job.id) for job in one.jobs):
                return ForecastCause.ARRIVED, {"materials": values.get("materials", "–")}
        return ForecastCause.PROGRESS, {"job": _at_work(one)}

    def _standing_on_the_way(self, one: _Order) -> type_values | None:
        """The machine that stands and is waited for longest on the order's way, or nothing."""
        if not self._built.standing or self._stories >= MOST_STORIES or one.root_id not in self._engine_job:
            return None
        self._stories += 1
        self._floor = self._floor or Floor(self._problem, self._plan)
        waited: dict[int, int] = {}
        for part in story(self._floor, self._engine_job[one.root_id]).segments:
            unit = self._problem.machines[part.machine].id if part.machine >= 0 else None
            if isinstance(unit, int) and unit in self._built.standing and part.share is not Share.SETUP:
                waited[unit] = waited.get(unit, 0) + part.ticks
        if not waited:
            return None
        unit = max(waited, key=lambda key: waited[key])
        since = next(row.since for row in self._built.facts.standing if row.work_unit_id == unit)
        return {
            "unit": self._built.unit_code[unit],
            "since": since.isoformat(),
            "until": self._built.standing[unit].end.isoformat(),
        }


def _is_held(job: OpenJob) -> bool:
    return job.is_request_held or job.state == JobState.NOT_ALLOWED_TO_START.value


def _at_work(one: _Order) -> str:
    """The job order that runs, else the one that is next."""
    running = [job for job in one.jobs if job.running_since is not None]
    return (running or sorted(one.jobs, key=lambda job: job.planned_start))[0].code
