"""What rules, checker and plans say, in the reader's language, with codes and times instead of indices and ticks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from yuheng.engines.schedule.check import Violation
from yuheng.scheduling.building import MESSAGES, Built
from yuheng.scheduling.building.moving import Refusal
from yuheng.scheduling.building.promising import Offer
from yuheng.scheduling.rules import Basis, DisturbanceKind
from yuheng.scheduling.rules.promises import ForecastCause, OfferKind
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


_LEVERS = {
    "overtime": gettext_noop("%(units)s open from %(start)s to %(end)s"),
    "back": gettext_noop("%(unit)s back at %(at)s"),
    "down": gettext_noop("%(unit)s stands from %(start)s to %(end)s"),
    "rush": gettext_noop("rush: %(order)s"),
    "subcontract": gettext_noop("%(job)s outside, %(hours)s h"),
}


def lever(row: Mapping[str, Any], units: Mapping[int, str], name: Callable[[str, int], str]) -> str:
    """A lever in a few words; ``name`` names a request or a job order by its id."""

    def moment(key: str) -> str:
        found = parse_datetime(str(row.get(key, "")))
        return clock(found) if found else "–"

    told = {
        "units": ", ".join(units.get(one, "–") for one in row.get("work_unit_ids", ())),
        "unit": units.get(row.get("work_unit_id", 0), "–"),
        "start": moment("start"),
        "end": moment("end"),
        "at": moment("at"),
        "order": name("request", row["request_id"]) if "request_id" in row else "",
        "job": name("job", row["job_order_id"]) if "job_order_id" in row else "",
        "hours": f"{row.get('hours', 0):g}",
    }
    kind = row["kind"]
    return _(_LEVERS[kind]) % told


_WAY = {
    "work": gettext_noop("%(job)s at %(unit)s"),
    "break": gettext_noop("break of %(unit)s"),
    "closed": gettext_noop("%(job)s waits until %(unit)s opens"),
    "machine": gettext_noop("%(job)s waits for %(unit)s, which works for %(orders)s"),
    "set-up": gettext_noop("%(unit)s is set up for %(job)s"),
    "not available": gettext_noop("%(job)s waits until %(unit)s is available"),
    "people": gettext_noop("%(job)s waits for people with skill %(resource)s"),
    "resource": gettext_noop("%(job)s waits for %(resource)s"),
    "other order": gettext_noop("%(job)s waits for parts of %(orders)s"),
    "lag": gettext_noop("%(job)s: waiting time between steps"),
    "material": gettext_noop("%(job)s waits for material"),
    "release": gettext_noop("%(job)s waits for its release"),
    "fixed": gettext_noop("%(job)s has a fixed start"),
    "gap": gettext_noop("%(job)s waits: the plan leaves a gap"),
}
"""By the engine's `Share`: what a stretch of the way to a date goes into."""


def way_step(built: Built, one: Any) -> dict[str, Any]:
    """A stretch of the way to a date as it is kept: codes instead of ids."""
    job = next(row for row in built.jobs if row.id == one.job_order_id)
    orders = {row.root_id: row.order_code or row.root_code for row in built.facts.work.jobs}
    material = ", ".join(built.facts.work.short.get(one.job_order_id, []))
    return {
        "share": one.share,
        "start": one.start.isoformat(),
        "end": one.end.isoformat(),
        "minutes": one.minutes,
        "job": job.code,
        "name_zh": job.name_zh,
        "name_en": job.name_en,
        "unit": built.unit_code.get(one.work_unit_id, "") if one.work_unit_id else "",
        "orders": [orders.get(root, "–") for root in one.root_ids],
        "resource": one.resource.removeprefix("tool "),
        "material": material if one.share == "material" else "",
    }


def way(kept: Mapping[str, Any]) -> str:
    """A kept stretch in words."""
    if kept["share"] == "material" and kept["material"]:
        return _("%(job)s waits for material %(material)s") % kept
    told = {
        "job": kept["job"],
        "unit": kept["unit"] or _("the supplier"),
        "resource": kept["resource"],
        "orders": ", ".join(kept["orders"]) or "–",
    }
    share = kept["share"]
    return _(_WAY[share]) % told


