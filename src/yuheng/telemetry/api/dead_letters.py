"""JSON edge: what could not be understood."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import now
from yuheng.telemetry.api.tags import WrittenOut
from yuheng.telemetry.selectors import dead_letters as letters
from yuheng.telemetry.services import dead_letters, tags

router = Router(tags=["telemetry"])


class DeadLetterGroupOut(Schema):
    """Dead letters of one source, reason and topic or address."""

    id: int
    site_id: int | None
    source_id: int | None
    source: str
    reason: str
    kind: str
    what: str
    detail: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    state: str
    replayed_count: int


class DeadLetterPageOut(Schema):
    """One page of groups; ``letters`` is how many messages and points all of them count."""

    total: int
    letters: int
    offset: int
    groups: list[DeadLetterGroupOut]


class DeadLetterSampleOut(Schema):
    """One kept letter; ``payload_hex`` holds at most its first 64 KB."""

    id: int
    payload_hex: str
    size: int
    topic: str
    arrived_at: datetime
    sequence: int
    detail: str


class GroupsIn(Schema):
    """Which dead-letter groups."""

    group_ids: Annotated[list[int], Field(min_length=1, max_length=5000)]


class MakeTagsIn(Schema):
    """Which groups, or all open ones of a source."""

    group_ids: list[int] = []
    source_id: int | None = None


class DeadLetterCountOut(Schema):
    """How many."""

    count: int


class DeadLetterQuery(Schema):
    """Which groups, and which page of them."""

    site_id: int | None = None
    source_id: int | None = None
    reason: str = ""
    state: str = ""
    text: str = ""
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


@router.get("/dead-letters", response=DeadLetterPageOut)
def list_dead_letters(request: HttpRequest, query: Query[DeadLetterQuery]) -> letters.GroupPage:
    """List what could not be understood, by source, reason and topic or address."""
    return letters.dead_letter_groups(actor=actor_of(request), **query.model_dump())


@router.get("/dead-letters/{int:group_id}/samples", response=list[DeadLetterSampleOut])
def list_dead_letter_samples(request: HttpRequest, group_id: int) -> list[dict[str, Any]]:
    """Show the newest letters of a group."""
    return [
        {
            "id": row.id,
            "payload_hex": row.payload.hex(),
            "size": row.size,
            "topic": row.topic,
            "arrived_at": row.arrived_at,
            "sequence": row.sequence,
            "detail": row.detail,
        }
        for row in letters.dead_letter_samples(actor=actor_of(request), group_id=group_id)
    ]


@router.post("/dead-letters/tags", response=WrittenOut)
def make_tags(request: HttpRequest, body: MakeTagsIn) -> tags.Written:
    """Make tags from unknown addresses; type and name are guessed from the samples."""
    return dead_letters.make_tags_from_dead_letters(
        actor=actor_of(request), group_ids=body.group_ids, source_id=body.source_id, at=now()
    )


@router.post("/dead-letters/replay", response=DeadLetterCountOut)
def replay(request: HttpRequest, body: GroupsIn) -> dict[str, int]:
    """Send the stored messages of the groups through the path again. The worker does it within moments."""
    return {"count": dead_letters.replay_dead_letters(actor=actor_of(request), group_ids=body.group_ids, at=now())}


@router.post("/dead-letters/resolve", response=DeadLetterCountOut)
def resolve(request: HttpRequest, body: GroupsIn) -> dict[str, int]:
    """Set groups aside as dealt with; they open again when a new letter comes."""
    return {"count": dead_letters.resolve_dead_letters(actor=actor_of(request), group_ids=body.group_ids, at=now())}
