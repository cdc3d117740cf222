"""Which signals the work masters listen to."""

from __future__ import annotations

from yuheng.engineering.models import WorkSegment
from yuheng.engineering.rules import VersionState


def listened_symbols() -> list[tuple[int, str, str]]:
    """Return (site, symbol, ``count`` or ``run_id``) of every version that was ever released: orders keep old ones.

    Two queries, with one row for each symbol of a site.
    """
    rows = WorkSegment.objects.exclude(work_master__state=VersionState.DRAFT).order_by()
    counts = rows.filter(signals__counts=True).values_list("work_master__site_id", "signals__count_symbol").distinct()
    runs = rows.exclude(signals__run_id_symbol="").values_list("work_master__site_id", "signals__run_id_symbol")
    found = {(site_id, symbol): "count" for site_id, symbol in counts if symbol}
    found |= {(site_id, symbol): "run_id" for site_id, symbol in runs.distinct() if symbol}
    return sorted((site_id, symbol, kind) for (site_id, symbol), kind in found.items())
