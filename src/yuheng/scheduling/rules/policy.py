"""How a site plans: what one setting row holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of one site; minutes unless said.

    Attributes
    ----------
    frozen_min
        What starts within this time keeps its machine and start in every re-plan.
    stability
        0 (as little lateness as possible) to 1 (change nothing): where "balanced" is.
    stop_min
        How long a stop is taken to last of which nothing is known.
    hold_h, material_h
        How many hours a hold without an end, and material without a date, are taken to last.
    solve_s
        Seconds of search for a plan that somebody asks for.
    nightly_at
        When a plan is made by itself every night, in the site's time; None: never.
    suggests
        Whether a disturbance leads to suggestions.
    places_new
        Whether newly released work gets its place in the published plan by itself, behind what is planned.
    least_stop_s
        A machine that stands for less is no disturbance.
    """

    frozen_min: int = 60
    stability: float = 0.5
    stop_min: int = 60
    hold_h: int = 8
    material_h: int = 24
    solve_s: int = 10
    nightly_at: time | None = None
    suggests: bool = True
    places_new: bool = True
    least_stop_s: int = 0
