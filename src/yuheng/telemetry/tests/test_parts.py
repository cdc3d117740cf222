"""Answers larger than a message of the bus are asked for in parts; the parts make exactly the whole."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yuheng.bus.messages import MORE
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.selectors import parts

T0 = 1_790_000_000_000_000


class Store:
    """Rows of (tag, time, seq); a reply holds at most ``fits`` rows, however many are asked for."""

    def __init__(self, rows, fits=10**9):
        self.rows = sorted(rows)
        self.fits = fits
        self.asked = 0

    def page(self, tags, since_us, limit):
        self.asked += 1
        wanted = [row for row in self.rows if row[0] in tags and T0 + row[1] >= since_us][:limit]
        table = pa.table(
            {
                "tag": pa.array([row[0] for row in wanted], pa.uint32()),
                "time": pa.array([T0 + row[1] for row in wanted], pa.timestamp("us", "UTC")),
                "seq": pa.array([row[2] for row in wanted], pa.uint64()),
            }
        )
        if len(table) > self.fits:
            return table.slice(0, self.fits).replace_schema_metadata({MORE: "1"})
        return table

    def first(self, tags, limit):
        return [row for row in self.rows if row[0] in tags][:limit]


def rows_of(table):
    return [(row["tag"], int(row["time"].timestamp() * 1e6 + 0.5) - T0, row["seq"]) for row in table.to_pylist()]


@settings(deadline=None)
@given(
    rows=st.sets(st.tuples(st.integers(1, 4), st.integers(0, 6), st.integers(0, 3)), max_size=60),
    limit=st.integers(1, 70),
    page_rows=st.integers(1, 9),
    fits=st.integers(5, 40),
)
def test_pages_of_raw_values_make_the_whole(rows, limit, page_rows, fits):
    store = Store(rows, fits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_ROWS", page_rows)
        found = parts.raw_in_pages(store.page, [3, 1, 2, 1], T0, limit)
    assert rows_of(found) == store.first({1, 2, 3}, limit)


def test_what_fits_is_asked_once():
    store = Store({(1, 0, 0), (2, 5, 0)})
    parts.raw_in_pages(store.page, [1, 2], T0, 1000)
    assert store.asked == 1


def test_tags_are_asked_in_groups_that_fit_and_come_in_order():
    asked = []

    def ask(tags):
        asked.append(len(tags))
        return pa.table({"tag": list(tags)})

    found = parts.by_tags(ask, list(range(250, 0, -1)), 1000)
    assert asked == [100, 100, 50]
    assert found["tag"].to_pylist() == list(range(1, 251))
    with pytest.raises(InvalidInput, match="1,001,000"):
        parts.by_tags(ask, range(1001), 1000)


def test_a_long_time_is_cut_between_buckets():
    asked = []

    def ask(low_us, high_us):
        asked.append((low_us, high_us))
        return pa.table({"bucket": [low_us]})

    second = 1_000_000
    parts.by_time(ask, T0 + 7, T0 + 7 + 3 * parts.PART_ROWS * second, second)
    assert [asked[0][0], asked[-1][1]] == [T0 + 7, T0 + 7 + 3 * parts.PART_ROWS * second]
    assert all(one[1] == other[0] and one[1] % second == 0 for one, other in pairwise(asked))
    assert max(high - low for low, high in asked) <= parts.PART_ROWS * second
    asked.clear()
    parts.by_time(ask, T0, T0 + 60 * second, second)
    assert asked == [(T0, T0 + 60 * second)]
