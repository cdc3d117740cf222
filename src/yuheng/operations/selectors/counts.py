"""What machines counted for job orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from yuheng.operations.models import JobCount


@dataclass(frozen=True, slots=True)
class Count:
    """What a machine counted for a job order, in its pieces.

    ``is_good_only``: the counter leaves scrap out. ``is_proposal``: a person reports the pieces, this is what the
    machine says. ``pace_s``: the usual seconds a piece; None before three cycles.
    """

    job_order_id: int
    work_unit_id: int
    tag_id: int
    counted: Decimal
    told: Decimal
    cycles: int
    first_at: datetime | None
    last_at: datetime | None
    pace_s: float | None
    is_good_only: bool
    is_proposal: bool

    def open_pieces(self, good: Decimal, others: Decimal) -> Decimal:
        """Return the pieces that were counted and are not reported yet; ``others``: scrap and rework reported."""
        reported = good if self.is_good_only else good + others
        return max(Decimal(0), self.counted - reported)


def counts_of(*, job_order_ids: Iterable[int]) -> dict[int, Count]:
    """Job order -> what its machine counted; those that nobody counted are left out. One query.

    Whoever asks has looked up the job orders, and so may see them.
    """
    rows = JobCount.objects.filter(job_order_id__in=list(job_order_ids)).values_list(
        "job_order_id", "work_unit_id", "tag_id", "counted", "told", "cycles", "first_at", "last_at", "pace_s",
        "is_good_only", "job_order__directive__confirms",
    )  # fmt: skip
    return {row[0]: Count(*[*row[:-1], "quantity" in (row[-1] or ())]) for row in rows}
