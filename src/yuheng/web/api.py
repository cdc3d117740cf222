"""JSON edge of what belongs to the whole installation."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from yuheng.people.identity import actor_of
from yuheng.upkeep.checks import findings, worst
from yuheng.web.health import picture_for

router = Router(tags=["installation"])


class FindingOut(Schema):
    """One fact with its judgement; ``level`` is ok, warn or fail. Sentences are English."""

    level: str
    group: str
    subject: str
    text: str
    advice: str


class RemovalOut(Schema):
    """A run of retention: rows ``removed`` by kind; empty when nothing was old enough."""

    at: datetime
    process: str
    removed: dict[str, int]


class HealthOut(Schema):
    """Whether the installation is well; ``level`` is the worst of its findings."""

    at: datetime
    version: str
    level: str
    findings: list[FindingOut]
    retention: list[RemovalOut] = []


@router.get("/health", response=HealthOut)
def health(request: HttpRequest) -> HealthOut:
    """Look at queues, ages of data, disk, certificates, backups, clock, memory. Needs ``site.admin`` everywhere."""
    picture = picture_for(actor_of(request), "site.admin")
    found = findings(picture)
    lines = []
    for one in found:
        text, advice = one.say()
        lines.append(FindingOut(level=one.level, group=one.group, subject=one.subject, text=text, advice=advice))
    removals = [
        RemovalOut(at=datetime.fromisoformat(run.at), process=run.process, removed=run.removed)
        for run in picture.forgotten
    ]
    return HealthOut(at=picture.at, version=picture.version, level=worst(found), findings=lines, retention=removals)
