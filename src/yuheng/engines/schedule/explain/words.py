"""Explanations in words: English msgids with placeholders, to be translated where they are shown.

Engines speak no language: whoever shows a sentence passes ``translate`` (gettext), and English comes without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from yuheng.engines.schedule.explain.floor import Floor
from yuheng.engines.schedule.explain.reasons import Cause, Reason, WhyNotEarlier
from yuheng.engines.schedule.explain.story import Share, Story, Wait
from yuheng.engines.schedule.faults import gettext_noop

type_translate = Callable[[str], str]

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
SHOWN = 3
"""So many orders are named; of the others, how many there are."""

_WHY = {
    Cause.STARTED: gettext_noop("It runs already."),
    Cause.FROZEN: gettext_noop("It is in the frozen zone and keeps its start."),
    Cause.PINNED: gettext_noop("A person fixed its start."),
    Cause.NOW: gettext_noop("It starts now."),
    Cause.ORDER_RELEASE: gettext_noop("The order is released at %(until)s."),
    Cause.RELEASE: gettext_noop("It is released at %(until)s."),
    Cause.MATERIAL: gettext_noop("Material %(material)s is there at %(until)s."),
    Cause.PREDECESSOR: gettext_noop("%(behind)s is finished at %(until)s."),
    Cause.LAG: gettext_noop("The waiting time after %(behind)s is over at %(until)s."),
    Cause.TRANSFER: gettext_noop("The transfer batches of %(behind)s are not there earlier."),
    Cause.LONGEST_LAG: gettext_noop("%(behind)s would follow later than it may."),
    Cause.MACHINE: gettext_noop("%(machine)s works on %(behind)s until %(until)s."),
    Cause.SETUP: gettext_noop("%(machine)s is being set up until %(until)s."),
    Cause.MACHINE_AVAILABLE: gettext_noop("%(machine)s is available at %(until)s."),
    Cause.CALENDAR: gettext_noop("%(machine)s is closed until %(until)s."),
    Cause.BREAK: gettext_noop("It may not be interrupted, and earlier a break of %(machine)s would."),
    Cause.RESOURCE: gettext_noop("%(resource)s is in use until %(until)s by %(behind)s."),
    Cause.PEOPLE: gettext_noop("Nobody for %(resource)s is free until %(until)s; they work on %(behind)s."),
    Cause.BATCH: gettext_noop("It is made in one batch with %(behind)s, which cannot start earlier."),
    Cause.BLOCKED: gettext_noop("The part on %(machine)s, of %(behind)s, waits for a place until %(until)s."),
    Cause.GAP: gettext_noop("Nothing holds it: it could start at %(until)s."),
}
_ABSENT = {
    Cause.RESOURCE: gettext_noop("%(resource)s is not there until %(until)s."),
    Cause.PEOPLE: gettext_noop("Nobody for %(resource)s is there until %(until)s."),
}
_WAIT = {
    Share.BREAK: gettext_noop("stands %(time)s in breaks of %(machine)s"),
    Share.CLOSED: gettext_noop("waits %(time)s until %(machine)s opens"),
    Share.MACHINE: gettext_noop("waits %(time)s for %(machine)s behind %(orders)s"),
    Share.SETUP: gettext_noop("waits %(time)s while %(machine)s is set up"),
    Share.DOWN: gettext_noop("waits %(time)s until %(machine)s is available"),
    Share.PEOPLE: gettext_noop("waits %(time)s for people: %(resource)s"),
    Share.RESOURCE: gettext_noop("waits %(time)s for %(resource)s"),
    Share.OTHER_ORDER: gettext_noop("waits %(time)s for parts of %(orders)s"),
    Share.LAG: gettext_noop("rests %(time)s between operations"),
    Share.MATERIAL: gettext_noop("waits %(time)s for material"),
    Share.RELEASE: gettext_noop("waits %(time)s for its release"),
    Share.FIXED: gettext_noop("waits %(time)s for a fixed start"),
    Share.GAP: gettext_noop("waits %(time)s that the plan gives away"),
}
_LATE = gettext_noop(
    "Order %(order)s is %(late)s late: it %(waits)s, and is worked on for %(work)s of %(allowed)s allowed."
)
_LATE_AT_WORK = gettext_noop("Order %(order)s is %(late)s late: its work alone takes %(work)s of %(allowed)s allowed.")
_AND = gettext_noop("%(first)s and %(last)s")
_COMMA = gettext_noop("%(first)s, %(last)s")
_MORE = gettext_noop("%(first)s and %(count)s more")
_OPERATION = gettext_noop("order %(order)s operation %(operation)s")
_ORDER = gettext_noop("order %(order)s")


def _same(message: str) -> str:
    return message


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as data.

    Parameters
    ----------
    code
        What it is about: a `Cause`'s or a `Share`'s value.
    message, values
        English msgid with ``%(name)s`` placeholders, and what they stand for.
    """

    code: str
    message: str
    values: Mapping[str, object]

    @property
    def sentence(self) -> str:
        """In English."""
        return self.message % self.values


