"""The floor follows the plan: queues, the dispatch list, terminals, travellers have its order, stations, times."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from yuheng.operations.models import JobOrder
from yuheng.operations.selectors import jobs
from yuheng.operations.services.planned import give_places
from yuheng.operations.terminal.selectors.picture import picture_of
from yuheng.operations.terminal.services import devices
from yuheng.operations.tests import plant as orders
from yuheng.scheduling.building.moving import How, Move
from yuheng.scheduling.models import Plan
from yuheng.scheduling.services import moves
from yuheng.scheduling.tests.plant import AT, a_busy_plant
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import a_person, an_actor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def plant():
    return a_busy_plant(6, 120)


def queue(plant, unit):
    rows = jobs.station_queue(actor=plant.ana, work_unit_id=plant.units[unit].pk, now=AT)
    return [row.id for row in rows]


def as_planned(plant, unit):
    """What the published plan has on a machine, in its order: what can begin, rush first, then what waits."""
    plan = Plan.objects.get(is_published=True)
    start = dict(zip(plan.job_order_ids, plan.starts, strict=True))
    rows = zip(plan.job_order_ids, plan.work_unit_ids, strict=True)
    there = JobOrder.objects.in_bulk([job for job, on in rows if on == plant.units[unit].pk])

    def place(row):
        is_ready = row.substate == "ready"
        return not is_ready, is_ready and row.rank != 0, start[row.pk]

    return [row.pk for row in sorted(there.values(), key=place)]


def listed(plant, limit=5):
    """The whole dispatch list, page by page."""
    found, cursor = [], ""
    while True:
        page = jobs.dispatch_list(actor=plant.ben, site_id=plant.site_id, now=AT, cursor=cursor, limit=limit)
        found += page.rows
        cursor = page.next_cursor
        if not cursor:
            return found


def moved_to_the_other_machine(plant, plan):
    """Move what is last on one machine to the other, behind the frozen zone; return it, and its new machine."""
    job = plan.job_order_ids[-1]
    was = plan.work_unit_ids[-1]
    unit = next(code for code in ("C1", "C2") if plant.units[code].pk != was)
    command = Move(job, AT + timedelta(hours=3), plant.units[unit].pk, How.INSERT)
    moves.move(actor=plant.ben, site_id=plant.site_id, command=command, expected=plan.number, at=AT)
    return job, unit


def a_picture(device):
    return picture_of(device=device, stream=uuid.uuid4(), now=AT)["jobs"]


def test_without_a_plan_a_queue_goes_by_urgency(plant):
    due = JobOrder.objects.filter(segment="10").order_by("rank", "due_at", "pk").values_list("pk", flat=True)
    assert queue(plant, "C1") == list(due)
    assert not any(row.placed_at for row in listed(plant))


def test_queues_are_the_plan_and_follow_a_move_to_another_station_and_another_time(plant):
    plan = published(plant)
    for unit in ("C1", "C2"):
        assert queue(plant, unit) == as_planned(plant, unit)
    before = {unit: queue(plant, unit) for unit in ("C1", "C2")}
    job, unit = moved_to_the_other_machine(plant, plan)
    assert job not in before[unit]
    assert job in queue(plant, unit)
    assert queue(plant, unit)[-1] != job  # it was inserted before others
    for one in ("C1", "C2"):
        assert queue(plant, one) == as_planned(plant, one)


def test_the_dispatch_list_has_the_order_of_the_plan_over_all_its_pages(plant):
    published(plant)
    rows = listed(plant)
    assert len(rows) == len({row.id for row in rows}) == JobOrder.objects.count()
    assert [row.planned_start for row in rows] == sorted(row.planned_start for row in rows)
    assert all(row.placed_at == AT for row in rows)


def test_a_rush_that_no_plan_knows_goes_first_until_it_is_placed(plant):
    plan = published(plant)
    orders.a_released_order(plant, "GEAR", 10, code="RUSH", is_rush=True)
    orders.a_released_order(plant, "GEAR", 10, code="SLOW")
    rush, slow = JobOrder.objects.get(code="RUSH-1-10"), JobOrder.objects.get(code="SLOW-1-10")
    for unit in ("C1", "C2"):
        known = as_planned(plant, unit)
        ready = list(JobOrder.objects.filter(pk__in=known, substate="ready").values_list("pk", flat=True))
        can_begin, waits = [job for job in known if job in ready], [job for job in known if job not in ready]
        assert queue(plant, unit) == [rush.pk, *can_begin, slow.pk, *waits]
    ids = [row.id for row in listed(plant, 3)]
    assert ids[0] == rush.pk
    assert slow.pk in ids[-2:]
    published(plant, expected=plan.number)
    for unit in ("C1", "C2"):
        assert queue(plant, unit) == as_planned(plant, unit)


def test_what_a_later_plan_leaves_out_goes_by_urgency_again(plant, django_assert_max_num_queries):
    plan = published(plant)
    kept = plan.job_order_ids[:-1]
    with django_assert_max_num_queries(12):
        told = give_places(actor=plant.ben, site_id=plant.site_id, units={}, times={}, placed=kept, at=AT)
    assert told == 0
    left = JobOrder.objects.get(placed_at__isnull=True)
    assert left.pk == plan.job_order_ids[-1]
    assert listed(plant)[-1].id == left.pk


def test_the_terminal_has_the_plans_next_jobs_with_their_times(plant):
    device, _code = devices.register_device(
        actor=an_actor("lin"), site_id=plant.site_id, name="T1", work_unit_id=plant.units["C1"].pk, at=AT
    )
    device.refresh_from_db()
    assert {one["planned_ms"] for one in a_picture(device)} == {None}
    plan = published(plant)
    told = a_picture(device)
    assert [one["id"] for one in told] == as_planned(plant, "C1")
    starts = dict(JobOrder.objects.values_list("pk", "planned_start"))
    assert [one["planned_ms"] for one in told] == [starts[one["id"]].timestamp() * 1000 for one in told]
    job, unit = moved_to_the_other_machine(plant, plan)
    assert (job in {one["id"] for one in a_picture(device)}) == (unit == "C1")


def test_the_traveller_is_printed_with_station_and_times_of_the_plan(plant):
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("ben"))
    request_id = JobOrder.objects.order_by("-pk").values_list("request_id", flat=True).first()
    address = reverse("operations:traveller", args=[request_id])
    assert "Estimated at release" in client.get(address).content.decode()
    plan = published(plant)
    for job, unit in ((None, None), moved_to_the_other_machine(plant, plan)):
        if job is not None:
            address = reverse("operations:traveller", args=[JobOrder.objects.get(pk=job).request_id])
        shown = client.get(address).content.decode()
        assert "Estimated at release" not in shown
        assert "By plan" in shown
        assert unit is None or f"<b>{unit}</b>" in shown
