"""What a terminal may report, how it must read, and what depends on what. Plain Python.

A terminal numbers what people do: `Action.sequence` counts 1, 2, 3… within a *stream* (one browser's store). The server
takes each number of a stream once and in order, whatever the network repeats, delays or mixes up. What a rule refuses
becomes a conflict, and everything that depends on it waits (`keys`): nothing is guessed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused

MOST_ACTIONS = 100
"""Actions in one request; a terminal sends the rest with the next."""

LONGEST_TEXT = 500
LONGEST_CODE = 200
LONGEST_KEPT = 2000
CLOCK_SLACK = timedelta(seconds=90)
"""A report from the future up to this is a clock that is a little off; it is taken as of now."""

SESSION_LENGTH = timedelta(hours=14)
"""A shift with its overtime; who forgets to sign out does not work on for ever."""

PAIRING_LENGTH = timedelta(hours=1)
LONGEST_LOOK_BACK = timedelta(days=7)
"""Nothing that happened longer ago is taken from a terminal by itself: a person decides."""


class Kind(StrEnum):
    """What people do at a terminal. The value is stored and sent: never rename one."""

    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    START = "start"
    SET_UP = "set_up"
    PAUSE = "pause"
    RESUME = "resume"
    REPORT = "report"
    FINISH = "finish"
    CONSUME = "consume"
    CHECK = "check"
    PARAMETERS = "parameters"
    CREW = "crew"
    NOTE = "note"
    HELP = "help"
    UNREADABLE = "unreadable"  # something that this server does not understand: kept for a person, never sent


OF_A_JOB = frozenset(Kind) - {Kind.SIGN_IN, Kind.SIGN_OUT, Kind.HELP, Kind.UNREADABLE}
"""Kinds that say something about a job order, and must name it."""

CHANGES_THE_JOB = OF_A_JOB - {Kind.NOTE}
"""Kinds that wait for an earlier one of the same job which is in conflict."""


class Outcome(StrEnum):
    """What became of an action. Stored; never rename one."""

    APPLIED = "applied"
    CONFLICT = "conflict"
    HELD = "held"
    DISCARDED = "discarded"


OPEN = frozenset({Outcome.CONFLICT, Outcome.HELD})


class ConflictSettled(Conflict):
    """Somebody else has already decided on this report."""


class OlderConflictOpen(Conflict):
    """An earlier report that this one depends on must be decided first."""


class DeviceUnknown(PermissionRefused):
    """No registered terminal: never connected, or revoked."""


class StreamCollides(Conflict):
    """A terminal counts from where it has already been: its store was rolled back. It must begin a new stream."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person did at a terminal.

    Attributes
    ----------
    id
        Made by the terminal; the same id is the same action, however often it arrives.
    sequence
        1, 2, 3… in the terminal's stream.
    happened_at
        When, by the terminal's clock as corrected by the server's.
    session
        Who: the terminal's id of their being signed in.
    """

    id: uuid.UUID
    sequence: int
    kind: Kind
    happened_at: datetime
    session: uuid.UUID | None
    job_order_id: int | None
    payload: Mapping[str, Any]

    @property
    def keys(self) -> frozenset[str]:
        """What it depends on: its person's being signed in, its job as the actions before left it."""
        return dependency_keys(self.kind, self.session, self.job_order_id)


def dependency_keys(kind: Kind, session: uuid.UUID | None, job_order_id: int | None) -> frozenset[str]:
    """Return the names of what an action depends on and changes.

    Examples
    --------
    >>> sorted(dependency_keys(Kind.START, None, 7))
    ['job:7']
    >>> sorted(dependency_keys(Kind.HELP, None, 7))
    []
    """
    keys = {f"session:{session}"} if session else set()
    if kind in CHANGES_THE_JOB and job_order_id is not None:
        keys.add(f"job:{job_order_id}")
    return frozenset(keys)


def waits_for(action_keys: frozenset[str], open_before: Iterable[tuple[Kind, frozenset[str]]]) -> bool:
    """Return whether an action must wait for one of those before it that are in conflict or held.

    A person's being signed in is in doubt only while their *sign-in* is: one conflict about a job says nothing about
    their other jobs.

    Examples
    --------
    >>> mine = frozenset({"session:a", "job:1"})
    >>> waits_for(mine, [(Kind.START, frozenset({"session:a", "job:2"}))])
    False
    >>> waits_for(mine, [(Kind.SIGN_IN, frozenset({"session:a"}))])
    True
    """
    for kind, keys in open_before:
        shared = action_keys & keys
        if any(key.startswith("job:") for key in shared) or (shared and kind is Kind.SIGN_IN):
            return True
    return False


