"""The ASGI pieces without Django's pages: static files, the stream's door, headers."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import pytest

from yuheng.kernel.actor import Actor
from yuheng.web.assets import ASSETS
from yuheng.web.live.hub import Hub
from yuheng.web.live.stream import BadToken, LiveStream
from yuheng.web.live_token import LIFETIME_S, make_token, read_token
from yuheng.web.security import ASGI_HEADERS, CONTENT_SECURITY_POLICY
from yuheng.web.static_server import static
from yuheng.web.tests.test_hub import FakeBus


async def ask(
    application: Any, path: str, query: str = "", headers: Mapping[str, str] | None = None, method: str = "GET"
):
    """Return (status, headers, body) of an answer."""
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    async def receive() -> dict:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in (headers or {}).items()],
    }
    await application(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], {key.decode(): value.decode() for key, value in sent[0]["headers"]}, body


async def test_an_address_with_the_right_hash_is_kept_for_ever():
    asset = ASSETS.find("web/tokens.css")
    assert asset is not None
    status, headers, body = await ask(static, "/static/web/tokens.css", f"v={asset.version}")
    assert (status, body) == (200, asset.body)
    assert "immutable" in headers["cache-control"]


async def test_an_address_with_another_hash_is_asked_for_again():
    _, headers, _ = await ask(static, "/static/web/tokens.css", "v=old")
    assert headers["cache-control"] == "no-cache"


async def test_an_unchanged_file_is_not_sent_twice():
    _, headers, _ = await ask(static, "/static/web/tokens.css")
    status, _, body = await ask(static, "/static/web/tokens.css", headers={"if-none-match": headers["etag"]})
    assert (status, body) == (304, b"")


async def test_text_is_packed_for_browsers_that_unpack():
    status, headers, body = await ask(static, "/static/web/components.css", headers={"accept-encoding": "gzip, br"})
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == ASSETS.find("web/components.css").body


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/web/none.css", "/static/", "/static/web"])
async def test_what_is_not_a_static_file_is_not_found(path: str):
    status, headers, _ = await ask(static, path)
    assert status == 404
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY


async def test_only_reading_is_allowed():
    status, _, _ = await ask(static, "/static/web/tokens.css", method="POST")
    assert status == 404


def test_modules_import_each_other_by_content():
    body = ASSETS.find("web/y-live-map.js").body.decode()
    live = ASSETS.find("web/live.js")
    assert f'from "./live.js?v={live.version}"' in body


def test_a_changed_file_gets_another_address(tmp_path, settings):
    settings.STATICFILES_DIRS = [tmp_path]
    from django.contrib.staticfiles import finders  # noqa: PLC0415

    finders.get_finder.cache_clear()
    try:
        (tmp_path / "a.js").write_text('import "./b.js";')
        (tmp_path / "b.js").write_text("export const x = 1;")
        before = ASSETS.find("a.js").version
        (tmp_path / "b.js").write_text("export const x = 22;")
        assert ASSETS.find("a.js").version != before
    finally:
        finders.get_finder.cache_clear()


def an_actor(**permissions: frozenset[str]) -> Actor:
    return Actor("person", "ben", permissions={int(site[1:]): names for site, names in permissions.items()})


def test_a_token_carries_the_sites_where_telemetry_may_be_seen():
    grant = read_token(make_token(an_actor(s1=frozenset({"telemetry.view"}), s2=frozenset({"equipment.view"}))))
    assert grant.sites == frozenset({1})
    everywhere = read_token(make_token(an_actor(s0=frozenset({"telemetry.view"}))))
    assert everywhere.sites is None


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: t + "x", lambda t: "", lambda t: "a:b:c", lambda t: ":::"]
)
def test_a_spoiled_token_is_refused(spoil):
    with pytest.raises(BadToken):
        read_token(spoil(make_token(an_actor(s1=frozenset({"telemetry.view"})))))


def test_an_old_token_is_refused(monkeypatch):
    token = make_token(an_actor(s1=frozenset({"telemetry.view"})))
    real = __import__("time").time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: real + LIFETIME_S + 2)
    with pytest.raises(BadToken):
        read_token(token)


async def test_the_stream_wants_a_token_and_known_topics():
    stream = LiveStream(Hub(FakeBus()), read_token, ASGI_HEADERS)
    token = make_token(an_actor(s1=frozenset({"telemetry.view"})))
    assert (await ask(stream, "/live", "topics=site:1"))[0] == 401
    assert (await ask(stream, "/live", f"topics=site:2&token={token}"))[0] == 404
    assert (await ask(stream, "/live", f"token={token}"))[0] == 404
    status, headers, body = await ask(stream, "/live", f"topics=site:1&token={token}")
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert body.startswith(b"retry: 1000")


def test_two_modules_name_a_third_alike(tmp_path):
    from django.contrib.staticfiles import finders  # noqa: PLC0415

    (tmp_path / "top.js").write_text('import "./left.js";\nimport "./base.js";')
    (tmp_path / "left.js").write_text('import "./base.js";')
    (tmp_path / "base.js").write_text("export const a = 1;")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finders, "find", lambda name: str(tmp_path / name))
        base = ASSETS.find("base.js").version
        top, left = (ASSETS.find(name).body.decode() for name in ("top.js", "left.js"))
        assert f"./base.js?v={base}" in top
        assert f"./base.js?v={base}" in left
        assert f"./left.js?v={ASSETS.find('left.js').version}" in top
