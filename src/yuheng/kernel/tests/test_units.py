"""Units of measure."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.kernel import units
from yuheng.kernel.units import NotCommensurable, UnknownUnit

PLANT_CODES = (
    "1", "%", "m", "mm", "um", "m/s", "m/s2", "m3/h", "L/min", "kW.h", "kW", "kV.A", "Cel", "[degF]", "K", "{piece}",
    "{piece}/min", "/min", "Hz", "bar", "mbar", "kPa", "MPa", "N.m", "kN", "A", "mA", "V", "mV", "Ohm", "kOhm", "deg",
    "rad", "g", "kg", "t", "mol/L", "dB", "dB[SPL]", "[pH]", "By", "MiBy", "bit/s", "W.h", "mm/s", "{rpm}",
    "V.A{reactive}", "10*3", "10*-6/L", "(m/s)/s", "[in_i]", "[psi]", "[ppm]", "lx", "uS/cm", "mm[Hg]", "cP", "W/m2",
    "Cel/min", "kcal", "h", "min", "d", "s", "ms", "us", "kg/m3", "g/cm3", "[lb_av]/[in_i]2", "Pa.s", "mL", "daN",
)  # fmt: skip


@pytest.mark.parametrize("code", PLANT_CODES)
def test_units_of_plants_are_understood(code):
    unit = units.parse(code)
    assert math.isfinite(unit.factor)
    assert unit.factor > 0


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("°C", "Cel"), ("kWh", "kW.h"), ("rpm", "{rpm}"), ("Nm", "N.m"), ("pcs", "{piece}"), ("psi", "[psi]"),
        ("m³/h", "m3/h"), ("℃", "Cel"), ("件", "{piece}"), ("", "'1'"), ("kpA", "Pa"),
    ],
)  # fmt: skip
def test_what_people_write_by_habit_is_refused_with_the_code_they_mean(code, hint):
    with pytest.raises(UnknownUnit) as refusal:
        units.parse(code)
    assert hint in str(refusal.value)


@pytest.mark.parametrize(
    "code",
    [
        " m",
        "m ",
        "m//s",
        "m.",
        "/",
        "(m",
        "m)",
        "m0",
        "0",
        "{",
        "{}x",
        "m{",
        "mm.(",
        "kk",
        "kmin",
        "x" * 41,
        "m99",
        "m s",
    ],
)
def test_nonsense_is_refused(code):
    with pytest.raises(UnknownUnit):
        units.parse(code)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (36, "km/h", "m/s", 10), (1, "kW.h", "J", 3.6e6), (20, "Cel", "K", 293.15), (68, "[degF]", "Cel", 20),
        (1, "bar", "kPa", 100), (1, "L", "m3", 1e-3), (1500, "/min", "Hz", 25), (50, "%", "1", 0.5),
        (1, "[in_i]", "mm", 25.4), (1, "N.m", "J", 1), (180, "deg", "rad", math.pi), (1, "h", "min", 60),
        (1, "[psi]", "kPa", 6.894757), (1, "kg", "t", 0.001), (10, "Cel/min", "K/min", 10),
    ],
)  # fmt: skip
def test_values_are_converted(value, source, target, expected):
    assert units.convert(value, source, target) == pytest.approx(expected, rel=1e-6)


def test_different_things_are_not_converted():
    with pytest.raises(NotCommensurable):
        units.convert(1, "kW", "kW.h")
    with pytest.raises(NotCommensurable):
        units.convert(1, "dB", "1")


@given(st.floats(-1e6, 1e6), st.sampled_from(["Cel", "K", "[degF]"]), st.sampled_from(["Cel", "K", "[degF]"]))
def test_there_and_back_is_where_one_was(value, one, other):
    there = units.convert(value, one, other)
    assert units.convert(there, other, one) == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.text(max_size=45))
def test_any_text_is_a_unit_or_a_clear_refusal(text):
    if units.is_unit(text):
        assert units.parse(text).factor > 0
        return
    with pytest.raises(UnknownUnit, match="is not a UCUM unit") as refusal:
        units.parse(text)
    assert refusal.value.fields["unit"] == text


@given(st.sampled_from(PLANT_CODES), st.sampled_from(PLANT_CODES))
def test_a_product_has_the_product_of_the_factors(one, other):
    if "Cel" in (one, other) or "[degF]" in (one, other) or one.startswith("/") or other.startswith("/"):
        return
    product = units.parse(f"({one}).({other})")
    assert product.factor == pytest.approx(units.parse(one).factor * units.parse(other).factor)


def test_people_see_what_they_are_used_to():
    assert [units.shown(code) for code in ("Cel", "m3/h", "kW.h", "{piece}", "1", "um", "%")] == [
        "°C",
        "m³/h",
        "kW·h",
        "piece",
        "",
        "µm",
        "%",
    ]
