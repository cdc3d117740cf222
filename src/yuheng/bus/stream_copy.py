"""Copies of durable streams, with their readers' positions, through JetStream's own snapshot and restore.

The server keeps sequence numbers, times and consumers, so that whoever reads goes on where the copy was made.

References
----------
NATS ADR-1 (JetStream API), ``$JS.API.STREAM.SNAPSHOT`` and ``$JS.API.STREAM.RESTORE``.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from yuheng.bus.wire import Connection, WireError, type_raw

CHUNK = 128 * 1024
SILENCE_S = 60.0
"""A server that says nothing for so long in the middle of a copy has given up."""
WINDOW = 64
"""Chunks waiting for our disk. The server sends the next one only after an acknowledgement, so it cannot be more."""


async def stream_names(connection: Connection) -> list[str]:
    """Return the names of all streams, sorted. Raises `WireError` or `TimeoutError`."""
    names: list[str] = []
    while True:
        answer = await _call(connection, "STREAM.NAMES", {"offset": len(names)})
        found = answer.get("streams") or []
        names += found
        if not found or len(names) >= int(answer.get("total", 0)):
            return sorted(names)


async def stream_bytes(connection: Connection) -> int:
    """Return how many bytes all streams hold."""
    infos = [await _call(connection, f"STREAM.INFO.{name}", {}) for name in await stream_names(connection)]
    return sum(int(info["state"]["bytes"]) for info in infos)


async def save_stream(connection: Connection, name: str, path: Path) -> dict[str, Any]:
    """Write one stream with its consumers to a file.

    Returns
    -------
    dict
        ``config``, ``state`` and ``created``, as the server tells them; `load_stream` needs the first two.

    Raises
    ------
    WireError, TimeoutError, OSError
        The server refused or fell silent, or the disk is full; the file is then incomplete.
    """
    chunks: asyncio.Queue[type_raw] = asyncio.Queue()

    def take(items: list[type_raw]) -> None:
        for item in items:
            chunks.put_nowait(item)  # bounded by the server's window: see `WINDOW`

    inbox = f"_YHCOPY.{os.urandom(8).hex()}"
    sid = connection.subscribe(inbox, take)
    try:
        info = await _call(connection, f"STREAM.INFO.{name}", {})
        body = {"deliver_subject": inbox, "chunk_size": CHUNK, "no_consumers": False}
        answer = await _call(connection, f"STREAM.SNAPSHOT.{name}", body)
        with path.open("wb") as file:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    _subject, reply, header, data = await chunks.get()
                if not data:
                    if header and b"408" in header.split(b"\r\n", 1)[0]:
                        raise WireError(f"The copy of {name} was cut off by the broker.")
                    break
                file.write(data)
                if reply:
                    connection.publish(reply, b"")
            file.flush()
            os.fsync(file.fileno())
    finally:
        connection.unsubscribe(sid)
    return {"config": answer["config"], "state": answer["state"], "created": info["created"]}


async def load_stream(connection: Connection, name: str, path: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Make a stream from a file of `save_stream`; return its state and ``created``. It must not exist yet.

    Sequence numbers are those of before, but the server counts the stream as made now: whoever remembers a position by
    the time of making must be told.
    """
    request = {"config": about["config"], "state": about["state"]}
    answer = await _call(connection, f"STREAM.RESTORE.{name}", request)
    target = str(answer["deliver_subject"])
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            _, reply = await connection.request(target, data, timeout_s=SILENCE_S)
            if reply and b'"error"' in reply:
                raise WireError(f"The stream {name} was not restored: {_error(json.loads(reply))}.")
    _, reply = await connection.request(target, b"", timeout_s=SILENCE_S)
    done = json.loads(reply)
    if "error" in done:
        raise WireError(f"The stream {name} was not restored: {_error(done)}.")
    return {**done["state"], "created": done["created"]}


async def _call(connection: Connection, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    _, answer = await connection.request(f"$JS.API.{operation}", json.dumps(body).encode(), timeout_s=30.0)
    if not answer:
        raise WireError("JetStream does not answer.")
    decoded: dict[str, Any] = json.loads(answer)
    if "error" in decoded:
        raise WireError(f"{operation}: {_error(decoded)}.")
    return decoded


def _error(answer: dict[str, Any]) -> str:
    return str(answer["error"].get("description", answer["error"]))
