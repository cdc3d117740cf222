"""Decoders of payloads: bytes in, columns out. Pure; never raise on input; refuse with a reason.

`decoder_for` is the door. A decoder belongs to one data source and sees its messages in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from yuheng.engines.codec.batch import (
    MAX_PAYLOAD_BYTES,
    Batch,
    BirthExplains,
    Decoder,
    KeepBirth,
    Message,
    RequestRebirth,
    TagSpec,
    concatenated,
    empty_points,
)
from yuheng.engines.codec.http_body import HttpDecoder
from yuheng.engines.codec.json_payload import JsonDecoder
from yuheng.engines.codec.samples import SampleDecoder
from yuheng.engines.codec.sparkplug import SparkplugDecoder
from yuheng.engines.codec.sparkplug_session import birth_key, rebirth_command

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "SAMPLES",
    "Batch",
    "BirthExplains",
    "Decoder",
    "KeepBirth",
    "Message",
    "RequestRebirth",
    "SparkplugDecoder",
    "TagSpec",
    "birth_key",
    "concatenated",
    "decoder_for",
    "empty_points",
    "rebirth_command",
]

SAMPLES = "samples"
"""Name of the decoder for ``yh.in.<source>.points`` (`bus.messages.SampleBatch`), whatever the connector."""

_DECODERS: dict[str, Callable[[Mapping[str, Any], Sequence[str], Sequence[TagSpec]], Decoder]] = {
    "mqtt_json": JsonDecoder,
    "sparkplug_b": SparkplugDecoder,
    "http": HttpDecoder,
    SAMPLES: SampleDecoder,
}


def decoder_for(connector: str, settings: Mapping[str, Any], topics: Sequence[str], tags: Sequence[TagSpec]) -> Decoder:
    """Return a new decoder for a data source.

    Parameters
    ----------
    connector
        ``mqtt_json``, ``sparkplug_b``, ``http`` or `SAMPLES`. Any other connector sends samples, never raw
        payloads, so it gets the decoder of samples.
    settings
        The source's settings, as the connector's JSON Schema allows.
    topics
        The source's MQTT filters.
    tags
        The source's tags; addresses are unique.

    Raises
    ------
    ValueError
        A setting cannot be used; the message is a sentence for the person who wrote it.
    """
    return _DECODERS.get(connector, SampleDecoder)(settings, topics, tags)
