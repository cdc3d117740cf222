"""JSON edge of engineering: materials, bills of material, work masters, changes, products for orders."""

from __future__ import annotations

from ninja import Router

from yuheng.engineering.api import boms, changes, materials, work_masters

router = Router(tags=["engineering"])
for part in (materials, boms, work_masters, changes):
    router.add_router("", part.router)
