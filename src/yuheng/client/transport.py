"""HTTP with the standard library: requests, signing in, answers as JSON or as Arrow, errors as sentences."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from http.client import HTTPException
from typing import Any

import pyarrow as pa

from yuheng.client.errors import NotAllowed, NotFound, NotSignedIn, Refused, Unreachable, YuhengError

ARROW = "application/vnd.apache.arrow.stream"
_KIND_OF_STATUS: dict[int, type[YuhengError]] = {401: NotSignedIn, 403: NotAllowed, 404: NotFound}


class Transport:
    """One address, one identity.

    Parameters
    ----------
    url
        Where the pages are, such as ``http://127.0.0.1:8000``.
    token
        An API token (page *Account*); or else ``username`` and ``password``, with which a session is opened when the
        first question is asked.
    timeout_s
        How long one request may take.

    Raises
    ------
    ValueError
        Neither a token nor a user name was given, or both were, or the address is not one of HTTP.
    """

    def __init__(self, url: str, *, token: str, username: str, password: str, timeout_s: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is not an address such as http://127.0.0.1:8000.")
        if bool(token) == bool(username):
            raise ValueError("Give either token=… or username=… and password=….")
        self.url = url.rstrip("/")
        self._token = token
        self._username, self._password = username, password
        self._timeout_s = timeout_s
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))
        self._is_signed_in = bool(token)

    def get_json(self, path: str, parameters: Mapping[str, Any]) -> Any:
        """Ask, and return what the JSON answer holds."""
        body = self._get(path, parameters, accept="application/json")
        try:
            return json.loads(body)
        except ValueError as error:
            raise Unreachable(f"{self.url} answers, but not as Yuheng does: {error}") from error

    def get_table(self, path: str, parameters: Mapping[str, Any]) -> pa.Table:
        """Ask, and return the Arrow table of the answer."""
        body = self._get(path, {**parameters, "format": "arrow"}, accept=ARROW)
        try:
            return pa.ipc.open_stream(body).read_all()
        except pa.ArrowInvalid as error:
            raise Unreachable(f"{self.url} answers, but not as Yuheng does: {error}") from error

    def post_json(self, path: str, body: Any) -> Any:
        """Send a body, and return what the JSON answer holds."""
        return json.loads(self._post(path, body, accept="application/json"))

    def post_table(self, path: str, body: Any) -> pa.Table:
        """Send a body, and return the Arrow table of the answer."""
        return pa.ipc.open_stream(self._post(f"{path}?format=arrow", body, accept=ARROW)).read_all()

    def _post(self, path: str, body: Any, *, accept: str) -> bytes:
        if not self._is_signed_in:
            self._sign_in()
        headers = {"Accept": accept, "Content-Type": "application/json", "Referer": self.url}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        for cookie in self._cookies:
            if cookie.name == "csrftoken":
                headers["X-CSRFToken"] = str(cookie.value)
        data = json.dumps(body).encode()
        return self._send(urllib.request.Request(f"{self.url}/api/v1{path}", data=data, headers=headers))

    def _get(self, path: str, parameters: Mapping[str, Any], *, accept: str) -> bytes:
        if not self._is_signed_in:
            self._sign_in()
        query = urllib.parse.urlencode({name: value for name, value in parameters.items() if value is not None})
        headers = {"Accept": accept}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(f"{self.url}/api/v1{path}?{query}", headers=headers)
        return self._send(request)

    def _send(self, request: urllib.request.Request) -> bytes:
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            with error:
                raise _error_of(error.code, error.read()) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Unreachable(f"Yuheng does not answer at {self.url}: {reason}") from error

    def _sign_in(self) -> None:
        """Fill in the sign-in page's form, as a person would."""
        address = f"{self.url}/sign-in"
        form = _FormReader()
        form.feed(self._send(urllib.request.Request(address)).decode("utf-8", "replace"))
        fields = {**form.hidden, "username": self._username, "password": self._password}
        data = urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(address, data=data, headers={"Referer": address})
        try:
            self._send(request)
        except NotAllowed as error:
            raise NotSignedIn("The name or the password is wrong.") from error
        if not any("session" in cookie.name for cookie in self._cookies):
            raise NotSignedIn("The name or the password is wrong.")
        self._is_signed_in = True


class _FormReader(HTMLParser):
    """Collects the hidden fields of a page's forms."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a hidden input."""
        found = dict(attrs)
        if tag == "input" and found.get("type") == "hidden" and found.get("name"):
            self.hidden[str(found["name"])] = unescape(found.get("value") or "")


def _error_of(status: int, body: bytes) -> YuhengError:
    """Turn an answer that says no into an error with its own sentence."""
    try:
        problem = json.loads(body)
        detail, fields = str(problem["detail"]), dict(problem.get("fields") or {})
    except (ValueError, KeyError, TypeError):
        detail, fields = f"Yuheng answered with status {status}.", {}
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status](detail)
    if status >= 500:
        return Unreachable(detail)
    named = " ".join(f"{name}: {reason}" for name, reason in fields.items())
    return Refused(f"{detail} {named}".strip(), fields)
