"""Measured times against standards: pauses out, outliers named, proposals only where they are sure, and traceable."""

from __future__ import annotations

from datetime import timedelta

import pytest

from yuheng.engineering import selectors as engineering
from yuheng.engineering import services as changing
from yuheng.engineering.models import EngineeringChangeOrder, WorkMasterVersion
from yuheng.kernel.errors import Conflict, PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.operations.tests.plant import AT, a_plant, a_released_order, a_segment
from yuheng.performance.models import JobTime, StandardProposal
from yuheng.performance.rules.periods import day_of, period
from yuheng.performance.rules.standards import Part, Verdict
from yuheng.performance.selectors.times import measured_step, measured_steps
from yuheng.performance.services.standards import propose_standard
from yuheng.performance.tests.history import a_worked_plant
from yuheng.testing.builders import SYSTEM, an_actor

pytestmark = pytest.mark.django_db

NOW = AT + timedelta(days=3)
ZONE = "Asia/Shanghai"
DAYS = period(day_of(AT, ZONE), day_of(NOW, ZONE), ZONE, NOW)
TWELVE = [40.0, 41.0, 39.0, 40.5, 39.5, 42.0, 38.0, 40.0, 41.5, 40.2, 39.8, 200.0]


def detail_of(plant, actor=SYSTEM):
    return measured_step(
        actor=actor, site_id=plant.site_id, material_id=plant.materials["GEAR"].pk, segment="10", period=DAYS,
        on=day_of(NOW, ZONE),
    )  # fmt: skip


def propose(plant, part=Part.RUN, actor=None):
    return propose_standard(
        actor=actor or an_actor("eva", role="engineer"), site_id=plant.site_id,
        material_id=plant.materials["GEAR"].pk, segment="10", part=part, period=DAYS, on=day_of(NOW, ZONE), at=NOW,
    )  # fmt: skip


def test_pauses_are_no_work_and_set_up_is_apart_from_the_run():
    a_worked_plant([45.0], pause_s=900.0)
    row = JobTime.objects.get()
    assert (row.setup_s, row.run_s, row.pauses, row.paused_s) == (120.0, 45.0, 1, 900.0)
    assert (row.planned_setup_s, row.planned_run_s) == (60.0, 30.0)


def test_a_wild_value_is_named_and_moves_nothing():
    plant = a_worked_plant(TWELVE)
    found = detail_of(plant)
    assert found.run.spread.median == pytest.approx(40.1)
    apart = [one for one in found.jobs if one.is_run_outlier]
    assert [one.run_s for one in apart] == [200.0]
    assert found.run.spread.n == 12
    [row] = measured_steps(actor=SYSTEM, site_id=plant.site_id, period=DAYS)
    assert (row.n, row.run_s, row.by_person) == (12, pytest.approx(40.1), 12)


def test_too_few_job_orders_propose_nothing():
    plant = a_worked_plant(TWELVE[:5])
    assert detail_of(plant).run.judged.verdict is Verdict.TOO_FEW
    with pytest.raises(Conflict):
        propose(plant)
    assert not StandardProposal.objects.exists()
    assert not EngineeringChangeOrder.objects.exists()
    assert WorkMasterVersion.objects.count() == 1


def test_a_standard_that_holds_is_left_alone():
    plant = a_worked_plant([30.0, 30.5, 29.5, 30.2, 29.8, 30.1, 29.9, 30.3, 29.7])
    assert detail_of(plant).run.judged.verdict is Verdict.HOLDS


def test_a_proposal_becomes_a_draft_in_a_change_that_another_person_approves():
    plant = a_worked_plant(TWELVE)
    a_released_order(plant, "GEAR", 10, code="OPEN")
    standard = detail_of(plant).run
    assert standard.judged.proposed_s == 40.1
    assert (standard.open_jobs, standard.load_s) == (1, pytest.approx(10 * 10.1))
    made = propose(plant)
    also = propose(plant, Part.SETUP)
    assert (also.change_id, also.draft_id) == (made.change_id, made.draft_id), "one change of a product takes both"
    segment = engineering.work_master_version(actor=SYSTEM, version_id=made.draft_id).spec.segments[0]
    assert (segment.setup_time, segment.run_time) == ("120", "40.1")
    released = engineering.work_master_version(actor=SYSTEM, version_id=made.version_id).spec.segments[0]
    assert (released.setup_time, released.run_time) == ("60", "30"), "released versions never change"
    assert len(made.evidence) == 12
    assert AuditRecord.objects.filter(action="performance.standard_proposed").count() == 2
    with pytest.raises(Conflict):
        propose(plant)
    eva, carl = an_actor("eva", role="engineer"), an_actor("carl", role="engineer")
    changing.submit_change(actor=eva, change_id=made.change_id, at=NOW)
    with pytest.raises(Conflict):
        changing.approve_change(actor=eva, change_id=made.change_id, at=NOW)
    changing.approve_change(actor=carl, change_id=made.change_id, at=NOW)
    changing.implement_change(actor=carl, change_id=made.change_id, at=NOW)
    [first, second] = detail_of(plant).proposals
    assert {first.change_state, second.change_state} == {"implemented"}
    assert detail_of(plant).run.judged.verdict is Verdict.HOLDS


def test_a_formula_keeps_its_form_and_gets_a_factor():
    plant = a_worked_plant([40.0] * 9, segment=a_segment(a_plant(), "10", run_time="10 + 20"))
    found = detail_of(plant).run
    assert not found.is_plain
    assert found.proposed_formula == "(10 + 20) * 1.333"


def test_who_may_not_edit_products_proposes_nothing():
    plant = a_worked_plant(TWELVE)
    with pytest.raises(PermissionRefused):
        propose(plant, actor=plant.ben)
    assert not StandardProposal.objects.exists()
