"""Dead letters: counting and sampling them, making tags from them, sending them through the path again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from yuheng.bus.subjects import KIND_MESSAGE, KIND_POINTS, KIND_REFUSED_PUBLISH
from yuheng.engines.points import Refusal
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.kernel.models import Site
from yuheng.telemetry.events import DeadLetterReplayRequested, DeadLettersReplayed
from yuheng.telemetry.models import DataSource, DeadLetterGroup, DeadLetterSample, Device, Tag
from yuheng.telemetry.rules import (
    MAX_GROUP_BYTES,
    MAX_GROUPS_OF_A_REASON,
    MAX_SAMPLE_BYTES,
    MAX_SAMPLES,
    MAX_WHAT,
    OTHERS,
    DeadLetterState,
    claiming,
    filter_matches,
    guess_data_type,
    moment,
    name_of_address,
)
from yuheng.telemetry.services.access import EDIT, REPLAY, VIEW
from yuheng.telemetry.services.tags import TagSpec, Written, check_tag, write_tags

BIRTH_EXPLAINS = (Refusal.NOT_BORN, Refusal.UNKNOWN_ALIAS)
"""Reasons that end with a Sparkplug birth."""

Key = tuple[int, str, str, str]
"""Source id (0: none), reason, kind, what."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused message, or one refused point, of the stream ``YH_DEAD``.

    ``what`` is the topic of a message or the address of a point. For a point, ``payload`` is the point as JSON.
    """

    source_id: int
    reason: str
    kind: str
    what: str
    topic: str
    arrived_us: int
    payload: bytes
    sequence: int
    detail: str = ""
    is_counted: bool = False  # counted before: put back by a partial replay, or
    is_replayed: bool = False  # refused again after a replay

    @property
    def key(self) -> Key:
        """What it is counted under."""
        return (self.source_id, self.reason, self.kind, self.what[:MAX_WHAT])


@transaction.atomic
def note_dead_letters(letters: Sequence[DeadLetter]) -> int:
    """Count the letters in their groups and keep the newest as samples; return how many were counted.

    Groups that were resolved or replayed are open again when a new letter comes. Beyond
    `rules.MAX_GROUPS_OF_A_REASON` distinct topics or addresses, letters share the group `rules.OTHERS`.
    """
    letters = [_storable(letter) for letter in letters]
    known = set(DataSource.objects.filter(pk__in={letter.source_id for letter in letters}).values_list("pk", flat=True))
    bundles: dict[Key, list[DeadLetter]] = {}
    for letter in letters:
        source_id = letter.source_id if letter.source_id in known else 0
        filed = replace(letter, source_id=source_id, reason=_reason(letter.reason))
        bundles.setdefault(filed.key, []).append(filed)
    groups = _groups(bundles)
    for key, group in groups.items():
        _add(group, bundles[key])
    _keep_samples(groups, bundles)
    return sum(not letter.is_counted for letter in letters)


@transaction.atomic
def make_tags_from_dead_letters(
    *,
    actor: Actor,
    at: datetime,
    group_ids: Collection[int] = (),
    source_id: int | None = None,
    is_automatic: bool = False,
    limit: int = 5000,
) -> Written:
    """Make a tag for each unknown address among the groups, or of all open groups of a source.

    Data type and name are guessed from the samples. Needs ``telemetry.edit`` at the site.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        A group is not about an unknown address.
    """
    groups = DeadLetterGroup.objects.filter(source__isnull=False, reason=Refusal.UNKNOWN_TAG).exclude(what=OTHERS)
    if source_id is not None:
        groups = groups.filter(source_id=source_id, state=DeadLetterState.OPEN)
    else:
        groups = groups.filter(pk__in=group_ids)
    rows = list(_visible_groups(groups, actor).prefetch_related("samples").order_by("pk")[:limit])
    if not rows:
        actor.require(EDIT)
        if source_id is not None:
            return Written(0, 0, 0)
        raise InvalidInput(_("Only dead letters about an unknown address can become tags."))
    for site_id in {row.site_id for row in rows if row.site_id is not None}:
        actor.require(EDIT, site_id=site_id)
    created = 0
    for site_id, specs in _specs_by_site(rows).items():
        written = write_tags(actor=actor, site_id=site_id, tags=specs, at=at, made_by_itself=is_automatic)
        created += written.created
    return Written(created, 0, len(rows) - created)


@transaction.atomic
def make_tags_by_themselves(*, actor: Actor, at: datetime) -> int:
    """Make tags for the sources that may make their own, up to each source's limit; return how many were made.

    What waits at addresses that have a tag by now is sent through the path again.
    """
    made = 0
    sources = DataSource.objects.filter(makes_tags_by_itself=True).order_by("pk")
    waiting = DeadLetterGroup.objects.filter(reason=Refusal.UNKNOWN_TAG, state=DeadLetterState.OPEN)
    for source in sources.filter(pk__in=waiting.values("source_id")):
        own = Tag.objects.filter(source_id=source.pk, is_made_by_itself=True, retired_at__isnull=True)
        room = source.own_tags_limit - own.count()
        if room > 0:
            written = make_tags_from_dead_letters(
                actor=actor, at=at, source_id=source.pk, is_automatic=True, limit=min(room, 1000)
            )
            made += written.created
        # Also those that came between the tag and the historian's hearing of it.
        known = Tag.objects.filter(source_id=source.pk, retired_at__isnull=True).values("address")
        groups = waiting.filter(source_id=source.pk, what__in=known).values_list("pk", flat=True)
        if groups:
            replay_dead_letters(actor=actor, group_ids=list(groups), at=at)
    return made


@transaction.atomic
def replay_dead_letters(*, actor: Actor, group_ids: Collection[int], at: datetime) -> int:
    """Ask the worker to send the stored messages of the groups through the path again; return how many groups.

    Harmless when asked twice: a message is taken off the stream once it went through, and points are keyed.
    Needs ``telemetry.replay``.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        Nobody would take the messages yet, or the broker never took them.
    """
    rows = _locked_groups(actor, group_ids, REPLAY)
    _check_kept(rows)
    _check_claimed(rows)
    ids = tuple(row.pk for row in rows if row.state != DeadLetterState.REPLAYING or row.replay_from_us is not None)
    if ids:
        DeadLetterGroup.objects.filter(pk__in=ids).update(
            state=DeadLetterState.REPLAYING, changed_at=at, replay_from_us=None, replay_until_us=None
        )
        publish(DeadLetterReplayRequested(group_ids=ids), at=at)
        _audit(actor, rows, "dead_letters.replay", at)
    return len(ids)


@transaction.atomic
def replay_what_a_birth_explains(
    *, actor: Actor, source_id: int, topic: str, since_us: int, until_us: int, at: datetime
) -> bool:
    """Ask for the replay of the data that a Sparkplug birth makes understandable; return whether there were any.

    Only what arrived in ``[since_us, until_us)``: data of an earlier session may mean other metrics and wait for a
    person. Several births before the worker gets there widen the window.
    """
    actor.require(REPLAY)
    groups = DeadLetterGroup.objects.filter(
        source_id=source_id, reason__in=BIRTH_EXPLAINS, kind=KIND_MESSAGE, what=_printable(topic)[:MAX_WHAT]
    )
    waiting = [
        group
        for group in groups.exclude(state=DeadLetterState.RESOLVED).select_for_update(of=("self",)).order_by("pk")
        if group.state != DeadLetterState.REPLAYING or group.replay_from_us is not None
    ]
    for group in waiting:
        group.replay_from_us = min(since_us, group.replay_from_us or since_us)
        group.replay_until_us = max(until_us, group.replay_until_us or until_us)
        group.state = DeadLetterState.REPLAYING.value
        group.changed_at = at
        group.save(update_fields=["replay_from_us", "replay_until_us", "state", "changed_at"])
    if waiting:
        publish(DeadLetterReplayRequested(group_ids=tuple(group.pk for group in waiting)), at=at)
        _audit(actor, waiting, "dead_letters.replay", at)
    return bool(waiting)


@transaction.atomic
def resolve_dead_letters(*, actor: Actor, group_ids: Collection[int], at: datetime) -> int:
    """Set groups aside as dealt with; they open again when a new letter comes. Needs ``telemetry.replay``."""
    rows = _locked_groups(actor, group_ids, REPLAY)
    if any(row.state == DeadLetterState.REPLAYING for row in rows):
        raise Conflict(_("These dead letters are being replayed; look again in a moment."))
    DeadLetterGroup.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=DeadLetterState.RESOLVED, changed_at=at
    )
    _audit(actor, rows, "dead_letters.resolve", at)
    return len(rows)


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What is to go through again for one source (0: none) and reason, and where to.

    ``wanted`` maps (kind, what) to the group; ``known`` are all (kind, what) with a group of their own: what is not
    among them belongs to the group `rules.OTHERS`, if that is wanted. ``windows`` maps a group to the arrivals that
    are to go through, in microseconds ``[from, until)``; a group without one goes through whole.
    """

    source_id: int
    reason: str
    wanted: dict[tuple[str, str], int]
    known: frozenset[tuple[str, str]]
    claims: list[tuple[str, int]]
    windows: dict[int, tuple[int, int]] = field(default_factory=dict)

    def group_of(self, kind: str, what: str) -> int | None:
        """Return the group a message or point is to be replayed for; None when it is to stay."""
        what = _printable(what)[:MAX_WHAT]
        group = self.wanted.get((kind, what))
        if group is None and (kind, what) not in self.known:
            return self.wanted.get((kind, OTHERS))
        return group

    def is_in_window(self, group_id: int, arrived_us: int) -> bool:
        """Return whether a letter of the group is to be replayed."""
        since_us, until_us = self.windows.get(group_id, (arrived_us, arrived_us + 1))
        return since_us <= arrived_us < until_us

    def target(self, topic: str) -> int | None:
        """Return the source that takes a message with this topic; None when none does."""
        return self.source_id or claiming(self.claims, topic)


