"""What is refused leaves nothing behind, also when several people try it at the same moment on real connections."""

from __future__ import annotations

from decimal import Decimal

import pytest

from yuheng.engineering import selectors as engineering
from yuheng.engineering.rules.words import Source, VersionKind
from yuheng.engineering.services import retire_version
from yuheng.kernel.errors import Conflict, DomainError
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.operations.models import (
    CustomerOrder,
    JobOrder,
    JobResponse,
    MaterialRequirement,
    OperationsRequest,
    StockMovement,
)
from yuheng.operations.services import execute, orders
from yuheng.operations.services.imports import ImportKind, apply_import, plan_import
from yuheng.operations.services.orders import LineSpec, OrderSpec
from yuheng.operations.tests.plant import (
    AT,
    DUE,
    a_customer,
    a_material,
    a_plant,
    a_released_order,
    a_simple_product,
    an_order,
)
from yuheng.operations.tests.test_concurrency import all_at_once, kinds, start
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plant():
    plant = a_plant()
    a_simple_product(plant)
    return plant


def everything():
    """What is in the tables that a refusal must leave as they are."""
    return (
        JobOrder.objects.count(),
        JobResponse.objects.count(),
        OperationsRequest.objects.exclude(state="forecast").count(),
        MaterialRequirement.objects.count(),
        StockMovement.objects.count(),
        OutboxEvent.objects.count(),
        AuditRecord.objects.count(),
    )


def test_a_job_finished_at_two_tablets_is_finished_once_with_its_pieces_counted_once(plant):
    a_released_order(plant, "GEAR", 10)
    job = plant.job("SO1-1-10")
    start(plant, job, "C1")()
    before = JobResponse.objects.count()
    finish = lambda: execute.finish_job_order(actor=plant.ana, job_order_id=job.pk, good=10, at=AT)  # noqa: E731
    found = all_at_once(*[finish] * 4)
    assert kinds(found) == {"Done": 1, "Conflict": 3}
    assert plant.job("SO1-1-10").good == 10
    assert JobResponse.objects.filter(kind="finished").count() == 1
    assert JobResponse.objects.count() == before + 1
    assert all("SO1-1-10" in str(one) for one in found if isinstance(one, Conflict))


def test_more_finished_than_started_leaves_nothing_whoever_tries(plant):
    a_released_order(plant, "GEAR", 10)
    job = plant.job("SO1-1-10")
    start(plant, job, "C1")()
    before = everything()
    finish = lambda: execute.finish_job_order(actor=plant.ana, job_order_id=job.pk, good=11, at=AT)  # noqa: E731
    found = all_at_once(*[finish] * 4)
    assert kinds(found) == {"Conflict": 4}
    assert everything() == before
    assert (plant.job("SO1-1-10").good, plant.job("SO1-1-10").state) == (0, "running")


def test_releases_that_are_refused_leave_nothing_whoever_tries(plant):
    a_material(plant, "BARE", source=Source.MAKE)  # neither a bill of material nor a work master
    a_customer(plant)
    lines = [LineSpec("GEAR", Decimal(5)), LineSpec("BARE", Decimal(1))]
    spec = OrderSpec(customer="HUA", promised_at=DUE, code="SO1", lines=lines)
    order = orders.enter_order(actor=plant.ben, site_id=plant.site_id, spec=spec, at=AT)
    before = everything()
    release = lambda: orders.release_order(actor=plant.ben, order_id=order.pk, at=AT)  # noqa: E731
    found = all_at_once(*[release] * 4)
    assert all(isinstance(one, DomainError) for one in found), found
    assert all("BARE" in str(one) for one in found)
    assert everything() == before
    order.refresh_from_db()
    assert order.state == "entered"


def test_a_release_and_a_retired_version_that_race_are_whole_or_refused(plant):
    order = an_order(plant, "GEAR", 10)
    version = engineering.versions_of(actor=SYSTEM, material_id=plant.materials["GEAR"].pk).work_masters[0]
    before = everything()
    released, _retired = all_at_once(
        lambda: orders.release_order(actor=plant.ben, order_id=order.pk, at=AT),
        lambda: retire_version(
            actor=SYSTEM, kind=VersionKind.WORK_MASTER, version_id=version.id, reason="Unsafe.", at=AT
        ),
    )
    order.refresh_from_db()
    if isinstance(released, DomainError):
        assert order.state == "entered"
        assert (JobOrder.objects.count(), MaterialRequirement.objects.count()) == (before[0], before[3])
    else:
        assert (order.state, JobOrder.objects.count()) == ("released", 2)


def test_a_file_of_orders_applied_by_two_is_entered_once(plant):
    an_order(plant, "GEAR", 1)  # the customer is there
    content = b"order,customer,promised_at,material,quantity\nE1,HUA,2026-12-20,GEAR,3\nE2,HUA,2026-12-20,GEAR,4\n"
    plan = plan_import(actor=plant.ben, site_id=plant.site_id, kind=ImportKind.ORDERS, content=content, at=AT)
    assert plan.counts["refuse"] == 0, plan.rows
    apply = lambda: apply_import(  # noqa: E731
        actor=plant.ben, site_id=plant.site_id, kind=ImportKind.ORDERS, content=content, plan_sha256=plan.sha256, at=AT
    )
    found = all_at_once(*[apply] * 3)
    assert sum(not isinstance(one, Exception) for one in found) == 1, found
    assert all(isinstance(one, DomainError) for one in found if isinstance(one, Exception)), found
    assert sorted(CustomerOrder.objects.filter(code__startswith="E").values_list("code", flat=True)) == ["E1", "E2"]
