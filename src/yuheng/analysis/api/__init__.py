"""JSON edge of analysis, one module a noun."""

from __future__ import annotations

from ninja import Router

from yuheng.analysis.api import reasons, statistics

router = Router(tags=["analysis"])
for part in (reasons, statistics):
    router.add_router("", part.router)
