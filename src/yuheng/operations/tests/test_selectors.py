"""Questions: what they answer, to whom, and in how many queries, however much there is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from yuheng.kernel.errors import InvalidInput, NotVisible, PermissionRefused
from yuheng.operations.models import MaterialRequirement
from yuheng.operations.rules import Need, shortage
from yuheng.operations.selectors import floor, jobs, orders, progress, running, shortages, stock, wip
from yuheng.operations.selectors.jobs import JobFilter, ResponseFilter
from yuheng.operations.selectors.orders import OrderFilter, RequestFilter
from yuheng.operations.services import dispatch, execute, requests
from yuheng.operations.services import help as helping
from yuheng.operations.services.planned import give_places
from yuheng.operations.tests.plant import (
    AT,
    a_plant,
    a_released_order,
    a_simple_product,
    a_two_level_product,
    in_stock,
    request_of,
)
from yuheng.testing.builders import an_actor, an_actor_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant():
    return a_plant()


@pytest.fixture
def busy(plant):
    """Three orders of gears; the first runs its first step."""
    a_simple_product(plant)
    for number in (1, 2, 3):
        a_released_order(plant, "GEAR", 10, code=f"SO{number}", is_rush=number == 3)
    execute.start_job_order(
        actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, work_unit_id=plant.units["C1"].pk, at=AT
    )
    execute.report_quantities(actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, good=4, at=AT)
    return plant


def test_a_station_sees_what_it_runs_then_what_it_may_start_by_urgency(busy, django_assert_num_queries):
    with django_assert_num_queries(4):
        rows = jobs.station_queue(actor=busy.ana, work_unit_id=busy.units["C1"].pk, now=AT)
    assert [row.code for row in rows] == ["SO1-1-10", "SO3-1-10", "SO2-1-10"]
    assert rows[0].remaining == 6
    dispatch.assign_job_orders(actor=busy.ben, assignments={busy.job("SO2-1-10").pk: busy.units["C2"].pk}, at=AT)
    rows = jobs.station_queue(actor=busy.ana, work_unit_id=busy.units["C1"].pk, now=AT)
    assert [row.code for row in rows] == ["SO1-1-10", "SO3-1-10"]
    assert jobs.station_queue(actor=busy.ana, work_unit_id=busy.units["A1"].pk, now=AT) == []


def placed(plant, unit, starts):
    """Give jobs a station and starts as a published plan does."""
    give_places(
        actor=plant.ben, site_id=plant.site_id, units=dict.fromkeys(starts, plant.units[unit].pk),
        times={job: (start, start + timedelta(hours=1)) for job, start in starts.items()}, at=AT,
    )  # fmt: skip


def test_a_station_takes_what_can_begin_in_the_order_of_the_plan(busy):
    a_released_order(busy, "GEAR", 10, code="SO4", priority=1)
    places = {
        busy.job(code).pk: AT + timedelta(hours=hours)
        for code, hours in (("SO2-1-10", 1), ("SO3-1-10", 5), ("SO4-1-10", 3))
    }
    places[busy.job("SO2-1-20").pk] = AT + timedelta(hours=2)
    placed(busy, "C2", places)
    rows = jobs.station_queue(actor=busy.ana, work_unit_id=busy.units["C2"].pk, now=AT)
    said = [row.code for row in rows]
    assert said == ["SO3-1-10", "SO2-1-10", "SO4-1-10", "SO2-1-20"]  # rush; as planned; what still waits


def test_what_is_overdue_or_waits_at_one_station_is_offered_at_another(busy):
    job, start = busy.job("SO2-1-10"), AT + timedelta(hours=1)
    placed(busy, "C2", {job.pk: start})
    execute.finish_job_order(actor=busy.ana, job_order_id=busy.job("SO1-1-10").pk, good=6, at=AT)

    def offered(minutes):
        now = start + timedelta(minutes=minutes)
        rows = jobs.station_queue(actor=busy.ana, work_unit_id=busy.units["C1"].pk, now=now)
        return [row.code for row in rows if row.segment == "10"]

    assert offered(9) == ["SO3-1-10"]
    assert offered(10) == ["SO3-1-10", "SO2-1-10"]
    execute.start_job_order(
        actor=busy.ana, job_order_id=busy.job("SO3-1-10").pk, work_unit_id=busy.units["C2"].pk, at=AT
    )
    assert offered(0) == ["SO2-1-10"]  # C2 is at another one
    assert jobs.station_queue(actor=busy.ana, work_unit_id=busy.units["A1"].pk, now=start + timedelta(days=1)) == []


def test_what_a_person_gave_to_a_station_is_offered_at_no_other(busy):
    units = busy.units
    assigned = dict.fromkeys([busy.job(code).pk for code in ("SO2-1-10", "SO3-1-10")], units["C2"].pk)
    dispatch.assign_job_orders(actor=busy.ben, assignments=assigned, at=AT)
    rows = jobs.station_queue(actor=busy.ana, work_unit_id=units["C1"].pk, now=AT + timedelta(days=30))
    assert [row.code for row in rows] == ["SO1-1-10"]


def test_the_dispatch_list_goes_by_urgency_page_by_page(busy, django_assert_num_queries):
    seen, cursor = [], ""
    while True:
        with django_assert_num_queries(3):
            page = jobs.dispatch_list(actor=busy.ben, site_id=busy.site_id, now=AT, cursor=cursor, limit=4)
        seen += [row.code for row in page.rows]
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == ["SO3-1-10", "SO3-1-20", "SO1-1-10", "SO1-1-20", "SO2-1-10", "SO2-1-20"]
    second = next(row for row in page.rows if row.code == "SO2-1-20")
    assert (second.arrived, second.word) == (Decimal(0), "Waiting")


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        (JobFilter(text="so2"), 2),
        (JobFilter(text="Customer Hua"), 6),
        (JobFilter(text="nobody"), 0),
        (JobFilter(is_rush=True), 2),
        (JobFilter(states=["running"]), 1),
        (JobFilter(is_late=True), 0),
        (JobFilter(is_unassigned=True), 5),
    ],
)
def test_the_dispatch_list_is_narrowed(busy, narrowed, expected):
    page = jobs.dispatch_list(actor=busy.ben, site_id=busy.site_id, now=AT, narrowed=narrowed)
    assert len(page.rows) == expected


def test_a_place_that_is_none_is_refused(busy):
    for cursor in ("x", "1.2", "1.2.3.4", "9" * 59, "1.99999999999999999999.3"):
        with pytest.raises(InvalidInput):
            jobs.dispatch_list(actor=busy.ben, site_id=busy.site_id, now=AT, cursor=cursor)


def test_many_jobs_with_everything_cost_as_many_queries_as_one(busy, django_assert_num_queries):
    in_stock(busy, "STEEL", 40, "H1")
    ids = [busy.job(f"SO{number}-1-{step}").pk for number in (1, 2, 3) for step in (10, 20)]
    with django_assert_num_queries(7):  # nothing is before it
        one = jobs.job_details(actor=busy.ana, job_order_ids=ids[:1])
    with django_assert_num_queries(8):
        found = jobs.job_details(actor=busy.ana, job_order_ids=ids)
    assert [detail.job.id for detail in found] == ids
    assert found[0] == one[0]
    first = found[0]
    assert first.directive["run_s"] == 30
    assert [(need.material_code, need.needed, need.lots[0].quantity) for need in first.requirements] == [
        ("STEEL", Decimal(20), Decimal(40))
    ]
    assert [linked.code for linked in first.successors] == ["SO1-1-20"]
    assert [row.kind for row in first.responses] == ["quantity", "started"]
    assert found[1].missing == ("It waits for SO1-1-10.",) or len(found[1].missing) == 1


def test_tiles_learn_in_one_query_what_machines_make_for_whom(busy, django_assert_num_queries):
    now = AT + timedelta(seconds=180)
    with django_assert_num_queries(1):
        found = running.running_jobs(actor=busy.ana, work_unit_ids=[unit.pk for unit in busy.units.values()], now=now)
    (job,) = found.values()
    assert (job.code, job.order_code, job.customer_en, job.material_code) == ("SO1-1-10", "SO1", "Customer Hua", "GEAR")
    assert (job.good, job.operator, job.operator_zh) == (Decimal(4), "ana", "安娜")
    assert job.expected_end == now + timedelta(seconds=180)  # six of ten pieces at 30 s


def test_an_order_shows_its_way_through_the_plant(plant, django_assert_max_num_queries):
    a_two_level_product(plant)
    order = a_released_order(plant, "LIFT", 2)
    in_stock(plant, "STEEL", 5, "H1")
    execute.start_job_order(
        actor=plant.ana, job_order_id=plant.job("SO1-1-10-10").pk, work_unit_id=plant.units["C1"].pk, at=AT
    )
    execute.report_quantities(actor=plant.ana, job_order_id=plant.job("SO1-1-10-10").pk, good=1, at=AT)
    with django_assert_max_num_queries(11):
        found = progress.order_progress(actor=plant.ben, order_id=order.pk, now=AT)
    assert [row.code for row in found.requests] == ["SO1-1", "SO1-1-10"]
    by_code = {job.code: job for job in found.jobs}
    assert len(by_code) == 4
    assert len(found.links) == 3
    waits = {job.code: found.waits.get(job.id) for job in found.jobs}
    assert waits["SO1-1-10-10"] is None
    assert "SO1-1-10-20" in waits["SO1-1-10"]
    pieces = {one.job_order_id: one for one in found.pieces}
    assert pieces[by_code["SO1-1-10-10"].id].good == 1
    assert pieces[by_code["SO1-1-10-10"].id].waiting == 3


def test_shortages_say_what_how_much_when_and_whom_they_stop(busy, django_assert_num_queries):
    in_stock(busy, "STEEL", 45, "H1")
    with django_assert_num_queries(4):
        (row,) = shortages.shortages(actor=busy.ben, site_id=busy.site_id, now=AT).rows
    assert (row.material_code, row.on_hand, row.needed, row.short) == ("STEEL", 45, 60, 15)
    assert row.short_at is not None
    assert row.request_count == 1
    requests.cancel_request(actor=busy.ben, request_id=busy.job("SO2-1-10").request_id, reason="customer", at=AT)
    assert shortages.shortages(actor=busy.ben, site_id=busy.site_id, now=AT).rows == []


def test_shortages_are_what_the_rule_says(plant):
    a_simple_product(plant)
    for number, quantity in enumerate((3, 8, 1, 6), start=1):
        a_released_order(plant, "GEAR", quantity, code=f"SO{number}", is_rush=number == 2)
    in_stock(plant, "STEEL", 13, "H1")
    (row,) = shortages.shortages(actor=plant.ben, site_id=plant.site_id, now=AT).rows
    needs = [
        Need(one.needed_at, one.quantity, one.request_id, one.request.code)
        for one in MaterialRequirement.objects.order_by("needed_at", "pk")
    ]
    told = shortage(Decimal(13), needs)
    assert (row.needed, row.short_at) == (told.needed, told.short_at)
    assert dict(row.requests) == dict(told.requests)
    assert (row.short, row.request_count) == (told.short, len(told.requests))


def test_orders_and_requests_are_listed_with_their_progress(busy, django_assert_num_queries):
    with django_assert_num_queries(4):
        page = orders.order_list(actor=busy.ben, site_id=busy.site_id, now=AT, limit=2)
    assert [row.code for row in page.rows] == ["SO3", "SO1"]
    assert page.rows[1].share == pytest.approx((360 * 0.4) / 720)
    rest = orders.order_list(actor=busy.ben, site_id=busy.site_id, now=AT, limit=2, cursor=page.next_cursor)
    assert [row.code for row in rest.rows] == ["SO2"]
    assert rest.next_cursor == ""
    everything = orders.order_list(actor=busy.ben, site_id=busy.site_id, now=AT, narrowed=OrderFilter(state="all"))
    assert [row.code for row in everything.rows] == ["SO3", "SO2", "SO1"]
    with django_assert_num_queries(1):
        found = orders.requests(actor=busy.ben, site_id=busy.site_id, now=AT, narrowed=RequestFilter(text="gear"))
    assert len(found.rows) == 3
    assert "lines" in (orders.frozen_resolution(actor=busy.ben, request_id=found.rows[0].id) or {})


def test_responses_and_stock_are_listed_newest_first(busy, django_assert_num_queries):
    in_stock(busy, "STEEL", 7, "H1")
    narrowed = ResponseFilter(job_order_id=busy.job("SO1-1-10").pk)
    with django_assert_num_queries(1):
        page = jobs.responses(actor=busy.ana, site_id=busy.site_id, narrowed=narrowed)
    assert [row.kind for row in page.rows] == ["quantity", "started"]
    with django_assert_num_queries(1):
        rows = stock.stock_list(actor=busy.ana, site_id=busy.site_id).rows
    assert [(row.lot_code, row.quantity) for row in rows] == [("H1", Decimal(7))]
    detail = stock.lot_detail(actor=busy.ana, lot_id=rows[0].lot_id)
    assert (detail.mass.received, detail.mass.on_hand, detail.mass.difference) == (7, 7, 0)
    assert stock.lot_by_code(actor=busy.ana, site_id=busy.site_id, code="urn:elevator1:STEEL:H1")[0].code == "H1"


def test_work_in_progress_is_summed_in_three_queries(busy, django_assert_num_queries):
    with django_assert_num_queries(3):
        rows = wip.wip(actor=busy.ben, site_id=busy.site_id)
    assert sum(row.running for row in rows) == 1
    assert sum(row.ready for row in rows) == 2
    assert sum(row.waiting for row in rows) == 3


def test_calls_for_help_stay_open_until_they_are_over(plant):
    call = helping.call_for_help(
        actor=plant.ana, work_unit_id=plant.units["C1"].pk, kind="maintenance", note="smoke", at=AT
    )
    helping.answer_help(actor=plant.ben, help_id=call.pk, at=AT + timedelta(minutes=1))
    (row,) = floor.open_help(actor=plant.ana, site_id=plant.site_id)
    assert (row.work_unit_code, row.answered_by, row.note) == ("C1", "ben", "smoke")
    helping.end_help(actor=plant.ben, help_id=call.pk, at=AT + timedelta(minutes=5))
    assert floor.open_help(actor=plant.ana, site_id=plant.site_id) == []


def test_a_plant_that_wrote_no_reasons_has_the_usual_ones(plant):
    rows = floor.reasons(actor=plant.ana, site_id=plant.site_id, kind="pause")
    assert "tool" in {row.code for row in rows}
    assert len(floor.reasons(actor=plant.ana, site_id=plant.site_id)) > 30


def test_strangers_see_nothing(busy):
    dora, blind = an_actor("dora"), an_actor_with("equipment.view", site=busy.site)
    job = busy.job("SO1-1-10")
    for ask in (
        lambda actor: jobs.job_order(actor=actor, job_order_id=job.pk),
        lambda actor: jobs.job_detail(actor=actor, job_order_id=job.pk),
        lambda actor: orders.request_detail(actor=actor, request_id=job.request_id),
        lambda actor: progress.order_progress(actor=actor, request_id=job.request_id, now=AT),
        lambda actor: jobs.dispatch_list(actor=actor, site_id=busy.site_id, now=AT),
        lambda actor: shortages.shortages(actor=actor, site_id=busy.site_id, now=AT),
        lambda actor: wip.wip(actor=actor, site_id=busy.site_id),
    ):
        with pytest.raises(NotVisible):
            ask(dora)
        with pytest.raises((PermissionRefused, NotVisible)):
            ask(blind)
    assert running.running_jobs(actor=dora, work_unit_ids=[busy.units["C1"].pk], now=AT) == {}
    assert request_of(busy.job("SO1-1-10").request.order) is not None
