"""Orders and stock from files: a dry run that says what each row would do, then exactly that, in one transaction.

The dry run *is* the import, rolled back: what it says is what happens.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

from django.db import transaction

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.models import Site
from yuheng.operations.services.access import MOVE, ORDERS
from yuheng.operations.services.files.reading import AT_ONCE, COLUMNS, REQUIRED, TOLD_BACK
from yuheng.operations.services.files.running import EACH_IS_TOLD, some_are_refused
from yuheng.operations.services.files.stock_rows import StockTaker
from yuheng.operations.services.order_rows import Group, ImportAction, OrderTaker, changed_since
from yuheng.operations.tables import TableRow, read_table

__all__ = ["ImportAction", "ImportKind", "ImportPlan", "ImportRow", "apply_import", "plan_import"]


class ImportKind(StrEnum):
    """What a file holds."""

    ORDERS = "orders"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One order, or one receipt: where it stands in the file, what becomes of it, and why not."""

    line: int
    key: str
    action: ImportAction
    reason: str


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What a file does; ``sha256`` is the fingerprint by which it is applied."""

    rows: tuple[ImportRow, ...]
    counts: dict[str, int]
    sha256: str


def plan_import(*, actor: Actor, site_id: int, kind: ImportKind, content: bytes, at: datetime) -> ImportPlan:
    """Say what a file would do; nothing is written.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The file cannot be read.
    """
    with transaction.atomic():
        plan = _carry_out(actor, site_id, kind, content, at)
        transaction.set_rollback(True)
    return plan


@transaction.atomic
def apply_import(
    *,
    actor: Actor,
    site_id: int,
    kind: ImportKind,
    content: bytes,
    plan_sha256: str,
    at: datetime,
    leave_out_refused: bool = False,
) -> ImportPlan:
    """Do exactly what the dry run with this fingerprint said.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        Something changed since, or rows are refused and leaving them out was not asked for.
    """
    Site.objects.select_for_update(no_key=True).filter(pk=site_id).first()
    plan = _carry_out(actor, site_id, kind, content, at)
    if plan.sha256 != plan_sha256:
        raise changed_since()
    if plan.counts[ImportAction.REFUSE.value] and not leave_out_refused:
        raise some_are_refused()
    audit.record(
        actor=actor, action="orders.imported", at=at, site_id=site_id, object_kind=kind.value, counts=plan.counts
    )
    return plan


def _carry_out(actor: Actor, site_id: int, kind: ImportKind, content: bytes, at: datetime) -> ImportPlan:
    actor.require(ORDERS if kind is ImportKind.ORDERS else MOVE, site_id=site_id)
    zone = ZoneInfo(Site.objects.values_list("time_zone", flat=True).get(pk=site_id))
    columns, required = frozenset({*COLUMNS[kind.value], *TOLD_BACK}), frozenset(REQUIRED[kind.value])
    rows = read_table(content, columns=columns, required=required)
    if kind is ImportKind.ORDERS:
        done = _orders(actor, site_id, rows, zone, at)
    else:
        taker = StockTaker(actor, site_id, zone, hashlib.sha256(content).hexdigest()[:32], at)
        done = [ImportRow(row.line, *taker.take(row)) for row in rows]
    counted = Counter(row.action.value for row in done)
    told = [[row.line, row.key, row.action.value, row.reason] for row in done]
    fingerprint = hashlib.sha256(json.dumps([site_id, kind.value, told]).encode()).hexdigest()
    return ImportPlan(tuple(done), {action.value: counted[action.value] for action in ImportAction}, fingerprint)


def _orders(actor: Actor, site_id: int, rows: Sequence[TableRow], zone: ZoneInfo, at: datetime) -> list[ImportRow]:
    by_order: dict[str, list[TableRow]] = {}
    for row in rows:
        by_order.setdefault(row.get("order"), []).append(row)
    taker = OrderTaker(
        actor=actor, site_id=site_id, zone=zone, at=at, is_writing=True, tells_each=len(rows) <= EACH_IS_TOLD
    )
    found = []
    for batch in batched((Group(code, lines) for code, lines in by_order.items()), AT_ONCE):
        found += [
            ImportRow(one.group.rows[0].line, one.group.code, one.action, one.reason) for one in taker.take(batch)
        ]
    return found


def batched(groups: Iterable[Group], size: int) -> Iterator[list[Group]]:
    """Yield so many at a time."""
    rest = iter(groups)
    while batch := list(islice(rest, size)):
        yield batch
