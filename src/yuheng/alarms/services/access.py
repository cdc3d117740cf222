"""The only door to rows that are to be changed: permission, then visibility, then the lock."""

from __future__ import annotations

from typing import TypeVar

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.kernel.models import SiteScopedModel

EDIT = "alarms.edit"
OPERATE = "alarms.operate"
SHELVE = "alarms.shelve"

Row = TypeVar("Row", bound=SiteScopedModel)


def locked(model: type[Row], *, actor: Actor, pk: int, permission: str = EDIT) -> Row:
    """Return a row of a site, locked until the transaction ends.

    Raises
    ------
    PermissionRefused
        The actor sees the site but may not do this there.
    NotVisible
        There is no such row, or it is of a site that is not the actor's.
    """
    row: Row | None = model.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=pk).first()
    if row is None:
        actor.require(permission)
        raise NotVisible(_("There is no such thing here."))
    actor.require(permission, site_id=row.site_id)
    return row
