"""What is wrong with a document, where, as a sentence that is translated by whoever shows it."""

from __future__ import annotations


def _(sentence: str) -> str:
    """Mark a sentence for the catalogue; whoever shows it translates it."""
    return sentence


class Misread(Exception):
    """A document is not B2MML, or not as we can take it.

    Attributes
    ----------
    sentence, values
        An English sentence with named places, and what to put there.
    path
        The element: ``/ProcessOperationsSchedule/DataArea/OperationsSchedule[1]/OperationsRequest[3]/Priority``;
        "" when it cannot be read at all. An attribute ends in ``/@name``.
    line
        Where that element begins, from 1; 0 when not known.
    """

    def __init__(self, sentence: str, path: str = "", line: int = 0, /, **values: object) -> None:
        super().__init__(sentence % values if values else sentence)
        self.sentence = sentence
        self.values = values
        self.path = path
        self.line = line
