"""Cells of tables that people fill in a grid or a spreadsheet: several small things in one cell, read and written.

Everything that `write_…` writes, `read_…` reads back as it was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from yuheng.engineering.rules.faults import Fault, Faulty, _
from yuheng.engineering.rules.specs import Check, LinkSpec, RecipeParameter, SignalRules, SkillNeed, ToolNeed
from yuheng.engineering.rules.words import CheckKind, LinkKind

Item = TypeVar("Item")

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LIMITS = rf"(?:\[\s*(?P<low>{_NUMBER})?\s*(?:…|\.\.\.?)\s*(?P<high>{_NUMBER})?\s*\])?"
_NAMES = r'(?:"(?P<zh>[^"|]*)\|(?P<en>[^"|]*)")?'
_TARGET = rf"(?:=\s*(?P<target>{_NUMBER}))?"
_COUNTED = re.compile(r"(?P<name>[^×*@;]+?)\s*(?:[×*]\s*(?P<count>\d{1,4}))?\s*(?:@\s*(?P<level>\d{1,3}))?")
_RECIPE = re.compile(
    rf'(?P<code>[^\s="\[\];@]+)\s*{_NAMES}\s*{_TARGET}\s*{_LIMITS}\s*(?P<unit>[^\s;@\[=]+)?\s*(?:@\s*(?P<symbol>\w+))?'
)
_CHECK = re.compile(
    rf'(?P<code>[^\s="\[\];@]+)\s*{_NAMES}\s*(?P<kind>visual|measured|confirm)?\s*{_TARGET}\s*{_LIMITS}'
    r"\s*(?P<unit>(?!every\b|optional\b)[^\s;@\[=#]+)?\s*(?:every\s*(?P<every>\d{1,6}))?\s*(?P<optional>optional)?"
    r"\s*(?P<documents>(?:#\d+\s*)*)"
)
_AFTER = re.compile(r"(?P<code>\S+)\s*(?P<ss>ss)?\s*(?:\+\s*(?P<lag>\d+(?:\.\d+)?))?")
_REWORK = re.compile(r"(?P<code>[^\s×*]+)\s*(?:[×*]\s*(?P<most>\d{1,4}))?")


def parts(text: str) -> list[str]:
    """Return what stands between semicolons, without blanks and empty parts; ``；`` is one, too."""
    return [part.strip() for part in text.replace("；", ";").split(";") if part.strip()]


def wrong(sentence: str, **values: object) -> Faulty:
    """Return the refusal of a cell."""
    return Faulty(Fault(sentence, "", dict(values)))


def number(text: str) -> Decimal:
    """Read a number as spreadsheets write it. Raises `Faulty`."""
    text = text.strip().replace("\u00a0", "")
    try:
        found = Decimal(text) if "_" not in text else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite() or abs(found) > Decimal(10) ** 15:
        raise wrong(_("'%(text)s' is not a number."), text=text[:40])
    return found


def optional_number(text: str) -> Decimal | None:
    """Read a number, or nothing. Raises `Faulty`."""
    return number(text) if text.strip() else None


def whole(text: str, default: int) -> int:
    """Read a whole number, or the default for nothing. Raises `Faulty`."""
    if not text.strip():
        return default
    found = number(text)
    if found != int(found):
        raise wrong(_("'%(text)s' is not a whole number."), text=text[:40])
    return int(found)


def share(text: str) -> Decimal:
    """Read a share: ``0.05`` or ``5%``; nothing is 0. Raises `Faulty`."""
    text = text.strip().replace("％", "%")
    if not text:
        return Decimal(0)
    return number(text[:-1]) / 100 if text.endswith("%") else number(text)


def plain(value: Decimal | float | int | None) -> str:
    """Write a number as short as it can be read back; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return f"{value:.15g}" if math.isfinite(value) else ""


def _each(text: str, pattern: re.Pattern[str], make: Callable[[re.Match[str]], Item], like: str) -> tuple[Item, ...]:
    found = []
    for part in parts(text):
        match = pattern.fullmatch(part)
        if match is None:
            raise wrong(_("'%(text)s' is written like this: %(like)s"), text=part[:60], like=like)
        found.append(make(match))
    return tuple(found)


