"""Files of orders, of stock, or of a plant's past: given, looked at, applied, stopped, their refused rows tried again.

Nothing of a file is in memory whole. A small one is looked at and applied while the person waits, a larger one by the
worker, which says how far it is and hears when it is to stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engines.eventlog import DateOrder
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.models import OrderFile, OrderFilePiece
from yuheng.operations.rules.files import KINDS, MOVING, FileKind, Phase
from yuheng.operations.services.access import MOVE, ORDERS, locked
from yuheng.operations.services.files.reading import Tell
from yuheng.operations.services.files.running import apply, plan, some_are_refused, wish_of
from yuheng.operations.services.order_rows import changed_since

__all__ = [
    "SMALL_BYTES", "apply_file", "apply_here", "cancel_file", "give_file", "run_here", "try_refused_again", "work_once",
]  # fmt: skip

SMALL_BYTES = 128 * 1024
"""A file up to here is looked at and applied while the person waits; a larger one by the worker."""
LARGEST_FILE = 512 * 1024 * 1024
KEPT = timedelta(days=30)
PERMISSION_OF = {FileKind.ORDERS: ORDERS, FileKind.STOCK: MOVE, FileKind.LOG: ORDERS}


def give_file(
    *,
    actor: Actor,
    site_id: int,
    kind: str,
    file_name: str,
    pieces: Iterable[bytes],
    at: datetime,
    wish: Mapping[str, Any] | None = None,
) -> OrderFile:
    """Keep a file; a small one is looked at at once. Nothing else is written.

    ``wish`` of an event log: ``columns`` (role -> column), ``zone``, ``dates``, ``order_type``, ``with_people``.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        It is empty, too large, of no known kind, or what was chosen with it is not possible.
    """
    with transaction.atomic():  # the worker sees a small file only once it is looked at
        row = _keep(actor, site_id, kind, file_name, pieces, at, _clean_wish(wish or {}), None)
        if row.size_bytes <= SMALL_BYTES:
            plan(row, at=at, tells=False)
    return row


@transaction.atomic
def _keep(
    actor: Actor,
    site_id: int,
    kind: str,
    file_name: str,
    pieces: Iterable[bytes],
    at: datetime,
    wish: Mapping[str, Any],
    replays: OrderFile | None,
) -> OrderFile:
    if kind not in KINDS:
        raise InvalidInput(_("A file holds one of: %(known)s.") % {"known": ", ".join(KINDS)}, {"kind": kind[:40]})
    actor.require(PERMISSION_OF[FileKind(kind)], site_id=site_id)
    OrderFile.objects.filter(created_at__lt=at - KEPT).exclude(phase__in=[one.value for one in MOVING]).delete()
    row = OrderFile.objects.create(
        site_id=site_id,
        kind=kind,
        file_name=Path(file_name).name[-200:] or "file",
        person_name=actor.name,
        requested_by=wish_of(actor, site_id),
        wish=dict(wish),
        replays=replays,
        created_at=at,
        updated_at=at,
    )
    for rank, piece in enumerate(pieces):
        row.size_bytes += len(piece)
        if row.size_bytes > LARGEST_FILE:
            raise InvalidInput(_("The file is larger than 512 MB. Split it."))
        OrderFilePiece.objects.create(order_file=row, rank=rank, content=piece)
    if not row.size_bytes:
        raise InvalidInput(_("Choose a file first."), {"file": _("Choose a file first.")})
    row.save(update_fields=["size_bytes"])
    _audit(row, "give", actor, at, file=row.file_name, kind=kind)
    return row


def _clean_wish(wish: Mapping[str, Any]) -> dict[str, Any]:
    wrong: dict[str, str] = {}
    if zone := str(wish.get("zone") or ""):
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            wrong["zone"] = _("There is no such time zone; write one such as Asia/Shanghai.")
    if (dates := str(wish.get("dates") or "")) and dates not in {one.value for one in DateOrder}:
        wrong["dates"] = _("Choose one of: %(known)s.") % {"known": ", ".join(one.value for one in DateOrder)}
    columns = wish.get("columns") or {}
    if not isinstance(columns, Mapping) or len(str(columns)) > 4_000:
        wrong["columns"] = _("Columns are written as what=column.")
    if wrong:
        raise InvalidInput(_("This cannot be read so."), wrong)
    return {
        "zone": zone,
        "dates": dates,
        "columns": {str(name): str(column) for name, column in columns.items()},
        "order_type": str(wish.get("order_type") or "")[:200],
        "with_people": bool(wish.get("with_people", True)),
    }


def apply_file(
    *, actor: Actor, file_id: int, plan_sha256: str, leave_out_refused: bool = False, at: datetime
) -> OrderFile:
    """Do what the dry run with this fingerprint said: at once when the file is small, else the worker does.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        It is not looked at, the dry run is another by now, or rows are refused and are not left out.
    """
    with transaction.atomic():
        row = _locked(actor, file_id)
        _may_apply(row, plan_sha256, leave_out_refused=leave_out_refused)
        row.phase, row.rows_done, row.updated_at = Phase.APPLYING, 0, at
        row.leave_out_refused, row.is_cancelled = leave_out_refused, False
        row.requested_by = wish_of(actor, row.site_id)
        row.save()
        _audit(row, "apply", actor, at, name=row.file_name)
        if row.size_bytes <= SMALL_BYTES:
            apply(row, at=at, tells=False)
    return row


@transaction.atomic
def cancel_file(*, actor: Actor, file_id: int, at: datetime) -> OrderFile:
    """Leave a file: nothing more of it is done, and what an application had written is taken back.

    Batches of an event log that are written stay. Raises `PermissionRefused`, `NotVisible`, `Conflict`: it is over.
    """
    row = _locked(actor, file_id)
    if row.phase not in (*MOVING, Phase.PLANNED):
        raise Conflict(_("This file is over already."))
    row.is_cancelled, row.updated_at = True, at
    if row.phase == Phase.PLANNED:
        row.phase = Phase.CANCELLED
        row.pieces.filter(is_refused=False).delete()
    row.save(update_fields=["is_cancelled", "phase", "updated_at"])
    _audit(row, "cancel", actor, at, name=row.file_name)
    return row


def try_refused_again(*, actor: Actor, file_id: int, at: datetime) -> OrderFile:
    """Give the refused rows of a file as a file of their own, once what they lacked is there.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        Nothing of it was refused, or it is an event log: that is given whole again.
    """
    with transaction.atomic():
        row = _locked(actor, file_id)
    if row.kind == FileKind.LOG:
        raise Conflict(_("Correct the log and give it whole again: what is there already stays as it is."))
    ranks = list(row.pieces.filter(is_refused=True).order_by("rank").values_list("pk", flat=True))
    if not ranks:
        raise Conflict(_("Nothing of this file was refused."))
    pieces = (bytes(OrderFilePiece.objects.values_list("content", flat=True).get(pk=pk)) for pk in ranks)
    name = f"{Path(row.file_name).stem[:150]}-refused.csv"
    with transaction.atomic():
        made = _keep(actor, row.site_id, row.kind, name, pieces, at, {}, row)
        if made.size_bytes <= SMALL_BYTES:
            plan(made, at=at, tells=False)
    return made


def run_here(
    *, actor: Actor, site_id: int, kind: str, file_name: str, pieces: Iterable[bytes], at: datetime, tell: Tell
) -> OrderFile:
    """Give a file and look at it in this process, however large it is; ``tell`` hears how far it is. As `give_file`.

    The worker is not asked: to it the file is looked at already.
    """
    with transaction.atomic():
        row = _keep(actor, site_id, kind, file_name, pieces, at, _clean_wish({}), None)
        row.phase = Phase.HELD
        row.save(update_fields=["phase"])
    plan(row, at=at, tells=False, tell=tell)
    return row


def apply_here(*, actor: Actor, file_id: int, leave_out_refused: bool, at: datetime, tell: Tell) -> OrderFile:
    """Apply a file in this process. As `apply_file`."""
    with transaction.atomic():
        row = _locked(actor, file_id)
        _may_apply(row, row.plan_sha256, leave_out_refused=leave_out_refused)
        row.phase, row.leave_out_refused, row.requested_by = Phase.HELD, leave_out_refused, wish_of(actor, row.site_id)
        row.save()
        _audit(row, "apply", actor, at, name=row.file_name)
    apply(row, at=at, tells=False, tell=tell)
    return row


def _may_apply(row: OrderFile, plan_sha256: str, *, leave_out_refused: bool) -> None:
    if row.phase != Phase.PLANNED:
        raise Conflict(_("This file waits for its dry run, or is over already."))
    if row.plan_sha256 != plan_sha256:
        raise changed_since()
    if row.refused_rows and not leave_out_refused:
        raise some_are_refused()


def work_once(*, at: datetime) -> bool:
    """Look at or apply the oldest file that waits; return whether there was one. For the worker.

    What was interrupted is begun again: orders and stock are written in one transaction, and of an event log what is
    there already stays as it is.
    """
    row = OrderFile.objects.filter(phase__in=[one.value for one in MOVING]).order_by("pk").first()
    if row is None:
        return False
    if row.phase == Phase.WAITING:
        plan(row, at=at, tells=True)
    else:
        apply(row, at=at, tells=True)
    return True


def _locked(actor: Actor, file_id: int) -> OrderFile:
    known = OrderFile.objects.visible_to(actor).filter(pk=file_id).values_list("kind", flat=True).first()
    permission = PERMISSION_OF[FileKind(known)] if known is not None else ORDERS
    return locked(OrderFile, actor=actor, pk=file_id, permission=permission)


def _audit(row: OrderFile, action: str, actor: Actor, at: datetime, **detail: Any) -> None:
    audit.record(
        actor=actor, action=f"order_file.{action}", at=at, site_id=row.site_id, object_kind="order_file",
        object_id=row.pk, **detail,
    )  # fmt: skip
