"""What the pages ask of telemetry and the historian, with one way of saying "cannot be had now".

Every function raises `Unavailable` with a sentence for the reader when the answer does not come in time; a page then says
so and shows the rest.
"""

from __future__ import annotations

from datetime import datetime

from yuheng.bus.messages import LiveSnapshot
from yuheng.kernel.actor import Actor
from yuheng.web.indicators import SourceNow

DEAD_LETTERS_URL = "/dead-letters"


class Unavailable(RuntimeError):
    """The answer did not come; the message says whose and is for the reader."""


def live_units(site_id: int) -> LiveSnapshot:
    """The state of every unit of a site now."""
    raise Unavailable("x")


def sources(*, actor: Actor, site_id: int) -> list[SourceNow]:
    """Data sources of a site and whether they speak."""
    raise Unavailable("x")


def open_dead_letters(*, actor: Actor, site_id: int) -> int:
    """How many groups of dead letters wait for somebody."""
    raise Unavailable("x")


def state_seconds(*, actor: Actor, site_id: int, start: datetime, end: datetime) -> dict[int, dict[int, float]]:
    """Seconds in each state: ``{work unit: {state: seconds}}``."""
    raise Unavailable("x")


def latest_by_unit(*, actor: Actor, site_id: int, role: str) -> dict[int, float]:
    """Latest good value of a role, by work unit."""
    raise Unavailable("x")


def growth_by_unit(site_id: int, role: str, start: datetime, end: datetime, *, actor: Actor) -> dict[int, float]:
    """Growth of the counters of a role over ``[start, end)``, by work unit."""
    raise Unavailable("x")
