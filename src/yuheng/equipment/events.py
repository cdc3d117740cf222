"""What equipment tells others: facts, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EquipmentChanged:
    """Something of a site's equipment tree was created, renamed, moved or retired.

    ``kind`` is ``site``, ``area``, ``work_center``, ``work_unit``, ``equipment_class``, ``asset``, ``calendar``,
    ``target`` or ``placement``; ``change`` a verb in the past tense. A whole imported file is one change of its
    ``site``.
    """

    site_id: int
    kind: str
    object_id: int
    change: str
