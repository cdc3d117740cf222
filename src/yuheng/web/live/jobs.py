"""What the work units of a site make, live: the topic that tiles and station pages listen to.

The page is drawn with what is true, and asks again now and then; between, these small changes keep it current within a
second. A change that was lost is made good by the next one of the same unit.
"""

from __future__ import annotations

import time

import msgspec

from yuheng.bus.messages import JobLive, LiveJobs
from yuheng.web.live.streams import Topic, encoded


class JobsFrame(msgspec.Struct, frozen=True):
    """Work units whose jobs changed; a ``snapshot`` holds what was heard since this server listens."""

    topic: str
    now_us: int
    jobs: list[JobLive]


class JobsTopic(Topic):
    """The jobs of a site's work units."""

    def __init__(self, site_id: int) -> None:
        super().__init__(f"jobs:{site_id}")
        self._known: dict[int, JobLive] = {}
        self._changed: dict[int, JobLive] = {}

    def apply(self, message: LiveJobs) -> None:
        """Take over changes; only the newest of a unit is kept."""
        for job in message.jobs:
            self._known[job.work_unit_id] = self._changed[job.work_unit_id] = job

    def snapshot(self) -> bytes:
        """Return what is known."""
        return self._frame("snapshot", list(self._known.values()))

    def push_changes(self) -> None:
        """Send what changed since the last push."""
        changed, self._changed = list(self._changed.values()), {}
        if changed and self.clients:
            self.send(self._frame("delta", changed))

    def _frame(self, event: str, jobs: list[JobLive]) -> bytes:
        now_us = time.time_ns() // 1000
        return encoded(event, JobsFrame(self.name, now_us, jobs), f"j-{now_us}")
