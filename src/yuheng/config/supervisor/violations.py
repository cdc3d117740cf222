"""Publishes that the broker refused: read from its log, counted by client and subject, told to the dead letters.

nats-server acknowledges such an MQTT publish and throws it away, so the log line is the only trace of it. It names
the MQTT client id; only for NATS clients does it name the user.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

_LINE = re.compile(
    r'(?:- "(?P<client>[^"]*)" )?- Publish Violation - '
    r'(?:(?:User|Nkey) "(?P<user>[^"]*)".*?)?Subject "(?P<subject>[^"]*)"'
)
MAX_DISTINCT = 1000
"""Distinct (client, subject) pairs kept; the rest counts as ``("other", "")``: a hostile client may invent subjects."""


@dataclass(slots=True)
class Violations:
    """What was refused since the start, and what has not been told yet."""

    total: int = 0
    by_pair: Counter[tuple[str, str]] = field(default_factory=Counter)
    untold: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, line: str) -> None:
        """Look at one line of the broker's log.

        Examples
        --------
        >>> seen = Violations()
        >>> seen.take('[7] [ERR] 127.0.0.1:36475 - mid:51 - "laser" - Publish Violation - Subject "plant.welding.x"')
        >>> seen.take('[7] [ERR] 127.0.0.1:9 - cid:5 - Publish Violation - User "edge", Subject "a.b"')
        >>> seen.by_pair[("laser", "plant.welding.x")], seen.by_pair[("edge", "a.b")]
        (1, 1)
        """
        found = _LINE.search(line)
        if found is None:
            return
        pair = (found["user"] or found["client"] or "unknown", found["subject"])
        if pair not in self.by_pair and len(self.by_pair) >= MAX_DISTINCT:
            pair = ("other", "")
        self.total += 1
        self.by_pair[pair] += 1
        self.untold[pair] += 1

    def take_untold(self) -> dict[tuple[str, str], int]:
        """Return and forget what has not been told."""
        untold, self.untold = self.untold, Counter()
        return dict(untold)

    def top(self, count: int = 20) -> list[dict[str, object]]:
        """Return the most frequent pairs, for ``status.json``."""
        return [
            {"client": client, "subject": subject, "count": n}
            for (client, subject), n in self.by_pair.most_common(count)
        ]
