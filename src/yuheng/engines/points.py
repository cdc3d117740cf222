"""The columns every signal travels in, from decoder to store.

A *point* is one value of one tag: (tag, source time, sequence, value, quality, arrival time). Points
travel as NumPy columns, never as one Python object each: the hot path handles hundreds of thousands a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

type_f8 = npt.NDArray[np.float64]
type_i8 = npt.NDArray[np.int64]
type_u4 = npt.NDArray[np.uint32]
type_u8 = npt.NDArray[np.uint64]
type_u1 = npt.NDArray[np.uint8]

MAX_EXACT_INTEGER = 2**53
"""Largest integer magnitude that a float64 column keeps exactly; larger ones are refused, not rounded."""


class Quality(IntEnum):
    """High byte of an OPC UA StatusCode (OPC UA Part 4, 7.39): the top two bits are the severity."""

    GOOD = 0x00
    UNCERTAIN = 0x40
    BAD = 0x80


class Refusal(StrEnum):
    """Why a message or a point went to the dead letters. The value is stable: it is stored and translated."""

    UNKNOWN_TOPIC = "unknown_topic"  # no data source claims this topic
    UNKNOWN_TAG = "unknown_tag"  # the source is known, the address is not configured
    UNDECODABLE = "undecodable"  # not JSON, truncated protobuf, invalid UTF-8, ...
    WRONG_SHAPE = "wrong_shape"  # decodes, but the mapping finds no values in it
    WRONG_TYPE = "wrong_type"  # the value's type is not the tag's
    NOT_FINITE = "not_finite"  # NaN or infinity
    NOT_EXACT = "not_exact"  # an integer beyond 2**53
    FUTURE_TIME = "future_time"  # source time beyond the tolerance
    ANCIENT_TIME = "ancient_time"  # before the tag class's retention, or before 2000-01-01
    TOO_LARGE = "too_large"  # payload beyond the limit
    SEQUENCE_GAP = "sequence_gap"  # Sparkplug: data after a lost message; a rebirth was requested
    UNKNOWN_ALIAS = "unknown_alias"  # Sparkplug: alias without a birth; a rebirth was requested
    NOT_BORN = "not_born"  # Sparkplug: data before a birth; a rebirth was requested
    STALE_DEATH = "stale_death"  # Sparkplug: NDEATH whose bdSeq is not the session's


@dataclass(frozen=True, slots=True)
class PointBlock:
    """Numeric points in columns of one length; booleans are 0.0 and 1.0.

    Attributes
    ----------
    tag
        Tag id (primary key of ``telemetry.Tag``), uint32.
    time_us, arrived_us
        Microseconds since 1970-01-01 UTC: at the source, and when the durable log took the message.
    value
        In the tag's unit, after scaling. Finite unless quality is BAD, where it may be NaN (no value).
    quality
        See `Quality`.
    seq
        Sequence given by the source for points that share a time stamp; 0 when it gives none.
        (tag, time_us, seq) identifies a point: a redelivered one replaces itself.
    """

    tag: type_u4
    time_us: type_i8
    value: type_f8
    quality: type_u1
    seq: type_u8
    arrived_us: type_i8

    def __len__(self) -> int:
        return len(self.tag)


@dataclass(frozen=True, slots=True)
class TextPoint:
    """One text value of one tag. Texts are rare (programs, recipe names, codes), so they may be objects."""

    tag: int
    time_us: int
    text: str
    quality: int
    seq: int
    arrived_us: int


@dataclass(frozen=True, slots=True)
class RefusedPoint:
    """One point that could not become a tag's value, complete enough to be replayed."""

    address: str
    time_us: int
    value: Any  # as decoded: float, bool, int, str
    quality: int
    seq: int
    reason: Refusal
    detail: str = ""


@dataclass(slots=True)
class Decoded:
    """What one message became: points, texts, and what was refused and why.

    ``message_refusal`` is set when nothing in the message could be used; then the whole payload is kept.
    """

    points: PointBlock | None = None
    texts: list[TextPoint] = field(default_factory=list)
    refused: list[RefusedPoint] = field(default_factory=list)
    message_refusal: Refusal | None = None
    detail: str = ""
