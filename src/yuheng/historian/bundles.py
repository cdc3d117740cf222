"""What the pipeline holds of each source: its decoders, the messages gathered for them, the last ones as they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from yuheng.bus.documents import CALCULATED, Source
from yuheng.engines.codec import SAMPLES, Decoder, Message, TagSpec, decoder_for


class Preview(NamedTuple):
    """A raw message as it came, for the mapping page."""

    topic: str
    payload: bytes
    arrived_us: int


class SourceState:
    """A configured source with its decoders."""

    __slots__ = ("complaint", "data_time_us", "decoders", "key", "preview", "source")

    def __init__(self, source: Source, specs: Sequence[TagSpec], preview: deque[Preview]) -> None:
        self.source = source
        self.key = (source.connector, source.settings, source.topics, tuple(specs))
        self.preview = preview
        self.data_time_us = 0
        self.complaint = ""
        self.decoders: dict[bool, Decoder] = {True: decoder_for(SAMPLES, {}, source.topics, specs)}
        if source.connector == CALCULATED:
            return  # nothing comes from outside
        try:
            self.decoders[False] = decoder_for(source.connector, source.settings, source.topics, specs)
        except ValueError as error:
            self.complaint = f"The settings of the source {source.code} cannot be used: {error}"


@dataclass(slots=True)
class Bundle:
    """Messages of one decoder, gathered, with where each came from."""

    messages: list[Message] = field(default_factory=list)
    references: list[tuple[str, int]] = field(default_factory=list)
    replayed: set[int] = field(default_factory=set)  # indexes of what came out of the dead letters
    _index_at: dict[int, int] = field(default_factory=dict)

    def index_at(self, arrived_us: int) -> int:
        """Return which message a point came with: points know the moment of their message, not its place."""
        if not self._index_at:
            self._index_at = {message.arrived_us: index for index, message in enumerate(self.messages)}
        return self._index_at.get(arrived_us, 0)
