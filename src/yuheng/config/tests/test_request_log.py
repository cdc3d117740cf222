"""What the web log says of a request that broke."""

from __future__ import annotations

import io
import logging

from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

SECRET = "tell-nobody-17"


def broken(_request: HttpRequest) -> HttpResponse:
    """Hold a secret and break."""
    secrets = {"password": SECRET}
    raise KeyError(f"no such thing among {len(secrets)}")


def the_handler() -> logging.Handler:
    """Return ours: pytest adds handlers that are subclasses."""
    (found,) = [handler for handler in logging.getLogger("django").handlers if type(handler) is logging.StreamHandler]
    return found


urlpatterns = [path("broken/", broken)]


def test_a_broken_request_leaves_its_traceback_and_no_secret(settings, monkeypatch):
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    log = io.StringIO()
    handler = the_handler()
    monkeypatch.setattr(handler, "stream", log)
    monkeypatch.setattr("django.views.defaults.server_error", lambda _request: HttpResponse(status=500))
    answer = Client(raise_request_exception=False).post(f"/broken/?token={SECRET}", {"password": SECRET})
    assert answer.status_code == 500
    said = log.getvalue()
    assert "Internal Server Error: /broken/" in said
    assert "KeyError: 'no such thing among 1'" in said
    assert SECRET not in said


def test_what_the_reader_did_wrong_is_not_logged(settings, monkeypatch):
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    log = io.StringIO()
    handler = the_handler()
    monkeypatch.setattr(handler, "stream", log)
    assert Client().get("/nothing/").status_code == 404
    assert log.getvalue() == ""
