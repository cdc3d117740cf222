"""Random histories of the floor, followed: the sums are what can be counted, whatever came in whatever order."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import transaction

from yuheng.kernel.errors import DomainError
from yuheng.operations.models import JobMove, JobOrder, OperationsRequest, TouchedJob
from yuheng.operations.rules import Act
from yuheng.operations.services import execute
from yuheng.operations.services.history import touch_again
from yuheng.operations.tests.plant import (
    AT,
    a_plant,
    a_released_order,
    a_segment,
    a_simple_product,
    a_two_level_product,
    in_stock,
)
from yuheng.operations.tests.test_properties import one_act
from yuheng.performance.models import FlowTally, JobStage, LeadTime
from yuheng.performance.rules.stages import LEAD_STAGES, Stage
from yuheng.performance.services.follow import catch_up, catch_up_all

pytestmark = pytest.mark.django_db


def a_history(seed, *, follow_every=0, steps=220):
    """Let a plant live at random; now and then terminals tell late what happened earlier."""
    chance, plant = random.Random(seed), a_plant()
    a_simple_product(plant, "GEAR", a_segment(plant, "10"), a_segment(plant, "20"))
    for number in (1, 2, 3):
        a_released_order(plant, "GEAR", 6, code=f"SO{number}")
    in_stock(plant, "STEEL", 60, "H1")
    for step in range(steps):
        at = AT + timedelta(minutes=7 * step, seconds=chance.randrange(60))
        with suppress(DomainError), transaction.atomic():
            if chance.random() < 0.5:
                push_on(plant, chance, at)
            else:
                one_act(plant, chance, at)
        if follow_every and step % follow_every == 0:
            catch_up(limit=chance.choice([1, 3, 50]))
    return plant


def push_on(plant, chance, at):
    """Do what moves the plant on, some of it told late."""
    left = list(JobOrder.objects.exclude(state__in=["ended", "aborted", "cancelled"]).order_by("pk"))
    if not left:
        return
    job = chance.choice(left)
    act = Act(happened_at=at - timedelta(minutes=chance.choice([0, 0, 0, 5, 45])))
    common = {"actor": plant.ana, "job_order_id": job.pk, "at": at, "act": act}
    if job.state == "running":
        execute.finish_job_order(**common, good=job.quantity - job.good - job.scrap - job.rework)
    elif job.substate == "held":
        execute.resume_job_order(**common)
    else:
        execute.start_job_order(**common, work_unit_id=chance.choice(list(plant.units.values())).pk)


def stages():
    return list(
        JobStage.objects.order_by("job_order_id", "position").values_list(
            "job_order_id", "stage", "work_center_id", "since", "until", "work_s", "reason"
        )
    )


def tallies():
    rows = FlowTally.objects.order_by("span_s", "at", "stage", "work_center_id", "equipment_class_id")
    found = rows.values_list(
        "span_s", "at", "stage", "work_center_id", "equipment_class_id", "jobs", "jobs_ms", "work_ms", "work_moment"
    )
    return [row for row in found if any(row[5:])]


def leads():
    return list(LeadTime.objects.order_by("request_id").values())


@pytest.mark.parametrize("seed", range(3))
def test_followed_piece_by_piece_equals_counted_anew(seed):
    a_history(seed, follow_every=3)
    catch_up_all()
    assert not TouchedJob.objects.exists()
    followed = (stages(), tallies(), [{**row, "id": 0} for row in leads()])
    FlowTally.objects.all().delete()
    JobStage.objects.all().delete()
    LeadTime.objects.all().delete()
    touch_again(JobOrder.objects.order_by("?").values_list("pk", flat=True))
    catch_up_all()
    assert (stages(), tallies(), [{**row, "id": 0} for row in leads()]) == followed


@pytest.mark.parametrize("seed", range(3, 6))
def test_work_in_progress_is_what_was_released_less_what_is_over_at_every_moment(seed):
    a_history(seed)
    catch_up_all()
    rows = list(JobStage.objects.all())
    made = {}
    over = {row.job_order_id: row.since for row in rows if row.stage == "done"}
    for row in rows:
        made[row.job_order_id] = min(made.get(row.job_order_id, row.since), row.since)
    assert set(made) == set(JobOrder.objects.values_list("pk", flat=True))
    assert set(over) == set(
        JobOrder.objects.filter(state__in=["ended", "aborted", "cancelled"]).values_list("pk", flat=True)
    )
    for job in JobOrder.objects.exclude(state__in=["ended", "aborted", "cancelled"]):
        last = JobStage.objects.filter(job_order=job).order_by("position").last()
        assert last.until is None
        if job.state == "running":
            assert last.stage in ("process", "setup")
    moments = sorted({row.since for row in rows} | {row.until for row in rows if row.until})
    for moment in moments:
        here = [
            row.job_order_id
            for row in rows
            if row.stage != "done" and row.since <= moment and (row.until is None or row.until > moment)
        ]
        assert len(here) == len(set(here)), "a job order is in two stages at once"
        released = sum(at <= moment for at in made.values())
        assert len(here) == released - sum(at <= moment for at in over.values())


def test_sums_of_quarters_say_the_same_as_the_stages():
    a_history(7)
    catch_up_all()
    rows = list(JobStage.objects.all())
    quarter = timedelta(minutes=15)
    edges = sorted({row.at for row in FlowTally.objects.filter(span_s=900)})
    for edge in [*edges, edges[-1] + quarter]:
        for stage in Stage:
            counted = sum(
                row.stage == stage and row.since < edge and (row.until is None or row.until >= edge) for row in rows
            )
            summed = sum(one.jobs for one in FlowTally.objects.filter(span_s=900, stage=stage, at__lt=edge))
            assert summed == counted, (edge, stage)


@pytest.mark.parametrize("seed", range(8, 12))
def test_parts_of_a_lead_time_add_up_to_it(seed):
    a_history(seed, steps=400)
    catch_up_all()
    found = list(LeadTime.objects.all())
    over = OperationsRequest.objects.filter(state__in=["completed", "closed"])
    assert {one.request_id for one in found} == set(over.values_list("pk", flat=True))
    for one in found:
        parts = sum(getattr(one, f"{stage.value}_us") for stage in LEAD_STAGES)
        assert timedelta(microseconds=parts) == one.ended_at - one.started_at


def test_the_lead_time_of_a_product_goes_through_the_parts_that_were_made_for_it():
    plant = a_plant()
    a_two_level_product(plant)
    a_released_order(plant, "LIFT", 1)
    clock = AT
    for code in ("-10-10", "-10-20", "-10", "-20"):
        ready = JobOrder.objects.filter(state="allowed_to_start", substate="ready").order_by("pk")
        job = next(one for one in ready if one.code.endswith(code))
        unit = plant.units["C1" if job.equipment_class_id == plant.units["C1"].equipment_class_id else "A1"]
        clock += timedelta(hours=1)
        execute.start_job_order(actor=plant.ana, job_order_id=job.pk, work_unit_id=unit.pk, at=clock)
        clock += timedelta(hours=2)
        execute.finish_job_order(actor=plant.ana, job_order_id=job.pk, at=clock, good=job.quantity)
    catch_up_all()
    product = OperationsRequest.objects.get(parent__isnull=True)
    lead = LeadTime.objects.get(request=product)
    assert (lead.process_us, lead.queue_us) == (8 * 3600 * 10**6, 4 * 3600 * 10**6)
    assert lead.started_at == AT
    assert LeadTime.objects.filter(is_product=False).count() == 1


def test_the_log_of_job_orders_is_never_changed():
    plant = a_plant()
    a_simple_product(plant)
    a_released_order(plant, "GEAR", 1)
    move = JobMove.objects.first()
    with pytest.raises(RuntimeError):
        move.save()
    with pytest.raises(Exception, match="never changed"), transaction.atomic():
        JobMove.objects.filter(pk=move.pk).update(what="ended")
