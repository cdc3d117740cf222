"""The state machine of one alarm: OPC UA Part 9 states and verbs, ISA-18.2 / IEC 62682 meaning. Pure.

A condition instance has these parallel states (OPC UA Part 9, 5.5 to 5.8):

=============  ======================================  ==================================================
state          values                                  changed by
=============  ======================================  ==================================================
Enabled        enabled, disabled                       ENABLE, DISABLE
Active         active, inactive                        ACTIVATE, REPEAT, CLEAR (the evaluation)
Acked          acked, unacked                          ACTIVATE (unacked), ACKNOWLEDGE
Confirmed      confirmed, unconfirmed                  ACKNOWLEDGE (unconfirmed when required), CONFIRM
Latched        latched, not                            ACTIVATE (when the definition latches), RESET
Shelving       unshelved, timed, one shot              TIMED_SHELVE, ONE_SHOT_SHELVE, UNSHELVE, EXPIRE, CLEAR
Suppressed     by hand, by design, or not              SUPPRESS, UNSUPPRESS; DESIGN_SUPPRESS, DESIGN_UNSUPPRESS
OutOfService   out of service, in service              REMOVE_FROM_SERVICE, PLACE_IN_SERVICE
=============  ======================================  ==================================================

``retain`` says whether the alarm still needs somebody: it is active, latched, unacknowledged or unconfirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Shelving(StrEnum):
    """Part 9, ShelvedStateMachineType."""

    UNSHELVED = "unshelved"
    TIMED = "timed"
    ONE_SHOT = "one_shot"


class Verb(StrEnum):
    """Everything that can happen to an alarm."""

    ACTIVATE = "activate"
    REPEAT = "repeat"
    CLEAR = "clear"
    MARK_UNCERTAIN = "mark_uncertain"
    MARK_CERTAIN = "mark_certain"
    DESIGN_SUPPRESS = "design_suppress"
    DESIGN_UNSUPPRESS = "design_unsuppress"
    ACKNOWLEDGE = "acknowledge"
    CONFIRM = "confirm"
    ADD_COMMENT = "add_comment"
    TIMED_SHELVE = "timed_shelve"
    ONE_SHOT_SHELVE = "one_shot_shelve"
    UNSHELVE = "unshelve"
    EXPIRE_SHELVING = "expire_shelving"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    REMOVE_FROM_SERVICE = "remove_from_service"
    PLACE_IN_SERVICE = "place_in_service"
    RESET = "reset"
    ENABLE = "enable"
    DISABLE = "disable"


class Refusal(StrEnum):
    """Why a verb is refused; the value is Part 9's (or Part 4's) status code."""

    DISABLED = "Bad_ConditionDisabled"
    ALREADY_ENABLED = "Bad_ConditionAlreadyEnabled"
    ALREADY_DISABLED = "Bad_ConditionAlreadyDisabled"
    ALREADY_ACKED = "Bad_ConditionBranchAlreadyAcked"
    ALREADY_CONFIRMED = "Bad_ConditionBranchAlreadyConfirmed"
    ALREADY_SHELVED = "Bad_ConditionAlreadyShelved"
    NOT_SHELVED = "Bad_ConditionNotShelved"
    SHELVING_TIME = "Bad_ShelvingTimeOutOfRange"
    INVALID_STATE = "Bad_InvalidState"


class IllegalTransition(ValueError):
    """The verb is not possible in this state; ``refusal`` says why in OPC UA's words."""

    def __init__(self, verb: Verb, refusal: Refusal) -> None:
        super().__init__(f"{verb.value}: {refusal.value}")
        self.verb = verb
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Policy:
    """What the definition asks for. ``max_shelved_us`` bounds timed shelving (Part 9, MaxTimeShelved)."""

    acknowledge_required: bool = True
    confirm_required: bool = False
    is_latching: bool = False
    max_shelved_us: int = 7 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class AlarmState:
    """The state of one alarm; the first one is of an alarm that never spoke."""

    is_enabled: bool = True
    is_active: bool = False
    is_acked: bool = True
    is_confirmed: bool = True
    is_latched: bool = False
    is_uncertain: bool = False
    shelving: Shelving = Shelving.UNSHELVED
    shelved_until_us: int | None = None
    is_suppressed: bool = False
    is_design_suppressed: bool = False
    is_out_of_service: bool = False

    @property
    def retain(self) -> bool:
        """Whether it still needs somebody (Part 9, Retain)."""
        return self.is_enabled and (self.is_active or self.is_latched or not self.is_acked or not self.is_confirmed)

    @property
    def is_hidden(self) -> bool:
        """Whether it is kept from the headline list (Part 9, SuppressedOrShelved, and out of service)."""
        return (
            self.is_suppressed
            or self.is_design_suppressed
            or self.is_out_of_service
            or self.shelving is not Shelving.UNSHELVED
        )

    @property
    def is_annunciated(self) -> bool:
        """Whether people are to see it now."""
        return self.retain and not self.is_hidden


