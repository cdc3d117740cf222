"""The live stream of a registered tablet: it hears that the plan of its site changed, and asks for its picture."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from yuheng.kernel.errors import PermissionRefused
from yuheng.operations.terminal.selectors.devices import device_actor
from yuheng.operations.terminal.services.devices import device_of_token
from yuheng.web.live_token import LIFETIME_S, make_token

COOKIE = "yuheng_terminal"
"""As in `operations.terminal.views.floor`; it is sent to addresses under ``/terminal/`` alone."""


@never_cache
@require_GET
def terminal_live(request: HttpRequest) -> JsonResponse:
    """Give a tablet, known by its cookie, a short permission to listen, and the topics that concern it."""
    try:
        device = device_of_token(token=request.COOKIES.get(COOKIE, ""), at=datetime.now(UTC))
    except PermissionRefused as refusal:
        return JsonResponse({"title": type(refusal).__name__, "detail": str(refusal)}, status=403)
    token = make_token(device_actor(device))
    return JsonResponse({"token": token, "lifetime_s": LIFETIME_S, "topics": f"dispatch:{device.site_id}"})
