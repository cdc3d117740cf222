import asyncio
import json

import pytest

from yuheng.bus.wire import connect
from yuheng.gateway.log import DurableLog, LogUnavailable, _Places
from yuheng.testing.waiting import eventually


async def test_places_are_bounded_by_number_and_by_bytes_first_come_first_served():
    places = _Places(2, 100)
    order = []

    async def use(name, size, leave):
        async with places.hold(size):
            order.append(name)
            await leave.wait()

    leave_first, leave_rest = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(use("small", 60, leave_first))
        await eventually(lambda: order == ["small"])
        group.create_task(use("large", 5000, leave_rest))  # more than all bytes: goes alone
        await eventually(lambda: places.waiting == 1)
        group.create_task(use("late", 1, leave_rest))
        await eventually(lambda: places.waiting == 2)
        assert order == ["small"]
        leave_first.set()
        await eventually(lambda: order == ["small", "large"])
        leave_rest.set()
    assert (order, places.taken, places.waiting) == (["small", "large", "late"], 0, 0)


async def test_whoever_gives_up_waiting_leaves_no_hole():
    places = _Places(1, 10)
    async with places.hold(1):
        waiting = asyncio.get_running_loop().create_task(places.take(1))
        await eventually(lambda: places.waiting == 1)
        waiting.cancel()
        await eventually(waiting.done)
        assert places.waiting == 0
    async with asyncio.timeout(30):
        await places.take(1)


async def test_an_append_with_a_deadline_says_why_the_log_did_not_take_it():
    log = DurableLog("nats://127.0.0.1:1")
    with pytest.raises(LogUnavailable, match="Not connected yet"):
        await log.append("yh.in.1.raw", b"x", {}, timeout_s=0.01)
    assert log.in_flight == 0


async def test_a_log_that_is_full_has_not_taken_it(fresh_nats):
    setup = await connect(fresh_nats.url)
    stream = {"name": "YH_INGEST", "subjects": ["yh.in.>"], "discard": "new", "max_bytes": 1}
    await setup.request("$JS.API.STREAM.CREATE.YH_INGEST", json.dumps(stream).encode())
    log = DurableLog(fresh_nats.url)
    running = asyncio.create_task(log.run())
    with pytest.raises(LogUnavailable, match="maximum bytes exceeded"):
        await log.append("yh.in.1.raw", b"x", {}, timeout_s=2.0)
    assert log.appended == 0
    assert log.why_closed == ""  # nobody would ever find out that there is room
    await setup.request("$JS.API.STREAM.UPDATE.YH_INGEST", json.dumps({**stream, "max_bytes": 10_000}).encode())
    await log.append("yh.in.1.raw", b"x", {}, timeout_s=5.0)
    assert log.appended == 1
    running.cancel()
    setup.close()
