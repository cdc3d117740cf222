"""Names of domain things in the reader's language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language


def local_name(thing: Any) -> str:
    """Return the name of a thing that has ``name_zh`` and ``name_en``, in the reader's language; else its code."""
    first, second = thing.name_zh, thing.name_en
    if (get_language() or "").startswith("en"):
        first, second = second, first
    return first or second or str(getattr(thing, "code", ""))
