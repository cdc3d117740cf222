"""Between the protocol in `oidc` and the pages: settings of this installation, and what a browser carries meanwhile.

What must be remembered while the person is at the provider travels in a signed cookie of ten minutes, so that nobody
who is not signed in makes rows in our database.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from yuheng.people.oidc import Attempt, OidcError, Provider, read_settings

LOGGER = logging.getLogger(__name__)

__all__ = [
    "ID_TOKEN_KEY",
    "Attempt",
    "OidcError",
    "Provider",
    "forget",
    "keep_for_sign_out",
    "provider",
    "recalled",
    "remember",
    "sign_out_address",
]

ID_TOKEN_KEY = "oidc_id_token"
ATTEMPT_COOKIE, SIGN_OUT_COOKIE = "yuheng_oidc", "yuheng_oidc_out"
LIFE_S = 600
LONGEST_TOKEN = 3_000
"""Characters of an ID token that fit a cookie; without it the provider asks whether to sign out."""
_SALT = "people.oidc"
_lock = threading.Lock()
_known: tuple[tuple[str, int], Provider] | None = None
_told = ""
"""The last complaint about the file: it is logged once, not with every page."""


def provider() -> Provider | None:
    """Return the provider of ``<data>/oidc.json``; None without that file, or when it cannot be used.

    The file is looked at each time: a change of it is in force at once. What is wrong with it is logged once, and said
    by the doctor and the health page for as long as it is wrong.
    """
    global _known, _told
    path = Path(settings.ENVIRONMENT.data_dir) / "oidc.json"
    try:
        stamp = (str(path), path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None
    except OSError as error:
        _tell(f"{path.name} cannot be read: {error}")
        return None
    with _lock:
        if _known is not None and _known[0] == stamp:
            return _known[1]
        try:
            found = read_settings(path)
        except OidcError as error:
            _tell(str(error))
            return None
        if found is None:
            return None
        _known, _told = (stamp, Provider(found)), ""
        return _known[1]


def _tell(complaint: str) -> None:
    """Log a complaint, unless it is the one that was logged last."""
    global _told
    if complaint != _told:
        _told = complaint
        LOGGER.error("Single sign-on is off, the sign-in page does not offer it: %s", complaint)


def remember(response: HttpResponse, attempt: Attempt, *, is_secure: bool) -> None:
    """Let the browser carry the attempt."""
    value = signing.dumps(asdict(attempt), salt=_SALT, compress=True)
    response.set_cookie(
        ATTEMPT_COOKIE, value, max_age=LIFE_S, httponly=True, samesite="Lax", secure=is_secure, path=_path()
    )


def recalled(request: HttpRequest, *, state: str) -> Attempt:
    """Return the attempt that this browser began. Raises `OidcError` for any other."""
    try:
        attempt = Attempt(**signing.loads(request.COOKIES.get(ATTEMPT_COOKIE, ""), salt=_SALT, max_age=LIFE_S))
    except (signing.BadSignature, TypeError) as error:
        raise OidcError("This browser did not begin to sign in, or too long ago.") from error
    if not state or not constant_time_compare(attempt.state, state):
        raise OidcError("The answer belongs to another attempt to sign in.")
    return attempt


def forget(response: HttpResponse) -> None:
    """Take the attempt away: it is used up."""
    response.delete_cookie(ATTEMPT_COOKIE, path=_path(), samesite="Lax")


def keep_for_sign_out(response: HttpResponse, id_token: str, *, is_secure: bool) -> None:
    """Let the browser carry the ID token to the page that leads to the provider's signing out."""
    value = signing.dumps(id_token if len(id_token) < LONGEST_TOKEN else "", salt=_SALT, compress=True)
    response.set_cookie(
        SIGN_OUT_COOKIE, value, max_age=LIFE_S, httponly=True, samesite="Lax", secure=is_secure, path="/signed-out"
    )


def sign_out_address(request: HttpRequest) -> str:
    """Return where this browser signs out at the provider; "" when it did not sign in there."""
    found = provider()
    try:
        id_token = str(signing.loads(request.COOKIES.get(SIGN_OUT_COOKIE, ""), salt=_SALT, max_age=LIFE_S))
    except signing.BadSignature:
        return ""
    back = request.build_absolute_uri(reverse("people:sign_in"))
    return found.sign_out_address(id_token, back) if found is not None else ""


def _path() -> str:
    return reverse("people:oidc_leave")
