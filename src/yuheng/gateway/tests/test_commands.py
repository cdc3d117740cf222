"""The desk that carries out commands: at most once, in order, and whatever became of it is said."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from yuheng.bus.messages import CommandOutcome, WriteCommand
from yuheng.gateway.commands import REMEMBERED, WAITING_MOST, CommandDesk, read_write_command
from yuheng.gateway.connector import CommandRefused, ReadBack
from yuheng.testing.waiting import eventually

NOW_US = 1_700_000_000_000_000


class Machine:
    """What a session would do, as the test says."""

    def __init__(self):
        self.written = []
        self.answer = ReadBack(5.0, is_confirmed=True)
        self.gate = asyncio.Event()
        self.gate.set()
        self.error = None

    async def write(self, address, value):
        self.written.append((address, value))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.answer


class Desk:
    def __init__(self):
        self.machine = Machine()
        self.outcomes: list[CommandOutcome] = []
        self.refusal = ""
        self.now_us = NOW_US
        self.desk = CommandDesk(self.find_write, self.report, lambda: self.now_us)

    def find_write(self, source_id, address):
        if self.refusal:
            raise CommandRefused(self.refusal)
        return self.machine.write

    async def report(self, source_id, outcome):
        self.outcomes.append(outcome)

    def take(self, id_="one", *, address="a", value=5.0, timeout_s=10.0, expires_us=NOW_US + 1_000_000):
        return self.desk.take(7, WriteCommand(id_, address, value, expires_us, timeout_s))


@asynccontextmanager
async def a_desk():
    desk = Desk()
    yield desk
    await desk.desk.stop()


async def outcome_of(desk):
    await eventually(lambda: desk.outcomes)
    return desk.outcomes[0]


async def test_a_command_is_written_and_confirmed_by_what_was_read_back():
    async with a_desk() as desk:
        assert desk.take().is_taken
        outcome = await outcome_of(desk)
        assert (outcome.id, outcome.state, outcome.read_back) == ("one", "confirmed", 5.0)
        assert desk.machine.written == [("a", 5.0)]


async def test_the_same_command_twice_is_written_once():
    async with a_desk() as desk:
        assert desk.take().is_taken
        await outcome_of(desk)
        assert desk.take().is_taken
        assert desk.machine.written == [("a", 5.0)]


async def test_an_expired_command_is_refused_before_anything_is_written():
    async with a_desk() as desk:
        answer = desk.take(expires_us=NOW_US - 1)
        assert not answer.is_taken
        assert "after its time" in answer.sentence
        assert desk.machine.written == []
        assert desk.outcomes == []


async def test_a_command_that_expires_while_it_waits_is_refused():
    async with a_desk() as desk:
        desk.machine.gate.clear()
        desk.take("first")
        await eventually(lambda: desk.machine.written)
        desk.take("second")
        desk.now_us += 2_000_000
        desk.machine.gate.set()
        await eventually(lambda: len(desk.outcomes) == 2)
        assert [o.state for o in desk.outcomes] == ["confirmed", "refused"]
        assert len(desk.machine.written) == 1


async def test_an_interlock_refuses_at_once():
    async with a_desk() as desk:
        desk.refusal = "Writing is not allowed to this tag."
        answer = desk.take()
        assert not answer.is_taken
        assert answer.sentence == desk.refusal


async def test_an_interlock_is_checked_again_when_the_turn_comes():
    async with a_desk() as desk:
        desk.machine.gate.clear()
        desk.take("first")
        await eventually(lambda: desk.machine.written)
        desk.take("second")
        desk.refusal = "Writing is not allowed at this source."
        desk.machine.gate.set()
        await eventually(lambda: len(desk.outcomes) == 2)
        assert desk.outcomes[1].state == "refused"


@pytest.mark.parametrize(
    ("error", "state"),
    [(CommandRefused("It says no."), "refused"), (ConnectionResetError("gone"), "unknown")],
    ids=["the machine says no", "the connection breaks"],
)
async def test_what_fails_is_refused_only_when_it_is_certain(error, state):
    async with a_desk() as desk:
        desk.machine.error = error
        desk.take()
        assert (await outcome_of(desk)).state == state


async def test_a_machine_that_does_not_answer_is_timed_out():
    async with a_desk() as desk:
        desk.machine.gate.clear()
        desk.take(timeout_s=0.05)
        assert (await outcome_of(desk)).state == "timed_out"


async def test_a_value_that_does_not_show_is_not_confirmed():
    async with a_desk() as desk:
        desk.machine.answer = ReadBack(4.0, is_confirmed=False)
        desk.take()
        outcome = await outcome_of(desk)
        assert (outcome.state, outcome.read_back) == ("timed_out", 4.0)


async def test_a_gateway_that_ends_says_that_it_does_not_know():
    async with a_desk() as desk:
        desk.machine.gate.clear()
        desk.take()
        await eventually(lambda: desk.machine.written)
        await desk.desk.stop()
        assert [o.state for o in desk.outcomes] == ["unknown"]


async def test_commands_of_one_source_are_bounded_and_the_newest_is_refused():
    async with a_desk() as desk:
        desk.machine.gate.clear()
        desk.take("under way")
        await eventually(lambda: desk.machine.written)
        answers = [desk.take(str(n)) for n in range(WAITING_MOST + 1)]
        assert [answer.is_taken for answer in answers] == [True] * WAITING_MOST + [False]


async def test_memory_of_commands_is_bounded():
    async with a_desk() as desk:
        desk.refusal = "No."
        for n in range(REMEMBERED + 5):
            desk.take(str(n))
        assert len(desk.desk._seen) == REMEMBERED


@pytest.mark.parametrize("payload", [b"", b"\xff", b'{"kind": "rebirth"}', b'{"kind": "write", "id": 1}', b"[]"])
def test_only_a_whole_write_command_is_one(payload):
    assert read_write_command(payload) is None
