"""Taking in what the historian found out: conditions that became active, cleared, came again, or are in doubt.

Facts come at least once and, of one alarm, in the order of their time. One that was taken in before changes nothing:
it is told by its episode and count, so a redelivered or repeated fact leaves no second line in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from yuheng.alarms.models import Alarm, AlarmDefinition, AlarmEpisode, AlarmJournal, AlarmOverride
from yuheng.alarms.rules import fill_in, microseconds, moment, text_of
from yuheng.alarms.services.grouping import load_groups, lock_sites, member_of, note_roots, write_groups
from yuheng.alarms.services.plan import is_outside_shifts
from yuheng.alarms.services.writing import line, policy_of, put, save_alarms, save_episodes, save_lines, state_of
from yuheng.bus.messages import AlarmsActive, AlarmTransition
from yuheng.engines.alarms.grouping import Groups
from yuheng.engines.alarms.machine import IllegalTransition, Verb, apply
from yuheng.engines.alarms.vocabulary import FactKind, JournalKind, Priority
from yuheng.equipment import selectors as equipment

type_key = tuple[int, int]
"""Definition id, work unit id."""

CHUNK = 1_000
_VERBS: dict[FactKind, Verb] = {
    FactKind.ACTIVATED: Verb.ACTIVATE,
    FactKind.REPEATED: Verb.REPEAT,
    FactKind.CHATTERING: Verb.REPEAT,
    FactKind.CLEARED: Verb.CLEAR,
    FactKind.UNCERTAIN: Verb.MARK_UNCERTAIN,
    FactKind.CERTAIN: Verb.MARK_CERTAIN,
    FactKind.SUPPRESSED: Verb.DESIGN_SUPPRESS,
    FactKind.UNSUPPRESSED: Verb.DESIGN_UNSUPPRESS,
}


@dataclass(slots=True)
class Applied:
    """What became of facts: how many could be used, and which alarms changed, by site."""

    usable: int = 0
    changed: dict[int, set[int]] = field(default_factory=dict)

    def add(self, alarm: Alarm) -> None:
        """Note a changed alarm."""
        self.changed.setdefault(alarm.site_id, set()).add(alarm.pk)


@transaction.atomic
def apply_facts(facts: Sequence[AlarmTransition | AlarmsActive], *, at: datetime) -> Applied:
    """Apply facts in their order. ``at`` is now: what is written becomes known at this moment.

    Notes
    -----
    About a dozen statements for up to a thousand facts, whatever they are about.
    """
    applied = Applied()
    run: list[AlarmTransition] = []
    for fact in facts:
        if isinstance(fact, AlarmTransition):
            run.append(fact)
        if isinstance(fact, AlarmsActive) or len(run) >= CHUNK:
            _apply_run(run, at, applied)
            run = []
        if isinstance(fact, AlarmsActive):
            _apply_run(_what_is_missing(fact), at, applied)
            applied.usable += 1
    _apply_run(run, at, applied)
    return applied


def _what_is_missing(truth: AlarmsActive) -> list[AlarmTransition]:
    """Return the facts that make what we hold for active what is active."""
    wanted = {(definition, unit): episode_us for definition, unit, episode_us in truth.active}
    held = Alarm.objects.filter(is_active=True).values_list("definition_id", "work_unit_id", "activated_at", "count")
    ours = {(definition, unit): (since, count) for definition, unit, since, count in held}
    facts = []
    for (definition, unit), (since, count) in ours.items():
        if (definition, unit) not in wanted:
            episode_us = 0 if since is None else microseconds(since)
            cleared = max(truth.known_us, episode_us)
            facts.append(
                AlarmTransition(definition, unit, FactKind.CLEARED.value, cleared, truth.known_us, episode_us, count)
            )
    for (definition, unit), episode_us in wanted.items():
        if (definition, unit) not in ours:
            facts.append(
                AlarmTransition(definition, unit, FactKind.ACTIVATED.value, episode_us, truth.known_us, episode_us)
            )
    return facts


class _Run:
    """Everything that a run of facts is about, loaded at once."""

    def __init__(self, facts: Sequence[AlarmTransition], at: datetime) -> None:
        self.at = at
        keys = list(dict.fromkeys((fact.definition_id, fact.work_unit_id) for fact in facts))
        self.definitions = AlarmDefinition.objects.in_bulk({definition for definition, _unit in keys})
        sites = equipment.site_of_work_units({unit for _definition, unit in keys})
        self.keys = [
            key for key in keys if key[0] in self.definitions and sites.get(key[1]) == self.definitions[key[0]].site_id
        ]
        self.site_ids = {sites[unit] for _definition, unit in self.keys}
        lock_sites(self.site_ids)
        overrides = AlarmOverride.objects.filter(definition_id__in=self.definitions)
        self.own: dict[type_key, tuple[dict[str, Any], int | None]] = {
            (row.definition_id, row.work_unit_id): (row.parameters, row.priority) for row in overrides
        }
        self.names = equipment.names_of_work_units({unit for _definition, unit in self.keys})
        self.alarms = self._alarms()
        self.episodes = self._episodes(facts)
        self.is_outside = is_outside_shifts(self._planned(facts))

    def _alarms(self) -> dict[type_key, Alarm]:
        units = {unit for _definition, unit in self.keys}
        found = self._stored(units)
        missing = [key for key in self.keys if key not in found]
        if missing:
            Alarm.objects.bulk_create(
                Alarm(
                    site_id=self.definitions[definition].site_id,
                    definition_id=definition,
                    work_unit_id=unit,
                    priority=self.priority_of((definition, unit)),
                    changed_at=self.at,
                )
                for definition, unit in missing
            )
            found = self._stored(units)
        return found

    def _stored(self, units: set[int]) -> dict[type_key, Alarm]:
        rows = Alarm.objects.filter(work_unit_id__in=units, definition_id__in=self.definitions)
        found = {(row.definition_id, row.work_unit_id): row for row in rows}
        for (definition, _unit), row in found.items():
            row.definition = self.definitions[definition]
        return found

    def _episodes(self, facts: Sequence[AlarmTransition]) -> dict[tuple[int, int], AlarmEpisode]:
        """Return the episodes that the facts name and the alarms' current ones, by (alarm id, microseconds)."""
        wanted = {
            (self.alarms[key].pk, fact.episode_us)
            for fact in facts
            if (key := (fact.definition_id, fact.work_unit_id)) in self.alarms
        }
        moments = {moment(us) for _pk, us in wanted}
        current = [alarm.episode_id for alarm in self.alarms.values() if alarm.episode_id is not None]
        rows = [
            *AlarmEpisode.objects.filter(alarm_id__in={pk for pk, _us in wanted}, activated_at__in=moments),
            *AlarmEpisode.objects.filter(pk__in=current),
        ]
        return {(row.alarm_id, microseconds(row.activated_at)): row for row in rows}

    def _planned(self, facts: Sequence[AlarmTransition]) -> list[tuple[int, int, datetime]]:
        """Return (site, unit, moment) of activations that are suppressed outside the shifts."""
        return [
            (self.definitions[fact.definition_id].site_id, fact.work_unit_id, moment(fact.time_us))
            for fact in facts
            if fact.kind == FactKind.ACTIVATED.value
            and (fact.definition_id, fact.work_unit_id) in self.alarms
            and self.definitions[fact.definition_id].suppress_outside_shifts
        ]

    def priority_of(self, key: type_key) -> int:
        """Return the priority that holds for the unit."""
        own = self.own.get(key)
        return own[1] if own is not None and own[1] is not None else self.definitions[key[0]].priority

    def texts_of(self, alarm: Alarm, fact: AlarmTransition) -> tuple[str, str]:
        """Return the messages, their placeholders filled in."""
        of = alarm.definition
        own = self.own.get((fact.definition_id, fact.work_unit_id))
        code, name_zh, name_en = self.names.get(fact.work_unit_id, ("", "", ""))
        known: dict[str, Any] = {**of.parameters, **(own[0] if own is not None else {}), **fact.values}
        known.update(value=fact.value, unit=code)
        zh = fill_in(of.message_zh or of.name_zh, {**known, "unit_name": name_zh})
        en = fill_in(of.message_en or of.name_en, {**known, "unit_name": name_en})
        return zh[:1000], en[:1000]


