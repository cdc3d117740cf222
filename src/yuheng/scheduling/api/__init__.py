"""JSON edge of scheduling, below ``/api/v1``."""

from __future__ import annotations

from ninja import Router

from yuheng.scheduling.api import absences, plans, promises

router = Router()
for part in (plans, promises, absences):
    router.add_router("", part.router)