def is_replay_waiting() -> bool:
    """Return whether a replay was asked for and not carried out yet. One query."""
    return DeadLetterGroup.objects.filter(state=DeadLetterState.REPLAYING).exists()


def replay_plans() -> list[ReplayPlan]:
    """Return what waits to be replayed. Three queries, none more when nothing waits."""
    waiting = list(DeadLetterGroup.objects.filter(state=DeadLetterState.REPLAYING).order_by("pk"))
    if not waiting:
        return []
    plans: dict[tuple[int, str], dict[tuple[str, str], int]] = {}
    windows: dict[int, tuple[int, int]] = {}
    for row in waiting:
        if (window := _window(row)) is not None:
            windows[row.pk] = window
        plans.setdefault((row.source_id or 0, row.reason), {})[(row.kind, row.what)] = row.pk
    known: dict[tuple[int, str], set[tuple[str, str]]] = {}
    siblings = DeadLetterGroup.objects.filter(reason__in={reason for _, reason in plans}).exclude(what=OTHERS)
    for source_id, reason, kind, what in siblings.values_list("source_id", "reason", "kind", "what"):
        known.setdefault((source_id or 0, reason), set()).add((kind, what))
    filters = claims()
    return [
        ReplayPlan(source_id, reason, wanted, frozenset(known.get((source_id, reason), ())), filters, windows)
        for (source_id, reason), wanted in plans.items()
    ]


