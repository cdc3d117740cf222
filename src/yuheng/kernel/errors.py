"""Refusals that a person can read. Edges turn them into HTTP in exactly one place (`config.api`, `web.errors`)."""

from __future__ import annotations


class DomainError(Exception):
    """A rule said no. The message is a sentence a foreman can read, in the reader's language."""


class PermissionRefused(DomainError):
    """The actor may not do this here."""


class NotVisible(DomainError):
    """No such thing for this actor: absent, or of a site that is not theirs (the two look the same on purpose)."""


class InvalidInput(DomainError):
    """What was sent cannot be accepted; ``fields`` names what and why."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


class Conflict(DomainError):
    """It was true when you looked, and is no longer; look again."""
