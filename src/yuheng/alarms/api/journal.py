"""JSON edge: the journal, page by page and as a file."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.alarms.api.arguments import ids, priorities, word
from yuheng.alarms.exporting import csv_lines, workbook
from yuheng.alarms.selectors import journal
from yuheng.alarms.selectors.journal import JournalFilter, JournalRow
from yuheng.people.identity import actor_of

router = Router(tags=["alarms"])


class JournalOut(Schema):
    """One line. ``at`` is the source's time, ``known_at`` ours; ``actor_name`` is empty for what conditions told."""

    id: int
    alarm_id: int
    episode_id: int | None
    definition_id: int
    code: str
    name_zh: str
    name_en: str
    work_unit_id: int
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    kind: str
    priority: str
    at: datetime
    known_at: datetime
    actor_name: str
    comment: str
    value: str
    count: int
    message_zh: str
    message_en: str


class JournalPageOut(Schema):
    """One page; ask for the next with ``cursor=next_cursor`` until it is empty."""

    rows: list[JournalOut]
    next_cursor: str


class JournalQuery(Schema):
    """What the journal is narrowed to."""

    site_id: int
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    priority: str = ""
    area_ids: str = ""
    work_unit_ids: str = ""
    kinds: str = ""
    text: str = ""
    who: str = ""
    alarm_id: int | None = None

    def narrowed(self) -> JournalFilter:
        """Return the filter of the selector. Raises `InvalidInput`."""
        return JournalFilter(
            start=self.start,
            end=self.end,
            priorities=priorities(self.priority),
            area_ids=ids(self.area_ids),
            work_unit_ids=ids(self.work_unit_ids),
            kinds=[kind.strip() for kind in self.kinds.split(",") if kind.strip()],
            text=self.text,
            who=self.who,
            alarm_id=self.alarm_id,
        )


class PageQuery(JournalQuery):
    """Which page."""

    cursor: str = ""
    limit: Annotated[int, Field(ge=1, le=journal.MAX_PAGE)] = 100


class ExportQuery(JournalQuery):
    """As what."""

    format: Literal["csv", "xlsx"] = "csv"


def _out(row: JournalRow) -> dict[str, Any]:
    return {**asdict(row), "priority": word(row.priority), "kind": row.kind.value}


@router.get("/journal", response=JournalPageOut)
def list_journal(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """List what happened to alarms, newest first."""
    page = journal.journal_page(
        actor=actor_of(request),
        site_id=query.site_id,
        narrowed=query.narrowed(),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"rows": [_out(row) for row in page.rows], "next_cursor": page.next_cursor}


@router.get("/journal/export")
def export_journal(request: HttpRequest, query: Query[ExportQuery]) -> HttpResponse | StreamingHttpResponse:
    """Write the journal as CSV (UTF-8 with a mark that spreadsheets know) or XLSX, at most 200,000 lines."""
    rows = journal.journal_export(actor=actor_of(request), site_id=query.site_id, narrowed=query.narrowed())
    if query.format == "xlsx":
        answer: HttpResponse | StreamingHttpResponse = HttpResponse(
            workbook(rows), content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        )
    else:
        answer = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="alarm-journal.{query.format}"'
    return answer
