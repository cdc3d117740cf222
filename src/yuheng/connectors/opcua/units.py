"""Units as OPC UA servers give them (EngineeringUnits) and as we write them (UCUM).

References: OPC UA Part 8, 5.6.4.3: ``UnitId`` is the UNECE Recommendation 20 code, its characters as bytes of a number.
"""

from __future__ import annotations

from asyncua import ua

_UNECE = {
    "C62": "1", "P1": "%", "59": "[ppm]", "2N": "dB", "H87": "{piece}", "EA": "{piece}",
    "CEL": "Cel", "KEL": "K", "FAH": "[degF]",
    "BAR": "bar", "MBR": "mbar", "PAL": "Pa", "KPA": "kPa", "MPA": "MPa", "A97": "hPa", "PS": "[psi]", "ATM": "atm",
    "MTR": "m", "MMT": "mm", "CMT": "cm", "DMT": "dm", "KMT": "km", "4H": "um", "C45": "nm", "INH": "[in_i]",
    "FOT": "[ft_i]", "MTK": "m2", "CMK": "cm2", "MMK": "mm2",
    "MTQ": "m3", "LTR": "L", "MLT": "mL", "CMQ": "cm3", "HLT": "hL",
    "MQH": "m3/h", "MQS": "m3/s", "L2": "L/min", "E32": "L/h", "G51": "L/s", "G53": "mL/min",
    "KGM": "kg", "GRM": "g", "MGM": "mg", "TNE": "t", "KGS": "kg/s", "F31": "kg/min", "E93": "kg/h", "E18": "t/h",
    "KMQ": "kg/m3", "23": "g/cm3", "GL": "g/L", "M1": "mg/L",
    "MTS": "m/s", "2X": "m/min", "KMH": "km/h", "C16": "mm/s", "H81": "mm/min", "MSK": "m/s2",
    "RPM": "/min", "RPS": "/s", "HTZ": "Hz", "KHZ": "kHz", "MHZ": "MHz",
    "SEC": "s", "C26": "ms", "B98": "us", "MIN": "min", "HUR": "h", "DAY": "d", "ANN": "a",
    "DD": "deg", "C81": "rad", "2A": "rad/s", "E96": "deg/s",
    "NEW": "N", "B47": "kN", "NU": "N.m", "B48": "kN.m",
    "WTT": "W", "KWT": "kW", "MAW": "MW", "JOU": "J", "KJO": "kJ", "3B": "MJ", "WHR": "W.h", "KWH": "kW.h",
    "MWH": "MW.h", "D46": "V.A", "KVA": "kV.A", "D44": "V.A", "KVR": "kV.A", "K5": "kV.A",
    "AMP": "A", "4K": "mA", "B84": "uA", "B22": "kA", "VLT": "V", "2Z": "mV", "KVT": "kV", "OHM": "Ohm", "B49": "kOhm",
    "FAR": "F", "4O": "uF", "D33": "T", "LUX": "lx", "LUM": "lm", "CDL": "cd", "SIE": "S", "D10": "S/m",
}  # fmt: skip
_SHOWN = {
    "°c": "Cel", "℃": "Cel", "degc": "Cel", "c": "Cel", "°f": "[degF]", "k": "K", "%": "%", "ppm": "[ppm]",
    "rpm": "/min", "1/min": "/min", "min-1": "/min", "min⁻¹": "/min", "u/min": "/min", "r/min": "/min", "1/s": "/s",
    "bar": "bar", "mbar": "mbar", "pa": "Pa", "kpa": "kPa", "psi": "[psi]",
    "mm": "mm", "cm": "cm", "m": "m", "km": "km", "µm": "um", "μm": "um", "um": "um", "m/s": "m/s", "m/min": "m/min",
    "mm/s": "mm/s", "mm/min": "mm/min", "m/s²": "m/s2", "g": "g", "kg": "kg", "t": "t", "kg/h": "kg/h",
    "l": "L", "ml": "mL", "m³": "m3", "m3": "m3", "m²": "m2", "l/min": "L/min", "l/h": "L/h", "m³/h": "m3/h",
    "m3/h": "m3/h", "s": "s", "ms": "ms", "min": "min", "h": "h", "d": "d", "n": "N", "kn": "kN", "nm": "N.m",
    "n·m": "N.m", "w": "W", "kw": "kW", "kwh": "kW.h", "wh": "W.h", "j": "J", "kj": "kJ", "a": "A", "ma": "mA",
    "v": "V", "mv": "mV", "kv": "kV", "va": "V.A", "kva": "kV.A", "ω": "Ohm", "ohm": "Ohm", "hz": "Hz", "khz": "kHz",
    "°": "deg", "deg": "deg", "rad": "rad", "db": "dB", "lx": "lx", "pcs": "{piece}", "pc": "{piece}", "stk": "{piece}",
}  # fmt: skip
"""What servers show, in small letters; ambiguous ones (``M``, ``C`` for coulomb) go to what plants mean."""


def ucum_of(unit: ua.EUInformation) -> str:
    """Return the UCUM code of a unit; "" when it is not known."""
    return _UNECE.get(unece_code(int(unit.UnitId or 0))) or of_text(unit.DisplayName.Text or "")


def of_text(shown: str) -> str:
    """Return the UCUM code of a unit as servers show it; "" when it is not known."""
    text = shown.strip()
    return "MPa" if text == "MPa" else "MW" if text == "MW" else _SHOWN.get(text.lower(), "")


def unece_code(unit_id: int) -> str:
    """Return the code of a unit number.

    Examples
    --------
    >>> unece_code(4408652)
    'CEL'
    """
    if not 0 < unit_id <= 0xFFFFFFFF:
        return ""
    return unit_id.to_bytes(4, "big").lstrip(b"\0").decode("ascii", errors="replace")
