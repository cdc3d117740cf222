"""The figures above the plant map, and who must look after what: computed from plain data, nothing fetched here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from yuheng.engines.states.vocabulary import UnitState
from yuheng.web.durations import in_words
from yuheng.web.states import LOOKS

ATTENTION_AFTER_S: dict[UnitState, float] = {
    UnitState.DOWN: 0.0,
    UnitState.NO_DATA: 0.0,
    UnitState.UNKNOWN: 300.0,
    UnitState.SETUP: 2400.0,
    UnitState.IDLE: 1800.0,
}
"""How long a unit may be in a state before somebody should look. Producing and planned stop need nobody."""
WAITING = frozenset({UnitState.IDLE, UnitState.SETUP})
"""States that turn yellow (priority 3) on the map when they last too long."""

_WEIGHT: dict[UnitState, float] = {
    UnitState.DOWN: 6.0,
    UnitState.NO_DATA: 3.0,
    UnitState.UNKNOWN: 1.0,
    UnitState.SETUP: 1.0,
    UnitState.IDLE: 0.5,
}
_PRIORITY: dict[UnitState, str] = {
    UnitState.DOWN: "1",
    UnitState.NO_DATA: "?",
    UnitState.UNKNOWN: "?",
    UnitState.SETUP: "3",
    UnitState.IDLE: "3",
}
_LOST = frozenset({UnitState.DOWN, UnitState.NO_DATA})
"""States in which nobody may count on a unit."""
_BAND = {"1": 0, "2": 1, "?": 2, "3": 3}
_ALARM_WEIGHT = {1: 6.0, 2: 3.0, 3: 1.0}
_UNCOUNTED_S = 300.0
_SOURCE_WEIGHT = 4.0
_MIN_MINUTES = 1.0


@dataclass(frozen=True, slots=True)
class UnitNow:
    """A work unit with its state, ready to be shown: names are in the reader's language.

    ``since_us`` is when the state began, microseconds UTC, 0 when unknown; ``peers`` counts the units of its work
    center, itself included: the fewer can do the same work, the more one of them matters. ``alarm_priority`` and
    ``alarm_count`` are of the unit's alarms that head the list; 0: it has none.
    """

    id: int
    code: str
    name: str
    area: str
    area_id: int
    class_code: str
    state: int
    cause: str
    cause_text: str
    since_us: int
    seen_us: int
    peers: int = 1
    work_center_id: int = 0
    alarm_priority: int = 0
    alarm_count: int = 0

    def waits(self, now_us: int) -> bool:
        """Return whether it is able to work but has not for so long that somebody should look."""
        return self.state in WAITING and self.lasting_s(now_us) >= ATTENTION_AFTER_S[UnitState(self.state)]

    def lasting_s(self, now_us: int) -> float:
        """Return how long the state has lasted, in seconds; 0 when nobody knows."""
        return max(0.0, (now_us - self.since_us) / 1e6) if self.since_us else 0.0


@dataclass(frozen=True, slots=True)
class SourceNow:
    """A data source and whether something comes from it.

    ``silent_s`` None: it never spoke. ``units``: work units that depend on it. ``per_minute``: messages in the last
    minute; None when nobody counted.
    """

    id: int
    code: str
    url: str
    is_connected: bool
    silent_s: float | None
    unit_count: int
    units: frozenset[int] = frozenset()
    per_minute: float | None = None

    @property
    def has_fallen_silent(self) -> bool:
        """Return whether it spoke once and does not now. One that never spoke is not in use (yet): nobody misses it."""
        return not self.is_connected and self.silent_s is not None


@dataclass(frozen=True, slots=True)
class AlarmOfUnit:
    """An alarm that heads the list, its message in the reader's language. ``below``: alarms grouped under it."""

    id: int
    unit_id: int
    unit_code: str
    area: str
    priority: int
    message: str
    since_us: int
    below: int
    is_active: bool
    is_acked: bool
    is_about_silence: bool = False

    @property
    def calls(self) -> bool:
        """Return whether somebody has yet to look: low ones, and lesser ones that returned, can wait for the list."""
        return not self.is_acked and (self.priority <= 3 if self.is_active else self.priority <= 2)

    @property
    def marks(self) -> bool:
        """Return whether its tile shows it: a lesser one that returned is no news on the map. Twin in y-live-map.js."""
        return self.is_active or (self.priority <= 2 and not self.is_acked)


