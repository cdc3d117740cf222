"""JSON edge: tags and tag classes."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import now
from yuheng.telemetry.selectors import signals
from yuheng.telemetry.services import tags
from yuheng.telemetry.services.tags import TagSpec

router = Router(tags=["telemetry"])


class TagOut(Schema):
    """A tag with the codes of what it belongs to."""

    id: int
    site_id: int
    source_id: int
    source: str
    address: str
    data_type: str
    work_unit_id: int | None
    work_unit: str
    symbol: str
    role: str
    name_zh: str
    name_en: str
    unit: str
    scale: float
    offset: float
    deadband: float
    tag_class: str
    stale_after_s: float
    is_templated: bool
    overrides: list[str]
    is_retired: bool


class TagPageOut(Schema):
    """One page of tags; ``total`` is how many there are."""

    total: int
    offset: int
    tags: list[TagOut]


class TagIn(Schema):
    """What a tag is to be; (source_id, address) says which one."""

    source_id: int
    address: str
    data_type: str
    work_unit_id: int | None = None
    symbol: str = ""
    role: str = ""
    name_zh: Annotated[str, Field(max_length=120)] = ""
    name_en: Annotated[str, Field(max_length=120)] = ""
    unit: str = "1"
    scale: float = 1.0
    offset: float = 0.0
    deadband: float = 0.0
    tag_class: str = "standard"
    stale_after_s: float = 60.0


class TagsIn(Schema):
    """Tags of one site to create or change: all of them or none."""

    site_id: int
    tags: Annotated[list[TagIn], Field(min_length=1, max_length=10_000)]


class WrittenOut(Schema):
    """How many tags were created, changed, and already as asked."""

    created: int
    changed: int
    unchanged: int


class TagClassIn(Schema):
    """How long tags of a class are kept; days, 0 for ever."""

    site_id: int
    code: str
    raw_days: Annotated[int, Field(ge=0, le=36_500)] = 730
    minute_days: Annotated[int, Field(ge=0, le=36_500)] = 3650
    hour_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    is_time_weighted: bool = False


class TagClassOut(Schema):
    """How long tags of a class are kept; days, 0 for ever."""

    code: str
    raw_days: int
    minute_days: int
    hour_days: int
    is_time_weighted: bool


class TagQuery(Schema):
    """Which tags, and which page of them."""

    site_id: int | None = None
    source_id: int | None = None
    work_unit_id: int | None = None
    text: str = ""
    role: str | None = None
    data_type: str | None = None
    equipment_class_id: int | None = None
    is_overridden: bool = False
    is_retired: bool = False
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=signals.MAX_PAGE)] = 100


@router.get("/tags", response=TagPageOut)
def list_tags(request: HttpRequest, query: Query[TagQuery]) -> signals.TagPage:
    """List tags; ``text`` is looked for in address, names, symbol and work unit."""
    wanted = signals.TagFilter(**query.model_dump(exclude={"offset", "limit"}))
    return signals.tags(actor=actor_of(request), wanted=wanted, offset=query.offset, limit=query.limit)


@router.post("/tags", response=WrittenOut)
def write_tags(request: HttpRequest, body: TagsIn) -> tags.Written:
    """Create the tags that do not exist and change those that do: all or none."""
    specs = [TagSpec(**tag.model_dump()) for tag in body.tags]
    return tags.write_tags(actor=actor_of(request), site_id=body.site_id, tags=specs, at=now())


@router.get("/tags/{int:tag_id}", response=TagOut)
def get_tag(request: HttpRequest, tag_id: int) -> signals.TagRow:
    """Show one tag."""
    return signals.tag(actor=actor_of(request), tag_id=tag_id)


@router.get("/tag-classes", response=list[TagClassOut])
def list_tag_classes(request: HttpRequest, site_id: int) -> list[signals.TagClassRow]:
    """List a site's tag classes."""
    return signals.tag_classes(actor=actor_of(request), site_id=site_id)


@router.post("/tag-classes", response=TagClassOut)
def define_tag_class(request: HttpRequest, body: TagClassIn) -> Any:
    """Create a tag class, or change how long its tags are kept."""
    return tags.define_tag_class(actor=actor_of(request), at=now(), **body.model_dump())
