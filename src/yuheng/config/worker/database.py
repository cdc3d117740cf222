"""The worker's one thread for Django: everything that touches the database goes through it, in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, connection
from django.db.utils import InterfaceError, InternalError, OperationalError

LOGGER = logging.getLogger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class DatabaseAway(Exception):
    """PostgreSQL does not answer now; try again."""


class Database:
    """Runs synchronous Django code in its own thread, and forgets the connection when it broke."""

    def __init__(self) -> None:
        self.is_there = True
        self.last_error = ""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")

    async def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Run ``work`` in the thread; raises `DatabaseAway` when the server is gone, else what ``work`` raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: self._guarded(work, *args, **kwargs))

    def _guarded(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        try:
            result = work(*args, **kwargs)
        except (OperationalError, InterfaceError, InternalError) as error:  # internal: read-only, after a failover
            self._note(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
            _forget_connection()
            raise DatabaseAway(self.last_error) from error
        except DatabaseError:
            if connection.connection is None or connection.connection.closed:
                _forget_connection()
            raise
        if not self.is_there:
            LOGGER.info("PostgreSQL answers again.")
            self.is_there, self.last_error = True, ""
        return result

    def _note(self, sentence: str) -> None:
        if self.is_there:
            LOGGER.warning("PostgreSQL does not answer: %s", sentence)
        self.is_there, self.last_error = False, sentence

    def close(self) -> None:
        """Let no more work in; the thread closes its connection when it is through. Does not wait for it."""
        self._executor.submit(_forget_connection)
        self._executor.shutdown(wait=False)


def _forget_connection() -> None:
    try:
        connection.close()
    except DatabaseError:  # it is broken: nothing to lose
        connection.connection = None
