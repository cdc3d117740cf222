"""Real threads on PostgreSQL: whoever comes second is refused, and nothing is counted twice or lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection

from yuheng.kernel.errors import Conflict
from yuheng.operations.models import JobOrder, JobResponse, StockBalance, StockMovement
from yuheng.operations.rules import Act
from yuheng.operations.services import execute, materials, orders, stock
from yuheng.operations.tests.plant import AT, a_plant, a_released_order, a_simple_product, an_order, in_stock

pytestmark = pytest.mark.django_db(transaction=True)


def all_at_once(*acts: Callable[[], object]) -> list[object]:
    """Run acts in threads that begin together; return what each gave, or the refusal."""
    gate, found = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        try:
            gate.wait(timeout=20)
            found[place] = act()
        except Exception as error:  # every outcome is looked at by the test
            found[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return found


def kinds(found):
    return Counter(type(one).__name__ for one in found)


@pytest.fixture
def plant():
    plant = a_plant()
    a_simple_product(plant)
    return plant


def start(plant, job, unit, **more):
    return lambda: execute.start_job_order(
        actor=plant.ana, job_order_id=job.pk, work_unit_id=plant.units[unit].pk, at=AT, **more
    )


def test_one_job_started_at_two_stations_runs_at_one(plant):
    a_released_order(plant, "GEAR", 10)
    job = plant.job("SO1-1-10")
    found = all_at_once(*(start(plant, job, unit) for unit in ("C1", "C2", "C1", "C2", "C1", "C2")))
    assert kinds(found) == {"Done": 1, "Conflict": 5}
    assert JobResponse.objects.count() == 1


def test_two_jobs_started_at_one_station_run_one_after_the_other(plant):
    for number in (1, 2, 3, 4):
        a_released_order(plant, "GEAR", 10, code=f"SO{number}")
    found = all_at_once(*(start(plant, plant.job(f"SO{number}-1-10"), "C1") for number in (1, 2, 3, 4)))
    assert kinds(found) == {"Done": 1, "Conflict": 3}
    assert JobOrder.objects.filter(state="running").count() == 1


def test_the_same_act_sent_by_many_is_one_act(plant):
    a_released_order(plant, "GEAR", 10)
    job = plant.job("SO1-1-10")
    start(plant, job, "C1")()
    act = Act(action_id="one")
    report = lambda: execute.report_quantities(actor=plant.ana, job_order_id=job.pk, good=3, at=AT, act=act)  # noqa: E731
    found = all_at_once(*[report] * 6)
    assert kinds(found) == {"Done": 6}
    assert sorted(one.is_repeat for one in found) == [False] + [True] * 5
    assert plant.job("SO1-1-10").good == 3


def test_no_more_is_reported_than_was_planned_whoever_reports(plant):
    a_released_order(plant, "GEAR", 10)
    job = plant.job("SO1-1-10")
    start(plant, job, "C1")()
    report = lambda: execute.report_quantities(actor=plant.ana, job_order_id=job.pk, good=3, at=AT)  # noqa: E731
    found = all_at_once(*[report] * 6)
    assert kinds(found) == {"Done": 3, "Conflict": 3}
    assert plant.job("SO1-1-10").good == 9


def test_no_more_is_taken_than_is_in_stock_whoever_takes_it(plant):
    for number in (1, 2):
        a_released_order(plant, "GEAR", 10, code=f"SO{number}")
        start(plant, plant.job(f"SO{number}-1-10"), f"C{number}")()
    lot = in_stock(plant, "STEEL", 10, "H1")

    def take(number):
        return lambda: materials.consume_material(
            actor=plant.ana, job_order_id=plant.job(f"SO{number}-1-10").pk, lot="H1", quantity=3, at=AT
        )

    def carry():
        place = StockBalance.objects.get(lot=lot, quantity__gt=0).location_id
        other = stock.write_location(
            actor=plant.ana, site_id=plant.site_id, code="LINE", name_zh="线边", name_en="Line", at=AT
        )
        return stock.move_stock(
            actor=plant.ana, lot_id=lot.pk, from_location_id=place, to_location_id=other.pk, quantity=2, at=AT
        )

    found = all_at_once(take(1), take(2), take(1), take(2), carry)
    assert not [one for one in found if isinstance(one, Exception) and not isinstance(one, Conflict)], found
    left = sum(StockBalance.objects.filter(lot=lot).values_list("quantity", flat=True))
    used = sum(StockMovement.objects.filter(lot=lot, kind="issue").values_list("quantity", flat=True))
    assert left + used == Decimal(10)
    assert all(quantity >= 0 for quantity in StockBalance.objects.values_list("quantity", flat=True))


def test_an_order_released_by_two_is_released_once(plant):
    order = an_order(plant, "GEAR", 10)
    release = lambda: orders.release_order(actor=plant.ben, order_id=order.pk, at=AT)  # noqa: E731
    found = all_at_once(release, release, release)
    assert kinds(found) == {"Released": 1, "Conflict": 2}
    assert JobOrder.objects.count() == 2


def test_steps_of_one_order_finished_together_do_not_wait_for_each_other_for_ever(plant):
    for number in (1, 2):
        a_released_order(plant, "GEAR", 10, code=f"SO{number}")
        start(plant, plant.job(f"SO{number}-1-10"), f"C{number}")()

    def finish(number):
        return lambda: execute.finish_job_order(
            actor=plant.ana, job_order_id=plant.job(f"SO{number}-1-10").pk, good=10, at=AT
        )

    found = all_at_once(finish(1), finish(2), finish(1), finish(2))
    assert kinds(found) == {"Done": 2, "Conflict": 2}
    assert {plant.job(f"SO{number}-1-20").substate for number in (1, 2)} == {"ready"}
