"""What is true of signals without asking the database: topics, merged intervals, guesses, limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from yuheng.bus.subjects import subject_of_topic
from yuheng.engines.points import MAX_EXACT_INTEGER

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SAMPLES = 20
"""Samples kept for a dead-letter group: the newest."""
MAX_SAMPLE_BYTES = 64 * 1024
MAX_GROUP_BYTES = 2 * MAX_SAMPLE_BYTES
"""Samples of a group together; the newest one is kept whatever it weighs. So 64 MB a source and reason at most."""
MAX_GROUPS_OF_A_REASON = 500
"""Distinct topics or addresses kept apart for one source and reason; the rest share the group ``OTHERS``."""
OTHERS = "*"
MAX_WHAT = 400

_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,59}\Z")
_PRIVATE_FIRST_LEVELS = ("yh", "_INBOX", "_R_")
_RESERVED_WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "True", "False", "None", "true", "false"})


class DataType(StrEnum):
    """What a tag's values are. Numbers travel as float64; texts in their own table."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    TEXT = "text"


class DeadLetterState(StrEnum):
    """Where a dead-letter group stands."""

    OPEN = "open"
    REPLAYING = "replaying"
    REPLAYED = "replayed"
    RESOLVED = "resolved"


class CommandState(StrEnum):
    """Where a command to a machine stands."""

    REQUESTED = "requested"  # written down, not sent
    SENT = "sent"  # the gateway may have it
    CONFIRMED = "confirmed"  # the machine shows the value
    REFUSED = "refused"  # certainly not written
    TIMED_OUT = "timed_out"  # the machine took it but does not show it, or did not answer in time
    UNKNOWN = "unknown"  # nobody knows whether it was written


_COMMAND_MOVES = {
    CommandState.REQUESTED: {CommandState.SENT, CommandState.REFUSED},
    CommandState.SENT: set(CommandState) - {CommandState.SENT},
    CommandState.UNKNOWN: {CommandState.CONFIRMED, CommandState.REFUSED, CommandState.TIMED_OUT},
}


def may_become(state: str, following: str) -> bool:
    """Return whether a command may go from one state to another.

    What is known is final; what is unknown may become known when its outcome comes late. From sent back to requested
    only when certainly nobody heard it.

    Examples
    --------
    >>> may_become("sent", "unknown"), may_become("unknown", "confirmed"), may_become("confirmed", "sent")
    (True, True, False)
    """
    return following in _COMMAND_MOVES.get(CommandState(state), ())


# ---- time ---------------------------------------------------------------------------------------------------------


def moment(us: int) -> datetime:
    """Return microseconds since 1970 as an aware instant, exactly (no floating point)."""
    return EPOCH + timedelta(microseconds=us)


def microseconds(at: datetime) -> int:
    """Return an aware instant as microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


# ---- topics -------------------------------------------------------------------------------------------------------


def what_is_wrong_with_filter(topic_filter: str) -> str | None:
    """Say what is wrong with an MQTT topic filter; None when nothing is.

    Examples
    --------
    >>> what_is_wrong_with_filter("plant/+/laser/#")
    >>> what_is_wrong_with_filter("plant/a#")
    'wildcards'
    """
    levels = topic_filter.split("/")
    if not topic_filter:
        return "empty"
    if " " in topic_filter or "\0" in topic_filter:
        return "space"
    if any(("#" in level and (level != "#" or i != len(levels) - 1)) for i, level in enumerate(levels)):
        return "wildcards"
    if any("+" in level and level != "+" for level in levels):
        return "wildcards"
    if topic_filter.startswith("$"):
        return "private"
    return None


def what_is_wrong_with_device_filter(topic_filter: str) -> str | None:
    """Say what is wrong with a topic filter a device may use; stricter than `what_is_wrong_with_filter`.

    The first level must be a word: a device that may publish ``#`` could speak to the broker's own interface.
    """
    wrong = what_is_wrong_with_filter(topic_filter)
    if wrong:
        return wrong
    first = topic_filter.split("/")[0]
    if first in ("+", "#", ""):
        return "too_wide"
    return "private" if first in _PRIVATE_FIRST_LEVELS or first.startswith("$") else None


def filter_matches(topic_filter: str, topic: str) -> bool:
    """Return whether an MQTT filter covers a topic; ``a/#`` covers ``a`` too (MQTT 3.1.1, 4.7.1.2).

    Examples
    --------
    >>> [filter_matches("a/#", topic) for topic in ("a", "a/b", "a/b/c", "ab")]
    [True, True, True, False]
    >>> filter_matches("a/+/c", "a/b/c"), filter_matches("a/+", "a/b/c")
    (True, False)
    """
    wanted, levels = topic_filter.split("/"), topic.split("/")
    for i, word in enumerate(wanted):
        if word == "#":
            return True
        if i >= len(levels) or word not in ("+", levels[i]):
            return False
    return len(wanted) == len(levels)


def claiming(filters: Iterable[tuple[str, int]], topic: str) -> int | None:
    """Return the owner of the most specific filter that covers the topic (most levels named), None when none does."""
    best: tuple[int, int] | None = None
    for topic_filter, owner in filters:
        if filter_matches(topic_filter, topic):
            named = sum(level not in ("+", "#") for level in topic_filter.split("/"))
            if best is None or named > best[0]:
                best = (named, owner)
    return None if best is None else best[1]


def subjects_of_filters(filters: Iterable[str]) -> list[str]:
    """Return the NATS subjects that allow what the MQTT filters say; ``a/#`` becomes ``a.>`` and ``a``.

    Examples
    --------
    >>> subjects_of_filters(["a/#", "b/+/c"])
    ['a.>', 'a', 'b.*.c']
    """
    subjects: dict[str, None] = {}
    for topic_filter in filters:
        subjects[subject_of_topic(topic_filter)] = None
        if topic_filter.endswith("/#"):
            subjects[subject_of_topic(topic_filter[:-2])] = None
    return list(subjects)


def sparkplug_subscriptions(publish_topics: Iterable[str]) -> list[str]:
    """Return what a Sparkplug B node must hear: its commands and the state of the host (Sparkplug 3.0, 5.2).

    Examples
    --------
    >>> sparkplug_subscriptions(["spBv1.0/Plant/+/edge-1/#"])
    ['spBv1.0/Plant/NCMD/edge-1/#', 'spBv1.0/Plant/DCMD/edge-1/#', 'spBv1.0/STATE/#', 'STATE/#']
    """
    topics: dict[str, None] = {}
    for topic in publish_topics:
        levels = topic.split("/")
        if levels[0] != "spBv1.0":
            continue
        group = levels[1] if len(levels) > 1 and levels[1] != "#" else "+"
        node = levels[3] if len(levels) > 3 and levels[3] != "#" else "+"
        for command in ("NCMD", "DCMD"):
            topics[f"spBv1.0/{group}/{command}/{node}/#"] = None
        topics["spBv1.0/STATE/#"] = None
        topics["STATE/#"] = None
    return list(topics)


# ---- names --------------------------------------------------------------------------------------------------------


def is_symbol(text: str) -> bool:
    """Return whether a text can stand for a tag in a state rule."""
    return bool(_SYMBOL.match(text)) and text not in _RESERVED_WORDS


def is_username(text: str) -> bool:
    """Return whether a device may be called so; names beginning with ``yuheng`` are the processes' own."""
    return bool(_USERNAME.match(text)) and not text.lower().startswith("yuheng")


