"""Sending commands to the gateway: marked as sent first, then said once, and never again unless nobody heard it."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import msgspec

from yuheng.bus import subjects
from yuheng.bus.messages import CommandTaken
from yuheng.bus.wire import Connection, WireError
from yuheng.config.worker.database import Database
from yuheng.telemetry.services.commands import (
    ToSend,
    claim_commands,
    is_command_open,
    note_not_heard,
    note_refused,
    note_silence,
)

LOGGER = logging.getLogger(__name__)

ANSWER_WITHIN_S = 5.0
"""The gateway answers at once whether it will try; without an answer it may have heard all the same."""


async def send_what_waits(connection: Connection, database: Database) -> bool:
    """Send what is requested and give up what nobody tells of; return whether something still waits for a gateway.

    Raises `DatabaseAway`.
    """
    if not await database.run(is_command_open):
        return False
    await database.run(note_silence, at=datetime.now(UTC))
    claimed = await database.run(claim_commands, at=datetime.now(UTC))
    heard = await asyncio.gather(*(_send(connection, database, command) for command in claimed))
    return not all(heard)


async def _send(connection: Connection, database: Database, command: ToSend) -> bool:
    """Send one command; return whether anybody may have heard it."""
    subject = subjects.command(command.source_id)
    try:
        header, answer = await connection.request(
            subject, msgspec.json.encode(command.message), timeout_s=ANSWER_WITHIN_S
        )
    except (TimeoutError, WireError) as error:
        LOGGER.warning("Command %s: no answer from the gateway: %s", command.message.id, error or "too slow")
        return True
    if header.startswith(b"NATS/1.0 503"):  # no responders: the broker itself says that nobody got it
        await database.run(note_not_heard, command_id=command.message.id)
        return False
    taken = msgspec.json.decode(answer, type=CommandTaken)
    if not taken.is_taken:
        await database.run(note_refused, command_id=command.message.id, sentence=taken.sentence, at=datetime.now(UTC))
    return True
