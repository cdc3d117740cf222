"""How an edge device words what its machines say. One speaker for each protocol; `edges` does not know which it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from yuheng.simulation.mqtt import Encoding, Message, PlainEncoding

SAMPLES_A_MESSAGE = 60
"""Of history in one message: large enough to be quick, small enough to be read by a person."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one machine said at one moment."""

    work_unit: str
    at_ms: int
    values: dict[str, Any]


class Speaker(Protocol):
    """Words samples as items of a publisher, and brings the encoding those items need."""

    encoding: Encoding[Any]

    def say(self, sample: Sample) -> list[Any]:
        """Return the items to publish for what a machine says now."""
        ...

    def fall_silent(self, work_unit: str, at_ms: int) -> list[Any]:
        """Return the items to publish when a machine is no longer heard."""
        ...

    def recall(self, samples: Sequence[Sample]) -> list[Any]:
        """Return the items to publish for what one machine said in the past, oldest first."""
        ...


class JsonSpeaker:
    """``<topic prefix>/<work unit>`` with ``{"ts": <ms>, "values": {...}}``; history as a list of those."""

    def __init__(self, topic_prefix: str) -> None:
        self.encoding: Encoding[Any] = PlainEncoding()
        self._topic_prefix = topic_prefix

    def say(self, sample: Sample) -> list[Message]:
        """Return one message with every value."""
        return [self._message(sample.work_unit, _body(sample))]

    def fall_silent(self, work_unit: str, at_ms: int) -> list[Message]:
        """Return nothing: plain JSON has no word for it, silence must do."""
        return []

    def recall(self, samples: Sequence[Sample]) -> list[Message]:
        """Return messages of up to `SAMPLES_A_MESSAGE` samples."""
        starts = range(0, len(samples), SAMPLES_A_MESSAGE)
        parts = [samples[start : start + SAMPLES_A_MESSAGE] for start in starts]
        return [self._message(part[0].work_unit, [_body(sample) for sample in part]) for part in parts]

    def _message(self, work_unit: str, body: Any) -> Message:
        return Message(f"{self._topic_prefix}/{work_unit}", orjson.dumps(body))


def _body(sample: Sample) -> dict[str, Any]:
    return {"ts": sample.at_ms, "values": sample.values}
