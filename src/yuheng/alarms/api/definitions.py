"""JSON edge: what alarms are defined, what units do otherwise, and what a change would do."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from yuheng.alarms.api.arguments import now, word
from yuheng.alarms.selectors import definitions, previews
from yuheng.alarms.selectors.definitions import DefinitionRow
from yuheng.alarms.services import definitions as services
from yuheng.alarms.services.checks import DefinitionSpec, OverrideSpec
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.people.identity import actor_of

router = Router(tags=["alarms"])

PriorityWord = Literal["critical", "high", "medium", "low"]
CategoryWord = Literal["safety", "quality", "process", "equipment", "utility", "communication"]
StateWord = Literal["no_data", "unknown", "producing", "idle", "setup", "down", "planned_stop"]
Parameters = dict[str, float | str]


class DefinitionIn(Schema):
    """An alarm. ``when`` is in the rules' language over the unit's symbols, ``state``, ``cause`` and ``parameters``."""

    code: str
    when: str
    name_zh: str
    name_en: str
    priority: PriorityWord = "medium"
    parameters: Parameters = {}
    value_symbol: str = ""
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    chatter_window_s: float = 60.0
    category: CategoryWord = "equipment"
    is_latching: bool = False
    acknowledge_required: bool = True
    confirm_required: bool = False
    message_zh: str = ""
    message_en: str = ""
    guidance_zh: str = ""
    guidance_en: str = ""
    consequence_zh: str = ""
    consequence_en: str = ""
    response_time_s: int | None = None
    suppress_states: list[StateWord] = []
    suppress_when: str = ""
    suppress_outside_shifts: bool = False
    parent_code: str = ""
    parent_work_unit_id: int | None = None
    is_enabled: bool = True

    def spec(self) -> DefinitionSpec:
        """Return what the services take."""
        given = self.model_dump()
        return DefinitionSpec(**{**given, "priority": Priority[self.priority.upper()]})


class DefinitionOut(DefinitionIn):
    """An alarm as it is defined, on a class (``of_class``) or on one work unit (``of_unit``)."""

    id: int
    site_id: int
    equipment_class_id: int | None
    of_class: str
    work_unit_id: int | None
    of_unit: str
    parent_unit_code: str
    override_count: int


class EffectiveOut(Schema):
    """An alarm as it holds for one work unit; ``overridden`` names what is the unit's own."""

    definition: DefinitionOut
    work_unit_id: int
    parameters: Parameters
    deadband: float
    on_delay_s: float
    off_delay_s: float
    priority: str
    is_enabled: bool
    overridden: list[str]


class OverrideIn(Schema):
    """What one work unit does otherwise; null and absent: as its class."""

    parameters: Parameters = {}
    deadband: float | None = None
    on_delay_s: float | None = None
    off_delay_s: float | None = None
    priority: PriorityWord | None = None
    is_enabled: bool | None = None
    reason: str = ""


class OverrideOut(OverrideIn):
    """Whose it is."""

    work_unit_id: int
    unit_code: str


class DefinitionPreviewIn(DefinitionIn):
    """What to try, on how many hours of history."""

    hours: Annotated[float, Field(gt=0, le=168)] = 24.0


class DefinitionFieldChangeOut(Schema):
    """One field before and after."""

    name: str
    old: Any
    new: Any


class UnitPreviewOut(Schema):
    """What the change does on one work unit."""

    work_unit_id: int
    unit_code: str
    overridden: list[str]
    is_changed: bool
    is_active_now: bool
    episodes_before: int
    episodes_after: int | None


class PreviewOut(Schema):
    """What a change would do; ``note`` says why history could not be asked."""

    is_new: bool
    changes: list[DefinitionFieldChangeOut]
    units: list[UnitPreviewOut]
    unit_count: int
    start: datetime
    end: datetime
    has_history: bool
    note: str


def _out(row: DefinitionRow) -> dict[str, Any]:
    return {**asdict(row), "priority": word(row.priority)}


@router.get("/definitions", response=list[DefinitionOut])
def list_definitions(request: HttpRequest, site_id: int, text: str = "") -> list[dict[str, Any]]:
    """List all alarms defined at a site."""
    rows = definitions.definitions_of_site(actor=actor_of(request), site_id=site_id, text=text)
    return [_out(row) for row in rows]


@router.get("/definitions/{int:definition_id}", response=DefinitionOut)
def get_definition(request: HttpRequest, definition_id: int) -> dict[str, Any]:
    """Show one definition."""
    return _out(definitions.definition(actor=actor_of(request), definition_id=definition_id))


@router.post("/definitions/{int:definition_id}/retire", response={204: None})
def retire(request: HttpRequest, definition_id: int) -> Status[None]:
    """Take an alarm out of use; its journal stays."""
    services.retire(actor=actor_of(request), definition_id=definition_id, at=now())
    return Status(204, None)


