"""The planner's child: solves what waits and goes. A long search never delays an answer to a breakdown."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from datetime import UTC, datetime

from django.db import DatabaseError, connection

from yuheng.scheduling.services import scenarios

LOGGER = logging.getLogger(__name__)

LINGER_S = 30.0
"""A child that has nothing to do waits so long for the next one: most what-ifs come in a row."""
LOOK_S = 0.2


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def solve_all() -> None:
    """Solve until nothing has waited for `LINGER_S`, or until asked to stop: what is under way waits again then."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    idle_since = time.monotonic()
    while not stop.is_set() and time.monotonic() - idle_since < LINGER_S:
        try:
            if scenarios.work_once(now=now, stop=stop, overdue=_end_hard) is not None:
                idle_since = time.monotonic()
                continue
        except DatabaseError as error:
            LOGGER.warning("The database does not answer: %s", str(error).splitlines()[0] if str(error) else error)
            connection.close()
        except Exception:  # said on the what-if already; the next one is solved
            LOGGER.exception("A plan could not be made.")
        stop.wait(LOOK_S)


def _end_hard() -> None:
    """End while the engine hangs: the planner starts another child for what waits."""
    LOGGER.error("The engine did not come back in time; this child ends.")
    os._exit(3)
