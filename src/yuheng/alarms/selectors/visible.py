"""Which rows an actor may see: every question begins here."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible

VIEW = "alarms.view"


def of_visible_sites(rows: Any, actor: Actor) -> Any:
    """Keep the rows of sites where the actor holds ``alarms.view``. Raises `PermissionRefused` when nowhere."""
    actor.require(VIEW)
    sites = actor.site_ids_with(VIEW)
    return rows if sites is None else rows.filter(site_id__in=sites)


def one_visible(rows: Any, actor: Actor, pk: int) -> Any:
    """Return one row of a visible site. Raises `NotVisible`, `PermissionRefused`."""
    row = of_visible_sites(rows, actor).filter(pk=pk).first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    return row
