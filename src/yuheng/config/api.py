"""The one API object, at ``/api/v1``: who may, which routers, and the one place where errors become HTTP.

Signed-in browsers use their session (with CSRF), programs ``Authorization: Bearer TOKEN``; both are checked by
`people.middleware.RequireSignIn` before a request gets here.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.docs import DocsBase
from ninja.operation import Operation
from ninja.renderers import BaseRenderer
from ninja.security.base import AuthBase

from yuheng import __version__
from yuheng.alarms.api import router as alarms_router
from yuheng.analysis.api import router as analysis_router
from yuheng.engineering.api import router as engineering_router
from yuheng.equipment.api import router as equipment_router
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput, NotVisible, PermissionRefused
from yuheng.operations.api import router as operations_router
from yuheng.people.api import router as people_router
from yuheng.people.identity import actor_of
from yuheng.performance.api import router as performance_router
from yuheng.scheduling.api import router as scheduling_router
from yuheng.telemetry.api import router as telemetry_router
from yuheng.telemetry.selectors.history import HistorianAway
from yuheng.web.api import router as installation_router

STATUS_OF: tuple[tuple[type[DomainError], int], ...] = (
    (PermissionRefused, 403),
    (NotVisible, 404),
    (InvalidInput, 422),
    (HistorianAway, 503),
    (Conflict, 409),
    (DomainError, 409),
)
METHODS = ("get", "post", "put", "patch", "delete")


class Problem(Schema):
    """Why a request was not carried out; ``fields`` names what cannot be accepted and why."""

    title: str
    detail: str
    fields: dict[str, str] = {}


class Json(BaseRenderer):
    """Writes answers with orjson; times in UTC with a ``Z``."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        """Return the bytes of an answer."""
        return orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


class SignedIn(AuthBase):
    """Lets in whoever the middleware recognised; here for the API's own description, and as a second door."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> Actor | None:
        """Return who acts, or None: 401."""
        actor = actor_of(request)
        return None if actor.kind == "anonymous" else actor


class OperationsPage(DocsBase):
    """A plain page of all operations, made on the server: nothing from elsewhere, no script."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """Show every operation with its parameters."""
        schema = api.get_openapi_schema(path_params=kwargs)
        context = {
            "openapi_url": self.get_openapi_url(api, kwargs),
            "groups": _operations_by_tag(schema),
            "title": api.title,
        }
        return render(request, "api/operations.html", context)


def _operations_by_tag(schema: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in schema["paths"].items():
        for method in METHODS:
            operation = operations.get(method)
            if operation is not None:
                entry = {
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("summary", ""),
                    "description": operation.get("description", ""),
                    "parameters": operation.get("parameters", []),
                    "has_body": "requestBody" in operation,
                }
                groups.setdefault((operation.get("tags") or ["-"])[0], []).append(entry)
    return groups


class PlantApi(NinjaAPI):
    """Operations by short names, which generated clients use as names of functions."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the function's name, with what it is about before it where the name alone does not say."""
        name = operation.view_func.__name__
        *_, package, module = operation.view_func.__module__.split(".")
        noun = package if module == "api" else module
        return name if noun.removesuffix("s") in name else f"{noun}_{name}"


api = PlantApi(
    title="Yuheng",
    version=__version__,
    description="An open manufacturing brain. Times are ISO 8601 in UTC; units are UCUM codes.",
    urls_namespace="api",
    auth=SignedIn(),
    docs=OperationsPage(),
    renderer=Json(),
)
api.add_router("", people_router)
api.add_router("", equipment_router)
api.add_router("", engineering_router)
api.add_router("", telemetry_router)
api.add_router("", analysis_router)
api.add_router("", alarms_router)
api.add_router("", operations_router)
api.add_router("", performance_router)
api.add_router("", scheduling_router)
api.add_router("", installation_router)


def _problem(request: HttpRequest, error: Exception, status: int, fields: dict[str, str] | None = None) -> HttpResponse:
    problem = {"title": type(error).__name__, "detail": str(error), "fields": fields or {}}
    return api.create_response(request, problem, status=status)


@api.exception_handler(DomainError)
def domain_error(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A rule said no: its sentence, with the status that programs understand."""
    status = next(status for kind, status in STATUS_OF if isinstance(error, kind))
    response = _problem(request, error, status, getattr(error, "fields", None))
    if isinstance(error, HistorianAway):
        response["Retry-After"] = str(error.retry_after_s)
    return response


@api.exception_handler(ValidationError)
def request_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """The request is not built as described: name each field and why."""
    fields = {".".join(str(part) for part in item["loc"][1:]): str(item["msg"]) for item in error.errors}
    problem = {"title": "InvalidInput", "detail": _("The request is not built as described."), "fields": fields}
    return api.create_response(request, problem, status=422)


@api.exception_handler(AuthenticationError)
def not_signed_in(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Nobody we know."""
    detail = _("Sign in, or send a valid token as 'Authorization: Bearer …'.")
    response = api.create_response(request, {"title": "NotSignedIn", "detail": detail}, status=401)
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """The framework's own refusals (unreadable body, too many requests) look like all others."""
    return _problem(request, error, error.status_code)


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    """No such operation."""
    problem = {"title": "NotFound", "detail": _("There is no such thing here."), "fields": {}}
    return api.create_response(request, problem, status=404)
