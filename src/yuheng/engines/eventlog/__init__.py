"""Event logs of plants: read from what systems export, judged, and turned into orders, runs and routings.

Plain Python: no Django, no network. `log.Log` reads a file into scratch files of its own, so that memory does not grow
with the log; `report.report` says what was found as one JSON-able object.
"""

from __future__ import annotations

from yuheng.engines.eventlog.faults import LogError
from yuheng.engines.eventlog.log import Job, Log, Order, Stretch
from yuheng.engines.eventlog.report import report
from yuheng.engines.eventlog.routes import Routing, Segment
from yuheng.engines.eventlog.values import DateOrder

__all__ = ["DateOrder", "Job", "Log", "LogError", "Order", "Routing", "Segment", "Stretch", "report"]
