"""What a job order needs before it may start: people with skills, tools that are free and calibrated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.operations.models import JobOrder, Qualification, Tool


def missing_skills(job: JobOrder, people: Iterable[int], at: datetime) -> list[str]:
    """Return a sentence for each skill that the people do not have (at its level, valid now). At most one query."""
    needs: Sequence[Mapping[str, Any]] = job.directive.get("skills", ())
    if not needs:
        return []
    have: dict[str, dict[int, int]] = {}
    valid = Q(valid_from__lte=at) & (Q(valid_until__isnull=True) | Q(valid_until__gt=at))
    rows = Qualification.objects.filter(
        valid, site_id=job.site_id, person_id__in=list(people), skill__code__in=[need["skill"] for need in needs]
    )
    for code, person, level in rows.values_list("skill__code", "person_id", "level"):
        best = have.setdefault(code, {})
        best[person] = max(level, best.get(person, 0))
    found = []
    for need in needs:
        level = int(need.get("level") or 1)
        count = sum(one >= level for one in have.get(need["skill"], {}).values())
        if count < int(need.get("count") or 1):
            found.append(
                _(
                    "Job %(job)s needs %(count)s with the skill %(skill)s (level %(level)s), valid "
                    "today. Somebody qualified must "
                    "start it, or come along."
                )
                % {"job": job.code, "count": need.get("count") or 1, "skill": need["skill"], "level": level}
            )
    return found


def check_skills(job: JobOrder, *, actor: Actor, crew: Sequence[int], at: datetime) -> None:
    """Refuse a start by people who may not do it. A machine's signal is believed: its people are told by a person."""
    people = {*crew, *([actor.person_id] if actor.person_id is not None else [])}
    if actor.kind != "person" and not people:
        return
    if found := missing_skills(job, people, at):
        raise Conflict(" ".join(found))


def find_tools(job: JobOrder, wanted: Sequence[str], at: datetime) -> tuple[list[Tool], list[str]]:
    """Return the tools for a job order, locked, and a sentence for each need that cannot be met. At most one query.

    ``wanted`` names tools by code; needs that they do not meet are met by whatever is free.
    """
    needs: Sequence[Mapping[str, Any]] = job.directive.get("tools", ())
    if not needs:
        return [], []
    kinds = [need["tool"] for need in needs]
    rows = list(
        Tool.objects.select_for_update(of=("self",), no_key=True)
        .filter(site_id=job.site_id, kind__in=kinds, retired_at__isnull=True)
        .order_by("pk")
    )
    rows.sort(key=lambda tool: (tool.code not in wanted, tool.pk))
    chosen: list[Tool] = []
    sentences = []
    for need in needs:
        of_kind = [tool for tool in rows if tool.kind == need["tool"]]
        free = [tool for tool in of_kind if tool.job_order_id in (None, job.pk) and not _is_overdue(tool, at)]
        count = int(need.get("count") or 1)
        if len(free) < count:
            sentences.append(_why_no_tool(need["tool"], of_kind, at))
        chosen += free[:count]
    return chosen, sentences


def _is_overdue(tool: Tool, at: datetime) -> bool:
    return tool.calibration_due_at is not None and tool.calibration_due_at <= at


def _why_no_tool(kind: str, rows: Sequence[Tool], at: datetime) -> str:
    if not rows:
        return _("There is no tool of the kind %(kind)s. Register one first.") % {"kind": kind}
    overdue = [tool.code for tool in rows if _is_overdue(tool, at)]
    if overdue:
        return _("Tools of the kind %(kind)s need calibration first: %(tools)s.") % {
            "kind": kind,
            "tools": ", ".join(overdue[:5]),
        }
    return _("All tools of the kind %(kind)s are in use: %(tools)s. Wait, or get another one.") % {
        "kind": kind,
        "tools": ", ".join(tool.code for tool in rows[:5]),
    }


def take_tools(job: JobOrder, wanted: Sequence[str], at: datetime) -> list[str]:
    """Let a job order take its tools; return their codes. Raises `Conflict` when one is missing."""
    tools, sentences = find_tools(job, wanted, at)
    if sentences:
        raise Conflict(" ".join(sentences))
    Tool.objects.filter(pk__in=[tool.pk for tool in tools]).update(job_order=job)
    return [tool.code for tool in tools]


def give_back_tools(job: JobOrder) -> None:
    """Free the tools of a job order that is over."""
    if job.directive.get("tools"):
        Tool.objects.filter(job_order_id=job.pk).update(job_order=None)
