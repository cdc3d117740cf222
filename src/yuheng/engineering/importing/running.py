"""A dry run and its application, from the pieces of an uploaded file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import psycopg
from django.db import connection, transaction
from django.utils.translation import gettext as _

from yuheng.engineering.events import MaterialChanged
from yuheng.engineering.importing.files import read_rows
from yuheng.engineering.importing.planning import ADD, CHANGE, COLUMNS, REFUSE, steps
from yuheng.engineering.models import ImportedRow, ImportPiece, ProductImport
from yuheng.engineering.services.access import EDIT, VIEW, record
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, DomainError
from yuheng.kernel.events import publish
from yuheng.kernel.models import Site

KEPT_OF_EACH = 200
TOLD_EVERY = 5_000


def pieces_of(row: ProductImport) -> Callable[[], Iterable[bytes]]:
    """Return what gives the file from its beginning, a piece at a time."""

    def give() -> Iterable[bytes]:
        ranks = ImportPiece.objects.filter(product_import=row).order_by("rank").values_list("pk", flat=True)
        for pk in list(ranks):
            yield bytes(ImportPiece.objects.values_list("content", flat=True).get(pk=pk))

    return give


def plan(row: ProductImport, *, at: datetime) -> None:
    """Say what a file would do, and keep the first rows of every action; ``planned`` then, or ``failed``."""
    counts: Counter[str] = Counter()
    digest = hashlib.sha256()
    done = 0
    row.rows.all().delete()
    try:
        raw = read_rows(pieces_of(row), row.file_name, COLUMNS[row.kind])
        for step in steps(row.kind, row.site_id, raw):
            kept = []
            for outcome in step.outcomes:
                digest.update(outcome.digest())
                counts[outcome.action] += 1
                if counts[outcome.action] <= KEPT_OF_EACH:
                    kept.append(
                        ImportedRow(
                            product_import=row,
                            line=outcome.line,
                            action=outcome.action,
                            key=outcome.key[:200],
                            changes=outcome.changes,
                            reason=outcome.reason,
                        )
                    )
            ImportedRow.objects.bulk_create(kept)
            if (done + len(step.outcomes)) // TOLD_EVERY > done // TOLD_EVERY:
                ProductImport.objects.filter(pk=row.pk).update(rows_done=done, counts=dict(counts))
            done += len(step.outcomes)
    except DomainError as error:
        row.phase, row.trouble = "failed", str(error)
    else:
        row.phase, row.trouble = "planned", ""
    row.counts, row.rows_total, row.rows_done = dict(counts), done, done
    row.plan_sha256, row.updated_at = digest.hexdigest(), at
    row.save()


def apply(row: ProductImport, *, at: datetime, tells: bool) -> None:
    """Do what the dry run said, whole or not at all; its phase becomes ``applied``, or ``planned`` again with why not.

    ``tells``: say how far it is while it goes on, over a connection of its own: the transaction hides its own rows.
    """
    actor = _actor_of(row)
    teller = _Teller(row.pk) if tells else None
    try:
        with transaction.atomic():
            _write(row, actor, at, teller)
    except DomainError as error:
        row.phase, row.trouble, row.rows_done = "planned", str(error), 0
        row.save(update_fields=["phase", "trouble", "rows_done"])
    finally:
        if teller is not None:
            teller.close()


def _write(row: ProductImport, actor: Actor, at: datetime, teller: _Teller | None) -> None:
    Site.objects.select_for_update(no_key=True).get(pk=row.site_id)
    digest, counts, done = hashlib.sha256(), Counter[str](), 0
    raw = read_rows(pieces_of(row), row.file_name, COLUMNS[row.kind])
    for step in steps(row.kind, row.site_id, raw):
        for outcome in step.outcomes:
            digest.update(outcome.digest())
            counts[outcome.action] += 1
        if any(outcome.action in (ADD, CHANGE) for outcome in step.outcomes):
            step.write(actor, at)
        done += len(step.outcomes)
        if teller is not None:
            teller.tell(done)
    if digest.hexdigest() != row.plan_sha256:
        raise Conflict(_("The products changed since the dry run. Look at the new dry run and apply that."))
    if counts[REFUSE] and not row.leave_out_refused:
        raise Conflict(_("Some rows are refused. Correct the file, or choose to leave those rows out."))
    row.pieces.all().delete()
    row.phase, row.trouble, row.rows_done, row.updated_at = "applied", "", done, at
    row.save(update_fields=["phase", "trouble", "rows_done", "updated_at"])
    publish(MaterialChanged(site_id=row.site_id, material_id=None, change="imported"), at=at)
    counted = dict(counts)
    record(actor, row.site_id, "engineering.imported", "import", row.pk, at, file=row.kind, counts=counted)


def _actor_of(row: ProductImport) -> Actor:
    asked = row.requested_by
    return Actor(
        kind=asked.get("kind", "person"),
        name=asked.get("name", row.person_name),
        person_id=asked.get("person_id"),
        permissions={row.site_id: frozenset({EDIT, VIEW})},
        impersonator=asked.get("impersonator", ""),
    )


class _Teller:
    """Says how far an application is, in a transaction of its own."""

    def __init__(self, pk: int) -> None:
        self.pk = pk
        self.told = 0
        parameters = connection.get_connection_params()
        own = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
        self.connection = psycopg.connect(**own, autocommit=True)

    def tell(self, done: int) -> None:
        """Write the progress now and then."""
        if done - self.told >= TOLD_EVERY:
            self.told = done
            self.connection.execute(
                "UPDATE engineering_productimport SET rows_done = %s, updated_at = %s WHERE id = %s",
                (done, datetime.now(UTC), self.pk),
            )

    def close(self) -> None:
        """End the connection."""
        self.connection.close()
