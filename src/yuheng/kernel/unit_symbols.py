"""Units as people write them: UCUM codes are for machines."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

_WHOLE = {
    "1": "",
    "kW.h": "kWh",
    "W.h": "Wh",
    "MW.h": "MWh",
    "Cel": "°C",
    "[degF]": "°F",
    "deg": "°",
    "Ohm": "Ω",
    "10*3/uL": "10³/µL",
    "[HP]": "hp",
    "[psi]": "psi",
}
_COUNTED = {
    "piece": gettext_noop("pcs"),
    "pieces": gettext_noop("pcs"),
    "pcs": gettext_noop("pcs"),
    "part": gettext_noop("parts"),
    "parts": gettext_noop("parts"),
    "cycle": gettext_noop("cycles"),
    "cycles": gettext_noop("cycles"),
    "stroke": gettext_noop("strokes"),
    "strokes": gettext_noop("strokes"),
    "rpm": gettext_noop("rpm"),
    "person": gettext_noop("persons"),
}
"""What is counted, between the braces of a UCUM annotation, in plain words. Others are shown as they are."""
_ANNOTATION = re.compile(r"\{([^}]*)\}")
_EXPONENT = re.compile(r"(?<=[A-Za-z])(-?\d)")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def symbol_of(code: str) -> str:
    """Return how a unit is written.

    Examples
    --------
    >>> [symbol_of(code) for code in ("Cel", "m3/h", "kW.h", "N.m", "mm/s2", "1", "%", "um")]
    ['°C', 'm³/h', 'kWh', 'N⋅m', 'mm/s²', '', '%', 'µm']
    """
    if code in _WHOLE:
        return _WHOLE[code]
    text = _ANNOTATION.sub(lambda match: _counted(match[1]), code).replace(".", "⋅")
    text = re.sub(r"\bu(?=[A-Za-z])", "µ", text)
    text = text.replace("Cel", "°C").replace("Ohm", "Ω")
    return _EXPONENT.sub(lambda match: match[1].translate(_SUPERSCRIPT), text)


def _counted(annotation: str) -> str:
    word = _COUNTED.get(annotation)
    return _(word) if word else annotation


def shown(code: str, data_type: str, symbol: str) -> tuple[str, float]:
    """Return how a signal's unit is written, and by what its values are multiplied to fit it.

    A ratio is stored as 0–1 and read as a percentage.

    Examples
    --------
    >>> shown("1", "float", "spindle_load_ratio"), shown("kW", "float", "power_kw")
    (('%', 100.0), ('kW', 1.0))
    """
    if code == "1" and data_type == "float" and symbol.endswith("_ratio"):
        return "%", 100.0
    return symbol_of(code), 1.0