@dataclass(frozen=True, slots=True)
class AttentionRow:
    """One line of "needs a person"; ``score`` orders the lines of a priority, see `attention`."""

    priority: str
    title: str
    facts: tuple[str, ...]
    url: str
    lasting_s: float | None
    since_us: int
    score: float


def attention(
    units: Iterable[UnitNow],
    sources: Iterable[SourceNow],
    open_dead_letters: int,
    dead_letters_url: str,
    now_us: int,
    alarms: Iterable[AlarmOfUnit] = (),
) -> list[AttentionRow]:
    """List everything that waits for somebody, worst consequence first.

    The order, told to the reader by `order_rule`: by priority (1 down, 2 a source is silent, ? a unit is silent, 3
    waits too long or cannot be read); within a priority by minutes × weight × (1 + lost share of the work center). The
    weight of a source is 4 for each unit that depends on it. Units that are silent because their source is are not
    listed one by one: one cause, one line. A source on which no unit depends is missed by nobody. Alarms of a unit
    that has a line are facts of that line, which takes the more urgent priority; of another unit they are one line.
    """
    units = list(units)
    silent = [source for source in sources if source.has_fallen_silent and source.unit_count]
    lost = Counter(unit.work_center_id for unit in units if unit.state in _LOST)
    explained = frozenset[int]().union(*(source.units for source in silent))
    shown = (unit for unit in units if not (unit.state == UnitState.NO_DATA and unit.id in explained))
    of_unit = {
        unit.id: row for unit in shown if (row := _unit_row(unit, lost[unit.work_center_id], now_us)) is not None
    }
    _add_alarms(of_unit, [one for one in alarms if not (one.is_about_silence and one.unit_id in explained)], now_us)
    rows = list(of_unit.values())
    rows += [_source_row(source, now_us) for source in silent]
    if open_dead_letters:
        title = _("%(n)d kinds of messages could not be read") % {"n": open_dead_letters}
        facts = (_("nothing is lost: they wait under dead letters"),)
        rows.append(AttentionRow("3", title, facts, dead_letters_url, None, 0, 1.0))
    return sorted(rows, key=lambda row: (_BAND[row.priority], -row.score, row.title))


def _add_alarms(of_unit: dict[int, AttentionRow], alarms: Iterable[AlarmOfUnit], now_us: int) -> None:
    """Join the alarms that call for somebody to the lines of their units, or make lines of them."""
    by_unit: dict[int, list[AlarmOfUnit]] = {}
    for alarm in alarms:
        if alarm.calls:
            by_unit.setdefault(alarm.unit_id, []).append(alarm)
    for unit_id, found in by_unit.items():
        found.sort(key=lambda one: (one.priority, one.since_us))
        worst, row = found[0], of_unit.get(unit_id)
        facts = [_below(worst)] if worst.below else []
        if len(found) > 1:
            facts.append(_("%(n)d more alarms of this unit") % {"n": len(found) - 1})
        if row is None:
            lasting_s = max(0.0, (now_us - worst.since_us) / 1e6) if worst.since_us else 0.0
            score = max(_MIN_MINUTES, lasting_s / 60) * _ALARM_WEIGHT[worst.priority] * (1 + worst.below)
            title = f"{worst.area} {worst.unit_code} {worst.message}"
            url = f"/alarms/{worst.id}"
            of_unit[unit_id] = AttentionRow(
                str(worst.priority), title, tuple(facts), url, lasting_s, worst.since_us, score
            )
            continue
        facts = [_("alarm: %(message)s") % {"message": worst.message}, *facts]
        priority = min(row.priority, str(worst.priority), key=lambda one: _BAND[one])
        of_unit[unit_id] = replace(row, priority=priority, facts=(*row.facts, *facts))


