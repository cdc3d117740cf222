"""What a bad problem says: one sentence a fault, which names the row and the field and says what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

SHOWN = 20
"""A message lists this many faults; `ProblemError.faults` has all of them."""


def gettext_noop(message: str) -> str:
    """Mark a sentence for the catalogues. It is translated where it is shown: engines speak no language."""
    return message


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a problem.

    Parameters
    ----------
    row
        Where: "job 3, operation 2", "line 5", "machine M-17".
    field
        What: "duration", "due", "calendar".
    message
        English sentence with ``%(name)s`` placeholders, a msgid of the catalogues.
    values
        What the placeholders stand for.
    """

    row: str
    field: str
    message: str
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The fault in English, with its row and field."""
        return f"{self.row}, {self.field}: {self.message % self.values}"


class ProblemError(ValueError):
    """A problem cannot be scheduled as it is described. Lists every fault that was found.

    Attributes
    ----------
    faults
        All faults, in the order of the rows.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        shown = [fault.sentence for fault in self.faults[:SHOWN]]
        if len(self.faults) > SHOWN:
            shown.append(f"and {len(self.faults) - SHOWN} more faults.")
        super().__init__("\n".join(shown))

    def __reduce__(self) -> tuple[type[ProblemError], tuple[tuple[Fault, ...]]]:
        """Cross a process boundary whole."""
        return (ProblemError, (self.faults,))
