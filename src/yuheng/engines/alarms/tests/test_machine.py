"""The machine against OPC UA Part 9, written down here a second time, as tables and in other words than the code's."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from yuheng.engines.alarms.machine import AlarmState, IllegalTransition, Policy, Refusal, Shelving, Verb, apply

HOUR = 3_600_000_000

# ---- Part 9, table B.1 and B.2: events and the states after each --------

WITH_CONFIRM = [
    # (event, Active, Acked, Confirmed, Retain)
    (Verb.ACTIVATE, True, False, True, True),
    (Verb.ACKNOWLEDGE, True, True, False, True),
    (Verb.CLEAR, False, True, False, True),
    (Verb.CONFIRM, False, True, True, False),
    (Verb.ACTIVATE, True, False, True, True),
    (Verb.CLEAR, False, False, True, True),
    (Verb.ACKNOWLEDGE, False, True, False, True),
    (Verb.CONFIRM, False, True, True, False),
]
WITHOUT_CONFIRM = [
    (Verb.ACTIVATE, True, False, True, True),
    (Verb.CLEAR, False, False, True, True),
    (Verb.ACTIVATE, True, False, True, True),
    (Verb.ACKNOWLEDGE, True, True, True, True),
    (Verb.CLEAR, False, True, True, False),
]


@pytest.mark.parametrize(("confirm", "table"), [(True, WITH_CONFIRM), (False, WITHOUT_CONFIRM)])
def test_the_examples_of_part_9(confirm, table):
    state, policy = AlarmState(), Policy(confirm_required=confirm)
    assert not state.retain
    for number, (verb, active, acked, confirmed, retain) in enumerate(table):
        state = apply(state, verb, policy)
        found = (state.is_active, state.is_acked, state.is_confirmed, state.retain)
        assert found == (active, acked, confirmed, retain), number


# ---- the whole, as a model of small tables ------------------

# Part 9, figure of ShelvedStateMachineType: (from, method) -> to; what is not here is refused with the code beside
SHELVING = {
    ("Unshelved", "TimedShelve"): "Timed",
    ("Unshelved", "OneShotShelve"): "OneShot",
    ("Timed", "OneShotShelve"): "OneShot",
    ("OneShot", "TimedShelve"): "Timed",
    ("Timed", "Unshelve"): "Unshelved",
    ("OneShot", "Unshelve"): "Unshelved",
}
SHELVING_REFUSED = {"TimedShelve": "Bad_ConditionAlreadyShelved", "OneShotShelve": "Bad_ConditionAlreadyShelved"}
SHELVING_REFUSED["Unshelve"] = "Bad_ConditionNotShelved"
WORD = {Shelving.UNSHELVED: "Unshelved", Shelving.TIMED: "Timed", Shelving.ONE_SHOT: "OneShot"}
VERB = {
    "TimedShelve": Verb.TIMED_SHELVE,
    "OneShotShelve": Verb.ONE_SHOT_SHELVE,
    "Unshelve": Verb.UNSHELVE,
    "Suppress": Verb.SUPPRESS,
    "Unsuppress": Verb.UNSUPPRESS,
    "RemoveFromService": Verb.REMOVE_FROM_SERVICE,
    "PlaceInService": Verb.PLACE_IN_SERVICE,
}
FLAGS = {
    "Suppress": ("suppressed", True),
    "Unsuppress": ("suppressed", False),
    "RemoveFromService": ("out", True),
    "PlaceInService": ("out", False),
}


class Part9(RuleBasedStateMachine):
    """Random verbs on the machine and on the model."""

    @initialize(confirm=st.booleans(), latch=st.booleans(), ack=st.booleans())
    def begin(self, confirm, latch, ack):
        self.policy = Policy(acknowledge_required=ack, confirm_required=confirm, is_latching=latch)
        self.state = AlarmState()
        self.model = {
            "enabled": True,
            "active": False,
            "acked": True,
            "confirmed": True,
            "latched": False,
            "shelving": "Unshelved",
            "suppressed": False,
            "out": False,
        }

    def act(self, verb, refusal, **more):
        """Do it, or be refused with exactly this code and stay as it was."""
        if refusal is None:
            self.state = apply(self.state, verb, self.policy, **more)
            return
        with pytest.raises(IllegalTransition) as caught:
            apply(self.state, verb, self.policy, **more)
        assert caught.value.refusal.value == refusal

    @property
    def off(self):
        return None if self.model["enabled"] else "Bad_ConditionDisabled"

    @rule()
    def becomes_active(self):
        self.act(Verb.ACTIVATE, self.off)
        if not self.off:
            self.model |= {"active": True, "acked": not self.policy.acknowledge_required, "confirmed": True}
            self.model["latched"] |= self.policy.is_latching

    @rule()
    def becomes_active_again_in_its_episode(self):
        self.act(Verb.REPEAT, self.off)
        if not self.off:
            self.model["active"] = True
            self.model["latched"] |= self.policy.is_latching

    @rule()
    def becomes_inactive(self):
        self.act(Verb.CLEAR, None)
        if self.model["active"] and self.model["shelving"] == "OneShot":
            self.model["shelving"] = "Unshelved"
        self.model["active"] = False

    @rule()
    def is_acknowledged(self):
        refusal = self.off or ("Bad_ConditionBranchAlreadyAcked" if self.model["acked"] else None)
        self.act(Verb.ACKNOWLEDGE, refusal)
        if refusal is None:
            self.model |= {"acked": True, "confirmed": not self.policy.confirm_required}

    @rule()
    def is_confirmed(self):
        refusal = self.off or ("Bad_ConditionBranchAlreadyConfirmed" if self.model["confirmed"] else None)
        self.act(Verb.CONFIRM, refusal)
        if refusal is None:
            self.model["confirmed"] = True

    @rule()
    def is_reset(self):
        waits = self.model["active"] or not self.model["acked"] or not self.model["confirmed"]
        refusal = self.off or ("Bad_InvalidState" if waits or not self.model["latched"] else None)
        self.act(Verb.RESET, refusal)
        if refusal is None:
            self.model["latched"] = False

    @rule(method=st.sampled_from(["TimedShelve", "OneShotShelve", "Unshelve"]), hours=st.sampled_from([1, 24, 200]))
    def shelving(self, method, hours):
        to = SHELVING.get((self.model["shelving"], method))
        refusal = self.off or (SHELVING_REFUSED[method] if to is None else None)
        if refusal is None and method == "TimedShelve" and hours > 7 * 24:
            refusal = "Bad_ShelvingTimeOutOfRange"
        until = {"at_us": 5, "until_us": 5 + hours * HOUR} if method == "TimedShelve" else {}
        self.act(VERB[method], refusal, **until)
        if refusal is None:
            self.model["shelving"] = to

    @rule(method=st.sampled_from(sorted(FLAGS)))
    def hiding(self, method):
        name, wanted = FLAGS[method]
        refusal = self.off or ("Bad_InvalidState" if self.model[name] is wanted else None)
        self.act(VERB[method], refusal)
        if refusal is None:
            self.model[name] = wanted

    @rule()
    def is_disabled(self):
        self.act(Verb.DISABLE, None if self.model["enabled"] else "Bad_ConditionAlreadyDisabled")
        self.model |= {"enabled": False, "active": False, "acked": True, "confirmed": True, "latched": False}

    @rule()
    def is_enabled(self):
        self.act(Verb.ENABLE, "Bad_ConditionAlreadyEnabled" if self.model["enabled"] else None)
        self.model["enabled"] = True

    @rule(uncertain=st.booleans())
    def is_in_doubt(self, uncertain):
        """Doubt changes nothing else."""
        self.act(Verb.MARK_UNCERTAIN if uncertain else Verb.MARK_CERTAIN, None)

    @rule()
    def is_commented(self):
        self.act(Verb.ADD_COMMENT, self.off)

    @invariant()
    def the_same_states(self):
        if not hasattr(self, "model"):
            return
        state, model = self.state, self.model
        found = {
            "enabled": state.is_enabled,
            "active": state.is_active,
            "acked": state.is_acked,
            "confirmed": state.is_confirmed,
            "latched": state.is_latched,
            "shelving": WORD[state.shelving],
            "suppressed": state.is_suppressed,
            "out": state.is_out_of_service,
        }
        assert found == model
        waits = model["active"] or model["latched"] or not model["acked"] or not model["confirmed"]
        assert state.retain is (model["enabled"] and waits)
        assert state.is_hidden is (model["shelving"] != "Unshelved" or model["suppressed"] or model["out"])
        assert (state.shelved_until_us is not None) <= (model["shelving"] == "Timed")


Part9.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestPart9 = Part9.TestCase


def test_every_refusal_is_a_status_code_of_opc_ua():
    assert all(refusal.value.startswith("Bad_") for refusal in Refusal)
