"""Live alarms of a site: a board kept current by changes, and the topic that browsers listen to.

Only the lines of the headline list travel: in a storm of thousands a page patches some dozens of rows, and the counts
say how many are grouped below.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from yuheng.bus.messages import AlarmCountsLive, AlarmLive, LiveAlarms
from yuheng.web.live.streams import Topic, encoded

MAX_AHEAD = 256
"""Changes kept while a snapshot is awaited. More are dropped; the gap they leave asks for another snapshot."""


class AlarmsFrame(msgspec.Struct, frozen=True):
    """Headline alarms of a site: in a ``snapshot`` all of them, in a ``delta`` those that changed and those gone."""

    topic: str
    now_us: int
    trouble: str  # "", "no_broker" or "no_worker": why nothing newer comes
    counts: AlarmCountsLive
    alarms: list[AlarmLive]
    gone: list[int] = []


class AlarmBoard:
    """What is known of a site's headline list. Pure: no clock, no network.

    Attributes
    ----------
    epoch, seq
        Run of the worker, and its last message that is contained here.
    rows
        Headline alarms by id.
    needs_snapshot
        A change was lost, or none was ever had: ask ``yh.q.alarms`` and `apply_snapshot`.
    losses
        How often `distrust` was called.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.seq = 0
        self.counts = AlarmCountsLive()
        self.rows: dict[int, AlarmLive] = {}
        self.needs_snapshot = True
        self.losses = 0
        self._ahead: list[LiveAlarms] = []
        self._heard_epoch = ""

    def apply_snapshot(self, snapshot: LiveAlarms, *, asked_at_loss: int) -> None:
        """Start anew from the worker's answer, then add the changes that came while it was on its way."""
        if snapshot.epoch == self.epoch and snapshot.seq < self.seq:
            return
        self.epoch, self.seq, self.counts = snapshot.epoch, snapshot.seq, snapshot.counts
        self.rows = {alarm.alarm_id: alarm for alarm in snapshot.alarms}
        ahead, self._ahead = self._ahead, []
        self.needs_snapshot = self.losses > asked_at_loss
        for message in ahead:
            if message.epoch == self.epoch:
                self.apply(message)

    def apply(self, message: LiveAlarms) -> None:
        """Apply a change; sets `needs_snapshot` when one before it is missing."""
        if message.epoch != self._heard_epoch:  # another run: an answer that was asked for before is of no use
            self._heard_epoch = message.epoch
            self.losses += 1
        if message.epoch == self.epoch and message.seq <= self.seq:
            return
        if self.needs_snapshot or message.epoch != self.epoch or message.seq > self.seq + 1:
            self.needs_snapshot = True
            if len(self._ahead) < MAX_AHEAD:
                self._ahead.append(message)
            return
        self.seq, self.counts = message.seq, message.counts
        for alarm in message.alarms:
            if alarm.is_shown and not alarm.root_id:
                self.rows[alarm.alarm_id] = alarm
            else:
                self.rows.pop(alarm.alarm_id, None)

    def distrust(self) -> None:
        """Something may have been lost without a trace."""
        self.losses += 1
        self.needs_snapshot = True


class AlarmsTopic(Topic):
    """The headline alarms of a site."""

    def __init__(self, site_id: int, trouble: Callable[[AlarmBoard], str]) -> None:
        super().__init__(f"alarms:{site_id}")
        self.site_id = site_id
        self.board = AlarmBoard()
        self._shown: dict[int, AlarmLive] = {}
        self._shown_counts = AlarmCountsLive()
        self._trouble = trouble

    def snapshot(self) -> bytes:
        """Return the whole list."""
        return self._frame("snapshot", list(self.board.rows.values()), [])

    def push_changes(self) -> int:
        """Send what changed since the last push; return how many lines that were."""
        rows = self.board.rows
        changed = [alarm for key, alarm in rows.items() if self._shown.get(key) != alarm]
        gone = [key for key in self._shown if key not in rows]
        is_other = bool(changed or gone) or self.board.counts != self._shown_counts
        self._shown, self._shown_counts = dict(rows), self.board.counts
        if is_other and self.clients:
            self.send(self._frame("delta", changed, gone))
        return len(changed) + len(gone)

    def push_age(self) -> None:
        """Say that we are here, and whether the worker is."""
        if self.clients:
            self.send(self._frame("delta", [], []))

    def _frame(self, event: str, alarms: list[AlarmLive], gone: list[int]) -> bytes:
        board = self.board
        body = AlarmsFrame(self.name, time.time_ns() // 1000, self._trouble(board), board.counts, alarms, gone)
        return encoded(event, body, f"{board.epoch}-{board.seq}")
