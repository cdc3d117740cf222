"""How often each source speaks: messages a minute, over the last minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

WINDOW_S = 60.0


class MinuteRates:
    """Turns counters that only grow into rates over the last minute.

    Bounded: one copy of the counters for each second of the window; the oldest are forgotten.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[float, dict[int, int]]] = deque()

    def per_minute(self, totals: Mapping[int, int], now_s: float) -> dict[int, float]:
        """Return messages a minute by source.

        Parameters
        ----------
        totals
            Messages of each source since the start.
        now_s
            Monotonic clock, seconds. Called at most once a second is remembered.
        """
        if not self._past or now_s - self._past[-1][0] >= 0.9:
            self._past.append((now_s, dict(totals)))
        while len(self._past) > 2 and now_s - self._past[1][0] >= WINDOW_S:
            self._past.popleft()
        then_s, before = self._past[0]
        span_s = now_s - then_s
        if span_s <= 0:
            return {}
        return {source: round((count - before.get(source, 0)) * 60.0 / span_s, 1) for source, count in totals.items()}
