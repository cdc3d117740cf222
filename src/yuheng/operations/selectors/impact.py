"""What a change of products touches here: open requests that are frozen on a version, and stock."""

from __future__ import annotations

from django.db.models import Q, Sum
from django.utils.translation import get_language

from yuheng.engineering.selectors import ImpactRow
from yuheng.kernel.actor import Actor
from yuheng.operations.labels import REQUEST_STATE_LABELS
from yuheng.operations.models import OperationsRequest, StockBalance
from yuheng.operations.rules import OPEN_REQUESTS, RequestState
from yuheng.operations.selectors.pages import VIEW

MOST = 200
_OPEN = sorted(state.value for state in OPEN_REQUESTS)


def impact_of_change(
    *,
    actor: Actor,
    site_id: int,
    material_ids: frozenset[int],
    bom_version_ids: frozenset[int],
    work_master_version_ids: frozenset[int],
) -> list[ImpactRow]:
    """Open requests of these materials or versions by urgency, then what lies in stock of the materials. Two queries.

    Empty for who may not see operations: engineering's page is theirs all the same.
    """
    if not actor.may(VIEW, site_id=site_id):
        return []
    touched = (
        Q(material_id__in=material_ids)
        | Q(bom_version_id__in=bom_version_ids)
        | Q(work_master_version_id__in=work_master_version_ids)
    )
    name = "name_en" if (get_language() or "").startswith("en") else "name_zh"
    requests = OperationsRequest.objects.filter(touched, site_id=site_id, state__in=_OPEN)
    rows = requests.order_by("rank", "due_at", "pk").values_list(
        "code", f"material__{name}", "state", "quantity", "unit", "pk"
    )
    found = [
        ImpactRow(
            "request",
            code,
            title,
            "",
            str(REQUEST_STATE_LABELS[RequestState(state)]),
            f"{quantity.normalize():f}",
            unit,
        )
        for code, title, state, quantity, unit, _pk in rows[:MOST]
    ]
    stock = (
        StockBalance.objects.filter(site_id=site_id, material_id__in=material_ids, quantity__gt=0)
        .order_by("material__code")
        .values_list("material__code", f"material__{name}", "material__unit")
        .annotate(sum=Sum("quantity"))
    )
    found += [
        ImpactRow("stock", code, title, "", "", f"{total.normalize():f}", unit)
        for code, title, unit, total in stock[:MOST]
    ]
    return found
