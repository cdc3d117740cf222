"""Tells the dead-letter page about publishes that the broker refused for want of permission."""

from __future__ import annotations

import time
from collections.abc import Mapping

from yuheng.bus import subjects
from yuheng.bus.wire import WireError, connect, encode_header
from yuheng.engines.points import Refusal


async def tell_refusals(nats_url: str, refused: Mapping[tuple[str, str], int]) -> None:
    """Publish one dead letter a (client, subject) pair. ``status.json`` counts them too, so a failure is let go."""
    try:
        connection = await connect(nats_url, name="yuheng-supervisor")
    except (OSError, TimeoutError, WireError):
        return
    try:
        for (client, subject), count in refused.items():
            times = "once" if count == 1 else f"{count} times"
            header = {
                subjects.HEADER_TOPIC: subjects.topic_of_subject(subject),
                subjects.HEADER_ARRIVED_US: str(time.time_ns() // 1000),
                subjects.HEADER_DETAIL: f"refused: no permission for the client {client} ({times})",
                subjects.HEADER_KIND: subjects.KIND_REFUSED_PUBLISH,
            }
            target = subjects.dead(0, Refusal.UNKNOWN_TOPIC)
            await connection.request(target, b"", header=encode_header(header), timeout_s=5.0)
    except (OSError, TimeoutError, WireError):
        return
    finally:
        connection.close()
