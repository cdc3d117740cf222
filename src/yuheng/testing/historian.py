"""A historian for tests that need answers, not history: it replies to ``yh.q.<operation>`` over a real broker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from types import TracebackType
from typing import Self

import msgspec

from yuheng.bus.client import ERROR_HEADER, BusBusy
from yuheng.bus.messages import Failure
from yuheng.bus.wire import Connection, WireError, connect, encode_header, type_raw

Answer = Callable[[bytes], bytes]
"""Takes the question's body, returns the reply's; raises `ValueError` to refuse, `BusBusy` when there is too much."""


class FakeHistorian:
    """Answers while the ``with`` block lasts; finds the broker again when it was restarted.

    ``answers`` maps an operation (or a whole subject, when it has a dot; ``*`` stands for any word) to its answer;
    ``asked`` keeps the questions.
    """

    def __init__(self, url: str, answers: Mapping[str, Answer]) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self._url = url
        self._answers = {name if "." in name else f"yh.q.{name}": answer for name, answer in answers.items()}
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._live, name="fake historian", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._listens.wait(10):
            raise TimeoutError("The fake historian did not reach the broker.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(timeout=5)

    def _live(self) -> None:
        self._task = self._loop.create_task(self._serve())
        with closing(self._loop):
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
            # A transport closes in the next round of its loop: without one its socket is left to the garbage collector.
            self._loop.run_until_complete(asyncio.sleep(0))

    async def _serve(self) -> None:
        while True:
            connection: Connection | None = None
            try:
                connection = await connect(self._url, name="fake historian")
                for subject in self._answers:
                    connection.subscribe(subject, self._answerer(connection, self._answers[subject]))
                await connection.flush()
                self._listens.set()
                await connection.closed.wait()
            except (WireError, OSError, TimeoutError):
                await asyncio.sleep(0.05)
            finally:
                if connection is not None:
                    connection.close()

    def _answerer(self, connection: Connection, respond: Answer) -> Callable[[list[type_raw]], None]:
        def answer(items: list[type_raw]) -> None:
            for subject, reply, _header, payload in items:
                self.asked.append((subject.decode(), payload))
                try:
                    connection.publish(reply.decode(), respond(payload))
                except (ValueError, BusBusy) as refusal:
                    body = msgspec.json.encode(Failure(str(refusal), isinstance(refusal, BusBusy)))
                    connection.publish(reply.decode(), body, header=encode_header({ERROR_HEADER: "refused"}))

        return answer