def _below(alarm: AlarmOfUnit) -> str:
    return _("%(n)d alarms are its consequence") % {"n": alarm.below}


def history_row(reason: str) -> AttentionRow:
    """Return the line about a history that is not being written: it comes first, it concerns the whole plant."""
    facts = (reason, _("messages wait in the log; when it is full, devices are held back"))
    return AttentionRow("2", _("The history is not being written"), facts, "", None, 0, 0.0)


def order_rule() -> str:
    """Say how `attention` orders its lines, for the reader."""
    return _(
        "First by priority: 1 a unit is down or an alarm is critical, 2 a data source is silent or an alarm is high, "
        "? a unit is silent, 3 a unit waits too long, an alarm is medium, or messages could not be read. Within a "
        "priority by how long it lasts, how much it weighs, and how much of the work center is lost with it: the last "
        "unit of its kind comes before one of many."
    )


def _unit_row(unit: UnitNow, lost: int, now_us: int) -> AttentionRow | None:
    try:
        state = UnitState(unit.state)
    except ValueError:
        state = UnitState.UNKNOWN
    lasting_s = unit.lasting_s(now_us)
    if state not in ATTENTION_AFTER_S or lasting_s < ATTENTION_AFTER_S[state]:
        return None
    what = unit.cause_text or str(STATE_SENTENCES[state])
    facts = [str(STATE_SENTENCES[state])] if unit.cause_text else []
    share = 0.0
    if state in _LOST:
        share = max(1, lost) / unit.peers
        facts.append(_loss(unit, max(1, lost)))
    elif unit.peers == 1:
        share = 1.0
        facts.append(_("the only unit of its work center"))
    score = max(_MIN_MINUTES, lasting_s / 60) * _WEIGHT[state] * (1 + share)
    title = f"{unit.area} {unit.code} {what}"
    url = f"/work-units/{unit.id}"
    return AttentionRow(_PRIORITY[state], title, tuple(facts), url, lasting_s, unit.since_us, score)


def _loss(unit: UnitNow, lost: int) -> str:
    """Say what its work center loses."""
    if unit.peers == 1:
        return _("the only unit of its work center")
    if lost >= unit.peers:
        return _("all %(n)d units of its work center are lost") % {"n": unit.peers}
    return _("%(lost)d of %(all)d units of its work center are lost") % {"lost": lost, "all": unit.peers}


STATE_SENTENCES: dict[UnitState, Promise] = {
    UnitState.DOWN: gettext_lazy("Down"),
    UnitState.NO_DATA: gettext_lazy("No data; counted as unknown"),
    UnitState.UNKNOWN: gettext_lazy("No state rule holds"),
    UnitState.SETUP: gettext_lazy("Set-up takes long"),
    UnitState.IDLE: gettext_lazy("Waiting for work"),
}


def _source_row(source: SourceNow, now_us: int) -> AttentionRow:
    facts = [_("%(n)d units depend on it, their states are not known") % {"n": source.unit_count}]
    if source.silent_s is None:
        facts.append(_("never heard"))
    minutes = max(_MIN_MINUTES, (source.silent_s or 0.0) / 60)
    score = minutes * _SOURCE_WEIGHT * max(1, source.unit_count)
    title = _("Data source %(code)s is disconnected") % {"code": source.code}
    since_us = 0 if source.silent_s is None else now_us - int(source.silent_s * 1e6)
    return AttentionRow("2", title, tuple(facts), source.url, source.silent_s, since_us, score)


# ---- bullets ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BulletRow:
    """One unit behind a figure: what it contributes."""

    unit_id: int
    code: str
    area: str
    value: str
    sort: float


