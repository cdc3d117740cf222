"""Contrast of the colour tokens in both themes: axe cannot judge inside SVG and canvas (WCAG 2.2, 1.4.3, 1.4.11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parent.parent / "static" / "web" / "tokens.css").read_text(encoding="utf-8")
LIGHT, DARK = CSS.split('[data-theme="dark"]')
TEXTS = [
    ("text", "bg"), ("text", "panel"), ("text", "raised"), ("mute", "bg"), ("mute", "panel"), ("mute", "raised"),
    ("text", "tile-run"), ("mute", "tile-run"), ("text", "tile"), ("p1t", "p1"), ("p2t", "p2"), ("p3t", "p3"),
    ("holdt", "hold"), ("act", "panel"), ("act", "raised"), ("act", "bg"), ("act-text", "act"), ("error", "raised"),
]  # fmt: skip
SHAPES = [("text", "tile-run"), ("text", "panel"), ("edge", "panel"), ("edge", "raised"), ("bar", "bar-bg")]
SERIES = [(f"series-{i}", "panel") for i in range(1, 7)]


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{3,6})", block))


def luminance(color: str) -> float:
    digits = color.lstrip("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXTS)
def test_text_can_be_read(theme: str, front: str, back: str):
    colors = tokens(LIGHT if theme == "light" else DARK)
    assert contrast(colors[front], colors[back]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), SHAPES + SERIES)
def test_shapes_can_be_told_apart(theme: str, front: str, back: str):
    """The outline (``text``) is what tells an abnormal tile from its neighbours, whatever its hue."""
    colors = tokens(LIGHT if theme == "light" else DARK)
    assert contrast(colors[front], colors[back]) >= 3.0
