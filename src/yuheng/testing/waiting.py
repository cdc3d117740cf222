"""Waiting in tests for something to become true, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], object], *, timeout_s: float = 30.0, pause_s: float = 0.01) -> None:
    """Ask every ``pause_s`` until the condition holds, or fail after ``timeout_s``.

    A question that itself takes long needs a pause in proportion: it holds the loop that is to make it true.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"Did not become true within {timeout_s:g} s.")
        await asyncio.sleep(pause_s)
