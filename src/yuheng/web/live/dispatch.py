"""That plan, disturbances or suggestions of a site changed: the topic that dispatch pages and the command centre hear.

It says only that there is something; the page asks for what its reader may see. So nothing is lost with a message, and
nobody hears what they must not.
"""

from __future__ import annotations

import time

import msgspec

from yuheng.bus.messages import DispatchLive
from yuheng.web.live.streams import Topic, encoded


class DispatchFrame(msgspec.Struct, frozen=True):
    """``at_us``: when the last change was told, 0: none since this server listens. ``plan_id``: what then held."""

    topic: str
    now_us: int
    at_us: int
    plan_id: int


class DispatchTopic(Topic):
    """What the planner and whoever publishes told about a site."""

    def __init__(self, site_id: int) -> None:
        super().__init__(f"dispatch:{site_id}")
        self._at_us = 0
        self._plan_id = 0

    def apply(self, message: DispatchLive) -> None:
        """Tell it at once: it is rare, and somebody stands before a machine."""
        self._at_us = message.at_us
        self._plan_id = message.plan_id or self._plan_id
        if self.clients:
            self.send(self._frame("delta"))

    def snapshot(self) -> bytes:
        """Return when something changed last."""
        return self._frame("snapshot")

    def _frame(self, event: str) -> bytes:
        now_us = time.time_ns() // 1000
        return encoded(event, DispatchFrame(self.name, now_us, self._at_us, self._plan_id), f"p-{now_us}")
