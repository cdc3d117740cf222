"""Handing the news of job orders to whoever follows them above: each piece once, whatever breaks in between."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction

from yuheng.operations.models import TouchedJob


def take_touched(*, limit: int) -> list[int]:
    """Take the job orders of at most ``limit`` pieces of news; they are gone when the caller's transaction ends.

    Raises
    ------
    RuntimeError
        There is no transaction: what was taken and what follows from it must become true together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("take_touched() needs the transaction in which the news is used.")
    ids = list(
        TouchedJob.objects.select_for_update(skip_locked=True).order_by("pk").values_list("pk", "job_order_id")[:limit]
    )
    TouchedJob.objects.filter(pk__in=[pk for pk, _job in ids]).delete()
    return list(dict.fromkeys(job for _pk, job in ids))


@transaction.atomic
def touch_again(job_order_ids: Iterable[int]) -> None:
    """Have job orders looked at again, as after a change of the plant's tree."""
    TouchedJob.objects.bulk_create([TouchedJob(job_order_id=pk) for pk in job_order_ids], batch_size=2_000)
