"""Which lots a person takes for a job: the oldest first, as much as is still needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yuheng.simulation.products import NONE

LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Pick:
    """So much of a lot for one line of a job's material."""

    requirement: int
    lot: str  # its URI, as its label says when it is scanned
    quantity: float


@dataclass(frozen=True, slots=True)
class Picked:
    """What was found, and codes of materials of which there is less than needed."""

    picks: tuple[Pick, ...]
    short: tuple[str, ...]


def pick(materials: Iterable[Mapping[str, Any]], *, only_tracked: bool = False) -> Picked:
    """Choose lots for what a job still needs.

    Parameters
    ----------
    materials
        As in the terminal's picture: ``id, material_code, tracking, needed, consumed, lots`` (``uri, quantity``).
    only_tracked
        Leave out what is told apart by nothing.

    Examples
    --------
    >>> lots = [{"uri": "urn:a", "quantity": 3.0}, {"uri": "urn:b", "quantity": 9.0}]
    >>> line = {"id": 1, "material_code": "S", "tracking": "lot", "needed": 5.0, "consumed": 0.0, "lots": lots}
    >>> [(one.lot, one.quantity) for one in pick([line]).picks]
    [('urn:a', 3.0), ('urn:b', 2.0)]
    """
    picks: list[Pick] = []
    short: list[str] = []
    taken: dict[str, float] = {}  # two lines may ask for the same lot
    for line in materials:
        is_tracked = line["tracking"] != NONE
        if only_tracked and not is_tracked:
            continue
        left = line["needed"] - line["consumed"]
        for lot in line["lots"]:
            there = lot["quantity"] - taken.get(lot["uri"], 0.0)
            part = round(min(left, there), 6)
            if part > LEAST:
                picks.append(Pick(line["id"], lot["uri"], part))
                taken[lot["uri"]] = taken.get(lot["uri"], 0.0) + part
                left -= part
            if left <= LEAST:
                break
        if left > LEAST and is_tracked:
            short.append(line["material_code"])
    return Picked(tuple(picks), tuple(short))


def measured(check: Mapping[str, Any], chance: float) -> float:
    """Return what somebody measures: around the target, and within the limits.

    Parameters
    ----------
    chance
        From 0 to 1: where between the limits, 0.5 at the target.
    """
    low, high = check.get("low"), check.get("high")
    target = check.get("target")
    least = float(low) if low is not None else float(target or 0.0) - 1.0
    most = float(high) if high is not None else float(target or 0.0) + 1.0
    middle = float(target) if target is not None else (least + most) / 2
    side = (most - middle) if chance >= 0.5 else (middle - least)
    return round(middle + (chance - 0.5) * 1.6 * side, 3)


def answer(check: Mapping[str, Any], chance: float) -> dict[str, Any]:
    """Return the payload with which a terminal reports a check as passed."""
    if check["kind"] == "measured":
        return {"check": check["code"], "value": measured(check, chance)}
    return {"check": check["code"], "passed": True}


def open_checks(checks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the checks of a job, as in the terminal's picture, that have not passed yet."""
    return [check for check in checks if not (check.get("done") or {}).get("passed")]