class Words:
    """Says explanations of one plan in one language."""

    def __init__(self, floor: Floor, translate: type_translate = _same) -> None:
        self._floor, self._say = floor, translate

    def why(self, found: WhyNotEarlier) -> str:
        """All reasons why an operation does not start earlier, the most telling first."""
        return " ".join(self._say(said.message) % said.values for said in self.reasons(found))

    def reasons(self, found: WhyNotEarlier) -> list[Said]:
        """The same as data, with values in this language."""
        return [self._reason(found.operation, reason) for reason in found.reasons]

    def _reason(self, i: int, reason: Reason) -> Said:
        problem, floor = self._floor.problem, self._floor
        message = _WHY[reason.cause]
        if not reason.behind and reason.cause in _ABSENT:
            message = _ABSENT[reason.cause]
        values = {
            "until": self.moment(reason.until),
            "machine": problem.machines[floor.machine[i]].id,
            "material": problem.operations[i].material,
            "behind": self._listed([self._operation(k) for k in reason.behind]),
            "resource": self._resource(reason.resource),
        }
        return Said(reason.cause.value, message, {k: v for k, v in values.items() if f"%({k})s" in message})

    def late(self, story: Story) -> str:
        """Why an order is late, in one sentence."""
        said = self.lateness(story)
        return self._say(said.message) % said.values

    def lateness(self, story: Story) -> Said:
        """The same as data."""
        job = self._floor.problem.jobs[story.job]
        waits = [self.wait(wait) for wait in story.waits()[:SHOWN]]
        values: dict[str, object] = {
            "order": job.name or job.id,
            "late": self.time(story.late),
            "work": self.time(story.of(Share.WORK)),
            "allowed": self.time(story.allowed),
        }
        if not waits:
            return Said("late", _LATE_AT_WORK, values)
        return Said("late", _LATE, values | {"waits": self._listed(waits)})

    def wait(self, wait: Wait) -> str:
        """One kind of waiting, as a part of a sentence: "waits 6.2 h for M-17 behind order X and order Y"."""
        problem = self._floor.problem
        values = {
            "time": self.time(wait.ticks),
            "machine": problem.machines[wait.machine].id if wait.machine >= 0 else "",
            "resource": self._resource(wait.resource),
            "orders": self._listed([self._order(j) for j in wait.orders]),
        }
        return self._say(_WAIT[wait.share]) % values

    def time(self, ticks: int) -> str:
        """A duration: hours with one decimal, minutes below an hour; ticks when their length is not known."""
        seconds = SECONDS.get(self._floor.problem.time_unit)
        if seconds is None:
            return str(ticks)
        total = ticks * seconds
        return f"{total / 3600:.1f} h" if abs(total) >= 3600 else f"{total / 60:.0f} min"

    def moment(self, tick: int) -> str:
        """A moment: date and time where the problem has an origin, else the tick."""
        problem = self._floor.problem
        seconds = SECONDS.get(problem.time_unit)
        if not problem.origin or seconds is None:
            return str(tick)
        return (datetime.fromisoformat(problem.origin) + timedelta(seconds=tick * seconds)).strftime("%Y-%m-%d %H:%M")

    def _resource(self, r: int) -> str:
        return "" if r < 0 else str(self._floor.arrays.resource_ids[r])

    def _order(self, j: int) -> str:
        job = self._floor.problem.jobs[j]
        return self._say(_ORDER) % {"order": job.name or job.id}

    def _operation(self, i: int) -> str:
        operation = self._floor.problem.operations[i]
        return self._say(_OPERATION) % {"order": operation.job, "operation": operation.id}

    def _listed(self, names: Iterable[str]) -> str:
        """Join names as a sentence does; of many, only the first."""
        rows = list(names)
        if len(rows) > SHOWN:
            shown = self._joined(rows[:SHOWN], _COMMA)
            return self._say(_MORE) % {"first": shown, "count": len(rows) - SHOWN}
        return self._joined(rows, _AND)

    def _joined(self, rows: list[str], last: str) -> str:
        if not rows:
            return ""
        text = rows[0]
        for k, row in enumerate(rows[1:], start=2):
            text = self._say(last if k == len(rows) else _COMMA) % {"first": text, "last": row}
        return text
