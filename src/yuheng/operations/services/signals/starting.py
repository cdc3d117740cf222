"""Which job a machine has begun: by the controller's run number, or because only one is meant. Never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.operations.models import JobOrder, MachineSignal, UnitMeeting
from yuheng.operations.rules import OPEN_STATES, Act, JobState, JobSubstate, Source
from yuheng.operations.rules.signals import SignalKind, Span, Stretch
from yuheng.operations.services import dispatch, execute
from yuheng.operations.services.signals.acting import ACTOR, Acted, attempt
from yuheng.operations.services.signals.attributing import rules_of

NO_RUN = frozenset({"", "0", "-", "none", "null", "idle"})
"""What controllers say when they run nothing, in lower case."""
_OPEN = sorted(state.value for state in OPEN_STATES)
_MAY_BEGIN = Q(state=JobState.ALLOWED_TO_START.value, substate__in=["ready", "loaded"])
_WORKS = (UnitState.PRODUCING, UnitState.SETUP)


@dataclass(frozen=True, slots=True)
class Run:
    """The controller's present run. ``job_order_id``: whose it is; None with ``why`` it is nobody's."""

    run_id: str
    since: datetime
    job_order_id: int | None
    why: str = ""  # unknown, several, over, elsewhere


def read_run(meeting: UnitMeeting) -> Run | None:
    """Return the controller's present run, and note it; None when it runs nothing, or says nothing of it."""
    newest = (
        MachineSignal.objects.filter(work_unit_id=meeting.work_unit_id, kind=SignalKind.RUN_ID.value)
        .order_by("-happened_at", "-seq")
        .values_list("text", "happened_at")
        .first()
    )
    if newest is None:
        return None
    text, since = newest
    run_id = "" if text.lower() in NO_RUN else text
    if run_id != meeting.run_id:
        meeting.run_id, meeting.run_since = run_id, since
    if not run_id:
        return None
    return _match(meeting, run_id, meeting.run_since or since)


def _match(meeting: UnitMeeting, run_id: str, since: datetime) -> Run:
    """Find the job of a run: the job order of this code, else the only one of its request that may run here."""
    code = run_id.removeprefix("J:")
    job = JobOrder.objects.filter(site_id=meeting.site_id, code=code).first()
    if job is not None:
        if not _can_do(job, meeting):
            return Run(run_id, since, None, "elsewhere")
        is_over = job.state not in _OPEN
        return Run(run_id, since, job.pk, "over" if is_over else "")
    of_request = JobOrder.objects.filter(site_id=meeting.site_id, request__code=code)
    begun = [
        job.pk for job in of_request.filter(work_unit_id=meeting.work_unit_id, state__in=["running", "interrupted"])[:2]
    ]
    if len(begun) == 1:
        return Run(run_id, since, begun[0])
    found = [job for job in of_request.filter(_MAY_BEGIN)[:50] if _can_do(job, meeting)]
    if len(found) == 1:
        return Run(run_id, since, found[0].pk)
    return Run(run_id, since, None, "several" if found or begun else "unknown")


def _can_do(job: JobOrder, meeting: UnitMeeting) -> bool:
    if job.work_unit_id is not None:
        return bool(job.work_unit_id == meeting.work_unit_id)
    if job.candidates:
        return meeting.work_unit_id in job.candidates
    found = equipment.units_that_work(site_id=job.site_id, ids=[meeting.work_unit_id]).get(meeting.work_unit_id)
    return found is not None and job.equipment_class_id in (None, found[1])


def start_what_runs(
    meeting: UnitMeeting, run: Run | None, spans: Sequence[Span], stretches: Sequence[Stretch], at: datetime
) -> Acted:
    """Start, or load, the job that the machine has begun, when its work master lets a signal do so."""
    acted = Acted()
    mine = JobOrder.objects.filter(work_unit_id=meeting.work_unit_id, state=JobState.RUNNING.value)
    if mine.filter(shares_work_unit=False).exists():
        return acted
    works = next((one for one in reversed(stretches) if one.end is None and one.state in _WORKS), None)
    job = _meant(meeting, run)
    if job is None or job.state != JobState.ALLOWED_TO_START.value:
        return acted
    rules = rules_of(job.directive)
    if run is not None and "start" in rules.confirms:
        if job.substate == JobSubstate.READY.value:
            attempt(acted, job.pk, "load", lambda: dispatch.load_job_order(actor=ACTOR, job_order_id=job.pk, at=at))
        return acted
    if not rules.starts or "start" in rules.confirms or works is None:
        return acted
    ended = [span.ended for span in spans if span.ended is not None]
    began = max([works.start, *([run.since] if run else []), *ended])
    act = Act(
        f"sig-{job.pk}-start-{int(began.timestamp() * 1e6)}", min(began, at), Source.SIGNAL,
        run.run_id[:80] if run else "",
    )  # fmt: skip
    attempt(
        acted, job.pk, "start",
        lambda: execute.start_job_order(
            actor=ACTOR, job_order_id=job.pk, work_unit_id=meeting.work_unit_id, at=at, act=act
        ),
    )  # fmt: skip
    acted.moved = (job.pk, "start") in acted.done
    return acted


def _meant(meeting: UnitMeeting, run: Run | None) -> JobOrder | None:
    """Return the job that is meant: the run's; without run numbers the loaded one, or the only one for this unit."""
    if run is not None:
        return JobOrder.objects.filter(pk=run.job_order_id).first() if run.job_order_id and not run.why else None
    ready = [
        job
        for job in JobOrder.objects.filter(_MAY_BEGIN, work_unit_id=meeting.work_unit_id).order_by(
            "turn", "turn_at", "pk"
        )[:3]
        if rules_of(job.directive).starts and not rules_of(job.directive).run_id_symbol
    ]
    loaded = [job for job in ready if job.substate == JobSubstate.LOADED.value]
    chosen = loaded or ready
    return chosen[0] if len(chosen) == 1 else None
