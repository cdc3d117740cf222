"""Somebody signed in: pages and API over HTTP, with the cookies that a browser would have."""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

TIMEOUT_S = 30.0
CSRF_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Visitor:
    """A session of one person with the web process."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self.url = url.rstrip("/")
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        self._connection: http.client.HTTPConnection | None = None

    def sign_in(self, username: str, password: str) -> None:
        """Sign in through the page, as a person does.

        Raises
        ------
        PermissionError
            The page came back.
        """
        page = self._open("/sign-in").decode()
        token = CSRF_FIELD.search(page)
        if token is None:
            raise PermissionError("The sign-in page has no form.")
        fields = {"username": username, "password": password, "next": "/", "csrfmiddlewaretoken": token[1]}
        try:
            self._open("/sign-in", urllib.parse.urlencode(fields).encode())
        except urllib.error.HTTPError as error:
            raise PermissionError(f"Signing in as {username} was refused ({error.code}).") from error
        if self.json("/api/v1/whoami").get("name", username) == "anonymous":
            raise PermissionError(f"Signing in as {username} gave no session.")

    def _open(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, body, {"Referer": self.url + path})
        with self._opener.open(request, timeout=self._timeout_s) as answer:
            data: bytes = answer.read()
        return data

    def cookies(self) -> list[dict[str, str]]:
        """Return the cookies in the form a browser context takes."""
        return [{"name": cookie.name, "value": cookie.value or "", "url": self.url} for cookie in self._jar]

    def get(self, path: str) -> bytes:
        """Return a body over one kept connection: what a program that asks often would measure.

        Raises
        ------
        RuntimeError
            The status is not 200.
        """
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> bytes:
        """Post JSON and return the answer's body."""
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        try:
            status, data = self._exchange(method, path, body)
        except (ConnectionError, http.client.RemoteDisconnected):
            status, data = self._exchange(method, path, body)  # the server had closed an idle connection
        if status != 200:
            raise RuntimeError(f"{path[:200]} answered {status}: {data[:300].decode(errors='replace')}")
        return data

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                urllib.parse.urlsplit(self.url).netloc, timeout=self._timeout_s
            )
        values = {cookie.name: cookie.value or "" for cookie in self._jar}
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in values.items())}
        if body is not None:
            headers |= {"Content-Type": "application/json", "X-CSRFToken": values.get("csrftoken", "")}
            headers["Referer"] = self.url
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def json(self, path: str) -> Any:
        """Return a JSON answer."""
        return json.loads(self.get(path))

    def close(self) -> None:
        """Close the kept connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
