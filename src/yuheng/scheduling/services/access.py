"""Who may plan, and the lock under which the published plan of a site changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.scheduling.models import Plan, SitePlanning
from yuheng.scheduling.rules.states import PlanKind

VIEW = "operations.view"
DISPATCH = "operations.dispatch"


@dataclass(slots=True)
class Locked:
    """A site's planning, locked until the transaction ends, and what is published there."""

    planning: SitePlanning
    published: Plan | None

    @property
    def number(self) -> int:
        """The published plan's number; 0: there is none."""
        return self.published.number if self.published else 0


def locked_site(*, actor: Actor, site_id: int, expected: int | None = None) -> Locked:
    """Lock a site's published plan. Four queries.

    Parameters
    ----------
    expected
        The number that whoever decides has seen (0: none was there); None: whatever is there.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        Somebody has published another plan since.
    """
    actor.require(DISPATCH, site_id=site_id)
    equipment.site(actor=actor, site_id=site_id)
    SitePlanning.objects.get_or_create(site_id=site_id)
    row = SitePlanning.objects.select_for_update(of=("self",), no_key=True).get(pk=site_id)
    published = Plan.objects.filter(site_id=site_id, is_published=True).first()
    found = Locked(row, published)
    if expected is not None and expected != found.number and not _still_holds(published, expected):
        raise outdated(published, expected)
    return found


def _still_holds(published: Plan | None, expected: int) -> bool:
    """Whether all that has happened since is that new work was placed: it moves nobody, what was decided stands."""
    while published is not None and published.kind == PlanKind.PLACED.value:
        published = published.parent
        if published is not None and published.number == expected:
            return True
    return False


def outdated(published: Plan | None, expected: int) -> Conflict:
    """Say who was faster, with what."""
    if published is None or published.published_at is None:
        return Conflict(_("Plan %(number)s is not the published one. Look again.") % {"number": expected})
    return Conflict(
        _(
            "%(who)s published plan %(number)s at %(time)s: %(reason)s. "
            "You decided on plan %(seen)s. Look at the new one and decide again."
        )
        % {
            "who": published.published_by,
            "number": published.number,
            "time": clock(published.published_at),
            "reason": published.reason or _("no reason given"),
            "seen": expected,
        }
    )


def clock(moment: datetime) -> str:
    """Return a moment as the clock on the wall shows it."""
    return f"{timezone.localtime(moment):%m-%d %H:%M}"
