"""What rules, checker and plans say, in the reader's language, with codes and times instead of indices and ticks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from yuheng.engines.schedule.check import Violation
from yuheng.scheduling.building import MESSAGES, Built
from yuheng.scheduling.building.moving import Refusal
from yuheng.scheduling.rules import Basis
from yuheng.scheduling.services.access import clock

_REFUSALS = {
    "not_planned": gettext_noop("This job order is not in the plan: it is over, or it cannot be planned."),
    "runs": gettext_noop("%(job)s runs already at %(machine)s. Pause it and split off the rest to move that."),
    "not_able": gettext_noop("%(machine)s cannot do %(job)s. Able are: %(able)s."),
    "frozen": gettext_noop("%(job)s starts at %(at)s, inside the frozen zone of %(frozen)s minutes: it stays."),
    "pinned": gettext_noop("%(job)s has begun at %(machine)s and is paused there. It cannot go on elsewhere."),
    "no_slot": gettext_noop(
        "There is no gap before %(other)s, which starts at %(at)s and would have to move. Insert it instead."
    ),
    "no_room": gettext_noop("%(job)s cannot be placed there: machines, people or material are never free together."),
}
_VIOLATIONS = {
    "machine": gettext_noop("%(job)s is on a machine that cannot do it."),
    "start": gettext_noop("%(job)s would start before its material or its release."),
    "duration": gettext_noop("%(job)s would not have the time that its work takes."),
    "calendar": gettext_noop("%(job)s would run at %(unit)s outside of its shifts."),
    "overlap": gettext_noop("%(unit)s would do %(job)s and something else at %(at)s."),
    "setup": gettext_noop("%(unit)s would not be set up in time for %(job)s."),
    "precedence": gettext_noop("%(job)s would start before what it waits for is done."),
    "lag": gettext_noop("%(job)s would start later after the step before than it may."),
    "transfer": gettext_noop("%(job)s would start before the first transfer batch arrives."),
    "resource": gettext_noop("A tool that %(job)s needs would be in use elsewhere at %(at)s."),
    "people": gettext_noop("Nobody able would be free for %(job)s at %(at)s."),
    "batch": gettext_noop("%(unit)s would hold more, or other things, than it can at %(at)s."),
    "buffer": gettext_noop("There would be no place for the parts of %(job)s."),
    "fixed": gettext_noop("%(job)s is fixed and would move."),
    "missing": gettext_noop("%(job)s would not be planned."),
    "routing": gettext_noop("%(job)s would be made in two ways."),
}
BASES = {
    Basis.SAID: gettext_noop("as somebody said"),
    Basis.CAUSE: gettext_noop("as long as such stops usually take"),
    Basis.MACHINE: gettext_noop("as long as stops of this machine usually take"),
    Basis.DEFAULT: gettext_noop("assumed: nothing is known"),
}
ALTERNATIVES = {
    "wait": gettext_noop("Change nothing: everything waits in the published order"),
    "overtake": gettext_noop("Keep all machines; orders overtake those that wait"),
    "few": gettext_noop("Few changes: only what helps most goes elsewhere"),
    "balanced": gettext_noop("Balanced: lateness and changes weigh alike"),
    "free": gettext_noop("Plan anew: as little lateness as possible"),
    "overtime": gettext_noop("Overtime on %(machine)s, few changes"),
}
"""The engine's names of alternatives (`repair.choices.KINDS`), here for the catalogues."""


def refusal(built: Built, found: Refusal) -> str:
    """Why a move is refused."""
    codes = {job.id: job.code for job in built.facts.work.jobs}

    def unit(value: Any) -> str:
        return built.unit_code.get(value, "–") if isinstance(value, int) else _("the supplier")

    told: dict[str, Any] = {"frozen": built.facts.policy.frozen_min}
    for name, value in found.values.items():
        if name in ("job", "other"):
            told[name] = codes.get(value, "–")
        elif name == "machine":
            told[name] = unit(value)
        elif name == "able":
            told[name] = ", ".join(unit(one) for one in value)
        elif name == "at":
            told[name] = clock(built.moment(value))
    return _(_REFUSALS[found.code]) % told


def violation(built: Built, problem_machines: Any, plan: Any, found: Violation) -> str:
    """One broken constraint, with codes and times."""
    codes = {job.id: job.code for job in built.jobs}
    job_id = int(found.operation[1])
    k = built.index_of_job.get(job_id, -1)
    machine = problem_machines[int(plan.machine[k])].id if k >= 0 and plan.machine[k] >= 0 else None
    told = {
        "job": codes.get(job_id, "–"),
        "unit": built.unit_code.get(machine, "–") if isinstance(machine, int) else "–",
        "at": clock(built.moment(int(plan.start[k]))) if k >= 0 else "–",
    }
    return _(_VIOLATIONS[found.kind]) % told


def notice(row: Mapping[str, Any]) -> str:
    """A notice as a plan keeps it, in words."""
    values = {name: _told(name, value) for name, value in row["values"].items()}
    message = MESSAGES.get(row["code"], "")
    return _(message) % values if message else ""


def _told(name: str, value: Any) -> Any:
    if name in ("from", "until"):
        found = parse_datetime(value) if isinstance(value, str) else value
        return clock(found) if isinstance(found, datetime) else value
    if name == "basis":
        return _(BASES[Basis(value)])
    return value


def alternative(kind: str, values: Mapping[str, Any]) -> str:
    """What a suggestion is called."""
    return _(ALTERNATIVES[kind]) % values


def basis(found: Basis) -> str:
    """Where an expected end comes from."""
    return _(BASES[found])
