"""Whether a value may be trusted as the present one. The only place that says so; the islands are told the outcome.

Many devices speak by exception: what did not change is not sent. Such a value is old and still true. So a value is
doubtful when its quality says so, or when the one who would have told of a change has fallen silent: never because it
has not changed for long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from yuheng.engines.points import Quality

HOLDING_CONNECTORS = frozenset({"sparkplug_b"})
"""Connectors whose last value holds until a death certificate says otherwise; the death gives each tag BAD quality.

Sparkplug 3.0.0, 6.4.21 and 6.4.25. The broker sends the death for a node that is gone, so silence means "no change".
"""
FOREVER_US = 2**53 - 1
MIN_SILENCE_S = 30.0
"""Nobody is called silent before this, however fast the tags are."""


def heard_by_source(
    times_us: Iterable[tuple[int, int]], connectors: Mapping[int, str], unit_seen_us: int
) -> dict[int, int]:
    """Return for each source of a work unit until when it is known to be there, microseconds UTC.

    Parameters
    ----------
    times_us
        (source id, newest time) of each tag of the unit; time 0: never heard.
    connectors
        Source id -> connector. Sources that hold their values are there for ever: `FOREVER_US`.
    unit_seen_us
        Newest time of anything of the unit. It counts values that did not change enough to be kept, but does not say
        which source they came from: used when there is one source only.
    """
    found: dict[int, int] = {}
    for source_id, time_us in times_us:
        found[source_id] = max(found.get(source_id, 0), time_us)
    if len(found) == 1:
        found = {source_id: max(time_us, unit_seen_us) for source_id, time_us in found.items()}
    return {source: FOREVER_US if connectors.get(source) in HOLDING_CONNECTORS else at for source, at in found.items()}


def is_silent(heard_us: int, stale_after_s: float, now_us: int) -> bool:
    """Return whether the one who would tell of a change was not heard for too long. Twin in ``station.js``."""
    return now_us - heard_us > stale_after_s * 1e6


def is_current(quality: int, time_us: int, heard_us: int, stale_after_s: float, now_us: int) -> bool:
    """Return whether a value may be used as the present one."""
    return time_us > 0 and quality < Quality.UNCERTAIN and not is_silent(heard_us, stale_after_s, now_us)
