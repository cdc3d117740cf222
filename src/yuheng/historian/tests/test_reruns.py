"""After a change of rules the past is what the new rules say of all its samples, told once, resumable."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from yuheng.bus.documents import Rederive, StateRule
from yuheng.historian.rederive import read_changes, rederive
from yuheng.historian.reruns import Rerun, Reruns, save
from yuheng.historian.store import Store, sample_columns, state_change_columns
from yuheng.historian.tests.processes import a_plant
from yuheng.historian.tests.test_units import T0, S, _by_time, a_shift, block_of, expected

DAY = 86_400 * S


def over_days(seed: int) -> list[tuple[int, int, float, int]]:
    """Half an hour of samples on each of three days."""
    return [(tag, t + day * DAY, value, q) for day in range(3) for tag, t, value, q in a_shift(seed + day)]


@pytest.mark.parametrize("seed", range(3))
def test_the_past_is_what_the_new_rules_say_and_doing_it_again_says_nothing(store: Store, seed: int):
    rows = sorted(over_days(seed), key=_by_time)
    store.insert("samples", sample_columns(block_of(rows)))
    before = a_plant(1)
    end = rows[-1][1]
    emission, _ = rederive(store, before, {1: (T0, end)}, 1)
    store.insert("state_changes", state_change_columns(emission.rows))
    assert read_changes(store, [1], T0)[1] == expected(before, rows)

    after = replace(before, rule_sets={"cutter": (StateRule(4, "fault == 7"), StateRule(3, "run or fault != 0"))})
    rerun = Rerun.begun(after, after.work_units[0], T0)
    for until in rerun.days(end + 1):
        rerun.go_on(store, until)
    emission, found = rerun.result(store, 2)
    [revision] = emission.revisions
    assert revision.from_us <= T0 + S
    store.insert("state_changes", state_change_columns(emission.rows))
    wanted = expected(after, rows)
    assert read_changes(store, [1], T0)[1] == wanted == found.changes

    again = Rerun.begun(after, after.work_units[0], T0)
    for until in again.days(end + 1):
        again.go_on(store, until)
    assert again.result(store, 3)[0].revisions == []


def test_only_the_days_that_are_asked_for_change(store: Store):
    rows = sorted(over_days(9), key=_by_time)
    store.insert("samples", sample_columns(block_of(rows)))
    before = a_plant(1)
    end = rows[-1][1]
    emission, _ = rederive(store, before, {1: (T0, end)}, 1)
    store.insert("state_changes", state_change_columns(emission.rows))
    after = replace(before, rule_sets={"cutter": (StateRule(6, "run or not run"),)})
    since = T0 + 2 * DAY
    rerun = Rerun.begun(after, after.work_units[0], since)
    for until in rerun.days(end + 1):
        rerun.go_on(store, until)
    emission, _ = rerun.result(store, 2)
    store.insert("state_changes", state_change_columns(emission.rows))
    changes = read_changes(store, [1], T0)[1]
    old = [change for change in expected(before, rows) if change.start_us < since]
    assert [change for change in changes if change.start_us < since] == old
    assert {change.state for change in changes if change.start_us >= since} <= {0, 6}


def test_a_wish_is_taken_once_and_what_is_left_survives_a_restart(store: Store):
    plant = replace(a_plant(3), rederive=(Rederive("cutter", T0, T0 + DAY),))
    first = Reruns()
    [job] = first.take(plant)
    assert (job.left, first.take(plant)) == ([1, 2, 3], [])
    save(store, job, 1)
    del job.left[0]
    save(store, job, 2)
    second = Reruns()
    second.load(store)
    assert second.take(plant) == []
    left = second.next()
    assert left is not None
    assert (left.left, left.of, second.facts()) == ([2, 3], 3, {"left": 2, "of": 3})
    left.left.clear()
    save(store, left, 3)
    third = Reruns()
    third.load(store)
    assert (third.next(), third.take(plant)) == (None, [])
