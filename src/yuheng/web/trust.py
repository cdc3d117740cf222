"""The page from which a tablet of the floor learns to trust this installation. Open to everybody, also without TLS."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yuheng.bus.tls import tls_files
from yuheng.kernel.errors import NotVisible
from yuheng.upkeep.certificates import TlsPlaces, TlsRefused, describe


def _places() -> TlsPlaces | None:
    """Return where our own authority lies; None when a certificate of somebody else is served, or none at all."""
    files = tls_files()
    own = TlsPlaces(settings.ENVIRONMENT.data_dir / "tls")
    return own if files is not None and files == own.server and own.ca.exists() else None


def _nothing_to_trust() -> NotVisible:
    return NotVisible(_("This installation has no authority of its own: there is nothing that a tablet must trust."))


@require_safe
def ca(request: HttpRequest) -> HttpResponse:
    """Say how to trust us, on every kind of tablet. 404 where there is nothing to trust."""
    places = _places()
    if places is None:
        raise _nothing_to_trust()
    try:
        about = describe(places.ca)
    except TlsRefused as error:
        raise _nothing_to_trust() from error
    context = {"about": about, "address": f"https://{request.get_host()}/", "is_secure": request.is_secure()}
    return render(request, "web/ca.html", context)


@require_safe
def ca_file(request: HttpRequest) -> HttpResponse:
    """Hand out the authority's certificate; it holds no secret."""
    places = _places()
    if places is None:
        raise _nothing_to_trust()
    answer = HttpResponse(places.ca.read_bytes(), content_type="application/x-x509-ca-cert")
    answer["Content-Disposition"] = 'attachment; filename="yuheng-ca.crt"'
    return answer
