"""Whether measured times say that a standard is wrong, and how a work master would say the right one. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from yuheng.performance.rules.spread import Spread

LEAST_JOBS = 8
"""So many job orders, or nothing is proposed."""
LEAST_CHANGE = 0.03
"""A standard that is off by less is right."""
WIDEST = 0.20
"""Half of the interval around the median may be so much of it, or the median is not known well enough."""


class Part(StrEnum):
    """Which time of a step."""

    SETUP = "setup"
    RUN = "run"


class Verdict(StrEnum):
    """What measured times say of a standard."""

    PROPOSED = "proposed"
    TOO_FEW = "too_few"
    TOO_WIDE = "too_wide"
    HOLDS = "holds"  # the standard lies where the median may lie, or next to the median
    NO_STANDARD = "no_standard"  # it comes from a log, or its step is gone from the work master


@dataclass(frozen=True, slots=True)
class Judged:
    """What follows: ``ratio`` is measured over planned; ``proposed_s`` only when something is proposed."""

    verdict: Verdict
    present_s: float | None
    proposed_s: float | None
    ratio: float | None


def judge(present_s: float | None, found: Spread | None) -> Judged:
    """Compare a standard with what was measured, both in seconds.

    Examples
    --------
    >>> judge(100.0, Spread(12, 130.0, 120.0, 140.0, 126.0, 133.0, ())).proposed_s
    130.0
    >>> judge(100.0, Spread(4, 130.0, 120.0, 140.0, None, None, ())).verdict.value
    'too_few'
    """
    if present_s is None:
        return Judged(Verdict.NO_STANDARD, None, None, None)
    ratio = found.median / present_s if found is not None and present_s > 0 else None
    if found is None or found.n < LEAST_JOBS or found.low is None or found.high is None:
        return Judged(Verdict.TOO_FEW, present_s, None, ratio)
    off = abs(found.median - present_s)
    if found.low <= present_s <= found.high or off <= LEAST_CHANGE * max(present_s, 1e-9):
        return Judged(Verdict.HOLDS, present_s, None, ratio)
    if found.median <= 0 or (found.high - found.low) / 2.0 > WIDEST * found.median:
        return Judged(Verdict.TOO_WIDE, present_s, None, ratio)
    return Judged(Verdict.PROPOSED, present_s, rounded(found.median), ratio)


def rounded(seconds: float) -> float:
    """Return seconds with three digits that mean something, as people write standards.

    Examples
    --------
    >>> rounded(127.384), rounded(12.7384), rounded(48213.0)
    (127.0, 12.7, 48200.0)
    """
    if seconds <= 0:
        return 0.0
    return float(f"{seconds:.3g}")


def plain_seconds(formula: str) -> float | None:
    """Return the seconds of a formula that is a bare number, else None.

    Examples
    --------
    >>> plain_seconds(" 90 "), plain_seconds("quantity(2, 'min')")
    (90.0, None)
    """
    try:
        found = float(formula.strip() or "0")
    except ValueError:
        return None
    return found if 0 <= found < 1e9 else None


def rewritten(formula: str, present_s: float, proposed_s: float) -> str:
    """Return the formula that gives the proposed time where the old one gave the present one.

    A bare number is replaced; what depends on the product keeps its form and gets a factor.

    Examples
    --------
    >>> rewritten("90", 90.0, 105.0), rewritten("30 + height * 2", 60.0, 75.0)
    ('105', '(30 + height * 2) * 1.25')
    """
    if plain_seconds(formula) is not None or present_s <= 0:
        return _number(proposed_s)
    return f"({formula.strip()}) * {_number(float(f'{proposed_s / present_s:.4g}'))}"


def _number(value: float) -> str:
    return format(Decimal(repr(value)).normalize(), "f")
