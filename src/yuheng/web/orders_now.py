"""What each work unit makes for whom: operations' answer, as the command centre shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.operations.selectors.running import RunningJob, running_jobs
from yuheng.people.rules import Permission


@dataclass(frozen=True, slots=True)
class JobOnTile:
    """What a tile of the map says of the job order at its unit.

    ``share`` is 0 to 1, ``text`` all of it in words, ``made`` the pieces, short ("7/20", with a mark when it is late).
    """

    share: float
    text: str
    made: str
    job_order_id: int


def jobs_now(*, actor: Actor, site_id: int, work_unit_ids: Iterable[int], now: datetime) -> dict[int, RunningJob]:
    """Return work unit -> the job order that runs or rests there; nothing for who may not see orders. One query."""
    if not actor.may(Permission.OPERATIONS_VIEW, site_id=site_id):
        return {}
    return running_jobs(actor=actor, work_unit_ids=work_unit_ids, now=now)


def on_tiles(jobs: dict[int, RunningJob], time_zone: str) -> dict[int, JobOnTile]:
    """Return what the tiles say, in the reader's language: order, product, operator, progress, expected end."""
    zone = ZoneInfo(time_zone)
    return {
        unit_id: JobOnTile(share_of(job), _in_words(job, zone), made_of(job), job.job_order_id)
        for unit_id, job in jobs.items()
    }


def as_json(jobs: dict[int, RunningJob], time_zone: str) -> list[list[Any]]:
    """Return the same for the page's renewal: ``[unit, share, text, made, job]``."""
    return [
        [unit_id, round(tile.share, 4), tile.text, tile.made, tile.job_order_id]
        for unit_id, tile in on_tiles(jobs, time_zone).items()
    ]


def share_of(job: RunningJob) -> float:
    """Return how much of a job order is made, 0 to 1."""
    return min(1.0, float(job.made / job.quantity)) if job.quantity else 0.0


def made_of(job: RunningJob) -> str:
    """Return the pieces as a tile has room for. Twin of ``made`` in ``jobs-on-map.js``."""
    late = "▲" if job.is_late else ""
    return f"{late}{float(job.made):.0f}/{float(job.quantity):.0f}"


def _in_words(job: RunningJob, zone: ZoneInfo) -> str:
    is_english = (get_language() or "").startswith("en")

    def said(zh: str, en: str) -> str:
        return (en or zh) if is_english else (zh or en)

    parts = [
        job.order_code or job.request_code,
        said(job.customer_zh, job.customer_en),
        said(job.material_zh, job.material_en) or job.material_code,
        said(job.segment_zh, job.segment_en),
        said(job.operator_zh, job.operator_en) or job.operator,
        f"{job.made.normalize():f} / {job.quantity.normalize():f}",
        _("end expected %(time)s") % {"time": job.expected_end.astimezone(zone).strftime("%m-%d %H:%M")},
        _("late") if job.is_late else "",
        _("machine and report disagree") if job.open_exceptions else "",
    ]
    return " · ".join(part for part in parts if part)
