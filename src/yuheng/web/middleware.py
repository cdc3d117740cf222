"""What every Django answer gets: security headers, and domain errors as pages that a person can act on."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from yuheng.kernel.errors import Conflict, DomainError, InvalidInput, NotVisible, PermissionRefused
from yuheng.telemetry.selectors.history import HistorianAway
from yuheng.web.security import HEADERS
from yuheng.web.shell import site_time_zone

GetResponse = Callable[[HttpRequest], HttpResponse]

STATUS_OF: dict[type[DomainError], int] = {
    PermissionRefused: 403,
    NotVisible: 404,
    InvalidInput: 422,
    Conflict: 409,
    HistorianAway: 503,
}


class SecurityHeaders:
    """Adds the strict policy of `web.security` to every page."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add what the page did not set itself."""
        response = self._get_response(request)
        for name, value in HEADERS.items():
            response.setdefault(name, value)
        return response


class SiteTime:
    """Pages show times as the clock on the wall of the chosen site does. The API speaks UTC, whoever asks."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in the site's time zone; without a site, in UTC."""
        if request.path.startswith("/api/"):
            return self._get_response(request)
        with timezone.override(site_time_zone(request)):
            return self._get_response(request)


class DomainErrorPages:
    """A rule said no while a page was made: show its sentence with the right status. The API has its own."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass through; the work is in `process_exception`."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the error page for a domain error; other errors are not ours."""
        if not isinstance(error, DomainError):
            return None
        status = next((code for kind, code in STATUS_OF.items() if isinstance(error, kind)), 409)
        response = error_page(request, status=status, sentence=_(str(error)))
        if isinstance(error, HistorianAway):
            response["Retry-After"] = str(error.retry_after_s)
        return response


def error_page(request: HttpRequest, *, status: int, sentence: str) -> HttpResponse:
    """Say what went wrong and where to go from here."""
    titles = {
        403: _("You may not do this"),
        404: _("There is no such page"),
        409: _("This is no longer possible"),
        422: _("This cannot be accepted"),
        503: _("Not to be had just now"),
        500: _("Something broke on our side"),
    }
    context = {"title": titles.get(status, titles[409]), "sentence": sentence, "status": status}
    return render(request, "web/error.html", context, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for addresses that lead nowhere, in the reader's language and with the way back."""
    return error_page(request, status=404, sentence=_("There is nothing at this address."))