def _float(text: str | None) -> float | None:
    return None if text is None else float(text)


# ---- skills, tools ------------------------------------------------------------------------------------------------


def read_skills(text: str) -> tuple[SkillNeed, ...]:
    """Read ``welding × 2 @3; crane``."""
    return _each(
        text, _COUNTED, lambda m: SkillNeed(m["name"], int(m["count"] or 1), int(m["level"] or 1)), "welding × 2 @3"
    )


def write_skills(needs: Iterable[SkillNeed]) -> str:
    """Write what `read_skills` reads."""
    return "; ".join(
        one.skill + (f" × {one.count}" if one.count != 1 else "") + (f" @{one.level}" if one.level != 1 else "")
        for one in needs
    )


def read_tools(text: str) -> tuple[ToolNeed, ...]:
    """Read ``T-12 × 2; gauge``."""
    return _each(text, _COUNTED, lambda m: ToolNeed(m["name"], int(m["count"] or 1)), "T-12 × 2")


def write_tools(needs: Iterable[ToolNeed]) -> str:
    """Write what `read_tools` reads."""
    return "; ".join(one.tool + (f" × {one.count}" if one.count != 1 else "") for one in needs)


# ---- parameters and checks ----------------------------------------------------------------------------------------


def read_recipe(text: str) -> tuple[RecipeParameter, ...]:
    """Read ``temperature "炉温|Oven" = 180 [170 … 190] Cel @oven_c; speed = 3 m/min``."""

    def make(m: re.Match[str]) -> RecipeParameter:
        return RecipeParameter(
            m["code"], m["zh"] or "", m["en"] or "", m["unit"] or "1", _float(m["target"]), _float(m["low"]),
            _float(m["high"]), m["symbol"] or "",
        )  # fmt: skip

    return _each(text, _RECIPE, make, 'temperature "炉温|Oven" = 180 [170 … 190] Cel @oven_c')


def _limits(one: RecipeParameter | Check) -> str:
    target = "" if one.target is None else f" = {plain(one.target)}"
    if one.low is None and one.high is None:
        return target
    return f"{target} [{plain(one.low)} … {plain(one.high)}]"


def _named(one: RecipeParameter | Check) -> str:
    return f'{one.code} "{one.name_zh}|{one.name_en}"' if one.name_zh or one.name_en else one.code


def write_recipe(items: Iterable[RecipeParameter]) -> str:
    """Write what `read_recipe` reads."""
    return "; ".join(
        _named(one) + _limits(one) + (f" {one.unit}" if one.unit != "1" else "")
        + (f" @{one.tag_symbol}" if one.tag_symbol else "")
        for one in items
    )  # fmt: skip


def read_checks(text: str) -> tuple[Check, ...]:
    """Read ``torque "力矩|Torque" measured = 40 [38 … 42] N.m every 5 #7; look visual optional``."""

    def make(m: re.Match[str]) -> Check:
        return Check(
            code=m["code"],
            kind=CheckKind(m["kind"] or "visual"),
            name_zh=m["zh"] or "",
            name_en=m["en"] or "",
            unit=m["unit"] or "1",
            low=_float(m["low"]),
            target=_float(m["target"]),
            high=_float(m["high"]),
            every=1 if m["every"] is None else int(m["every"]),
            is_mandatory=not m["optional"],
            document_ids=tuple(int(pk) for pk in re.findall(r"#(\d+)", m["documents"] or "")),
        )

    return _each(text, _CHECK, make, 'torque "力矩|Torque" measured = 40 [38 … 42] N.m every 5')


def write_checks(items: Iterable[Check]) -> str:
    """Write what `read_checks` reads."""
    return "; ".join(
        f"{_named(one)} {one.kind.value}{_limits(one)}"
        + (f" {one.unit}" if one.unit != "1" else "")
        + (f" every {one.every}" if one.every != 1 else "")
        + ("" if one.is_mandatory else " optional")
        + "".join(f" #{pk}" for pk in one.document_ids)
        for one in items
    )


# ---- signals, documents, links ------------------------------------------------------------------------------------


