"""Random histories of the floor: what is stored follows from the responses; nothing is lost or made twice."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import Sum

from yuheng.engineering.rules.words import Tracking
from yuheng.kernel.errors import DomainError
from yuheng.operations.models import JobOrder, JobResponse, MaterialLot, OperationsRequest, StockBalance, StockMovement
from yuheng.operations.rules import JobState, ResponseKind, Told, derive
from yuheng.operations.selectors import stock
from yuheng.operations.services import dispatch, execute, materials, records
from yuheng.operations.tests.plant import AT, a_plant, a_released_order, a_segment, a_simple_product, in_stock
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db


def one_act(plant, chance, at):
    """Try something at random; most of it is refused, which must leave nothing behind."""
    job = chance.choice(list(JobOrder.objects.order_by("pk")))
    amount = lambda: chance.choice([0, 0, 1, 2, 3, 5])  # noqa: E731
    common = {"actor": plant.ana, "job_order_id": job.pk, "at": at}
    told = JobResponse.objects.filter(job_order=job, kind__in=["quantity", "finished"]).order_by("?").first()
    units = [unit.pk for unit in plant.units.values()]
    acts = [
        lambda: execute.start_job_order(**common, work_unit_id=chance.choice(units)),
        lambda: execute.report_quantities(
            **common, good=amount(), scrap=amount(), rework=chance.choice([0, 0, 1]), reason="surface"
        ),
        lambda: execute.finish_job_order(
            **common, good=amount(), scrap=amount(), reason="surface", is_short=chance.random() < 0.3
        ),
        lambda: execute.pause_job_order(**common, reason="tool"),
        lambda: execute.resume_job_order(**common),
        lambda: materials.consume_material(**common, lot="H1", quantity=1 + amount(), reason="more_needed"),
        lambda: materials.return_material(**common, lot="H1", quantity=1 + amount()),
        lambda: dispatch.hold_job_orders(actor=plant.ben, job_order_ids=[job.pk], reason="quality", at=at),
        lambda: dispatch.let_go_job_orders(actor=plant.ben, job_order_ids=[job.pk], at=at),
        lambda: dispatch.split_job_order(
            actor=plant.ben, job_order_id=job.pk, quantities=[job.quantity - 2, 2], at=at
        ),
        lambda: records.correct_response(
            actor=plant.ben, response_id=told.pk if told else 0, good=chance.choice([-1, 1]), reason="count", at=at
        ),
    ]  # fmt: skip
    if chance.random() < 0.02:
        acts = [lambda: dispatch.abort_job_order(actor=plant.ben, job_order_id=job.pk, reason="other", at=at)]
    chance.choice(acts)()


@pytest.mark.parametrize("seed", range(4))
def test_stored_progress_is_what_follows_from_the_responses(seed):
    chance, plant = random.Random(seed), a_plant()
    batch = Decimal(2) if seed % 2 else None
    a_simple_product(
        plant, "GEAR", a_segment(plant, "10", transfer_batch=batch), a_segment(plant, "20"), tracking=Tracking.LOT
    )
    for number in (1, 2):
        a_released_order(plant, "GEAR", 8, code=f"SO{number}")
    in_stock(plant, "STEEL", 30, "H1")
    done = 0
    for step in range(200):
        at = AT + timedelta(minutes=step)
        with suppress(DomainError), transaction.atomic():
            one_act(plant, chance, at)
            done += 1
    assert done > 10
    for job in JobOrder.objects.all():
        rows = JobResponse.objects.filter(job_order=job).order_by("pk")
        found = derive(
            Told(ResponseKind(row.kind), row.at, row.good, row.scrap, row.rework, row.data.get("clock_s", 0.0))
            for row in rows
        )
        assert (job.good, job.scrap, job.rework) == (found.good, found.scrap, found.rework), job.code
        assert job.actual_start == found.actual_start
        assert job.worked_s == pytest.approx(found.worked_s)
        if found.state is not None:
            assert job.state == found.state.value, job.code
        assert job.good + job.scrap + job.rework <= job.quantity
    for request in OperationsRequest.objects.all():
        jobs = JobOrder.objects.filter(request=request)
        assert request.good == sum(job.good for job in jobs if job.is_last)
        assert request.scrap == sum(job.scrap for job in jobs)
        over = [job for job in jobs if job.state in ("ended", "aborted", "cancelled")]
        assert (request.job_count, request.jobs_over) == (len(jobs), len(over))
        first = [job for job in jobs if job.segment == "10"]
        second = [job for job in jobs if job.segment == "20" and not job.is_rework]
        made = sum(job.good for job in first)
        used = sum(job.good + job.scrap + job.rework for job in second)
        assert used <= made, "a piece was worked on that had not been made"
        lot = MaterialLot.objects.get(request=request)
        assert (lot.balances.aggregate(sum=Sum("quantity"))["sum"] or 0) == request.good
    assert_stock_balances()


def assert_stock_balances():
    for balance in StockBalance.objects.select_related("lot"):
        moves = StockMovement.objects.filter(lot=balance.lot)
        came = moves.filter(to_location=balance.location).aggregate(sum=Sum("quantity"))["sum"] or 0
        went = moves.filter(from_location=balance.location).aggregate(sum=Sum("quantity"))["sum"] or 0
        assert balance.quantity == came - went >= 0
    for lot in MaterialLot.objects.all():
        assert stock.lot_balance(actor=SYSTEM, lot_id=lot.pk).difference == 0


def test_running_jobs_are_never_two_on_one_machine():
    plant = a_plant()
    a_simple_product(plant)
    for number in (1, 2, 3):
        a_released_order(plant, "GEAR", 4, code=f"SO{number}")
    chance = random.Random(5)
    for step in range(60):
        with suppress(DomainError), transaction.atomic():
            one_act(plant, chance, AT + timedelta(minutes=step))
        running = list(JobOrder.objects.filter(state=JobState.RUNNING).values_list("work_unit_id", flat=True))
        assert len(running) == len(set(running))