@transaction.atomic
def note_replayed(
    *, group_id: int, count: int, until_sequence: int, at: datetime, window: tuple[int, int] | None = None
) -> None:
    """Record that ``count`` letters of a group went through again. The worker calls it once the stream let go.

    The replay went through the stream up to ``until_sequence``; ``window`` is the plan's for this group. A group is
    open again when letters came behind that (new ones, or some that were refused again), and when only some of its
    letters were replayed and others are left; when more was asked for meanwhile, it goes on waiting.
    """
    group = DeadLetterGroup.objects.select_for_update(of=("self",)).filter(pk=group_id).first()
    if group is None or group.state != DeadLetterState.REPLAYING:
        return
    group.replayed_count += count
    group.changed_at = at
    if _window(group) == window:
        is_left = window is not None and group.replayed_count < group.count
        is_left = is_left or group.samples.filter(sequence__gt=until_sequence).exists()
        group.state = (DeadLetterState.OPEN if is_left else DeadLetterState.REPLAYED).value
        group.replay_from_us = group.replay_until_us = None
    group.save(update_fields=["replayed_count", "state", "replay_from_us", "replay_until_us", "changed_at"])
    publish(DeadLettersReplayed(group_id=group_id, count=count), at=at)


def _window(group: DeadLetterGroup) -> tuple[int, int] | None:
    if group.replay_from_us is None or group.replay_until_us is None:
        return None
    return group.replay_from_us, group.replay_until_us


# ---- finding groups ---------------------------------------------------------------------------------------------


def _visible_groups(groups: Any, actor: Actor) -> Any:
    """Keep the groups of the actor's sites; those of no known site are for whoever sees every site."""
    sites = actor.site_ids_with(VIEW)
    return groups if sites is None else groups.filter(site_id__in=sites)


