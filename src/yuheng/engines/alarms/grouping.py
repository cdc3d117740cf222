"""Which alarm explains which: so that a dispatcher reads fifty lines, not five thousand. Pure.

Rules
-----
1. *Named root.* A definition may name the alarm that explains it, of its own work unit or of another (a compressor).
   While that one is active, the named ones are grouped under it, whichever came first.
2. *One awaited root.* Alarms that name the same root, which is not active (yet), and came within `WINDOW_US` are
   grouped under the most urgent of them: their cause is probably one, and when the root comes it takes all of them.
3. *One unit.* When `ENOUGH` alarms of one work unit came within `WINDOW_US`, they are grouped under the most urgent of
   them, the earliest of equals.
4. *One cause.* When the same definition was raised on `ENOUGH` units within `WINDOW_US`, they are grouped under the
   first.

A more urgent alarm is never put under a less urgent one by rules 2 to 4; it takes the head's place. Only alarms that
are shown can be a root. Groups are one level deep: a root is never grouped itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ENOUGH = 5
WINDOW_US = 60_000_000
RELEASE_AFTER_US = 30_000_000
"""A root that went inactive so long ago explains nothing any more."""

type_key = tuple[int, str]
"""Work unit and code of a definition: how a named root is found."""


@dataclass(slots=True)
class Member:
    """An alarm that needs somebody. ``root_id`` 0: it stands alone or heads a group."""

    id: int
    work_unit_id: int
    definition_id: int
    code: str
    priority: int
    activated_us: int
    is_active: bool
    is_hidden: bool
    parent: type_key | None = None
    root_id: int = 0


class Groups:
    """The alarms of a site that need somebody, and which explains which. `changed` gathers what must be told."""

    def __init__(self, members: Iterable[Member]) -> None:
        self.by_id: dict[int, Member] = {}
        self.changed: set[int] = set()
        self._by_key: dict[type_key, int] = {}
        self._waiting: dict[type_key, set[int]] = {}
        self._of_unit: dict[int, set[int]] = {}
        self._of_definition: dict[int, set[int]] = {}
        self._children: dict[int, set[int]] = {}
        for member in members:
            self._put(member)

    def _put(self, member: Member) -> None:
        self.by_id[member.id] = member
        self._by_key[member.work_unit_id, member.code] = member.id
        if member.parent is not None:
            self._waiting.setdefault(member.parent, set()).add(member.id)
        self._of_unit.setdefault(member.work_unit_id, set()).add(member.id)
        self._of_definition.setdefault(member.definition_id, set()).add(member.id)
        if member.root_id:
            self._children.setdefault(member.root_id, set()).add(member.id)

    def children(self, root_id: int) -> set[int]:
        """Return the alarms grouped under one."""
        return set(self._children.get(root_id, ()))

    def raised(self, member: Member) -> None:
        """An alarm was raised (again): find its place, and that of those it explains."""
        known = self.by_id.get(member.id)
        if known is not None:
            member.root_id = known.root_id
        self._put(member)
        if member.is_hidden:
            return
        self._under_named_root(member)
        self._adopt_named(member)
        if member.parent is not None and not member.root_id and not self._children.get(member.id):
            self._with_siblings(member)
        if not member.root_id and not self._children.get(member.id):
            self._gather(member, self._of_unit[member.work_unit_id], keeps_urgent=True)
        if not member.root_id and not self._children.get(member.id):
            self._gather(member, self._of_definition[member.definition_id], keeps_urgent=False)

    def ended(self, alarm_id: int) -> None:
        """An alarm needs nobody any more, or is hidden: it leaves its group, and its own group is let go."""
        member = self.by_id.get(alarm_id)
        if member is None:
            return
        for child in sorted(self.children(alarm_id)):
            self._set_root(self.by_id[child], 0)
        self._set_root(member, 0)
        del self.by_id[alarm_id]
        if self._by_key.get((member.work_unit_id, member.code)) == alarm_id:
            del self._by_key[member.work_unit_id, member.code]
        if member.parent is not None:
            self._waiting[member.parent].discard(alarm_id)
        self._of_unit[member.work_unit_id].discard(alarm_id)
        self._of_definition[member.definition_id].discard(alarm_id)

    def release(self, root_id: int) -> None:
        """Let go what is still active under a root that explains nothing any more; it may find another place."""
        free = [self.by_id[child] for child in self.children(root_id) if self.by_id[child].is_active]
        for member in free:
            self._set_root(member, 0)
        for member in sorted(free, key=lambda one: (one.activated_us, one.id)):
            self.raised(member)

    # ---- the rules ------------------------------------------------------------------------------------------

    def _can_be_root(self, member: Member) -> bool:
        return member.is_active and not member.is_hidden

    def _under_named_root(self, member: Member) -> None:
        if member.parent is None:
            return
        parent = self.by_id.get(self._by_key.get(member.parent, 0))
        if parent is None or parent.id == member.id or not self._can_be_root(parent):
            return
        root_id = parent.root_id or parent.id
        if root_id != member.id:
            self._move(member, root_id)

    def _adopt_named(self, member: Member) -> None:
        root_id = member.root_id or member.id
        for waiting in sorted(self._waiting.get((member.work_unit_id, member.code), ())):
            other = self.by_id[waiting]
            if other.id not in (root_id, member.id) and other.is_active and not other.is_hidden:
                self._move(other, root_id)

    def _with_siblings(self, member: Member) -> None:
        """Group a member with those that wait for the same root."""
        siblings = (self.by_id[key] for key in self._waiting.get(member.parent or (0, ""), ()) if key != member.id)
        heads = [
            other
            for other in siblings
            if not other.root_id and self._can_be_root(other) and self._newest_us(other) >= self._since(member)
        ]
        if not heads:
            return
        head = min(heads, key=_urgency)
        if member.priority < head.priority:
            self._take_over(member, head)
        else:
            self._move(member, head.id)

    def _gather(self, member: Member, near: set[int], *, keeps_urgent: bool) -> None:
        """Group a member with those near it, when they are enough or a group is there already."""
        standing = [
            other
            for other in (self.by_id[key] for key in near)
            if not other.root_id and self._can_be_root(other) and other.id != member.id
        ]
        heads = [
            other
            for other in standing
            if self._children.get(other.id) and self._newest_us(other) >= self._since(member)
        ]
        if heads:
            head = min(heads, key=_urgency)
            if keeps_urgent and member.priority < head.priority:
                self._take_over(member, head)
            elif member.priority >= head.priority:
                self._move(member, head.id)
            return
        recent = [other for other in standing if other.activated_us >= self._since(member)]
        if not keeps_urgent:
            recent = [other for other in recent if other.priority == member.priority]
        together = [*recent, member]
        if len(together) < ENOUGH:
            return
        first = min(together, key=_urgency)
        for other in together:
            if other is not first:
                self._move(other, first.id)

    def _since(self, member: Member) -> int:
        return member.activated_us - WINDOW_US

    def _newest_us(self, head: Member) -> int:
        times = [self.by_id[child].activated_us for child in self._children.get(head.id, ())]
        return max([head.activated_us, *times])

    def _take_over(self, member: Member, head: Member) -> None:
        self._move(head, member.id)

    def _move(self, member: Member, root_id: int) -> None:
        """Put a member, and those under it, under a root."""
        for child in sorted(self.children(member.id)):
            self._set_root(self.by_id[child], root_id)
        self._set_root(member, root_id)

    def _set_root(self, member: Member, root_id: int) -> None:
        if root_id == member.id:
            root_id = 0
        if member.root_id == root_id:
            return
        if member.root_id:
            self._children[member.root_id].discard(member.id)
        member.root_id = root_id
        if root_id:
            self._children.setdefault(root_id, set()).add(member.id)
        self.changed.add(member.id)


def _urgency(member: Member) -> tuple[int, int, int]:
    return (member.priority, member.activated_us, member.id)
