"""Units as people write them: UCUM codes are for machines."""

from __future__ import annotations

import re

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
_ANNOTATION = re.compile(r"\{([^}]*)\}")
_EXPONENT = re.compile(r"(?<=[A-Za-z])(-?\d)")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def symbol_of(code: str) -> str:
    """Return how a unit is written.

    Examples
    --------
    >>> [symbol_of(code) for code in ("Cel", "m3/h", "kW.h", "N.m", "mm/s2", "1", "{piece}/min", "%", "um")]
    ['°C', 'm³/h', 'kWh', 'N⋅m', 'mm/s²', '', 'piece/min', '%', 'µm']
    """
    if code in _WHOLE:
        return _WHOLE[code]
    text = _ANNOTATION.sub(r"\1", code).replace(".", "⋅")
    text = re.sub(r"\bu(?=[A-Za-z])", "µ", text)
    text = text.replace("Cel", "°C").replace("Ohm", "Ω")
    return _EXPONENT.sub(lambda match: match[1].translate(_SUPERSCRIPT), text)
