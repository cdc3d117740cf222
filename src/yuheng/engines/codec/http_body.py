"""Bodies pushed over HTTP: line protocol or JSON, told apart by the request's path, which is the topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yuheng.engines.codec.batch import Batch, Message, TagSpec, concatenated
from yuheng.engines.codec.json_payload import JsonDecoder
from yuheng.engines.codec.line_protocol import LineProtocolDecoder

PUSH = "push"
WRITE = "write"


class HttpDecoder:
    """Decodes what the HTTP door took: ``write?precision=ms`` is line protocol, ``push[/device]`` is JSON."""

    def __init__(self, settings: Mapping[str, Any], topics: Sequence[str], tags: Sequence[TagSpec]) -> None:
        self._json = JsonDecoder(settings, [f"{PUSH}/#"], tags)
        self._lines = LineProtocolDecoder(settings, topics, tags)

    def restore(self, births: Mapping[str, bytes]) -> None:
        """Requests have no sessions; nothing to take up."""

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Decode in order within each of the two kinds; never raises."""
        is_line = [message.topic.partition("?")[0] == WRITE for message in messages]
        if not any(is_line):
            return self._json.decode(messages)
        if all(is_line):
            return self._lines.decode(messages)
        return _joined(
            (self._json, [i for i, line in enumerate(is_line) if not line]),
            (self._lines, [i for i, line in enumerate(is_line) if line]),
            messages,
        )


def _joined(
    first: tuple[JsonDecoder, list[int]], second: tuple[LineProtocolDecoder, list[int]], messages: Sequence[Message]
) -> Batch:
    batches = [(decoder.decode([messages[i] for i in places]), places) for decoder, places in (first, second)]
    (joined, places), (other, other_places) = batches
    joined.points = concatenated([joined.points, other.points])
    joined.texts += other.texts
    joined.refused = [(places[i], point) for i, point in joined.refused]
    joined.refused += [(other_places[i], point) for i, point in other.refused]
    joined.refused_messages = [(places[i], reason, detail) for i, reason, detail in joined.refused_messages]
    joined.refused_messages += [(other_places[i], reason, detail) for i, reason, detail in other.refused_messages]
    return joined
