"""Which rows an actor may see: every question begins here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.kernel.lookups import IsAnyOf
from yuheng.kernel.models import SiteScopedModel
from yuheng.telemetry.models import Tag

VIEW = "telemetry.view"

Row = TypeVar("Row", bound=SiteScopedModel)


def of_visible_sites(rows: Any, actor: Actor) -> Any:
    """Keep the rows of sites where the actor holds ``telemetry.view``. Raises `PermissionRefused` when nowhere."""
    actor.require(VIEW)
    sites = actor.site_ids_with(VIEW)
    return rows if sites is None else rows.filter(site_id__in=sites)


def one_visible(rows: Any, actor: Actor, pk: int) -> Any:
    """Return one row of a visible site. Raises `NotVisible`, `PermissionRefused`."""
    row = of_visible_sites(rows, actor).filter(pk=pk).first()
    if row is None:
        raise NotVisible(_("There is no such thing here."))
    return row


def check_tags_visible(*, actor: Actor, tag_ids: Collection[int]) -> None:
    """Raise `NotVisible` unless every tag exists and is of a visible site. One query."""
    wanted = set(tag_ids)
    if of_visible_sites(Tag.objects.filter(IsAnyOf("pk", wanted)), actor).count() != len(wanted):
        raise NotVisible(_("One of these tags does not exist here."))
