"""Waiting in tests for something to become true, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    """Ask every 10 ms until the condition holds, or fail after ``timeout_s``."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"Did not become true within {timeout_s:g} s.")
        await asyncio.sleep(0.01)
