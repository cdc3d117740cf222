"""Snapshot + changes ≡ a fresh snapshot, whatever is lost, late or repeated."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from yuheng.bus.messages import LiveSnapshot, LiveStates, LiveValues, UnitLive, ValueLive
from yuheng.web.live.board import MAX_AHEAD, Board


class Plant:
    """What really is: the historian's side."""

    def __init__(self) -> None:
        self.epoch, self.seq, self.now = "a", 0, 100
        self.units = {i: UnitLive(i, 0, "", 0, 0) for i in range(3)}
        self.values: dict[int, ValueLive] = {}
        self.data_time_us = 0

    def change(self, unit: int, state: int) -> LiveStates:
        self.now += 1
        self.seq += 1
        self.units[unit] = UnitLive(unit, state, str(state), self.now, max(self.now, self.units[unit].seen_us))
        return LiveStates(self.epoch, self.seq, self.now, [self.units[unit]])

    def measure(self, tag: int, value: float) -> LiveValues:
        self.now += 1
        self.data_time_us = self.now
        self.values[tag] = ValueLive(tag, self.now, value, 0)
        unit = self.units[tag % 3]
        self.units[unit.work_unit_id] = UnitLive(unit.work_unit_id, unit.state, unit.cause, unit.since_us, self.now)
        return LiveValues(self.now, [self.values[tag]], self.data_time_us, [(unit.work_unit_id, self.now)])

    def restart(self) -> None:
        self.epoch, self.seq = self.epoch + "'", 0

    def snapshot(self) -> LiveSnapshot:
        return LiveSnapshot(
            self.epoch, self.seq, self.now, list(self.units.values()), list(self.values.values()), self.data_time_us
        )


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("change"), st.integers(0, 2), st.integers(0, 6), st.sampled_from(["arrives", "lost", "twice"])
        ),
        st.tuples(
            st.just("measure"), st.integers(0, 4), st.floats(0, 9), st.sampled_from(["arrives", "lost", "twice"])
        ),
        st.tuples(st.just("ask")),
        st.tuples(st.just("answer")),
        st.tuples(st.just("restart")),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(steps)
def test_after_any_losses_and_delays_the_board_equals_a_fresh_snapshot(script):
    plant, board = Plant(), Board()
    under_way: list[tuple[LiveSnapshot, int]] = []
    for step in script:
        match step:
            case ("change", unit, state, fate):
                message = plant.change(unit, state)
                for _ in range({"lost": 0, "arrives": 1, "twice": 2}[fate]):
                    board.apply_states(message)
            case ("measure", tag, value, fate):
                values = plant.measure(tag, value)
                for _ in range({"lost": 0, "arrives": 1, "twice": 2}[fate]):
                    board.apply_values(values)
                if fate == "lost":
                    board.distrust()  # values carry no sequence: the broker's client says when it dropped some
            case ("ask",):
                under_way.append((plant.snapshot(), board.losses))
            case ("answer",) if under_way:
                snapshot, losses = under_way.pop(0)
                board.apply_snapshot(snapshot, asked_at_loss=losses)
            case ("restart",):
                plant.restart()
    board.apply_states(plant.change(0, 2))  # the next change tells of everything lost before it
    while board.needs_snapshot:
        board.apply_snapshot(plant.snapshot(), asked_at_loss=board.losses)

    fresh = Board()
    fresh.apply_snapshot(plant.snapshot(), asked_at_loss=0)
    assert (board.epoch, board.seq) == (fresh.epoch, fresh.seq)
    assert {key: (u.state, u.cause, u.since_us) for key, u in board.units.items()} == {
        key: (u.state, u.cause, u.since_us) for key, u in fresh.units.items()
    }
    assert board.values == fresh.values
    assert board.data_time_us == fresh.data_time_us


def a_board(plant: Plant) -> Board:
    board = Board()
    board.apply_snapshot(plant.snapshot(), asked_at_loss=board.losses)
    return board


def test_a_change_that_follows_is_applied_and_told():
    plant = Plant()
    board = a_board(plant)
    assert board.apply_states(plant.change(1, 5)) == [plant.units[1]]
    assert not board.needs_snapshot


def test_a_missing_change_asks_for_a_snapshot():
    plant = Plant()
    board = a_board(plant)
    plant.change(1, 5)
    assert board.apply_states(plant.change(1, 2)) == []
    assert board.needs_snapshot


def test_changes_that_came_while_a_snapshot_was_under_way_are_added_to_it():
    plant = Plant()
    board = a_board(plant)
    plant.change(0, 3)  # lost
    board.apply_states(plant.change(1, 5))
    late = plant.snapshot()
    board.apply_states(plant.change(2, 4))
    board.apply_snapshot(late, asked_at_loss=0)
    assert not board.needs_snapshot
    assert board.units[2].state == 4


def test_a_snapshot_older_than_the_board_changes_nothing():
    plant = Plant()
    board = a_board(plant)
    old = plant.snapshot()
    board.apply_states(plant.change(1, 5))
    board.apply_snapshot(old, asked_at_loss=0)
    assert board.units[1].state == 5


def test_a_restarted_historian_begins_a_new_board():
    plant = Plant()
    board = a_board(plant)
    board.apply_states(plant.change(1, 5))
    plant.restart()
    board.apply_states(plant.change(1, 2))
    assert board.needs_snapshot
    board.apply_snapshot(plant.snapshot(), asked_at_loss=board.losses)
    assert (board.epoch, board.seq, board.units[1].state) == ("a'", 1, 2)


def test_what_is_kept_for_a_snapshot_is_bounded():
    plant = Plant()
    board = a_board(plant)
    plant.change(0, 3)  # lost
    for i in range(MAX_AHEAD + 50):
        board.apply_states(plant.change(1, i % 7))
    assert len(board._ahead) == MAX_AHEAD
    board.apply_snapshot(plant.snapshot(), asked_at_loss=board.losses)
    assert not board.needs_snapshot


def test_an_older_value_does_not_replace_a_newer_one():
    plant = Plant()
    board = a_board(plant)
    old = plant.measure(1, 1.0)
    board.apply_values(plant.measure(1, 2.0))
    assert board.apply_values(old) == []
    assert board.values[1].value == 2.0