def apply(state: AlarmState, verb: Verb, policy: Policy, *, at_us: int = 0, until_us: int | None = None) -> AlarmState:
    """Return the state after the verb.

    Parameters
    ----------
    at_us, until_us
        Now, and until when a timed shelving holds; microseconds UTC. A one-shot shelving may have an end, too.

    Raises
    ------
    IllegalTransition
        Part 9 does not allow the verb here. What the evaluation tells of an enabled alarm (ACTIVATE, CLEAR, ...) is
        always allowed: a fact is a fact.
    """
    if not state.is_enabled and verb in _NEEDS_ENABLED:
        raise IllegalTransition(verb, Refusal.DISABLED)
    if verb in (Verb.TIMED_SHELVE, Verb.ONE_SHOT_SHELVE):
        return _shelve(state, verb, policy, at_us, until_us)
    return _ACTIONS[verb](state, policy)


def _activate(state: AlarmState, policy: Policy) -> AlarmState:
    return replace(
        state,
        is_active=True,
        is_acked=not policy.acknowledge_required,
        is_confirmed=True,
        is_latched=state.is_latched or policy.is_latching,
        is_uncertain=False,
    )


def _repeat(state: AlarmState, policy: Policy) -> AlarmState:
    """Active again within one episode: what people did to the episode holds."""
    return replace(state, is_active=True, is_latched=state.is_latched or policy.is_latching)


def _clear(state: AlarmState, _policy: Policy) -> AlarmState:
    """A one-shot shelving ends when the alarm it hid goes inactive."""
    ends_shelving = state.is_active and state.shelving is Shelving.ONE_SHOT
    return replace(
        state,
        is_active=False,
        is_uncertain=False,
        is_design_suppressed=False,
        shelving=Shelving.UNSHELVED if ends_shelving else state.shelving,
        shelved_until_us=None if ends_shelving else state.shelved_until_us,
    )


def _acknowledge(state: AlarmState, policy: Policy) -> AlarmState:
    if state.is_acked:
        raise IllegalTransition(Verb.ACKNOWLEDGE, Refusal.ALREADY_ACKED)
    return replace(state, is_acked=True, is_confirmed=not policy.confirm_required)


def _confirm(state: AlarmState, _policy: Policy) -> AlarmState:
    if state.is_confirmed:
        raise IllegalTransition(Verb.CONFIRM, Refusal.ALREADY_CONFIRMED)
    return replace(state, is_confirmed=True)


def _shelve(state: AlarmState, verb: Verb, policy: Policy, at_us: int, until_us: int | None) -> AlarmState:
    wanted = Shelving.TIMED if verb is Verb.TIMED_SHELVE else Shelving.ONE_SHOT
    if state.shelving is wanted:
        raise IllegalTransition(verb, Refusal.ALREADY_SHELVED)
    is_bounded = until_us is not None and at_us < until_us <= at_us + policy.max_shelved_us
    if not (is_bounded or (wanted is Shelving.ONE_SHOT and until_us is None)):
        raise IllegalTransition(verb, Refusal.SHELVING_TIME)
    return replace(state, shelving=wanted, shelved_until_us=until_us)


