"""JSON edge: data sources."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import now
from yuheng.telemetry.selectors import signals
from yuheng.telemetry.services import sources

router = Router(tags=["telemetry"])


class SourceOut(Schema):
    """A data source; ``dead_letters`` counts messages and points of its open groups."""

    id: int
    site_id: int
    site_code: str
    code: str
    connector: str
    topics: list[str]
    settings: dict[str, Any]
    is_enabled: bool
    makes_tags_by_itself: bool
    own_tags_limit: int
    tag_count: int
    dead_letters: int


class SourceSettingsIn(Schema):
    """What of a source can change."""

    topics: list[str] = []
    settings: dict[str, Any] = {}
    makes_tags_by_itself: bool = False
    own_tags_limit: Annotated[int, Field(ge=1, le=1_000_000)] = 5000


class SourceIn(SourceSettingsIn):
    """A new source."""

    site_id: int
    code: str
    connector: str
    is_enabled: bool = True


class SwitchIn(Schema):
    """On or off."""

    is_enabled: bool


@router.get("/sources", response=list[SourceOut])
def list_sources(request: HttpRequest, site_id: int | None = None) -> list[signals.SourceRow]:
    """List the data sources you may see."""
    return signals.sources(actor=actor_of(request), site_id=site_id)


@router.post("/sources", response={201: SourceOut})
def create_source(request: HttpRequest, body: SourceIn) -> Status[Any]:
    """Create a data source. Its settings are checked against the connector's JSON Schema."""
    actor = actor_of(request)
    made = sources.create_source(actor=actor, at=now(), **body.model_dump())
    return Status(201, signals.source(actor=actor, source_id=made.pk))


@router.get("/sources/{int:source_id}", response=SourceOut)
def get_source(request: HttpRequest, source_id: int) -> signals.SourceRow:
    """Show one data source."""
    return signals.source(actor=actor_of(request), source_id=source_id)


@router.put("/sources/{int:source_id}", response=SourceOut)
def configure_source(request: HttpRequest, source_id: int, body: SourceSettingsIn) -> signals.SourceRow:
    """Give a data source new topics and settings."""
    actor = actor_of(request)
    sources.configure_source(actor=actor, source_id=source_id, at=now(), **body.model_dump())
    return signals.source(actor=actor, source_id=source_id)


@router.post("/sources/{int:source_id}/switch", response=SourceOut)
def switch_source(request: HttpRequest, source_id: int, body: SwitchIn) -> signals.SourceRow:
    """Let a data source deliver, or stop it."""
    actor = actor_of(request)
    sources.switch_source(actor=actor, source_id=source_id, is_enabled=body.is_enabled, at=now())
    return signals.source(actor=actor, source_id=source_id)
