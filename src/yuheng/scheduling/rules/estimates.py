"""When a machine that stands is back: what somebody said, what such stops usually take, or what the plant assumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LEAST_LEFT = timedelta(minutes=5)
"""A stop that has outlasted its estimate is taken to last this long, or a quarter of what it has lasted already."""


class Basis(StrEnum):
    """Where an expected end comes from. Shown beside it: an estimate never looks like a fact."""

    SAID = "said"  # somebody entered it
    CAUSE = "cause"  # the usual length of stops of this machine with this cause
    MACHINE = "machine"  # of all stops of this machine
    DEFAULT = "default"  # the plant's setting: nothing is known


@dataclass(frozen=True, slots=True)
class Estimate:
    """When a machine is expected back."""

    end: datetime
    basis: Basis


def back_at(
    *,
    work_unit_id: int,
    cause: str,
    since: datetime,
    now: datetime,
    usual: Mapping[tuple[int, str], float],
    default_s: float,
    said: datetime | None = None,
) -> Estimate:
    """Return when a machine that stands since ``since`` is expected back.

    Parameters
    ----------
    usual
        (work unit, cause) -> median seconds; cause "" for all causes.
    said
        What somebody entered; in the past it holds no more.

    Notes
    -----
    A stop that goes on beyond what is usual is not over at once: it gets a quarter of the time that it has lasted.
    A machine whose clock is wrong may say a beginning in the future: then it began now.
    """
    began = min(since, now)
    if said is not None and said > now:
        return Estimate(said, Basis.SAID)
    basis, seconds = Basis.DEFAULT, default_s
    if cause and (work_unit_id, cause) in usual:
        basis, seconds = Basis.CAUSE, usual[work_unit_id, cause]
    elif (work_unit_id, "") in usual:
        basis, seconds = Basis.MACHINE, usual[work_unit_id, ""]
    soonest = now + max(LEAST_LEFT, (now - began) / 4)
    expected = began + timedelta(seconds=seconds)
    return Estimate(expected if expected > now + LEAST_LEFT else soonest, basis)