@router.get("/of-class/{int:equipment_class_id}", response=list[DefinitionOut])
def list_of_class(request: HttpRequest, equipment_class_id: int) -> list[dict[str, Any]]:
    """List the alarms of an equipment class."""
    rows = definitions.definitions_of_class(actor=actor_of(request), equipment_class_id=equipment_class_id)
    return [_out(row) for row in rows]


@router.put("/of-class/{int:equipment_class_id}", response=DefinitionOut)
def define_on_class(request: HttpRequest, equipment_class_id: int, body: DefinitionIn) -> dict[str, Any]:
    """Create or change the alarm with this code, for every work unit of a class."""
    actor = actor_of(request)
    row = services.define(actor=actor, spec=body.spec(), at=now(), equipment_class_id=equipment_class_id)
    return _out(definitions.definition(actor=actor, definition_id=row.pk))


@router.post("/of-class/{int:equipment_class_id}/preview", response=PreviewOut)
def preview_on_class(request: HttpRequest, equipment_class_id: int, body: DefinitionPreviewIn) -> dict[str, Any]:
    """Say what that would do: on which units, and what history would have said. Nothing is stored."""
    return _preview(request, body, equipment_class_id=equipment_class_id)


@router.get("/of-unit/{int:work_unit_id}", response=list[EffectiveOut])
def list_of_unit(request: HttpRequest, work_unit_id: int) -> list[dict[str, Any]]:
    """List the alarms of a work unit, as they hold there."""
    rows = definitions.definitions_of_unit(actor=actor_of(request), work_unit_id=work_unit_id)
    return [
        {
            **asdict(row),
            "definition": _out(row.definition),
            "priority": word(row.priority),
            "overridden": sorted(row.overridden),
        }
        for row in rows
    ]


@router.put("/of-unit/{int:work_unit_id}", response=DefinitionOut)
def define_on_unit(request: HttpRequest, work_unit_id: int, body: DefinitionIn) -> dict[str, Any]:
    """Create or change an alarm of one work unit."""
    actor = actor_of(request)
    row = services.define(actor=actor, spec=body.spec(), at=now(), work_unit_id=work_unit_id)
    return _out(definitions.definition(actor=actor, definition_id=row.pk))


@router.post("/of-unit/{int:work_unit_id}/preview", response=PreviewOut)
def preview_on_unit(request: HttpRequest, work_unit_id: int, body: DefinitionPreviewIn) -> dict[str, Any]:
    """Say what that would do. Nothing is stored."""
    return _preview(request, body, work_unit_id=work_unit_id)


@router.get("/definitions/{int:definition_id}/overrides", response=list[OverrideOut])
def list_overrides(request: HttpRequest, definition_id: int) -> list[dict[str, Any]]:
    """List what single work units do otherwise."""
    rows = definitions.overrides_of(actor=actor_of(request), definition_id=definition_id)
    return [{**asdict(row), "priority": None if row.priority is None else word(row.priority)} for row in rows]


@router.put("/definitions/{int:definition_id}/overrides/{int:work_unit_id}", response={204: None})
def set_override(request: HttpRequest, definition_id: int, work_unit_id: int, body: OverrideIn) -> Status[None]:
    """Let a work unit differ from its class."""
    given = body.model_dump()
    priority = None if body.priority is None else Priority[body.priority.upper()]
    services.override(
        actor=actor_of(request),
        definition_id=definition_id,
        work_unit_id=work_unit_id,
        at=now(),
        spec=OverrideSpec(**{**given, "priority": priority}),
    )
    return Status(204, None)


@router.delete("/definitions/{int:definition_id}/overrides/{int:work_unit_id}", response={204: None})
def clear_override(request: HttpRequest, definition_id: int, work_unit_id: int) -> Status[None]:
    """Let a work unit follow its class again."""
    services.clear_override(actor=actor_of(request), definition_id=definition_id, work_unit_id=work_unit_id, at=now())
    return Status(204, None)


def _preview(
    request: HttpRequest,
    body: DefinitionPreviewIn,
    *,
    equipment_class_id: int | None = None,
    work_unit_id: int | None = None,
) -> dict[str, Any]:
    given = body.model_dump(exclude={"hours"})
    spec = DefinitionSpec(**{**given, "priority": Priority[body.priority.upper()]})
    services.check_definition(spec)
    found = previews.preview_definition_change(
        actor=actor_of(request),
        spec=spec,
        at=now(),
        equipment_class_id=equipment_class_id,
        work_unit_id=work_unit_id,
        hours=body.hours,
    )
    units = [{**asdict(unit), "overridden": sorted(unit.overridden)} for unit in found.units]
    return {**asdict(found), "units": units, "unit_count": found.unit_count}
