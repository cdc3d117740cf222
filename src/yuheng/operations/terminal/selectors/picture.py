"""What a tablet keeps of its station: enough to work for an hour without a network."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.urls import reverse

from yuheng.engineering import selectors as engineering
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.unit_symbols import symbol_of
from yuheng.operations.rules import HelpKind, JobState, ReasonKind, ResponseKind, Source
from yuheng.operations.selectors import counts, floor, jobs
from yuheng.operations.selectors.counts import Count
from yuheng.operations.selectors.jobs import JobDetail, RequirementRow, ResponseFilter
from yuheng.operations.terminal.labels import HELP_LABELS, in_both, said_in_both
from yuheng.operations.terminal.models import StationDevice, StationStream, TerminalSession
from yuheng.operations.terminal.selectors.devices import device_actor
from yuheng.operations.terminal.selectors.reports import ReportRow, codes_of_jobs, open_reports_of_device
from yuheng.people import selectors as people

JOBS_KEPT = 8
TURNS_LOOKED_AT, TURNS_KEPT, TOLD_FOR = 12, 3, timedelta(hours=1)
"""Of what a machine did by itself: the newest are of use, and only while they are news."""

TURNING = (
    ResponseKind.STARTED.value,
    ResponseKind.PAUSED.value,
    ResponseKind.RESUMED.value,
    ResponseKind.FINISHED.value,
)
REASON_KINDS = (ReasonKind.PAUSE, ReasonKind.SCRAP, ReasonKind.REWORK, ReasonKind.SHORT)

Json = dict[str, Any]


def picture_of(*, device: StationDevice, stream: uuid.UUID | None, now: datetime) -> Json:
    """Return what `static/terminal/project.js` reads.

    ``taken_through`` is read before everything else: the picture then includes at least what it says.
    """
    positions = StationStream.objects.filter(device=device, stream=stream or uuid.UUID(int=0))
    taken = positions.values_list("last_sequence", flat=True).first()
    actor, unit = device_actor(device), device.work_unit
    picture: Json = {
        "server_ms": _ms(now),
        "stream": str(stream) if stream else "",
        "taken_through": taken or 0,
        "device": device.name,
        "site": _names(device.site) | {"time_zone": device.site.time_zone},
        "station": None,
    }
    if unit is None:
        return picture | {"stations": _stations(actor, device.site_id)}
    queue = jobs.station_queue(actor=actor, work_unit_id=unit.pk, now=now, limit=JOBS_KEPT)
    details = jobs.job_details(actor=actor, job_order_ids=[row.id for row in queue])
    files = _files(actor, device.site_id, details)
    counted = counts.counts_of(job_order_ids=[row.id for row in queue])
    found = [_job(detail, unit.pk, files) | _counted(detail, counted.get(detail.job.id)) for detail in details]
    return picture | {
        "station": {"id": unit.pk, "code": unit.code} | _names(unit),
        "salt": device.salt,
        "directory": _directory(actor, device),
        "people": _people(device, now),
        "jobs": found,
        "documents": sorted({one["url"] for job in found for one in job["documents"]}),
        "reasons": _reasons(actor, device.site_id),
        "help_kinds": [{"code": kind.value} | in_both(HELP_LABELS[kind]) for kind in HelpKind],
        "help": [
            {"kind": row.kind.value, "at_ms": _ms(row.called_at), "is_answered": row.answered_at is not None}
            for row in floor.open_help(actor=actor, site_id=device.site_id, work_unit_id=unit.pk)
        ],
        "conflicts": _conflicts(open_reports_of_device(device)),
        "machine": _by_the_machine(actor, device.site_id, unit.pk, now),
    }


def _stations(actor: Actor, site_id: int) -> list[Json]:
    rows = equipment.work_units(actor=actor, site_id=site_id)
    return [{"id": row.id, "code": row.code} | _names(row) for row in rows]


def _reasons(actor: Actor, site_id: int) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {kind.value: [] for kind in REASON_KINDS}
    for row in floor.reasons(actor=actor, site_id=site_id):
        if row.kind in REASON_KINDS:
            found[row.kind.value].append({"code": row.code} | _names(row))
    return found


def _directory(actor: Actor, device: StationDevice) -> list[Json]:
    """Return whom this tablet can sign in by badge without a network; the digests are of use to it alone."""
    return [
        {
            "person_id": row.person_id,
            "number": row.number,
            "digest": hashlib.sha256((device.salt + row.badge_sha256).encode()).hexdigest(),
        }
        | _names(row)
        for row in people.floor_people(actor=actor, site_id=device.site_id)
        if row.badge_sha256
    ]


def _people(device: StationDevice, now: datetime) -> list[Json]:
    """Return who is signed in, in the order in which they came. One query."""
    rows = TerminalSession.objects.filter(Q(device=device, ended_at__isnull=True, expires_at__gt=now))
    return [
        {
            "session": str(row.pk),
            "person_id": row.person_id,
            "expires_ms": _ms(row.expires_at),
        }
        | _names(row.person)
        for row in rows.select_related("person").order_by("started_at")
    ]


def _by_the_machine(actor: Actor, site_id: int, work_unit_id: int, now: datetime) -> list[Json]:
    """Return what the station's machine began, stopped and ended by its signals, newest first. One query."""
    narrowed = ResponseFilter(work_unit_id=work_unit_id, kinds=TURNING)
    rows = jobs.responses(actor=actor, site_id=site_id, narrowed=narrowed, limit=TURNS_LOOKED_AT).rows
    return [
        {
            "id": row.id,
            "kind": row.kind.value,
            "at_ms": _ms(row.at),
            "job_code": row.job_code,
            **said_in_both(row.reason, "reason"),
        }
        for row in rows
        if row.source is Source.SIGNAL and row.recorded_at > now - TOLD_FOR
    ][:TURNS_KEPT]


