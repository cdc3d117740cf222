"""States derived from the store: previews of rules on history, and units to which late samples came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.bus.documents import Plant, StateRule, WorkUnit
from yuheng.bus.messages import Interval, StatesPreviewQuestion
from yuheng.engines.points import Quality
from yuheng.engines.states.intervals import Change, Derivation, Event, derive, events_of
from yuheng.engines.states.rules import RuleSet, compile_rules
from yuheng.historian import queries
from yuheng.historian.sampled import Series
from yuheng.historian.series import read_series
from yuheng.historian.store import Store
from yuheng.historian.units import Emission, add_difference, compiled_rules, intervals_of

_TAGS = "tag IN {tags:Array(UInt32)}"
_SPAN = "time >= fromUnixTimestamp64Micro({start:Int64}, 'UTC') AND time < fromUnixTimestamp64Micro({end:Int64}, 'UTC')"


@dataclass(frozen=True, slots=True)
class History:
    """Samples of some tags in time order; texts as events by tag."""

    time_us: npt.NDArray[np.int64]
    tag: npt.NDArray[np.uint32]
    value: npt.NDArray[np.float64]
    is_bad: npt.NDArray[np.bool_]
    texts: list[tuple[int, int, str | None]]  # time, tag, text
    base: Mapping[int, tuple[int, float | str | None]]  # tag -> newest (time, value) before the start


def read_history(store: Store, tags: Sequence[int], start_us: int, end_us: int) -> History:
    """Read what the derivation needs of ``[start, end)``, and the newest values before."""
    tags, calculated = store.calculations.split(tags)
    span = {"tags": tags, "start": start_us, "end": end_us}
    table = store.arrow(
        f"SELECT toUnixTimestamp64Micro(time) AS t, tag, value, quality FROM samples FINAL "
        f"WHERE {_TAGS} AND {_SPAN} ORDER BY time, seq",
        span,
    )
    texts = store.rows(
        f"SELECT toUnixTimestamp64Micro(time), tag, text, quality FROM text_samples FINAL "
        f"WHERE {_TAGS} AND {_SPAN} ORDER BY time, seq",
        span,
    )
    before = queries.latest_at(store, tags, start_us - 1).to_pylist()
    base: dict[int, tuple[int, float | str | None]] = {}
    for row in before:
        value = None if row["quality"] >= Quality.BAD else row["text"] if row["text"] is not None else row["value"]
        base[row["tag"]] = (int(row["time"].timestamp() * 1_000_000), value)
    columns = (
        np.asarray(table["t"], np.int64),
        np.asarray(table["tag"], np.uint32),
        np.asarray(table["value"], np.float64),
        np.asarray(table["quality"]) >= Quality.BAD,
    )
    if calculated:
        columns = _with_calculated(columns, read_series(store, calculated, start_us, end_us), start_us, base)
    return History(
        *columns,
        [(t, tag, None if quality >= Quality.BAD else text) for t, tag, text, quality in texts],
        base,
    )


type_columns = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def _with_calculated(
    columns: type_columns,
    series: Mapping[int, Series],
    start_us: int,
    base: dict[int, tuple[int, float | str | None]],
) -> type_columns:
    """Put calculated samples among the others, in order of time; what was held before goes to ``base``."""
    parts = [columns]
    for tag, one in series.items():
        first = int(np.searchsorted(one.time_us, start_us))
        if first:
            held = float(one.value[first - 1])
            base[tag] = (int(one.time_us[first - 1]), None if np.isnan(held) else held)
        inside = one.value[first:]
        parts.append((one.time_us[first:], np.full(len(inside), tag, np.uint32), inside, np.isnan(inside)))
    time_us, tags, value, is_bad = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(time_us, kind="stable")
    return time_us[order], tags[order], value[order], is_bad[order]


def unit_events(history: History, symbols: Mapping[str, int], rules: RuleSet, timeout_us: int) -> list[Event]:
    """Return the events of one unit: newest values before the start, then what matters since."""
    names = [symbol if symbol in rules.symbols else "" for symbol in symbols]
    tags = np.fromiter(symbols.values(), np.uint32, len(symbols))
    name_of = {int(tag): name for tag, name in zip(tags, names, strict=True)}
    events = [Event(time_us, name_of[tag], value) for tag, (time_us, value) in history.base.items() if tag in name_of]
    mine = np.flatnonzero(np.isin(history.tag, tags))
    if len(mine):
        order = np.argsort(tags)
        index = order[np.searchsorted(tags[order], history.tag[mine])]
        events += events_of(
            history.time_us[mine],
            index.astype(np.int64),
            history.value[mine],
            history.is_bad[mine],
            names,
            timeout_us=timeout_us,
        )
    events += [Event(time_us, name_of[tag], text) for time_us, tag, text in history.texts if tag in name_of]
    events.sort(key=lambda event: event.time_us)
    return events


def clipped(changes: Sequence[Change], start_us: int) -> list[Change]:
    """Return changes as seen from ``start_us`` on: the one that holds then begins there."""
    before = [change for change in changes if change.start_us <= start_us]
    after = [change for change in changes if change.start_us > start_us]
    return [before[-1]._replace(start_us=start_us), *after] if before else after


def preview_states(store: Store, plant: Plant, question: StatesPreviewQuestion) -> dict[str, list[Interval]]:
    """Try rules on history; nothing is stored. Raises `RuleError` when the rules cannot be understood."""
    asked = set(question.work_unit_ids)
    units = [unit for unit in plant.work_units if unit.id in asked]
    tags = sorted({tag for unit in units for tag in unit.symbols.values()})
    if not tags:
        return {str(unit.id): [] for unit in units}
    rules = {unit.id: _rules_for(plant, unit, question) for unit in units}
    history = read_history(store, tags, question.start_us, question.end_us)
    found = {}
    for unit in units:
        timeout_us = int(unit.no_data_after_s * 1e6)
        events = unit_events(history, unit.symbols, rules[unit.id], timeout_us)
        changes = clipped(derive(rules[unit.id], timeout_us, events, until_us=question.end_us), question.start_us)
        shown = [change for change in changes if change.start_us < question.end_us]
        if not shown or shown[0].start_us > question.start_us:
            shown.insert(0, Change(question.start_us, 0, ""))
        found[str(unit.id)] = intervals_of(shown, question.end_us)
    return found


def _rules_for(plant: Plant, unit: WorkUnit, question: StatesPreviewQuestion) -> RuleSet:
    if question.rules is None:
        return compiled_rules(plant, unit)[0]
    try:
        tried = [
            StateRule(int(rule["state"]), str(rule["when"]), str(rule.get("cause", ""))) for rule in question.rules
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("A rule needs the fields 'state' (a number) and 'when' (an expression).") from error
    return compile_rules(tried, unit.symbols)


@dataclass(slots=True)
class Rederived:
    """One unit, derived anew up to ``until_us``."""

    unit_id: int
    changes: list[Change]
    until_us: int


def rederive(
    store: Store, plant: Plant, late: Mapping[int, tuple[int, int]], version: int
) -> tuple[Emission, list[Rederived]]:
    """Derive units anew from the store, from their oldest late sample on, in a thread.

    Parameters
    ----------
    late
        Unit id -> (oldest late time, newest time); everything up to the newest time is committed.

    Returns
    -------
    tuple
        What must be made durable and told, and the new changes of each unit.
    """
    units = [unit for unit in plant.work_units if unit.id in late]
    tags = sorted({tag for unit in units for tag in unit.symbols.values()})
    emission = Emission()
    found: list[Rederived] = []
    if not tags:
        return emission, found
    start_us = min(since for since, _ in late.values())
    end_us = max(until for _, until in late.values()) + 1
    history = read_history(store, tags, start_us, end_us)
    said = read_changes(store, [unit.id for unit in units], start_us)
    for unit in units:
        _, until_us = late[unit.id]
        rules, _ = compiled_rules(plant, unit)
        timeout_us = int(unit.no_data_after_s * 1e6)
        events = [e for e in unit_events(history, unit.symbols, rules, timeout_us) if e.time_us <= until_us]
        told = said.get(unit.id, [])
        earlier = [change for change in told if change.start_us < start_us]
        derivation = Derivation(rules, timeout_us)
        derivation.advance(events)
        fresh = clipped(derivation.changes, start_us)
        if earlier and fresh and fresh[0].start_us == start_us and fresh[0][1:] == earlier[-1][1:]:
            fresh = fresh[1:]
        changes = [*earlier, *fresh]
        later = [change for change in told if change.start_us > until_us]
        add_difference(emission, unit.id, told, [*changes, *later], version)
        found.append(Rederived(unit.id, [*changes, *later], until_us))
    return emission, found


def read_changes(store: Store, unit_ids: Sequence[int], since_us: int) -> dict[int, list[Change]]:
    """Return the stored changes of units since a time, and the one before it."""
    rows = store.rows(
        """
        SELECT unit, toUnixTimestamp64Micro(start) AS s, state, cause FROM state_changes FINAL
        WHERE unit IN {units:Array(UInt32)} AND start >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
        UNION ALL
        SELECT unit, toUnixTimestamp64Micro(start) AS s, state, cause FROM state_changes FINAL
        WHERE unit IN {units:Array(UInt32)} AND start < fromUnixTimestamp64Micro({since:Int64}, 'UTC')
        ORDER BY s DESC LIMIT 1 BY unit
        """,
        {"units": list(unit_ids), "since": since_us},
    )
    found: dict[int, list[Change]] = {}
    for unit, start_us, state, cause in sorted(tuple(row) for row in rows):
        found.setdefault(unit, []).append(Change(start_us, state, cause))
    return found