OFFERS = {
    OfferKind.BEHIND: gettext_noop("Behind the plan: nobody else is later"),
    OfferKind.FITTED: gettext_noop("Before others, as far as the wish needs it"),
    OfferKind.FIRST: gettext_noop("Before all others, as early as possible"),
}
_SHARES = {
    "work": gettext_noop("work"),
    "break": gettext_noop("breaks of %(unit)s"),
    "closed": gettext_noop("shifts: %(unit)s is closed"),
    "machine": gettext_noop("machine %(unit)s works for others"),
    "set-up": gettext_noop("set-ups of %(unit)s"),
    "not available": gettext_noop("machine %(unit)s is not available"),
    "people": gettext_noop("people with skill %(resource)s"),
    "resource": gettext_noop("tool %(resource)s"),
    "other order": gettext_noop("parts of %(orders)s"),
    "lag": gettext_noop("waiting times between steps"),
    "material": gettext_noop("material %(material)s"),
    "release": gettext_noop("a hold"),
    "fixed": gettext_noop("a fixed start"),
    "gap": gettext_noop("a gap of the plan"),
}
"""What sets a date, in a few words."""
_CAUSES = {
    ForecastCause.FIRST: gettext_noop("First forecast, by plan %(number)s"),
    ForecastCause.PLAN: gettext_noop("Plan %(number)s of %(who)s: %(reason)s"),
    ForecastCause.BREAKDOWN: gettext_noop("%(unit)s stands since %(since)s, expected back at %(until)s"),
    ForecastCause.BACK: gettext_noop("%(unit)s works again"),
    ForecastCause.HOLD: gettext_noop("%(job)s is on hold"),
    ForecastCause.RELEASED: gettext_noop("%(job)s is not on hold any more"),
    ForecastCause.SHORTAGE: gettext_noop("Material is short: %(materials)s"),
    ForecastCause.ARRIVED: gettext_noop("Material is there: %(materials)s"),
    ForecastCause.PROGRESS: gettext_noop("Work goes on otherwise than planned: %(job)s"),
    ForecastCause.PROMISE: gettext_noop("Another date is promised"),
    ForecastCause.LEFT_OUT: gettext_noop("It cannot be planned: %(why)s"),
}


def bottleneck(built: Built, offer: Offer) -> tuple[str, int]:
    """What sets an offer's date, in words, and how many minutes go into it."""
    found = offer.bottleneck
    if found is None or (found[1] < offer.work_min and found[1] == 0):
        return _("the work itself"), offer.work_min
    step, minutes = found
    kept = way_step(built, step)
    told = {
        "unit": kept["unit"] or _("the supplier"),
        "resource": kept["resource"],
        "orders": ", ".join(kept["orders"]) or "–",
        "material": kept["material"] or "–",
    }
    return _(_SHARES[step.share]) % told, minutes


def offers_told(built: Built, offers: Sequence[Offer], wished: datetime | None) -> list[dict[str, Any]]:
    """Offers as pages and programs show them."""
    found = []
    for one in offers:
        name, minutes = bottleneck(built, one)
        steps = [way_step(built, step) for step in one.steps]
        found.append(
            {
                "kind": one.kind.value,
                "title": _(OFFERS[one.kind]),
                "ends_at": one.ends_at,
                "keeps_wish": None if wished is None else one.ends_at <= wished,
                "bottleneck": name,
                "bottleneck_min": minutes,
                "work_min": one.work_min,
                "weighted_min": one.weighted_min,
                "hurt_count": one.hurt_count,
                "hurt": [
                    {
                        "order_id": row.end.order_id,
                        "order": row.end.order_code or row.end.root_code,
                        "customer_zh": row.end.customer_zh,
                        "customer_en": row.end.customer_en,
                        "due_at": row.end.due_at,
                        "ends_at": row.end.ends_at,
                        "later_min": row.later_min,
                        "late_before_min": row.late_before,
                        "late_after_min": row.late_after,
                    }
                    for row in one.hurt
                ],
                "way": [
                    {**kept, "text": way(kept), "start": step.start, "end": step.end}
                    for step, kept in zip(one.steps, steps, strict=True)
                ],
            }
        )
    return found


def offer(kind: OfferKind) -> str:
    """What a way of making room is called."""
    return _(OFFERS[kind])


def forecast_cause(cause: ForecastCause, values: Mapping[str, Any]) -> str:
    """What changed a forecast."""
    told = {name: _told("until", value) if name in ("since", "until") else value for name, value in values.items()}
    return _(_CAUSES[cause]) % told


DISTURBANCES = {
    DisturbanceKind.DOWN: gettext_noop("%(unit)s stands"),
    DisturbanceKind.SLOW: gettext_noop("%(unit)s is slow: %(job)s takes %(factor)s times as long as planned"),
    DisturbanceKind.MATERIAL: gettext_noop("Material %(material)s is missing for %(jobs)s"),
    DisturbanceKind.HOLD: gettext_noop("On hold: %(jobs)s of %(request)s"),
    DisturbanceKind.ABSENT: gettext_noop("%(person)s is away until %(until)s"),
    DisturbanceKind.RUSH: gettext_noop("Rush order: %(order)s"),
    DisturbanceKind.CANCELLED: gettext_noop("Not wanted any more: %(order)s"),
}


def disturbance(kind: str, unit: str, details: Mapping[str, Any], until: datetime) -> str:
    """What happened, in a few words."""
    is_english = (get_language() or "").startswith("en")
    names = ("person_en", "person_zh") if is_english else ("person_zh", "person_en")
    jobs = [str(one) for one in details.get("jobs", ())]
    more = int(details.get("count", len(jobs))) - len(jobs)
    told = {
        "unit": unit,
        "job": details.get("job", ""),
        "factor": details.get("factor", ""),
        "material": details.get("material", ""),
        "jobs": ", ".join(jobs) + (f" +{more}" if more > 0 else ""),
        "request": details.get("request", ""),
        "order": details.get("order") or details.get("request", ""),
        "person": next((details[name] for name in names if details.get(name)), ""),
        "until": clock(until),
    }
    return _(DISTURBANCES[DisturbanceKind(kind)]) % told
