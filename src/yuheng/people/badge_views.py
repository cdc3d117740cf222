"""Pages about badges and PINs for station terminals."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from yuheng.kernel.errors import InvalidInput
from yuheng.people import selectors, services
from yuheng.people.identity import actor_of


@never_cache
@sensitive_post_parameters("code")
@sensitive_variables()
@require_POST
def issue_badge(request: HttpRequest, person_id: int) -> HttpResponse:
    """Give a badge; a new one is shown once, as text and as a code to print."""
    actor, given = actor_of(request), request.POST.get("code", "").strip()
    try:
        number, code = services.issue_badge(actor=actor, person_id=person_id, code=given, at=datetime.now(UTC))
    except InvalidInput as refusal:
        messages.error(request, str(refusal))
        return redirect("people:person", person_id=person_id)
    if given:
        messages.success(request, _("The card is theirs now; their number is %(number)s.") % {"number": number})
        return redirect("people:person", person_id=person_id)
    person = selectors.person(actor=actor, person_id=person_id)
    answer = render(request, "people/badge.html", {"person": person, "number": number, "code": code})
    answer["Cache-Control"] = "no-store"
    return answer


@require_POST
def withdraw_badge(request: HttpRequest, person_id: int) -> HttpResponse:
    """End a badge and its PIN."""
    services.withdraw_badge(actor=actor_of(request), person_id=person_id, at=datetime.now(UTC))
    messages.success(request, _("Badge and PIN are withdrawn: terminals know them no more."))
    return redirect("people:person", person_id=person_id)


@sensitive_post_parameters("pin")
@sensitive_variables()
@require_POST
def set_pin(request: HttpRequest, person_id: int) -> HttpResponse:
    """Set the PIN of somebody whom one manages."""
    _set(request, person_id)
    return redirect("people:person", person_id=person_id)


@sensitive_post_parameters("pin")
@sensitive_variables()
@require_POST
def set_own_pin(request: HttpRequest) -> HttpResponse:
    """Set one's own PIN."""
    person_id = actor_of(request).person_id
    if person_id is None:
        raise services.SignInRefused(_("This page is for people who signed in, not for tokens."))
    _set(request, person_id)
    return redirect("people:account")


def _set(request: HttpRequest, person_id: int) -> None:
    try:
        number = services.set_pin(
            actor=actor_of(request), person_id=person_id, pin=request.POST.get("pin", ""), at=datetime.now(UTC)
        )
        messages.success(request, _("The PIN is set; the number is %(number)s.") % {"number": number})
    except InvalidInput as refusal:
        messages.error(request, str(refusal))
