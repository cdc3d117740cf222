"""What is odd in a log: counted, with a sentence and the first rows of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from yuheng.engines.eventlog.faults import gettext_noop as _

SHOWN = 10


class Weight(StrEnum):
    """What an issue means: rows left out, something to look at, something to know."""

    REJECTED = "rejected"
    WARNING = "warning"
    NOTE = "note"


SENTENCES: dict[str, tuple[Weight, str]] = {
    "unreadable_row": (Weight.REJECTED, _("The row cannot be read as a row of the table.")),
    "no_order": (Weight.REJECTED, _("The row names no order.")),
    "no_operation": (Weight.REJECTED, _("The row names no operation.")),
    "no_time": (Weight.REJECTED, _("The row has no time, or none that can be read.")),
    "end_before_start": (Weight.REJECTED, _("The operation ends before it starts.")),
    "negative_quantity": (Weight.REJECTED, _("A quantity is below zero.")),
    "duplicate": (Weight.REJECTED, _("The same row stands in the log already.")),
    "start_without_end": (Weight.REJECTED, _("The operation started but never ended in this log.")),
    "clock_not_set": (Weight.REJECTED, _("The time lies before 1990: the clock was not set.")),
    "end_without_start": (
        Weight.WARNING,
        _("The operation ended without having started; it starts when its order came from the step before."),
    ),
    "no_machine": (Weight.WARNING, _("The row names no machine; the work is kept without one.")),
    "no_operator": (Weight.NOTE, _("The row names no operator.")),
    "bad_quantity": (Weight.WARNING, _("A quantity is no number; it is left out.")),
    "overlap": (Weight.WARNING, _("The machine works on something else at the same time.")),
    "parallel_machine": (
        Weight.NOTE,
        _("More than half of what this machine does overlaps: it is several machines under one name, or an oven."),
    ),
    "operator_overlap": (Weight.NOTE, _("The operator works at two machines at the same time.")),
    "zero_duration": (Weight.WARNING, _("The operation takes no time; it does not count for standard times.")),
    "too_long": (Weight.WARNING, _("The operation took more than twenty times as long as usual.")),
    "only_end_times": (
        Weight.NOTE,
        _(
            "The log tells only when operations ended. They start when the order or the machine came free: "
            "times include waiting."
        ),
    ),
    "only_start_times": (
        Weight.NOTE,
        _("The log tells only when operations started. They end when the order went on, or the machine did."),
    ),
    "gap": (Weight.NOTE, _("For more than three days nothing happened in the whole log.")),
    "clock_jump": (Weight.WARNING, _("The log goes back in time here: a clock was set, or rows were added later.")),
    "clock_change": (
        Weight.WARNING,
        _("This local time exists twice: clocks were set back that night. The first of the two is taken."),
    ),
    "in_the_future": (Weight.WARNING, _("The time lies in the future.")),
    "more_than_ordered": (Weight.WARNING, _("An operation made more pieces than its order has.")),
    "changing_order_quantity": (Weight.NOTE, _("The quantity differs between rows of one order.")),
    "several_materials": (Weight.WARNING, _("One order makes several materials; the most frequent one is taken.")),
    "name_variants": (Weight.NOTE, _("One name is written in several ways; they are taken for the same.")),
    "other_transition": (Weight.NOTE, _("The event is neither a start nor an end of work; it is not used.")),
    "out_of_sequence": (Weight.NOTE, _("The order goes through its operations in another sequence than usual.")),
    "repeated_operation": (Weight.NOTE, _("The order comes back to an operation: rework, or a split lot.")),
    "rare_operation": (Weight.NOTE, _("Fewer than half of the orders go through it; the routing leaves it out.")),
    "no_material_column": (
        Weight.NOTE,
        _("The log does not say what is made: orders with the same path are taken for one product."),
    ),
    "no_machine_column": (Weight.WARNING, _("The log does not say on which machine; routings have no work units.")),
    "no_zone": (Weight.NOTE, _("Times have no offset; they are taken as times of %(zone)s. Say another with --zone.")),
    "ambiguous_dates": (
        Weight.WARNING,
        _("Day and month cannot be told apart; dates are read %(order)s. Say otherwise with --dates."),
    ),
    "guessed_column": (Weight.WARNING, _("A column was recognised by its content only. Say otherwise with --map.")),
}  # fmt: skip
"""Code -> weight and English sentence, a msgid of the catalogues."""


@dataclass(slots=True)
class Issue:
    """One kind of oddity: how often, and the first rows."""

    code: str
    count: int = 0
    rows: list[dict[str, object]] = field(default_factory=list)
    values: dict[str, object] = field(default_factory=dict)

    @property
    def weight(self) -> Weight:
        """What it means."""
        return SENTENCES[self.code][0]

    @property
    def message(self) -> str:
        """The sentence, a msgid."""
        return SENTENCES[self.code][1]


class Issues:
    """All of a log, by code."""

    def __init__(self) -> None:
        self.found: dict[str, Issue] = {}

    def add(self, code: str, row: int | None = None, /, **detail: object) -> None:
        """Count one, and keep its row while there is room."""
        issue = self.found.get(code)
        if issue is None:
            issue = self.found[code] = Issue(code)
        issue.count += 1
        if len(issue.rows) < SHOWN and (row is not None or detail):
            issue.rows.append(({"row": row} if row is not None else {}) | detail)

    def note(self, code: str, /, **values: object) -> None:
        """Say something of the whole log once."""
        issue = self.found.setdefault(code, Issue(code))
        issue.count = max(1, issue.count)
        issue.values.update(values)

    def sorted(self) -> list[Issue]:
        """Return them: rejected rows first, then warnings, then notes; the most frequent first."""
        weights = list(Weight)
        return sorted(self.found.values(), key=lambda one: (weights.index(one.weight), -one.count, one.code))
