"""What cannot be read as a log of a plant, and what is odd in one: sentences that say what to do."""

from __future__ import annotations

from collections.abc import Mapping


def gettext_noop(message: str) -> str:
    """Mark a sentence for the catalogues. It is translated where it is shown: engines speak no language."""
    return message


class LogError(ValueError):
    """A file cannot be read as an event log.

    Attributes
    ----------
    message
        English sentence with ``%(name)s`` placeholders, a msgid of the catalogues.
    values
        What the placeholders stand for.
    """

    def __init__(self, message: str, values: Mapping[str, object] | None = None) -> None:
        self.message = message
        self.values = dict(values or {})
        super().__init__(message % self.values)

    def __reduce__(self) -> tuple[type[LogError], tuple[str, dict[str, object]]]:
        """Cross a process boundary whole."""
        return (LogError, (self.message, self.values))
