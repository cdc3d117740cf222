"""Browser stories: the web process' application in a thread, a real database, a fake broker that tests can command."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.feed import Feed, a_plant
from yuheng.config.web_server import WebServer, make_application
from yuheng.web import plant_data
from yuheng.web.live.hub import Hub


class RunningWeb:
    """The application on a free port, in a thread of its own."""

    def __init__(self, feed: Feed, port: int = 0) -> None:
        self.feed = feed
        self.port = port
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = ""

    def start(self) -> None:
        self._thread.start()
        if not self._started.wait(60):
            raise TimeoutError("The web server did not start.")

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(60)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        from django.core.asgi import get_asgi_application  # noqa: PLC0415 - needs settings

        self.feed.loop = asyncio.get_running_loop()
        hub = self.hub = Hub(self.feed)
        application = make_application(hub, hub.run, get_asgi_application())
        config = uvicorn.Config(
            application, port=self.port, log_level="warning", timeout_graceful_shutdown=1, lifespan="on"
        )
        self.server = WebServer(config, hub, when_ready=self._announce)
        config.load()
        await self.server.serve()

    def _announce(self) -> None:
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._started.set()


expect.set_options(timeout=30_000)  # a busy machine is slow; what never comes is found all the same

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser context, in Chinese; a script error or a refusal by the content policy fails the test."""
    context = browser.new_context(locale="zh-CN", viewport={"width": 1680, "height": 980})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    yield opened
    context.close()
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []


@pytest.fixture
def feed(django_db_serialized_rollback: None, transactional_db: None) -> Feed:
    return Feed(a_plant())


@pytest.fixture
def web(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningWeb]:
    feed.stand_in_for(monkeypatch, plant_data)
    running = RunningWeb(feed)
    running.start()
    yield running
    running.stop()