@dataclass(frozen=True, slots=True)
class Bullet:
    """A figure against its target; never a gauge. ``bar`` and ``mark`` are 0–1 of the bar's length.

    ``value`` "–" means nobody knows; then there is no bar, and ``note`` says why.
    """

    name: str
    label: str
    value: str
    unit: str
    note: str
    bar: float
    mark: float | None
    rows: tuple[BulletRow, ...] = ()
    columns: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Measures:
    """What the bullets are made of. Every mapping is keyed by work unit id; a missing unit contributed nothing.

    Attributes
    ----------
    state_s
        Seconds in each state since the shift began: ``{unit: {state: seconds}}``.
    shift_s
        Seconds since the shift began; 0 outside all shifts.
    good, rejects
        Pieces counted since the shift began. ``good_last_area`` holds only the units of the last area: the output.
    power_kw
        Latest good power of each unit that reports one.
    targets
        Indicator -> value.
    failed
        Indicators whose data could not be had now.
    """

    units: Sequence[UnitNow]
    state_s: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    shift_s: float = 0.0
    shift_total_s: float = 0.0
    good: Mapping[int, float] = field(default_factory=dict)
    good_last_area: Mapping[int, float] = field(default_factory=dict)
    rejects: Mapping[int, float] = field(default_factory=dict)
    power_kw: Mapping[int, float] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()


def bullets(m: Measures) -> list[Bullet]:
    """Return the six figures of the command centre, in reading order."""
    return [_producing(m), _online(m), _down(m), _output(m), _rejects(m), _power(m)]


def producing_ratio(m: Measures) -> float | None:
    """Return the share of the units' time since the shift began in which they produced; None before it began.

    Time without data or without a rule is not counted as anything: it is neither producing nor not.
    """
    producing = known = 0.0
    for states in m.state_s.values():
        producing += states.get(UnitState.PRODUCING, 0.0)
        unknowable = states.get(UnitState.NO_DATA, 0.0) + states.get(UnitState.UNKNOWN, 0.0)
        known += sum(states.values()) - unknowable - states.get(UnitState.PLANNED_STOP, 0.0)
    return producing / known if known > 0 else None


def _rows(m: Measures, values: Mapping[int, float], text: Any) -> tuple[BulletRow, ...]:
    rows = [BulletRow(u.id, u.code, u.area, text(values[u.id]), values[u.id]) for u in m.units if u.id in values]
    return tuple(sorted(rows, key=lambda row: (-row.sort, row.code)))


def _unknown(name: str, label: str, why: str) -> Bullet:
    return Bullet(name, label, "–", "", why, 0.0, None)


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.1f}"


def _producing(m: Measures) -> Bullet:
    label, target = _("Producing this shift"), m.targets.get("producing_ratio")
    ratio = producing_ratio(m)
    if ratio is None:
        why = _("no data now") if "producing" in m.failed else _("no shift is running")
        return _unknown("producing", label, why)
    shares = {
        unit: states.get(UnitState.PRODUCING, 0.0) / total
        for unit, states in m.state_s.items()
        if (total := sum(states.values()))
    }
    note = _("target %(value)s %%") % {"value": _percent(target)} if target is not None else _("no target set")
    rows = _rows(m, shares, lambda share: f"{_percent(share)} %")
    return Bullet("producing", label, _percent(ratio), "%", note, ratio, target, rows, (_("Work unit"), _("Producing")))


def _online(m: Measures) -> Bullet:
    silent = {u.id: 1.0 for u in m.units if u.state == UnitState.NO_DATA}
    count, online = len(m.units), len(m.units) - len(silent)
    note = _("all units have data") if not silent else _("%(n)d without data") % {"n": len(silent)}
    rows = _rows(m, silent, lambda _value: _("No data"))
    bar = online / count if count else 0.0
    return Bullet(
        "online", _("Units online"), f"{online} / {count}", "", note, bar, 1.0, rows, (_("Work unit"), _("State"))
    )


def _down(m: Measures) -> Bullet:
    down = {u.id: 1.0 for u in m.units if u.state == UnitState.DOWN}
    causes = {u.id: u.cause_text or _("Down") for u in m.units}
    rows = tuple(BulletRow(u.id, u.code, u.area, causes[u.id], -u.since_us) for u in m.units if u.id in down)
    bar = len(down) / len(m.units) if m.units else 0.0
    note = _("target 0")
    return Bullet("down", _("Units down"), str(len(down)), "", note, bar, 0.0, rows, (_("Work unit"), _("Cause")))


