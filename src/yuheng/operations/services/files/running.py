"""The dry run of a file and its application: row after row, told how far, stopped when somebody wants it stopped."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
from django.db import connection, transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor, system_actor
from yuheng.kernel.errors import Conflict, DomainError
from yuheng.kernel.models import Site
from yuheng.operations.models import OrderFile, OrderFilePiece, OrderFileRow
from yuheng.operations.rules.files import FileKind, Phase
from yuheng.operations.services.files import logs
from yuheng.operations.services.files.reading import (
    AT_ONCE,
    COLUMNS,
    RefusedRows,
    Tell,
    fingerprint,
    groups,
    keep_refused,
    on_disk,
    rows_of,
    stage,
)
from yuheng.operations.services.files.stock_rows import StockTaker
from yuheng.operations.services.order_rows import ImportAction, OrderTaker, changed_since
from yuheng.operations.tables import TableRow

KEPT_OF_EACH = 500
EACH_IS_TOLD = 1_000
"""Of a file with more rows than this, those who listen are told of many new orders at once."""


class Stopped(Exception):
    """Somebody asked that a file be left."""


class Outcome:
    """What a file does, as it becomes known: counts, fingerprint, the first of each action, all refused rows."""

    def __init__(self, refused: RefusedRows) -> None:
        self.counts: Counter[str] = Counter()
        self.digest = hashlib.sha256()
        self.first: list[tuple[int, str, str, str]] = []
        self.refused = refused
        self.rows = 0

    def note(self, rows: list[TableRow], key: str, action: ImportAction, reason: str) -> None:
        """Take one order or receipt."""
        line = rows[0].line
        self.digest.update(json.dumps([line, key, action.value, reason]).encode())
        self.counts[action.value] += 1
        if self.counts[action.value] <= KEPT_OF_EACH:
            self.first.append((line, action.value, key[:200], reason))
        if action is ImportAction.REFUSE:
            self.refused.add(rows, reason)
        self.rows += len(rows)


def _silent(_done: int, _total: int | None) -> None:
    pass


class _Teller:
    """Says how far a file is, in transactions of its own, and hears whether it is to be stopped."""

    def __init__(self, pk: int) -> None:
        self.pk = pk
        self._told = -1
        parameters = connection.get_connection_params()
        own = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
        self._connection = psycopg.connect(**own, autocommit=True)

    def tell(self, done: int, total: int | None) -> None:
        """Write how far it is. Raises `Stopped`."""
        found = self._connection.execute(
            "UPDATE operations_orderfile SET rows_done = %s, rows_total = COALESCE(%s, rows_total), updated_at = %s "
            "WHERE id = %s RETURNING is_cancelled",
            (done, total, datetime.now(UTC), self.pk),
        ).fetchone()
        if found is not None and found[0]:
            raise Stopped

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def plan(row: OrderFile, *, at: datetime, tells: bool, tell: Tell = _silent) -> None:
    """Say what a file would do, and keep it: ``planned`` then, ``failed``, or ``cancelled``.

    ``tells``: say how far it is while it goes on, over a connection of its own; else ``tell`` is told.
    """
    teller = _Teller(row.pk) if tells else None
    tell = teller.tell if teller else tell
    try:
        with on_disk(row) as path, tempfile.TemporaryDirectory(prefix="yuheng-refused-") as folder:
            refused = Path(folder) / "refused.csv"
            if row.kind == FileKind.LOG:
                found = logs.look(row, path, refused, tell, at=at)
                row.report, row.refused_rows, row.rows_total = found.report, found.refused, found.rows
                row.counts, row.plan_sha256, kept = found.counts, found.sha256, []
            else:
                outcome = _planned(row, path, refused, tell, at)
                row.counts, row.plan_sha256 = dict(outcome.counts), outcome.digest.hexdigest()
                row.rows_total, row.refused_rows, kept = outcome.rows, outcome.refused.count, outcome.first
            row.phase, row.trouble, row.rows_done, row.updated_at = Phase.PLANNED, "", row.rows_total or 0, at
            with transaction.atomic():
                _save(row)
                keep_refused(row, refused, row.refused_rows)
                row.rows.all().delete()
                OrderFileRow.objects.bulk_create(
                    [OrderFileRow(order_file=row, line=a, action=b, key=c, reason=d) for a, b, c, d in kept]
                )
    except Stopped:
        _leave(row, Phase.CANCELLED, "", at)
    except KeyboardInterrupt:
        _leave(row, Phase.CANCELLED, "", at)
        raise
    except (DomainError, logs.Unreadable) as error:
        _leave(row, Phase.FAILED, str(error), at)
    finally:
        if teller is not None:
            teller.close()


def _planned(row: OrderFile, path: Path, refused: Path, tell: Tell, at: datetime) -> Outcome:
    with refused.open("w", encoding="utf-8-sig", newline="") as file:
        outcome = Outcome(RefusedRows(file, COLUMNS[row.kind]))
        with transaction.atomic():
            _carry_out(row, path, outcome, tell, at, is_writing=False)
            transaction.set_rollback(True)
    return outcome


def apply(row: OrderFile, *, at: datetime, tells: bool, tell: Tell = _silent) -> None:
    """Do what the dry run said, whole or not at all; ``applied`` then, or ``planned`` again with why not.

    An event log is written in batches, each whole; stopped or refused half way, what was written stays.
    """
    teller = _Teller(row.pk) if tells else None
    tell = teller.tell if teller else tell
    try:
        with on_disk(row) as path:
            if row.kind == FileKind.LOG:
                row.report = {**row.report, **logs.write(row, path, actor_of(row), tell, at=at)}
                with transaction.atomic():
                    _applied(row, at)
            else:
                with transaction.atomic():
                    _write(row, path, tell, at)
    except Stopped:
        _leave(row, Phase.CANCELLED, "", at)
    except KeyboardInterrupt:
        _leave(row, Phase.CANCELLED, "", at)
        raise
    except (DomainError, logs.Unreadable) as error:
        _leave(row, Phase.PLANNED, str(error), at)
    finally:
        if teller is not None:
            teller.close()


def _write(row: OrderFile, path: Path, tell: Tell, at: datetime) -> None:
    actor = actor_of(row)
    Site.objects.select_for_update(no_key=True).get(pk=row.site_id)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as nowhere:
        outcome = Outcome(RefusedRows(nowhere, COLUMNS[row.kind]))
        _carry_out(row, path, outcome, tell, at, is_writing=True)
    if outcome.digest.hexdigest() != row.plan_sha256:
        raise changed_since()
    if outcome.counts[ImportAction.REFUSE] and not row.leave_out_refused:
        raise some_are_refused()
    audit.record(
        actor=actor, action="orders.imported", at=at, site_id=row.site_id, object_kind=row.kind, object_id=row.pk,
        counts=dict(outcome.counts), name=row.file_name,
    )  # fmt: skip
    _applied(row, at)


def _applied(row: OrderFile, at: datetime) -> None:
    OrderFilePiece.objects.filter(order_file=row, is_refused=False).delete()
    row.phase, row.trouble, row.rows_done, row.updated_at = Phase.APPLIED, "", row.rows_total or 0, at
    _save(row)


def _carry_out(row: OrderFile, path: Path, outcome: Outcome, tell: Tell, at: datetime, *, is_writing: bool) -> None:
    zone = ZoneInfo(Site.objects.values_list("time_zone", flat=True).get(pk=row.site_id))
    actor, rows = actor_of(row), rows_of(path, row.kind)
    if row.kind == FileKind.STOCK:
        _take_stock(StockTaker(actor, row.site_id, zone, fingerprint(path)[:32], at), rows, outcome, tell)
        return
    total = stage(rows, tell)
    taker = OrderTaker(
        actor=actor, site_id=row.site_id, zone=zone, at=at, is_writing=is_writing, tells_each=total <= EACH_IS_TOLD
    )
    for batch in groups():
        tell(outcome.rows, total)
        for taken in taker.take(batch):
            outcome.note(list(taken.group.rows), taken.group.code, taken.action, taken.reason)
    tell(outcome.rows, total)


def _take_stock(taker: StockTaker, rows: Iterator[TableRow], outcome: Outcome, tell: Tell) -> None:
    for one in rows:
        key, action, reason = taker.take(one)
        outcome.note([one], key, action, reason)
        if outcome.rows % (AT_ONCE // 10) == 0:
            tell(outcome.rows, None)


def some_are_refused() -> Conflict:
    """Return the refusal of a file with refused rows that nobody wants to leave out."""
    return Conflict(_("Some rows are refused. Correct the file, or choose to leave those rows out."))


def _leave(row: OrderFile, phase: Phase, trouble: str, at: datetime) -> None:
    row.phase, row.trouble, row.updated_at = phase, trouble, at
    row.rows_done = 0 if phase is Phase.PLANNED else row.rows_done
    with transaction.atomic():
        if phase is not Phase.PLANNED:
            OrderFilePiece.objects.filter(order_file=row, is_refused=False).delete()
        _save(row)


def _save(row: OrderFile) -> None:
    row.save(
        update_fields=[
            "phase", "trouble", "rows_total", "rows_done", "refused_rows", "counts", "report", "plan_sha256",
            "updated_at",
        ]
    )  # fmt: skip


def wish_of(actor: Actor, site_id: int) -> Mapping[str, object]:
    """Return who asks, as it is kept with a file: the worker does it as them, with what they may do now."""
    return {
        "kind": actor.kind, "name": actor.name, "person_id": actor.person_id, "impersonator": actor.impersonator,
        "everywhere": sorted(actor.permissions.get(0, ())), "here": sorted(actor.permissions.get(site_id, ())),
    }  # fmt: skip


def actor_of(row: OrderFile) -> Actor:
    """Return who asked for a file."""
    asked = row.requested_by
    if asked.get("kind") == "system":
        return system_actor(asked["name"])
    return Actor(
        kind=asked.get("kind", "person"),
        name=asked.get("name", row.person_name),
        person_id=asked.get("person_id"),
        permissions={0: frozenset(asked.get("everywhere", ())), row.site_id: frozenset(asked.get("here", ()))},
        impersonator=asked.get("impersonator", ""),
    )
