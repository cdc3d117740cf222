"""An alarm rule tried on history: the episodes it would have raised, judged as live; nothing is stored."""

from __future__ import annotations

import numpy as np

from yuheng.bus.documents import AlarmRule, Plant
from yuheng.bus.messages import StatesPreviewQuestion
from yuheng.engines.alarms.evaluation import Heard, UnitAlarms
from yuheng.engines.alarms.vocabulary import FactKind
from yuheng.engines.states.intervals import changed_within
from yuheng.historian.alarms import judgement_of
from yuheng.historian.rederive import History, preview_states, read_history
from yuheng.historian.store import Store

type_episode = tuple[int, int | None, int]
"""Start, end (None while it lasts at the span's end), how often active in it."""

MAX_EPISODES = 1_000
"""Of one unit; more say only that the limit is wrong."""


def preview_alarm(
    store: Store, plant: Plant, rule: AlarmRule, start_us: int, end_us: int
) -> dict[int, list[type_episode]]:
    """Return the episodes of each work unit in ``[start_us, end_us)``. Raises `RuleError`."""
    wanted = set(rule.work_unit_ids)
    units = [unit for unit in plant.work_units if unit.id in wanted]
    variants = {variant.work_unit_id: variant for variant in rule.variants}
    judgements = {unit.id: judgement_of(rule, unit, variants.get(unit.id)) for unit in units}
    states = preview_states(store, plant, StatesPreviewQuestion([unit.id for unit in units], start_us, end_us))
    named = {unit.id: {s: unit.symbols[s] for s in judgements[unit.id].symbols if s in unit.symbols} for unit in units}
    tags = sorted({tag for symbols in named.values() for tag in symbols.values()})
    history = read_history(store, tags, start_us, end_us) if tags else None
    found: dict[int, list[type_episode]] = {}
    for unit in units:
        alarms = UnitAlarms(unit.id)
        alarms.judge_by([judgements[unit.id]])
        heard = [
            Heard(interval.start_us, state=interval.state, cause=interval.cause)
            for interval in states.get(str(unit.id), [])
        ]
        if history is not None:
            heard += _heard(history, named[unit.id])
        heard.sort(key=lambda one: one.time_us)
        told = [*alarms.hear(heard), *alarms.advance(end_us - 1)]
        found[unit.id] = _episodes([(one.kind, one.time_us, one.count) for one in told], start_us, end_us)
    return found


def _heard(history: History, symbols: dict[str, int]) -> list[Heard]:
    """Return the values of a unit's symbols that differ from the one before, and the newest before the span."""
    names = list(symbols)
    name_of = {tag: name for name, tag in symbols.items()}
    heard = [Heard(t, name_of[tag], value) for tag, (t, value) in history.base.items() if tag in name_of]
    tags = np.fromiter(symbols.values(), np.uint32, len(names))
    mine = np.flatnonzero(np.isin(history.tag, tags))
    if len(mine):
        order = np.argsort(tags)
        index = order[np.searchsorted(tags[order], history.tag[mine])].astype(np.int64)
        keep = np.flatnonzero(changed_within(index, history.value[mine], history.is_bad[mine]))
        columns = (history.time_us[mine][keep], index[keep], history.value[mine][keep], history.is_bad[mine][keep])
        heard += [
            Heard(t, names[i], None if bad else value)
            for t, i, value, bad in zip(*(column.tolist() for column in columns), strict=True)
        ]
    heard += [Heard(t, name_of[tag], text) for t, tag, text in history.texts if tag in name_of]
    return heard


def _episodes(facts: list[tuple[FactKind, int, int]], start_us: int, end_us: int) -> list[type_episode]:
    """Put facts together; a return within the chatter window goes on with the episode before."""
    found: list[type_episode] = []
    for kind, time_us, count in facts:
        if kind is FactKind.ACTIVATED:
            found.append((time_us, None, count))
        elif found and kind in (FactKind.REPEATED, FactKind.CHATTERING):
            found[-1] = (found[-1][0], None, count)
        elif found and kind is FactKind.CLEARED:
            found[-1] = (found[-1][0], time_us, count)
    inside = [one for one in found if one[0] < end_us and (one[1] is None or one[1] >= start_us)]
    return inside[:MAX_EPISODES]
