"""JSON edge: what the floor does with a job order. The same ``action_id`` twice is one act."""

from __future__ import annotations

from typing import Annotated

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Router

from yuheng.operations.api.schemas import ActIn, Amount, Difference, Quantity, Reason, now, schema_of
from yuheng.operations.rules.progress import ZERO
from yuheng.operations.selectors import floor
from yuheng.operations.selectors.floor import HelpRow
from yuheng.operations.services import execute, materials, records
from yuheng.operations.services import help as helping
from yuheng.operations.services.facts import Done
from yuheng.operations.services.signals.meeting import report_now
from yuheng.people.identity import actor_of

router = Router(tags=["operations"])
DoneOut = schema_of(Done)
HelpOut = schema_of(HelpRow)
Note = Annotated[str, Field(max_length=1000)]
Said = Annotated[str, Field(max_length=80)]
MOST_SERIALS = 1000


class StartIn(ActIn):
    """Where it begins (nowhere for a subcontracted step), who works beside the actor, with which tools."""

    work_unit_id: int | None
    crew: Annotated[list[int], Field(max_length=100)] = []
    tools: Annotated[list[Said], Field(max_length=100)] = []


class PauseIn(ActIn):
    """Why it is interrupted."""

    reason: Reason
    note: Note = ""


class ReportIn(ActIn):
    """Pieces since the last report; scrap and rework need a reason."""

    good: Quantity = ZERO
    scrap: Quantity = ZERO
    rework: Quantity = ZERO
    reason: Annotated[str, Field(max_length=200)] = ""
    note: Note = ""
    serials: Annotated[list[Said], Field(max_length=MOST_SERIALS)] = []


class FinishIn(ReportIn):
    """The last pieces; ``is_short`` with a reason: fewer than planned."""

    is_short: bool = False


class FloorMaterialIn(ActIn):
    """What was scanned (URI, lot code or serial number) and how much; ``unit`` "" is the material's own."""

    lot: Annotated[str, Field(min_length=1, max_length=300)]
    quantity: Amount
    unit: Annotated[str, Field(max_length=40)] = ""
    requirement_id: int | None = None
    location_id: int | None = None
    reason: Annotated[str, Field(max_length=200)] = ""


class CheckIn(ActIn):
    """A check's code with what was measured, or whether it passed."""

    check: Annotated[str, Field(min_length=1, max_length=80)]
    value: float | None = None
    passed: bool | None = None
    serial: Said = ""
    note: Note = ""


class ParametersIn(ActIn):
    """What the process was run with."""

    values: dict[str, bool | float | str]


class NoteIn(ActIn):
    """A text."""

    note: Annotated[str, Field(min_length=1, max_length=1000)]


class CrewIn(ActIn):
    """Who works on it from now, beside the actor."""

    crew: Annotated[list[int], Field(max_length=100)] = []


class CorrectionIn(ActIn):
    """Signed differences to what was told."""

    good: Difference = ZERO
    scrap: Difference = ZERO
    reason: Reason


class HelpIn(ActIn):
    """Who is needed: material, maintenance, quality, lead or safety."""

    work_unit_id: int
    kind: Annotated[str, Field(max_length=12)]
    job_order_id: int | None = None
    note: Note = ""


class OutcomeIn(ActIn):
    """What it was."""

    note: Note = ""


@router.post("/job-orders/{int:job_order_id}/start", response=DoneOut)
def start_job_order(request: HttpRequest, job_order_id: int, body: StartIn) -> Done:
    """Begin to work on a job order at a work unit."""
    return execute.start_job_order(
        actor=actor_of(request), job_order_id=job_order_id, work_unit_id=body.work_unit_id, crew=body.crew,
        tools=body.tools, at=now(), act=body.act(),
    )  # fmt: skip


@router.post("/job-orders/{int:job_order_id}/set-up-done", response=DoneOut)
def set_up_done(request: HttpRequest, job_order_id: int, body: ActIn) -> Done:
    """Say that the set-up is done and the run begins."""
    return execute.set_up_done(actor=actor_of(request), job_order_id=job_order_id, at=now(), act=body.act())


@router.post("/job-orders/{int:job_order_id}/pause", response=DoneOut)
def pause_job_order(request: HttpRequest, job_order_id: int, body: PauseIn) -> Done:
    """Interrupt the work, with a reason."""
    return execute.pause_job_order(
        actor=actor_of(request), job_order_id=job_order_id, reason=body.reason, note=body.note, at=now(), act=body.act()
    )


@router.post("/job-orders/{int:job_order_id}/resume", response=DoneOut)
def resume_job_order(request: HttpRequest, job_order_id: int, body: ActIn) -> Done:
    """Go on with an interrupted job order."""
    return execute.resume_job_order(actor=actor_of(request), job_order_id=job_order_id, at=now(), act=body.act())


@router.post("/job-orders/{int:job_order_id}/report", response=DoneOut)
def report_quantities(request: HttpRequest, job_order_id: int, body: ReportIn) -> Done:
    """Report pieces; the job goes on."""
    return execute.report_quantities(
        actor=actor_of(request), job_order_id=job_order_id, good=body.good, scrap=body.scrap, rework=body.rework,
        reason=body.reason, note=body.note, serials=body.serials, at=now(), act=body.act(),
    )  # fmt: skip


