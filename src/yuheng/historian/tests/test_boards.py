"""What was shown at a moment is shown again: compared with what the live stream said then, over kills and late data."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from yuheng.bus.documents import Plant
from yuheng.bus.messages import (
    BoardBetweenQuestion,
    BoardQuestion,
    LiveSnapshot,
    LiveStates,
    PastBoard,
    UnitLive,
    ValueLive,
)
from yuheng.engines.points import PointBlock, Quality, TextPoint
from yuheng.historian import snapshot
from yuheng.historian.boards import NO_HISTORIAN, Boards, Now
from yuheng.historian.limits import DEFAULT_LIMITS, Limits
from yuheng.historian.live import Live
from yuheng.historian.past_values import STRETCH_US
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.rederive import rederive
from yuheng.historian.shown import Reason, board_columns, change_columns
from yuheng.historian.store import (
    Store,
    concatenated,
    sample_columns,
    state_change_columns,
    text_columns,
)
from yuheng.historian.tests.processes import a_plant
from yuheng.historian.tests.test_units import block_of

S = 1_000_000
T0 = 1_795_000_000 * S
SITE = 1


class Run:
    """One run of a historian without a broker: fed by hand, committed by hand, killed by being dropped."""

    def __init__(self, store: Store, plant: Plant, clock: list[int], limits: Limits) -> None:
        self.store = store
        self.clock = clock
        self.said: list[LiveStates] = []
        self.pipeline = Pipeline(clock_us=lambda: clock[0], publish=lambda subject, data: None)
        self.pipeline.configure(plant)
        self.live = Live(self.pipeline, epoch="x", clock_us=lambda: clock[0], publish=self._hear, limits=limits)
        self.pipeline.on_live = self.live.states
        picture = snapshot.load(store)
        snapshot.restore(self.pipeline, picture, clock[0])
        for block, texts in snapshot.since(store, picture.watermark_s):
            self.pipeline.observe(*self.pipeline.ordered(block), texts)
        self.live.begin(self.pipeline.units.next_version(clock[0]))

    def _hear(self, subject: str, data: bytes) -> None:
        if subject.startswith("yh.live.state"):
            self.said.append(msgspec.json.decode(data, type=LiveStates))

    def feed(self, block: PointBlock, texts: Sequence[TextPoint] = ()) -> None:
        self.pipeline._absorb(block, list(texts))

    def tick(self) -> None:
        self.pipeline.units.tick(self.clock[0])
        self.live.states()

    def commit(self) -> None:
        pending, emission = self.pipeline.swap(), self.pipeline.units.emit(self.clock[0])
        if pending.blocks:
            self.store.insert("samples", sample_columns(concatenated(pending.blocks)))
        if pending.texts:
            self.store.insert("text_samples", text_columns(pending.texts))
        if pending.shown.changes:
            self.store.insert("shown", change_columns(pending.shown.changes))
        if pending.shown.boards:
            self.store.insert("boards", board_columns(pending.shown.boards))
        if emission.rows:
            self.store.insert("state_changes", state_change_columns(emission.rows))

    def rederive_late(self) -> None:
        units, plant = self.pipeline.units, self.pipeline.plant
        assert plant is not None
        late = units.take_late()
        if late:
            emission, anew = rederive(self.store, plant, late, units.next_version(self.clock[0]))
            if emission.rows:
                self.store.insert("state_changes", state_change_columns(emission.rows))
            for unit in anew:
                units.replace(unit.unit_id, unit.changes, unit.until_us)
            self.live.states()

    def board(self) -> LiveSnapshot:
        return self.live.snapshot(SITE, None)

    def boards(self, limits: Limits = DEFAULT_LIMITS) -> Boards:
        assert self.pipeline.plant is not None
        now = Now(self.pipeline.plant, self.live.run, self.clock[0])
        return Boards(self.store, limits, now=lambda: now)


def arrived_at(block: PointBlock, at_us: int) -> PointBlock:
    return PointBlock(block.tag, block.time_us, block.value, block.quality, block.seq, np.full(len(block), at_us))


def some_samples(rng: random.Random, now_us: int, units: int) -> tuple[PointBlock, list[TextPoint]]:
    """Points of now, a few of them late by seconds or minutes, some bad; now and then a text."""
    rows, texts = [], []
    for unit in range(units):
        if rng.random() < 0.3:
            continue
        for symbol, value in ((1, float(rng.random() < 0.7)), (2, rng.choice([0.0, 0.0, 7.0])), (3, rng.random())):
            late_us = rng.choice([0, 0, 0, 0, 5 * S, 90 * S])
            quality = int(Quality.BAD) if rng.random() < 0.05 else 0
            rows.append((unit * 4 + symbol, now_us - late_us - rng.randrange(S), value, quality))
        if rng.random() < 0.2:
            texts.append(TextPoint(unit * 4 + 4, now_us - rng.randrange(S), rng.choice("ABC"), 0, 0, now_us))
    return arrived_at(block_of(rows or [(1, now_us - 1, 1.0, 0)]), now_us), texts


def states_of(units: Sequence[UnitLive]) -> dict[int, tuple[int, str, int]]:
    return {unit.work_unit_id: (unit.state, unit.cause, unit.since_us) for unit in units}


def values_of(values: Sequence[ValueLive]) -> dict[int, ValueLive]:
    return {value.tag_id: value for value in values}


def check_equal(found: PastBoard, shown: LiveSnapshot) -> None:
    assert found.known_as == "shown"
    assert states_of(found.units) == states_of(shown.units)
    assert values_of(found.values) == values_of(shown.values)
    assert found.data_time_us == max([value.time_us for value in shown.values], default=0)
    bad = {value.tag_id for value in shown.values if value.quality >= Quality.BAD}
    for then, unit in zip(found.units, shown.units, strict=True):
        if not bad & set(range(unit.work_unit_id * 4 - 3, unit.work_unit_id * 4 + 1)):
            assert then.seen_us == unit.seen_us
        assert then.seen_us <= unit.seen_us


@pytest.mark.parametrize("seed", range(4))
def test_replay_at_a_moment_is_what_was_shown_at_that_moment(store: Store, seed: int):
    rng = random.Random(seed)
    units = 4
    limits = Limits(board_changes=rng.choice([5, 50, 20_000]))
    clock = [T0]
    run = Run(store, a_plant(units), clock, limits)
    shown: list[LiveSnapshot] = []  # durable
    waiting: list[LiveSnapshot] = []
    undelivered: list[tuple[PointBlock, list[TextPoint]]] = []  # in the log, not acknowledged
    for _ in range(60):
        clock[0] += rng.choice([200_000, S, S, 3 * S, 45 * S]) // 1000 * 1000
        what = rng.random()
        if what < 0.75:
            block, texts = some_samples(rng, clock[0], units)
            run.feed(block, texts)
            undelivered.append((block, texts))
        elif what < 0.85:
            run.live.record_boards(Reason.RHYTHM)
        run.tick()
        waiting.append(run.board())
        if rng.random() < 0.4:
            clock[0] += 10_000
            run.commit()
            run.rederive_late()
            waiting.append(run.board())
            run.commit()
            shown, waiting, undelivered = shown + waiting, [], []
        elif rng.random() < 0.06:  # killed: what was told since the last commit is not in the record
            waiting = []
            clock[0] += rng.choice([S, 20 * S])
            run = Run(store, a_plant(units), clock, limits)
            for block, texts in undelivered:
                run.feed(block, texts)
            clock[0] += 10_000
            waiting.append(run.board())
    run.commit()
    shown += waiting
    boards = run.boards()
    for snapshot_then in rng.sample(shown, min(40, len(shown))):
        question = BoardQuestion(SITE, snapshot_then.at_us)
        check_equal(boards.at(question), snapshot_then)


def test_changes_between_two_moments_lead_from_one_board_to_the_other(store: Store):
    rng = random.Random(5)
    clock = [T0]
    run = Run(store, a_plant(3), clock, DEFAULT_LIMITS)
    moments = []
    for _ in range(200):
        clock[0] += S
        run.feed(*some_samples(rng, clock[0], 3))
        run.tick()
        moments.append(clock[0])
    clock[0] += S
    run.commit()
    boards = run.boards(Limits(frames_changes=40, frames_values=60))
    tags = list(range(1, 13))
    for _ in range(10):
        low, high = sorted(rng.sample(moments, 2))
        begin, end = boards.at(BoardQuestion(SITE, low)), boards.at(BoardQuestion(SITE, high))
        units = {unit.work_unit_id: unit for unit in begin.units}
        values = values_of(begin.values)
        asked, at_us = 0, low
        while at_us < high:
            answer = boards.between(BoardBetweenQuestion(SITE, at_us, high, tags, 7 * S))
            assert at_us < answer.until_us <= high
            for frame in answer.frames:
                assert at_us < frame.at_us <= answer.until_us
                units.update({unit.work_unit_id: unit for unit in frame.units})
                for value in frame.values:
                    if value.tag_id not in values or value.time_us >= values[value.tag_id].time_us:
                        values[value.tag_id] = value
            at_us = answer.until_us
            asked += 1
        assert asked > 1 or high - low < 40 * S
        assert states_of(list(units.values())) == states_of(end.units)
        assert values == values_of(end.values)


def test_as_known_shows_what_late_data_corrected(store: Store):
    clock = [T0]
    run = Run(store, a_plant(1), clock, DEFAULT_LIMITS)
    run.feed(arrived_at(block_of([(1, T0, 1.0, 0), (2, T0, 0.0, 0)]), T0))
    clock[0] = T0 + 20 * S
    run.feed(arrived_at(block_of([(1, T0 + 20 * S, 1.0, 0)]), T0 + 20 * S))
    run.commit()
    clock[0] = T0 + 25 * S
    run.feed(arrived_at(block_of([(2, T0 + 10 * S, 7.0, 0), (2, T0 + 12 * S, 0.0, 0)]), T0 + 25 * S))
    run.commit()
    run.rederive_late()
    run.commit()
    boards = run.boards()
    then = T0 + 11 * S
    assert states_of(boards.at(BoardQuestion(SITE, then)).units)[1] == (2, "", T0)
    known = boards.at(BoardQuestion(SITE, then, known_as="known"))
    assert states_of(known.units)[1] == (5, "7", T0 + 10 * S)
    assert values_of(known.values)[2].value == 7.0
    assert values_of(boards.at(BoardQuestion(SITE, then)).values)[2].value == 0.0


def test_before_the_record_began_the_answer_says_that_it_is_what_is_known_now(store: Store):
    clock = [T0 + 3600 * S]
    store.insert("samples", sample_columns(block_of([(1, T0, 1.0, 0)])))
    store.insert("state_changes", state_change_columns([(1, T0, 2, "", 1, 0)]))
    run = Run(store, a_plant(1), clock, DEFAULT_LIMITS)
    run.commit()
    board = run.boards().at(BoardQuestion(SITE, T0 + 5 * S))
    assert board.known_as == "known"
    assert 0 <= board.recorded_from_us - clock[0] < 100
    assert states_of(board.units)[1] == (2, "", T0)


def test_a_time_without_a_historian_says_so(store: Store):
    clock = [T0]
    run = Run(store, a_plant(1), clock, DEFAULT_LIMITS)
    run.feed(arrived_at(block_of([(1, T0, 1.0, 0)]), T0))
    run.commit()
    clock[0] += 600 * S
    run = Run(store, a_plant(1), clock, DEFAULT_LIMITS)
    run.live.record_boards(Reason.STOP)
    run.commit()
    stopped = clock[0] + 10
    clock[0] += 60 * S
    run = Run(store, a_plant(1), clock, DEFAULT_LIMITS)
    run.commit()
    boards = run.boards()
    trouble = [boards.at(BoardQuestion(SITE, at)).trouble for at in (T0 + S, T0 + 500 * S, stopped, clock[0] + 10)]
    assert trouble == ["", NO_HISTORIAN, NO_HISTORIAN, ""]
    frames = boards.between(BoardBetweenQuestion(SITE, T0, clock[0] + 10)).frames
    assert [(f.is_whole, f.trouble) for f in frames if f.is_whole] == [
        (True, ""),
        (True, NO_HISTORIAN),
        (True, ""),
    ]


def test_many_tags_are_read_by_stretch_and_equal_the_single_moments(store: Store):
    rng = random.Random(3)
    clock = [T0 // STRETCH_US * STRETCH_US + STRETCH_US - 5 * S]
    units = 30  # 120 tags
    run = Run(store, a_plant(units), clock, DEFAULT_LIMITS)
    moments = []
    for _ in range(60):
        clock[0] += S
        run.feed(*some_samples(rng, clock[0], units))
        moments.append(run.board())
    run.commit()
    clock[0] += 3600 * S
    boards = run.boards()
    for then in moments[::7]:
        check_equal(boards.at(BoardQuestion(SITE, then.at_us)), then)
        few = boards.at(BoardQuestion(SITE, then.at_us, tags=[1, 5, 8, 9999]))
        assert values_of(few.values) == {k: v for k, v in values_of(then.values).items() if k in (1, 5, 8)}
