"""``/metrics`` for Prometheus, with a token that may read metrics everywhere. A registry of its own for each answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from yuheng.people.identity import actor_of
from yuheng.upkeep.backups import age_s
from yuheng.upkeep.checks import findings
from yuheng.upkeep.picture import Picture
from yuheng.web.health import picture_for

_NOT_A_NAME = re.compile(r"[^a-z0-9_]+")
MOST_FACTS = 300
"""Numbers of one process that become metrics; a process with more tells about things, not about itself."""


class PictureCollector(Collector):
    """Turns a picture into metrics."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every family once."""
        yield from self._of_services()
        yield from self._of_sources()
        yield from self._of_installation()
        for process, facts in self._picture.health.items():
            for name, value in list(_numbers(facts))[:MOST_FACTS]:
                yield GaugeMetricFamily(f"yuheng_{process}_{name}", f"{name} as the {process} tells it", value=value)

    def _of_services(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("yuheng_service_ready", "1 when the process serves", labels=["service"])
        restarts = GaugeMetricFamily("yuheng_service_restarts", "Restarts since yuheng up", labels=["service"])
        memory = GaugeMetricFamily("yuheng_service_rss_bytes", "Resident memory of the process", labels=["service"])
        for one in self._picture.services:
            ready.add_metric([one.name], float(one.state in {"ready", "external"}))
            restarts.add_metric([one.name], one.restarts)
            memory.add_metric([one.name], one.rss_bytes)
        yield from (ready, restarts, memory)

    def _of_sources(self) -> Iterator[GaugeMetricFamily]:
        ages = GaugeMetricFamily(
            "yuheng_source_data_age_seconds", "Age of the newest reading of a data source", labels=["site", "source"]
        )
        for one in self._picture.sources:
            if one.age_s is not None:
                ages.add_metric([one.site, one.code], one.age_s)
        yield ages

    def _of_installation(self) -> Iterator[GaugeMetricFamily]:
        picture = self._picture
        backup = picture.last_backup
        values: dict[str, tuple[str, float | None]] = {
            "outbox_waiting": ("Events that wait to be delivered", picture.outbox_waiting),
            "outbox_poisoned": ("Events that cannot be delivered", picture.outbox_poisoned),
            "dead_letter_groups_open": ("Open groups of dead letters", picture.dead_letters_open),
            "database_bytes": ("Size of the relational database", picture.database_bytes),
            "database_clock_skew_seconds": ("The database's clock minus ours", picture.database_skew_s),
            "disk_free_bytes": ("Free space on the data's disk", picture.disk_free),
            "disk_total_bytes": ("Size of the data's disk", picture.disk_total),
            "disk_days_left": ("Days until the disk is full, from its measured growth", picture.disk_days_left),
            "memory_available_bytes": ("Available memory of the machine", picture.memory_available),
            "log_files_bytes": ("Size of all log files", picture.log_bytes),
            "backup_age_seconds": ("Age of the newest backup", age_s(backup, picture.at)),
            "backup_bytes": (
                "Size of the newest backup",
                picture.last_backup.size_bytes if picture.last_backup else None,
            ),
            "clock_synchronised": ("1 when a time service steers the clock", picture.is_clock_synchronised),
        }
        for name, (text, value) in values.items():
            if value is not None:
                yield GaugeMetricFamily(f"yuheng_{name}", text, value=float(value))
        days = GaugeMetricFamily(
            "yuheng_certificate_days_left", "Days until a certificate ends", labels=["certificate"]
        )
        for name, certificate in picture.certificates.items():
            days.add_metric([name], certificate.days_left(picture.at))
        yield days
        levels = GaugeMetricFamily("yuheng_findings", "Findings of the checks by level", labels=["level"])
        found = [one.level for one in findings(picture)]
        for level in ("ok", "warn", "fail"):
            levels.add_metric([level], found.count(level))
        yield levels
        about = GaugeMetricFamily("yuheng_build_info", "Versions", labels=["version", "postgres"])
        about.add_metric([picture.running_version or picture.version, picture.database_version], 1.0)
        yield about


def _numbers(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the plain numbers of a health line; what is listed by an id is told with labels, or not at all."""
    for key, value in sorted(facts.items()):
        name = _NOT_A_NAME.sub("_", f"{prefix}{key}".lower()).strip("_")
        if isinstance(value, bool | int | float):
            yield name, float(value)
        elif isinstance(value, dict) and not any(str(inner).isdigit() for inner in value):
            yield from _numbers(value, f"{name}_")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PictureCollector(picture_for(actor_of(request), "metrics.read")))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
