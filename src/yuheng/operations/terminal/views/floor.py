"""What tablets ask: the page, its service worker, the station's picture, batches of actions.

These addresses answer without a sign-in, because a registered tablet is known by its own cookie; each of them checks
that cookie itself, except the page (which says nothing of the plant), its worker, and pairing.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_POST

from yuheng import __version__
from yuheng.engineering import selectors as engineering
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput, NotVisible, PermissionRefused
from yuheng.operations.terminal.models import StationDevice
from yuheng.operations.terminal.rules import Outcome, read_actions
from yuheng.operations.terminal.selectors.devices import device_actor
from yuheng.operations.terminal.selectors.picture import picture_of
from yuheng.operations.terminal.services import devices, sessions
from yuheng.operations.terminal.services.merging import Answer, merge
from yuheng.operations.terminal.strings import in_both_languages
from yuheng.people.rules import badge_fingerprint

COOKIE = "yuheng_terminal"
COOKIE_S = 400 * 24 * 3600
"""Browsers keep no cookie longer; every picture renews it."""

MOST_BODY = 1_000_000
MODULES = (
    "asking",
    "camera",
    "dom",
    "job-screen",
    "number-pad",
    "project",
    "scanner",
    "store",
    "sync",
    "waiting",
    "words",
    "y-terminal",
)
STYLES = ("web/icon.svg", "web/tokens.css", "terminal/terminal.css")
STATUS_OF = ((PermissionRefused, 403), (NotVisible, 404), (InvalidInput, 422), (Conflict, 409))

View = Callable[..., HttpResponse]
"""A view of Django, whatever parameters its address has."""


def speaks_json(view: View) -> View:
    """Answer refusals as JSON with the sentence: the terminal shows it."""

    @wraps(view)
    def wrapped(request: HttpRequest, **parts: Any) -> HttpResponse:
        try:
            return view(request, **parts)
        except DomainError as error:
            status = next((code for kind, code in STATUS_OF if isinstance(error, kind)), 409)
            return JsonResponse({"title": type(error).__name__, "detail": str(error)}, status=status)

    return wrapped


# ---- the page and its worker --------------------------------------------------------------------------------------


@ensure_csrf_cookie
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The terminal. It holds no data: those come from the tablet's own store and from `snapshot`."""
    answer = render(request, "terminal/terminal.html", {"strings": in_both_languages()})
    answer["Cache-Control"] = "no-cache"
    return answer


@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker, with the files of this version. It may control all of ``/terminal/``, nothing else."""
    core = _core()
    files = sorted(_files())
    all_of_it = json.dumps([files, in_both_languages(), __version__, core], sort_keys=True)
    shell = {
        "version": hashlib.sha256(all_of_it.encode()).hexdigest()[:16],
        "page": reverse("terminal:page"),
        "files": files,
        "documents": reverse("terminal:documents"),
    }
    body = f"const SHELL = {json.dumps(shell)};\n{core}"
    answer = HttpResponse(body, content_type="text/javascript; charset=utf-8")
    answer["Cache-Control"] = "no-cache"
    answer["Service-Worker-Allowed"] = reverse("terminal:page")
    return answer


def _core() -> str:
    """Return the worker as it is written; a page may not be one, so it is read here and not served as a file."""
    return Path(str(finders.find("terminal/worker-core.js"))).read_text(encoding="utf-8")


def _files() -> Iterator[str]:
    """Every address that the page loads, as the page and the modules write it."""
    for name in (*STYLES, *(f"terminal/{module}.js" for module in MODULES)):
        yield static(name)


# ---- the tablet ---------------------------------------------------------------------------------------------------


@never_cache
@ensure_csrf_cookie
@require_GET
@speaks_json
def snapshot(request: HttpRequest) -> HttpResponse:
    """The station as it is now, with how far this tablet's stream is taken."""
    device = _device(request)
    answer = JsonResponse(picture_of(device=device, stream=_stream(request.GET.get("stream", "")), now=_now()))
    _set_cookie(answer, request.COOKIES[COOKIE])
    return answer


