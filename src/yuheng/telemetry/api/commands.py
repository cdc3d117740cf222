"""JSON edge: writing to machines, what sources could not have, what a machine has to offer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from yuheng.gateway.connector import BrowsePage
from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import now
from yuheng.telemetry.selectors import commands as questions
from yuheng.telemetry.selectors import machines
from yuheng.telemetry.services import commands, trust

router = Router(tags=["telemetry"])

Scalar = float | int | bool | str


class CommandIn(Schema):
    """A value for the machine behind a tag, in the tag's unit. The same ``id`` twice is one command."""

    tag_id: int
    value: Scalar
    reason: Annotated[str, Field(min_length=1, max_length=400)]
    id: UUID | None = None
    expires_s: Annotated[float, Field(gt=0, le=commands.MOST_EXPIRES_S)] = commands.EXPIRES_S
    timeout_s: Annotated[float, Field(gt=0, le=commands.MOST_TIMEOUT_S)] = commands.TIMEOUT_S


class CommandOut(Schema):
    """A command; ``state`` is requested, sent, confirmed, refused, timed_out or unknown."""

    id: UUID
    site_id: int
    source_id: int
    source: str
    tag_id: int
    address: str
    value: Any
    unit: str
    reason: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    state: str
    sent_at: datetime | None
    ended_at: datetime | None
    sentence: str
    read_back: Any


class WritingIn(Schema):
    """Whether a tag may be written, and between which values in its unit, or which values only."""

    is_writable: bool
    low: float | None = None
    high: float | None = None
    allowed: Annotated[list[Scalar], Field(max_length=commands.MAX_ALLOWED)] = []


class WritingOut(Schema):
    """Whether a tag may be written; ``is_possible``: tag and source are both open."""

    tag_id: int
    is_writable: bool
    is_source_open: bool
    is_possible: bool
    low: float | None
    high: float | None
    allowed: list[Any]


class AllowIn(Schema):
    """Whether commands may be written to the machine of a source."""

    is_allowed: bool


class AllowOut(Schema):
    """Whether commands may be written to the machine of a source."""

    source_id: int
    allows_writes: bool


class GapOut(Schema):
    """Values that could not be had; ``tag_count`` 0: of all tags. ``started_at`` null: from the beginning."""

    id: UUID
    started_at: datetime | None
    ended_at: datetime
    sentence: str
    tag_count: int
    addresses: list[str]
    noted_at: datetime


class NodeOut(Schema):
    """One line of what a machine has; without an address it is a folder only."""

    node: str
    name: str
    address: str
    data_type: str
    unit: str
    description: str
    value: str
    has_children: bool
    is_writable: bool


class BrowseOut(Schema):
    """Some lines of a folder; a ``cursor`` that is not empty gives the next ones."""

    nodes: list[NodeOut]
    cursor: str


class TrustIn(Schema):
    """SHA-256 of the server certificate, 64 hexadecimal digits, as compared with the server's own."""

    thumbprint: Annotated[str, Field(max_length=100)]
    is_trusted: bool = True


class TrustOut(Schema):
    """The server certificates that the source accepts."""

    source_id: int
    trusted: list[str]


@router.post("/commands", response={201: CommandOut})
def request_command(request: HttpRequest, body: CommandIn) -> Status[Any]:
    """Write a value to a machine, once. Ask for the command again to see what became of it."""
    actor = actor_of(request)
    made = commands.request_command(
        actor=actor,
        tag_id=body.tag_id,
        value=body.value,
        reason=body.reason,
        at=now(),
        command_id=body.id or uuid4(),
        expires_s=body.expires_s,
        timeout_s=body.timeout_s,
    )
    return Status(201, questions.command(actor=actor, command_id=made.pk))


@router.get("/commands", response=list[CommandOut])
def list_commands(
    request: HttpRequest,
    source_id: int | None = None,
    tag_id: int | None = None,
    limit: Annotated[int, Field(ge=1, le=questions.MOST)] = 50,
) -> list[questions.CommandRow]:
    """List commands, the newest first."""
    return questions.commands(actor=actor_of(request), source_id=source_id, tag_id=tag_id, limit=limit)


@router.get("/commands/{uuid:command_id}", response=CommandOut)
def get_command(request: HttpRequest, command_id: UUID) -> questions.CommandRow:
    """Show one command and what became of it."""
    return questions.command(actor=actor_of(request), command_id=command_id)


@router.get("/tags/{int:tag_id}/writing", response=WritingOut)
def get_tag_writing(request: HttpRequest, tag_id: int) -> questions.WritingRow:
    """Show whether and how a tag may be written."""
    return questions.writing(actor=actor_of(request), tag_id=tag_id)


@router.put("/tags/{int:tag_id}/writing", response=WritingOut)
def set_tag_writing(request: HttpRequest, tag_id: int, body: WritingIn) -> questions.WritingRow:
    """Let a tag be written, within limits, or stop it."""
    actor = actor_of(request)
    commands.set_tag_writing(actor=actor, tag_id=tag_id, at=now(), **body.model_dump())
    return questions.writing(actor=actor, tag_id=tag_id)


@router.put("/sources/{int:source_id}/writing", response=AllowOut)
def allow_writes(request: HttpRequest, source_id: int, body: AllowIn) -> dict[str, Any]:
    """Let commands be written to the machine of a source, or stop it."""
    row = commands.allow_writes(actor=actor_of(request), source_id=source_id, is_allowed=body.is_allowed, at=now())
    return {"source_id": row.pk, "allows_writes": row.allows_writes}


@router.put("/sources/{int:source_id}/trust", response=TrustOut)
def trust_certificate(request: HttpRequest, source_id: int, body: TrustIn) -> dict[str, Any]:
    """Accept a server certificate, or accept it no longer."""
    row = trust.trust_certificate(
        actor=actor_of(request),
        source_id=source_id,
        thumbprint=body.thumbprint,
        is_trusted=body.is_trusted,
        at=now(),
    )
    return {"source_id": row.pk, "trusted": row.settings[trust.SETTING]}


@router.get("/sources/{int:source_id}/gaps", response=list[GapOut])
def list_gaps(
    request: HttpRequest, source_id: int, limit: Annotated[int, Field(ge=1, le=questions.MOST)] = 50
) -> list[questions.GapRow]:
    """List what a source could not have, with every address, the newest first."""
    return questions.gaps(actor=actor_of(request), source_id=source_id, limit=limit, addresses=1000)


@router.get("/sources/{int:source_id}/browse", response=BrowseOut)
def browse_machine(
    request: HttpRequest, source_id: int, node: str = "", cursor: str = "", search: str = ""
) -> BrowsePage:
    """List what the machine behind a source has below a node, or what is called so."""
    return machines.browse(actor=actor_of(request), source_id=source_id, node=node, cursor=cursor, search=search)
