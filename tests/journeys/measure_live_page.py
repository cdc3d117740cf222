"""How much main-thread CPU the plant map costs: 2,000 tiles, a tenth of them changing every second.

Run as a test (gate: ≤ 60 ms a second, three runs, the least counts: neighbours only add) or by ``yuheng bench page``.
CPU time of the page's main thread comes from Chromium's own thread ticks, so the figure does not depend on how busy the
machine is.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page


def main_thread_ms_per_s(page: Page, change: Callable[[], None], *, seconds: int) -> float:
    """Return milliseconds of CPU that the page's main thread used per second while ``change`` ran once a second."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def used_ms() -> float:
        metrics = {row["name"]: row["value"] for row in session.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"]) * 1000

    before, began = used_ms(), time.monotonic()
    for second in range(1, seconds + 1):
        change()
        page.wait_for_timeout(max(0.0, (began + second - time.monotonic()) * 1000))
    spent, lasted = used_ms() - before, time.monotonic() - began
    session.detach()
    return spent / lasted
