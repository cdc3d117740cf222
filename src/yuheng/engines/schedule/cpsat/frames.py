"""Messages between the exact solver's parent and child: pickled values, each behind its length."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any

HEADER = struct.Struct("<Q")


def send(out: IO[bytes], message: object) -> None:
    """Write one message."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    out.write(HEADER.pack(len(body)) + body)
    out.flush()


def receive(source: IO[bytes]) -> Any | None:
    """Read one message; ``None`` at the end of the pipe, also in the middle of a message."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    body = source.read(length)
    # Our own parent's or child's bytes, from a pipe that nobody else can write to.
    return pickle.loads(body) if len(body) == length else None