def moment_taken(said: datetime, received: datetime) -> datetime:
    """Return the moment that counts: what the terminal said, but never one in the future.

    Examples
    --------
    >>> now = datetime(2026, 11, 23, tzinfo=UTC)
    >>> moment_taken(now + timedelta(seconds=30), now) == now
    True
    """
    return min(said, received)


# ---- reading what was sent ----------------------------------------------------------------------------------------


def read_actions(sent: Any, received_at: datetime) -> list[Action]:
    """Read a batch, by sequence.

    Raises
    ------
    InvalidInput
        Not a list, or something in it has neither an id nor a sequence: nothing of the batch is taken then. What has
        both and cannot be read otherwise becomes an action of `Kind.UNREADABLE`: it must neither vanish nor block
        those after it.
    """
    if not isinstance(sent, list) or len(sent) > MOST_ACTIONS:
        raise InvalidInput(f"Send a list of at most {MOST_ACTIONS} actions.")
    found = [_read_or_keep(one, received_at) for one in sent]
    return sorted(found, key=lambda action: action.sequence)


def _read_or_keep(sent: Any, received_at: datetime) -> Action:
    try:
        return read_action(sent)
    except InvalidInput as refusal:
        if not isinstance(sent, Mapping):
            raise
        job = sent.get("job")
        return Action(
            id=_uuid(sent, "id"),
            sequence=_sequence(sent),
            kind=Kind.UNREADABLE,
            happened_at=received_at if _is_no_moment(sent.get("at_ms")) else _moment(sent.get("at_ms")),
            session=None,
            job_order_id=job if isinstance(job, int) and not isinstance(job, bool) and 0 < job < 2**63 else None,
            payload={"why": str(refusal), "sent": repr(dict(sent)).replace("\x00", "")[:LONGEST_KEPT]},
        )


def read_action(sent: Any) -> Action:
    """Read one action. Raises `InvalidInput` naming what cannot be read."""
    if not isinstance(sent, Mapping):
        raise InvalidInput("An action is an object.")
    kind = _kind(sent.get("kind"))
    sequence = _sequence(sent)
    job_order_id = sent.get("job")
    if job_order_id is not None and (
        not isinstance(job_order_id, int) or isinstance(job_order_id, bool) or not 0 < job_order_id < 2**63
    ):
        raise InvalidInput("An action's 'job' is the id of a job order.")
    if kind in OF_A_JOB and job_order_id is None:
        raise InvalidInput(f"'{kind}' must name its 'job'.")
    session = _uuid(sent, "session") if sent.get("session") is not None else None
    if session is None:
        raise InvalidInput("An action's 'session' says who did it.")
    payload = sent.get("payload", {})
    if not isinstance(payload, Mapping):
        raise InvalidInput("An action's 'payload' is an object.")
    return Action(
        id=_uuid(sent, "id"),
        sequence=sequence,
        kind=kind,
        happened_at=_moment(sent.get("at_ms")),
        session=session,
        job_order_id=job_order_id,
        payload=READ[kind](payload),
    )


def _sequence(sent: Mapping[str, Any]) -> int:
    sequence = sent.get("sequence")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 1 <= sequence < 2**53:
        raise InvalidInput("An action's 'sequence' is a whole number from 1.")
    return sequence


def _kind(value: Any) -> Kind:
    if isinstance(value, str) and value in READ:
        return Kind(value)
    raise InvalidInput("An action's 'kind' is one that terminals know.")


def _uuid(sent: Mapping[str, Any], name: str) -> uuid.UUID:
    try:
        return uuid.UUID(str(sent.get(name)))
    except ValueError as error:
        raise InvalidInput(f"An action's '{name}' is a UUID.") from error


def _is_no_moment(value: Any) -> bool:
    return not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 4_102_444_800_000


def _moment(value: Any) -> datetime:
    if _is_no_moment(value):
        raise InvalidInput("An action's 'at_ms' is milliseconds since 1970.")
    return datetime.fromtimestamp(value / 1000, UTC)


