"""The demo's products: every formula calculates, every step finds its machines, and a second start changes nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from yuheng.config import demo
from yuheng.config.demo_products import define
from yuheng.engineering import selectors
from yuheng.kernel.actor import system_actor
from yuheng.kernel.models import Site
from yuheng.simulation.catalogues import CATALOGUES
from yuheng.simulation.elevator.products import ELEVATOR_PRODUCTS
from yuheng.simulation.products import faults

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SYSTEM = system_actor("test")


def no_wait() -> None:
    """Do not share the core: tests have it."""


@pytest.fixture
def data_dir(tmp_path, monkeypatch, settings):
    monkeypatch.setenv("YUHENG_DATA_DIR", str(tmp_path))
    settings.IS_DEMO = True
    return tmp_path


@pytest.mark.parametrize("catalogue", list(CATALOGUES.values()), ids=lambda one: one.plant.name)
def test_a_catalogue_is_whole(catalogue):
    assert faults(catalogue) == []


@pytest.mark.parametrize("catalogue", list(CATALOGUES.values()), ids=lambda one: one.plant.name)
def test_every_product_resolves_with_every_option_that_customers_choose(catalogue, data_dir):
    demo.install(at=AT, plants=[catalogue.plant.name])
    site = Site.objects.get(code=catalogue.plant.site_code)
    made = define(actor=SYSTEM, site_id=site.pk, catalogue=catalogue, seed=1, at=AT, pace=no_wait)
    ids = selectors.material_ids(site_id=site.pk)

    assert made == len(catalogue.bought) + len(catalogue.made)
    for wish in catalogue.wishes:
        for place in range(max((len(values) for _name, values in wish.options), default=1)):
            options = {name: values[place % len(values)] for name, values in wish.options}
            found = selectors.resolve(
                actor=SYSTEM, site_id=site.pk, material_id=ids[wish.product], on=AT.date() + timedelta(days=1),
                options=options, quantity=Decimal(2), at=AT + timedelta(days=1),
            )  # fmt: skip
            parts = [line for line in found.lines if line.source == "make"]
            assert parts
            assert {routing.path for routing in found.routings} == {"", *(line.path for line in parts)}
            assert all(line.gross_quantity > 0 for line in found.lines)
            assert all(segment.equipment_class_id for routing in found.routings for segment in routing.segments)


def test_an_escalator_has_hundreds_of_lines_and_two_levels(data_dir):
    demo.install(at=AT)
    site = Site.objects.get(code="elevator1")
    define(actor=SYSTEM, site_id=site.pk, catalogue=ELEVATOR_PRODUCTS, seed=1, at=AT, pace=no_wait)
    ids = selectors.material_ids(site_id=site.pk)
    found = selectors.resolve(
        actor=SYSTEM, site_id=site.pk, material_id=ids["FT-35"], options={}, quantity=Decimal(1),
        on=AT.date() + timedelta(days=1), at=AT + timedelta(days=1),
    )  # fmt: skip
    steps = next(line for line in found.lines if line.code == "PT-STEP")

    assert len(found.lines) > 200
    assert max(line.level for line in found.lines) == 2
    assert steps.quantity == 70  # (4 × 4.5 m + 10 m) / 0.4 m
    assert steps.gross_quantity == 73  # with what is lost

    again = define(actor=SYSTEM, site_id=site.pk, catalogue=ELEVATOR_PRODUCTS, seed=1, at=AT, pace=no_wait)
    assert again == 0
    assert len(selectors.versions_of(actor=SYSTEM, material_id=ids["FT-35"]).boms) == 1