def name_of_address(address: str) -> str:
    """Return a readable name for an address: its last level, with spaces."""
    return address.rsplit("/", 1)[-1].replace("_", " ").strip()[:120] or address[:120]


def guess_data_type(values: Sequence[Any]) -> DataType:
    """Return the narrowest type that holds every value seen; float when none was.

    Examples
    --------
    >>> [str(guess_data_type(v)) for v in ([True, False], [1, 2], [1, 2.5], ["a", 1], [None], [2**60])]
    ['bool', 'int', 'float', 'text', 'float', 'text']
    """
    seen = [value for value in values if value is not None]
    if not seen:
        return DataType.FLOAT
    if all(isinstance(value, bool) for value in seen):
        return DataType.BOOL
    if all(isinstance(value, int) and not isinstance(value, bool) for value in seen):
        return DataType.INT if all(abs(value) <= MAX_EXACT_INTEGER for value in seen) else DataType.TEXT
    if all(isinstance(value, int | float) for value in seen):
        return DataType.FLOAT
    return DataType.TEXT


# ---- state intervals ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lasting:
    """A state from ``start_us`` to ``end_us`` (exclusive; None: still)."""

    state: int
    cause: str
    start_us: int
    end_us: int | None


def revised(stored: Sequence[Lasting], given: Sequence[Lasting], *, from_us: int) -> list[Lasting]:
    """Return the intervals after everything from ``from_us`` on was replaced by what is given.

    Parameters
    ----------
    stored, given
        Each ordered by start and without overlap. Given intervals that begin before ``from_us`` begin there.

    Returns
    -------
    list of Lasting
        Ordered, without overlap, without empty intervals; equal neighbours that touch are one.

    Raises
    ------
    ValueError
        The given intervals overlap or are out of order.

    Examples
    --------
    >>> revised([Lasting(2, "", 0, None)], [Lasting(5, "12", 10, None)], from_us=10)
    [Lasting(state=2, cause='', start_us=0, end_us=10), Lasting(state=5, cause='12', start_us=10, end_us=None)]
    """
    kept = [_cut(interval, from_us) for interval in stored if interval.start_us < from_us]
    fresh = [replace(interval, start_us=max(interval.start_us, from_us)) for interval in given]
    _check_order(fresh)
    merged: list[Lasting] = []
    for interval in kept + fresh:
        if interval.end_us is not None and interval.end_us <= interval.start_us:
            continue
        last = merged[-1] if merged else None
        if last and (last.state, last.cause, last.end_us) == (interval.state, interval.cause, interval.start_us):
            merged[-1] = replace(last, end_us=interval.end_us)
        else:
            merged.append(interval)
    return merged


def _cut(interval: Lasting, at_us: int) -> Lasting:
    if interval.end_us is not None and interval.end_us <= at_us:
        return interval
    return replace(interval, end_us=at_us)


def _check_order(intervals: Sequence[Lasting]) -> None:
    free_from: int | None = None
    for i, interval in enumerate(intervals):
        if free_from is not None and interval.start_us < free_from:
            raise ValueError("The intervals of the revision overlap or are out of order.")
        if interval.end_us is None:
            if i != len(intervals) - 1:
                raise ValueError("Only the last interval of a revision may be open.")
        else:
            free_from = max(interval.start_us, interval.end_us)
