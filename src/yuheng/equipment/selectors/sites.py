"""Sites."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.kernel.models import Site


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site as screens and other contexts know it."""

    id: int
    code: str
    name_zh: str
    name_en: str
    time_zone: str
    organisation_id: int


def visible_sites(*, actor: Actor) -> list[SiteRow]:
    """Sites where the actor holds any permission, oldest first. One query."""
    sites = Site.objects.all()
    ids = actor.site_ids()
    if ids is not None:
        sites = sites.filter(pk__in=ids)
    return [_site_row(site) for site in sites.order_by("id")]


def site(*, actor: Actor, site_id: int) -> SiteRow:
    """One site. One query. Raises `NotVisible`."""
    found = Site.objects.filter(pk=site_id).first() if actor.sees_site(site_id) else None
    if found is None:
        raise NotVisible(_("There is no such site here."))
    return _site_row(found)


def site_by_code(*, actor: Actor, code: str) -> SiteRow:
    """One site by its code. One query. Raises `NotVisible`."""
    found = Site.objects.filter(code=code).first()
    if found is None or not actor.sees_site(found.pk):
        raise NotVisible(_("There is no such site here."))
    return _site_row(found)


def _site_row(row: Site) -> SiteRow:
    return SiteRow(row.pk, row.code, row.name_zh, row.name_en, row.time_zone, row.organisation_id)