def _apply_run(facts: Sequence[AlarmTransition], at: datetime, applied: Applied) -> None:
    if not facts:
        return
    run = _Run(facts, at)
    groups: dict[int, Groups] = {site_id: load_groups(site_id) for site_id in run.site_ids}
    touched: dict[int, Alarm] = {}
    changed_episodes: dict[int, AlarmEpisode] = {}
    lines: list[AlarmJournal] = []
    fresh = _new_episodes(run, facts)
    for fact in facts:
        alarm = run.alarms.get((fact.definition_id, fact.work_unit_id))
        try:
            kind = FactKind(fact.kind)
        except ValueError:
            continue  # of a newer release
        if alarm is None:
            continue
        applied.usable += 1
        if not _is_news(alarm, kind, fact, fresh):
            continue
        fresh.discard((alarm.pk, fact.episode_us))
        episode = run.episodes.get((alarm.pk, fact.episode_us))
        _take(run, alarm, episode, kind, fact)
        _regroup(groups[alarm.site_id], alarm, kind)
        if episode is not None and episode.pk is not None:
            changed_episodes[episode.pk] = episode
        touched[alarm.pk] = alarm
        applied.add(alarm)
        lines.append(line(alarm, JournalKind(kind.value), at=moment(fact.time_us), known_at=at))
    save_episodes(changed_episodes.values())
    save_alarms(touched.values())
    save_lines(lines)
    note_roots({a.episode_id: a.root_id for a in touched.values() if a.episode_id is not None and a.root_id})
    for site_groups in groups.values():
        for alarm in write_groups(site_groups, {}, at=at):
            applied.add(alarm)


