"""Headers, cookies, CSRF and sessions."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from django.conf import settings
from django.test import Client

from tests.security.routes import all_routes
from yuheng.people import services
from yuheng.testing.builders import PASSWORD, a_person, a_site, an_actor

pytestmark = pytest.mark.django_db


def signed_in(*, strict: bool = False) -> Client:
    client = Client(enforce_csrf_checks=strict, raise_request_exception=False)
    client.force_login(a_person("lin"))
    return client


@pytest.mark.parametrize("path", ["/sign-in", "/account", "/people", "/audit", "/equipment", "/api/v1/whoami", "/none"])
def test_every_answer_carries_a_strict_policy(path):
    answer = signed_in().get(path)
    policy = answer["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy
    assert re.search(r"(default|script)-src [^;]*'(self|none)'", policy)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/sign-in", "/account", "/people", "/people/roles", "/audit"])
def test_no_page_has_inline_script_style_or_handlers(path):
    page = signed_in().get(path).content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)


@pytest.mark.parametrize("route", [route for route in all_routes() if not route.parameters], ids=str)
def test_a_change_without_the_csrf_token_is_refused(route):
    answer = signed_in(strict=True).post(route.pattern, {"x": "1"})
    assert answer.status_code in {403, 404, 405}, answer.status_code


def test_a_session_in_the_api_needs_the_csrf_token_and_a_token_does_not():
    strict = signed_in(strict=True)
    body = {"site_id": a_site().pk, "code": "s", "connector": "none", "topics": []}
    refused = strict.post("/api/v1/sources", body, content_type="application/json")
    assert refused.status_code == 403
    secret = _token()
    stranger = Client(enforce_csrf_checks=True, raise_request_exception=False)
    header = {"Authorization": f"Bearer {secret}"}
    accepted = stranger.post("/api/v1/sources", body, content_type="application/json", headers=header)
    assert accepted.status_code == 422  # read, and refused for its contents: there is no such connector


def _token() -> str:
    from datetime import UTC, datetime  # noqa: PLC0415

    at = datetime.now(UTC)
    return services.issue_token(actor=an_actor("lin"), name="t", scopes=["telemetry.edit"], days=1, at=at)[1]


def test_a_session_planted_before_sign_in_is_worth_nothing_after_it():
    a_person("ana")
    client = Client()
    client.get("/sign-in")
    planted = client.session
    planted["mine"] = True
    planted.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = planted.session_key
    client.post("/sign-in", {"username": "ana", "password": PASSWORD})
    attacker = Client()
    attacker.cookies[settings.SESSION_COOKIE_NAME] = planted.session_key
    assert attacker.get("/account").status_code == 302
    assert client.get("/account").status_code == 200


def test_changing_the_password_ends_other_sessions():
    mine, other = signed_in(), signed_in()
    answer = mine.post("/account/password", {"old": PASSWORD, "new": "quite another secret"})
    assert answer.status_code == 302
    assert mine.get("/account").status_code == 200
    assert other.get("/account").status_code == 302


@pytest.mark.parametrize(("tls", "secure"), [("", "False"), ("1", "True")])
def test_cookies_are_secure_where_there_is_tls(tls, secure, tmp_path, monkeypatch):
    monkeypatch.setenv("YUHENG_TLS", tls)
    monkeypatch.setenv("YUHENG_DATA_DIR", str(tmp_path))
    code = (
        "from yuheng.config import settings as s;"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert told == [secure, secure, "True", "Lax"]
