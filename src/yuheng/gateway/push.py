"""The HTTP door: one small ASGI application for all sources that are pushed to.

``POST /push/<source code>[/<device>]`` takes JSON; ``POST /write`` and ``POST /api/v2/write`` take Influx line
protocol as Influx 1 and 2 clients send it (``db`` or ``bucket`` is the source's code; anything else means the only
HTTP source of the credential). 204 means: the durable log has it. Credentials are those of the device, by Basic
authentication, ``Authorization: Token user:password``, ``Bearer user:password``, or Influx 1's ``u`` and ``p``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import re
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from yuheng.bus.documents import Device
from yuheng.gateway.connector import PayloadRefused, Pushed, PushHandler, SourceIdentity
from yuheng.gateway.log import LogUnavailable

type_scope = MutableMapping[str, Any]
type_receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type_send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_WRITE_PATHS = frozenset(("/write", "/api/v2/write"))
_PUSH_PATH = re.compile(r"/push/([^/]+)(?:/(.+?))?/?")
_UNKNOWN_HASH = hashlib.sha256(b"nobody").hexdigest()
_HEALTH_PATHS = frozenset(("/health", "/ping"))


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Bounds of the door. Beyond: 413, 503 or 429, each with a sentence and what to do."""

    body_bytes: int = 16 * 1024 * 1024  # after inflation; a source may set less
    wire_bytes: int = 8 * 1024 * 1024
    requests_at_once: int = 512
    bytes_at_once: int = 128 * 1024 * 1024
    body_timeout_s: float = 30.0
    log_timeout_s: float = 5.0
    wrong_passwords: int = 20
    wrong_passwords_in_s: float = 60.0
    remembered_clients: int = 10_000


class _Answer(Exception):
    """Ends a request."""

    def __init__(self, status: int, sentence: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}


@dataclass(slots=True)
class _Held:
    """How much of the door's memory one request holds."""

    size: int = 0


class _Target(NamedTuple):
    source_code: str  # "" when the credential decides
    path: str
    query: str


