"""Rules of planning: states, estimates, weights, words. Plain Python."""

from yuheng.scheduling.rules.disturbances import DisturbanceKind, Trouble
from yuheng.scheduling.rules.estimates import Basis, Estimate, back_at
from yuheng.scheduling.rules.policy import Policy
from yuheng.scheduling.rules.states import (
    ScenarioState,
    SuggestionState,
    weight_of,
)

__all__ = [
    "Basis",
    "DisturbanceKind",
    "Estimate",
    "Policy",
    "ScenarioState",
    "SuggestionState",
    "Trouble",
    "back_at",
    "weight_of",
]
