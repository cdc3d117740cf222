"""The few JetStream requests the worker needs, over the lean wire."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yuheng.bus.wire import Connection, WireError, encode_header


@dataclass(frozen=True, slots=True)
class Stored:
    """One message of a stream."""

    sequence: int
    subject: str
    header: bytes
    payload: bytes
    time: str


async def call(connection: Connection, operation: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask ``$JS.API.<operation>``; return the answer, errors included. Raises `WireError`, `TimeoutError`."""
    payload = json.dumps(body).encode() if body is not None else b""
    _, answer = await connection.request(f"$JS.API.{operation}", payload, timeout_s=10.0)
    if not answer:
        raise WireError("JetStream does not answer.")
    decoded: dict[str, Any] = json.loads(answer)
    return decoded


async def stream_made_at(connection: Connection, stream: str) -> str:
    """Return when the stream was made: it names the incarnation whose sequence we count in."""
    answer = await call(connection, f"STREAM.INFO.{stream}")
    if "error" in answer:
        raise WireError(f"The stream {stream} is not there: {answer['error'].get('description')}.")
    return str(answer["created"])


async def last_sequence(connection: Connection, stream: str) -> int:
    """Return the newest sequence of the stream; 0 when it is empty."""
    answer = await call(connection, f"STREAM.INFO.{stream}")
    if "error" in answer:
        raise WireError(f"The stream {stream} is not there: {answer['error'].get('description')}.")
    return int(answer["state"]["last_seq"])


async def next_message(connection: Connection, stream: str, subject: str, sequence: int) -> Stored | None:
    """Return the first message on the subject at or after the sequence; None when there is none."""
    return await _message(connection, stream, {"seq": sequence, "next_by_subj": subject})


async def newest_message(connection: Connection, stream: str, subject: str) -> Stored | None:
    """Return the newest message on the subject; None when there is none."""
    return await _message(connection, stream, {"last_by_subj": subject})


async def publish(
    connection: Connection, subject: str, payload: bytes, *, headers: Mapping[str, str] | None = None
) -> None:
    """Publish and wait until a stream has stored it. Raises `WireError` when it refuses (full) or none takes it."""
    header = encode_header(dict(headers)) if headers else b""
    _, answer = await connection.request(subject, payload, header=header, timeout_s=10.0)
    reply = json.loads(answer) if answer else {"error": {"description": "no stream takes it"}}
    if "error" in reply:
        raise WireError(f"{subject} was not stored: {reply['error'].get('description')}.")


async def delete(connection: Connection, stream: str, sequence: int) -> None:
    """Take one message out of a stream; one that is gone already is fine."""
    answer = await call(connection, f"STREAM.MSG.DELETE.{stream}", {"seq": sequence})
    if "error" in answer and answer["error"].get("code") not in (400, 404):
        raise WireError(f"Message {sequence} of {stream} was not deleted: {answer['error'].get('description')}.")


async def _message(connection: Connection, stream: str, question: dict[str, Any]) -> Stored | None:
    answer = await call(connection, f"STREAM.MSG.GET.{stream}", question)
    if "error" in answer:
        if answer["error"].get("code") == 404:
            return None
        raise WireError(f"{stream} does not give the message: {answer['error'].get('description')}.")
    stored = answer["message"]
    return Stored(
        sequence=int(stored["seq"]),
        subject=str(stored["subject"]),
        header=base64.b64decode(stored.get("hdrs", "")),
        payload=base64.b64decode(stored.get("data", "")),
        time=str(stored["time"]),
    )
