"""Keeping views: saved, renamed, shared, made a unit's default, deleted."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.analysis import trend_query
from yuheng.analysis.models import SavedView
from yuheng.analysis.selectors.saved import EDIT, VIEW
from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible, PermissionRefused

MOST_VIEWS = 500
KEPT = (
    "tags",
    "units",
    "panes",
    "bands",
    "tab",
    "span",
    "from",
    "to",
    "kind",
    "unit",
    "where",
    "state",
    "least",
    "most",
)
KEPT_TOO = ("unless", "last", "picked", "low", "high", "across", "up", "site")


@transaction.atomic
def save_view(
    *,
    actor: Actor,
    site_id: int,
    name_zh: str,
    name_en: str,
    query: str,
    is_shared: bool,
    default_of_id: int | None = None,
    at: datetime,
) -> SavedView:
    """Keep a trend page under a name. Sharing it with the site, as any, needs ``telemetry.view`` there.

    Making it the default of a work unit needs ``telemetry.edit``, and shares it.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    actor.require(VIEW, site_id=site_id)
    if actor.person_id is None:
        raise PermissionRefused(_("Only a person can keep a view."))
    names = _names(name_zh, name_en)
    cleaned = _query(query, at)
    if SavedView.objects.filter(site_id=site_id, owner_id=actor.person_id).count() >= MOST_VIEWS:
        raise InvalidInput(_("You have %(most)d views here. Delete some first.") % {"most": MOST_VIEWS})
    _take_default(actor, site_id, default_of_id)
    row = SavedView.objects.create(
        site_id=site_id,
        owner_id=actor.person_id,
        query=cleaned,
        is_shared=is_shared or default_of_id is not None,
        default_of_id=default_of_id,
        changed_at=at,
        **names,
    )
    _record(actor, "view.save", row, at)
    return row


@transaction.atomic
def change_view(
    *,
    actor: Actor,
    view_id: int,
    name_zh: str,
    name_en: str,
    is_shared: bool,
    default_of_id: int | None = None,
    query: str | None = None,
    at: datetime,
) -> SavedView:
    """Rename a view, share it or not, make it a unit's default or not; with a ``query``, what it shows.

    Its owner may; a shared one, also who holds ``telemetry.edit``. Raises as `save_view`.
    """
    row = _own(actor, view_id)
    names = _names(name_zh, name_en)
    if default_of_id != row.default_of_id:
        _take_default(actor, row.site_id, default_of_id)
    row.name_zh, row.name_en = names["name_zh"], names["name_en"]
    row.is_shared = is_shared or default_of_id is not None
    row.default_of_id = default_of_id
    row.changed_at = at
    if query is not None:
        row.query = _query(query, at)
    row.save()
    _record(actor, "view.change", row, at)
    return row


@transaction.atomic
def delete_view(*, actor: Actor, view_id: int, at: datetime) -> None:
    """Delete a view. Its owner may; a shared one, also who holds ``telemetry.edit``."""
    row = _own(actor, view_id)
    _record(actor, "view.delete", row, at)
    row.delete()


def _own(actor: Actor, view_id: int) -> SavedView:
    row: SavedView | None = SavedView.objects.visible_to(actor).select_for_update().filter(pk=view_id).first()
    is_owner = row is not None and row.owner_id == actor.person_id
    if row is None or not (is_owner or row.is_shared) or not actor.may(VIEW, site_id=row.site_id):
        raise NotVisible(_("There is no such view here."))
    if not is_owner:
        actor.require(EDIT, site_id=row.site_id)
    return row


def _names(name_zh: str, name_en: str) -> dict[str, str]:
    """Read the names: one is enough."""
    names = {"name_zh": " ".join(name_zh.split()), "name_en": " ".join(name_en.split())}
    if not any(names.values()):
        sentence = _("Give the view a name.")
        raise InvalidInput(sentence, {"name": sentence})
    if max(map(len, names.values())) > 120:
        sentence = _("A name has at most 120 characters.")
        raise InvalidInput(sentence, {"name": sentence})
    return names


def _query(query: str, at: datetime) -> str:
    """Keep what a trend page knows; what it could not open is refused."""
    pairs = {name: value for name, value in parse_qsl(query) if name in KEPT or name in KEPT_TOO}
    trend_query.read(pairs, now=at)
    cleaned = urlencode(pairs)
    if len(cleaned) > 4000:
        raise InvalidInput(_("The view is too large to be kept."))
    return cleaned


def _take_default(actor: Actor, site_id: int, work_unit_id: int | None) -> None:
    """Free a unit's place for another default view."""
    if work_unit_id is None:
        return
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    if unit.site_id != site_id:
        raise NotVisible(_("There is no such work unit here."))
    actor.require(EDIT, site_id=site_id)
    SavedView.objects.filter(default_of_id=work_unit_id).update(default_of=None)


def _record(actor: Actor, action: str, row: SavedView, at: datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        at=at,
        site_id=row.site_id,
        object_kind="view",
        object_id=row.pk,
        name=row.name_en or row.name_zh,
        is_shared=row.is_shared,
        query=row.query,
    )
