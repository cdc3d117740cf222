"""Simulated people at a real web server with a real database: they order, deliver, start, report, finish, go on."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from yuheng.config import demo
from yuheng.config.demo_past import Pacer
from yuheng.config.demo_products import define
from yuheng.kernel.actor import system_actor
from yuheng.kernel.models import Site
from yuheng.operations.models import CustomerOrder, JobOrder, JobResponse
from yuheng.operations.services import orders
from yuheng.operations.services.orders import PartySpec, RequestSpec
from yuheng.operations.terminal.models import TerminalAction
from yuheng.simulation.elevator.plant import ELEVATOR
from yuheng.simulation.elevator.products import ELEVATOR_PRODUCTS
from yuheng.simulation.making.doors import Web
from yuheng.simulation.making.shop import Keys, Shop
from yuheng.simulation.model import Plant
from yuheng.simulation.work import RandomOrders, StartedJobs

pytestmark = pytest.mark.django_db(transaction=True)
SYSTEM = system_actor("test")


@pytest.fixture
def keys(tmp_path, monkeypatch, settings) -> Keys:
    """A demo with products, customers, and one order of brackets to stock: cut, then bent."""
    monkeypatch.setenv("YUHENG_DATA_DIR", str(tmp_path))
    settings.IS_DEMO = True
    now = datetime.now(UTC)
    demo.install(at=now)
    site = Site.objects.get(code="elevator1")
    define(
        actor=SYSTEM, site_id=site.pk, catalogue=ELEVATOR_PRODUCTS, seed=1, at=now - timedelta(days=9), pace=Pacer(1.0)
    )
    spec = RequestSpec("PT-BRACKET", Decimal(4), now + timedelta(days=1))
    request = orders.enter_request(actor=SYSTEM, site_id=site.pk, spec=spec, at=now)
    orders.release_request(actor=SYSTEM, request_id=request.pk, at=now)
    for one in ELEVATOR_PRODUCTS.customers:
        orders.write_party(actor=SYSTEM, site_id=site.pk, spec=PartySpec(one.code, one.name_zh, one.name_en), at=now)
    supplier = PartySpec("V-1", "供应商", "Supplier", is_customer=False, is_supplier=True)
    orders.write_party(actor=SYSTEM, site_id=site.pk, spec=supplier, at=now)
    known = json.loads((tmp_path / "run" / "demo-devices.json").read_text())["floors"]["elevator"]
    return Keys(**known)


def a_shop(keys: Keys, url: str) -> Shop:
    """Return people and machines that have just taken over."""
    start = datetime.now(UTC).timestamp()
    spec = ELEVATOR
    work = StartedJobs(RandomOrders(spec.routes, spec.mix, spec.pieces_per_hour, 1, start, lot_pieces=spec.lot_pieces))
    plant = Plant(spec, seed=1, start=start, work=work)
    shop = Shop(plant, work, ELEVATOR_PRODUCTS, keys, Web(url, keys.token), seed=1)
    shop.hall.shift = lambda _now: "day"  # nobody goes home in the middle of a test
    shop.take_over()
    plant.run_until(start + 7200)  # the pieces in work are finished
    return shop


async def until_over(shop: Shop, unit: str, now: float) -> None:
    """Let the machine run, and its person do what is due, until the job is finished."""
    station = shop.stations[unit]
    for _turn in range(600):
        if station.work is None:
            return
        now += 20
        shop.hall.plant.run_until(shop.hall.plant.now + 20)
        if verb := station.due(now):
            # Acts are told for this moment: a terminal's clock must not run ahead.
            await station.act(verb, datetime.now(UTC).timestamp())
            if station.work is not None:
                station.work.due_at = 0.0
    raise AssertionError("The job was not finished.")


def test_people_make_a_job_at_the_terminal_and_after_a_restart_they_go_on(keys, live_server):
    async def make() -> None:
        shop = a_shop(keys, live_server.url)
        now = datetime.now(UTC).timestamp()
        await shop.office.buy(now)
        await shop.office.buy(now + 4 * 3600)  # what was ordered comes
        await shop._look(now)
        begun = [code for code, one in shop.stations.items() if one.work is not None]
        assert len(begun) == 1
        assert begun[0].startswith("L")
        await shop._web.close()

        again = a_shop(keys, live_server.url)  # killed, and started once more
        await again._sync(now)
        assert again.stations[begun[0]].work is not None
        assert again.hall.plant.machines[begun[0]].run_id.endswith("-10")
        assert [code for code, one in again.stations.items() if one.work is not None] == begun
        again.stations[begun[0]].tablet.is_offline = False
        await until_over(again, begun[0], now)
        assert again.stations[begun[0]].refused == 0
        await again.office.sell(now)
        await again.office.sell(now + 1)  # too early for another one
        await again._web.close()

    asyncio.run(make())

    order = CustomerOrder.objects.get()
    assert order.state == "released"
    assert JobOrder.objects.filter(request__order=order).count() > 20
    job = JobOrder.objects.get(request__order=None, segment="10")
    assert job.state == "ended"
    assert job.good + job.scrap + job.rework == 4
    kinds = list(JobResponse.objects.filter(job_order=job).order_by("pk").values_list("kind", flat=True))
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert "check" in kinds
    assert not TerminalAction.objects.exclude(outcome="applied").exists()
