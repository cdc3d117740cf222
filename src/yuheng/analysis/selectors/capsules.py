"""Capsules: named slices of time of one work unit (stops, producing runs, cycles, conditions), and what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _

from yuheng.analysis.selectors import stops
from yuheng.analysis.trend_query import MAX_CAPSULES, TrendQuery
from yuheng.analysis.words import state_word
from yuheng.bus.messages import CyclesQuestion
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.names import local_name
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import cycles, states

LOOK_BACK_US = 31 * 86_400 * 1_000_000
"""How far before the range "the last 20" are looked for."""


@dataclass(frozen=True, slots=True)
class Capsule:
    """``[start_us, end_us)`` of a work unit; ``is_lasting``: it has not ended. ``facts`` are numbers by name."""

    start_us: int
    end_us: int
    label: str
    state: int | None = None
    is_lasting: bool = False
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def lasting_s(self) -> float:
        """How long it is."""
        return (self.end_us - self.start_us) / 1e6

    @property
    def start(self) -> datetime:
        """When it began."""
        return moment(self.start_us)

    @property
    def end(self) -> datetime:
        """When it ended."""
        return moment(self.end_us)


def capsules(
    *, actor: Actor, unit: equipment.WorkUnitRow, query: TrendQuery, now: datetime, start_us: int, end_us: int
) -> list[Capsule]:
    """Capsules of the kind asked for that touch [start_us, end_us), by start. At most `MAX_CAPSULES`: the newest."""
    finders: dict[str, Callable[[], list[Capsule]]] = {
        "stops": lambda: _stops(actor, unit, start_us, end_us, now),
        "runs": lambda: _in_state(actor, unit, start_us, end_us, now, UnitState.PRODUCING),
        "state": lambda: _in_state(actor, unit, start_us, end_us, now, query.state),
        "cycles": lambda: _cycles(actor, unit, query, start_us, min(end_us, microseconds(now))),
        "where": lambda: _cycles(actor, unit, query, start_us, min(end_us, microseconds(now))),
    }
    found = [
        one
        for one in finders[query.kind]()
        if one.lasting_s >= query.least_s and (not query.most_s or one.lasting_s <= query.most_s)
    ]
    return sorted(found, key=lambda one: one.start_us)[-MAX_CAPSULES:]


def last_capsules(*, actor: Actor, unit: equipment.WorkUnitRow, query: TrendQuery, now: datetime) -> list[Capsule]:
    """Return the capsules to lay over each other: those picked, else the last ones that ended before the range does.

    They are looked for further and further back, until there are enough.
    """
    if query.picked:
        low, high = min(query.picked), max(query.picked) + 1
        found = capsules(actor=actor, unit=unit, query=query, now=now, start_us=low, end_us=high)
        return [one for one in found if one.start_us in set(query.picked)]
    if query.kind in {"cycles", "where"}:
        end_us = min(query.end_us, microseconds(now))
        return _cycles(actor, unit, query, query.start_us - LOOK_BACK_US, end_us, query.last)
    back = query.span_us
    while True:
        found = capsules(
            actor=actor, unit=unit, query=query, now=now, start_us=query.end_us - back, end_us=query.end_us
        )
        whole = [one for one in found if one.end_us <= query.end_us or one.is_lasting][-query.last :]
        if len(whole) >= query.last or back >= LOOK_BACK_US:
            return whole
        back = min(LOOK_BACK_US, back * 4)


def _stops(actor: Actor, unit: equipment.WorkUnitRow, start_us: int, end_us: int, now: datetime) -> list[Capsule]:
    found = stops.stops(
        actor=actor,
        site_id=unit.site_id,
        start=moment(start_us),
        end=moment(end_us),
        now=now,
        at_least_s=0.0,
        work_unit_ids=[unit.id],
    )
    listed = []
    for stop in found.stops:
        said = [local_name(piece.reason) for piece in stop.pieces if piece.reason is not None]
        words = [state_word(stop.state), stop.cause_text, *dict.fromkeys(said)]
        label = " · ".join(word for word in words if word)
        span = microseconds(stop.start), microseconds(stop.end)
        listed.append(Capsule(*span, label, stop.state, stop.is_lasting))
    return listed


def _in_state(
    actor: Actor, unit: equipment.WorkUnitRow, start_us: int, end_us: int, now: datetime, state: int
) -> list[Capsule]:
    rows = states.states_between(actor=actor, start=moment(start_us), end=moment(end_us), work_unit_ids=[unit.id])
    causes = stops.cause_texts(actor=actor, site_id=unit.site_id)
    listed = []
    for row in rows:
        if row.state == state:
            end = row.ended_at or max(now, row.started_at)
            cause = causes.get((unit.class_id or 0, row.cause), row.cause)
            label = " · ".join(word for word in (state_word(state), cause) if word)
            is_lasting = row.ended_at is None
            listed.append(Capsule(microseconds(row.started_at), microseconds(end), label, state, is_lasting))
    return listed


def _cycles(
    actor: Actor, unit: equipment.WorkUnitRow, query: TrendQuery, start_us: int, end_us: int, last: int = 0
) -> list[Capsule]:
    """From one count to the next, or where a condition holds; those cut off by the range's start are left out."""
    condition = query.where if query.kind == "where" else ""
    if query.kind == "where" and not condition:
        raise InvalidInput(_("Write the condition, such as: temp > 80 and power_kw < 2."), {"where": ""})
    question = CyclesQuestion(
        start_us,
        max(end_us, start_us + 1),
        work_unit_id=unit.id,
        condition=condition,
        unless=query.unless,
        last=last,
        min_s=query.least_s,
        max_s=query.most_s,
    )
    found = cycles.cycles(actor=actor, question=question).cycles
    name = condition or _("Cycle")
    return [
        Capsule(one.start_us, one.end_us, name, None, not one.is_whole)
        for one in found
        if (one.is_whole or one.end_us >= end_us) and one.end_us > one.start_us
    ]


def span_pairs(found: Sequence[Capsule]) -> list[tuple[int, int]]:
    """Return starts and ends; those that have just begun are left out."""
    return [(one.start_us, one.end_us) for one in found if one.end_us > one.start_us]
