"""The floor's verbs: what they do, what they refuse, and that a refusal leaves nothing behind."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.operations.models import JobOrder, JobResponse, MaterialLot, StockBalance, StockMovement
from yuheng.operations.rules import Act
from yuheng.operations.services import dispatch, execute, materials, planned, records
from yuheng.operations.tests.plant import (
    AT,
    a_plant,
    a_released_order,
    a_segment,
    a_simple_product,
    a_two_level_product,
    in_stock,
    request_of,
)
from yuheng.testing.builders import an_actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant():
    return a_plant()


@pytest.fixture
def gear(plant):
    a_simple_product(plant)
    return a_released_order(plant, "GEAR", 10)


def start(plant, code, unit="C1", **more):
    return execute.start_job_order(
        actor=more.pop("actor", plant.ana),
        job_order_id=plant.job(code).pk,
        work_unit_id=plant.units[unit].pk,
        at=more.pop("at", AT),
        **more,
    )


def finish(plant, code, **more):
    return execute.finish_job_order(
        actor=plant.ana, job_order_id=plant.job(code).pk, at=more.pop("at", AT + timedelta(hours=1)), **more
    )


def report(plant, code, **more):
    return execute.report_quantities(
        actor=plant.ana, job_order_id=plant.job(code).pk, at=more.pop("at", AT + timedelta(minutes=30)), **more
    )


def traces():
    return (
        JobResponse.objects.count(),
        StockMovement.objects.count(),
        OutboxEvent.objects.count(),
        AuditRecord.objects.count(),
        list(JobOrder.objects.order_by("pk").values_list("state", "substate", "good", "scrap", "rework")),
        list(StockBalance.objects.order_by("pk").values_list("quantity", flat=True)),
    )


def refused(kind, act, match=None):
    before = traces()
    with pytest.raises(kind, match=match), transaction.atomic():
        act()
    assert traces() == before


def test_release_makes_job_orders_in_their_order_and_the_list_of_material(plant, gear):
    request = request_of(gear)
    assert (request.state, request.job_count, request.resolution_sha256 != "") == ("released", 2, True)
    first, second = plant.job("SO1-1-10"), plant.job("SO1-1-20")
    assert (first.state, first.substate) == ("allowed_to_start", "ready")
    assert (second.state, second.substate) == ("allowed_to_start", "waiting")
    assert (first.run_s, first.setup_s) == (300.0, 60.0)
    assert first.planned_end <= second.planned_start
    need = request.requirements.get()
    assert (need.quantity, need.unit, need.job_order_id) == (Decimal(20), "kg", first.pk)
    lot = MaterialLot.objects.get(request=request)
    assert (lot.code, lot.state, lot.uri) == ("SO1-1", "in_progress", "urn:elevator1:GEAR:SO1-1")


def test_an_order_is_made_from_the_first_step_to_the_last(plant, gear):
    assert start(plant, "SO1-1-10").state == "running"
    done = finish(plant, "SO1-1-10", good=10)
    assert (done.state, done.substate, done.good) == ("ended", "completed", Decimal(10))
    assert plant.job("SO1-1-20").substate == "ready"
    start(plant, "SO1-1-20", "C2", at=AT + timedelta(hours=2))
    finish(plant, "SO1-1-20", good=9, scrap=1, reason="dimension", at=AT + timedelta(hours=3))
    request = request_of(gear)
    assert (request.state, request.good, request.scrap) == ("completed", Decimal(9), Decimal(1))
    gear.refresh_from_db()
    assert gear.state == "completed"
    assert plant.job("SO1-1-20").worked_s == 3600.0
    lot = MaterialLot.objects.get(request=request)
    assert (lot.state, lot.balances.get().quantity) == ("available", Decimal(9))
    kinds = set(OutboxEvent.objects.values_list("kind", flat=True))
    assert {"operations.OrderReleased", "operations.JobOrderStarted", "operations.OrderCompleted"} <= kinds


def test_the_same_job_cannot_be_started_at_two_stations(plant, gear):
    start(plant, "SO1-1-10", "C1")
    refused(Conflict, lambda: start(plant, "SO1-1-10", "C2"), "C1")


def test_a_station_runs_one_job_at_a_time(plant, gear):
    a_released_order(plant, "GEAR", 5, code="SO2")
    start(plant, "SO1-1-10", "C1")
    refused(Conflict, lambda: start(plant, "SO2-1-10", "C1"), "SO1-1-10")
    execute.pause_job_order(actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, reason="tool", at=AT)
    start(plant, "SO2-1-10", "C1")
    refused(
        Conflict,
        lambda: execute.resume_job_order(actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, at=AT),
        "SO2-1-10",
    )


def test_a_job_whose_predecessor_is_not_done_does_not_start(plant, gear):
    refused(Conflict, lambda: start(plant, "SO1-1-20", "C2"))


def test_a_job_does_not_start_where_it_cannot_run(plant, gear):
    refused(Conflict, lambda: start(plant, "SO1-1-10", "A1"))


def test_no_more_is_finished_than_was_started(plant, gear):
    start(plant, "SO1-1-10")
    refused(Conflict, lambda: finish(plant, "SO1-1-10", good=11), "10")
    refused(Conflict, lambda: finish(plant, "SO1-1-10", good=9), "1")
    refused(InvalidInput, lambda: finish(plant, "SO1-1-10", good=9, is_short=True))
    finish(plant, "SO1-1-10", good=9, is_short=True, reason="material")
    start(plant, "SO1-1-20", "C2")
    refused(Conflict, lambda: finish(plant, "SO1-1-20", good=10), "9")
    finish(plant, "SO1-1-20", good=9)


def test_scrap_needs_a_reason(plant, gear):
    start(plant, "SO1-1-10")
    refused(InvalidInput, lambda: report(plant, "SO1-1-10", scrap=1))


def test_reporting_before_the_start_and_after_the_end_is_refused(plant, gear):
    refused(Conflict, lambda: report(plant, "SO1-1-10", good=1))
    start(plant, "SO1-1-10")
    finish(plant, "SO1-1-10", good=10)
    refused(Conflict, lambda: report(plant, "SO1-1-10", good=1))
    refused(Conflict, lambda: start(plant, "SO1-1-10"))


def test_the_same_action_twice_is_one_act(plant, gear):
    act = Act(action_id="a-1", happened_at=AT - timedelta(minutes=40))
    first = start(plant, "SO1-1-10", act=act)
    again = start(plant, "SO1-1-10", act=act)
    assert (first.is_repeat, again.is_repeat, again.response_id) == (False, True, first.response_id)
    assert JobResponse.objects.count() == 1
    assert plant.job("SO1-1-10").actual_start == AT - timedelta(minutes=40)
    refused(Conflict, lambda: report(plant, "SO1-1-10", good=1, act=act), "a-1")


def test_an_action_of_the_future_is_refused(plant, gear):
    refused(InvalidInput, lambda: start(plant, "SO1-1-10", act=Act(happened_at=AT + timedelta(minutes=9))))


def test_a_job_on_hold_neither_starts_nor_resumes_nor_ends(plant, gear):
    job = plant.job("SO1-1-10")
    dispatch.hold_job_orders(actor=plant.ben, job_order_ids=[job.pk], reason="customer asks", at=AT)
    refused(Conflict, lambda: start(plant, "SO1-1-10"), "customer asks")
    dispatch.let_go_job_orders(actor=plant.ben, job_order_ids=[job.pk], at=AT)
    start(plant, "SO1-1-10")
    dispatch.hold_job_orders(actor=plant.ben, job_order_ids=[job.pk], reason="quality", at=AT + timedelta(minutes=10))
    assert plant.job("SO1-1-10").worked_s == 600.0
    resume = lambda: execute.resume_job_order(actor=plant.ana, job_order_id=job.pk, at=AT + timedelta(hours=1))  # noqa: E731
    refused(Conflict, resume, "quality")
    refused(Conflict, lambda: finish(plant, "SO1-1-10", good=10), "quality")
    dispatch.let_go_job_orders(actor=plant.ben, job_order_ids=[job.pk], at=AT + timedelta(hours=1))
    assert resume().state == "running"


def test_who_may_not_execute_finds_nothing_to_do(plant, gear):
    refused(PermissionRefused, lambda: start(plant, "SO1-1-10", actor=an_actor("cleo")))
    refused(NotVisible, lambda: start(plant, "SO1-1-10", actor=an_actor("dora")))


def test_pieces_to_be_reworked_become_a_job_of_their_own_that_the_next_step_waits_for(plant, gear):
    start(plant, "SO1-1-10")
    finish(plant, "SO1-1-10", good=8, rework=2, reason="surface")
    rework = plant.job("SO1-1-10-R1")
    assert (rework.quantity, rework.is_rework, rework.substate) == (Decimal(2), True, "ready")
    start(plant, "SO1-1-20", "C2")
    refused(Conflict, lambda: report(plant, "SO1-1-20", good=9), "8")
    refused(Conflict, lambda: finish(plant, "SO1-1-20", good=8), "2")
    start(plant, "SO1-1-10-R1")
    finish(plant, "SO1-1-10-R1", good=1, scrap=1, reason="surface")
    refused(Conflict, lambda: finish(plant, "SO1-1-20", good=10))
    finish(plant, "SO1-1-20", good=9)
    request = request_of(gear)
    assert (request.state, request.good, request.scrap) == ("completed", Decimal(9), Decimal(1))


def test_a_transfer_batch_lets_the_next_step_begin_while_this_one_runs(plant):
    a_simple_product(plant, "GEAR", a_segment(plant, "10", transfer_batch=Decimal(4)), a_segment(plant, "20"))
    a_released_order(plant, "GEAR", 10)
    start(plant, "SO1-1-10")
    report(plant, "SO1-1-10", good=3)
    assert plant.job("SO1-1-20").substate == "waiting"
    report(plant, "SO1-1-10", good=2)
    assert plant.job("SO1-1-20").substate == "ready"
    start(plant, "SO1-1-20", "C2")
    refused(Conflict, lambda: report(plant, "SO1-1-20", good=5), "4")
    report(plant, "SO1-1-20", good=4)
    refused(Conflict, lambda: finish(plant, "SO1-1-20"), "6")
    finish(plant, "SO1-1-10", good=5)
    finish(plant, "SO1-1-20", good=6)
    assert plant.job("SO1-1-20").state == "ended"


def test_when_everything_is_lost_what_comes_behind_is_cancelled_and_the_request_ends(plant, gear):
    start(plant, "SO1-1-10")
    finish(plant, "SO1-1-10", scrap=10, reason="material")
    assert plant.job("SO1-1-20").state == "cancelled"
    assert request_of(gear).state == "completed"
    gear.refresh_from_db()
    assert gear.state == "completed"


def test_a_product_of_two_levels_waits_for_its_parts_and_gets_its_serial_numbers(plant):
    a_two_level_product(plant)
    order = a_released_order(plant, "LIFT", 2)
    assert plant.job("SO1-1-10").substate == "waiting"
    frames = plant.job("SO1-1-10-10").request
    assert (frames.quantity, frames.parent.code, frames.level) == (Decimal(4), "SO1-1", 1)
    for code, unit in (("SO1-1-10-10", "C1"), ("SO1-1-10-20", "C2")):
        start(plant, code, unit)
        finish(plant, code, good=4)
    assert plant.job("SO1-1-10").substate == "ready"
    for code in ("SO1-1-10", "SO1-1-20"):
        start(plant, code, "A1")
        finish(plant, code, good=2)
    order.refresh_from_db()
    assert order.state == "completed"
    lifts = MaterialLot.objects.filter(request=request_of(order)).order_by("code")
    assert [lot.code for lot in lifts] == ["SO1-1-0001", "SO1-1-0002"]
    assert {(lot.state, lot.kind) for lot in lifts} == {("available", "instance")}
    assert [lot.balances.get().quantity for lot in lifts] == [1, 1]


def test_two_of_four_frames_let_one_lift_begin_only_when_frames_travel_in_batches(plant):
    a_two_level_product(plant)
    a_released_order(plant, "LIFT", 2)
    start(plant, "SO1-1-10-10")
    finish(plant, "SO1-1-10-10", good=3, scrap=1, reason="dimension")
    start(plant, "SO1-1-10-20", "C2")
    finish(plant, "SO1-1-10-20", good=3)
    start(plant, "SO1-1-10", "A1")
    refused(Conflict, lambda: finish(plant, "SO1-1-10", good=2), "1")
    finish(plant, "SO1-1-10", good=1)
    assert plant.job("SO1-1-20").substate == "ready"


def test_no_more_is_used_than_is_in_stock(plant, gear):
    lot = in_stock(plant, "STEEL", 15, "H1")
    start(plant, "SO1-1-10")
    use = lambda quantity, **more: materials.consume_material(  # noqa: E731
        actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, lot="H1", quantity=quantity, at=AT, **more
    )
    refused(Conflict, lambda: use(16), "15")
    done = use(15)
    assert done.material_code == "STEEL"
    assert lot.balances.get().quantity == 0
    assert request_of(gear).requirements.get().issued == 15
    refused(Conflict, lambda: use(1))
    back = materials.return_material(
        actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, lot="H1", quantity=2, at=AT
    )
    assert back.material_code == "STEEL"
    assert request_of(gear).requirements.get().issued == 13
    over = lambda: materials.return_material(  # noqa: E731
        actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, lot="H1", quantity=14, at=AT
    )
    refused(Conflict, over, "13")


def test_more_than_the_list_asks_for_needs_a_reason(plant, gear):
    in_stock(plant, "STEEL", 100, "H1")
    start(plant, "SO1-1-10")
    use = lambda **more: materials.consume_material(  # noqa: E731
        actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, lot="H1", quantity=21, at=AT, **more
    )
    refused(Conflict, use, "20")
    use(reason="scrap")


def test_a_report_is_corrected_by_a_new_row(plant, gear):
    start(plant, "SO1-1-10")
    told = report(plant, "SO1-1-10", good=6)
    records.correct_response(
        actor=plant.ana, response_id=told.response_id, good=-1, scrap=1, reason="miscounted", at=AT + timedelta(hours=1)
    )
    job = plant.job("SO1-1-10")
    assert (job.good, job.scrap) == (Decimal(5), Decimal(1))
    wrong = lambda: records.correct_response(  # noqa: E731
        actor=plant.ana, response_id=told.response_id, good=-6, reason="x", at=AT + timedelta(hours=1)
    )
    refused(Conflict, wrong)


def test_the_database_refuses_to_change_what_the_floor_reported(plant, gear):
    start(plant, "SO1-1-10")
    in_stock(plant, "STEEL", 5, "H1")
    for table in ("operations_jobresponse", "operations_stockmovement"):
        for statement in (f"UPDATE {table} SET actor_name = 'x'", f"DELETE FROM {table}"):
            with (
                pytest.raises(DatabaseError, match="never changed"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)


def test_a_job_is_split_over_two_machines_and_joins_again(plant, gear):
    ids = dispatch.split_job_order(
        actor=plant.ben,
        job_order_id=plant.job("SO1-1-10").pk,
        quantities=[6, 4],
        work_unit_ids=[plant.units["C1"].pk, plant.units["C2"].pk],
        at=AT,
    )
    assert [JobOrder.objects.get(pk=pk).quantity for pk in ids] == [6, 4]
    start(plant, "SO1-1-10", "C1")
    start(plant, "SO1-1-10/2", "C2")
    finish(plant, "SO1-1-10/2", good=4)
    start(plant, "SO1-1-20", "C2")
    refused(Conflict, lambda: report(plant, "SO1-1-20", good=5), "4")
    finish(plant, "SO1-1-10", good=6)
    report(plant, "SO1-1-20", good=9)
    split = lambda: dispatch.split_job_order(  # noqa: E731
        actor=plant.ben, job_order_id=plant.job("SO1-1-20").pk, quantities=[6, 5], at=AT
    )
    refused(InvalidInput, split)


def test_a_job_that_is_assigned_starts_there_unless_the_dispatcher_starts_it(plant, gear):
    job = plant.job("SO1-1-10")
    dispatch.assign_job_orders(actor=plant.ben, assignments={job.pk: plant.units["C2"].pk}, at=AT)
    refused(Conflict, lambda: start(plant, "SO1-1-10", "C1"), "C2")
    refused(
        Conflict,
        lambda: dispatch.assign_job_orders(actor=plant.ben, assignments={job.pk: plant.units["A1"].pk}, at=AT),
    )
    start(plant, "SO1-1-10", "C1", actor=plant.ben)


def test_what_is_overdue_where_it_is_planned_may_be_started_at_another_station_that_can(plant, gear):
    job, begins = plant.job("SO1-1-10"), AT + timedelta(hours=1)
    planned.give_places(
        actor=plant.ben, site_id=plant.site_id, units={job.pk: plant.units["C2"].pk}, times={job.pk: (begins, begins)},
        at=AT,
    )  # fmt: skip
    refused(Conflict, lambda: start(plant, "SO1-1-10", "C1", at=begins + timedelta(minutes=9)), "C2")
    refused(Conflict, lambda: start(plant, "SO1-1-10", "A1", at=begins + timedelta(minutes=10)), "A1")
    start(plant, "SO1-1-10", "C1", at=begins + timedelta(minutes=10))
    assert plant.job("SO1-1-10").work_unit == plant.units["C1"]


def test_an_aborted_job_frees_what_waits_for_it_with_what_it_made(plant, gear):
    start(plant, "SO1-1-10")
    report(plant, "SO1-1-10", good=4)
    dispatch.abort_job_order(actor=plant.ben, job_order_id=plant.job("SO1-1-10").pk, reason="machine broke", at=AT)
    assert plant.job("SO1-1-10").state == "aborted"
    start(plant, "SO1-1-20", "C2")
    finish(plant, "SO1-1-20", good=4)
    assert request_of(gear).good == 4


def test_starting_and_finishing_cost_few_questions(plant, gear, django_assert_max_num_queries):
    start(plant, first(plant), act=Act(action_id="a"))
    with django_assert_max_num_queries(18):  # two of them begin and end the savepoint
        finish(plant, first(plant), good=10, act=Act(action_id="b"))
    with django_assert_max_num_queries(13):
        start(plant, second(plant), act=Act(action_id="c"))


def first(plant):
    return JobOrder.objects.order_by("position")[0].code


def second(plant):
    return JobOrder.objects.order_by("position")[1].code
