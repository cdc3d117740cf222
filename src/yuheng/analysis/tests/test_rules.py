"""How reasons follow their stops, as properties: whatever was said and however the stop was revised."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from yuheng.analysis.rules import (
    ISO_22400,
    LossKind,
    Node,
    Said,
    pieces_of,
    remaining,
    what_is_wrong_with_tree,
    without_stop,
)


@st.composite
def what_was_said(draw):
    """Stretches that do not overlap, with soft and hard edges."""
    edges = sorted(draw(st.lists(st.integers(0, 400), min_size=2, max_size=10, unique=True)))
    flags = st.booleans()
    found = []
    for number, (start, end) in enumerate(zip(edges[::2], edges[1::2], strict=False)):
        found.append(Said(number, draw(st.integers(1, 3)), start, end, draw(flags), draw(flags)))
    return found


spans = st.tuples(st.integers(0, 400), st.integers(1, 300)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(spans, what_was_said())
@settings(max_examples=500)
def test_the_pieces_are_the_stop_whole_and_in_order(stop, said):
    pieces = pieces_of(*stop, said)
    assert pieces[0].start_us == stop[0]
    assert pieces[-1].end_us == stop[1]
    assert all(one.end_us == after.start_us for one, after in pairwise(pieces))
    assert all(piece.end_us > piece.start_us for piece in pieces)


@given(spans, what_was_said())
@settings(max_examples=500)
def test_what_was_said_about_a_moment_of_the_stop_holds_there_still(stop, said):
    pieces = pieces_of(*stop, said)
    for one in said:
        low, high = max(one.start_us, stop[0]), min(one.end_us, stop[1])
        for moment in {low, high - 1}:
            if low < high:
                piece = next(p for p in pieces if p.start_us <= moment < p.end_us)
                assert piece.said == one


@given(spans, what_was_said())
@settings(max_examples=500)
def test_nothing_said_is_lost(stop, said):
    shown = {piece.said.id for piece in pieces_of(*stop, said) if piece.said}
    aside = {one.id for one in without_stop([stop], said)}
    assert shown | aside == {one.id for one in said}
    assert not shown & aside


@given(spans, st.integers(-60, 60), st.integers(-60, 60))
def test_a_reason_given_for_a_whole_stop_follows_it_when_its_edges_move_a_little(stop, by_start, by_end):
    said = Said(1, 1, *stop)
    revised = (stop[0] + by_start, stop[1] + by_end)
    overlap = min(revised[1], stop[1]) - max(revised[0], stop[0])
    if revised[1] > revised[0] and overlap > 0 and 2 * overlap >= min(stop[1] - stop[0], revised[1] - revised[0]):
        assert [piece.said for piece in pieces_of(*revised, [said])] == [said]


@given(spans, st.integers(1, 299))
def test_a_cut_stays_where_a_person_put_it(stop, offset):
    cut = stop[0] + offset
    if cut < stop[1]:
        before = Said(1, 1, stop[0], cut, is_end_cut=True)
        pieces = pieces_of(*stop, [before])
        assert [(p.start_us, p.end_us, p.said) for p in pieces] == [(stop[0], cut, before), (cut, stop[1], None)]


def test_a_stop_cut_in_two_by_late_data_keeps_the_reason_in_both_parts():
    said = Said(1, 1, 0, 100)
    assert [p.said for p in pieces_of(0, 45, [said])] == [said]
    assert [p.said for p in pieces_of(55, 100, [said])] == [said]


def test_two_stops_that_became_one_show_both_reasons_as_a_conflict():
    first, second = Said(1, 1, 0, 40), Said(2, 2, 60, 100)
    pieces = pieces_of(0, 100, [first, second])
    assert [(p.start_us, p.end_us, p.said) for p in pieces] == [(0, 60, first), (60, 100, second)]
    assert all(p.is_conflict for p in pieces)


def test_the_same_reason_given_twice_is_no_conflict_and_neither_is_a_split():
    same = pieces_of(0, 100, [Said(1, 1, 0, 40), Said(2, 1, 60, 100)])
    split = pieces_of(0, 100, [Said(1, 1, 0, 40, is_end_cut=True), Said(2, 2, 40, 100, is_start_cut=True)])
    assert not any(p.is_conflict for p in [*same, *split])


def test_a_sliver_of_another_stop_does_not_explain_it():
    said = Said(1, 1, 0, 100)
    pieces = pieces_of(98, 400, [said])
    assert [(p.start_us, p.end_us, p.said) for p in pieces] == [(98, 100, said), (100, 400, None)]


@given(spans, what_was_said(), st.integers(0, 299), st.integers(1, 300))
@settings(max_examples=800)
def test_giving_a_reason_for_a_part_changes_that_part_only(stop, said, offset, length):
    taken = (min(stop[0] + offset, stop[1] - 1), 0)
    taken = (taken[0], min(taken[0] + length, stop[1]))
    before = pieces_of(*stop, said)
    new = Said(99, 9, *taken, taken[0] > stop[0], taken[1] < stop[1])
    after_said = [one for old in said for one in remaining(old, stop, before, taken)] + [new]
    ordered = sorted(after_said, key=lambda one: one.start_us)
    assert all(one.end_us <= after.start_us for one, after in pairwise(ordered))
    after = pieces_of(*stop, after_said)

    def reason_at(pieces, moment):
        piece = next(p for p in pieces if p.start_us <= moment < p.end_us)
        return piece.said.reason_id if piece.said else None

    for moment in {*range(stop[0], stop[1], 7), taken[0], taken[0] - 1, taken[1] - 1, taken[1], stop[0], stop[1] - 1}:
        if not stop[0] <= moment < stop[1]:
            continue
        if taken[0] <= moment < taken[1]:
            assert reason_at(after, moment) == 9
        else:
            assert reason_at(after, moment) == reason_at(before, moment)


def test_every_kind_of_loss_has_its_time_element():
    assert set(ISO_22400) == set(LossKind)


def test_a_tree_must_not_be_too_deep():
    nodes = [Node("0", "", "setup"), *(Node(str(n), str(n - 1)) for n in range(1, 7))]
    assert what_is_wrong_with_tree(nodes) == {"5": "depth", "6": "depth"}
