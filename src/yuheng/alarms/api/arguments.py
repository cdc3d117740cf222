"""What the operations share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.engines.alarms.vocabulary import Priority
from yuheng.kernel.errors import InvalidInput


def now() -> datetime:
    """Return the time of this machine: what services take as ``at``."""
    return datetime.now(UTC)


def ids(text: str) -> list[int]:
    """Read ``1,2,3``, each once. Raises `InvalidInput`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise InvalidInput(_("Give numbers separated by commas."), {"ids": text[:200]})
    return list(dict.fromkeys(int(word) for word in words))


def priorities(text: str) -> list[int]:
    """Read ``critical,high``. Raises `InvalidInput`."""
    words = [word.strip().upper() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in Priority.__members__]
    if unknown:
        raise InvalidInput(
            _("A priority is critical, high, medium or low."), {"priority": ", ".join(unknown)[:200].lower()}
        )
    return [Priority[word].value for word in words]


def word(priority: int) -> str:
    """Return a priority as the API writes it."""
    return Priority(priority).name.lower()


def by_word(counts: dict[int, int]) -> dict[str, Any]:
    """Return counts by priority, every priority named."""
    return {priority.name.lower(): counts.get(priority.value, 0) for priority in Priority}
