"""Everything that could not be used, kept whole with its reason, so that people can see it and send it again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from yuheng.bus import subjects
from yuheng.bus.messages import SampleBatch
from yuheng.bus.wire import encode_header
from yuheng.engines.points import Refusal, RefusedPoint

POINTS_A_LETTER = 500
BYTES_A_LETTER = 256_000
"""A letter of points is not much larger: a long topic may stand in each of its addresses."""
_msgpack = msgspec.msgpack.Encoder(enc_hook=repr)


class DeadLetter(NamedTuple):
    """Ready to publish."""

    subject: str
    header: bytes
    payload: bytes


def of_message(
    source_id: int,
    reason: Refusal,
    detail: str,
    *,
    topic: str,
    payload: bytes,
    arrived_us: int,
    reference: str,
    is_replayed: bool = False,
) -> DeadLetter:
    """Keep a whole message. ``reference`` (stream and sequence) makes a redelivered one count once.

    One that is refused again after a replay (``is_replayed``) says so: it was counted before.
    """
    header = {
        "Nats-Msg-Id": f"{source_id}:{reference}:{arrived_us}:{reason.value}",
        subjects.HEADER_KIND: subjects.KIND_MESSAGE,
        subjects.HEADER_TOPIC: topic,
        subjects.HEADER_ARRIVED_US: str(arrived_us),
        subjects.HEADER_REFERENCE: reference,
        subjects.HEADER_DETAIL: detail[:500],
        **_counted(is_replayed),
    }
    return DeadLetter(subjects.dead(source_id, reason), encode_header(header), payload)


def of_points(
    source_id: int,
    refused: Iterable[RefusedPoint],
    *,
    topic: str,
    arrived_us: int,
    reference: str,
    is_replayed: bool = False,
) -> list[DeadLetter]:
    """Keep refused points of one message: one letter a reason (and 500 points), as a `SampleBatch`.

    What a letter holds is part of its id: after a restart the same message may be gathered with others, and a letter
    with more in it than the one before must not be taken for its repetition.
    """
    by_reason: dict[Refusal, list[RefusedPoint]] = {}
    for point in refused:
        by_reason.setdefault(point.reason, []).append(point)
    letters = []
    for reason, points in by_reason.items():
        for part in _parts(points):
            payload = _samples(part)
            content = hashlib.blake2b(payload, digest_size=8).hexdigest()
            header = {
                "Nats-Msg-Id": f"{source_id}:{reference}:{reason.value}:{content}",
                subjects.HEADER_KIND: subjects.KIND_POINTS,
                subjects.HEADER_TOPIC: topic,
                subjects.HEADER_ARRIVED_US: str(arrived_us),
                subjects.HEADER_REFERENCE: reference,
                subjects.HEADER_DETAIL: next((p.detail for p in part if p.detail), "")[:500],
                **_counted(is_replayed),
            }
            letters.append(DeadLetter(subjects.dead(source_id, reason), encode_header(header), payload))
    return letters


def fitting(letter: tuple[str, bytes, bytes], max_payload: int) -> tuple[str, bytes, bytes]:
    """Return (subject, header, payload) cut to what the log takes in one message, headers included, saying so.

    One byte more and nats-server closes the connection; the commit would be tried again for ever.
    """
    subject, header, payload = letter
    room = max_payload - len(header)
    if len(payload) <= room:
        return letter
    note = f"Yh-Cut: {len(payload)} bytes came, the end was cut off\r\n\r\n".encode()
    header = header.removesuffix(b"\r\n") + note
    return subject, header, payload[: max(0, max_payload - len(header))]


def _parts(points: Sequence[RefusedPoint]) -> Iterator[list[RefusedPoint]]:
    part: list[RefusedPoint] = []
    size = 0
    for point in points:
        part.append(point)
        size += 32 + len(point.address) + (len(point.value) if isinstance(point.value, str) else 0)
        if len(part) >= POINTS_A_LETTER or size >= BYTES_A_LETTER:
            yield part
            part, size = [], 0
    if part:
        yield part


def _counted(is_replayed: bool) -> dict[str, str]:
    return {subjects.HEADER_COUNTED: subjects.COUNTED_REPLAYED} if is_replayed else {}


def _samples(points: Sequence[RefusedPoint]) -> bytes:
    return _msgpack.encode(
        SampleBatch(
            addresses=[p.address for p in points],
            times_us=[p.time_us for p in points],
            values=[_packable(p.value) for p in points],
            qualities=[p.quality for p in points],
            seqs=[p.seq for p in points],
        )
    )


def _packable(value: object) -> object:
    """Integers beyond 64 bits have no place in msgpack: they travel as text and are refused again as such."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    return value
