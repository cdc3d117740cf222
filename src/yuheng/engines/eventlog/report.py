"""What a log says, as one JSON-able object, and the quality report within it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yuheng.engines.eventlog.log import Log
from yuheng.engines.eventlog.routes import Routing

ROUTINGS_SHOWN = 100

Say = Callable[[str], str]


def report(log: Log, say: Say = str) -> dict[str, Any]:
    """Return counts, columns, issues and routings of a log.

    Parameters
    ----------
    say
        Gives a sentence (a msgid) in the reader's language.
    """
    period = log.period()
    return {
        **log.counts(),
        "file": log.path.name,
        "format": log.source.format,
        "encoding": log.source.encoding,
        "columns": {role.value: name for role, name in log.columns.of.items()},
        "unused_columns": log.columns.unused,
        "zone": log.columns.style.zone.key,
        "dates": log.columns.style.order.value,
        "first": period[0].isoformat() if period else None,
        "last": period[1].isoformat() if period else None,
        "issues": [
            {
                "code": issue.code,
                "weight": issue.weight.value,
                "count": issue.count,
                "sentence": say(issue.message) % issue.values if issue.values else say(issue.message),
                "rows": issue.rows,
            }
            for issue in log.issues.sorted()
        ],
        "routings": [_routing(one) for one in log.routings[:ROUTINGS_SHOWN]],
        "routing_count": len(log.routings),
    }


def _routing(one: Routing) -> Mapping[str, Any]:
    return {
        "material": one.material,
        "name": one.name,
        "orders": one.orders,
        "variants": one.variants,
        "main_variant_share": round(one.main_share, 3),
        "segments": [
            {
                "operation": segment.name,
                "share": round(segment.share, 3),
                "median_s": round(segment.per_piece_s, 3),
                "per": "piece" if segment.counts_pieces else "order",
                "runs": segment.runs,
                "machines": {name: round(value, 3) for name, value in segment.machines.items()},
            }
            for segment in one.segments
        ],
        "links": [[one.segments[a].name, one.segments[b].name] for a, b in one.links],
    }
