"""Units as people write them, in their language."""

from __future__ import annotations

import pytest
from django.utils import translation

from yuheng.web.unit_symbols import shown, symbol_of


@pytest.mark.parametrize(("language", "pieces"), [("en", "pcs"), ("zh-hans", "件")])
def test_what_is_counted_has_a_word(language: str, pieces: str):
    with translation.override(language):
        assert symbol_of("{piece}") == pieces
        assert symbol_of("{piece}/min") == f"{pieces}/min"
        assert symbol_of("{pallet}") == "pallet"


def test_a_ratio_is_read_as_a_percentage_and_a_plain_number_is_not():
    assert shown("1", "float", "spindle_load_ratio") == ("%", 100.0)
    assert shown("1", "int", "mode") == ("", 1.0)
    assert shown("%", "float", "humidity") == ("%", 1.0)
