"""How a site plans: on demand, as suggestions, at night, and what is assumed."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from yuheng.kernel.errors import InvalidInput
from yuheng.scheduling.rules import Policy
from yuheng.scheduling.selectors.plant import policy_of
from yuheng.scheduling.services.settings import change_settings
from yuheng.scheduling.views.asking import DISPATCH, asked_site, now, page

WHOLE = ("frozen_min", "stop_min", "hold_h", "material_h", "solve_s", "least_stop_s")


@never_cache
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """Settings of planning: whoever sees orders reads them, whoever dispatches changes them."""
    actor, site = asked_site(request)
    policy, wrong = policy_of(site_id=site.id), {}
    given: dict[str, Any] = {}
    if request.method == "POST":
        actor.require(DISPATCH, site_id=site.id)
        given = request.POST.dict()
        try:
            change_settings(actor=actor, site_id=site.id, policy=_policy(given, policy), at=now())
            messages.success(request, _("The settings are kept."))
            answer = redirect("scheduling:settings")
            answer["Location"] += f"?site={site.code}"
            return answer
        except InvalidInput as refusal:
            wrong = refusal.fields or {"": str(refusal)}
    context = {"policy": policy, "wrong": wrong, "given": given, "fields": _fields(policy, given, wrong)}
    return page(request, "scheduling/settings.html", context, site, status=422 if wrong else 200)


def _policy(given: dict[str, Any], policy: Policy) -> Policy:
    wrong: dict[str, str] = {}
    found: dict[str, Any] = {}
    for name in WHOLE:
        text = given.get(name, "").strip()
        if text.isascii() and text.isdigit() and len(text) < 9:
            found[name] = int(text)
        else:
            wrong[name] = _("This is no number.")
    try:
        found["stability"] = float(given.get("stability", ""))
    except ValueError:
        wrong["stability"] = _("This is no number.")
    try:
        text = given.get("nightly_at", "")
        found["nightly_at"] = time.fromisoformat(text) if text else None
    except ValueError:
        wrong["nightly_at"] = _("Write a time as 22:30.")
    if wrong:
        raise InvalidInput(_("A setting is out of its limits."), wrong)
    return replace(policy, suggests=given.get("suggests") == "on", places_new=given.get("places_new") == "on", **found)


def _fields(policy: Policy, given: dict[str, Any], wrong: dict[str, str]) -> list[tuple[str, str, str, Any, str]]:
    words = {
        "frozen_min": (_("Frozen zone, minutes"), _("What starts within this time keeps machine and start.")),
        "stability": (_("Stability, 0 to 1"), _("0: as little lateness as possible. 1: change nothing.")),
        "stop_min": (_("A stop lasts, minutes"), _("Of which nothing is known.")),
        "hold_h": (_("A hold lasts, hours"), _("Of which no end is known.")),
        "material_h": (_("Missing material comes within, hours"), _("Of which no date is known.")),
        "solve_s": (_("Seconds of search"), _("For a plan that somebody asks for.")),
        "least_stop_s": (_("Stops shorter than this are none, seconds"), _("No suggestions are made for them.")),
    }
    return [
        (name, label, hint, given.get(name, getattr(policy, name)), wrong.get(name, ""))
        for name, (label, hint) in words.items()
    ]
