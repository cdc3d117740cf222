"""What the live screens of one site know: a snapshot, kept current by changes. Pure: no clock, no network.

The promise, tested as a property: whatever is lost, repeated or reordered, once `needs_snapshot` is False and
nothing is under way, the board equals a fresh snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable

from yuheng.bus.messages import LiveSnapshot, LiveStates, LiveValues, UnitLive, ValueLive

MAX_AHEAD = 256
"""Changes kept while a snapshot is awaited. More are dropped, counted by the gap they leave: a snapshot follows."""


class Board:
    """Units and latest values of one site.

    Attributes
    ----------
    epoch, seq
        Run of the historian, and its last state change that is contained here. Empty and 0 before the first snapshot.
    units, values
        By work unit id and tag id.
    data_time_us
        Newest source time received, microseconds UTC; 0 when nothing was heard yet.
    needs_snapshot
        A change was lost, or none was ever had: ask ``yh.q.live`` and `apply_snapshot`.
    losses
        How often `distrust` was called.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.seq = 0
        self.data_time_us = 0
        self.units: dict[int, UnitLive] = {}
        self.values: dict[int, ValueLive] = {}
        self.needs_snapshot = True
        self.losses = 0
        self._ahead: dict[int, LiveStates] = {}
        self._heard: tuple[str, int] = ("", 0)

    def apply_snapshot(self, snapshot: LiveSnapshot, *, asked_at_loss: int) -> None:
        """Start anew from the historian's answer, then add the changes that came while it was on its way.

        ``asked_at_loss`` is `losses` when the question was asked: an answer cannot make good what was lost after it.
        """
        if snapshot.epoch == self.epoch and snapshot.seq < self.seq:
            return  # asked before, answered after newer changes: what we have is newer
        before, self.values = self.values, {value.tag_id: value for value in snapshot.values}
        for tag_id, value in before.items():  # came while the answer was on its way
            if tag_id not in self.values or value.time_us > self.values[tag_id].time_us:
                self.values[tag_id] = value
        self.units = {
            unit.work_unit_id: _later_seen(unit, self.units.get(unit.work_unit_id)) for unit in snapshot.units
        }
        self.epoch, self.seq = snapshot.epoch, snapshot.seq
        self.data_time_us = max(snapshot.data_time_us, self.data_time_us)
        self._catch_up()
        self.needs_snapshot |= self.losses > asked_at_loss

    def apply_states(self, message: LiveStates) -> list[UnitLive]:
        """Apply state changes; return the units that changed. Sets `needs_snapshot` when a message is missing."""
        if message.epoch != self._heard[0] or message.seq > self._heard[1]:
            self._heard = (message.epoch, message.seq)
        if message.epoch == self.epoch and message.seq <= self.seq:
            return []
        if message.epoch != self.epoch or message.seq > self.seq + 1 or self.needs_snapshot:
            self.needs_snapshot = True
            self._keep_ahead(message)
            return []
        return self._take_states(message)

    def apply_values(self, message: LiveValues) -> list[ValueLive]:
        """Apply newer values; return those that were newer. Values have no sequence: the newest time wins."""
        changed = self._take_newer(message.values)
        self.data_time_us = max(self.data_time_us, message.data_time_us)
        for unit_id, seen_us in message.seen:
            unit = self.units.get(unit_id)
            if unit is not None and seen_us > unit.seen_us:
                self.units[unit_id] = _with_seen(unit, seen_us)
        return changed

    def changed_units(self, before: dict[int, UnitLive]) -> list[UnitLive]:
        """Return units whose state, cause or beginning differs from an earlier copy of `units`."""
        return [unit for key, unit in self.units.items() if key not in before or _state(before[key]) != _state(unit)]

    def distrust(self) -> None:
        """Something may have been lost without a trace (slow consumer, broken connection)."""
        self.losses += 1
        self.needs_snapshot = True

    def _take_states(self, message: LiveStates) -> list[UnitLive]:
        for unit in message.units:
            self.units[unit.work_unit_id] = _later_seen(unit, self.units.get(unit.work_unit_id))
        self.seq = message.seq
        return [self.units[unit.work_unit_id] for unit in message.units]

    def _take_newer(self, values: Iterable[ValueLive]) -> list[ValueLive]:
        changed = []
        for value in values:
            known = self.values.get(value.tag_id)
            if known is None or value.time_us >= known.time_us:
                self.values[value.tag_id] = value
                if value != known:
                    changed.append(value)
        return changed

    def _keep_ahead(self, message: LiveStates) -> None:
        if self._ahead and next(iter(self._ahead.values())).epoch != message.epoch:
            self._ahead.clear()
        if len(self._ahead) < MAX_AHEAD:
            self._ahead[message.seq] = message

    def _catch_up(self) -> None:
        """Apply kept changes that follow the snapshot without a gap; a gap that stays needs another snapshot."""
        while (message := self._ahead.pop(self.seq + 1, None)) is not None and message.epoch == self.epoch:
            self._take_states(message)
        epoch, seq = self._heard
        self.needs_snapshot = epoch == self.epoch and seq > self.seq
        if not self.needs_snapshot:
            self._ahead.clear()


def _state(unit: UnitLive) -> tuple[int, str, int]:
    return unit.state, unit.cause, unit.since_us


def _with_seen(unit: UnitLive, seen_us: int) -> UnitLive:
    return UnitLive(unit.work_unit_id, unit.state, unit.cause, unit.since_us, seen_us)


def _later_seen(unit: UnitLive, known: UnitLive | None) -> UnitLive:
    return unit if known is None or known.seen_us <= unit.seen_us else _with_seen(unit, known.seen_us)
