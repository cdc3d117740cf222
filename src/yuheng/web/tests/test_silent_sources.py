"""Which data sources need a person: those that fell silent, not those that never spoke."""

import pytest
from django.utils import translation

from yuheng.web.indicators import SourceNow, attention


def rows_of(source: SourceNow):
    with translation.override("en"):
        return attention([], [source], 0, "", 1_790_000_000_000_000)


def test_a_source_that_had_data_and_fell_silent_needs_a_person():
    [row] = rows_of(SourceNow(1, "laser", "/sources/1", is_connected=False, silent_s=90.0, unit_count=3))
    assert "laser" in row.title


@pytest.mark.parametrize("is_connected", [True, False])
def test_a_source_that_never_spoke_needs_nobody(is_connected: bool):
    assert rows_of(SourceNow(1, "visitor", "/sources/1", is_connected, silent_s=None, unit_count=0)) == []


def test_a_source_on_which_no_unit_depends_needs_nobody_when_it_falls_silent():
    assert rows_of(SourceNow(1, "visitor", "/sources/1", is_connected=False, silent_s=90.0, unit_count=0)) == []
