"""Exceptions as people and programs see them; what machines counted, on pages and at the terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from yuheng.operations.models import JobException
from yuheng.operations.rules import Act
from yuheng.operations.selectors import counts, cycles, running
from yuheng.operations.selectors.exceptions import open_exceptions
from yuheng.operations.services import execute
from yuheng.operations.tests.signals import Machine, a_counted_job
from yuheng.testing.builders import a_person

pytestmark = pytest.mark.django_db
M = timedelta(minutes=1)
CONFIRMED = ("start", "quantity", "finish")


@pytest.fixture
def told():
    """A job of ten that a person finished with ten, of which the machine counted eight in minutes."""
    now = datetime.now(UTC).replace(microsecond=0)
    began = now - 60 * M
    plant, job = a_counted_job(confirms=CONFIRMED)
    machine = Machine(plant)
    machine.tell((began, 0.0))
    act = Act(happened_at=began)
    unit = plant.units["C1"].pk
    execute.start_job_order(actor=plant.ana, job_order_id=job.pk, work_unit_id=unit, at=now, act=act)
    machine.tell(*((began + i * M, float(i)) for i in range(1, 9)))
    machine.meet(now - 40 * M)
    return plant, job, machine, began


def finished(told):
    plant, job, machine, began = told
    now = datetime.now(UTC)
    act = Act(happened_at=began + 10 * M)
    execute.finish_job_order(actor=plant.ana, job_order_id=job.pk, good=10, at=now, act=act)
    machine.meet(now)
    return JobException.objects.get()


def signed_in(name):
    client = Client()
    client.force_login(a_person(name))
    return client


def test_what_the_machine_counts_is_what_tiles_stations_and_measures_show(told):
    plant, job, machine, began = told
    now = datetime.now(UTC)
    row = running.running_jobs(actor=plant.ben, work_unit_ids=[machine.unit_id], now=now)[machine.unit_id]
    assert (row.good, row.counted, row.made, row.pace_s, row.is_proposal) == (0, 8, 8, 60.0, True)
    assert abs((row.expected_end - now).total_seconds() - 120.0) < 1.0
    assert counts.counts_of(job_order_ids=[job.pk])[job.pk].open_pieces(row.good, row.scrap) == 8
    found = cycles.cycles(actor=plant.ben, site_id=plant.site_id, start=began, end=now)
    assert [one.run_s for one in found] == [60.0] * 8
    assert [one.is_first for one in found] == [True] + [False] * 7
    measured = cycles.measured_jobs(actor=plant.ben, site_id=plant.site_id, start=began, end=now).rows[0]
    assert (measured.run_median_s, measured.measured_setup_s, measured.planned_run_s) == (60.0, 0.0, 30.0)


def test_the_page_lists_what_disagrees_and_a_dispatcher_decides(told):
    plant, job, _machine, _began = told
    ben = signed_in("ben")
    assert (
        "Machines and reports agree"
        in ben.get("/orders/exceptions", headers={"accept-language": "en"}).content.decode()
    )
    row = finished(told)
    assert open_exceptions(actor=plant.ben, site_id=plant.site_id) == 1
    pages = ["/orders/exceptions", f"/jobs/{job.pk}", f"/work-units/{row.work_unit_id}/queue"]
    pages.append(f"/orders/{job.request.order_id}")
    for page in pages:
        text = ben.get(page, headers={"accept-language": "en"}).content.decode()
        assert "The machine counted 8, 10 were reported." in text, page
    answer = ben.post(f"/orders/exceptions/{row.pk}/act", {"action": "correct", "note": "miscounted"})
    assert answer.status_code == 302
    job.refresh_from_db()
    row.refresh_from_db()
    assert (job.good, row.state, row.note) == (8, "corrected", "miscounted")
    assert ben.get("/orders/exceptions?state=all&kind=count_differs").status_code == 200


def test_the_api_tells_and_decides_and_an_operator_may_only_look(told):
    row = finished(told)
    site = row.site_id
    ana, ben = signed_in("ana"), signed_in("ben")
    listed = ana.get(f"/api/v1/job-exceptions?site_id={site}").json()["rows"]
    assert [(one["kind"], one["counted"], one["reported"]) for one in listed] == [("count_differs", 8.0, 10.0)]
    body = json.dumps({"note": "two by hand"})
    url = f"/api/v1/job-exceptions/{row.pk}/explain"
    assert ana.post(url, body, content_type="application/json").status_code == 403
    answer = ben.post(url, body, content_type="application/json")
    assert (answer.status_code, answer.json()["state"]) == (200, "explained")
    assert ana.get(f"/api/v1/job-orders/{row.job_order_id}/count").json()["counted"] == 8.0