@router.post("/job-orders/{int:job_order_id}/finish", response=DoneOut)
def finish_job_order(request: HttpRequest, job_order_id: int, body: FinishIn) -> Done:
    """Finish a job order with its last pieces; what its machine counted and reports by itself is reported before."""
    with transaction.atomic():
        report_now(job_order_id=job_order_id, at=now())
        return execute.finish_job_order(
            actor=actor_of(request), job_order_id=job_order_id, good=body.good, scrap=body.scrap, rework=body.rework,
            reason=body.reason, note=body.note, is_short=body.is_short, serials=body.serials, at=now(),
            act=body.act(),
        )  # fmt: skip


@router.post("/job-orders/{int:job_order_id}/consume", response=DoneOut)
def consume_material(request: HttpRequest, job_order_id: int, body: FloorMaterialIn) -> Done:
    """Use material of a lot for a job order."""
    return materials.consume_material(
        actor=actor_of(request), job_order_id=job_order_id, lot=body.lot, quantity=body.quantity, unit=body.unit,
        requirement_id=body.requirement_id, location_id=body.location_id, reason=body.reason, at=now(), act=body.act(),
    )  # fmt: skip


@router.post("/job-orders/{int:job_order_id}/return", response=DoneOut)
def return_material(request: HttpRequest, job_order_id: int, body: FloorMaterialIn) -> Done:
    """Give back material that a job order took and did not use."""
    return materials.return_material(
        actor=actor_of(request), job_order_id=job_order_id, lot=body.lot, quantity=body.quantity, unit=body.unit,
        requirement_id=body.requirement_id, location_id=body.location_id, reason=body.reason, at=now(), act=body.act(),
    )  # fmt: skip


@router.post("/job-orders/{int:job_order_id}/check", response=DoneOut)
def record_check(request: HttpRequest, job_order_id: int, body: CheckIn) -> Done:
    """Record the result of a check of the step."""
    return records.record_check(
        actor=actor_of(request), job_order_id=job_order_id, check=body.check, value=body.value, passed=body.passed,
        serial=body.serial, note=body.note, at=now(), act=body.act(),
    )  # fmt: skip


@router.post("/job-orders/{int:job_order_id}/parameters", response=DoneOut)
def record_parameters(request: HttpRequest, job_order_id: int, body: ParametersIn) -> Done:
    """Record what the process was run with."""
    return records.record_parameters(
        actor=actor_of(request), job_order_id=job_order_id, values=body.values, at=now(), act=body.act()
    )


@router.post("/job-orders/{int:job_order_id}/note", response=DoneOut)
def add_job_note(request: HttpRequest, job_order_id: int, body: NoteIn) -> Done:
    """Write a note onto a job order's record."""
    return records.add_note(
        actor=actor_of(request), job_order_id=job_order_id, note=body.note, at=now(), act=body.act()
    )


@router.post("/job-orders/{int:job_order_id}/crew", response=DoneOut)
def change_crew(request: HttpRequest, job_order_id: int, body: CrewIn) -> Done:
    """Let a job order that has begun go on with other people: the change of shift."""
    return records.change_crew(
        actor=actor_of(request), job_order_id=job_order_id, crew=body.crew, at=now(), act=body.act()
    )


@router.post("/job-responses/{int:response_id}/correct", response=DoneOut)
def correct_response(request: HttpRequest, response_id: int, body: CorrectionIn) -> Done:
    """Correct the quantities of a report by a new row of signed differences; the old row stays."""
    return records.correct_response(
        actor=actor_of(request), response_id=response_id, good=body.good, scrap=body.scrap, reason=body.reason,
        at=now(), act=body.act(),
    )  # fmt: skip


@router.get("/help-calls", response=list[HelpOut])  # type: ignore[valid-type]
def open_help(request: HttpRequest, site_id: int, work_unit_id: int | None = None) -> list[HelpRow]:
    """Calls for help that are not over, oldest first."""
    return floor.open_help(actor=actor_of(request), site_id=site_id, work_unit_id=work_unit_id)


@router.post("/help-calls", response=HelpOut)
def call_for_help(request: HttpRequest, body: HelpIn) -> HelpRow:
    """Call for help at a station."""
    row = helping.call_for_help(
        actor=actor_of(request), work_unit_id=body.work_unit_id, kind=body.kind, job_order_id=body.job_order_id,
        note=body.note, at=now(), act=body.act(),
    )  # fmt: skip
    return floor.help_call(actor=actor_of(request), help_id=row.pk)


@router.post("/help-calls/{int:help_id}/answer", response=HelpOut)
def answer_help(request: HttpRequest, help_id: int) -> HelpRow:
    """Say that somebody comes."""
    helping.answer_help(actor=actor_of(request), help_id=help_id, at=now())
    return floor.help_call(actor=actor_of(request), help_id=help_id)


@router.post("/help-calls/{int:help_id}/end", response=HelpOut)
def end_help(request: HttpRequest, help_id: int, body: OutcomeIn) -> HelpRow:
    """Say that it is over, and what it was."""
    helping.end_help(actor=actor_of(request), help_id=help_id, note=body.note, at=now())
    return floor.help_call(actor=actor_of(request), help_id=help_id)
