"""Uploading product files: kept in pieces, planned at once when small, by the worker when large."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engineering.models import ImportPiece, ProductImport
from yuheng.engineering.services.access import EDIT, record
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible

KINDS = ("materials", "boms", "routings")
LARGEST_FILE = 512 * 1024 * 1024
KEPT = timedelta(days=1)


@transaction.atomic
def keep_upload(
    *, actor: Actor, site_id: int, kind: str, file_name: str, pieces: Iterable[bytes], at: datetime
) -> ProductImport:
    """Keep a file for its dry run; nothing else is written.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        It is empty, too large, or of no known kind.
    """
    actor.require(EDIT, site_id=site_id)
    if kind not in KINDS:
        raise InvalidInput(_("A file holds one of: %(known)s.") % {"known": ", ".join(KINDS)})
    ProductImport.objects.filter(created_at__lt=at - KEPT).exclude(phase="applying").delete()
    row = ProductImport.objects.create(
        site_id=site_id, kind=kind, file_name=file_name[-200:], person_name=actor.name, created_at=at, updated_at=at
    )
    size = 0
    for rank, piece in enumerate(pieces):
        size += len(piece)
        if size > LARGEST_FILE:
            raise InvalidInput(_("The file is larger than 512 MB. Split it."))
        ImportPiece.objects.create(product_import=row, rank=rank, content=piece)
    if not size:
        raise InvalidInput(_("Choose a file first."))
    row.size_bytes = size
    row.save(update_fields=["size_bytes"])
    record(actor, site_id, "engineering.import_uploaded", "import", row.pk, at, file=kind, name=file_name[-200:])
    return row


@transaction.atomic
def request_apply(
    *, actor: Actor, import_id: int, plan_sha256: str, leave_out_refused: bool = False, at: datetime
) -> ProductImport:
    """Ask for what the dry run with this fingerprint said.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        It is not planned, the dry run is another by now, or rows are refused and are not left out.
    """
    found = ProductImport.objects.visible_to(actor).select_for_update().filter(pk=import_id)
    row: ProductImport | None = found.first()
    if row is None:
        raise NotVisible(_("There is no such import here."))
    actor.require(EDIT, site_id=row.site_id)
    if row.phase != "planned":
        raise Conflict(_("This file waits for its dry run, or was applied already."))
    if row.plan_sha256 != plan_sha256:
        raise Conflict(_("The products changed since the dry run. Look at the new dry run and apply that."))
    if row.counts.get("refuse") and not leave_out_refused:
        raise Conflict(_("Some rows are refused. Correct the file, or choose to leave those rows out."))
    row.phase, row.rows_done, row.leave_out_refused, row.updated_at = "applying", 0, leave_out_refused, at
    row.requested_by = {
        "kind": actor.kind,
        "name": actor.name,
        "person_id": actor.person_id,
        "impersonator": actor.impersonator,
    }
    row.save()
    return row
