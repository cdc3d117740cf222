"""The one ``move`` command: dry run with the whole impact, or published under the lock. ``operations.dispatch``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.scheduling.building import Built, Levers, lasting, read_levers
from yuheng.scheduling.building.measuring import measure
from yuheng.scheduling.building.moving import Base, Move, Moved, base_of, place_on
from yuheng.scheduling.models import Plan
from yuheng.scheduling.rules.states import PlanKind
from yuheng.scheduling.selectors.board import board_stamp
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.services import words
from yuheng.scheduling.services.access import DISPATCH, clock, locked_site, outdated
from yuheng.scheduling.services.plans import build_now, write_and_publish

MOST_WORDS = 10
WARM_S = 30.0
"""A dry run may stand on what was read so long ago, when no job order, plan or machine has changed since: else each
place of a bar that is carried about would read the whole plant anew. A move that is done never does."""
MOST_WARM = 2


@dataclass(frozen=True, slots=True)
class _Warm:
    stamp: str
    at: datetime
    built: Built
    base: Base | None


_WARM: dict[int, _Warm] = {}
"""Site -> what its last dry run stood on, in this process; at most `MOST_WARM`."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What a move leads to, before or after it is done.

    Attributes
    ----------
    number
        The plan it was tried on; after publishing, the new one.
    is_feasible
        Whether it may be published; ``refusals`` say why not.
    unit, starts_at, ends_at
        Where the job order ends up.
    measures
        Against the published plan as it goes on: moved operations, late orders before and after, set-up.
    """

    number: int
    is_feasible: bool
    is_published: bool
    job_order_id: int
    unit: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    refusals: tuple[str, ...] = ()
    measures: dict[str, Any] = field(default_factory=dict)


def try_move(*, actor: Actor, site_id: int, command: Move, at: datetime, expected: int | None = None) -> Impact:
    """Say what a move would lead to. Writes nothing, locks nothing.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        No plan is published, or not the one that was expected.
    """
    actor.require(DISPATCH, site_id=site_id)
    published = Plan.objects.filter(site_id=site_id, is_published=True).first()
    if published is None:
        raise _nothing_published()
    if expected is not None and expected != published.number:
        raise outdated(published, expected)
    warm = _warm(actor, site_id, published, at)
    moved = _placed(warm.base, command)
    return _impact(warm.built, moved, command, published.number)


@transaction.atomic
def move(*, actor: Actor, site_id: int, command: Move, expected: int, at: datetime, reason: str = "") -> Impact:
    """Move a job order in the published plan; the plan that comes of it is checked and published, or nothing is.

    Parameters
    ----------
    expected
        Number of the plan on which it was decided.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        Somebody published another plan meanwhile, or a rule forbids it: the sentence says which.
    """
    locked = locked_site(actor=actor, site_id=site_id, expected=expected)
    if locked.published is None:
        raise _nothing_published()
    built, base = _fresh(actor, site_id, locked.published, at)
    moved = _placed(base, command)
    found = _impact(built, moved, command, locked.number)
    if not moved.is_feasible or moved.plan is None:
        raise Conflict(" ".join(found.refusals))
    code = next(job.code for job in built.jobs if job.id == command.job_order_id)
    assert found.starts_at is not None
    why = reason.strip() or _("%(job)s to %(unit)s at %(time)s") % {
        "job": code,
        "unit": found.unit or "–",
        "time": clock(found.starts_at),
    }
    made = write_and_publish(
        locked,
        built=built,
        problem=moved.problem,
        plan=moved.plan,
        before=moved.before,
        parent=locked.published,
        actor=actor,
        kind=PlanKind.MOVED,
        reason=why,
        at=at,
    )
    return _impact(built, moved, command, made.number, is_published=True)


def _fresh(actor: Actor, site_id: int, published: Plan, at: datetime) -> tuple[Built, Base | None]:
    levers: Levers = lasting(read_levers(published.levers), at)
    built = build_now(actor=actor, site_id=site_id, at=at, levers=levers)
    return built, base_of(built, rows_of_plan(published)) if built.problem is not None else None


def _warm(actor: Actor, site_id: int, published: Plan, at: datetime) -> _Warm:
    """Return what a dry run stands on: of a moment ago, when nothing has changed that a stamp tells."""
    stamp = f"{published.pk}/{board_stamp(actor=actor, site_id=site_id)}"
    known = _WARM.get(site_id)
    if known is not None and known.stamp == stamp and 0 <= (at - known.at).total_seconds() <= WARM_S:
        return known
    made = _Warm(stamp, at, *_fresh(actor, site_id, published, at))
    if site_id not in _WARM and len(_WARM) >= MOST_WARM:
        _WARM.clear()
    _WARM[site_id] = made
    return made


def _placed(base: Base | None, command: Move) -> Moved:
    if base is None:
        raise Conflict(_("The published plan cannot go on as it is. Make a new one."))
    return place_on(base, command)


def _impact(built: Built, moved: Moved, command: Move, number: int, *, is_published: bool = False) -> Impact:
    refusals = [words.refusal(built, moved.refusal)] if moved.refusal else []
    if moved.plan is None:
        return Impact(number, False, False, command.job_order_id, refusals=tuple(refusals))
    machines = moved.problem.machines
    refusals += [words.violation(built, machines, moved.plan, one) for one in moved.violations[:MOST_WORDS]]
    k = moved.index
    machine = machines[int(moved.plan.machine[k])].id
    return Impact(
        number=number,
        is_feasible=moved.is_feasible,
        is_published=is_published,
        job_order_id=command.job_order_id,
        unit=built.unit_code.get(machine, "") if isinstance(machine, int) else "",
        starts_at=built.moment(int(moved.plan.start[k])),
        ends_at=built.moment(int(moved.plan.end[k])),
        refusals=tuple(dict.fromkeys(refusals)),
        measures=measure(built, moved.problem, moved.plan, moved.before),
    )


def _nothing_published() -> Conflict:
    return Conflict(_("No plan is published yet. Make one and publish it first."))
