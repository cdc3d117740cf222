"""What is wrong, as a sentence with values in it; whoever shows it translates the sentence (`engineering.said`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _(sentence: str) -> str:
    """Mark a sentence for the catalogues."""
    return sentence


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes
    ----------
    sentence
        English msgid with ``%(name)s`` for the values.
    where
        What it is wrong with: a find number, a segment's code, a path ``10/20``; "" for the whole.
    """

    sentence: str
    where: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        text = self.sentence % self.values
        return f"{self.where}: {text}" if self.where else text


class Faulty(ValueError):
    """Something cannot be as it is; ``faults`` says what, the first one first."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


class NothingEffective(Faulty):
    """No version, or more than one, holds for this material, date, serial number and order."""


class Cyclic(Faulty):
    """Something contains itself, or comes before itself."""


class Incalculable(Faulty):
    """A formula has no value for these options."""
