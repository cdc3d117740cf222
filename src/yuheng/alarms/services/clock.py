"""What time does to alarms: shelvings end, groups whose root is gone are let go, plans begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from yuheng.alarms.models import Alarm
from yuheng.alarms.services.facts import Applied
from yuheng.alarms.services.grouping import load_groups, lock_sites, member_of, write_groups
from yuheng.alarms.services.plan import is_outside_shifts
from yuheng.alarms.services.writing import line, policy_of, put, save_alarms, save_lines, state_of
from yuheng.engines.alarms.grouping import RELEASE_AFTER_US
from yuheng.engines.alarms.machine import Shelving, Verb, apply
from yuheng.engines.alarms.vocabulary import JournalKind
from yuheng.kernel.actor import system_actor

ACTOR = system_actor("clock")


def tick(*, at: datetime) -> Applied:
    """Do everything that is due at ``at``; return what changed. Three queries when nothing is."""
    applied = Applied()
    _expire_shelving(at, applied)
    _release_groups(at, applied)
    _follow_plans(at, applied)
    return applied


def _expire_shelving(at: datetime, applied: Applied) -> None:
    due = Alarm.objects.filter(shelved_until__lte=at).exclude(shelving=Shelving.UNSHELVED.value)
    sites = set(due.values_list("site_id", flat=True))
    if sites:
        _change(sites, due, Verb.EXPIRE_SHELVING, JournalKind.UNSHELVED, at, applied)


@transaction.atomic
def _change(sites: set[int], rows: object, verb: Verb, kind: JournalKind, at: datetime, applied: Applied) -> None:
    """Apply a verb to alarms, their sites locked, and put them into their place."""
    lock_sites(sites)
    assert hasattr(rows, "select_related")
    alarms: list[Alarm] = list(rows.select_related("definition").order_by("pk"))
    for alarm in alarms:
        put(alarm, apply(state_of(alarm), verb, policy_of(alarm)), at)
        applied.add(alarm)
    known = {alarm.pk: alarm for alarm in alarms}
    for site_id in sorted({alarm.site_id for alarm in alarms}):
        groups = load_groups(site_id)
        for alarm in alarms:
            if alarm.site_id == site_id and alarm.retain and not alarm.is_hidden:
                groups.raised(member_of(alarm))
            elif alarm.site_id == site_id:
                groups.ended(alarm.pk)
        for alarm in write_groups(groups, known, at=at):
            applied.add(alarm)
    save_alarms(alarms)
    save_lines([line(alarm, kind, at=at, known_at=at, actor=ACTOR) for alarm in alarms])


def _release_groups(at: datetime, applied: Applied) -> None:
    """A root that went inactive a while ago explains nothing any more: what is still active under it is shown."""
    before = at - timedelta(microseconds=RELEASE_AFTER_US)
    roots = Alarm.objects.filter(
        root__isnull=True, is_active=False, changed_at__lte=before, children__is_active=True, children__retain=True
    ).distinct()
    found: dict[int, list[int]] = {}
    for site_id, pk in roots.values_list("site_id", "pk"):
        found.setdefault(site_id, []).append(pk)
    for site_id, pks in found.items():
        _release(site_id, pks, at, applied)


@transaction.atomic
def _release(site_id: int, root_ids: Sequence[int], at: datetime, applied: Applied) -> None:
    lock_sites([site_id])
    groups = load_groups(site_id)
    for pk in root_ids:
        groups.release(pk)
        applied.changed.setdefault(site_id, set()).add(pk)
    for alarm in write_groups(groups, {}, at=at):
        applied.add(alarm)


def _follow_plans(at: datetime, applied: Applied) -> None:
    """Active alarms that are suppressed outside the shifts follow the calendar."""
    rows = list(
        Alarm.objects.filter(is_active=True, definition__suppress_outside_shifts=True, definition__suppress_when="")
        .filter(Q(definition__suppress_states=[]), is_enabled=True)
        .select_related("definition")
    )
    if not rows:
        return
    is_outside = is_outside_shifts((alarm.site_id, alarm.work_unit_id, at) for alarm in rows)
    for wanted, verb, kind in (
        (True, Verb.DESIGN_SUPPRESS, JournalKind.SUPPRESSED),
        (False, Verb.DESIGN_UNSUPPRESS, JournalKind.UNSUPPRESSED),
    ):
        due = [
            alarm.pk
            for alarm in rows
            if alarm.is_design_suppressed is not wanted
            and is_outside(alarm.definition, alarm.work_unit_id, at) is wanted
        ]
        sites = {alarm.site_id for alarm in rows if alarm.pk in due}
        if due:
            _change(sites, Alarm.objects.filter(pk__in=due, is_active=True), verb, kind, at, applied)
