"""Batches that a connector has already read from a machine: values by address, in columns, as msgpack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from yuheng.engines.codec.batch import Batch, Message, TagSpec
from yuheng.engines.codec.columns import Columns, TagTable
from yuheng.engines.codec.moments import MAX_TIME_US, MIN_TIME_US
from yuheng.engines.points import Refusal


class _Samples(msgspec.Struct, frozen=True):
    """The fields of `bus.messages.SampleBatch`, spelled here because engines know nothing above them."""

    addresses: list[str]
    times_us: list[int]
    values: list[Any]
    qualities: list[int]
    seqs: list[int] = []


def _unread(payload: bytes) -> str:
    """Word a payload that is no batch: mostly a row, kept whole, whose time its connector could not read."""
    beginning = payload.decode("utf-8", "replace")
    return f"Its connector could not read this row or message (see the source's page). It begins: {beginning!r}"


class SampleDecoder:
    """Decodes `bus.messages.SampleBatch` messages of one source. Any connector may send them."""

    def __init__(self, settings: Mapping[str, Any], topics: Sequence[str], tags: Sequence[TagSpec]) -> None:
        self._table = TagTable(tags)
        self._decoder = msgspec.msgpack.Decoder(_Samples)

    def restore(self, births: Mapping[str, bytes]) -> None:
        """Samples have no sessions; nothing to take up."""

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Decode in order; never raises."""
        columns = Columns(self._table, messages)
        for index, message in enumerate(messages):
            try:
                samples = self._decoder.decode(message.payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                columns.refuse_message(index, Refusal.UNDECODABLE, _unread(bytes(message.payload[:60])))
                continue
            self._take(columns, index, samples, message.arrived_us)
        return columns.finish()

    def _take(self, columns: Columns, index: int, samples: _Samples, arrived_us: int) -> None:
        seqs = samples.seqs or [0] * len(samples.addresses)
        lengths = {
            len(column) for column in (samples.addresses, samples.times_us, samples.values, samples.qualities, seqs)
        }
        if len(lengths) != 1:
            columns.refuse_message(index, Refusal.WRONG_SHAPE, "The columns differ in length.")
            return
        rows = zip(samples.addresses, samples.values, samples.times_us, seqs, samples.qualities, strict=True)
        for address, value, time_us, seq, quality in rows:
            if MIN_TIME_US <= time_us < MAX_TIME_US and 0 <= seq < 2**64 and 0 <= quality <= 255:
                columns.add_value(index, address, value, time_us, seq, quality, arrived_us)
            else:
                columns.refuse(
                    index, address, arrived_us, value, 0, 0, Refusal.WRONG_SHAPE, "Time, sequence or quality is odd."
                )
