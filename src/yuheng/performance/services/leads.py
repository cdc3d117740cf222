"""Lead times of production orders that are over, kept up to date with the stages of their job orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from yuheng.operations.selectors import history
from yuheng.operations.selectors.history import RequestHead
from yuheng.performance.models import LeadTime
from yuheng.performance.rules.leads import Life, breakdown, path
from yuheng.performance.selectors.lives import lives_of_trees

OVER = frozenset({"completed", "closed"})


def follow_requests(request_ids: Iterable[int]) -> None:
    """Work out the lead times of production orders anew. Six queries."""
    requests = history.requests_of(request_ids)
    over = {pk: one for pk, one in requests.items() if one.state in OVER}
    LeadTime.objects.filter(request_id__in=list(requests)).delete()
    if not over:
        return
    lives, request_of = lives_of_trees({one.root_id for one in over.values()})
    jobs: dict[int, list[int]] = defaultdict(list)
    for pk, request_id in request_of.items():
        jobs[request_id].append(pk)
    rows = [row for pk, one in over.items() if (row := _lead_time(one, jobs[pk], lives)) is not None]
    LeadTime.objects.bulk_create(rows)


def _lead_time(request: RequestHead, jobs: Iterable[int], lives: Mapping[int, Life]) -> LeadTime | None:
    ended = [pk for pk in jobs if lives[pk].over_at is not None]
    if not ended:
        return None
    last = max(ended, key=lambda pk: (lives[pk].over_at, pk))
    start = min(lives[pk].made_at for pk in ended)
    end = lives[last].over_at
    assert end is not None
    parts = {f"{stage.value}_us": us for stage, us in breakdown(path(lives, last, start)).items()}
    return LeadTime(
        site_id=request.site_id, request_id=request.id, material_id=request.material_id, last_job_order_id=last,
        is_product=request.root_id == request.id, started_at=start, ended_at=end, **parts,
    )  # fmt: skip
