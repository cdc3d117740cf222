"""JSON edge: data sources."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, Router, Schema, Status

from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import now
from yuheng.telemetry.selectors import machines, signals
from yuheng.telemetry.services import register_maps, sources

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
    allows_writes: bool


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


class RegisterMapIn(Schema):
    """A manufacturer's table as CSV; ``numbering`` is wire, one, modicon, or empty to refuse what is not clear."""

    text: str
    numbering: str = ""
    file_name: Annotated[str, Field(max_length=200)] = "map.csv"


class SourceLineOut(Schema):
    """One line of a register map: what would happen to its tag, and why it is refused."""

    where: str
    action: str
    key: str
    reason: str


class RegisterMapOut(Schema):
    """The dry run of a register map; applied on its page, under `url`."""

    import_id: int
    url: str
    plan_sha256: str
    counts: dict[str, int]
    lines: list[SourceLineOut]


class ReadOut(Schema):
    """A register read now; ``value`` is empty when there is none, and ``why`` says so."""

    address: str
    value: str
    why: str
    data_type: str


@router.post("/sources/{int:source_id}/register-map", response=RegisterMapOut)
def upload_register_map(request: HttpRequest, source_id: int, body: RegisterMapIn) -> dict[str, Any]:
    """Read a manufacturer's register map (CSV) for a source; nothing is written before its dry run is applied."""
    import_id, plan = register_maps.upload_register_map(
        actor=actor_of(request),
        source_id=source_id,
        file_name=body.file_name,
        content=body.text.encode(),
        numbering=body.numbering,
        at=now(),
    )
    lines = [
        {"where": row.where, "action": row.action.value, "key": row.key, "reason": row.reason} for row in plan.rows
    ]
    url = reverse("equipment:dry_run", kwargs={"import_id": import_id})
    return {
        "import_id": import_id,
        "url": url,
        "plan_sha256": plan.sha256(),
        "counts": plan.counts(),
        "lines": lines,
    }


@router.get("/sources/{int:source_id}/read", response=list[ReadOut])
def read_now(request: HttpRequest, source_id: int, addresses: str) -> list[dict[str, str]]:
    """Read registers now, whether tags have them or not; separate addresses by commas."""
    nodes = machines.read_now(actor=actor_of(request), source_id=source_id, addresses=addresses)
    return [
        {"address": one.address or one.name, "value": one.value, "why": one.description, "data_type": one.data_type}
        for one in nodes
    ]