def _known_share(m: Measures, units: Iterable[int]) -> float:
    """Return the share of the time since the shift began in which somebody knew what these units did.

    Pieces made while nobody counted are not in the figure, so they are not due either.
    """
    if not m.state_s or m.shift_s <= 0:
        return 1.0
    known = total = 0.0
    for unit in units:
        states = m.state_s.get(unit, {})
        known += min(m.shift_s, sum(states.values()) - states.get(UnitState.NO_DATA, 0.0))
        total += m.shift_s
    return known / total if total else 1.0


def _output(m: Measures) -> Bullet:
    label = _("Output this shift")
    if not m.good_last_area:
        return _unknown("output", label, _("no data now") if "output" in m.failed else _("no counter at the last area"))
    total, target = sum(m.good_last_area.values()), m.targets.get("output_per_shift")
    rows = _rows(m, m.good_last_area, lambda value: f"{value:.0f}")
    columns = (_("Work unit"), _("Good pieces"))
    if not target:
        return Bullet("output", label, f"{total:.0f}", "", _("no target set"), 0.0, None, rows, columns)
    counted_s = m.shift_s * _known_share(m, m.good_last_area)
    due = target * min(1.0, counted_s / m.shift_total_s) if m.shift_total_s else target
    note = _("%(due)d due by now, %(target)d in the shift") % {"due": round(due), "target": round(target)}
    if m.shift_s - counted_s >= _UNCOUNTED_S:
        note = _("%(due)d due in the %(time)s counted, %(target)d in the shift") % {
            "due": round(due),
            "target": round(target),
            "time": in_words(counted_s),
        }
    length = max(target, total)
    return Bullet("output", label, f"{total:.0f} / {target:.0f}", "", note, total / length, due / length, rows, columns)


def _rejects(m: Measures) -> Bullet:
    label, target = _("Rejects this shift"), m.targets.get("reject_ratio")
    made = sum(m.good.values()) + sum(m.rejects.values())
    if not m.rejects or made <= 0:
        return _unknown("rejects", label, _("no data now") if "rejects" in m.failed else _("nothing counted yet"))
    ratio = sum(m.rejects.values()) / made
    length = max(2 * target, ratio) if target else max(0.02, ratio)
    note = _("at most %(value)s %%") % {"value": _percent(target)} if target else _("no target set")
    rows = _rows(m, {k: v for k, v in m.rejects.items() if v > 0}, lambda value: f"{value:.0f}")
    mark = target / length if target else None
    columns = (_("Work unit"), _("Rejected pieces"))
    return Bullet(
        "rejects", label, f"{ratio * 100:.2f}", "%", note, ratio / length if target else 0.0, mark, rows, columns
    )


def _power(m: Measures) -> Bullet:
    label, target = _("Power now"), m.targets.get("power_kw")
    if not m.power_kw:
        return _unknown("power", label, _("no data now") if "power" in m.failed else _("no unit reports its power"))
    total = sum(m.power_kw.values())
    length = max(1.25 * target, total) if target else total or 1.0
    note = _("baseline %(value)d kW") % {"value": round(target)} if target else _("no target set")
    rows = _rows(m, m.power_kw, lambda value: f"{value:.1f} kW")
    mark = target / length if target else None
    columns = (_("Work unit"), _("Power"))
    return Bullet("power", label, f"{total:,.0f}", "kW", note, total / length if target else 0.0, mark, rows, columns)


def looks_for_islands() -> dict[int, dict[str, Any]]:
    """What the islands need to draw a state as the server does."""
    return {
        int(state): {
            "name": look.name,
            "word": str(look.word),
            "mark": look.mark,
            "waits_after_s": ATTENTION_AFTER_S[state] if state in WAITING else None,
        }
        for state, look in LOOKS.items()
    }
