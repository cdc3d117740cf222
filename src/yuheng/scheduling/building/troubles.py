"""What has happened to a published plan since it was published, from one moment's facts; and that moment without it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from yuheng.operations.rules import JobState, JobSubstate
from yuheng.operations.selectors.planning import OpenJob
from yuheng.scheduling.building.facts import PlantFacts
from yuheng.scheduling.rules import Basis, Estimate, back_at
from yuheng.scheduling.rules.disturbances import DisturbanceKind, Trouble, about_unit

MOST = 40
"""Troubles of a kind at once; the rest is in the plan's notices and comes when these are over."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What the published plan was made with. ``rush`` and ``absences`` None: it does not say.

    ``held`` and ``short``: job orders of which it knew. ``open``: (kind, about) that is open and not decided.
    """

    since: datetime
    job_ids: Collection[int]
    held: Collection[int] = ()
    short: Collection[int] = ()
    rush: Collection[int] | None = None
    absences: Collection[int] | None = None
    open: Collection[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A root request in the plan that nobody wants any more, since."""

    root_id: int
    code: str
    order_code: str
    at: datetime


def troubles(facts: PlantFacts, known: Known, cancelled: Iterable[Cancelled] = ()) -> list[Trouble]:
    """Return everything that the published plan does not know, what stands first. Linear in job orders."""
    open_now = set(known.open)
    return [
        *_standing(facts),
        *_slow(facts),
        *_short(facts, known, open_now),
        *_held(facts, known, open_now),
        *_absent(facts, known, open_now),
        *_rush(facts, known),
        *_cancelled(facts, cancelled),
    ]


def _standing(facts: PlantFacts) -> list[Trouble]:
    codes = {unit.id: unit.code for unit in facts.units}
    found = []
    for one in facts.standing:
        until = back_at(
            work_unit_id=one.work_unit_id, cause=one.cause, since=one.since, now=facts.now, usual=facts.usual,
            default_s=facts.policy.stop_min * 60.0, said=one.said,
        )  # fmt: skip
        found.append(
            Trouble(
                DisturbanceKind.DOWN, about_unit(one.work_unit_id), min(one.since, facts.now), until,
                cause=one.cause, work_unit_id=one.work_unit_id, details={"unit": codes.get(one.work_unit_id, "")},
            )
        )  # fmt: skip
    return found


def _slow(facts: PlantFacts) -> list[Trouble]:
    standing = {one.work_unit_id for one in facts.standing}
    jobs = {job.id: job for job in facts.work.jobs}
    found = []
    for unit, one in sorted(facts.slow.items()):
        job = jobs.get(one.job_id)
        if unit in standing or job is None:
            continue
        left = job.run_s * (1 - job.processed / job.quantity) * one.factor if job.quantity else 0.0
        until = Estimate(facts.now + timedelta(seconds=max(60.0, left)), Basis.DEFAULT)
        told = {"job": job.code, "factor": round(one.factor, 2), "pieces": job.processed}
        found.append(
            Trouble(
                DisturbanceKind.SLOW, about_unit(unit), job.running_since or facts.now, until, work_unit_id=unit,
                details=told, job_ids=frozenset({job.id}),
            )
        )  # fmt: skip
    return found[:MOST]


def _short(facts: PlantFacts, known: Known, open_now: Collection[tuple[str, str]]) -> list[Trouble]:
    planned = set(known.job_ids)
    jobs_of: dict[str, list[OpenJob]] = {}
    is_news: set[str] = set()
    for job in facts.work.jobs:
        if job.id not in planned or _has_begun(job):
            continue
        for code in facts.work.short.get(job.id, ()):
            jobs_of.setdefault(code, []).append(job)
            if job.id not in known.short:
                is_news.add(code)
    until = Estimate(facts.now + timedelta(hours=facts.policy.material_h), Basis.DEFAULT)
    found = []
    for code, jobs in sorted(jobs_of.items()):
        about = f"material {code}"[:80]
        if code in is_news or (DisturbanceKind.MATERIAL.value, about) in open_now:
            found.append(_of_jobs(DisturbanceKind.MATERIAL, about, jobs, until, facts.now, {"material": code}))
    return found[:MOST]


def _held(facts: PlantFacts, known: Known, open_now: Collection[tuple[str, str]]) -> list[Trouble]:
    planned = set(known.job_ids)
    jobs_of: dict[str, list[OpenJob]] = {}
    is_news: set[str] = set()
    for job in facts.work.jobs:
        if job.id not in planned or not is_held(job):
            continue
        about = f"request {job.request_id}" if job.is_request_held else f"job {job.id}"
        jobs_of.setdefault(about, []).append(job)
        if job.id not in known.held:
            is_news.add(about)
    until = Estimate(facts.now + timedelta(hours=facts.policy.hold_h), Basis.DEFAULT)
    found = []
    for about, jobs in sorted(jobs_of.items()):
        if about in is_news or (DisturbanceKind.HOLD.value, about) in open_now:
            told = {"request": jobs[0].request_code}
            found.append(_of_jobs(DisturbanceKind.HOLD, about, jobs, until, facts.now, told))
    return found[:MOST]


