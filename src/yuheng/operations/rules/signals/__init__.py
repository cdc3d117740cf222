"""Where a machine's signals and a job meet: counting, clocks, whose piece it was, what disagrees. Plain Python."""

from yuheng.operations.rules.signals.clock import MachineClock, clock_of
from yuheng.operations.rules.signals.counting import Reading, Step, StepKind, pieces_of, steps
from yuheng.operations.rules.signals.cycles import MIN_CYCLES, pace_of, quantile
from yuheng.operations.rules.signals.kinds import ExceptionKind, ExceptionState, SignalKind
from yuheng.operations.rules.signals.sessions import Event, How, Span, Whose, job_at, spans_of
from yuheng.operations.rules.signals.stops import (
    Late,
    OnClock,
    Stop,
    Stretch,
    Verb,
    VerbKind,
    clock_verbs,
    late_stops,
    produces_since,
    stopped_s,
    stops_of,
)

__all__ = [
    "MIN_CYCLES",
    "Event",
    "ExceptionKind",
    "ExceptionState",
    "How",
    "Late",
    "MachineClock",
    "OnClock",
    "Reading",
    "SignalKind",
    "Span",
    "Step",
    "StepKind",
    "Stop",
    "Stretch",
    "Verb",
    "VerbKind",
    "Whose",
    "clock_of",
    "clock_verbs",
    "job_at",
    "late_stops",
    "pace_of",
    "pieces_of",
    "produces_since",
    "quantile",
    "spans_of",
    "steps",
    "stopped_s",
    "stops_of",
]
