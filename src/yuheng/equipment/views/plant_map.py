"""Placing areas and work units on the plant map, by mouse, keys or numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from yuheng.equipment import selectors, services
from yuheng.equipment.rules import Rect
from yuheng.equipment.services import Move
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.people.identity import actor_of


@require_http_methods(["GET", "POST"])
def place(request: HttpRequest, site_id: int) -> HttpResponse:
    """Show the map with everything movable; take what was moved."""
    actor = actor_of(request)
    actor.require("equipment.edit", site_id=site_id)
    errors: list[str] = []
    if request.method == "POST":
        try:
            moves = _moves(request.POST.get("moves", "[]"))
            services.place_many(actor=actor, site_id=site_id, moves=moves, at=datetime.now(UTC))
        except (InvalidInput, Conflict) as refusal:
            errors = [str(refusal)]
        else:
            text = ngettext("%(count)d place was saved.", "%(count)d places were saved.", len(moves))
            messages.success(request, text % {"count": len(moves)})
            return redirect("equipment:place", site_id=site_id)
    context = {
        "site": selectors.site(actor=actor, site_id=site_id),
        "map": selectors.plant_map(actor=actor, site_id=site_id),
        "errors": errors,
    }
    return render(request, "equipment/place.html", context, status=422 if errors else 200)


def _moves(text: str) -> list[Move]:
    try:
        return [
            Move(
                one["kind"] == "area",
                int(one["id"]),
                Rect(float(one["x"]), float(one["y"]), float(one["w"]), float(one["h"])),
            )
            for one in json.loads(text)
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(_("The places did not arrive whole. Send them again.")) from error
