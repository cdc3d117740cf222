"""What a customer may choose of a product, and the words for it."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from yuheng.engineering.models import BomVersion, WorkMasterVersion
from yuheng.engineering.rules.specs import ParameterSpec
from yuheng.engineering.rules.words import VersionState

NEWEST_FIRST = {VersionState.RELEASED.value: 0, VersionState.SUPERSEDED.value: 1, VersionState.OBSOLETE.value: 2}


def options_of(*, material_ids: Collection[int]) -> dict[int, tuple[ParameterSpec, ...]]:
    """Return material -> the options of its bill of material and work master, those in force before older ones.

    Older versions count, too: an order keeps what it was released with, and its options keep their names. Drafts do
    not. Two queries; the caller has seen to it that the materials may be seen.
    """
    found: dict[int, dict[str, ParameterSpec]] = {}
    rows: list[tuple[int, int, int, list[object]]] = []
    for model in (BomVersion, WorkMasterVersion):
        versions = model.objects.filter(material_id__in=list(material_ids), state__in=list(NEWEST_FIRST))
        rows += [
            (NEWEST_FIRST[state], -number, material_id, parameters)
            for material_id, number, state, parameters in versions.exclude(parameters=[]).values_list(
                "material_id", "number", "state", "parameters"
            )
        ]
    for _age, _number, material_id, parameters in sorted(rows, key=lambda row: row[:2]):
        known = found.setdefault(material_id, {})
        for one in msgspec.convert(parameters, list[ParameterSpec], strict=False):
            known.setdefault(one.name, one)
    return {material_id: tuple(known.values()) for material_id, known in found.items()}