def _absent(facts: PlantFacts, known: Known, open_now: Collection[tuple[str, str]]) -> list[Trouble]:
    if known.absences is None:
        return []
    found = []
    for one in facts.absences:
        about = f"absence {one.id}"
        if one.id in known.absences and (DisturbanceKind.ABSENT.value, about) not in open_now:
            continue
        until = Estimate(one.end, Basis.SAID)
        told = {"person_zh": one.name_zh, "person_en": one.name_en, "from": one.start.isoformat()}
        found.append(
            Trouble(
                DisturbanceKind.ABSENT, about, min(one.start, facts.now), until, cause=one.note, details=told,
                absence_id=one.id,
            )
        )  # fmt: skip
    return found[:MOST]


def _rush(facts: PlantFacts, known: Known) -> list[Trouble]:
    if known.rush is None:
        return []
    first: dict[int, OpenJob] = {}
    for job in facts.work.jobs:
        if job.rank == 0 and job.root_id not in known.rush:
            first.setdefault(job.root_id, job)
    return [
        Trouble(
            DisturbanceKind.RUSH, f"request {root}", facts.now, Estimate(max(job.due_at, facts.now), Basis.SAID),
            details={"request": job.root_code, "order": job.order_code}, root_ids=frozenset({root}),
        )
        for root, job in sorted(first.items())
    ][:MOST]  # fmt: skip


def _cancelled(facts: PlantFacts, cancelled: Iterable[Cancelled]) -> list[Trouble]:
    return [
        Trouble(
            DisturbanceKind.CANCELLED, f"request {one.root_id}", one.at, Estimate(facts.now, Basis.SAID),
            details={"request": one.code, "order": one.order_code}, root_ids=frozenset({one.root_id}),
        )
        for one in cancelled
    ][:MOST]  # fmt: skip


def _of_jobs(
    kind: DisturbanceKind, about: str, jobs: list[OpenJob], until: Estimate, now: datetime, told: Mapping[str, str]
) -> Trouble:
    units = {job.work_unit_id for job in jobs}
    details = {**told, "jobs": [job.code for job in jobs[:SHOWN]], "count": len(jobs)}
    where = next(iter(units)) if len(units) == 1 else None
    return Trouble(
        kind, about, now, until, work_unit_id=where, details=details, job_ids=frozenset(job.id for job in jobs)
    )


def is_held(job: OpenJob) -> bool:
    """Return whether nobody may go on with a job order."""
    return (
        job.is_request_held
        or job.state == JobState.NOT_ALLOWED_TO_START.value
        or job.substate == JobSubstate.SUSPENDED.value
    )


def _has_begun(job: OpenJob) -> bool:
    return job.state in (JobState.RUNNING.value, JobState.INTERRUPTED.value)


def without(facts: PlantFacts, gone: Iterable[Trouble]) -> PlantFacts:
    """Return the moment as it would be without some troubles; what is cancelled stays so."""
    gone = tuple(gone)
    by_kind: dict[DisturbanceKind, list[Trouble]] = {}
    for one in gone:
        by_kind.setdefault(one.kind, []).append(one)
    stand = {one.work_unit_id for one in by_kind.get(DisturbanceKind.DOWN, ())}
    slow = {one.work_unit_id for one in by_kind.get(DisturbanceKind.SLOW, ())}
    away = {one.absence_id for one in by_kind.get(DisturbanceKind.ABSENT, ())}
    missing = {one.details["material"]: one.job_ids for one in by_kind.get(DisturbanceKind.MATERIAL, ())}
    held = frozenset().union(*(one.job_ids for one in by_kind.get(DisturbanceKind.HOLD, ())))
    rush = frozenset().union(*(one.root_ids for one in by_kind.get(DisturbanceKind.RUSH, ())))
    work = facts.work
    if missing:
        short = {
            job_id: left
            for job_id, codes in work.short.items()
            if (left := [code for code in codes if job_id not in missing.get(code, ())])
        }
        work = replace(work, short=short)
    if held or rush:
        work = replace(work, jobs=[_calm(job, held, rush) for job in work.jobs])
    return replace(
        facts,
        work=work,
        standing=tuple(one for one in facts.standing if one.work_unit_id not in stand),
        slow={unit: one for unit, one in facts.slow.items() if unit not in slow},
        absences=tuple(one for one in facts.absences if one.id not in away),
    )


ORDINARY_RANK = 500


def _calm(job: OpenJob, held: Collection[int], rush: Collection[int]) -> OpenJob:
    if job.root_id in rush:
        job = job._replace(rank=ORDINARY_RANK)
    if job.id not in held:
        return job
    is_open = job.state == JobState.NOT_ALLOWED_TO_START.value
    return job._replace(
        is_request_held=False,
        state=JobState.ALLOWED_TO_START.value if is_open else job.state,
        substate="" if job.substate == JobSubstate.SUSPENDED.value else job.substate,
    )


__all__ = ["Cancelled", "Known", "is_held", "troubles", "without"]
