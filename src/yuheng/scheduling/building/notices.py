"""What a plan had to assume or leave out: rows that are shown beside it. English msgids with their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yuheng.engines.schedule.faults import gettext_noop

MESSAGES = {
    "no_machine": gettext_noop("%(job)s is not planned: no machine in use can do this step."),
    "no_times": gettext_noop("%(job)s is not planned: the engine says %(why)s"),
    "waits_for": gettext_noop("%(job)s is not planned: it waits for %(before)s, which cannot be planned."),
    "no_calendar": gettext_noop("%(count)s machines have no shift calendar: they are planned around the clock."),
    "never_open": gettext_noop("Calendar %(calendar)s never opens: its machines are planned around the clock."),
    "nobody_able": gettext_noop("%(job)s is planned without people: nobody has skill %(skill)s at level %(level)s."),
    "too_few_able": gettext_noop(
        "%(job)s is planned without people: it needs %(needed)s with skill %(skill)s, there are %(there)s."
    ),
    "too_few_tools": gettext_noop(
        "%(job)s is planned without tool %(tool)s: it needs %(needed)s, usable are %(there)s."
    ),
    "on_hold": gettext_noop("%(job)s is on hold without an end: it is planned from %(from)s on."),
    "material_short": gettext_noop(
        "%(job)s lacks material %(materials)s, of which no date is known: it is planned from %(from)s on."
    ),
    "slow": gettext_noop("%(unit)s takes %(percent)s %% longer than planned: so does everything planned on it."),
    "stands": gettext_noop("%(unit)s stands. It is expected back at %(until)s (%(basis)s)."),
    "too_many_skills": gettext_noop("The skills of people overlap in too many ways: each skill is counted by itself."),
}
LEFT_OUT = frozenset({"no_machine", "no_times", "waits_for"})
"""After these the job order has no place in the plan."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One row; ``job_order_id`` and ``work_unit_id`` lead to what it is about (0: nothing in particular)."""

    code: str
    values: Mapping[str, Any]
    job_order_id: int = 0
    work_unit_id: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as a plan keeps it."""
        return {"code": self.code, "values": dict(self.values), "job": self.job_order_id, "unit": self.work_unit_id}
