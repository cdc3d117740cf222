"""What was refused before and came back from a replay says so when it is refused again."""

from __future__ import annotations

import pytest

from yuheng.bus import subjects
from yuheng.bus.log_reader import LogMessage
from yuheng.bus.wire import encode_header, header_value
from yuheng.historian.pipeline import Pipeline

T0 = 1_790_000_000_000_000


class Log:
    """The log of a test: nobody holds or acknowledges it."""

    stream = subjects.INGEST_STREAM
    pending = 0

    def pause(self) -> None:
        raise AssertionError

    def resume(self) -> None:
        raise AssertionError

    def acknowledge(self, sequence: int) -> None:
        raise AssertionError


@pytest.mark.parametrize("form", ["raw", "points"])
async def test_a_letter_refused_again_after_its_replay_is_marked(form: str):
    pipeline = Pipeline(clock_us=lambda: T0, publish=lambda subject, data: None)
    replayed = {subjects.HEADER_TOPIC: "plant/x", subjects.HEADER_COUNTED: subjects.COUNTED_REPLAYED}
    headers = [{subjects.HEADER_TOPIC: "plant/x"}, replayed, {subjects.HEADER_TOPIC: "plant/y"}]
    subject = f"yh.in.7.{form}".encode()
    pipeline.take(
        Log(), [LogMessage(n, T0, subject, encode_header(header), b"{}") for n, header in enumerate(headers, 1)]
    )
    pipeline.process()
    marks = [header_value(letter.header, subjects.HEADER_COUNTED) for letter in pipeline.pending.dead]
    assert marks == [None, subjects.COUNTED_REPLAYED, None]
