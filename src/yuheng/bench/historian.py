"""Asking the historian over the bus from synchronous code: one connection, its loop in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from yuheng.bus import documents, subjects
from yuheng.bus.messages import Failure, Health
from yuheng.bus.wire import Connection, WireError, connect, header_value, type_raw

T = TypeVar("T")
ANSWER_DEADLINE_S = 30.0
HEADER_ERROR = "Yh-Error"


class HistorianRefused(RuntimeError):
    """The historian answered with a sentence instead of data."""


class Bus:
    """A visitor on the bus. Close it, or use it with ``with``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connection: Connection | None = None
        self._health: dict[str, Health] = {}

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave, and end the thread."""
        if self._connection is not None:
            self._loop.call_soon_threadsafe(self._connection.close)
        # One turn later: a closed transport lets go of its socket in the turn after its closing.
        self._loop.call_soon_threadsafe(self._loop.call_soon, self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed.is_set():
            self._connection = await connect(self._url, name="yuheng-bench")
            self._connection.subscribe(subjects.live_health("*"), self._take_health)
        return self._connection

    async def _ask(self, subject: str, payload: bytes) -> tuple[bytes, bytes]:
        connection = await self._connected()
        return await connection.request(subject, payload, timeout_s=ANSWER_DEADLINE_S)

    def _take_health(self, messages: list[type_raw]) -> None:
        for _subject, _reply, _header, payload in messages:
            health = msgspec.json.decode(payload, type=Health)
            self._health[health.process] = health

    def health(self, process: str) -> dict[str, Any]:
        """Return the newest facts a process told about itself; empty before the first."""
        self._wait(self._connected())
        known = self._health.get(process)
        return {} if known is None else known.facts

    def ask(self, operation: str, question: msgspec.Struct | None = None) -> bytes:
        """Return the body of an answer.

        Raises
        ------
        HistorianRefused
            It said no, or nobody answers there.
        """
        subject = subjects.question(operation)
        header, payload = self._wait(self._ask(subject, b"{}" if question is None else msgspec.json.encode(question)))
        if header.startswith(b"NATS/1.0 503"):
            raise HistorianRefused("No historian answers.")
        if header_value(header, HEADER_ERROR) is not None:
            raise HistorianRefused(msgspec.json.decode(payload, type=Failure).error)
        return payload

    def table(self, operation: str, question: msgspec.Struct) -> pa.Table:
        """Return an Arrow answer."""
        with pa.ipc.open_stream(self.ask(operation, question)) as reader:
            return reader.read_all()

    def statistics(self) -> dict[str, float]:
        """Return rows, bytes and parts of the store (``yh.q.stats``)."""
        return msgspec.json.decode(self.ask("stats"), type=dict[str, float])

    def jetstream(self, operation: str) -> dict[str, Any]:
        """Ask JetStream about itself, e.g. ``STREAM.INFO.YH_INGEST``."""
        _, payload = self._wait(self._ask(f"$JS.API.{operation}", b""))
        if not payload:
            raise WireError("JetStream does not answer.")
        answer: dict[str, Any] = json.loads(payload)
        if "error" in answer:
            raise WireError(f"{operation}: {answer['error'].get('description')}")
        return answer

    def plant(self) -> documents.Plant | None:
        """Return the configuration document, or None before the first."""
        key = f"$KV.{subjects.CONFIG_BUCKET}.{subjects.CONFIG_KEY}"
        header, payload = self._wait(self._ask(f"$JS.API.DIRECT.GET.KV_{subjects.CONFIG_BUCKET}.{key}", b""))
        if not payload or header.startswith((b"NATS/1.0 404", b"NATS/1.0 503")):
            return None
        return documents.decode(payload)


def tag_ids(plant: documents.Plant, source_code: str) -> dict[str, int]:
    """Return address -> tag id of a source.

    Raises
    ------
    LookupError
        The document has no such source.
    """
    sources = [source.id for source in plant.sources if source.code == source_code]
    if not sources:
        raise LookupError(f"The configuration document has no source {source_code!r}.")
    return {tag.address: tag.id for tag in plant.tags if tag.source_id == sources[0]}


def log_position(bus: Bus, stream: str) -> tuple[int, int]:
    """Return (newest sequence in the log, newest sequence the historian has committed)."""
    state = bus.jetstream(f"CONSUMER.INFO.{stream}.{subjects.HISTORIAN_DURABLE}")
    committed = int(state["ack_floor"]["stream_seq"])
    newest = int(bus.jetstream(f"STREAM.INFO.{stream}")["state"]["last_seq"])
    # Nothing waits and nothing is under way: the floor may still point before messages that were not for us.
    if not state["num_pending"] and not state["num_ack_pending"]:
        committed = max(committed, newest)
    return newest, committed
