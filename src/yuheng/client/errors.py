"""What can go wrong, as sentences. `YuhengError` is all of it."""

from __future__ import annotations


class YuhengError(Exception):
    """Something did not work; the message says what, and what to do where we know it."""


class Unreachable(YuhengError):
    """Nobody answers at the address, or not in time, or not as Yuheng does."""


class NotSignedIn(YuhengError):
    """The token is not valid (any more), or name or password are wrong."""


class NotAllowed(YuhengError):
    """You are known, and may not do this here."""


class NotFound(YuhengError):
    """There is no such thing, or it is of a site that you may not see; the two look the same on purpose."""


class Refused(YuhengError):
    """The question cannot be answered as it was asked; ``fields`` names what and why."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}
