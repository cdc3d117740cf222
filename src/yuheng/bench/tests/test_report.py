import io
import json

import pytest

from yuheng.bench.report import Reporter, text


def test_the_last_line_is_one_json_object():
    out = io.StringIO()
    reporter = Reporter(out, io.StringIO())

    reporter.table("Title", [["name", "n"], ["a", 12345], ["bb", None]])
    reporter.result({"lost": 0, "中": "文"})

    assert json.loads(out.getvalue().splitlines()[-1]) == {"lost": 0, "中": "文"}
    assert "12,345" in out.getvalue()


def test_progress_does_not_mix_with_results():
    out, progress = io.StringIO(), io.StringIO()
    Reporter(out, progress).step("starting")
    assert out.getvalue() == ""
    assert "starting" in progress.getvalue()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (True, "yes"), (1234567, "1,234,567"), (0.12345, "0.123"), (98765.4, "98,765"), ("x", "x")],
)
def test_numbers_are_readable(value, shown):
    assert text(value) == shown
