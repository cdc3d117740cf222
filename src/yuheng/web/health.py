"""The administrators' page: is the installation well, and what is to be done. The same checks as `yuheng doctor`."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from yuheng.kernel.actor import Actor
from yuheng.people import oidc
from yuheng.people.identity import actor_of
from yuheng.telemetry.selectors import history
from yuheng.upkeep.checks import FAIL, WARN, Finding, findings, worst
from yuheng.upkeep.picture import Picture, gather

PROCESSES = ("historian", "gateway", "worker", "planner")
HEARD_WITHIN_S = 1.5
GROUPS = {
    "processes": _("Processes"),
    "queues": _("Queues"),
    "sources": _("Data sources"),
    "machine": _("Machine"),
    "backups": _("Backups"),
    "retention": _("Retention"),
    "certificates": _("Certificates"),
    "people": _("Signing in"),
    "versions": _("Versions"),
}
SUBJECTS = {
    "log": _("message log"),
    "outbox": _("outbox"),
    "database": _("database"),
    "dead letters": _("dead letters"),
    "disk": _("disk"),
    "forecast": _("disk forecast"),
    "clock": _("clock"),
    "memory": _("memory"),
    "backup": _("newest backup"),
    "attempt": _("last attempt"),
    "server": _("server certificate"),
    "authority": _("authority"),
    "supervisor": _("supervisor"),
    "columns": _("history"),
    "tables": _("database"),
    "single sign-on": _("single sign-on"),
}
FORGOTTEN = {
    "samples": _("samples"),
    "text_samples": _("texts"),
    "minutes": _("minute roll-ups"),
    "hours": _("hour roll-ups"),
    "shown": _("what was shown"),
    "boards": _("shown boards"),
    "states": _("machine states"),
    "settled_groups": _("settled dead letters"),
    "silent_groups": _("silent dead letters"),
    "events": _("delivered events"),
}
STATES = {
    "starting": _("starting"),
    "ready": _("ready"),
    "waiting": _("waiting for its next start"),
    "stopped": _("stopped"),
}
SHOWN_RUNS = 20
LEVELS = {"ok": _("well"), "warn": _("look at it"), "fail": _("act")}


@dataclass(frozen=True, slots=True)
class Line:
    """A finding in the reader's language."""

    level: str
    level_label: str
    subject: str
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class Removal:
    """A run of retention that removed something, in the reader's language."""

    at: datetime
    what: list[tuple[str, str]]


def removals(picture: Picture) -> list[Removal]:
    """Return the newest runs of retention that removed something, newest first."""
    told = [
        Removal(
            datetime.fromisoformat(run.at),
            [(str(FORGOTTEN.get(kind, kind)), f"{rows:,}") for kind, rows in run.removed.items()],
        )
        for run in picture.forgotten
        if run.removed
    ]
    return told[:SHOWN_RUNS]


def picture_for(actor: Actor, permission: str) -> Picture:
    """Return the picture of now. Raises `PermissionRefused`: it tells about every site."""
    actor.require_everywhere(permission)
    environment = settings.ENVIRONMENT
    return gather(
        data_dir=environment.data_dir,
        database_url=environment.database_url,
        health=_heard(),
        backup_place=os.environ.get("YUHENG_BACKUP_DIR", ""),
        sign_on=oidc.state_of(environment.data_dir),
    )


def _heard() -> dict[str, dict[str, Any]]:
    """Return what each process said last. They speak once a second: a web process that just started waits for them."""
    deadline = time.monotonic() + HEARD_WITHIN_S
    while True:
        heard = {name: facts for name in PROCESSES if (facts := history.health_of(name))}
        if len(heard) == len(PROCESSES) or time.monotonic() > deadline:
            return heard
        time.sleep(0.05)


def line_of(finding: Finding) -> Line:
    """Return a finding as the page shows it."""
    if state := STATES.get(finding.facts.get("state", "")):
        finding = replace(finding, facts=finding.facts | {"state": state})
    text, advice = finding.say(gettext)
    subject = str(SUBJECTS.get(finding.subject, finding.subject))
    return Line(finding.level, str(LEVELS[finding.level]), subject, text, advice)


@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Show every finding by group, the worst first above them."""
    picture = picture_for(actor_of(request), "site.admin")
    found = findings(picture)
    order = list(GROUPS)
    by_group = groupby(sorted(found, key=lambda one: order.index(one.group)), key=lambda one: one.group)
    context = {
        "picture": picture,
        "worst": worst(found),
        "count": sum(one.level in {WARN, FAIL} for one in found),
        "to_do": [line_of(one) for one in sorted(found, key=lambda one: one.level != FAIL) if one.level != "ok"],
        "groups": [(str(GROUPS[name]), [line_of(one) for one in lines]) for name, lines in by_group],
        "services": picture.services,
        "removals": removals(picture),
    }
    return render(request, "web/health.html", context)
