"""JSON edge: orders and stock from CSV and XLSX files, with a dry run."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema

from yuheng.kernel.errors import InvalidInput
from yuheng.operations.api.schemas import now, schema_of
from yuheng.operations.services import imports
from yuheng.operations.services.imports import ImportKind, ImportPlan
from yuheng.people.identity import actor_of

router = Router(tags=["orders"])
PlanOut = schema_of(ImportPlan)


class OrderFileIn(Schema):
    """A CSV or XLSX file, base64, and what it holds."""

    site_id: int
    kind: ImportKind
    content: Annotated[str, Field(max_length=44_000_000)]

    def decoded(self) -> bytes:
        """Return the file. Raises `InvalidInput`."""
        try:
            return base64.b64decode(self.content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidInput(_("The file is not base64."), {"content": _("Send it as base64.")}) from error


class OrderFileApplyIn(OrderFileIn):
    """The same file again, with the fingerprint of its dry run."""

    plan_sha256: Annotated[str, Field(min_length=1, max_length=64)]
    leave_out_refused: bool = False


@router.post("/order-imports", response=PlanOut)
def plan_order_import(request: HttpRequest, body: OrderFileIn) -> ImportPlan:
    """Say what a file of orders or stock would do, row by row; nothing is written."""
    return imports.plan_import(
        actor=actor_of(request), site_id=body.site_id, kind=ImportKind(body.kind), content=body.decoded(), at=now()
    )


@router.post("/order-imports/apply", response=PlanOut)
def apply_order_import(request: HttpRequest, body: OrderFileApplyIn) -> ImportPlan:
    """Do exactly what the dry run with this fingerprint said, or nothing."""
    return imports.apply_import(
        actor=actor_of(request), site_id=body.site_id, kind=ImportKind(body.kind), content=body.decoded(),
        plan_sha256=body.plan_sha256, leave_out_refused=body.leave_out_refused, at=now(),
    )  # fmt: skip
