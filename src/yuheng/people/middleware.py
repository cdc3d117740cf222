"""Nobody gets anywhere without signing in, except to the few routes named in ``settings.PUBLIC_ROUTES``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from yuheng.people.identity import IMPERSONATOR_KEY, actor_of, is_token_request, person_of

View = Callable[..., HttpResponse]
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class RequireSignIn:
    """Turn the anonymous away from every route that is not public: pages to the sign-in page, the API with 401.

    It also checks the CSRF token of views that Django exempts (the API object) when the caller came with a session
    cookie instead of a bearer token.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Offer the actor to templates as ``request.actor``; it is looked up when first used."""
        request.actor = SimpleLazyObject(lambda: actor_of(request))  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Let the request through (None) or answer it."""
        match = request.resolver_match
        if match is not None and match.view_name in settings.PUBLIC_ROUTES:
            return None
        if actor_of(request).kind == "anonymous":
            return _turn_away(request)
        if _must_change_password(request):
            return HttpResponseRedirect(reverse("people:password"))
        if getattr(view, "csrf_exempt", False) and request.method not in _SAFE_METHODS:
            return None if is_token_request(request) else _check_csrf(request)
        return None


def _must_change_password(request: HttpRequest) -> bool:
    """Return whether a generated password is still in use, and this is not the way to replace it."""
    if is_token_request(request) or request.path_info in {reverse("people:password"), reverse("people:sign_out")}:
        return False
    person = person_of(request)
    return person is not None and person.must_change_password and IMPERSONATOR_KEY not in request.session


def _turn_away(request: HttpRequest) -> HttpResponse:
    if request.path_info.startswith("/api/") or is_token_request(request):
        problem = {"title": "NotSignedIn", "detail": _("Sign in, or send a valid token as 'Authorization: Bearer …'.")}
        return JsonResponse(problem, status=401, headers={"WWW-Authenticate": "Bearer"})
    wanted = request.get_full_path() if request.method == "GET" else "/"
    address = f"{reverse('people:sign_in')}?{urlencode({'next': wanted})}"
    if request.headers.get("HX-Request"):  # a fragment must not be replaced by the sign-in page
        return HttpResponse(status=401, headers={"HX-Redirect": reverse("people:sign_in")})
    return HttpResponseRedirect(address)


def _check_csrf(request: HttpRequest) -> HttpResponse | None:
    """Run Django's own check as if the view were not exempt."""
    checker = CsrfViewMiddleware(lambda _request: HttpResponse())
    return checker.process_view(request, _not_exempt, (), {})


def _not_exempt(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
