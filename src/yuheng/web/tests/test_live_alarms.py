"""The live alarm list: whatever is lost, repeated or reordered, in the end it equals a fresh snapshot."""

from __future__ import annotations

import json
import random

import pytest

from yuheng.bus.messages import AlarmCountsLive, AlarmLive, LiveAlarms
from yuheng.web.live.alarms import AlarmBoard, AlarmsTopic
from yuheng.web.live.hub import Hub, UnknownTopic
from yuheng.web.live.streams import Client
from yuheng.web.tests.test_hub import FOR_EVER, FakeBus


def an_alarm(pk, *, root=0, shown=True, changed=1):
    return AlarmLive(pk, 1, 1, 2, 3, 5, 0, 1, 0, "", "", "zh", "en", changed, root, shown)


class Worker:
    """Truth, and the messages that told it."""

    def __init__(self) -> None:
        self.epoch, self.seq = "a", 0
        self.rows: dict[int, AlarmLive] = {}

    def change(self, rng) -> LiveAlarms:
        pk = rng.randint(1, 8)
        row = an_alarm(pk, root=rng.choice([0, 0, 9]), shown=rng.random() < 0.7, changed=rng.randint(1, 99))
        if row.is_shown and not row.root_id:
            self.rows[pk] = row
        else:
            self.rows.pop(pk, None)
        self.seq += 1
        return LiveAlarms(self.epoch, self.seq, 0, self.counts(), [row])

    def counts(self) -> AlarmCountsLive:
        return AlarmCountsLive(headlines=len(self.rows))

    def snapshot(self) -> LiveAlarms:
        return LiveAlarms(self.epoch, self.seq, 0, self.counts(), list(self.rows.values()))


@pytest.mark.parametrize("seed", range(200))
def test_a_board_ends_as_a_fresh_snapshot(seed):
    rng = random.Random(seed)
    worker, board = Worker(), AlarmBoard()
    pending: list[tuple[LiveAlarms, int]] = []
    for _ in range(rng.randint(5, 60)):
        message = worker.change(rng)
        if rng.random() < 0.05:
            worker.epoch, worker.seq = worker.epoch + "a", 0
        if rng.random() < 0.9:
            board.apply(message)
        if rng.random() < 0.1:
            board.apply(message)
        if rng.random() < 0.05:
            board.distrust()
        if rng.random() < 0.2:
            pending.append((worker.snapshot(), board.losses))
        if pending and rng.random() < 0.3:
            snapshot, losses = pending.pop(0)
            board.apply_snapshot(snapshot, asked_at_loss=losses)
    board.apply(worker.change(rng))
    if board.needs_snapshot:
        board.apply_snapshot(worker.snapshot(), asked_at_loss=board.losses)
    assert not board.needs_snapshot
    assert (board.rows, board.counts) == (worker.rows, worker.counts())


async def test_a_frame_carries_changed_lines_and_what_is_gone():
    topic = AlarmsTopic(1, lambda board: "")
    client = Client([topic], expires_at=FOR_EVER)
    topic.clients.add(client)
    await client.next_bytes(0.1)
    topic.board.apply_snapshot(
        LiveAlarms("a", 1, 0, AlarmCountsLive(headlines=2), [an_alarm(1), an_alarm(2)]), asked_at_loss=0
    )
    assert topic.push_changes() == 2
    topic.board.apply(LiveAlarms("a", 2, 0, AlarmCountsLive(headlines=1), [an_alarm(1, shown=False)]))
    assert topic.push_changes() == 1
    frames = (await client.next_bytes(0.1)).decode().split("\n\n")
    body = json.loads(frames[1].split("data: ")[1])
    assert (body["gone"], body["alarms"], body["counts"]["headlines"]) == ([1], [], 1)


def test_who_may_not_see_alarms_finds_no_topic():
    hub = Hub(FakeBus())
    with pytest.raises(UnknownTopic):
        hub.open(["alarms:1"], sites=None, expires_at=FOR_EVER)
    with pytest.raises(UnknownTopic):
        hub.open(["alarms:1"], sites=None, alarm_sites=frozenset({2}), expires_at=FOR_EVER)
    hub.open(["alarms:1"], sites=None, alarm_sites=frozenset({1}), expires_at=FOR_EVER)
