"""How a site plans: its settings, audited. ``operations.dispatch``."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.scheduling.rules import Policy
from yuheng.scheduling.services.access import locked_site

LIMITS = {
    "frozen_min": (0, 14 * 24 * 60),
    "stability": (0, 1),
    "stop_min": (1, 30 * 24 * 60),
    "hold_h": (0, 24 * 60),
    "material_h": (0, 24 * 365),
    "solve_s": (1, 600),
    "least_stop_s": (0, 24 * 3600),
}


@transaction.atomic
def change_settings(*, actor: Actor, site_id: int, policy: Policy, at: datetime) -> Policy:
    """Set how a site plans.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    for name, (least, most) in LIMITS.items():
        if not least <= getattr(policy, name) <= most:
            message = _("Give %(least)s to %(most)s.") % {"least": least, "most": most}
            raise InvalidInput(_("A setting is out of its limits."), {name: message})
    row = locked_site(actor=actor, site_id=site_id).planning
    changed = {}
    for name in (*LIMITS, "nightly_at", "suggests", "places_new"):
        before, after = getattr(row, name), getattr(policy, name)
        if before != after:
            changed[name] = [str(before), str(after)]
            setattr(row, name, after)
    if changed:
        row.save(update_fields=list(changed))
        audit.record(
            actor=actor, action="plan.settings_changed", at=at, site_id=site_id, object_kind="site",
            object_id=site_id, changed=changed,
        )  # fmt: skip
    return policy


@transaction.atomic
def keep_first_plan(*, actor: Actor, site_id: int, at: datetime) -> None:
    """Let the planner make and publish the first plan of a site; every later one is for people to decide.

    Raises `PermissionRefused`, `NotVisible`.
    """
    row = locked_site(actor=actor, site_id=site_id).planning
    if not row.keeps_plan:
        row.keeps_plan = True
        row.save(update_fields=["keeps_plan"])
        audit.record(
            actor=actor, action="plan.settings_changed", at=at, site_id=site_id, object_kind="site",
            object_id=site_id, changed={"keeps_plan": ["False", "True"]},
        )  # fmt: skip
