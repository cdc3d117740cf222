"""Production orders to stock that are sent again: changed while they are a forecast, moved in time afterwards."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.kernel.events import publish
from yuheng.operations.events import RequestChanged
from yuheng.operations.models import OperationsRequest
from yuheng.operations.rules import LIVE_REQUESTS, RequestState, rank_of
from yuheng.operations.services import release
from yuheng.operations.services.access import ORDERS, locked_request
from yuheng.operations.services.checks import check_priority, clean_options, refuse
from yuheng.operations.services.orders import RequestSpec, own_quantity


def is_request_as(request: OperationsRequest, spec: RequestSpec) -> bool:
    """Return whether a request is as a specification says. Raises `InvalidInput`. At most four queries."""
    return _is_same_product(request, spec) and _times(request) == (spec.due_at, spec.priority, spec.is_rush)


def _times(request: OperationsRequest) -> tuple[datetime, int, bool]:
    return request.due_at, request.priority, request.is_rush


def _is_same_product(request: OperationsRequest, spec: RequestSpec) -> bool:
    material = engineering.material_ids_of(site_id=request.site_id, codes=[spec.material]).get(spec.material.strip())
    if material != request.material_id:
        return False
    wrong: dict[str, str] = {}
    options = clean_options(spec.options, "options", wrong)
    refuse(_("The request cannot be accepted as it is."), wrong)
    amount, unit = own_quantity(request.site_id, material, spec.quantity, spec.unit)
    return (amount, unit, options, spec.serial.strip()) == (
        request.quantity, request.unit, request.options, request.serial,
    )  # fmt: skip


@transaction.atomic
def change_request(*, actor: Actor, request_id: int, spec: RequestSpec, at: datetime) -> OperationsRequest:
    """Change a production order to stock; its number stays. Once released only its date and priority can change.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        It is over, is a part of another or of a customer order, or is released and its product would change.
    """
    request = locked_request(actor=actor, request_id=request_id, permission=ORDERS)
    state = RequestState(request.state)
    if request.parent_id is not None or request.order_id is not None:
        raise Conflict(_("Request %(request)s follows what it is made for; change that.") % {"request": request.code})
    if state is not RequestState.FORECAST and state not in LIVE_REQUESTS:
        raise Conflict(_("Request %(request)s is over and cannot be changed.") % {"request": request.code})
    wrong = check_priority(spec.priority)
    if spec.due_at.tzinfo is None:
        wrong["due_at"] = _("Give the time with its offset.")
    material = engineering.material_ids_of(site_id=request.site_id, codes=[spec.material]).get(spec.material.strip())
    if material is None:
        wrong["material"] = _("There is no material %(code)s.") % {"code": spec.material[:60]}
    options = clean_options(spec.options, "options", wrong)
    refuse(_("The request cannot be accepted as it is."), wrong)
    assert material is not None
    before = {"due_at": request.due_at.isoformat(), "priority": request.priority, "quantity": str(request.quantity)}
    if state is RequestState.FORECAST:
        request.material_id = material
        request.quantity, request.unit = own_quantity(request.site_id, material, spec.quantity, spec.unit)
        request.options, request.serial = options, spec.serial.strip()
        request.due_at, request.priority, request.is_rush = spec.due_at, spec.priority, spec.is_rush
        request.rank = rank_of(spec.priority, is_rush=spec.is_rush)
        request.save(
            update_fields=["material", "quantity", "unit", "options", "serial", "due_at", "priority", "is_rush", "rank"]
        )
    else:
        if not _is_same_product(request, spec):
            raise Conflict(
                _("Request %(request)s is released: its product is frozen. Cancel it, or enter the difference anew.")
                % {"request": request.code}
            )
        family = OperationsRequest.objects.filter(pk=request.pk) | OperationsRequest.objects.filter(
            root_id=request.pk, state__in=[one.value for one in LIVE_REQUESTS]
        )
        release.reorder(family, spec.priority, is_rush=spec.is_rush, due_at=spec.due_at)
        request.refresh_from_db(fields=["due_at", "priority", "is_rush", "rank"])
    publish(RequestChanged(site_id=request.site_id, request_id=request.pk, code=request.code, change="changed"), at=at)
    audit.record(
        actor=actor, action="request.change", at=at, site_id=request.site_id, object_kind="request",
        object_id=request.code, before=before,
    )  # fmt: skip
    return request