def _new_episodes(run: _Run, facts: Iterable[AlarmTransition]) -> set[tuple[int, int]]:
    """Make the episodes that activations begin and that are not there; return them as (alarm id, microseconds)."""
    made: dict[tuple[int, int], AlarmEpisode] = {}
    for fact in facts:
        alarm = run.alarms.get((fact.definition_id, fact.work_unit_id))
        if alarm is None or fact.kind != FactKind.ACTIVATED.value:
            continue
        key = (alarm.pk, fact.episode_us)
        if key in run.episodes or key in made:
            continue
        message_zh, message_en = run.texts_of(alarm, fact)
        made[key] = AlarmEpisode(
            site_id=alarm.site_id,
            alarm=alarm,
            priority=run.priority_of((fact.definition_id, fact.work_unit_id)),
            activated_at=moment(fact.episode_us),
            known_at=run.at,
            count=fact.count,
            value=text_of(fact.value)[:80],
            message_zh=message_zh,
            message_en=message_en,
        )
    AlarmEpisode.objects.bulk_create(made.values())
    run.episodes.update(made)
    return set(made)


def _is_news(alarm: Alarm, kind: FactKind, fact: AlarmTransition, fresh: set[tuple[int, int]]) -> bool:
    """Return whether the fact was not taken in before."""
    if kind is FactKind.ACTIVATED:
        return (alarm.pk, fact.episode_us) in fresh
    is_current = alarm.activated_at is not None and microseconds(alarm.activated_at) == fact.episode_us
    if not is_current or (alarm.fact_at is not None and fact.time_us < microseconds(alarm.fact_at)):
        return False
    if kind in (FactKind.REPEATED, FactKind.CHATTERING):
        return fact.count > alarm.count
    if kind is FactKind.CLEARED:
        return alarm.is_active and fact.count >= alarm.count
    if kind in (FactKind.UNCERTAIN, FactKind.CERTAIN):
        return alarm.is_uncertain is not (kind is FactKind.UNCERTAIN)
    return alarm.is_design_suppressed is not (kind is FactKind.SUPPRESSED)


def _take(run: _Run, alarm: Alarm, episode: AlarmEpisode | None, kind: FactKind, fact: AlarmTransition) -> None:
    """Let the machine take the fact, and write down what it is about."""
    happened_at = moment(fact.time_us)
    state = state_of(alarm)
    with suppress(IllegalTransition):  # a disabled alarm: the journal still says what came
        state = apply(state, _VERBS[kind], policy_of(alarm))
    if kind is FactKind.ACTIVATED and episode is not None:
        is_planned = run.is_outside(alarm.definition, fact.work_unit_id, happened_at)
        if state.is_enabled and (fact.is_suppressed or is_planned):
            state = apply(state, Verb.DESIGN_SUPPRESS, policy_of(alarm))
        _begin(run, alarm, episode, fact)
        episode.was_hidden = state.is_hidden
    put(alarm, state, run.at)
    if kind in (FactKind.REPEATED, FactKind.CHATTERING, FactKind.CLEARED):
        alarm.count = max(alarm.count, fact.count)
    if kind is FactKind.REPEATED:
        alarm.cleared_at = None
    if kind is FactKind.CLEARED:
        alarm.cleared_at = happened_at
    alarm.fact_at, alarm.fact_kind = happened_at, kind.value
    if episode is not None:
        episode.count = alarm.count
        episode.cleared_at = alarm.cleared_at
        episode.ended_at = None if alarm.retain else run.at


def _begin(run: _Run, alarm: Alarm, episode: AlarmEpisode, fact: AlarmTransition) -> None:
    """A new episode begins: what people said about the one before is not about this one."""
    alarm.episode = episode
    alarm.priority = Priority(run.priority_of((fact.definition_id, fact.work_unit_id)))
    alarm.activated_at, alarm.known_at, alarm.cleared_at = episode.activated_at, run.at, None
    alarm.acked_at, alarm.acked_by, alarm.note = None, "", ""
    alarm.count = fact.count
    alarm.value = episode.value
    alarm.message_zh, alarm.message_en = episode.message_zh, episode.message_en


def _regroup(groups: Groups, alarm: Alarm, kind: FactKind) -> None:
    """Find the alarm's place among the others that need somebody."""
    if not alarm.retain or alarm.is_hidden:
        groups.ended(alarm.pk)
    elif kind is FactKind.ACTIVATED or alarm.pk not in groups.by_id:
        groups.raised(member_of(alarm))
    else:
        known = groups.by_id[alarm.pk]
        known.is_active, known.is_hidden = alarm.is_active, alarm.is_hidden
    member = groups.by_id.get(alarm.pk)
    alarm.root_id = (member.root_id or None) if member is not None else None
