"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], *, what: str, deadline_s: float, pause_s: float = 0.05) -> None:
    """Ask every ``pause_s`` until the condition holds.

    Raises
    ------
    TimeoutError
        It did not within ``deadline_s``; the message names ``what``.
    """
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {deadline_s:.0f} s in vain for {what}.")
        time.sleep(pause_s)
