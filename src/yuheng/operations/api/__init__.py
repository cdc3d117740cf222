"""JSON edge of operations, below ``/api/v1``."""

from __future__ import annotations

from ninja import Router

from yuheng.operations.api import documents, exceptions, files, floor, imports, jobs, orders, stock, webhooks

router = Router()
for part in (orders, jobs, floor, exceptions, stock, webhooks, imports, files, documents):
    router.add_router("", part.router)
