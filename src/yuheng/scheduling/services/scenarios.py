"""What-ifs: ask for a plan, fork, pull levers, cancel; and the planner's part, which solves what waits.

The web only asks and reads. What is asked for is a row: a planner that dies leaves it, and the next one begins again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engines.schedule.faults import ProblemError
from yuheng.engines.schedule.plan import Plan as EnginePlan
from yuheng.engines.schedule.solve import Cancel, solve
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor, system_actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.scheduling.building import Levers, lasting, read_levers, together, write_levers
from yuheng.scheduling.building.carrying import carry, objective
from yuheng.scheduling.building.comparing import compared
from yuheng.scheduling.building.measuring import measure
from yuheng.scheduling.events import ScenarioAsked
from yuheng.scheduling.models import NAME_LENGTH, Plan, Scenario
from yuheng.scheduling.rules.states import UNDER_WAY, PlanKind, ScenarioState
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.selectors.plant import policy_of
from yuheng.scheduling.services.access import DISPATCH
from yuheng.scheduling.services.plans import build_now, next_number, write_plan

MOST_UNDER_WAY = 8
"""What-ifs of a site that wait or are solved; more are refused, with a sentence."""
MOST_SECONDS = 600
LOST_AFTER = timedelta(seconds=30)
"""A planner that has not said a word for so long is dead: what it was at is begun again."""
BEAT_S = 2.0
OVERDUE_S = 60.0
"""An engine that has not come back so long after its time is given up: what it hangs in, nobody can interrupt."""
_UNDER_WAY = sorted(state.value for state in UNDER_WAY)


@transaction.atomic
def make_plan(
    *,
    actor: Actor,
    site_id: int,
    at: datetime,
    name: str = "",
    levers: Sequence[Mapping[str, Any]] = (),
    seconds: int | None = None,
) -> Scenario:
    """Ask for a plan of the plant as it is when the planner gets to it, with levers pulled or not.

    Returns at once; progress and plan are in the row.

    Parameters
    ----------
    levers
        As `building.levers.read_levers` reads them; those of the published plan that still hold come with them.
    seconds
        Of search; None: as the site's setting says.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        Too many are under way.
    """
    actor.require(DISPATCH, site_id=site_id)
    pulled = read_levers(levers)
    base = Plan.objects.filter(site_id=site_id, is_published=True).first()
    if Scenario.objects.filter(site_id=site_id, state__in=_UNDER_WAY).count() >= MOST_UNDER_WAY:
        raise Conflict(_("8 plans are being made already. Wait for one, or cancel one."))
    policy = policy_of(site_id=site_id)
    wanted = policy.solve_s if seconds is None else seconds
    if not 1 <= wanted <= MOST_SECONDS:
        raise InvalidInput(_("Give 1 to 600 seconds of search."), {"seconds": _("1 to 600.")})
    held = lasting(read_levers(base.levers), at) if base else Levers()
    row = Scenario.objects.create(
        site_id=site_id,
        name=(name.strip() or _("Plan of %(time)s") % {"time": f"{at:%m-%d %H:%M}"})[:NAME_LENGTH],
        base=base,
        levers=write_levers(together(held, pulled)),
        seconds=wanted,
        asked_at=at,
        asked_by=actor.name[:150],
    )
    publish(ScenarioAsked(site_id, row.pk), at=at)
    audit.record(
        actor=actor, action="scenario.asked", at=at, site_id=site_id, object_kind="scenario", object_id=row.pk,
        name=row.name, levers=row.levers,
    )  # fmt: skip
    return row


@transaction.atomic
def fork_scenario(
    *, actor: Actor, scenario_id: int, at: datetime, name: str = "", levers: Sequence[Mapping[str, Any]] = ()
) -> Scenario:
    """Ask for another what-if: the levers of one, and more. Raises as `make_plan`."""
    row = _visible(actor, scenario_id)
    both = together(read_levers(row.levers), read_levers(levers))
    return make_plan(
        actor=actor,
        site_id=row.site_id,
        at=at,
        name=name or f"{row.name} +"[:NAME_LENGTH],
        levers=write_levers(both),
        seconds=row.seconds,
    )


@transaction.atomic
def cancel_scenario(*, actor: Actor, scenario_id: int, at: datetime) -> Scenario:
    """Stop a plan that is being made; the best found so far is kept when there is one.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        It is over.
    """
    known = _visible(actor, scenario_id)
    actor.require(DISPATCH, site_id=known.site_id)
    row: Scenario = Scenario.objects.select_for_update(of=("self",), no_key=True).get(pk=scenario_id)
    if row.state not in _UNDER_WAY:
        raise Conflict(_("%(name)s is not being made any more.") % {"name": row.name})
    row.is_cancel_asked = True
    if row.state == ScenarioState.WAITING.value:
        row.state, row.ended_at = ScenarioState.CANCELLED.value, at
    row.save(update_fields=["is_cancel_asked", "state", "ended_at"])
    publish(ScenarioAsked(row.site_id, row.pk), at=at)
    audit.record(
        actor=actor, action="scenario.cancelled", at=at, site_id=row.site_id, object_kind="scenario",
        object_id=row.pk, name=row.name,
    )  # fmt: skip
    return row


def _visible(actor: Actor, scenario_id: int) -> Scenario:
    row: Scenario | None = Scenario.objects.visible_to(actor).filter(pk=scenario_id).first()
    if row is None:
        actor.require(DISPATCH)
        raise NotVisible(_("There is no such scenario here."))
    actor.require(DISPATCH, site_id=row.site_id)
    return row


# ---- the planner's part ------------------------------------------------------------------------------------------


def take_next(*, at: datetime) -> Scenario | None:
    """Claim the oldest what-if that waits, or that a dead planner left. Two queries."""
    with transaction.atomic():
        waiting = Scenario.objects.filter(state=ScenarioState.WAITING.value)
        left = Scenario.objects.filter(state=ScenarioState.SOLVING.value, beat_at__lt=at - LOST_AFTER)
        row: Scenario | None = (waiting | left).select_for_update(of=("self",), skip_locked=True).order_by("pk").first()
        if row is None:
            return None
        row.state, row.begun_at, row.beat_at, row.progress = ScenarioState.SOLVING.value, at, at, 0.0
        row.save(update_fields=["state", "begun_at", "beat_at", "progress"])
        return row


def work_once(
    *, now: Callable[[], datetime], stop: threading.Event | None = None, overdue: Callable[[], None] | None = None
) -> Scenario | None:
    """Solve one what-if, if one waits; return it as it ended. For the planner.

    Parameters
    ----------
    now
        The clock.
    stop
        Set: the planner is to end; what it is at goes back to waiting.
    overdue
        Called when the engine hangs, after the what-if says so: to end the process, for nothing less ends the engine.
    """
    row = take_next(at=now())
    if row is None:
        return None
    actor = system_actor("planner")
    try:
        _solve(row, actor, now, stop or threading.Event(), overdue)
    except (ProblemError, Conflict) as refusal:
        _end(row, ScenarioState.FAILED, now(), message=str(refusal))
    except Exception as error:  # whatever it is, the row says so and the next one is solved
        why = f"{type(error).__name__}: {error}"
        if Scenario.objects.filter(pk=row.pk, state=ScenarioState.SOLVING.value).exists():  # else: it was given up
            _end(row, ScenarioState.FAILED, now(), message=_("The engine failed. The published plan holds. %s") % why)
        raise
    return row


def _solve(
    row: Scenario,
    actor: Actor,
    now: Callable[[], datetime],
    stop: threading.Event,
    overdue: Callable[[], None] | None,
) -> None:
    levers = read_levers(row.levers)
    built = build_now(actor=actor, site_id=row.site_id, at=now(), levers=levers)
    published = Plan.objects.filter(site_id=row.site_id, is_published=True).first()
    rows = rows_of_plan(published) if published else None
    if built.problem is None:
        _end(row, ScenarioState.FAILED, now(), message=_("There is nothing to plan."))
        return
    before = carry(built, rows) if rows else None
    situation = before.situation if before else built.situation(rows)
    cancel = Cancel()
    beat = _Beat(row, cancel, now, stop, overdue)
    with beat:
        found = solve(
            situation.problem,
            objective(),
            float(row.seconds),
            start=before.plan if before else None,
            reference=before.plan if before else None,
            cancel=cancel,
            on_improvement=beat.improved,
        )
    if beat.is_given_up:  # the row says so already
        row.refresh_from_db()
        return
    if stop.is_set() and not beat.is_asked:
        Scenario.objects.filter(pk=row.pk, state=ScenarioState.SOLVING.value).update(
            state=ScenarioState.WAITING.value, beat_at=None
        )
        return
    was = before.plan if before else None
    figures = measure(built, situation.problem, found.plan, was)
    figures |= compared(built, situation.problem, found.plan, was)
    with transaction.atomic():
        made = write_plan(
            site_id=row.site_id,
            number=next_number(row.site_id),
            kind=PlanKind.SOLVED,
            built=built,
            problem=situation.problem,
            plan=found.plan,
            before=was,
            parent=published,
            by=row.asked_by,
            reason=row.name,
            at=now(),
            measures=figures,
        )
        row.plan, row.best = made, found.objective_value
        _end(row, ScenarioState.CANCELLED if beat.is_asked else ScenarioState.DONE, now())


def _end(row: Scenario, state: ScenarioState, at: datetime, message: str = "") -> None:
    row.state, row.ended_at, row.message = state.value, at, message[:400]
    row.progress = 1.0 if state is ScenarioState.DONE else row.progress
    row.save(update_fields=["state", "ended_at", "message", "progress", "plan", "best"])


class _Beat:
    """Says while the engine solves that the planner lives, how far it is; hears that nobody wants it any more.

    A thread of its own with a connection of its own: the engine holds the calling one.
    """

    def __init__(
        self,
        row: Scenario,
        cancel: Cancel,
        now: Callable[[], datetime],
        stop: threading.Event,
        overdue: Callable[[], None] | None,
    ) -> None:
        self.is_asked = self.is_given_up = False
        self._overdue = overdue
        self._row, self._cancel, self._now, self._stop = row, cancel, now, stop
        self._over = threading.Event()
        self._began = now()
        self._best: float | None = None
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def improved(self, _plan: EnginePlan, value: float, _seconds: float) -> None:
        """Note a better plan."""
        self._best = value

    def __enter__(self) -> _Beat:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        from django.db import connection  # noqa: PLC0415  (of this thread)

        try:
            waited = 0.0
            began = time.monotonic()
            while not self._over.wait(0.1):
                if time.monotonic() - began > self._row.seconds + OVERDUE_S:
                    return self._give_up()
                if self._stop.is_set():
                    self._cancel.set()
                waited += 0.1
                if waited >= BEAT_S / 4:
                    waited = 0.0
                    self._beat()
        finally:
            connection.close()

    def _give_up(self) -> None:
        self.is_given_up = True
        message = _("The engine did not come back in time and was stopped. The published plan holds; ask again.")
        Scenario.objects.filter(pk=self._row.pk, state=ScenarioState.SOLVING.value).update(
            state=ScenarioState.FAILED.value, ended_at=self._now(), message=message
        )
        self._cancel.set()
        if self._overdue is not None:
            self._overdue()

    def _beat(self) -> None:
        at = self._now()
        share = (at - self._began).total_seconds() / max(1, self._row.seconds)
        rows = Scenario.objects.filter(pk=self._row.pk)
        rows.update(beat_at=at, progress=round(min(0.99, share), 2), best=self._best)
        if rows.values_list("is_cancel_asked", flat=True).first():
            self.is_asked = True
            self._cancel.set()
