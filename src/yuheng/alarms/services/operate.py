"""What people do to alarms: the verbs of OPC UA Part 9, one at a time or many at once.

A bulk does what it can and says of each alarm that it could not touch why. Needs ``alarms.operate`` (acknowledge,
confirm, comment, reset) or ``alarms.shelve`` (shelve, suppress, out of service, enable, disable) at each alarm's site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.alarms.events import AlarmDefinitionsChanged, AlarmsChanged
from yuheng.alarms.models import Alarm, AlarmEpisode, AlarmOverride
from yuheng.alarms.rules import microseconds
from yuheng.alarms.services.access import OPERATE, SHELVE
from yuheng.alarms.services.grouping import load_groups, lock_sites, member_of, write_groups
from yuheng.alarms.services.writing import line, policy_of, put, save_alarms, save_lines, state_of
from yuheng.engines.alarms.machine import IllegalTransition, Refusal, Verb, apply
from yuheng.engines.alarms.vocabulary import JournalKind
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish

MAX_AT_ONCE = 10_000
COMMENT_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Done:
    """How many alarms were changed, and of the others why not."""

    done: int = 0
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Wish:
    """One verb, with everything it needs."""

    verb: Verb
    kind: JournalKind
    permission: str
    at: datetime
    comment: str = ""
    until: datetime | None = None
    needs_reason: bool = False


def acknowledge(
    *, actor: Actor, alarm_ids: Sequence[int], at: datetime, comment: str = "", with_children: bool = True
) -> Done:
    """Say that somebody knows. With a root, all that is grouped under it is acknowledged, too.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        None of them could be acknowledged.
    """
    wish = _Wish(Verb.ACKNOWLEDGE, JournalKind.ACKNOWLEDGED, OPERATE, at, comment)
    return _carry_out(actor, alarm_ids, wish, with_children=with_children)


def confirm(*, actor: Actor, alarm_ids: Sequence[int], at: datetime, comment: str = "") -> Done:
    """Say that what had to be done is done. Raises as `acknowledge`."""
    return _carry_out(actor, alarm_ids, _Wish(Verb.CONFIRM, JournalKind.CONFIRMED, OPERATE, at, comment))


def add_comment(*, actor: Actor, alarm_ids: Sequence[int], comment: str, at: datetime) -> Done:
    """Write something beside alarms. Raises as `acknowledge`, `InvalidInput` without a text."""
    wish = _Wish(Verb.ADD_COMMENT, JournalKind.COMMENTED, OPERATE, at, comment, needs_reason=True)
    return _carry_out(actor, alarm_ids, wish)


def reset(*, actor: Actor, alarm_ids: Sequence[int], at: datetime, comment: str = "") -> Done:
    """Release latched alarms that are inactive and acknowledged. Raises as `acknowledge`."""
    return _carry_out(actor, alarm_ids, _Wish(Verb.RESET, JournalKind.RESET, OPERATE, at, comment))


def shelve(
    *,
    actor: Actor,
    alarm_ids: Sequence[int],
    reason: str,
    at: datetime,
    until: datetime | None = None,
    one_shot: bool = False,
) -> Done:
    """Hide alarms for a time (at most 7 days), or ``one_shot``: until they are next inactive; a reason is required.

    Raises as `acknowledge`, and `InvalidInput` without a reason or with an end that is not allowed.
    """
    if until is None and not one_shot:
        raise InvalidInput(_("Say until when the alarms are shelved."), {"until": _("Give a time.")})
    verb = Verb.ONE_SHOT_SHELVE if one_shot else Verb.TIMED_SHELVE
    return _carry_out(actor, alarm_ids, _Wish(verb, JournalKind.SHELVED, SHELVE, at, reason, until, needs_reason=True))


def unshelve(*, actor: Actor, alarm_ids: Sequence[int], at: datetime, comment: str = "") -> Done:
    """Show shelved alarms again. Raises as `acknowledge`."""
    return _carry_out(actor, alarm_ids, _Wish(Verb.UNSHELVE, JournalKind.UNSHELVED, SHELVE, at, comment))


def suppress(*, actor: Actor, alarm_ids: Sequence[int], reason: str, at: datetime) -> Done:
    """Hide alarms until somebody shows them again; a reason is required. Raises as `acknowledge`, `InvalidInput`."""
    wish = _Wish(Verb.SUPPRESS, JournalKind.SUPPRESSED, SHELVE, at, reason, needs_reason=True)
    return _carry_out(actor, alarm_ids, wish)


def unsuppress(*, actor: Actor, alarm_ids: Sequence[int], at: datetime, comment: str = "") -> Done:
    """Show suppressed alarms again. Raises as `acknowledge`."""
    return _carry_out(actor, alarm_ids, _Wish(Verb.UNSUPPRESS, JournalKind.UNSUPPRESSED, SHELVE, at, comment))


def remove_from_service(*, actor: Actor, alarm_ids: Sequence[int], reason: str, at: datetime) -> Done:
    """Take alarms out of service, for maintenance for one; a reason is required. Raises as `acknowledge`."""
    wish = _Wish(Verb.REMOVE_FROM_SERVICE, JournalKind.OUT_OF_SERVICE, SHELVE, at, reason, needs_reason=True)
    return _carry_out(actor, alarm_ids, wish)


def place_in_service(*, actor: Actor, alarm_ids: Sequence[int], at: datetime, comment: str = "") -> Done:
    """Put alarms back into service. Raises as `acknowledge`."""
    return _carry_out(actor, alarm_ids, _Wish(Verb.PLACE_IN_SERVICE, JournalKind.IN_SERVICE, SHELVE, at, comment))


def disable(*, actor: Actor, alarm_ids: Sequence[int], reason: str, at: datetime) -> Done:
    """Let alarms not be judged any more; a reason is required. Raises as `acknowledge`, `InvalidInput`."""
    wish = _Wish(Verb.DISABLE, JournalKind.DISABLED, SHELVE, at, reason, needs_reason=True)
    return _carry_out(actor, alarm_ids, wish)


def enable(*, actor: Actor, alarm_ids: Sequence[int], at: datetime, comment: str = "") -> Done:
    """Let disabled alarms be judged again: what holds now is raised anew. Raises as `acknowledge`."""
    return _carry_out(actor, alarm_ids, _Wish(Verb.ENABLE, JournalKind.ENABLED, SHELVE, at, comment))


@transaction.atomic
def _carry_out(actor: Actor, alarm_ids: Sequence[int], wish: _Wish, *, with_children: bool = False) -> Done:
    actor.require(wish.permission)
    _check_words(wish)
    wanted = list(dict.fromkeys(alarm_ids))
    if not 0 < len(wanted) <= MAX_AT_ONCE:
        raise InvalidInput(_("Choose between 1 and %(count)s alarms.") % {"count": MAX_AT_ONCE})
    visible = Alarm.objects.visible_to(actor)
    sites = set(visible.filter(pk__in=wanted).values_list("site_id", flat=True))
    for site_id in sorted(sites):
        actor.require(wish.permission, site_id=site_id)
    lock_sites(sites)
    rows = visible.select_related("definition").in_bulk(wanted)
    if not rows:
        raise NotVisible(_("There is no such alarm here."))
    refused = {pk: _("There is no such alarm here.") for pk in wanted if pk not in rows}
    chosen = [rows[pk] for pk in wanted if pk in rows]
    children = _children(chosen) if with_children else []
    done = [alarm for alarm in chosen if _try(alarm, wish, refused)]
    done += [alarm for alarm in children if _try(alarm, wish, {})]
    if not done:
        raise Conflict(next(iter(refused.values())))
    _write(actor, done, wish)
    return Done(len(done), refused)


def _check_words(wish: _Wish) -> None:
    if wish.needs_reason and not wish.comment.strip():
        raise InvalidInput(_("Say why."), {"reason": _("A reason is needed.")})
    if len(wish.comment) > COMMENT_LENGTH:
        raise InvalidInput(_("The comment is too long."), {"comment": _("This is too long.")})


def _children(roots: Sequence[Alarm]) -> list[Alarm]:
    """Return what is grouped under the roots and is still unacknowledged."""
    heads = {alarm.pk for alarm in roots}
    rows = Alarm.objects.filter(root_id__in=heads, retain=True, is_acked=False).exclude(pk__in=heads)
    return list(rows.select_related("definition").order_by("pk"))


def _try(alarm: Alarm, wish: _Wish, refused: dict[int, str]) -> bool:
    until_us = None if wish.until is None else microseconds(wish.until)
    try:
        state = apply(state_of(alarm), wish.verb, policy_of(alarm), at_us=microseconds(wish.at), until_us=until_us)
    except IllegalTransition as error:
        refused[alarm.pk] = refusal_sentence(error.refusal)
        return False
    put(alarm, state, wish.at)
    if wish.verb is Verb.ACKNOWLEDGE:
        alarm.acked_at = wish.at
    if wish.comment.strip():
        alarm.note = wish.comment.strip()
    return True


def _write(actor: Actor, done: Sequence[Alarm], wish: _Wish) -> None:
    if wish.verb is Verb.ACKNOWLEDGE:
        for alarm in done:
            alarm.acked_by = actor.name
    _regroup(done, wish)
    save_alarms(done)
    said = wish.comment.strip()
    save_lines([line(one, wish.kind, at=wish.at, known_at=wish.at, actor=actor, comment=said) for one in done])
    _note_episodes(actor, done, wish)
    if wish.verb in (Verb.ENABLE, Verb.DISABLE):
        _tell_historian(done, wish)
    by_site: dict[int, list[int]] = {}
    for alarm in done:
        by_site.setdefault(alarm.site_id, []).append(alarm.pk)
    for site_id, pks in by_site.items():
        publish(AlarmsChanged(site_id=site_id, alarm_ids=tuple(pks)), at=wish.at)
        audit.record(
            actor=actor,
            action=f"alarm.{wish.verb.value}",
            at=wish.at,
            site_id=site_id,
            object_kind="alarm",
            object_id=pks[0] if len(pks) == 1 else "",
            alarms=pks[:200],
            count=len(pks),
            comment=wish.comment.strip(),
            **({"until": wish.until.isoformat()} if wish.until is not None else {}),
        )


def _regroup(done: Sequence[Alarm], wish: _Wish) -> None:
    """Let go of groups whose root needs nobody now or is hidden; put back into place what is shown again."""
    if wish.verb is Verb.ADD_COMMENT:
        return
    known = {alarm.pk: alarm for alarm in done}
    for site_id in {alarm.site_id for alarm in done}:
        groups = load_groups(site_id)
        for alarm in done:
            if alarm.site_id != site_id:
                continue
            if not alarm.retain or alarm.is_hidden:
                groups.ended(alarm.pk)
            elif wish.verb not in (Verb.ACKNOWLEDGE, Verb.CONFIRM, Verb.RESET):
                groups.raised(member_of(alarm))
        write_groups(groups, known, at=wish.at)


def _tell_historian(done: Sequence[Alarm], wish: _Wish) -> None:
    """Whether an alarm is judged is part of the configuration: an override of its work unit."""
    for alarm in done:
        AlarmOverride.objects.update_or_create(
            definition_id=alarm.definition_id,
            work_unit_id=alarm.work_unit_id,
            defaults={
                "is_enabled": False if wish.verb is Verb.DISABLE else None,
                "site_id": alarm.site_id,
                "changed_at": wish.at,
            },
        )
    for site_id in {alarm.site_id for alarm in done}:
        publish(AlarmDefinitionsChanged(site_id=site_id), at=wish.at)


def _note_episodes(actor: Actor, done: Sequence[Alarm], wish: _Wish) -> None:
    """Write down of the episodes who acknowledged, who confirmed, and which need nobody any more."""
    pks = [alarm.pk for alarm in done]
    if wish.verb is Verb.ACKNOWLEDGE:
        AlarmEpisode.objects.filter(alarm_id__in=pks, acked_at__isnull=True).update(
            acked_at=wish.at, acked_by=actor.name
        )
    if wish.verb is Verb.CONFIRM:
        current = [alarm.episode_id for alarm in done if alarm.episode_id is not None]
        AlarmEpisode.objects.filter(pk__in=current, confirmed_at__isnull=True).update(confirmed_at=wish.at)
    ended = [alarm.pk for alarm in done if not alarm.retain]
    if ended:
        AlarmEpisode.objects.filter(alarm_id__in=ended, ended_at__isnull=True).update(ended_at=wish.at)


def refusal_sentence(refusal: Refusal) -> str:
    """Return why a verb is not possible, in the reader's language."""
    return {
        Refusal.DISABLED: _("The alarm is disabled."),
        Refusal.ALREADY_ENABLED: _("The alarm is enabled already."),
        Refusal.ALREADY_DISABLED: _("The alarm is disabled already."),
        Refusal.ALREADY_ACKED: _("The alarm is acknowledged already."),
        Refusal.ALREADY_CONFIRMED: _("There is nothing to confirm."),
        Refusal.ALREADY_SHELVED: _("The alarm is shelved already."),
        Refusal.NOT_SHELVED: _("The alarm is not shelved."),
        Refusal.SHELVING_TIME: _("An alarm is shelved for at most 7 days, from now on."),
        Refusal.INVALID_STATE: _("This is not possible in the alarm's state."),
    }[refusal]
