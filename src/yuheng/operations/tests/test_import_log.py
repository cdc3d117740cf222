"""A plant's log becomes its equipment, products and orders; the same log twice writes nothing new."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from yuheng.engineering import selectors as engineering
from yuheng.engines.eventlog import Log
from yuheng.engines.eventlog.tests import logs
from yuheng.kernel.errors import PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.operations.models import CustomerOrder, JobDependency, JobMove, JobOrder, JobResponse, OperationsRequest
from yuheng.operations.rules import ResponseKind
from yuheng.operations.rules.progress import Told, derive
from yuheng.operations.selectors import jobs, orders, progress
from yuheng.operations.services.logs import import_log
from yuheng.people.models import Person
from yuheng.testing.builders import SYSTEM, a_site, an_actor

pytestmark = pytest.mark.django_db

HEADING = "Order,Operation,Machine,Operator,Start,End,Qty,Good,Scrap,Part,Customer"


@pytest.fixture
def site():
    return a_site()


def a_log(tmp_path, done, *, customer="HUA", name="log.csv"):
    path = logs.as_csv(tmp_path / name, done, heading=HEADING)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(f"{line},GEAR,{customer}" for line in lines[1:])]))
    return path


def write(path, site, **more):
    with Log(path, zone=ZoneInfo("UTC"), now=logs.NOW) as log:
        return import_log(actor=SYSTEM, site_id=site.pk, log=log, at=logs.NOW, **more)


def test_a_log_becomes_a_plant(tmp_path, site):
    done = write(a_log(tmp_path, logs.a_plant_s_work()), site)
    assert done.written["work_units"] == 3
    assert done.written["persons"] == 2
    assert done.written["materials"] == done.written["routings"] == done.written["customers"] == 1
    assert done.written["orders"] == done.written["customer_orders"] == CustomerOrder.objects.count() == 6
    assert done.written["job_orders"] == JobOrder.objects.count() == 18
    assert done.written["responses"] == JobResponse.objects.count() == 36
    assert JobDependency.objects.count() == 12
    material = engineering.material_ids(site_id=site.pk)["GEAR"]
    [version] = engineering.versions_of(actor=SYSTEM, material_id=material).work_masters
    assert version.state == "released"
    spec = engineering.work_master_version(actor=SYSTEM, version_id=version.id).spec
    assert [(one.code, one.name_en, one.run_time) for one in spec.segments] == [
        ("10", "Saw", "60"), ("20", "Turn", "120"), ("30", "Check", "30"),
    ]  # fmt: skip
    row = OperationsRequest.objects.get(code="WO001")
    assert (row.quantity, row.good, row.job_count, row.jobs_over, row.started_at) == (10, 10, 3, 3, logs.START)
    assert Person.objects.get(username="P1").has_usable_password() is False
    assert AuditRecord.objects.filter(action="log.imported").count() == 1


def test_pages_show_what_was_imported(tmp_path, site):
    write(a_log(tmp_path, logs.a_plant_s_work()), site)
    row = OperationsRequest.objects.get(code="WO002")
    way = progress.order_progress(actor=SYSTEM, order_id=row.order_id, now=logs.NOW)
    assert [(job.segment, job.state.value, job.good, job.work_unit_code) for job in way.jobs] == [
        ("10", "ended", 10, "SAW-1"), ("20", "ended", 10, "CNC-1"), ("30", "ended", 10, "QC-1"),
    ]  # fmt: skip
    assert len(way.links) == 2
    assert orders.request_detail(actor=SYSTEM, request_id=row.pk).state.value == "closed"
    [detail] = jobs.job_details(actor=SYSTEM, job_order_ids=[way.jobs[1].id])
    assert [one.kind.value for one in detail.responses] == ["finished", "started"]


def test_the_log_of_moves_has_the_queue_before_each_step(tmp_path, site):
    done = logs.a_plant_s_work(orders=1)
    write(a_log(tmp_path, done), site)
    moves = JobMove.objects.filter(job_order__code="WO001-20").order_by("id").values_list("what", "at")
    assert list(moves) == [("ready", done[0].end), ("started", done[1].start), ("ended", done[1].end)]


def test_stored_progress_is_what_the_responses_say(tmp_path, site):
    done = logs.a_plant_s_work(orders=3)
    again = [  # more of each turning beside the first, and after a short break
        logs.Done(one.order, one.operation, one.machine, one.operator, one.start + by, one.end + by, 3)
        for one in done
        if one.operation == "Turn"
        for by in ((one.end - one.start) * 0.2, (one.end - one.start) * 1.22)
    ]
    write(a_log(tmp_path, [*done, *again]), site)
    for job in JobOrder.objects.all():
        told = [
            Told(ResponseKind(one.kind), one.at, one.good, one.scrap, one.rework)
            for one in JobResponse.objects.filter(job_order=job).order_by("pk")
        ]
        found = derive(told)
        assert (found.state.value, found.good, found.worked_s) == (job.state, job.good, job.worked_s)
        assert (found.actual_start, found.actual_end) == (job.actual_start, job.actual_end)
        assert job.good <= job.quantity
    turning = JobOrder.objects.get(code="WO001-20")
    assert turning.good == 16
    assert turning.responses.filter(kind="paused").exists() is True


def test_the_same_log_twice_writes_nothing_new_and_a_longer_one_what_is_new(tmp_path, site):
    everything = logs.a_plant_s_work(orders=5)
    write(a_log(tmp_path, everything[:11]), site)  # the fourth order has two of three steps behind it
    before = (JobOrder.objects.count(), JobResponse.objects.count(), Person.objects.count())
    done = write(a_log(tmp_path, everything[:11]), site)
    assert not any(done.written.values())
    assert done.kept["orders"] == 4
    assert (JobOrder.objects.count(), JobResponse.objects.count(), Person.objects.count()) == before
    done = write(a_log(tmp_path, everything), site)
    assert {name: count for name, count in done.written.items() if count} == {
        "orders": 1, "customer_orders": 1, "job_orders": 4, "responses": 8,
    }  # fmt: skip
    row = OperationsRequest.objects.get(code="WO004")
    assert (row.job_count, row.jobs_over, row.ended_at) == (3, 3, everything[11].end)


def test_orders_that_are_there_from_elsewhere_stay_as_they_are(tmp_path, site):
    material = write(a_log(tmp_path, logs.a_plant_s_work(orders=1)), site) and engineering.material_ids(site_id=site.pk)
    OperationsRequest.objects.create(
        site=site, code="WO002", material_id=material["GEAR"], quantity=7, unit="{piece}", due_at=logs.NOW,
        entered_at=logs.NOW,
    )  # fmt: skip
    done = write(a_log(tmp_path, logs.a_plant_s_work(orders=2)), site)
    assert done.written["job_orders"] == 0
    assert OperationsRequest.objects.get(code="WO002").quantity == 7


def test_machines_without_names_customers_or_people_are_no_obstacle(tmp_path, site):
    done = [logs.Done(one.order, one.operation, "", "", one.start, one.end, 0) for one in logs.a_plant_s_work()]
    counted = write(a_log(tmp_path, done, customer=""), site, with_people=False)
    assert counted.written["job_orders"] == 18
    assert CustomerOrder.objects.count() == 0
    assert "persons" not in counted.written


def test_whoever_may_not_enter_orders_writes_nothing(tmp_path, site):
    someone = an_actor("operations.view", site=site)
    path = a_log(tmp_path, logs.a_plant_s_work())
    with Log(path, zone=ZoneInfo("UTC"), now=logs.NOW) as log, pytest.raises(PermissionRefused):
        import_log(actor=someone, site_id=site.pk, log=log, at=logs.NOW)
    assert OperationsRequest.objects.count() == 0


def test_queries_do_not_grow_with_the_batch(tmp_path, site, django_assert_max_num_queries):
    write(a_log(tmp_path, logs.a_plant_s_work(orders=1)), site)
    path = a_log(tmp_path, logs.a_plant_s_work(orders=120))
    with django_assert_max_num_queries(90):
        write(path, site)
    assert JobOrder.objects.count() == 360
