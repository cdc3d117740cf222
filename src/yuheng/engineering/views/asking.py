"""What every page of engineering asks first: which site, who asks; and what grids and forms send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from yuheng.engineering.labels import COLUMNS, VERSION_KINDS
from yuheng.engineering.rules.specs import EffectivitySpec
from yuheng.engineering.rules.words import Basis, VersionKind
from yuheng.engineering.selectors import MaterialRow
from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput
from yuheng.people.identity import actor_of

SITE_COOKIE = "yh_site"
VIEW, EDIT, APPROVE = "engineering.view", "engineering.edit", "engineering.approve"
MOST_ROWS = 5_000


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def in_language(name_zh: str, name_en: str) -> str:
    """Return the name in the reader's language."""
    return name_zh if (get_language() or "zh").startswith("zh") else name_en


def asked_site(request: HttpRequest, permission: str = VIEW) -> tuple[Actor, SiteRow]:
    """Return who asks and for which site: the one in the address, else the one looked at last, else the first."""
    actor = actor_of(request)
    actor.require(permission)
    code = request.GET.get("site", "") or request.POST.get("site", "")
    if code:
        found = equipment.site_by_code(actor=actor, code=code)
        actor.require(permission, site_id=found.id)
        return actor, found
    sites = [row for row in equipment.visible_sites(actor=actor) if actor.may(permission, site_id=row.id)]
    if not sites:
        raise InvalidInput(_("There is no site yet: import a plant first."))
    last = request.COOKIES.get(SITE_COOKIE, "")
    return actor, next((row for row in sites if row.code == last), sites[0])


def page(
    request: HttpRequest, template: str, context: Mapping[str, Any], site_id: int, *, status: int = 200
) -> HttpResponse:
    """Draw a page of a site: times as the clock on its wall shows them."""
    actor = actor_of(request)
    site = equipment.site(actor=actor, site_id=site_id)
    sites = [row for row in equipment.visible_sites(actor=actor) if actor.may(VIEW, site_id=row.id)]
    shared = {
        "site": site,
        "site_name": in_language(site.name_zh, site.name_en),
        "sites": [(row.code, in_language(row.name_zh, row.name_en)) for row in sites],
        "may_edit": actor.may(EDIT, site_id=site_id),
        "may_approve": actor.may(APPROVE, site_id=site_id),
    }
    with timezone.override(ZoneInfo(site.time_zone)):
        return render(request, template, {**shared, **context}, status=status)


def grid_columns(names: Sequence[str], about: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return columns for ``<y-grid>``."""
    return [{"name": name, "label": str(COLUMNS[name]), "kind": "text", **about.get(name, {})} for name in names]


def sent_rows(request: HttpRequest, name: str) -> list[dict[str, str]]:
    """Return the rows that a grid sent, those with nothing in them left out. Raises `InvalidInput`."""
    try:
        sent = json.loads(request.POST.get(name, "") or "[]")
        if not isinstance(sent, list) or len(sent) > MOST_ROWS:
            raise TypeError
        rows = [{str(key): str(text) for key, text in row["cells"].items()} for row in sent]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInput(_("The table did not arrive whole. Send it again.")) from error
    return rows


def is_empty(row: Mapping[str, str], but: Sequence[str] = ()) -> bool:
    """Return whether nothing stands in a row, some columns apart."""
    return not any(text.strip() for name, text in row.items() if name not in but)


def sentence(refusal: DomainError) -> str:
    """Return the whole of a refusal as one text."""
    text = str(refusal)
    more = [one for one in (getattr(refusal, "fields", None) or {}).values() if one not in text]
    return " ".join([text, *more[:5]])


def sent_day(request: HttpRequest, name: str) -> date | None:
    """Return a day of a form. Raises `InvalidInput` when it is none."""
    text = request.POST.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        message = _("This is not a day; write it as 2026-11-22.")
        raise InvalidInput(message, {name: message}) from error


def sent_effectivity(request: HttpRequest) -> EffectivitySpec | None:
    """Return for what a version is to hold, or None: from today on. Raises `InvalidInput`."""
    basis = request.POST.get("basis", "date")
    if basis == Basis.ORDER:
        return EffectivitySpec(Basis.ORDER, order_code=request.POST.get("order_code", "").strip())
    if basis == Basis.SERIAL:
        return EffectivitySpec(
            Basis.SERIAL,
            serial_prefix=request.POST.get("serial_prefix", "").strip(),
            serial_first=_number(request, "serial_first"),
            serial_last=_number(request, "serial_last"),
        )
    first = sent_day(request, "valid_from")
    return EffectivitySpec(valid_from=first, valid_to=sent_day(request, "valid_to")) if first else None


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.POST.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        message = _("'%(text)s' is not a whole number.") % {"text": text[:40]}
        raise InvalidInput(message, {name: message})
    return int(text)


def crumbs(material: MaterialRow, kind: VersionKind) -> list[tuple[str, str]]:
    """Return the way to a version's page: ``(address, word)``."""
    tab = "boms" if kind is VersionKind.BOM else "work-masters"
    return [
        (f"/products/{material.id}", f"{material.code} {in_language(material.name_zh, material.name_en)}"),
        (f"/products/{material.id}?tab={tab}", str(VERSION_KINDS[kind.value])),
    ]