def _conflicts(rows: list[ReportRow]) -> list[Json]:
    codes = codes_of_jobs(rows)
    return [
        {
            "id": row.id,
            "kind": row.kind.value,
            "outcome": row.outcome.value,
            "at_ms": _ms(row.happened_at),
            "sentence": row.sentence,
            "job_code": codes.get(row.job_order_id or 0, ""),
            "person_zh": row.person_zh,
            "person_en": row.person_en,
        }
        for row in rows
    ]


# ---- jobs ---------------------------------------------------------------------------------------------------------


def _files(actor: Actor, site_id: int, details: list[JobDetail]) -> dict[int, Json]:
    """Return document id -> what the tablet needs to show it."""
    ids = {int(one) for detail in details for one in _document_ids(detail.directive)}
    return {
        row.id: {
            "id": row.id,
            "name": row.name,
            "media_type": row.media_type,
            "url": f"{reverse('terminal:document', args=[row.id])}?{row.sha256[:12]}",
        }
        for row in (engineering.document_names(actor=actor, site_id=site_id, ids=ids) if ids else [])
    }


def _document_ids(directive: Mapping[str, Any]) -> list[int]:
    found = list(directive.get("document_ids", []))
    for check in directive.get("checks", []):
        found += check.get("document_ids", [])
    return found


def _job(detail: JobDetail, work_unit_id: int, files: Mapping[int, Json]) -> Json:
    row, directive = detail.job, detail.directive
    return {
        "id": row.id,
        "code": row.code,
        "request_code": row.request_code,
        "order_code": row.order_code,
        "customer_zh": row.customer_zh,
        "customer_en": row.customer_en,
        "material_code": row.material_code,
        "material_zh": row.material_zh,
        "material_en": row.material_en,
        "segment_code": row.segment,
        "segment_zh": row.segment_zh,
        "segment_en": row.segment_en,
        "instruction_zh": directive.get("instruction_zh", ""),
        "instruction_en": directive.get("instruction_en", ""),
        "state": row.state.value,
        "isHere": row.work_unit_id in {None, work_unit_id},
        "waits_at": "" if row.work_unit_id in {None, work_unit_id} else row.work_unit_code,
        "reason": _why_it_rests(detail),
        **said_in_both(_why_it_rests(detail), "reason"),
        "quantity": float(row.quantity),
        "good": float(row.good),
        "scrap": float(row.scrap),
        "rework": float(row.rework),
        "remaining": float(row.remaining),
        "unit": _unit(row.unit),
        "is_rush": row.is_rush,
        "is_rework": row.is_rework,
        "due_ms": _ms(row.due_at),
        "planned_ms": _ms(row.planned_start) if row.placed_at else None,
        "started_ms": _ms(row.actual_start),
        "since_ms": _since(detail),
        "setup_s": row.setup_s,
        "has_set_up": row.setup_s > 0 or "setup" in directive.get("confirms", ()),
        "isSetUp": any(one.kind == ResponseKind.SET_UP for one in detail.responses),
        "run_s": row.run_s,
        "missing": list(detail.missing),
        "checks": [_check(one, detail) for one in directive.get("checks", [])],
        "parameters": [_parameter(one) for one in directive.get("parameters", [])],
        "values": _values(detail),
        "materials": [_material(one) for one in detail.requirements],
        "documents": [files[one] for one in dict.fromkeys(_document_ids(directive)) if one in files],
    }


