"""What a disagreement between a machine and a report says, in the reader's language."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.actor import Actor
from yuheng.operations.rules.signals import ExceptionKind, ExceptionState
from yuheng.operations.selectors.exceptions import ExceptionFilter, ExceptionRow, exceptions

KIND_LABELS: dict[ExceptionKind, Promise] = {
    ExceptionKind.COUNT_DIFFERS: pgettext_lazy("exception", "Counted is not reported"),
    ExceptionKind.NO_JOB: pgettext_lazy("exception", "Made without a job"),
    ExceptionKind.OTHER_RUN: pgettext_lazy("exception", "Another run than booked"),
    ExceptionKind.UNKNOWN_RUN: pgettext_lazy("exception", "Unknown run"),
    ExceptionKind.CANNOT_DO: pgettext_lazy("exception", "A signal was refused"),
    ExceptionKind.STOPPED: pgettext_lazy("exception", "Job runs, machine stands"),
    ExceptionKind.AFTER_FINISH: pgettext_lazy("exception", "Counts on after the finish"),
    ExceptionKind.RESTING: pgettext_lazy("exception", "Counts on while the job rests"),
    ExceptionKind.CLOCK: pgettext_lazy("exception", "The machine's clock is wrong"),
    ExceptionKind.JUMP: pgettext_lazy("exception", "The counter jumped"),
}
STATE_LABELS: dict[ExceptionState, Promise] = {
    ExceptionState.OPEN: pgettext_lazy("exception", "Open"),
    ExceptionState.ACCEPTED: pgettext_lazy("exception", "Report kept"),
    ExceptionState.CORRECTED: pgettext_lazy("exception", "Count taken"),
    ExceptionState.EXPLAINED: pgettext_lazy("exception", "Explained"),
    ExceptionState.CLEARED: pgettext_lazy("exception", "Settled by itself"),
}
MACHINE_STATES: dict[str, Promise] = {
    UnitState.DOWN.name.lower(): pgettext_lazy("machine", "machine down"),
    UnitState.PLANNED_STOP.name.lower(): pgettext_lazy("machine", "machine in a planned stop"),
    UnitState.IDLE.name.lower(): pgettext_lazy("machine", "machine idle"),
}


def exceptions_shown(actor: Actor, site_id: int, narrowed: ExceptionFilter) -> list[tuple[ExceptionRow, Promise, str]]:
    """Open disagreements of a job, a station or an order, at most twenty: row, kind in words, sentence. One query."""
    rows = exceptions(actor=actor, site_id=site_id, narrowed=narrowed, limit=20).rows
    return [(row, KIND_LABELS[row.kind], sentence(row)) for row in rows]


def sentence(row: ExceptionRow) -> str:
    """Say what disagrees, with its numbers."""
    told = row.evidence
    if row.kind is ExceptionKind.COUNT_DIFFERS:
        return _("The machine counted %(counted)s, %(reported)s were reported.") % {
            "counted": _plain(row.counted), "reported": _plain(row.reported)
        }  # fmt: skip
    if row.kind in (ExceptionKind.NO_JOB, ExceptionKind.AFTER_FINISH, ExceptionKind.RESTING):
        return str(_PIECES[row.kind] % {"count": _plain(row.counted)})
    if row.kind is ExceptionKind.UNKNOWN_RUN:
        return _unknown_run(row)
    if row.kind is ExceptionKind.OTHER_RUN:
        return _("The controller runs %(run)s, but %(job)s is booked.") % {
            "run": told.get("run_id", ""), "job": row.job_code or "–"
        }  # fmt: skip
    if row.kind is ExceptionKind.CANNOT_DO:
        return str(told.get("sentence", ""))
    if row.kind is ExceptionKind.STOPPED:
        state = MACHINE_STATES.get(told.get("state", ""), "")
        return _("The job's clock runs: %(state)s %(cause)s.") % {"state": state, "cause": told.get("cause", "")}
    if row.kind is ExceptionKind.CLOCK:
        return _clock(float(told.get("offset_s", 0.0)))
    return _("From %(first)s to %(last)s: more than can have been made, so it was not counted.") % {
        "first": _plain(told.get("first_value")), "last": _plain(told.get("last_value"))
    }  # fmt: skip


_PIECES: dict[ExceptionKind, Promise] = {
    ExceptionKind.NO_JOB: pgettext_lazy("exception", "%(count)s pieces were counted while no job ran here."),
    ExceptionKind.AFTER_FINISH: pgettext_lazy(
        "exception", "%(count)s pieces were counted after the job was reported finished."
    ),
    ExceptionKind.RESTING: pgettext_lazy("exception", "%(count)s pieces were counted while the job was paused."),
}


def _unknown_run(row: ExceptionRow) -> str:
    run = {"run": row.evidence.get("run_id", "")}
    why = row.evidence.get("why", "")
    if why == "several":
        return _("The controller runs %(run)s, which could be several jobs here.") % run
    if why == "over":
        return _("The controller runs %(run)s, which is over.") % run
    if why == "elsewhere":
        return _("The controller runs %(run)s, which is not for this station.") % run
    return _("The controller runs %(run)s, which is no job order.") % run


def _clock(seconds: float) -> str:
    minutes = abs(seconds) / 60
    if seconds > 0:
        return _("The machine's clock is %(min).0f min slow. Its times are corrected; set it.") % {"min": minutes}
    return _("The machine's clock is %(min).0f min fast. Its times are corrected; set it.") % {"min": minutes}


def _plain(number: object) -> str:
    if number is None:
        return "–"
    return f"{float(str(number)):,.3f}".rstrip("0").rstrip(".")


def machine_reason(reason: str) -> str:
    """Return a machine's reason of a pause in words; any other as it is."""
    word = MACHINE_STATES.get(reason.removeprefix("machine:")) if reason.startswith("machine:") else None
    return str(word) if word is not None else reason


def evidence_url(row: ExceptionRow, now: datetime) -> str:
    """Return where the readings can be seen: the trend of the counter in that time, else the station's page."""
    if row.tag_id is None:
        return f"/work-units/{row.work_unit_id}"
    start, end = row.began_at, row.ended_at or now
    margin = max((end - start) / 10, (end - start) * 0)
    query = {
        "tags": row.tag_id,
        "from": int((start - margin).timestamp() * 1e6),
        "to": int((end + margin).timestamp() * 1e6),
    }
    return f"{reverse('analysis:trends')}?{urlencode(query)}"
