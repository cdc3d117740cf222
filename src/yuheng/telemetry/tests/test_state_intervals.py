"""State revisions become exact merged intervals, whatever their order and however often they come."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yuheng.bus.messages import Interval, StateRevision
from yuheng.telemetry.models import WorkUnitState
from yuheng.telemetry.rules import Lasting, microseconds, revised
from yuheng.telemetry.services.state_intervals import apply_state_revision, apply_state_revisions
from yuheng.testing.builders import a_work_unit

HORIZON = 24


@st.composite
def revisions(draw):
    """A revision: from somewhere on, intervals with gaps, the last one possibly open."""
    cuts = sorted(draw(st.sets(st.integers(0, HORIZON), min_size=1, max_size=6)))
    from_us = draw(st.integers(max(0, cuts[0] - 2), cuts[0]))
    intervals = []
    for start, end in zip(cuts, [*cuts[1:], None], strict=True):
        if end is None and draw(st.booleans()):
            continue
        if draw(st.integers(0, 4)):  # sometimes a gap
            intervals.append((draw(st.sampled_from([2, 5])), draw(st.sampled_from(["", "12"])), start, end))
    return from_us, intervals


class NaiveModel:
    """One cell a microsecond, and a word for everything after the horizon."""

    def __init__(self):
        self.cells = [None] * (HORIZON + 2)

    def apply(self, from_us, intervals):
        for at in range(from_us, HORIZON + 2):
            self.cells[at] = None
        for state, cause, start, end in intervals:
            for at in range(max(start, from_us), HORIZON + 2 if end is None else end):
                self.cells[at] = (state, cause)


def cells_of(intervals):
    cells = [None] * (HORIZON + 2)
    for interval in intervals:
        for at in range(interval.start_us, HORIZON + 2 if interval.end_us is None else interval.end_us):
            assert cells[at] is None, "overlap"
            cells[at] = (interval.state, interval.cause)
    for left, right in itertools.pairwise(intervals):
        touch = left.end_us == right.start_us
        assert not (touch and (left.state, left.cause) == (right.state, right.cause)), "neighbours not merged"
    return cells


@given(st.lists(revisions(), max_size=8))
def test_the_rule_agrees_with_a_naive_model_under_any_sequence(sequence):
    naive, stored = NaiveModel(), []
    for from_us, intervals in sequence:
        for _ in range(2):  # each one comes twice
            naive.apply(from_us, intervals)
            stored = revised(stored, [Lasting(*interval) for interval in intervals], from_us=from_us)
        assert cells_of(stored) == naive.cells


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(revisions(), min_size=1, max_size=6), st.data())
def test_the_table_agrees_with_the_naive_model_one_by_one_and_in_batches(sequence, data):
    WorkUnitState.objects.all().delete()
    unit = a_work_unit()
    naive = NaiveModel()
    messages = [StateRevision(unit.pk, f, [Interval(*i) for i in intervals]) for f, intervals in sequence]
    for from_us, intervals in sequence:
        naive.apply(from_us, intervals)
    while messages:
        size = data.draw(st.integers(1, len(messages)))
        apply_state_revisions(messages[:size])
        apply_state_revision(messages[size - 1])  # redelivered
        messages = messages[size:]

    rows = WorkUnitState.objects.order_by("started_at")
    intervals = [
        Lasting(r.state, r.cause, microseconds(r.started_at), None if r.ended_at is None else microseconds(r.ended_at))
        for r in rows
    ]
    assert cells_of(intervals) == naive.cells


@pytest.mark.django_db
def test_a_revision_of_nothing_that_exists_is_not_usable():
    assert apply_state_revision(StateRevision(10**6, 0, [Interval(2, "", 0, None)])) is False


@pytest.mark.django_db
def test_overlapping_intervals_are_refused_and_change_nothing():
    unit = a_work_unit()
    apply_state_revision(StateRevision(unit.pk, 0, [Interval(2, "", 0, None)]))

    assert not apply_state_revision(StateRevision(unit.pk, 5, [Interval(2, "", 5, 9), Interval(5, "", 7, None)]))

    assert WorkUnitState.objects.get().ended_at is None


@pytest.mark.django_db
def test_a_thousand_revisions_of_one_unit_need_few_queries(django_assert_max_num_queries):
    unit = a_work_unit()
    batch = [
        StateRevision(unit.pk, at, [Interval(2 if at % 2 else 5, "", at, None)]) for at in range(1_000_000, 1_001_000)
    ]
    with django_assert_max_num_queries(8):
        assert apply_state_revisions(batch) == 1000
    assert WorkUnitState.objects.count() == 1000