def _counted(detail: JobDetail, count: Count | None) -> Json:
    """Return what the machine counted, and what of it a person has yet to report: the proposal of the forms."""
    if count is None:
        return {"counted": None, "proposal": None}
    row = detail.job
    pieces = min(count.open_pieces(row.good, row.scrap + row.rework), row.remaining)
    if count.is_proposal:
        return {"counted": float(count.counted), "proposal": float(pieces)}
    # The machine reports them by itself, within a minute or with the finish: for the tablet they are.
    made = {"good": float(row.good + pieces), "remaining": float(row.remaining - pieces)}
    return {"counted": float(count.counted), "proposal": 0.0} | made


def _why_it_rests(detail: JobDetail) -> str:
    """Return the dispatcher's reason of a hold, else the reason of the pause; "" when the job does not rest."""
    if detail.job.state != JobState.INTERRUPTED:
        return ""
    last = next((one for one in detail.responses if one.kind == ResponseKind.PAUSED), None)
    return detail.job.hold_reason or (last.reason if last else "")


def _since(detail: JobDetail) -> int | None:
    """Return since when the job runs or rests: its last response that changed that."""
    turning = {ResponseKind.STARTED, ResponseKind.PAUSED, ResponseKind.RESUMED}
    last = next((one for one in detail.responses if one.kind in turning), None)
    return _ms(last.at if last else detail.job.actual_start)


def _check(check: Mapping[str, Any], detail: JobDetail) -> Json:
    done = detail.checks_done.get(check["code"])
    return {
        "code": check["code"],
        "kind": check["kind"],
        "unit": _unit(check.get("unit", "")),
        "low": _number(check.get("low")),
        "high": _number(check.get("high")),
        "target": _number(check.get("target")),
        "is_mandatory": bool(check.get("is_mandatory")),
        "document_ids": list(check.get("document_ids", [])),
        "name_zh": check.get("name_zh", ""),
        "name_en": check.get("name_en", ""),
        "done": None
        if done is None
        else {"at_ms": _ms(done.at), "value": _number(done.data.get("value")), "passed": done.data.get("passed")},
    }


def _parameter(parameter: Mapping[str, Any]) -> Json:
    return {
        "code": parameter["code"],
        "name_zh": parameter.get("name_zh", ""),
        "name_en": parameter.get("name_en", ""),
        "unit": _unit(parameter.get("unit", "")),
        "target": _number(parameter.get("target")),
        "low": _number(parameter.get("low")),
        "high": _number(parameter.get("high")),
    }


def _values(detail: JobDetail) -> Json:
    """Return the parameters as they were last said to be set."""
    last = next((one for one in detail.responses if one.kind == ResponseKind.PARAMETERS), None)
    return dict(last.data.get("values", {})) if last else {}


def _material(row: RequirementRow) -> Json:
    return {
        "id": row.id,
        "material_code": row.material_code,
        "name_zh": row.material_zh,
        "name_en": row.material_en,
        "tracking": row.tracking,
        "unit": _unit(row.unit),
        "needed": float(row.needed),
        "consumed": float(row.consumed),
        "lots": [{"code": lot.code, "uri": lot.uri, "quantity": float(lot.quantity)} for lot in row.lots],
    }


def _names(row: Any) -> Json:
    return {"name_zh": row.name_zh, "name_en": row.name_en}


def _unit(code: str) -> str:
    """Return a UCUM code as people write the unit; nothing for pieces."""
    return "" if code in {"", "1", "{piece}"} else symbol_of(code)


def _number(value: Any) -> float | str | None:
    """Return a number as the tablet compares it; the frozen work master keeps decimals as text."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value)
    except ValueError:
        return str(value)


def _ms(at: datetime | None) -> int | None:
    return int(at.timestamp() * 1000) if at else None
