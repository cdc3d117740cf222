"""Forecasts: a row for every change that matters, and what changed it."""

from datetime import timedelta

import pytest
from django.utils import translation

from yuheng.operations.models import CustomerOrder, JobOrder
from yuheng.operations.services import orders as order_verbs
from yuheng.scheduling.models import Forecast
from yuheng.scheduling.selectors.promises import endangered, forecasts_of
from yuheng.scheduling.services import words
from yuheng.scheduling.services.forecasts import note_forecasts, planned_sites
from yuheng.scheduling.tests.plant import AT, a_busy_plant, stands
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def noted(plant, at):
    return note_forecasts(actor=SYSTEM, site_id=plant.site_id, at=at)


def told(plant, order):
    rows = forecasts_of(actor=plant.ben, order_id=order.pk)
    return [(one.cause.value, words.forecast_cause(one.cause, one.values)) for one in rows]


def test_the_first_forecast_comes_with_the_plan_and_nothing_new_is_not_noted_again():
    plant = a_busy_plant(3, 120)
    assert noted(plant, AT) == 0  # nothing is published
    plan = published(plant)
    assert planned_sites() == {plant.site_id: plan.pk}
    assert noted(plant, AT) == 3
    assert noted(plant, AT + MINUTE) == 0
    order = CustomerOrder.objects.first()
    assert told(plant, order) == [("first", f"First forecast, by plan {plan.number}")]
    last = JobOrder.objects.filter(request__order=order).order_by("-planned_end").first()
    assert Forecast.objects.get(order=order).ends_at == last.planned_end


def test_a_breakdown_and_its_end_are_named_with_the_machine():
    plant = a_busy_plant(2, 120)
    plan = published(plant)
    noted(plant, AT)
    rows = [stands(plant, unit, AT + MINUTE) for unit in ("C1", "C2")]
    assert noted(plant, AT + 2 * MINUTE) == 2
    order = CustomerOrder.objects.first()
    cause, sentence = told(plant, order)[0]
    assert cause == "breakdown"
    assert "stands since" in sentence
    for row in rows:
        row.ended_at = AT + 5 * MINUTE
        row.save()
    noted(plant, AT + 6 * MINUTE)
    assert told(plant, order)[0][0] in ("back", "breakdown")
    assert "back" in {told(plant, one)[0][0] for one in CustomerOrder.objects.all()}
    assert plan.number


def test_another_plan_another_promise_and_work_that_is_late_are_named():
    plant = a_busy_plant(2, 120)
    plan = published(plant)
    noted(plant, AT)
    order = CustomerOrder.objects.first()
    promised = order.promised_at + timedelta(days=1)
    order_verbs.promise_order(actor=plant.ben, order_id=order.pk, promised_at=promised, reason="asked", at=AT)
    noted(plant, AT + MINUTE)
    assert told(plant, order)[0] == ("promise", "Another date is promised")
    noted(plant, AT + timedelta(hours=3))  # nobody began
    assert told(plant, order)[0][0] == "progress"
    noted(plant, AT + timedelta(hours=4))
    assert [cause for cause, _words in told(plant, order)].count("progress") == 1  # one row while it goes on
    published(plant, AT + timedelta(hours=30), expected=plan.number)
    noted(plant, AT + timedelta(hours=30))
    assert told(plant, order)[0][1].startswith("Plan ")


def test_orders_behind_their_promise_are_listed_the_latest_first():
    plant = a_busy_plant(3, 120)
    published(plant)
    JobOrder.objects.update(due_at=AT + timedelta(hours=1))
    CustomerOrder.objects.update(promised_at=AT + timedelta(hours=1))
    noted(plant, AT)
    rows = endangered(actor=plant.ben, site_id=plant.site_id)
    late = [row.forecast.late_min for row in rows]
    assert late == sorted(late, reverse=True)
    assert late[0] > 60
