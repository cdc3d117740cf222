"""``/static/*`` as a bare ASGI application: from memory, packed, and kept for ever when the address has the hash."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from yuheng.web.assets import ASSETS, Asset
from yuheng.web.security import ASGI_HEADERS

FOR_EVER = b"public, max-age=31536000, immutable"
ASK_AGAIN = b"no-cache"


async def static(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one static file."""
    name = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/static").lstrip("/")
    asset = ASSETS.find(name) if scope["method"] in {"GET", "HEAD"} and ".." not in name else None
    if asset is None:
        await _send(send, 404, [(b"content-type", b"text/plain")], b"There is no such file.")
        return
    asked = {key: value for key, value in scope["headers"] if key in {b"if-none-match", b"accept-encoding"}}
    version = parse_qs(scope["query_string"].decode("latin-1")).get("v", [""])[0]
    etag = f'"{asset.version}"'.encode()
    headers = [
        (b"content-type", asset.content_type.encode()),
        (b"etag", etag),
        (b"vary", b"accept-encoding"),
        (b"cache-control", FOR_EVER if version == asset.version else ASK_AGAIN),
    ]
    if etag in asked.get(b"if-none-match", b""):
        await _send(send, 304, headers, b"")
        return
    body, packing = _body(asset, asked.get(b"accept-encoding", b""))
    headers += [*packing, (b"content-length", str(len(body)).encode())]
    await _send(send, 200, headers, b"" if scope["method"] == "HEAD" else body)


def _body(asset: Asset, accepted: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    if asset.packed is not None and b"gzip" in accepted:
        return asset.packed, [(b"content-encoding", b"gzip")]
    return asset.body, []


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *ASGI_HEADERS]})
    await send({"type": "http.response.body", "body": body})
