"""Rows of a file as receipts of material: each once, however often the file is applied."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput
from yuheng.operations.models import StockLocation, StockMovement
from yuheng.operations.rules import Act
from yuheng.operations.services import stock
from yuheng.operations.services.order_rows import ImportAction, decimal, moment, sentences
from yuheng.operations.tables import TableRow


class StockTaker:
    """Takes receipts in, one at a time. ``file_key`` with a row's number names it: what is known is left alone."""

    def __init__(self, actor: Actor, site_id: int, zone: ZoneInfo, file_key: str, at: datetime) -> None:
        self._actor, self._site_id, self._zone, self._key, self._at = actor, site_id, zone, file_key, at
        self._materials = engineering.material_ids(site_id=site_id)
        places = StockLocation.objects.filter(site_id=site_id, retired_at=None)
        self._places = dict(places.values_list("code", "pk"))
        known = StockMovement.objects.filter(site_id=site_id, action_id__startswith=f"{file_key}:")
        self._known = set(known.values_list("action_id", flat=True))

    def take(self, row: TableRow) -> tuple[str, ImportAction, str]:
        """Return what names a receipt, what becomes of it, and why it is refused."""
        key = f"{row.get('material')} {row.get('lot') or row.get('serial')}".strip()
        action_id = f"{self._key}:{row.line}"
        if action_id in self._known:
            return key, ImportAction.LEAVE, ""
        try:
            with transaction.atomic():
                self._receive(row, action_id)
        except DomainError as refusal:
            return key, ImportAction.REFUSE, sentences(refusal)
        return key, ImportAction.ADD, ""

    def _receive(self, row: TableRow, action_id: str) -> None:
        material_id = self._materials.get(row.get("material"))
        if material_id is None:
            raise InvalidInput(_("There is no material %(code)s.") % {"code": row.get("material")[:60]})
        place, expires = row.get("location"), row.get("expires_at")
        if place and place not in self._places:
            raise InvalidInput(_("There is no stock location %(code)s.") % {"code": place[:60]})
        stock.receive(
            actor=self._actor,
            site_id=self._site_id,
            material_id=material_id,
            quantity=decimal(row),
            unit=row.get("unit"),
            lot=row.get("lot"),
            serials=[row.get("serial")] if row.get("serial") else (),
            location_id=self._places.get(place),
            expires_at=moment(expires, self._zone) if expires else None,
            note=row.get("note"),
            at=self._at,
            act=Act(action_id=action_id),
        )
