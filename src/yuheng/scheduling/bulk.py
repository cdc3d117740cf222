"""Fills a database with released orders over many machines, for measurements; `bench.redispatch` runs it.

Everything goes through the services, so job orders are as in a plant. Prints one JSON object. Never run it on a plant.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from yuheng.engineering import services as engineering
from yuheng.engineering.rules.specs import MaterialSpec, SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import system_actor
from yuheng.operations.services import orders
from yuheng.operations.services.orders import LineSpec, OrderSpec, PartySpec

PRODUCTS = 12
STEPS = 5
LINES = 10
NAMES = ("压测", "Bench")


def main() -> None:
    """Fill the database that the environment names; sizes and seed are the first argument, as JSON."""
    sys.stdout.write(json.dumps(fill(**json.loads(sys.argv[1]))) + "\n")


def fill(*, operations: int, seed: int, classes: list[str]) -> dict[str, Any]:
    """Make products of five steps over the classes, and orders until so many job orders are open."""
    chance = random.Random(seed)
    actor, at = system_actor("bench"), datetime.now(UTC)
    site = equipment.visible_sites(actor=actor)[0]
    known = equipment.equipment_class_ids(site_id=site.id)
    with transaction.atomic():
        for number in range(PRODUCTS):
            _product(actor, site.id, f"RP{number}", [known[one] for one in chance.sample(classes, STEPS)], chance, at)
        orders.write_party(actor=actor, site_id=site.id, spec=PartySpec("BCUST", *NAMES), at=at)
    left = -(-operations // STEPS)
    number = 0
    while left:
        count = min(LINES, left)
        lines = [LineSpec(f"RP{chance.randrange(PRODUCTS)}", Decimal(chance.randint(5, 30))) for _ in range(count)]
        number, left = number + 1, left - count
        due = at + timedelta(hours=chance.uniform(12, 24 + operations * 0.03))
        order = orders.enter_order(
            actor=actor, site_id=site.id, spec=OrderSpec("BCUST", due, lines, code=f"RSO{number}"), at=at
        )
        orders.release_order(actor=actor, order_id=order.pk, at=at)
    return {"site_id": site.id}


def _product(actor: Any, site_id: int, code: str, class_ids: list[int], chance: random.Random, at: datetime) -> None:
    spec = MaterialSpec(code, f"{NAMES[0]} {code}", f"{NAMES[1]} {code}", source=Source.MAKE, tracking=Tracking.NONE)
    material = engineering.create_material(actor=actor, site_id=site_id, spec=spec, at=at)
    segments = tuple(
        SegmentSpec(
            f"{10 * (n + 1)}", *NAMES, equipment_class_id=class_id, setup_time=str(60 * chance.randint(5, 20)),
            run_time=str(60 * chance.randint(2, 8)),
        )
        for n, class_id in enumerate(class_ids)
    )  # fmt: skip
    draft = engineering.define_work_master(
        actor=actor, material_id=material.pk, spec=WorkMasterSpec(segments=segments), at=at
    )
    engineering.release_work_master(actor=actor, version_id=draft.pk, at=at)
