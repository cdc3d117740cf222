"""Work in progress: what waits, runs and is interrupted, by work center."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, Sum

from yuheng.kernel.actor import Actor
from yuheng.operations.models import JobOrder
from yuheng.operations.rules import OPEN_STATES, JobState, JobSubstate
from yuheng.operations.selectors.pages import VIEW

_OPEN = sorted(state.value for state in OPEN_STATES)


@dataclass(frozen=True, slots=True)
class WipRow:
    """A work center (None: not assigned yet, by equipment class) with its job orders and their planned hours."""

    work_center_id: int | None
    work_center_code: str
    work_center_zh: str
    work_center_en: str
    equipment_class_id: int | None
    equipment_class_code: str
    equipment_class_zh: str
    equipment_class_en: str
    waiting: int
    ready: int
    running: int
    interrupted: int
    held: int
    ready_h: float
    open_h: float


def wip(*, actor: Actor, site_id: int) -> list[WipRow]:
    """Open job orders of a site, summed. One query. Raises `PermissionRefused`, `NotVisible`."""
    actor.require(VIEW, site_id=site_id)
    center = "work_unit__work_center"
    work = F("setup_s") + F("run_s")
    ready = Q(state=JobState.ALLOWED_TO_START.value, substate__in=[JobSubstate.READY.value, JobSubstate.LOADED.value])
    rows = (
        JobOrder.objects.filter(site_id=site_id, state__in=_OPEN)
        .order_by(f"{center}__code", "equipment_class__code")
        .values_list(
            f"{center}_id", f"{center}__code", f"{center}__name_zh", f"{center}__name_en", "equipment_class_id",
            "equipment_class__code", "equipment_class__name_zh", "equipment_class__name_en",
        )
        .annotate(
            waiting=Count("pk", filter=Q(state=JobState.ALLOWED_TO_START.value, substate=JobSubstate.WAITING.value)),
            ready=Count("pk", filter=ready),
            running=Count("pk", filter=Q(state=JobState.RUNNING.value)),
            interrupted=Count("pk", filter=Q(state=JobState.INTERRUPTED.value)),
            held=Count("pk", filter=Q(state=JobState.NOT_ALLOWED_TO_START.value)),
            ready_s=Sum(work, filter=ready, default=0.0),
            open_s=Sum(work, default=0.0),
        )
    )  # fmt: skip
    found = []
    for one in rows:
        texts = [value if place in (0, 4) else value or "" for place, value in enumerate(one[:8])]
        made: list[Any] = [*texts, *one[8:13], one[13] / 3600.0, one[14] / 3600.0]
        found.append(WipRow(*made))
    return found