def _text(payload: Mapping[str, Any], name: str, longest: int = LONGEST_TEXT) -> str:
    value = payload.get(name, "")
    if not isinstance(value, str) or len(value) > longest or "\x00" in value:
        raise InvalidInput(f"'{name}' is a text of at most {longest} characters.")
    return value.strip()


def _quantity(payload: Mapping[str, Any], name: str) -> str:
    """Return a quantity as text, as it is stored: JSON has no decimals."""
    value = payload.get(name, 0)
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        raise InvalidInput(f"'{name}' is a quantity.")
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise InvalidInput(f"'{name}' is a quantity.") from error
    if not found.is_finite() or found < 0 or found >= 10**10:
        raise InvalidInput(f"'{name}' is a quantity that is not negative.")
    return str(found)


def _whole(payload: Mapping[str, Any], name: str) -> int | None:
    value = payload.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63):
        raise InvalidInput(f"'{name}' is the id of something.")
    return value


def _whole_list(payload: Mapping[str, Any], name: str) -> list[int]:
    value = payload.get(name, [])
    if not isinstance(value, list) or len(value) > 50:
        raise InvalidInput(f"'{name}' is a list of ids.")
    return [found for one in value if (found := _whole({name: one}, name)) is not None]


def _read_badge(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the fingerprint that the terminal made: the badge itself is stored nowhere."""
    found = _text(payload, "badge", 64)
    if len(found) != 64 or not set(found) <= set("0123456789abcdef"):
        raise InvalidInput("'badge' is the SHA-256 of what was scanned.")
    return {"badge": found}


def _read_nothing(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _read_crew(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"crew": _whole_list(payload, "crew")}


def _read_pause(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"reason": _text(payload, "reason", 40), "note": _text(payload, "note")}


def _read_quantities(payload: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: _quantity(payload, name) for name in ("good", "scrap", "rework")}
    return found | {"reason": _text(payload, "reason", 40), "note": _text(payload, "note")}


def _read_finish(payload: Mapping[str, Any]) -> dict[str, Any]:
    return _read_quantities(payload) | {"is_short": payload.get("is_short") is True}


def _read_consume(payload: Mapping[str, Any]) -> dict[str, Any]:
    lot = _text(payload, "lot", LONGEST_CODE)
    if not lot:
        raise InvalidInput("'lot' is what was scanned.")
    return {"lot": lot, "quantity": _quantity(payload, "quantity"), "requirement": _whole(payload, "requirement")}


def _read_check(payload: Mapping[str, Any]) -> dict[str, Any]:
    value, passed = payload.get("value"), payload.get("passed")
    if value is not None and (not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e15):
        raise InvalidInput("'value' is what was measured.")
    if passed is not None and not isinstance(passed, bool):
        raise InvalidInput("'passed' is true or false.")
    return {"check": _text(payload, "check", 80), "value": value, "passed": passed, "note": _text(payload, "note")}


def _read_parameters(payload: Mapping[str, Any]) -> dict[str, Any]:
    values = payload.get("values", {})
    if not isinstance(values, Mapping) or len(values) > 100:
        raise InvalidInput("'values' maps parameters to what was set.")
    found: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(value, int | float | str | bool) or len(str(value)) > LONGEST_TEXT or len(str(name)) > 80:
            raise InvalidInput("'values' maps parameters to what was set.")
        found[str(name)] = value
    return {"values": found}


def _read_note(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"note": _text(payload, "note")}


def _read_help(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": _text(payload, "kind", 40), "note": _text(payload, "note")}


READ = {
    Kind.SIGN_IN: _read_badge,
    Kind.SIGN_OUT: _read_nothing,
    Kind.START: _read_crew,
    Kind.SET_UP: _read_nothing,
    Kind.PAUSE: _read_pause,
    Kind.RESUME: _read_nothing,
    Kind.REPORT: _read_quantities,
    Kind.FINISH: _read_finish,
    Kind.CONSUME: _read_consume,
    Kind.CHECK: _read_check,
    Kind.PARAMETERS: _read_parameters,
    Kind.CREW: _read_crew,
    Kind.NOTE: _read_note,
    Kind.HELP: _read_help,
}
"""Kind -> how its payload is read; what a kind does not know is dropped."""
