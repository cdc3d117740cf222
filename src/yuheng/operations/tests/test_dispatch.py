"""The dispatcher's verbs on jobs and requests, release at size, skills, tools, what a change of products touches."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from yuheng.engineering.rules.specs import Check, LineSpec, SegmentSpec, SkillNeed, ToolNeed
from yuheng.engineering.rules.words import CheckKind, Source, Tracking
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.operations.models import JobOrder, JobResponse, MaterialLot, MaterialRequirement, OperationsRequest, Tool
from yuheng.operations.selectors import floor as asked
from yuheng.operations.selectors import progress
from yuheng.operations.selectors.impact import impact_of_change
from yuheng.operations.services import dispatch, execute, floor, materials, orders, records, requests
from yuheng.operations.services.orders import LineSpec as OrderLine
from yuheng.operations.services.orders import OrderSpec, PartySpec, RequestSpec
from yuheng.operations.tests.plant import (
    AT,
    DUE,
    a_bom,
    a_material,
    a_plant,
    a_released_order,
    a_segment,
    a_simple_product,
    a_two_level_product,
    a_work_master,
    an_order,
    in_stock,
    request_of,
)
from yuheng.operations.tests.test_execute import finish, refused, report, start
from yuheng.testing.builders import an_actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant():
    return a_plant()


@pytest.fixture
def gear(plant):
    a_simple_product(plant)
    return a_released_order(plant, "GEAR", 10)


def test_a_request_is_held_and_let_go_as_a_whole(plant, gear):
    request = request_of(gear)
    start(plant, "SO1-1-10")
    requests.hold_request(actor=plant.ben, request_id=request.pk, reason="customer", at=AT + timedelta(minutes=5))
    assert (plant.job("SO1-1-10").substate, plant.job("SO1-1-20").state) == ("suspended", "not_allowed_to_start")
    refused(
        Conflict,
        lambda: dispatch.let_go_job_orders(actor=plant.ben, job_order_ids=[plant.job("SO1-1-10").pk], at=AT),
    )
    requests.let_go_request(actor=plant.ben, request_id=request.pk, at=AT + timedelta(minutes=9))
    assert (plant.job("SO1-1-10").substate, plant.job("SO1-1-20").substate) == ("held", "waiting")
    execute.resume_job_order(actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, at=AT + timedelta(minutes=9))
    refused(Conflict, lambda: requests.let_go_request(actor=plant.ben, request_id=request.pk, at=AT))


def test_a_request_that_has_begun_is_aborted_not_cancelled(plant):
    a_two_level_product(plant)
    order = a_released_order(plant, "LIFT", 2)
    start(plant, "SO1-1-10-10")
    report(plant, "SO1-1-10-10", good=2)
    top = request_of(order)
    cancel = lambda: requests.cancel_request(actor=plant.ben, request_id=top.pk, reason="x", at=AT)  # noqa: E731
    refused(Conflict, cancel)
    refused(Conflict, lambda: orders.cancel_order(actor=plant.ben, order_id=order.pk, reason="x", at=AT))
    requests.abort_request(actor=plant.ben, request_id=top.pk, reason="customer gave up", at=AT)
    assert set(OperationsRequest.objects.values_list("state", flat=True)) == {"aborted"}
    assert set(JobOrder.objects.values_list("state", flat=True)) <= {"aborted", "cancelled"}
    assert not MaterialRequirement.objects.filter(is_open=True).exists()
    order.refresh_from_db()
    assert order.state == "completed"
    requests.close_request(actor=plant.ben, request_id=top.pk, at=AT)
    refused(Conflict, lambda: requests.close_request(actor=plant.ben, request_id=top.pk, at=AT))


def test_an_order_of_which_nothing_has_begun_is_cancelled_with_everything_below_it(plant):
    a_two_level_product(plant)
    order = a_released_order(plant, "LIFT", 2)
    orders.cancel_order(actor=plant.ben, order_id=order.pk, reason="customer", at=AT)
    assert set(OperationsRequest.objects.values_list("state", flat=True)) == {"cancelled"}
    assert set(JobOrder.objects.values_list("state", flat=True)) == {"cancelled"}
    assert set(MaterialLot.objects.filter(request__isnull=False).values_list("state", flat=True)) == {"destroyed"}
    refused(Conflict, lambda: start(plant, "SO1-1-10-10"))


def test_what_is_released_is_frozen_but_the_promise_may_change(plant, gear):
    def spec(quantity, **more):
        return OrderSpec(
            "HUA", more.pop("promised_at", DUE), [OrderLine("GEAR", Decimal(quantity))], code="SO1", **more
        )

    change = lambda one: orders.change_order(actor=plant.ben, order_id=gear.pk, spec=one, at=AT)  # noqa: E731
    refused(Conflict, lambda: change(spec(11)))
    change(spec(10, promised_at=DUE - timedelta(days=3), is_rush=True))
    job = plant.job("SO1-1-20")
    assert (job.rank, job.due_at) == (0, DUE - timedelta(days=3))
    requests.set_priority(actor=plant.ben, request_id=job.request_id, priority=7, at=AT)
    assert plant.job("SO1-1-20").rank == 7
    refused(
        InvalidInput,
        lambda: requests.set_priority(actor=plant.ben, request_id=job.request_id, priority=0, at=AT),
    )


def test_who_may_not_dispatch_does_not(plant, gear):
    job = plant.job("SO1-1-10")
    refused(
        PermissionRefused,
        lambda: dispatch.hold_job_orders(actor=plant.ana, job_order_ids=[job.pk], reason="x", at=AT),
    )
    dora = an_actor("dora")
    refused(NotVisible, lambda: dispatch.hold_job_orders(actor=dora, job_order_ids=[job.pk], reason="x", at=AT))
    refused(NotVisible, lambda: orders.release_order(actor=dora, order_id=gear.pk, at=AT))


def test_nothing_is_released_without_a_version_in_force_or_in_a_circle(plant):
    a_material(plant, "NEW", source=Source.MAKE)
    order = an_order(plant, "NEW", 1)
    refused(Conflict, lambda: orders.release_order(actor=plant.ben, order_id=order.pk, at=AT), "NEW")
    assert JobOrder.objects.count() == 0
    a_simple_product(plant)
    good = a_released_order(plant, "GEAR", 1, code="SO2")
    refused(Conflict, lambda: orders.release_order(actor=plant.ben, order_id=good.pk, at=AT))


def test_a_job_starts_only_with_the_skill_at_its_level_and_valid_today(plant):
    need = a_segment(plant, "10", skills=(SkillNeed("weld", 1, 2),))
    a_simple_product(plant, "GEAR", need)
    a_released_order(plant, "GEAR", 1)
    floor.write_skill(actor=plant.ben, site_id=plant.site_id, code="weld", name_zh="焊接", name_en="Welding", at=AT)
    refused(Conflict, lambda: start(plant, "SO1-1-10"), "weld")

    def qualify(level, until):
        return floor.qualify(
            actor=plant.ben, site_id=plant.site_id, person_id=plant.ana.person_id, skill="weld", level=level,
            valid_from=AT - timedelta(days=9), valid_until=until, at=AT,
        )  # fmt: skip

    qualify(1, None)
    qualify(3, AT - timedelta(days=1))
    refused(Conflict, lambda: start(plant, "SO1-1-10"), "weld")
    able = qualify(2, AT + timedelta(days=1))
    assert asked.skills_of(actor=plant.ana, site_id=plant.site_id, person_id=plant.ana.person_id, now=AT) == {"weld": 2}
    floor.withdraw_qualification(actor=plant.ben, qualification_id=able.pk, at=AT)
    refused(Conflict, lambda: start(plant, "SO1-1-10"))
    qualify(2, None)
    start(plant, "SO1-1-10")


def test_a_job_takes_its_tools_and_gives_them_back(plant):
    a_simple_product(plant, "GEAR", a_segment(plant, "10", tools=(ToolNeed("gauge", 1),)))
    for number in (1, 2):
        a_released_order(plant, "GEAR", 1, code=f"SO{number}")
    refused(Conflict, lambda: start(plant, "SO1-1-10"), "gauge")

    def write(**more):
        floor.write_tool(
            actor=plant.ben,
            site_id=plant.site_id,
            code="G1",
            kind="gauge",
            name_zh="量具",
            name_en="Gauge",
            at=AT,
            **more,
        )

    write(calibration_due_at=AT - timedelta(days=1))
    refused(Conflict, lambda: start(plant, "SO1-1-10"), "G1")
    write()
    start(plant, "SO1-1-10")
    refused(Conflict, lambda: start(plant, "SO2-1-10", "C2"), "G1")
    finish(plant, "SO1-1-10", good=1)
    assert Tool.objects.get().job_order_id is None
    start(plant, "SO2-1-10", "C2")


def test_a_subcontracted_step_goes_out_and_comes_back_without_a_machine(plant, gear):
    start(plant, "SO1-1-10")
    finish(plant, "SO1-1-10", good=10)
    supplier = orders.write_party(
        actor=plant.ben, site_id=plant.site_id, spec=PartySpec("COAT", "涂装厂", "Coater", is_supplier=True), at=AT
    )
    job = plant.job("SO1-1-20")
    dispatch.send_out(actor=plant.ben, job_order_id=job.pk, supplier_id=supplier.pk, at=AT)
    execute.start_job_order(actor=plant.ana, job_order_id=job.pk, work_unit_id=None, at=AT)
    finish(plant, "SO1-1-20", good=10)
    assert request_of(gear).state == "completed"


def test_good_pieces_found_bad_later_are_worked_on_again(plant, gear):
    for code, unit in (("SO1-1-10", "C1"), ("SO1-1-20", "C2")):
        start(plant, code, unit)
        finish(plant, code, good=10)
    request = request_of(gear)
    assert (request.state, request.good) == ("completed", Decimal(10))
    made = dispatch.add_rework(
        actor=plant.ben, job_order_id=plant.job("SO1-1-20").pk, quantity=3, reason="surface", at=AT
    )
    request.refresh_from_db()
    assert (request.state, request.good) == ("running", Decimal(7))
    start(plant, made.code, "C2")
    finish(plant, made.code, good=3)
    request.refresh_from_db()
    assert (request.state, request.good) == ("completed", Decimal(10))
    assert MaterialLot.objects.get(request=request).balances.get().quantity == 10


def test_rework_ends_when_it_was_done_as_often_as_is_allowed(plant, gear):
    code = "SO1-1-10"
    start(plant, code)
    finish(plant, code, good=9, rework=1, reason="surface")
    for number in (1, 2):
        code = f"SO1-1-10-R{number}"
        start(plant, code)
        finish(plant, code, rework=1, reason="surface")
    start(plant, "SO1-1-10-R3")
    refused(Conflict, lambda: finish(plant, "SO1-1-10-R3", rework=1, reason="surface"), "3")
    finish(plant, "SO1-1-10-R3", scrap=1, reason="surface")


def test_a_measured_check_is_judged_and_a_failed_one_keeps_the_job_open(plant):
    check = Check("torque", kind=CheckKind.MEASURED, name_zh="扭矩", name_en="Torque", unit="N.m", low=40.0, high=50.0)
    a_simple_product(plant, "GEAR", a_segment(plant, "10", checks=(check,)))
    a_released_order(plant, "GEAR", 2)
    start(plant, "SO1-1-10")
    say = lambda value: records.record_check(  # noqa: E731
        actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, check="torque", value=value, at=AT
    )
    refused(Conflict, lambda: finish(plant, "SO1-1-10", good=2), "torque")
    say(55.0)
    refused(Conflict, lambda: finish(plant, "SO1-1-10", good=2), "torque")
    refused(InvalidInput, lambda: say(None))
    say(45.0)
    finish(plant, "SO1-1-10", good=2)
    assert [row.data["passed"] for row in JobResponse.objects.filter(kind="check").order_by("pk")] == [False, True]


def test_a_request_to_stock_is_entered_and_released(plant):
    a_simple_product(plant)
    row = orders.enter_request(
        actor=plant.ben, site_id=plant.site_id, spec=RequestSpec("GEAR", Decimal(4), DUE, code="MO1"), at=AT
    )
    assert row.state == "forecast"
    orders.release_request(actor=plant.ben, request_id=row.pk, at=AT)
    found = progress.order_progress(actor=plant.ben, request_id=row.pk, now=AT)
    assert [job.code for job in found.jobs] == ["MO1-10", "MO1-20"]


def test_a_large_release_takes_as_many_statements_as_a_small_one(plant):
    def release(code, count):
        product = a_material(plant, code, source=Source.MAKE, tracking=Tracking.SERIAL)
        parts = [a_material(plant, f"{code}-{number}") for number in range(count)]
        a_bom(plant, code, *(LineSpec(f"{number + 1}", part.pk) for number, part in enumerate(parts)))
        a_work_master(plant, code, *(a_segment(plant, f"{10 * (number + 1)}") for number in range(max(2, count // 10))))
        order = an_order(plant, code, 1, code=f"SO-{code}")
        assert product is not None
        with CaptureQueriesContext(
            connection,
        ) as seen:
            orders.release_order(actor=plant.ben, order_id=order.pk, at=AT)
        return len(seen)

    small, large = release("A", 5), release("B", 150)
    assert large <= small + 2
    assert MaterialRequirement.objects.filter(request__code="SO-B-1").count() == 150


def test_engineering_learns_what_a_change_touches(plant, gear):
    in_stock(plant, "STEEL", 7, "H1")
    request = request_of(gear)
    rows = impact_of_change(
        actor=plant.ben,
        site_id=plant.site_id,
        material_ids=frozenset({plant.materials["STEEL"].pk}),
        bom_version_ids=frozenset({request.bom_version_id}),
        work_master_version_ids=frozenset(),
    )
    assert [(row.kind, row.code, row.quantity) for row in rows] == [("request", "SO1-1", "10"), ("stock", "STEEL", "7")]


def test_what_was_used_by_a_job_is_found_again(plant, gear):
    in_stock(plant, "STEEL", 30, "H1")
    start(plant, "SO1-1-10")
    materials.consume_material(actor=plant.ana, job_order_id=plant.job("SO1-1-10").pk, lot="H1", quantity=20, at=AT)
    row = JobResponse.objects.get(kind="consumed")
    assert (row.lot.code, row.quantity, row.requirement.material.code) == ("H1", Decimal(20), "STEEL")
    assert isinstance(a_segment(plant, "10"), SegmentSpec)
