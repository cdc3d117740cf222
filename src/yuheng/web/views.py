"""Pages of the web context: the command centre, the station, and the reader's preferences."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST

from yuheng.web.shell import TEXT_COOKIE, TEXT_SIZES, THEME_COOKIE, THEMES

YEAR_S = 365 * 86_400


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep language, theme or text size in a cookie and go back to where the reader was."""
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = "/"
    response = HttpResponseRedirect(back)
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES) and check_for_language(language):
        _remember(request, response, settings.LANGUAGE_COOKIE_NAME, language)
    for cookie, field, allowed in ((THEME_COOKIE, "theme", THEMES), (TEXT_COOKIE, "text_size", TEXT_SIZES)):
        if request.POST.get(field) in allowed:
            _remember(request, response, cookie, request.POST[field])
    return response


def _remember(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure())