def read_signals(text: str) -> SignalRules:
    """Read ``count = parts × 2; start; pause; run = run_id``. Raises `Faulty`."""
    given: dict[str, object] = {}
    for part in parts(text):
        name, _equals, value = (piece.strip() for piece in part.partition("="))
        if name in ("start", "pause") and not value:
            given[f"{name}s"] = True
        elif name == "run" and value:
            given["run_id_symbol"] = value
        elif name == "count" and value:
            symbol, _times, size = (piece.strip() for piece in value.replace("*", "×").partition("×"))
            given |= {"counts": True, "count_symbol": symbol, "pieces_per_cycle": float(number(size)) if size else 1.0}
        else:
            like = "count = parts × 2; start; pause; run = run_id"
            raise wrong(_("'%(text)s' is written like this: %(like)s"), text=part[:60], like=like)
    return SignalRules(**given)  # type: ignore[arg-type]  # the names above


def write_signals(one: SignalRules) -> str:
    """Write what `read_signals` reads."""
    size = f" × {plain(one.pieces_per_cycle)}" if one.pieces_per_cycle != 1 else ""
    found = [f"count = {one.count_symbol}{size}"] if one.counts else []
    found += ["start"] if one.starts else []
    found += ["pause"] if one.pauses else []
    return "; ".join(found + ([f"run = {one.run_id_symbol}"] if one.run_id_symbol else []))


def read_documents(text: str) -> tuple[int, ...]:
    """Read ``#3; #7``."""
    return _each(text.replace(",", ";"), re.compile(r"#?\s*(\d{1,18})"), lambda m: int(m[1]), "#3; #7")


def write_documents(ids: Iterable[int]) -> str:
    """Write what `read_documents` reads."""
    return "; ".join(f"#{pk}" for pk in ids)


def read_after(text: str, code: str) -> tuple[LinkSpec, ...]:
    """Read what a segment follows: ``10; 20 ss; 30 +60`` (``ss``: begins once that one has begun; lag in s)."""

    def make(m: re.Match[str]) -> LinkSpec:
        kind = LinkKind.START_START if m["ss"] else LinkKind.FINISH_START
        return LinkSpec(m["code"], code, kind, float(m["lag"] or 0.0))

    return _each(text, _AFTER, make, "10; 20 ss; 30 +60")


def write_after(links: Iterable[LinkSpec]) -> str:
    """Write what `read_after` reads."""
    return "; ".join(
        one.before
        + (" ss" if one.kind is LinkKind.START_START else "")
        + (f" +{plain(one.lag_s)}" if one.lag_s else "")
        for one in links
    )


def read_rework(text: str, code: str) -> tuple[LinkSpec, ...]:
    """Read where pieces go that fail at a segment: ``35 × 2``, at most twice."""

    def make(m: re.Match[str]) -> LinkSpec:
        return LinkSpec(code, m["code"], LinkKind.REWORK, most=int(m["most"]) if m["most"] else None)

    return _each(text, _REWORK, make, "35 × 2")


def write_rework(links: Iterable[LinkSpec]) -> str:
    """Write what `read_rework` reads."""
    return "; ".join(one.after + (f" × {one.most}" if one.most is not None else "") for one in links)


def read_named_formulas(text: str) -> dict[str, str]:
    """Read ``width = opening / 2; painted = true``. Raises `Faulty`."""
    found: dict[str, str] = {}
    for part in parts(text):
        name, equals, formula = part.partition("=")
        if not equals or not name.strip() or not formula.strip():
            raise wrong(_("'%(text)s' is written like this: %(like)s"), text=part[:60], like="width = opening / 2")
        found[name.strip()] = formula.strip()
    return found


def write_named_formulas(formulas: dict[str, str]) -> str:
    """Write what `read_named_formulas` reads."""
    return "; ".join(f"{name} = {formula}" for name, formula in formulas.items())


def read_conversions(text: str) -> dict[str, Decimal]:
    """Read ``{box} = 100; m = 2.5``: other unit = so many of the material's own. Raises `Faulty`."""
    return {unit: number(size) for unit, size in read_named_formulas(text).items()}


def write_conversions(conversions: dict[str, Decimal]) -> str:
    """Write what `read_conversions` reads."""
    return "; ".join(f"{unit} = {plain(size)}" for unit, size in conversions.items())
