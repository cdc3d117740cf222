"""The HTTP door's bounds, without a server."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib

from yuheng.bus.documents import Device
from yuheng.gateway.connector import Pushed, SourceIdentity
from yuheng.gateway.push import DoorLimits, HttpDoor

MB = 1_000_000


class Sender:
    """One request whose body is sent by hand."""

    def __init__(self, door: HttpDoor, *, encoding: str = "") -> None:
        self.status = 0
        self._chunks: asyncio.Queue[dict] = asyncio.Queue()
        credentials = base64.b64encode(b"dev:pw")
        headers = [(b"authorization", b"Basic " + credentials), (b"content-encoding", encoding.encode())]
        scope = {"type": "http", "method": "POST", "path": "/push/src", "headers": headers, "client": ("x", 1)}
        self.task = asyncio.create_task(door(scope, self._chunks.get, self._answer))

    def send(self, body: bytes, *, is_last: bool = False) -> None:
        self._chunks.put_nowait({"type": "http.request", "body": body, "more_body": not is_last})

    async def _answer(self, message: dict) -> None:
        self.status = message.get("status", self.status)


async def taken(pushed: Pushed) -> str:
    return ""


def a_door() -> HttpDoor:
    door = HttpDoor(lambda: "", DoorLimits(bytes_at_once=3 * MB))
    door.set_devices([Device("dev", hashlib.sha256(b"pw").hexdigest(), (1,), ())], ["src"])
    return door


async def test_bodies_on_their_way_count_and_are_let_go_of_when_they_end():
    door = a_door()
    async with door.opened(SourceIdentity(1, "src", ()), taken):
        slow = [Sender(door) for _ in range(3)]
        for sender in slow:
            sender.send(bytes(MB))
        one_more = Sender(door)
        one_more.send(bytes(MB))
        await asyncio.wait_for(one_more.task, 5)
        assert one_more.status == 503
        for sender in slow:
            sender.send(b"", is_last=True)
            await asyncio.wait_for(sender.task, 5)
        assert [sender.status for sender in slow] == [204, 204, 204]
        after = Sender(door)
        after.send(bytes(2 * MB), is_last=True)
        await asyncio.wait_for(after.task, 5)
        assert after.status == 204
    assert door._bytes == 0


async def test_what_a_body_inflates_to_counts_too():
    door = a_door()
    async with door.opened(SourceIdentity(1, "src", ()), taken):
        bomb = Sender(door, encoding="gzip")
        bomb.send(gzip.compress(bytes(4 * MB)), is_last=True)
        await asyncio.wait_for(bomb.task, 5)
        assert bomb.status == 503
    assert door._bytes == 0


async def asked(door: HttpDoor) -> int:
    sender = Sender(door)
    sender.send(b"{}", is_last=True)
    await asyncio.wait_for(sender.task, 5)
    return sender.status


async def test_a_device_that_calls_while_the_gateway_starts_is_asked_to_come_again_and_never_to_give_up():
    door = HttpDoor(lambda: "", DoorLimits())
    assert await asked(door) == 503
    door.set_devices([Device("dev", hashlib.sha256(b"pw").hexdigest(), (1,), ())], ["src"], awaited=["src"])
    assert await asked(door) == 503
    async with door.opened(SourceIdentity(1, "src", ()), taken):
        assert await asked(door) == 204
    door.set_devices([Device("dev", hashlib.sha256(b"pw").hexdigest(), (1,), ())], ["src"])
    assert await asked(door) == 404
