"""A figure of the command centre as its template draws it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from yuheng.web.indicators import Bullet


def drawn(bullet: Bullet, code: str) -> dict[str, Any]:
    """Add to a figure what its drawing needs: lengths in percent of the bar."""
    return {
        "label": bullet.label,
        "value": bullet.value,
        "unit": bullet.unit,
        "note": bullet.note,
        "url": reverse("web:indicator", args=[code, bullet.name]),
        "bar_width": f"{100 * min(1.0, max(0.0, bullet.bar)):.1f}",
        "mark_x": None if bullet.mark is None else f"{99.1 * min(1.0, bullet.mark):.1f}",
    }
