"""Questions whose answer is larger than a message of the bus, asked in parts and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
from django.utils.translation import gettext as _

from yuheng.bus.messages import MORE
from yuheng.kernel.errors import InvalidInput

PART_ROWS = 100_000
"""Rows of one question: at most 8 MB, half of what our broker carries."""
MAX_ROWS = 1_000_000
"""Rows of one answer. More would hold up everybody else."""

RawPage = Callable[[Sequence[int], int, int], pa.Table]
"""Takes tags (ascending), from when (µs), and at most how many rows; returns rows by tag, time and sequence."""
RowsOfTags = Callable[[Sequence[int]], pa.Table]


def raw_in_pages(page_of: RawPage, tag_ids: Sequence[int], start_us: int, limit: int) -> pa.Table:
    """Return the first ``limit`` raw rows of the tags, by tag, time and sequence.

    A page that is full ends somewhere within a tag: the rows of its last time are asked for again, because more may
    share it, and then the tags behind that one.
    """
    found: list[pa.Table] = []
    left, rows = limit, min(limit, PART_ROWS)
    waiting = [(sorted(set(tag_ids)), start_us)]
    while waiting and left > 0:
        tags, since_us = waiting.pop(0)
        asked = min(left, rows)
        page = page_of(tags, since_us, asked)
        found.append(page)
        left -= len(page)
        is_all = len(page) < asked and MORE not in (page.schema.metadata or {})
        if is_all or left <= 0 or not len(page):
            continue
        tag, time_us = int(page["tag"][-1].as_py()), _last_us(page)
        kept = page.slice(0, _first_of_last_time(page))
        left += len(page) - len(kept)
        if not len(kept) and time_us == since_us:
            if MORE in (page.schema.metadata or {}):
                raise InvalidInput(_("More values share one time than one answer can carry."))
            rows *= 2  # one time fills a whole page
        found[-1] = kept
        behind = tags[tags.index(tag) + 1 :]
        waiting[:0] = [([tag], time_us), *([(behind, start_us)] if behind else [])]
    return _joined(found)


def _last_us(page: pa.Table) -> int:
    return int(page["time"][-1].cast(pa.timestamp("us", "UTC")).value)


def _first_of_last_time(page: pa.Table) -> int:
    """Return the index of the first row that has tag and time of the last one: they stand together at the end."""
    is_other = pc.or_(pc.not_equal(page["tag"], page["tag"][-1]), pc.not_equal(page["time"], page["time"][-1]))
    return int(pc.sum(is_other).as_py() or 0)


def by_tags(ask: RowsOfTags, tag_ids: Sequence[int], rows_a_tag: int) -> pa.Table:
    """Ask for so many tags at a time that no answer is too large for the bus; rows come by tag.

    Raises
    ------
    InvalidInput
        There would be more than `MAX_ROWS` rows.
    """
    if len(tag_ids) * rows_a_tag > MAX_ROWS:
        sentence = _(
            "That would be up to %(rows)s rows; an answer has at most %(most)s. Ask for fewer tags or less time."
        )
        raise InvalidInput(sentence % {"rows": f"{len(tag_ids) * rows_a_tag:,}", "most": f"{MAX_ROWS:,}"})
    return _joined([ask(part) for part in _parts(sorted(set(tag_ids)), max(1, PART_ROWS // rows_a_tag))])


def by_time(ask: Callable[[int, int], pa.Table], start_us: int, end_us: int, bucket_us: int) -> pa.Table:
    """Ask for at most `PART_ROWS` buckets at a time; they are aligned to 1970, so a cut never divides one."""
    span_us = bucket_us * PART_ROWS
    cuts = [start_us, *range(start_us // span_us * span_us + span_us, end_us, span_us), end_us]
    if (end_us - start_us) // bucket_us < PART_ROWS:
        cuts = [start_us, end_us]
    return _joined([ask(low, high) for low, high in pairwise(cuts)])


def _parts(tag_ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(tag_ids), size):
        yield tag_ids[start : start + size]


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)
