"""Text as lines of whole numbers, with sentences for everything that is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop

MOST_BYTES = 512 * 1024 * 1024
MOST_DIGITS = 15

_NOT_TEXT = gettext_noop("the file is not text in UTF-8. Give the unpacked file.")
_TOO_LONG = gettext_noop("the file has %(bytes)s bytes; the most is %(most)s.")
_NOT_WHOLE = gettext_noop("%(value)r is not a whole number. Correct this line.")
_EMPTY = gettext_noop("the file is empty.")
_SHORT = gettext_noop("the file ends here; %(wanted)s is missing. It may have been cut off.")


@dataclass(frozen=True, slots=True)
class Line:
    """The numbers of one line; ``number`` counts from 1, comments and empty lines included."""

    number: int
    values: Sequence[int]

    @property
    def row(self) -> str:
        """How a fault names the line."""
        return f"line {self.number}"


def text_of(data: str | bytes) -> str:
    """Decode UTF-8 with or without a byte order mark. Raises `ProblemError`."""
    if len(data) > MOST_BYTES:
        raise ProblemError([Fault("file", "size", _TOO_LONG, {"bytes": len(data), "most": MOST_BYTES})])
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProblemError([Fault("file", "text", _NOT_TEXT)]) from error


def number_lines(data: str | bytes, header_words: int | None = None) -> list[Line]:
    """Return every line that is neither empty nor a comment (``#``).

    Parameters
    ----------
    header_words
        Read only so many words of the first line: some collections add an average with a decimal point.

    Raises
    ------
    ProblemError
        The text is empty, not UTF-8, or holds something that is not a whole number.
    """
    lines: list[Line] = []
    faults: list[Fault] = []
    for number, line in enumerate(text_of(data).splitlines(), start=1):
        content = line.partition("#")[0].split()
        if not content:
            continue
        if not lines and not faults:
            content = content[:header_words]
        try:
            values = [_whole(word) for word in content]
        except ValueError as error:
            faults.append(Fault(f"line {number}", "number", _NOT_WHOLE, {"value": str(error)}))
            if len(faults) > 100:
                break
            continue
        lines.append(Line(number, values))
    if faults:
        raise ProblemError(faults)
    if not lines:
        raise ProblemError([Fault("line 1", "header", _EMPTY)])
    return lines


def _whole(word: str) -> int:
    """Whole numbers only; ``4.0``, as some collections write averages, is not one of ours."""
    digits = word[1:] if word[0] in "+-" else word
    if not digits.isascii() or not digits.isdigit() or len(digits) > MOST_DIGITS:
        raise ValueError(word[:40])
    return int(word)


def cut_off(line: Line, wanted: str) -> ProblemError:
    """Say that the text ended too early."""
    return ProblemError([Fault(line.row, "line", _SHORT, {"wanted": wanted})])
