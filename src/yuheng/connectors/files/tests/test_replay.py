import asyncio
import itertools
import json
from contextlib import suppress

from yuheng.connectors.files import FileReplayConnector
from yuheng.engines.codec import Message, decoder_for
from yuheng.engines.points import Refusal
from yuheng.gateway.connector import SourceIdentity, State
from yuheng.testing.connector_suite import FakeContext, FakeLog
from yuheng.testing.waiting import eventually

START_MS = 1_732_345_678_000


def a_recording(tmp_path, rows, name="a.csv"):
    path = tmp_path / name
    path.write_text("time,n\n" + "".join(f"{START_MS + at},{value}\n" for at, value in rows))
    return path


async def replay(config, context):
    async with FileReplayConnector().open(config, context) as session:
        await session.run()


def a_context(tmp_path):
    return FakeContext(SourceIdentity(1, "files", ()), tmp_path, FakeLog())


def sent(context):
    return [
        (time, value)
        for batch, _ in context.log.samples
        for time, value in zip(batch.times_us, batch.values, strict=True)
    ]


async def test_backfill_keeps_the_recorded_times_and_ends(tmp_path):
    context = a_context(tmp_path)
    path = a_recording(tmp_path, [(0, 1), (3_600_000, 2)])
    await replay({"path": str(path), "stamps": "as_recorded"}, context)
    assert sent(context) == [(START_MS * 1000, 1), ((START_MS + 3_600_000) * 1000, 2)]
    assert context.health.state is State.STOPPED


async def test_a_replay_now_keeps_the_distances_divided_by_the_speed(tmp_path):
    context = a_context(tmp_path)
    path = a_recording(tmp_path, [(0, 1), (100_000, 2), (200_000, 3)])
    before = context.now_us()
    await replay({"path": str(path), "speed": 1000}, context)
    times = [time for time, _ in sent(context)]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [100_000, 100_000]
    assert before <= times[0]
    assert times[-1] <= context.now_us()


async def test_a_second_run_goes_on_where_the_first_was_killed(tmp_path):
    first = a_context(tmp_path)
    path = a_recording(tmp_path, [(i, i) for i in range(1200)])
    first.log.hold()
    task = asyncio.get_running_loop().create_task(replay({"path": str(path), "stamps": "as_recorded"}, first))
    await eventually(lambda: first.log.waiting == 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    position = tmp_path / "position.json"
    position.write_text(json.dumps({"path": str(path), "kept": {"a.csv": 500}}))
    second = a_context(tmp_path)
    await replay({"path": str(path), "stamps": "as_recorded"}, second)
    assert [value for _, value in sent(second)] == list(range(500, 1200))
    third = a_context(tmp_path)
    await replay({"path": str(path), "stamps": "as_recorded"}, third)
    assert sent(third) == []


async def test_a_loop_begins_again_with_new_times(tmp_path):
    context = a_context(tmp_path)
    path = a_recording(tmp_path, [(0, 1), (1, 2)])
    task = asyncio.get_running_loop().create_task(replay({"path": str(path), "speed": 1000, "loop": True}, context))
    await eventually(lambda: len(sent(context)) >= 4)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert [value for _, value in sent(context)][:4] == [1, 2, 1, 2]
    assert sent(context)[2][0] > sent(context)[1][0]


async def test_a_row_without_a_time_is_kept_for_the_dead_letters_and_said(tmp_path):
    context = a_context(tmp_path)
    path = tmp_path / "a.csv"
    path.write_text(f"time,n\nsoon,7\n{START_MS},8\n")
    await replay({"path": str(path), "stamps": "as_recorded", "follow": False}, context)
    ((topic, payload, arrived_us),) = context.log.raw
    assert (topic, payload) == ("a.csv:1", b"soon,7")
    assert State.DEGRADED in context.history
    batch = decoder_for("files", {}, (), []).decode([Message(topic, payload, arrived_us)])
    assert batch.refused_messages[0][1] == Refusal.UNDECODABLE
