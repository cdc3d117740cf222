"""JSON edge of analysis, one module a noun."""

from __future__ import annotations

from ninja import Router

from yuheng.analysis.api import reasons

router = Router(tags=["analysis"])
for part in (reasons,):
    router.add_router("", part.router)
