"""What telemetry tells others: facts, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """A data source was created or changed."""

    source_id: int
    site_id: int


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A device was issued, changed, given a new password or revoked."""

    device_id: int
    site_id: int


@dataclass(frozen=True, slots=True)
class TagsChanged:
    """Tags or tag classes were created or changed."""

    site_id: int
    count: int


@dataclass(frozen=True, slots=True)
class StateRulesChanged:
    """The state rules of an equipment class were changed."""

    equipment_class_id: int


@dataclass(frozen=True, slots=True)
class DeadLetterReplayRequested:
    """Somebody asked to send the messages of dead-letter groups through the path again; the worker does it."""

    group_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeadLettersReplayed:
    """Messages of a dead-letter group went through the path again."""

    group_id: int
    count: int


@dataclass(frozen=True, slots=True)
class CommandRequested:
    """Somebody wants a value written to a machine; the worker sends it, once."""

    command_id: str
    source_id: int
    site_id: int


@dataclass(frozen=True, slots=True)
class CommandEnded:
    """What became of a command is known, or that it never will be."""

    command_id: str
    source_id: int
    site_id: int
    state: str
