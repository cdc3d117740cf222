"""What each demo plant makes, by its name. Apart from `plants`: who only lists plants loads no products."""

from __future__ import annotations

from yuheng.simulation.appliance.products import APPLIANCE_PRODUCTS
from yuheng.simulation.elevator.products import ELEVATOR_PRODUCTS
from yuheng.simulation.products import Catalogue

CATALOGUES: dict[str, Catalogue] = {one.plant.name: one for one in (ELEVATOR_PRODUCTS, APPLIANCE_PRODUCTS)}
