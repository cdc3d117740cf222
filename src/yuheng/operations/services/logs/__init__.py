"""A plant's event log written in: equipment, people, products with routings, orders with everything that was done.

What is there already stays as it is: the same log twice writes nothing new, a longer one writes what is new in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from yuheng.engines.eventlog import Log
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.operations.services.access import ORDERS
from yuheng.operations.services.logs.ground import Ground, lay_ground
from yuheng.operations.services.logs.history import write_orders

BATCH = 300
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written, by kind; ``kept`` orders were there already, from elsewhere, and were left alone."""

    written: dict[str, int]
    kept: dict[str, int]


def import_log(
    *,
    actor: Actor,
    site_id: int,
    log: Log,
    at: datetime,
    with_people: bool = True,
    progress: Callable[[str, int], None] = lambda _what, _done: None,
) -> Imported:
    """Write what a log says, in batches that are each whole or not at all; ended half way, call it again.

    Raises
    ------
    PermissionRefused
        Orders, equipment, products or people may not be written here.
    NotVisible, InvalidInput, Conflict
    """
    actor.require(ORDERS, site_id=site_id)
    ground: Ground = lay_ground(actor=actor, site_id=site_id, log=log, at=at, with_people=with_people)
    written, kept = dict(ground.written), dict(ground.kept)
    done = 0
    for batch in _batches(log.orders(), BATCH):
        counts = write_orders(site_id=site_id, orders=batch, ground=ground, at=at)
        for name, count in counts.written.items():
            written[name] = written.get(name, 0) + count
        for name, count in counts.kept.items():
            kept[name] = kept.get(name, 0) + count
        done += len(batch)
        progress("orders written", done)
    audit.record(
        actor=actor, action="log.imported", at=at, site_id=site_id, object_kind="log", object_id=log.path.name[:80],
        written=written, kept=kept,
    )  # fmt: skip
    return Imported(written, kept)


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, size)):
        yield batch
