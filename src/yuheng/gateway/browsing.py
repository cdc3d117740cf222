"""Answering what the machine behind a source has, when a page asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from yuheng.bus.messages import BrowseQuestion, Failure
from yuheng.bus.wire import Connection, encode_header, type_raw
from yuheng.gateway.connector import BrowsePage, CommandRefused

logger = logging.getLogger(__name__)

AT_ONCE = 8
"""Questions under way. Policy beyond: *refuse*, as busy; whoever looks at the page asks again."""
ANSWER_WITHIN_S = 15.0

_ERROR = encode_header({"Yh-Error": "1"})


class BrowseAnswers:
    """Takes `BrowseQuestion` from the bus and answers with `connector.BrowsePage`, or `Failure`."""

    def __init__(self, browse: Callable[[int, BrowseQuestion], Awaitable[BrowsePage]]) -> None:
        self._browse = browse
        self._under_way: set[asyncio.Task[None]] = set()

    def asked(self, connection: Connection, items: list[type_raw]) -> None:
        """Begin to answer each question."""
        for subject, reply, _, payload in items:
            if not reply:
                continue
            if len(self._under_way) >= AT_ONCE:
                failure = Failure("Too many machines are being browsed. Ask again in a moment.", is_busy=True)
                connection.publish(reply, msgspec.json.encode(failure), header=_ERROR)
                continue
            task = asyncio.get_running_loop().create_task(self._answer(connection, subject, reply, payload))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _answer(self, connection: Connection, subject: bytes, reply: bytes, payload: bytes) -> None:
        try:
            question = msgspec.json.decode(payload, type=BrowseQuestion)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                page = await self._browse(int(subject.rpartition(b".")[2]), question)
        except (CommandRefused, msgspec.DecodeError, ValueError) as refused:
            connection.publish(reply, msgspec.json.encode(Failure(str(refused))), header=_ERROR)
        except TimeoutError:
            failure = Failure("The machine is too slow to say what it has. Ask again.", is_busy=True)
            connection.publish(reply, msgspec.json.encode(failure), header=_ERROR)
        except Exception as error:
            logger.debug("browse failed", exc_info=error)
            sentence = f"The machine could not be asked: {str(error) or type(error).__name__}"
            connection.publish(reply, msgspec.json.encode(Failure(sentence)), header=_ERROR)
        else:
            connection.publish(reply, msgspec.json.encode(page))
