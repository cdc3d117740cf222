"""What the operations share: reading lists of numbers, checking spans, words for states."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils.translation import gettext as _

from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.rules import moment


def now() -> datetime:
    """Return the time of this machine: what services take as ``at``."""
    return datetime.now(UTC)


def ids(text: str) -> list[int]:
    """Read ``1,2,3``, each once. Raises `InvalidInput`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise InvalidInput(_("Give numbers separated by commas."), {"ids": text[:200]})
    return list(dict.fromkeys(int(word) for word in words))


def check_order(start: datetime, end: datetime) -> None:
    """Raise `InvalidInput` unless the span has a length."""
    if end <= start:
        raise InvalidInput(_("The end must be after the start."), {"end": str(end)})


def moment_or_none(us: int) -> datetime | None:
    """Return a moment of the bus; None for 0, which says "never"."""
    return moment(us) if us > 0 else None


def word(state: int) -> str:
    """Return a state as the API writes it, such as ``producing``."""
    return UnitState(state).name.lower()
