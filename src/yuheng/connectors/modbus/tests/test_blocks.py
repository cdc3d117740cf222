"""Which registers are read together, when, and what is learnt of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.connectors.modbus.addresses import AddressRefused
from yuheng.connectors.modbus.blocks import Limits, plan_blocks
from yuheng.connectors.modbus.polls import Agenda, Poll, Unit, plan_polls, read_points, read_rates, write_rates


def blocks_of(*texts, **limits):
    points, wrong = read_points(texts)
    assert not wrong
    return [str(block) for block in plan_blocks(points, Limits(**limits))]


def test_neighbours_are_read_in_one_request():
    assert blocks_of("1:holding:0", "1:holding:1", "1:holding:2:float32") == ["1:holding:0-3"]


def test_a_small_gap_is_read_along_and_a_wide_one_is_not():
    assert blocks_of("1:holding:0", "1:holding:9", gap=8) == ["1:holding:0-9"]
    assert blocks_of("1:holding:0", "1:holding:10", gap=8) == ["1:holding:0", "1:holding:10"]
    assert blocks_of("1:coil:0", "1:coil:129", gap=8) == ["1:coil:0-129"]


def test_no_request_is_longer_than_the_device_allows():
    assert blocks_of(*(f"1:holding:{n}" for n in range(130))) == ["1:holding:0-124", "1:holding:125-129"]
    assert blocks_of("1:holding:0:float64", "1:holding:4:float64", registers=4) == ["1:holding:0-3", "1:holding:4-7"]


def test_units_and_tables_are_never_mixed():
    assert blocks_of("1:holding:0", "2:holding:1", "1:input:1") == ["1:holding:0", "1:input:1", "2:holding:1"]


def test_two_tags_may_share_a_register():
    assert blocks_of("1:holding:4.0", "1:holding:4.1", "1:40005") == ["1:holding:4"]


def test_what_is_wider_than_a_request_is_refused_alone():
    points, _ = read_points(["1:holding:0:float64", "1:holding:9"])
    with pytest.raises(AddressRefused, match="4 registers"):
        plan_blocks(points, Limits(registers=2))
    units, wrong = plan_polls(points, Limits(registers=2), usual_s=1, rates=(), now=0)
    assert list(wrong) == ["1:holding:0:float64"]
    assert [str(poll.block) for poll in units[1].polls] == ["1:holding:9"]


def test_overlapping_values_are_not_torn_apart():
    points, _ = read_points(["1:holding:0:float32", "1:holding:1"])
    (block,) = plan_blocks(points, Limits())
    assert not block.can_be_split
    with pytest.raises(ValueError, match="cannot be split"):
        block.halves()


addresses = st.builds(
    lambda unit, table, register, kind: f"{unit}:{table}:{register}{kind if table in ('holding', 'input') else ''}",
    st.integers(1, 3),
    st.sampled_from(["coil", "discrete", "input", "holding"]),
    st.integers(0, 400),
    st.sampled_from(["", ":float32", ":uint64", ".3", ":string30"]),
)


@given(st.lists(addresses, unique=True, max_size=60), st.integers(15, 125), st.integers(0, 20))
def test_each_address_is_in_exactly_one_block_that_holds_it_whole(texts, registers, gap):
    points, _ = read_points(texts)
    blocks = plan_blocks(points, Limits(registers=registers, bits=registers * 16, gap=gap))
    assert sorted(point.text for block in blocks for point in block.points) == sorted(texts)
    for block in blocks:
        assert block.count <= (registers * 16 if block.table.is_bits else registers)
        for point in block.points:
            assert block.start <= point.address.register
            assert point.address.register + point.address.width <= block.start + block.count
        if block.can_be_split:
            one, two = block.halves()
            assert sorted(point.text for half in (one, two) for point in half.points) == sorted(
                point.text for point in block.points
            )


def test_registers_have_rhythms_of_their_own():
    rates = read_rates([{"every_s": 10, "addresses": ["1:holding:100-199", "2"]}])
    points, _ = read_points(["1:holding:99", "1:holding:100", "1:holding:101", "2:coil:0"])
    units, _ = plan_polls(points, Limits(), usual_s=1, rates=rates, now=0)
    found = {str(poll.block): poll.every_s for unit in units.values() for poll in unit.polls}
    assert found == {"1:holding:99": 1, "1:holding:100-101": 10, "2:coil:0": 10}


def test_a_range_that_is_none_is_refused():
    with pytest.raises(AddressRefused, match="is no range"):
        read_rates([{"every_s": 1, "addresses": ["1:holding:a"]}])


@given(st.dictionaries(addresses, st.sampled_from([1.0, 10.0, 60.0]), max_size=30))
def test_rhythms_written_as_ranges_say_the_same(wanted):
    points, _ = read_points(wanted)
    by_place = {(p.address.unit, p.address.table, p.address.register): wanted[p.text] for p in points}
    wanted = {p.text: by_place[p.address.unit, p.address.table, p.address.register] for p in points}
    rates = read_rates(write_rates(wanted, usual_s=1.0))
    for point in points:
        assert next((r.every_s for r in rates if r.covers(point.address)), 1.0) == wanted[point.text]


def test_a_poll_stands_in_one_agenda_once():
    points, _ = read_points(["1:holding:0"])
    (block,) = plan_blocks(points, Limits())
    poll, one, other = Poll(block, Unit(1), 1.0, 0.0), Agenda(), Agenda()
    one.add(poll, 1.0)
    one.add(poll, 2.0)
    assert one.take(1.5) is None
    other.add(poll, 3.0)
    assert one.next_due() is None
    assert other.take(3.0) is poll
    assert other.take(9.0) is None


def test_a_silent_unit_is_left_alone_for_longer_and_longer():
    unit = Unit(1)
    assert [unit.fall_silent("no answer") for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    unit.silent_for = ""
    assert unit.fall_silent("no answer") == 1
