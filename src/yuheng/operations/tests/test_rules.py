"""The published table is exactly what can happen, and progress follows from responses."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.operations.rules import (
    BEFORE_START,
    BEGUN,
    OPEN_STATES,
    OVER,
    TRANSITIONS,
    Command,
    Feed,
    IllegalTransition,
    JobState,
    JobSubstate,
    Place,
    RequestState,
    ResponseKind,
    Told,
    after,
    arrival,
    derive,
    may_move,
    most_to_report,
    still_expected,
    word,
)
from yuheng.operations.tests.plant import AT

PREPARED = (JobSubstate.WAITING, JobSubstate.READY, JobSubstate.LOADED)
PLACES = [
    *(Place(JobState.NOT_ALLOWED_TO_START, substate) for substate in PREPARED),
    *(Place(JobState.ALLOWED_TO_START, substate) for substate in PREPARED),
    Place(JobState.RUNNING),
    Place(JobState.INTERRUPTED, JobSubstate.HELD),
    Place(JobState.INTERRUPTED, JobSubstate.SUSPENDED),
    Place(JobState.ENDED, JobSubstate.COMPLETED),
    Place(JobState.ENDED, JobSubstate.CLOSED),
    Place(JobState.ABORTED),
    Place(JobState.CANCELLED),
]  # fmt: skip

OPC_10031_4 = {
    # the thirteen transitions of ISA95JobOrderReceiverObjectType, version 2, without substates
    ("not_allowed_to_start", "not_allowed_to_start"),
    ("not_allowed_to_start", "allowed_to_start"),
    ("not_allowed_to_start", "aborted"),
    ("allowed_to_start", "allowed_to_start"),
    ("allowed_to_start", "not_allowed_to_start"),
    ("allowed_to_start", "running"),
    ("allowed_to_start", "aborted"),
    ("running", "interrupted"),
    ("running", "ended"),
    ("running", "aborted"),
    ("interrupted", "running"),
    ("interrupted", "ended"),
    ("interrupted", "aborted"),
}


def test_between_the_standards_six_states_there_are_exactly_the_standards_thirteen_transitions():
    inner = {Command.PREPARE, Command.UNPREPARE, Command.LOAD, Command.UNLOAD, Command.CLEAR}
    between = {
        (one.before.state.value, one.after.state.value)
        for one in TRANSITIONS
        if one.command not in inner and JobState.CANCELLED not in (one.before.state, one.after.state)
        and not (one.before.state is one.after.state is JobState.INTERRUPTED)
    }  # fmt: skip
    assert between == OPC_10031_4


@pytest.mark.parametrize(
    ("place", "command"), list(product(PLACES, Command)), ids=lambda one: str(getattr(one, "value", one))
)
def test_a_command_leads_where_the_table_says_or_nowhere(place, command):
    listed = [one.after for one in TRANSITIONS if one.before == place and one.command is command]
    assert len(listed) <= 1
    if listed:
        assert after(place, command) == listed[0]
    else:
        with pytest.raises(IllegalTransition):
            after(place, command)


@given(st.lists(st.sampled_from(list(Command)), max_size=30))
def test_whatever_is_commanded_a_job_order_is_somewhere_in_the_table(commands):
    place = Place(JobState.ALLOWED_TO_START, JobSubstate.WAITING)
    trail = [place]
    for command in commands:
        try:
            place = after(place, command)
        except IllegalTransition:
            continue
        trail.append(place)
    assert all(one in PLACES for one in trail)
    assert all(any(t.before == a and t.after == b for t in TRANSITIONS) for a, b in pairwise(trail))
    ended = [number for number, one in enumerate(trail) if one.state in OVER]
    assert all(trail[number].state in OVER for number in range(ended[0], len(trail))) if ended else True


def test_every_place_has_a_word_of_b2mml_and_a_part_in_life():
    words = {"Forecast", "Released", "Waiting", "Ready", "Running", "Completed", "Aborted", "Held", "Suspended"}
    words |= {"Cancelled", "Closed"}
    assert {word(one.state, one.substate) for one in PLACES} <= words
    assert set(OPEN_STATES) | set(OVER) == set(JobState)
    assert set(BEFORE_START) | set(BEGUN) == set(OPEN_STATES)


def test_a_request_ends_once():
    assert not any(may_move(RequestState.CLOSED, state) for state in RequestState)
    assert not may_move(RequestState.CANCELLED, RequestState.RELEASED)


counts = st.integers(0, 20).map(Decimal)
reports = st.lists(
    st.tuples(st.sampled_from([ResponseKind.QUANTITY, ResponseKind.PAUSED, ResponseKind.RESUMED]), counts, counts),
    max_size=20,
)


@given(reports)
def test_quantities_and_hours_are_the_sums_of_what_was_told(told):
    rows, at, running, worked = [Told(ResponseKind.STARTED, AT)], AT, AT, 0.0
    for kind, good, scrap in told:
        at += timedelta(minutes=1)
        rows.append(Told(kind, at, good, scrap))
        if kind is ResponseKind.PAUSED:
            worked += (at - running).total_seconds() if running else 0.0
            running = None
        elif kind is ResponseKind.RESUMED:
            running = at
    found = derive(rows)
    assert found.good == sum((one.good for one in rows), Decimal(0))
    assert found.scrap == sum((one.scrap for one in rows), Decimal(0))
    assert found.actual_start == AT
    if not any(kind is ResponseKind.RESUMED for kind, _good, _scrap in told):
        assert found.worked_s == worked


@given(st.lists(st.tuples(counts, st.booleans()), min_size=1, max_size=5), counts, st.integers(1, 4))
def test_no_more_arrives_than_was_made_and_what_is_expected_can_be_reported(made, taken, per):
    feeds = [Feed((1, "10"), good, quantity_per=Decimal(per), is_over=over, has_begun=True) for good, over in made]
    come = arrival(feeds, taken=taken)
    total = sum((good for good, over in made if over), Decimal(0)) / per
    assert come.quantity is not None
    assert Decimal(0) <= come.quantity <= max(Decimal(0), total - taken)
    quantity = Decimal(10)
    assert most_to_report(quantity, Decimal(0), come) <= quantity
    if come.is_final:
        assert still_expected(quantity, Decimal(0), come) <= most_to_report(quantity, Decimal(0), come)


def test_pieces_travel_in_whole_batches_while_the_step_before_runs():
    feed = Feed((1, "10"), Decimal(11), transfer_batch=Decimal(4), has_begun=True)
    assert arrival([feed]).quantity == 8
    beside = Feed((1, "10"), Decimal(0), has_begun=True, is_parallel=True)
    assert arrival([beside]).may_begin
    waits = Feed((1, "20"), Decimal(0))
    assert not arrival([beside, waits]).may_begin


def test_the_published_table_is_the_one_in_the_documentation():
    said = (Path(__file__).parents[4] / "docs" / "users" / "orders.md").read_text(encoding="utf-8")
    rows = {tuple(cell.strip() for cell in line.split("|")[1:4]) for line in said.splitlines() if line.startswith("|")}
    ours = {(one.command.value, written(one.before), written(one.after)) for one in TRANSITIONS}
    assert ours <= rows
    assert not [row for row in rows - ours if row[0] in {command.value for command in Command}]


def written(place):
    return f"{place.state.value} / {place.substate.value}" if place.substate else place.state.value
