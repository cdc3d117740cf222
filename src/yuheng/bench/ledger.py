"""What was promised, held against what a query returns.

A sample is acknowledged when the device heard PUBACK or an HTTP success. Then it must be found, exactly once, with
the time and sequence it was sent with. One that was never acknowledged may be found or not: nothing was promised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ledger:
    """One device's samples, by number."""

    tag: str
    sent: dict[int, int] = field(default_factory=dict)  # number -> source time, microseconds
    acked: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class StoredSample:
    """One row of a query: the sample's number is its value."""

    number: int
    time_us: int
    seq: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Numbers of samples.

    Attributes
    ----------
    stored
        Different samples found, acknowledged or not.
    lost
        Acknowledged, not found.
    duplicated
        Rows beyond the first of a sample.
    misplaced
        Found with another time or sequence than it was sent with.
    strange
        Rows that no device sent.
    """

    sent: int
    acked: int
    stored: int
    lost: int
    duplicated: int
    misplaced: int
    strange: int
    lost_numbers: tuple[int, ...] = ()

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(
            *(
                getattr(self, name) + getattr(other, name)
                for name in ("sent", "acked", "stored", "lost", "duplicated", "misplaced", "strange", "lost_numbers")
            )
        )


NOTHING = Verdict(0, 0, 0, 0, 0, 0, 0)
EXAMPLES = 20


def judge(ledger: Ledger, rows: Iterable[StoredSample]) -> Verdict:
    """Compare one device's ledger with the rows of its tag."""
    found = list(rows)
    counts = Counter(row.number for row in found)
    known = {row for row in found if row.number in ledger.sent}
    misplaced = sum(row.time_us != ledger.sent[row.number] or row.seq != row.number for row in known)
    lost = sorted(ledger.acked - counts.keys())
    return Verdict(
        sent=len(ledger.sent),
        acked=len(ledger.acked),
        stored=len(counts.keys() & ledger.sent.keys()),
        lost=len(lost),
        duplicated=sum(count - 1 for count in counts.values()),
        misplaced=misplaced,
        strange=sum(count for number, count in counts.items() if number not in ledger.sent),
        lost_numbers=tuple(lost[:EXAMPLES]),
    )
