"""Saved views: one's own, and those shared at a site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from yuheng.analysis.models import SavedView
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible

VIEW = "telemetry.view"
EDIT = "telemetry.edit"


@dataclass(frozen=True, slots=True)
class SavedViewRow:
    """A saved view as its reader sees it; ``is_mine``: may rename, change and delete it."""

    id: int
    site_id: int
    name_zh: str
    name_en: str
    query: str
    is_shared: bool
    default_of_id: int | None
    owner: str
    changed_at: datetime
    is_mine: bool


def saved_views(*, actor: Actor, site_id: int) -> list[SavedViewRow]:
    """The actor's own views of a site and the shared ones, by name. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = SavedView.objects.filter(_seen_by(actor), site_id=site_id).select_related("owner")
    return [_row(row, actor) for row in rows]


def saved_view(*, actor: Actor, view_id: int) -> SavedViewRow:
    """One saved view. One query. Raises `NotVisible`."""
    row = SavedView.objects.filter(_seen_by(actor), pk=view_id).select_related("owner").first()
    if row is None or not actor.may(VIEW, site_id=row.site_id):
        raise NotVisible(_("There is no such view here."))
    return _row(row, actor)


def default_view_of(*, actor: Actor, work_unit_id: int) -> SavedViewRow | None:
    """The view with which a work unit's trends open; None without one. One query."""
    row = SavedView.objects.filter(default_of_id=work_unit_id).select_related("owner").first()
    return _row(row, actor) if row is not None and actor.may(VIEW, site_id=row.site_id) else None


def _seen_by(actor: Actor) -> Q:
    return Q(is_shared=True) | Q(owner_id=actor.person_id or 0)


def _row(row: Any, actor: Actor) -> SavedViewRow:
    is_mine = row.owner_id == actor.person_id or (row.is_shared and actor.may(EDIT, site_id=row.site_id))
    return SavedViewRow(
        id=row.pk,
        site_id=row.site_id,
        name_zh=row.name_zh,
        name_en=row.name_en,
        query=row.query,
        is_shared=row.is_shared,
        default_of_id=row.default_of_id,
        owner=row.owner.username,
        changed_at=row.changed_at,
        is_mine=is_mine,
    )
