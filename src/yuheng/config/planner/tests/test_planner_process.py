"""The planner as its own process, on a real broker and PostgreSQL: killed while it solves, without a broker, hung."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
import psutil
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from yuheng.bus.messages import DispatchLive
from yuheng.bus.setup import ensure_streams
from yuheng.bus.subjects import live_dispatch
from yuheng.bus.wire import connect
from yuheng.historian.tests.processes import credentials
from yuheng.operations.models import JobOrder
from yuheng.people.models import Person
from yuheng.scheduling.models import Disturbance, Plan, Scenario, SitePlanning, Suggestion
from yuheng.scheduling.services import scenarios
from yuheng.scheduling.tests.plant import a_busy_plant, stands
from yuheng.scheduling.tests.test_plans import published

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines]
HOUR = timedelta(hours=1)


def until(condition, *, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


@pytest.fixture
def plant():
    """Two cutters with a day's work, due soon, and a plan that holds since now."""
    plant = a_busy_plant(6, 120)
    now = datetime.now(UTC)
    JobOrder.objects.update(due_at=now + 7 * HOUR)
    SitePlanning.objects.create(site=plant.site, frozen_min=0, stop_min=480)
    published(plant, now)
    return plant


@pytest.fixture
def broker(fresh_nats):
    """An empty broker with our streams."""
    user, password = credentials(fresh_nats)
    asyncio.run(ensure_streams(fresh_nats.url, fresh_nats.host, fresh_nats.mqtt_port, user, password))
    return fresh_nats


class Planner:
    """``python -m yuheng.config.planner`` on the test's database."""

    def __init__(self, broker, tmp_path):
        told = connection.settings_dict
        name, password = quote(told["USER"]), quote(told["PASSWORD"] or "")
        host, port = told["HOST"], told["PORT"]
        place = f"@{host}:{port}/" if not host.startswith("/") else f"@/{told['NAME']}?host={quote(host)}&port={port}"
        url = f"postgresql://{name}:{password}{place}"
        self.environment = os.environ | {
            "DATABASE_URL": url if "?" in url else url + told["NAME"],
            "NATS_URL": broker.url,
            "YUHENG_DATA_DIR": str(tmp_path / "data"),
            "DJANGO_SETTINGS_MODULE": "yuheng.config.settings",
        }
        self.log = tmp_path / "planner.log"
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "yuheng.config.planner"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def family(self):
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def kill(self):
        for one in self.family():
            one.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)


@pytest.fixture
def planner(broker, tmp_path):
    planner = Planner(broker, tmp_path)
    planner.start()
    yield planner
    planner.stop()


def page(plant, name="dispatch_now"):
    client = Client()
    client.force_login(Person.objects.get(pk=plant.ben.person_id))
    return client.get(reverse(f"scheduling:{name}"), {"site": plant.site.code}).content.decode()


def holds():
    return Plan.objects.get(is_published=True).number


def test_a_planner_killed_while_it_solves_leaves_the_plan_alone_and_the_next_one_solves_it(plant, planner):
    number = holds()
    at = datetime.now(UTC)
    row = scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=at, name="night", seconds=5)
    until(lambda: Scenario.objects.get(pk=row.pk).best is not None)
    planner.kill()
    row.refresh_from_db()
    assert (row.state, holds()) == ("solving", number)
    SitePlanning.objects.update(seen_at=datetime.now(UTC) - timedelta(seconds=90))
    assert 'class="notice warning" role="status"' in page(plant)  # the planner has said nothing for 90 s
    Scenario.objects.update(beat_at=datetime.now(UTC) - scenarios.LOST_AFTER - timedelta(seconds=1))
    planner.start()
    until(lambda: Scenario.objects.get(pk=row.pk).state == "done")
    assert holds() == number
    assert "night" in page(plant)
    until(lambda: 'class="notice warning" role="status"' not in page(plant))


def test_without_a_broker_breakdowns_are_answered_and_screens_are_told_again_when_it_is_back(plant, broker, planner):
    number = holds()
    until(lambda: SitePlanning.objects.get().seen_at)
    broker.kill()
    stands(plant, "C1", datetime.now(UTC))
    until(lambda: Suggestion.objects.filter(state="open").exists())
    assert f'id="d-{Disturbance.objects.get().pk}"' in page(plant)
    broker.start()

    async def heard():
        told = asyncio.Event()
        line = await connect(broker.url)
        line.subscribe(
            live_dispatch(plant.site_id),
            lambda items: [msgspec.json.decode(one[3], type=DispatchLive) for one in items] and told.set(),
        )
        try:
            async with asyncio.timeout(60):
                while not told.is_set():  # until the planner has found the broker again, too
                    await asyncio.to_thread(_another_stop, plant)
                    async with asyncio.timeout(10):
                        await told.wait()
        finally:
            line.close()

    asyncio.run(heard())
    assert holds() == number


def _another_stop(plant):
    try:
        stands(plant, "C2", datetime.now(UTC))
    finally:
        connection.close()


def test_an_engine_that_never_comes_back_is_given_up_in_words_and_the_plan_holds(plant, monkeypatch):
    number = holds()
    monkeypatch.setattr(scenarios, "OVERDUE_S", -0.5)
    is_over = threading.Event()

    def hangs(*_problem, **_more):
        assert is_over.wait(30)
        raise RuntimeError("its process has ended")

    monkeypatch.setattr(scenarios, "solve", hangs)
    row = scenarios.make_plan(actor=plant.ben, site_id=plant.site_id, at=datetime.now(UTC), name="hung", seconds=1)
    with pytest.raises(RuntimeError):
        scenarios.work_once(now=lambda: datetime.now(UTC), overdue=is_over.set)
    row.refresh_from_db()
    assert (row.state, row.plan_id, holds()) == ("failed", None, number)
    assert row.message
    assert "RuntimeError" not in row.message
    assert row.message[:40] in page(plant)


def test_a_machine_whose_clock_is_an_hour_wrong_disturbs_no_published_plan(plant, planner):
    number = holds()
    stands(plant, "C1", datetime.now(UTC) + HOUR)
    stands(plant, "C2", datetime.now(UTC) - HOUR)
    until(lambda: Suggestion.objects.filter(state="open").exists())
    assert holds() == number
    assert not SitePlanning.objects.get().trouble
    text = page(plant)
    assert 'class="notice warning" role="status"' not in text
    assert f'id="d-{Disturbance.objects.filter(work_unit=plant.units["C2"]).get().pk}"' in text
