"""JSON edge of alarms, below ``/api/v1/alarms``."""

from __future__ import annotations

from ninja import Router

from yuheng.alarms.api import alarms, definitions, journal, notifications

router = Router(tags=["alarms"])
for part in (journal, definitions, notifications, alarms):
    router.add_router("/alarms", part.router)
