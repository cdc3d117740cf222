"""What the pages of this context share: who asks, which site, which units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.http import HttpRequest
from django.utils.translation import gettext as _

from yuheng.analysis.selectors.tags import TrendTag
from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow, WorkUnitRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible

VIEW = "telemetry.view"
SITE_COOKIE = "yh_site"
"""Same name as `web.shell.SITE_COOKIE`: the site looked at last."""


def now() -> datetime:
    """Return the time of this machine: what services take as ``at``."""
    return datetime.now(UTC)


def chosen_site(request: HttpRequest, actor: Actor, *, name: str = "site") -> SiteRow:
    """Return the site named in the address (id or code), else the one looked at last, else the first one seen.

    Raises
    ------
    NotVisible, PermissionRefused
    """
    word = request.GET.get(name, "") or request.POST.get(name, "")
    sites = [site for site in equipment.visible_sites(actor=actor) if actor.may(VIEW, site_id=site.id)]
    if word:
        found = next((site for site in sites if word in {str(site.id), site.code}), None)
        if found is None:
            raise NotVisible(_("There is no such site here."))
        return found
    if not sites:
        actor.require(VIEW)
        raise NotVisible(_("There is no such site here."))
    last = request.COOKIES.get(SITE_COOKIE, "")
    return next((site for site in sites if site.code == last), sites[0])


def units_of(actor: Actor, tags: Sequence[TrendTag]) -> list[WorkUnitRow]:
    """Return the work units of some tags, in their order."""
    ids = dict.fromkeys(tag.work_unit_id for tag in tags if tag.work_unit_id is not None)
    return [equipment.work_unit(actor=actor, work_unit_id=unit_id) for unit_id in ids]


def number(text: str, name: str) -> int:
    """Read an id from a form or an address."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput(_("Give a number."), {name: text[:40]})
    return int(text)


def number_or_none(text: str, name: str) -> int | None:
    """Read an id that may be missing."""
    return number(text, name) if text else None