def _unshelve(state: AlarmState, _policy: Policy) -> AlarmState:
    if state.shelving is Shelving.UNSHELVED:
        raise IllegalTransition(Verb.UNSHELVE, Refusal.NOT_SHELVED)
    return replace(state, shelving=Shelving.UNSHELVED, shelved_until_us=None)


def _flag(name: str, verb: Verb, value: bool) -> Callable[[AlarmState, Policy], AlarmState]:
    """Return an action that sets a flag, refused when it is so already."""

    def act(state: AlarmState, _policy: Policy) -> AlarmState:
        if getattr(state, name) is value:
            raise IllegalTransition(verb, Refusal.INVALID_STATE)
        return _with(state, name, value)

    return act


def _told(name: str, value: bool) -> Callable[[AlarmState, Policy], AlarmState]:
    """Return an action that takes over what the evaluation tells."""
    return lambda state, _policy: _with(state, name, value)


def _with(state: AlarmState, name: str, value: bool) -> AlarmState:
    changed: dict[str, Any] = {name: value}
    return replace(state, **changed)


def _reset(state: AlarmState, _policy: Policy) -> AlarmState:
    """Part 9, 5.8.5: only a latched alarm that is inactive and waits for nobody can be reset."""
    if not state.is_latched or state.is_active or not state.is_acked or not state.is_confirmed:
        raise IllegalTransition(Verb.RESET, Refusal.INVALID_STATE)
    return replace(state, is_latched=False)


def _enable(state: AlarmState, _policy: Policy) -> AlarmState:
    if state.is_enabled:
        raise IllegalTransition(Verb.ENABLE, Refusal.ALREADY_ENABLED)
    return replace(state, is_enabled=True)


def _disable(state: AlarmState, _policy: Policy) -> AlarmState:
    """A disabled alarm is not judged: it keeps no activity and asks for nothing."""
    if not state.is_enabled:
        raise IllegalTransition(Verb.DISABLE, Refusal.ALREADY_DISABLED)
    return replace(
        state,
        is_enabled=False,
        is_active=False,
        is_acked=True,
        is_confirmed=True,
        is_latched=False,
        is_uncertain=False,
        is_design_suppressed=False,
    )


_NEEDS_ENABLED = frozenset(
    {
        Verb.ACKNOWLEDGE,
        Verb.CONFIRM,
        Verb.ADD_COMMENT,
        Verb.TIMED_SHELVE,
        Verb.ONE_SHOT_SHELVE,
        Verb.UNSHELVE,
        Verb.SUPPRESS,
        Verb.UNSUPPRESS,
        Verb.REMOVE_FROM_SERVICE,
        Verb.PLACE_IN_SERVICE,
        Verb.RESET,
        Verb.ACTIVATE,
        Verb.REPEAT,
    }
)

_ACTIONS: dict[Verb, Callable[[AlarmState, Policy], AlarmState]] = {
    Verb.ACTIVATE: _activate,
    Verb.REPEAT: _repeat,
    Verb.CLEAR: _clear,
    Verb.MARK_UNCERTAIN: _told("is_uncertain", True),
    Verb.MARK_CERTAIN: _told("is_uncertain", False),
    Verb.DESIGN_SUPPRESS: _told("is_design_suppressed", True),
    Verb.DESIGN_UNSUPPRESS: _told("is_design_suppressed", False),
    Verb.ACKNOWLEDGE: _acknowledge,
    Verb.CONFIRM: _confirm,
    Verb.ADD_COMMENT: lambda state, _policy: state,
    Verb.UNSHELVE: _unshelve,
    Verb.EXPIRE_SHELVING: _unshelve,
    Verb.SUPPRESS: _flag("is_suppressed", Verb.SUPPRESS, True),
    Verb.UNSUPPRESS: _flag("is_suppressed", Verb.UNSUPPRESS, False),
    Verb.REMOVE_FROM_SERVICE: _flag("is_out_of_service", Verb.REMOVE_FROM_SERVICE, True),
    Verb.PLACE_IN_SERVICE: _flag("is_out_of_service", Verb.PLACE_IN_SERVICE, False),
    Verb.RESET: _reset,
    Verb.ENABLE: _enable,
    Verb.DISABLE: _disable,
}
