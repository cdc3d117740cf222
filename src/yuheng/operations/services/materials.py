"""The floor's verbs on material of a job order: use a lot, give it back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.operations.models import JobOrder, MaterialLot, MaterialRequirement, StockLocation
from yuheng.operations.rules import BEGUN, Act, Command, JobState, LocationKind, MovementKind, ResponseKind
from yuheng.operations.services import ledger
from yuheng.operations.services.access import EXECUTE, locked_job
from yuheng.operations.services.facts import Done, done, note_audit, repeated, respond, when
from yuheng.operations.services.refusals import impossible, number


@transaction.atomic
def consume_material(
    *,
    actor: Actor,
    job_order_id: int,
    lot: str,
    quantity: Decimal | int,
    at: datetime,
    unit: str = "",
    requirement_id: int | None = None,
    location_id: int | None = None,
    reason: str = "",
    act: Act = Act(),
) -> Done:
    """Use material of a lot for a job order: out of stock, onto the record of the job. Needs ``operations.execute``.

    Parameters
    ----------
    lot
        What was scanned: the lot's URI, its code, or a serial number.
    quantity
        In ``unit``; "" means the material's own.
    requirement_id, location_id
        Which line of the list, and where it lies; None: found.
    reason
        Needed for material that is not on the list, and for more than the list says.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        The job has not begun, the lot is blocked or expired, there is less in stock.
    """
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.CONSUMED)) is not None:
        return known
    if JobState(job.state) not in BEGUN or job.substate == "suspended":
        raise impossible(job, Command.STOP)
    rows = _requirements(job)
    found = ledger.find_lot(site_id=job.site_id, text=lot, prefer=[row.material_id for row in rows])
    ledger.check_usable(found, at)
    amount = in_own_unit(found, quantity, unit)
    line = _line_of(rows, found, requirement_id)
    _check_plan(job, line, found, amount, reason)
    place = (
        location_of(job.site_id, location_id)
        if location_id is not None
        else ledger.where_it_lies(found, amount, beside=job.work_unit_id)
    )
    row = respond(
        job, ResponseKind.CONSUMED, actor=actor, at=at, happened=happened, act=act,
        lot=found, requirement=line, quantity=amount, reason=reason.strip()[:80],
    )  # fmt: skip
    ledger.write_movement(
        found, MovementKind.ISSUE, amount, actor=actor, at=at, happened=happened, from_location=place,
        job_order=job, request_id=job.request_id, requirement=line, response=row, reason=reason.strip()[:80],
    )  # fmt: skip
    if line is not None:
        note_issue(line, amount)
    note_audit(job, "consume", actor=actor, at=at, lot=found.code, quantity=number(amount), reason=reason.strip())
    return done(job, row.pk, material_code=found.material.code)


@transaction.atomic
def return_material(
    *,
    actor: Actor,
    job_order_id: int,
    lot: str,
    quantity: Decimal | int,
    at: datetime,
    unit: str = "",
    requirement_id: int | None = None,
    location_id: int | None = None,
    reason: str = "",
    act: Act = Act(),
) -> Done:
    """Give back material that a job order took and did not use. Raises as `consume_material`."""
    job = locked_job(actor=actor, job_order_id=job_order_id, permission=EXECUTE)
    happened = when(act, at)
    if (known := repeated(job, act, ResponseKind.RETURNED)) is not None:
        return known
    rows = _requirements(job)
    found = ledger.find_lot(site_id=job.site_id, text=lot, prefer=[row.material_id for row in rows])
    amount = in_own_unit(found, quantity, unit)
    used = ledger.net_use(job.pk, found.pk)
    if amount > used:
        raise Conflict(
            _("Job %(job)s used %(used)s of lot %(lot)s; more than that cannot come back.")
            % {"job": job.code, "used": number(used), "lot": found.code}
        )
    line = _line_of(rows, found, requirement_id)
    place = (
        location_of(job.site_id, location_id)
        if location_id is not None
        else ledger.default_location(job.site_id, LocationKind.STORE)
    )
    row = respond(
        job, ResponseKind.RETURNED, actor=actor, at=at, happened=happened, act=act,
        lot=found, requirement=line, quantity=amount, reason=reason.strip()[:80],
    )  # fmt: skip
    ledger.write_movement(
        found, MovementKind.RETURN, amount, actor=actor, at=at, happened=happened, to_location=place,
        job_order=job, request_id=job.request_id, requirement=line, response=row, reason=reason.strip()[:80],
    )  # fmt: skip
    if line is not None:
        note_issue(line, -amount)
    note_audit(job, "return", actor=actor, at=at, lot=found.code, quantity=number(amount))
    return done(job, row.pk, material_code=found.material.code)


def in_own_unit(lot: MaterialLot, quantity: Decimal | int, unit: str) -> Decimal:
    """Return a quantity in the material's unit. Raises `InvalidInput` when the units measure different things."""
    amount = ledger.clean_quantity(quantity)
    if unit and unit != lot.material.unit:
        amount = ledger.clean_quantity(amount * engineering.unit_factor(material_id=lot.material_id, unit=unit))
    if lot.kind == "instance" and amount != 1:
        raise InvalidInput(_("A serial number is one piece."), {"quantity": _("Give 1.")})
    return amount


def location_of(site_id: int, location_id: int) -> StockLocation:
    """Return a location of the site that is in use. Raises `NotVisible`."""
    found: StockLocation | None = StockLocation.objects.filter(
        pk=location_id, site_id=site_id, retired_at__isnull=True
    ).first()
    if found is None:
        raise NotVisible(_("There is no such stock location here."))
    return found


def note_issue(line: MaterialRequirement, amount: Decimal) -> None:
    """Count what was taken for a line of the list; the row is locked by the request it belongs to."""
    line.issued = max(Decimal(0), line.issued + amount)
    line.is_open = line.issued < line.quantity
    line.save(update_fields=["issued", "is_open"])


def _requirements(job: JobOrder) -> list[MaterialRequirement]:
    """Return the lines of this job order, then those of its request that belong to none."""
    rows = MaterialRequirement.objects.filter(request_id=job.request_id).select_related("material").order_by("pk")
    own = [row for row in rows if row.job_order_id == job.pk]
    siblings = [row for row in rows if row.job_order_id != job.pk]
    return own + siblings


def _line_of(
    rows: list[MaterialRequirement], lot: MaterialLot, requirement_id: int | None
) -> MaterialRequirement | None:
    if requirement_id is not None:
        line = next((row for row in rows if row.pk == requirement_id), None)
        if line is None:
            raise NotVisible(_("There is no such line in the list of material."))
        return line
    of_material = [row for row in rows if row.material_id == lot.material_id]
    return next((row for row in of_material if row.issued < row.quantity), of_material[0] if of_material else None)


def _check_plan(
    job: JobOrder, line: MaterialRequirement | None, lot: MaterialLot, amount: Decimal, reason: str
) -> None:
    """Refuse what the list does not ask for, unless a reason is given."""
    if reason.strip():
        return
    if line is None or line.material_id != lot.material_id:
        raise Conflict(
            _(
                "%(material)s is not on the list of material of job %(job)s. Take the right one, or "
                "say why this one is used."
            )
            % {"material": lot.material.code, "job": job.code}
        )
    if line.issued + amount > line.quantity:
        raise Conflict(
            _(
                "The list asks for %(quantity)s %(unit)s of %(material)s; %(issued)s are used "
                "already. Say why more is needed."
            )
            % {
                "quantity": number(line.quantity),
                "unit": lot.material.unit,
                "material": lot.material.code,
                "issued": number(line.issued),
            }
        )