@require_POST
@speaks_json
def merge_actions(request: HttpRequest) -> HttpResponse:
    """Take a batch of actions; each is answered by itself."""
    device = _device(request)
    sent = _body(request)
    stream = _stream(str(sent.get("stream", "")))
    if stream is None:
        raise InvalidInput("'stream' is a UUID.")
    at = _now()
    merged = merge(device=device, stream=stream, actions=read_actions(sent.get("actions"), at), at=at)
    return JsonResponse({"answers": [_answer(one) for one in merged.answers], "last_sequence": merged.last_sequence})


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "id": str(answer.id),
        "sequence": answer.sequence,
        "outcome": answer.outcome.value if answer.outcome else None,
        "status": _status(answer),
        "sentence": answer.sentence,
    }


def _status(answer: Answer) -> str:
    """Return ``applied``, ``already``, ``conflict``, ``held`` or ``early`` (send it again after those before it)."""
    if answer.outcome is None:
        return "early"
    if answer.is_new or answer.outcome in {Outcome.CONFLICT, Outcome.HELD}:
        return answer.outcome.value
    return "already"


@require_POST
@sensitive_variables()
@speaks_json
def pair(request: HttpRequest) -> HttpResponse:
    """Connect this tablet with the code of an engineer."""
    code = _body(request).get("code", "")
    if not isinstance(code, str) or len(code) > 40:
        raise InvalidInput(_("This code cannot be read."))
    device, token = devices.pair_device(code=code, address=request.META.get("REMOTE_ADDR", ""), at=_now())
    answer = JsonResponse({"name": device.name})
    _set_cookie(answer, token)
    return answer


@require_POST
@speaks_json
def station(request: HttpRequest) -> HttpResponse:
    """Say once at which station this tablet stands."""
    device, wanted = _device(request), _body(request).get("station")
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        raise InvalidInput("'station' is the id of a work unit.")
    devices.choose_station(device_id=device.pk, work_unit_id=wanted, at=_now())
    return JsonResponse({})


@require_POST
@sensitive_variables()
@speaks_json
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign somebody in with a badge, or with a number and a PIN."""
    device, sent = _device(request), _body(request)
    badge, number, pin = (str(sent.get(name) or "")[:200] for name in ("badge", "number", "pin"))
    session = _stream(str(sent.get("session", "")))
    if session is None:
        raise InvalidInput("'session' is a UUID.")
    proof = {"badge": badge_fingerprint(badge)} if badge else {"number": number, "pin": pin}
    made = sessions.sign_in(device=device, session=session, at=_now(), **proof)
    return JsonResponse({"session": str(made.pk), "person_id": made.person_id})


@require_GET
@speaks_json
def document(request: HttpRequest, document_id: int) -> HttpResponse:
    """A drawing of a job, kept by the tablet before the network can fail."""
    actor = device_actor(_device(request))
    found = engineering.document_file(actor=actor, document_id=document_id)
    answer = HttpResponse(found.content, content_type=found.media_type)
    answer["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    answer["Cache-Control"] = "private, max-age=86400"
    return answer


@require_GET
@speaks_json
def documents(request: HttpRequest) -> HttpResponse:
    """The beginning of every drawing's address; nothing is there itself."""
    _device(request)
    raise NotVisible(_("There is nothing at this address."))


def _device(request: HttpRequest) -> StationDevice:
    return devices.device_of_token(token=request.COOKIES.get(COOKIE, ""), at=_now())


def _stream(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _body(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object that was sent."""
    if len(request.body) > MOST_BODY:
        raise InvalidInput("The request is too long.")
    try:
        found = json.loads(request.body)
    except ValueError as error:
        raise InvalidInput("Send JSON.") from error
    if not isinstance(found, dict):
        raise InvalidInput("Send an object.")
    return found


def _set_cookie(answer: HttpResponse, token: str) -> None:
    answer.set_cookie(
        COOKIE,
        token,
        max_age=COOKIE_S,
        path=reverse("terminal:page"),
        httponly=True,
        samesite="Strict",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def _now() -> datetime:
    return datetime.now(UTC)
