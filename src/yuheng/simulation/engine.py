"""A discrete-event engine: a calendar of events, and one stream of chance for each machine.

Why not a library: SimPy and its kin resume generators, which hides the state of a machine in a suspended frame. Here a
machine's state must be readable at any moment (it is sampled once a second) and restartable in tests, so the plant is
written as plain callbacks, and what is left of an engine is a heap.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

Action = Callable[[], None]


@dataclass(order=True, slots=True)
class Event:
    """Something due at a time; of two due together, the one scheduled first happens first."""

    at: float
    order: int
    action: Action = field(compare=False)
    is_cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Let it not happen. Harmless when it has already happened."""
        self.is_cancelled = True


class EventCalendar:
    """Events in order of time. ``now`` is the model's clock, in seconds since 1970 (UTC)."""

    def __init__(self, start: float) -> None:
        self.now = start
        self._events: list[Event] = []
        self._order = count()

    def at(self, time: float, action: Action) -> Event:
        """Schedule an action.

        Raises
        ------
        ValueError
            The time has passed: an effect cannot come before its cause.
        """
        if time < self.now:
            raise ValueError(f"An event at {time:.3f} is {self.now - time:.3f} s in the past.")
        event = Event(time, next(self._order), action)
        heapq.heappush(self._events, event)
        return event

    def after(self, delay_s: float, action: Action) -> Event:
        """Schedule an action ``delay_s`` seconds from now."""
        return self.at(self.now + delay_s, action)

    def run_until(self, time: float) -> int:
        """Let everything due up to and including ``time`` happen; return how many events did.

        A time before ``now`` changes nothing: several edge devices may ask, each with its own clock.
        """
        happened = 0
        while self._events and self._events[0].at <= time:
            event = heapq.heappop(self._events)
            if event.is_cancelled:
                continue
            self.now = event.at
            event.action()
            happened += 1
        self.now = max(self.now, time)
        return happened


def chance(seed: int, name: str) -> random.Random:
    """Return the stream of random numbers that belongs to ``name``.

    Each machine draws from its own stream, so that one more machine leaves the fate of the others as it was.

    Examples
    --------
    >>> chance(7, "L01").random() == chance(7, "L01").random()
    True
    >>> chance(7, "L01").random() == chance(7, "L02").random()
    False
    """
    return random.Random(f"{seed}/{name}")  # a text seed is hashed with SHA-512: the same on every machine


def lognormal(stream: random.Random, mean: float, spread: float) -> float:
    """Draw a positive duration with the given mean and coefficient of variation.

    Parameters
    ----------
    mean
        Expected value, in any unit.
    spread
        Standard deviation divided by the mean.

    Notes
    -----
    For ``X = exp(N(mu, s²))``: ``s² = ln(1 + spread²)`` and ``mu = ln(mean) - s²/2``.
    """
    variance = math.log1p(spread * spread)
    return stream.lognormvariate(math.log(mean) - variance / 2, variance**0.5)


def weibull(stream: random.Random, mean: float, shape: float) -> float:
    """Draw a time to failure with the given mean; ``shape`` > 1 means that wear makes failure likelier with age."""
    return stream.weibullvariate(mean / math.gamma(1 + 1 / shape), shape)
