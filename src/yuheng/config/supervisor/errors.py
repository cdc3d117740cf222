"""What stops a start. Each message is one sentence that says what to do."""

from __future__ import annotations


class CannotStart(Exception):
    """The installation cannot start as asked; exit code 2."""


class StartFailed(Exception):
    """A process did not come up; exit code 1."""