class HttpDoor:
    """Authenticates, bounds and hands bodies to the sessions that have opened the door for their source."""

    def __init__(self, is_log_up: Callable[[], str], limits: DoorLimits = DoorLimits()) -> None:
        self._limits = limits
        self._why_log_is_down = is_log_up
        self._open: dict[str, tuple[SourceIdentity, PushHandler]] = {}
        self._devices: dict[str, Device] = {}
        self._codes: frozenset[str] = frozenset()
        self._awaited: frozenset[str] = frozenset()
        self._is_configured = False
        self._requests = 0
        self._bytes = 0
        self._guard = _GuessGuard(limits)
        self.taken = 0
        self.refused: dict[int, int] = {}  # status -> how many

    def set_devices(self, devices: Iterable[Device], source_codes: Iterable[str], awaited: Iterable[str] = ()) -> None:
        """Take the credentials and source codes of a new configuration document.

        ``awaited``: the sources that are to open this door. Until they do, a device is asked to come again: *not
        found* would tell it to give up what it has.
        """
        self._devices = {device.username: device for device in devices}
        self._codes = frozenset(source_codes)
        self._awaited = frozenset(awaited)
        self._is_configured = True

    @asynccontextmanager
    async def opened(self, source: SourceIdentity, handler: PushHandler) -> AsyncIterator[None]:
        """Accept pushes for a source while the context lasts."""
        self._open[source.code] = (source, handler)
        try:
            yield
        finally:
            if self._open[source.code][1] is handler:  # a newer session may have opened it meanwhile
                del self._open[source.code]

    async def __call__(self, scope: type_scope, receive: type_receive, send: type_send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            return
        try:
            if self._requests >= self._limits.requests_at_once or self._bytes >= self._limits.bytes_at_once:
                raise _Answer(503, "Too many requests at once.", {"Retry-After": "1"})
            self._requests += 1
            try:
                await self._serve(scope, receive)
            finally:
                self._requests -= 1
            answer = _Answer(204)
        except _Answer as ended:
            answer = ended
        if answer.status >= 400:
            self.refused[answer.status] = self.refused.get(answer.status, 0) + 1
        await _send(send, answer, is_head=scope["method"] == "HEAD")

    async def _serve(self, scope: type_scope, receive: type_receive) -> None:
        if scope["path"] in _HEALTH_PATHS:
            self._tell_health(scope["path"])
        target = _target_of(scope)
        if scope["method"] != "POST":
            raise _Answer(405, "Send data with POST.", {"Allow": "POST"})
        if not self._is_configured:
            raise _Answer(503, "Starting: which devices there are is not known yet.", {"Retry-After": "1"})
        device = self._authenticated(scope)
        source, handler = self._source_for(device, target)
        if reason := self._why_log_is_down():
            raise _Answer(503, reason, {"Retry-After": "2"})
        held = _Held()
        try:
            body = await self._body(scope, receive, held)
            async with asyncio.timeout(self._limits.log_timeout_s):
                trouble = await handler(Pushed(target.path, target.query, body, device.username))
        except PayloadRefused as refused:
            raise _Answer(413, str(refused)) from refused
        except (LogUnavailable, TimeoutError) as error:
            sentence = str(error) or self._why_log_is_down() or "The log is too slow at the moment."
            raise _Answer(503, sentence, {"Retry-After": "2"}) from error
        finally:
            self._bytes -= held.size
        self.taken += 1
        if trouble:
            raise _Answer(400, f"{trouble} The body is kept among the dead letters of '{source.code}'.")

    def _tell_health(self, path: str) -> None:
        if path == "/ping":  # Influx 1 clients ask this before they write
            raise _Answer(204, headers={"X-Influxdb-Version": "1.8.10"})
        reason = self._why_log_is_down()
        if reason:
            raise _Answer(503, reason, {"Retry-After": "2"})
        raise _Answer(200, "Ready.")

    # ---- who ------------------------------------------------------------------------------------------------

    def _authenticated(self, scope: type_scope) -> Device:
        username, password = _credentials(scope)
        if not username:
            raise _Answer(401, "Send the device's user name and password.", _CHALLENGE)
        client = f"{(scope.get('client') or ('', 0))[0]} {username}"
        if self._guard.is_blocked(client):
            raise _Answer(429, "Too many wrong passwords for this device.", {"Retry-After": "60"})
        device = self._devices.get(username)
        wanted = device.password_sha256 if device is not None else _UNKNOWN_HASH
        given = hashlib.sha256(password.encode()).hexdigest()
        is_right = hmac.compare_digest(given.encode(), wanted.lower().encode())
        if device is None or not is_right:
            self._guard.wrong(client)
            raise _Answer(401, "The user name or the password is wrong.", _CHALLENGE)
        return device

    def _source_for(self, device: Device, target: _Target) -> tuple[SourceIdentity, PushHandler]:
        code = target.source_code
        if target.path == "write" and code not in self._open:
            mine = [name for name, (source, _) in self._open.items() if source.id in device.source_ids]
            if len(mine) == 1:
                code = mine[0]
            elif len(mine) > 1:
                raise _Answer(404, f"Name the source as db or bucket; this device has {', '.join(sorted(mine))}.")
            elif not code and self._awaited - self._open.keys():
                raise _Answer(503, "A source of this door is being opened.", {"Retry-After": "1"})
        found = self._open.get(code)
        if found is None:
            if code in self._awaited:
                raise _Answer(503, f"The source '{code}' is being opened.", {"Retry-After": "1"})
            if code in self._codes:
                raise _Answer(404, f"The source '{code}' is not open for HTTP push: disabled, or another connector.")
            raise _Answer(404, f"There is no source '{code}'." if code else "This device has no HTTP source.")
        if found[0].id not in device.source_ids:
            raise _Answer(403, f"The device '{device.username}' may not write to '{code}'.")
        return found

    # ---- what -----------------------------------------------------------------------------------------------

    def _hold(self, held: _Held, size: int) -> None:
        """Count bytes as they come: slow senders hold theirs for a long time."""
        held.size += size
        self._bytes += size
        if self._bytes > self._limits.bytes_at_once:
            raise _Answer(503, "Too many bytes at once.", {"Retry-After": "1"})

    async def _body(self, scope: type_scope, receive: type_receive, held: _Held) -> bytes:
        limits = self._limits
        encoding = _header(scope, b"content-encoding").lower()
        if encoding not in ("", "identity", "gzip", "deflate"):
            raise _Answer(415, f"The content encoding '{encoding[:40]}' is not known; use gzip.")
        announced = _header(scope, b"content-length")
        if announced.isdigit() and int(announced) > limits.wire_bytes:
            raise _Answer(413, f"The body has {announced} bytes; the limit is {limits.wire_bytes}.")
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(limits.body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Answer(400, "The client went away in the middle of the body.")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    self._hold(held, len(chunks[-1]))
                    if size > limits.wire_bytes:
                        raise _Answer(413, f"The body has more than {limits.wire_bytes} bytes.")
                    if not message.get("more_body"):
                        break
        except TimeoutError as error:
            raise _Answer(408, f"The body did not come within {limits.body_timeout_s:.0f} s.") from error
        whole = b"".join(chunks)
        if encoding in ("gzip", "deflate"):
            whole = _inflated(whole, 31 if encoding == "gzip" else 15, limits.body_bytes)
            self._hold(held, len(whole))
        return whole


_CHALLENGE = {"WWW-Authenticate": 'Basic realm="yuheng"'}


class _GuessGuard:
    """Counts wrong passwords by address and user name, so that one wrong device cannot lock out its neighbours."""

    def __init__(self, limits: DoorLimits) -> None:
        self._limits = limits
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # client -> (how many, since)

    def wrong(self, client: str) -> None:
        now = asyncio.get_running_loop().time()
        count, since = self._wrong.pop(client, (0, now))
        if now - since > self._limits.wrong_passwords_in_s:
            count, since = 0, now
        self._wrong[client] = (count + 1, since)
        while len(self._wrong) > self._limits.remembered_clients:
            self._wrong.popitem(last=False)

    def is_blocked(self, client: str) -> bool:
        count, since = self._wrong.get(client, (0, 0.0))
        if count < self._limits.wrong_passwords:
            return False
        return asyncio.get_running_loop().time() - since <= self._limits.wrong_passwords_in_s


def _target_of(scope: type_scope) -> _Target:
    path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
    if path in _WRITE_PATHS:
        asked = parse_qs(query)
        name = (asked.get("bucket") or asked.get("db") or [""])[0]
        precision = asked.get("precision", [""])[0]
        return _Target(name.partition("/")[0], "write", f"precision={precision}" if precision else "")
    found = _PUSH_PATH.fullmatch(path)
    if found is None:
        raise _Answer(404, "There is nothing here. Use POST /push/<source>, /write or /api/v2/write.")
    rest = f"push/{found.group(2)}" if found.group(2) else "push"
    return _Target(found.group(1), rest, "")


def _credentials(scope: type_scope) -> tuple[str, str]:
    scheme, _, rest = _header(scope, b"authorization").partition(" ")
    text = rest.strip()
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _Answer(401, "The Authorization header cannot be read.", _CHALLENGE) from error
    elif scheme.lower() not in ("token", "bearer"):
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        return asked.get("u", [""])[0], asked.get("p", [""])[0]
    username, _, password = text.partition(":")
    return (unquote(username), unquote(password)) if "%" in username else (username, password)


def _header(scope: type_scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _inflated(body: bytes, window_bits: int, limit: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    try:
        whole = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise _Answer(400, f"The body cannot be inflated: {error}.") from error
    if len(whole) > limit:
        raise _Answer(413, f"The body inflates to more than {limit} bytes.")
    if not inflater.eof:
        raise _Answer(400, "The compressed body is cut off.")
    return whole


async def _send(send: type_send, answer: _Answer, *, is_head: bool) -> None:
    is_error = answer.status >= 400
    text = {"code": _CODES.get(answer.status, "error"), "message": answer.sentence, "error": answer.sentence}
    body = json.dumps(text, ensure_ascii=False).encode() if is_error else answer.sentence.encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    if answer.status != 204:
        kind = b"application/json; charset=utf-8" if is_error else b"text/plain; charset=utf-8"
        headers += [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head or answer.status == 204 else body})


_CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    408: "timeout",
    413: "request too large",
    415: "unsupported media type",
    429: "too many requests",
    503: "unavailable",
}
