"""Keeping the groups of a site true: loads what needs somebody, applies `engines.alarms.grouping`, writes the roots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import connection

from yuheng.alarms.models import Alarm, AlarmEpisode, AlarmJournal
from yuheng.alarms.rules import microseconds
from yuheng.alarms.services.writing import line, save_alarms, save_lines
from yuheng.engines.alarms.grouping import Groups, Member
from yuheng.engines.alarms.vocabulary import JournalKind

_LOCK = 0x59484C41  # a number of our own among PostgreSQL's advisory locks


def lock_sites(site_ids: Iterable[int]) -> None:
    """Let nobody else write alarms of these sites until the transaction ends: one order, so no deadlock."""
    with connection.cursor() as cursor:
        for site_id in sorted(set(site_ids)):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, site_id])


def member_of(alarm: Alarm) -> Member:
    """Return an alarm, with its definition loaded, as the grouping sees it."""
    of = alarm.definition
    parent = (of.parent_work_unit_id or alarm.work_unit_id, of.parent_code) if of.parent_code else None
    return Member(
        id=alarm.pk,
        work_unit_id=alarm.work_unit_id,
        definition_id=alarm.definition_id,
        code=of.code,
        priority=alarm.priority,
        activated_us=0 if alarm.activated_at is None else microseconds(alarm.activated_at),
        is_active=alarm.is_active,
        is_hidden=alarm.is_hidden,
        parent=parent,
        root_id=alarm.root_id or 0,
    )


def load_groups(site_id: int) -> Groups:
    """Return the groups of a site as they are. One query."""
    columns = (
        "pk",
        "work_unit_id",
        "definition_id",
        "definition__code",
        "priority",
        "activated_at",
        "is_active",
        "is_hidden",
        "definition__parent_code",
        "definition__parent_work_unit_id",
        "root_id",
    )
    members = []
    for row in Alarm.objects.filter(site_id=site_id, retain=True).values_list(*columns):
        pk, unit, definition, code, priority, since, active, hidden, parent_code, parent_unit, root = row
        members.append(
            Member(
                id=pk,
                work_unit_id=unit,
                definition_id=definition,
                code=code,
                priority=priority,
                activated_us=0 if since is None else microseconds(since),
                is_active=active,
                is_hidden=hidden,
                parent=(parent_unit or unit, parent_code) if parent_code else None,
                root_id=root or 0,
            )
        )
    return Groups(members)


def write_groups(groups: Groups, known: Mapping[int, Alarm], *, at: datetime) -> list[Alarm]:
    """Write the roots that changed and a line for each; return the alarms that changed.

    ``known`` are alarms in the caller's hands: they get their root here, and saving them stays with the caller.
    """
    changed = {pk: groups.by_id[pk].root_id if pk in groups.by_id else 0 for pk in sorted(groups.changed)}
    groups.changed.clear()
    others = Alarm.objects.select_related("definition").in_bulk([pk for pk in changed if pk not in known])
    lines: list[AlarmJournal] = []
    written: list[Alarm] = []
    episodes: dict[int, int | None] = {}
    for pk, root_id in changed.items():
        alarm = known.get(pk) or others.get(pk)
        if alarm is None or (alarm.root_id or 0) == root_id:
            continue
        alarm.root_id = root_id or None
        alarm.changed_at = at
        if pk not in known:  # of those the caller writes a line that says it
            kind = JournalKind.GROUPED if root_id else JournalKind.UNGROUPED
            lines.append(line(alarm, kind, at=at, known_at=at))
        if alarm.episode_id is not None:
            episodes[alarm.episode_id] = root_id or None
        written.append(alarm)
    save_alarms(alarm for alarm in written if alarm.pk not in known)
    note_roots(episodes)
    save_lines(lines)
    return written


def note_roots(roots: Mapping[int, int | None]) -> None:
    """Remember of episodes (episode id -> root's alarm id) what they were grouped under. Being let go is not noted."""
    wanted = {root for root in roots.values() if root}
    current = dict(Alarm.objects.filter(pk__in=wanted).values_list("pk", "episode_id")) if wanted else {}
    rows = []
    for episode_id, root_id in roots.items():
        if root_id and current.get(root_id) not in (None, episode_id):
            rows.append((episode_id, current[root_id]))
    by_root: dict[int, list[int]] = {}
    for episode_id, root_episode in rows:
        by_root.setdefault(root_episode, []).append(episode_id)
    for root_episode, episode_ids in by_root.items():
        AlarmEpisode.objects.filter(pk__in=episode_ids).update(root_id=root_episode)
