"""A plant that has worked: job orders of one product, made one after the other in known times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from yuheng.operations.models import JobOrder
from yuheng.operations.rules import Act
from yuheng.operations.services import execute
from yuheng.operations.tests.plant import AT, Plant, a_plant, a_released_order, a_segment, a_simple_product
from yuheng.performance.services.follow import catch_up_all


def a_worked_plant(
    run_s: list[float], *, setup_s: float = 120.0, pieces: int = 4, pause_s: float = 0.0, segment: Any = None
) -> Plant:
    """Make GEARs in one step on C1, standard 60 s set-up and 30 s a piece; ``run_s``: what a piece really took."""
    plant = a_plant()
    a_simple_product(plant, "GEAR", segment or a_segment(plant, "10"))
    clock = AT
    for number, one in enumerate(run_s):
        a_released_order(plant, "GEAR", pieces, code=f"SO{number}")
        clock = work(plant, JobOrder.objects.latest("pk"), clock, setup_s, one * pieces, pause_s)
    catch_up_all()
    return plant


def work(plant: Plant, job: JobOrder, clock: datetime, setup_s: float, run_s: float, pause_s: float) -> datetime:
    """Let one job order be made from a moment on; return when it ended."""
    told = datetime.now(UTC)

    def at(seconds: float) -> dict[str, Any]:
        happened = clock + timedelta(seconds=seconds)
        return {"actor": plant.ana, "job_order_id": job.pk, "at": max(told, happened), "act": Act(happened_at=happened)}

    execute.start_job_order(**at(600), work_unit_id=plant.units["C1"].pk)
    execute.set_up_done(**at(600 + setup_s))
    if pause_s:
        execute.pause_job_order(**at(600 + setup_s + run_s / 2), reason="tool")
        execute.resume_job_order(**at(600 + setup_s + run_s / 2 + pause_s))
    execute.finish_job_order(**at(600 + setup_s + run_s + pause_s), good=job.quantity)
    return clock + timedelta(seconds=600 + setup_s + run_s + pause_s)