def _locked_groups(actor: Actor, group_ids: Collection[int], permission: str) -> list[DeadLetterGroup]:
    if not actor.may(permission):
        actor.require(permission)
    rows = list(
        _visible_groups(DeadLetterGroup.objects.filter(pk__in=group_ids), actor)
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    if len(rows) != len(set(group_ids)):
        raise NotVisible(_("There is no such thing here."))
    for site_id in {row.site_id for row in rows}:
        actor.require(permission, site_id=site_id)
    return rows


def _check_kept(rows: Sequence[DeadLetterGroup]) -> None:
    """Refuse to replay what the broker threw away."""
    for row in rows:
        if row.kind == KIND_REFUSED_PUBLISH:
            raise Conflict(
                _(
                    "The broker refused the messages on %(topic)s and kept none: there is nothing to replay. "
                    "Let the device publish there, and have it send them again."
                )
                % {"topic": row.what}
            )


def _check_claimed(rows: Sequence[DeadLetterGroup]) -> None:
    """Refuse to replay what still nobody would take."""
    filters = claims()
    for row in rows:
        if row.source_id is None and row.what != OTHERS and claiming(filters, row.what) is None:
            raise Conflict(
                _("No data source claims the topic %(topic)s. Create one that does, then replay.") % {"topic": row.what}
            )


def claims() -> list[tuple[str, int]]:
    """Return every topic filter of the enabled sources with the source's id. One query."""
    rows = DataSource.objects.filter(is_enabled=True).order_by("pk").values_list("pk", "topics")
    return [(topic_filter, source_id) for source_id, topics in rows for topic_filter in topics]


def _audit(actor: Actor, rows: Sequence[DeadLetterGroup], action: str, at: datetime) -> None:
    for site_id in {row.site_id for row in rows}:
        audit.record(
            actor=actor,
            action=action,
            at=at,
            site_id=site_id,
            object_kind="dead_letter_group",
            groups=[row.pk for row in rows if row.site_id == site_id][:200],
        )


# ---- counting ---------------------------------------------------------------------------------------------------


def _storable(letter: DeadLetter) -> DeadLetter:
    """Spell out what PostgreSQL's text cannot hold: the payload itself is kept byte for byte."""
    if all(text.isprintable() for text in (letter.what, letter.topic, letter.detail)):
        return letter
    return replace(
        letter, what=_printable(letter.what), topic=_printable(letter.topic), detail=_printable(letter.detail)
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _reason(text: str) -> str:
    return text if text in set(Refusal) else Refusal.UNDECODABLE.value


def _groups(bundles: dict[Key, list[DeadLetter]]) -> dict[Key, DeadLetterGroup]:
    """Return the group of each bundle, making those that are missing; overflowing ones are moved to ``OTHERS``."""
    wanted = Q(pk__in=[])
    for source_id, reason in {(key[0], key[1]) for key in bundles}:
        whats = [key[3] for key in bundles if key[:2] == (source_id, reason)]
        wanted |= Q(source_id=source_id or None, reason=reason, what__in=[*whats, OTHERS])
    found: dict[Key, DeadLetterGroup] = {}
    for row in DeadLetterGroup.objects.filter(wanted).select_for_update(of=("self",)).order_by("pk"):
        found[(row.source_id or 0, row.reason, row.kind, row.what)] = row
    missing = [key for key in bundles if key not in found]
    if missing:
        _move_overflow(missing, bundles)
        still = [key for key in bundles if key not in found]
        sites = _sites(still, bundles)
        for key in still:
            found[key] = _new_group(key, bundles[key], sites[key])
    return {key: found[key] for key in bundles}


def _move_overflow(missing: Iterable[Key], bundles: dict[Key, list[DeadLetter]]) -> None:
    room: dict[tuple[int, str], int] = {}
    for key in missing:
        pair = (key[0], key[1])
        if pair not in room:
            count = DeadLetterGroup.objects.filter(source_id=key[0] or None, reason=key[1]).count()
            room[pair] = MAX_GROUPS_OF_A_REASON - count
        if key[3] == OTHERS:
            continue
        room[pair] -= 1
        if room[pair] < 0:
            bundles.setdefault((key[0], key[1], key[2], OTHERS), []).extend(bundles.pop(key))


def _sites(keys: Sequence[Key], bundles: dict[Key, list[DeadLetter]]) -> dict[Key, int | None]:
    """Whose messages these are: the source's site, else that of the only device that may publish the topic.

    Else that of the only site to which anything is connected.
    """
    source_sites = dict(DataSource.objects.filter(pk__in={key[0] for key in keys}).values_list("pk", "site_id"))
    sites: dict[Key, int | None] = {key: source_sites.get(key[0]) for key in keys}
    unowned = [key for key in keys if sites[key] is None]
    if unowned:
        connected = {*DataSource.objects.values_list("site_id", flat=True).distinct()}
        connected |= {*Device.objects.values_list("site_id", flat=True).distinct()}
        possible = connected or set(Site.objects.values_list("pk", flat=True)[:2])
        filters = [
            (topic_filter, site_id)
            for site_id, topics in Device.objects.values_list("site_id", "publish_topics")
            for topic_filter in topics
        ]
        for key in unowned:
            topic = bundles[key][0].topic
            owners = {site_id for topic_filter, site_id in filters if filter_matches(topic_filter, topic)}
            candidates = owners or set(possible)
            sites[key] = candidates.pop() if len(candidates) == 1 else None
    return sites


def _new_group(key: Key, letters: Sequence[DeadLetter], site_id: int | None) -> DeadLetterGroup:
    source_id, reason, kind, what = key
    arrived = [moment(letter.arrived_us) for letter in letters]
    return DeadLetterGroup.objects.create(
        site_id=site_id,
        source_id=source_id or None,
        reason=reason,
        kind=kind,
        what=what,
        first_seen_at=min(arrived),
        last_seen_at=max(arrived),
        detail=letters[-1].detail[:400],
    )


def _add(group: DeadLetterGroup, letters: Sequence[DeadLetter]) -> None:
    """Count new letters; one that was refused again after a replay is no new one, and was not replayed after all."""
    fresh = [letter for letter in letters if not letter.is_counted]
    again = [letter for letter in letters if letter.is_replayed]
    if not fresh and not again:
        return
    group.replayed_count -= len(again)
    arrived = [moment(letter.arrived_us) for letter in fresh]
    group.count += len(fresh)
    group.first_seen_at = min([group.first_seen_at, *arrived])
    group.last_seen_at = max([group.last_seen_at, *arrived])
    group.detail = (fresh or again)[-1].detail[:400]
    if group.state in (DeadLetterState.RESOLVED, DeadLetterState.REPLAYED):
        group.state = DeadLetterState.OPEN.value
    group.save(update_fields=["count", "replayed_count", "first_seen_at", "last_seen_at", "detail", "state"])


def _keep_samples(groups: dict[Key, DeadLetterGroup], bundles: dict[Key, list[DeadLetter]]) -> None:
    """Store the newest letters: ``MAX_SAMPLES`` and ``MAX_GROUP_BYTES`` a group at most, but always the newest one."""
    rows = [
        DeadLetterSample(
            group_id=group.pk,
            payload=letter.payload[:MAX_SAMPLE_BYTES],
            size=len(letter.payload),
            topic=letter.topic[:1000],
            arrived_at=moment(letter.arrived_us),
            sequence=letter.sequence,
            detail=letter.detail[:400],
        )
        for key, group in groups.items()
        for letter in bundles[key][-MAX_SAMPLES:]
    ]
    DeadLetterSample.objects.bulk_create(rows, batch_size=200)
    ids = [group.pk for group in groups.values()]
    numbered = DeadLetterSample.objects.filter(group_id__in=ids).order_by("group_id", "-sequence", "-pk")
    kept: dict[int, tuple[int, int]] = {}
    surplus: list[int] = []
    for pk, group_id, size in numbered.values_list("pk", "group_id", "size"):
        count, total = kept.get(group_id, (0, 0))
        total += min(size, MAX_SAMPLE_BYTES)
        if count >= MAX_SAMPLES or (count and total > MAX_GROUP_BYTES):
            surplus.append(pk)
        else:
            kept[group_id] = (count + 1, total)
    if surplus:
        DeadLetterSample.objects.filter(pk__in=surplus).delete()


# ---- making tags ------------------------------------------------------------------------------------------------


def _specs_by_site(rows: Sequence[DeadLetterGroup]) -> dict[int, list[TagSpec]]:
    addresses = {(row.source_id, row.what) for row in rows}
    taken = set(
        Tag.objects.filter(
            source_id__in={row.source_id for row in rows},
            address__in={row.what for row in rows},
            retired_at__isnull=True,
        ).values_list("source_id", "address")
    )
    specs: dict[int, list[TagSpec]] = {}
    for row in rows:
        if row.source_id is None or row.site_id is None or (row.source_id, row.what) in taken & addresses:
            continue
        name = name_of_address(row.what)
        spec = TagSpec(
            source_id=row.source_id,
            address=row.what,
            data_type=guess_data_type(_sample_values(row)),
            name_zh=name,
            name_en=name,
        )
        if check_tag(spec) is None:
            specs.setdefault(row.site_id, []).append(spec)
    return specs


def _sample_values(row: DeadLetterGroup) -> list[Any]:
    values: list[Any] = []
    if row.kind != KIND_POINTS:
        return values
    for sample in row.samples.all():
        try:
            point = msgspec.json.decode(bytes(sample.payload))
        except msgspec.DecodeError:
            continue
        if isinstance(point, dict):
            values.append(point.get("value"))
    return values
