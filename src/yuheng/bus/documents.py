"""The configuration document: what gateway and historian need to know, without the database.

The worker (or the service that changed something) publishes it whole, with a rising ``version``, to the bucket
`subjects.CONFIG_BUCKET`. Readers watch the key and swap the whole document; an older version is ignored.
"""

from __future__ import annotations

from typing import Any

import msgspec


class TagClass(msgspec.Struct, frozen=True):
    """How long tags of a class are kept. Days; 0 keeps for ever."""

    code: str
    raw_days: int = 730
    minute_days: int = 3650
    hour_days: int = 0
    is_time_weighted: bool = False


class Tag(msgspec.Struct, frozen=True):
    """One signal. ``value = raw * scale + offset``; ``unit`` is a UCUM code of the scaled value."""

    id: int
    source_id: int
    address: str  # unique within the source, e.g. "L01/spindle_speed"
    data_type: str  # float | int | bool | text
    work_unit_id: int | None = None
    symbol: str = ""  # name inside the work unit, used by state rules: "run", "fault_code"
    role: str = ""  # meaning for indicators: good_count, reject_count, power_kw, energy_kwh, cycle_time_s, ...
    name_zh: str = ""
    name_en: str = ""
    unit: str = "1"
    scale: float = 1.0
    offset: float = 0.0
    deadband: float = 0.0  # in the tag's unit; 0 stores every value
    tag_class: str = "standard"
    stale_after_s: float = 60.0
    is_writable: bool = False  # commands may be written to this tag, when its source allows writing
    formula: str = ""  # a calculated tag: see `engines.formulas`; it has no address that a device could use
    inputs: dict[str, int] = {}  # names in the formula -> tag ids


CALCULATED = "calculated"
"""Connector of the source that calculated tags of a site belong to; no process opens it."""


class Source(msgspec.Struct, frozen=True):
    """One data source: a connector with its settings."""

    id: int
    site_id: int
    code: str
    connector: str  # entry-point name: mqtt_json | sparkplug_b | http | files | ...
    is_enabled: bool = True
    topics: tuple[str, ...] = ()  # MQTT filters this source claims, when it speaks MQTT
    settings: dict[str, Any] = {}  # validated by the connector's JSON Schema; holds the payload mapping
    allows_writes: bool = False  # commands may be written to the machine


class StateRule(msgspec.Struct, frozen=True):
    """First rule whose condition holds names the state. See `engines.states.rules` for the language."""

    state: int  # engines.states.vocabulary.UnitState
    when: str  # e.g. "fault_code != 0"
    cause: str = ""  # expression or quoted text; its value becomes the interval's cause, e.g. "fault_code"


class Rederive(msgspec.Struct, frozen=True):
    """A wish: the past states of all units of a rule set are to be derived anew by its rules, once for each wish."""

    rule_set: str
    from_us: int
    asked_us: int


class WorkUnit(msgspec.Struct, frozen=True):
    """One work unit as the historian sees it."""

    id: int
    site_id: int
    code: str
    rule_set: str  # key into Plant.rule_sets (the equipment class's code); "" when it has none
    symbols: dict[str, int]  # symbol -> tag id
    no_data_after_s: float = 60.0


class AlarmVariant(msgspec.Struct, frozen=True):
    """What one work unit does otherwise than its alarm rule says; None: as there."""

    work_unit_id: int
    parameters: dict[str, float | str] = {}
    deadband: float | None = None
    on_delay_s: float | None = None
    off_delay_s: float | None = None


class AlarmRule(msgspec.Struct, frozen=True):
    """One alarm definition as the historian judges it, for every work unit in ``work_unit_ids``.

    See `engines.alarms.conditions` for the language of ``when`` and ``suppress_when``.
    """

    id: int  # of the definition
    work_unit_ids: tuple[int, ...]
    when: str
    parameters: dict[str, float | str] = {}
    value_symbol: str = ""
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    chatter_window_s: float = 60.0
    suppress_states: tuple[int, ...] = ()  # UnitState
    suppress_when: str = ""
    variants: tuple[AlarmVariant, ...] = ()


class JobSymbol(msgspec.Struct, frozen=True):
    """A symbol that jobs listen to at a site, because a released work master says so."""

    site_id: int
    symbol: str
    kind: str  # count: a cumulative counter of cycles; run_id: the controller's present run


class Device(msgspec.Struct, frozen=True):
    """A credential of a device, for HTTP push; MQTT has the same one in the broker's own configuration."""

    username: str
    password_sha256: str
    source_ids: tuple[int, ...]
    publish_topics: tuple[str, ...]


class Plant(msgspec.Struct, frozen=True):
    """Everything, in one document."""

    version: int
    sources: tuple[Source, ...] = ()
    tags: tuple[Tag, ...] = ()
    tag_classes: tuple[TagClass, ...] = (TagClass("standard"),)
    work_units: tuple[WorkUnit, ...] = ()
    rule_sets: dict[str, tuple[StateRule, ...]] = {}
    devices: tuple[Device, ...] = ()
    future_tolerance_s: float = 600.0
    rederive: tuple[Rederive, ...] = ()
    alarm_rules: tuple[AlarmRule, ...] = ()
    job_symbols: tuple[JobSymbol, ...] = ()


def encode(plant: Plant) -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(plant)


def decode(data: bytes) -> Plant:
    """Read the document; raises `msgspec.ValidationError` when it is not one."""
    return msgspec.json.decode(data, type=Plant)
