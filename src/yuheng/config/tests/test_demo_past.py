"""The past of a demo plant: orders in every stage, no station with two jobs, told once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from yuheng.config import demo
from yuheng.config.demo_telling import tell
from yuheng.kernel.actor import system_actor
from yuheng.kernel.models import Site
from yuheng.operations.models import CustomerOrder, JobOrder, JobResponse, StockBalance
from yuheng.operations.selectors import shortages
from yuheng.simulation.elevator.products import ELEVATOR_PRODUCTS

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SMALL = replace(ELEVATOR_PRODUCTS, orders_per_hour=0.7)


def no_wait() -> None:
    """Do not share the core."""


def test_a_past_has_orders_in_every_stage_and_is_told_once(tmp_path, monkeypatch, settings):
    monkeypatch.setenv("YUHENG_DATA_DIR", str(tmp_path))
    settings.IS_DEMO = True
    demo.install(at=NOW)
    site = Site.objects.get(code="elevator1")

    told = tell(SMALL, now=NOW, pace=no_wait)

    assert told == CustomerOrder.objects.filter(site=site).count() == 4
    states = set(JobOrder.objects.filter(site=site).values_list("state", flat=True))
    assert {"ended", "running", "allowed_to_start"} <= states
    running = list(JobOrder.objects.filter(site=site, state="running").values_list("work_unit__code", flat=True))
    assert len(running) == len(set(running)) > 5
    kinds = set(JobResponse.objects.filter(site=site).values_list("kind", flat=True))
    assert {"started", "set_up", "finished", "check", "consumed"} <= kinds
    assert not JobResponse.objects.filter(site=site, at__gt=NOW).exists()
    assert all(JobResponse.objects.filter(site=site).values_list("person_id", flat=True))
    assert StockBalance.objects.filter(site=site, quantity__gt=0).count() > 50
    assert shortages.shortages(actor=system_actor("test"), site_id=site.pk, now=NOW).rows

    assert tell(SMALL, now=NOW + timedelta(minutes=5), pace=no_wait) == 0
