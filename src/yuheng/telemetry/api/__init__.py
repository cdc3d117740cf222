"""JSON edge of telemetry, one module a noun."""

from __future__ import annotations

from ninja import Router

from yuheng.telemetry.api import (
    calculated,
    commands,
    cycles,
    dead_letters,
    devices,
    history,
    replay,
    sources,
    states,
    tags,
    templates,
)

router = Router(tags=["telemetry"])
for part in (sources, devices, tags, states, history, replay, cycles, calculated, dead_letters, commands, templates):
    router.add_router("", part.router)
