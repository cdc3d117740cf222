"""Watching the store of dead letters: when it is full each new letter replaces the oldest, and that must be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class DeadStore:
    """What left ``YH_DEAD`` because there was no room, since the worker started.

    What a replay takes off leaves too: a look after which one ran counts nothing, so the number is a lower bound.
    """

    discarded: int = 0
    stored_bytes: int = 0
    bound_bytes: int = 0
    _gone: int | None = None

    def look(self, info: Mapping[str, Any], *, was_replaying: bool) -> None:
        """Take in an answer of ``$JS.API.STREAM.INFO``."""
        state = info["state"]
        self.stored_bytes = int(state["bytes"])
        self.bound_bytes = int(info["config"]["max_bytes"])
        gone = int(state["last_seq"]) - int(state["messages"])
        if self._gone is not None and not was_replaying:
            self.discarded += max(0, gone - self._gone)
        self._gone = gone
