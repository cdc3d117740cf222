"""A terminal of the secret plant, with a report that is in conflict."""

from __future__ import annotations

import uuid
from typing import Any

from yuheng.kernel.models import Site
from yuheng.operations.terminal.rules import Action, Kind
from yuheng.operations.terminal.services import devices
from yuheng.operations.terminal.services.merging import merge
from yuheng.people import services as people
from yuheng.testing.builders import SHIFT_START as AT
from yuheng.testing.builders import SYSTEM


def a_terminal_to_keep_secret(site: Site, unit: Any, owner: Any, *, secret: str) -> dict[str, Any]:
    """Make a terminal and a report; return what addresses may name: parameter -> value."""
    people.issue_badge(actor=SYSTEM, person_id=owner.person_id, code=f"{secret}-badge", at=AT)
    device, _code = devices.register_device(
        actor=SYSTEM, site_id=site.pk, name=f"{secret} terminal", work_unit_id=unit.pk, at=AT
    )
    action = Action(uuid.uuid4(), 1, Kind.NOTE, AT, uuid.uuid4(), 1, {"note": f"{secret} note"})
    merge(device=device, stream=uuid.uuid4(), actions=[action], at=AT)
    return {"terminal_id": device.pk, "report_id": device.actions.get().pk}
