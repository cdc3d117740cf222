"""Writing alarms: rows to states and back, lines of the journal, and saving many rows in few statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from yuheng.alarms.models import Alarm, AlarmEpisode, AlarmJournal
from yuheng.alarms.rules import microseconds, moment, packed
from yuheng.engines.alarms.machine import AlarmState, Policy, Shelving
from yuheng.engines.alarms.vocabulary import JournalKind
from yuheng.kernel.actor import Actor

BATCH = 500
_FLAGS = (
    "is_enabled",
    "is_active",
    "is_acked",
    "is_confirmed",
    "is_latched",
    "is_uncertain",
    "is_suppressed",
    "is_design_suppressed",
    "is_out_of_service",
)
_SAVED = [
    field.name for field in Alarm._meta.concrete_fields if field.name not in ("id", "site", "definition", "work_unit")
]
_EPISODE_SAVED = ["cleared_at", "acked_at", "acked_by", "confirmed_at", "ended_at", "count", "root"]


def state_of(alarm: Alarm) -> AlarmState:
    """Return the alarm's state for the machine."""
    return AlarmState(
        **{name: getattr(alarm, name) for name in _FLAGS},
        shelving=Shelving(alarm.shelving),
        shelved_until_us=None if alarm.shelved_until is None else microseconds(alarm.shelved_until),
    )


def put(alarm: Alarm, state: AlarmState, at: datetime) -> None:
    """Take over what the machine says."""
    for name in _FLAGS:
        setattr(alarm, name, getattr(state, name))
    alarm.shelving = state.shelving.value
    alarm.shelved_until = None if state.shelved_until_us is None else moment(state.shelved_until_us)
    alarm.retain = state.retain
    alarm.is_hidden = state.is_hidden
    alarm.changed_at = at


def policy_of(alarm: Alarm) -> Policy:
    """Return what the alarm's definition asks for."""
    of = alarm.definition
    return Policy(of.acknowledge_required, of.confirm_required, of.is_latching)


def _us(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at)


def after(alarm: Alarm) -> dict[str, Any]:
    """Return the alarm's whole state as the journal keeps it; what is empty is left out."""
    whole = {
        "state": packed(state_of(alarm)),
        "shelved_until_us": _us(alarm.shelved_until),
        "episode": alarm.episode_id,
        "activated_us": _us(alarm.activated_at),
        "cleared_us": _us(alarm.cleared_at),
        "known_us": _us(alarm.known_at),
        "acked_us": _us(alarm.acked_at),
        "acked_by": alarm.acked_by,
        "count": alarm.count,
        "value": alarm.value,
        "root": alarm.root_id,
        "note": alarm.note,
    }
    return {name: value for name, value in whole.items() if value not in (None, "")}


def line(
    alarm: Alarm,
    kind: JournalKind,
    *,
    at: datetime,
    known_at: datetime,
    actor: Actor | None = None,
    comment: str = "",
) -> AlarmJournal:
    """Return a line that says what happened, with the alarm as it is now. ``actor`` None: the evaluation told it."""
    return AlarmJournal(
        site_id=alarm.site_id,
        alarm=alarm,
        episode_id=alarm.episode_id,
        definition_id=alarm.definition_id,
        work_unit_id=alarm.work_unit_id,
        kind=kind.value,
        priority=alarm.priority,
        at=at,
        known_at=known_at,
        actor_kind="system" if actor is None else actor.kind,
        actor_name="" if actor is None else actor.name,
        person_id=None if actor is None else actor.person_id,
        impersonator="" if actor is None else actor.impersonator,
        comment=comment,
        value=alarm.value,
        count=alarm.count,
        message_zh=alarm.message_zh,
        message_en=alarm.message_en,
        after=after(alarm),
    )


def save_alarms(alarms: Iterable[Alarm]) -> None:
    """Write alarms that exist, in one statement for `BATCH` of them."""
    rows = list(alarms)
    if len(rows) == 1:
        rows[0].save()
    elif rows:
        Alarm.objects.bulk_create(
            rows, batch_size=BATCH, update_conflicts=True, unique_fields=["id"], update_fields=_SAVED
        )


def save_episodes(episodes: Iterable[AlarmEpisode]) -> None:
    """Write episodes that exist, in one statement for `BATCH` of them."""
    rows = list(episodes)
    if rows:
        AlarmEpisode.objects.bulk_create(
            rows, batch_size=BATCH, update_conflicts=True, unique_fields=["id"], update_fields=_EPISODE_SAVED
        )


def save_lines(lines: Sequence[AlarmJournal]) -> None:
    """Append lines, in their order."""
    AlarmJournal.objects.bulk_create(lines, batch_size=BATCH)
