"""Formulas over whole columns: values as they held at each moment. NaN is *no value*; nothing here raises.

An input holds from its sample to its next one. A result stands at every moment at which an input has a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yuheng.engines.formulas.language import (
    Bare,
    Call,
    Linear,
    Measured,
    Name,
    Node,
    Number,
    Past,
    Power,
    Window,
)
from yuheng.engines.points import Quality

type_f8 = npt.NDArray[np.float64]
type_i8 = npt.NDArray[np.int64]


class Input(NamedTuple):
    """Samples of a tag in order of time; ``value`` is NaN where there is no good one."""

    time_us: type_i8
    value: type_f8
    quality: npt.NDArray[np.uint8]


def moments(inputs: Mapping[str, Input], start_us: int, end_us: int) -> type_i8:
    """Return the times in ``[start, end)`` at which any input has a sample, in order, each once."""
    times = [one.time_us[slice(*np.searchsorted(one.time_us, [start_us, end_us]))] for one in inputs.values()]
    return np.unique(np.concatenate(times)) if times else np.empty(0, np.int64)


def calculate(tree: Node, inputs: Mapping[str, Input], at_us: type_i8) -> tuple[type_f8, npt.NDArray[np.uint8]]:
    """Return the values at sorted moments, and their quality: the worst of the inputs, BAD where there is no value.

    Windows reach back over the moments that are given: give those before the ones that are wanted, too.
    """
    with np.errstate(all="ignore"):
        value = np.array(_Calculator(inputs, at_us).of(tree), np.float64)
    value[~np.isfinite(value)] = np.nan
    quality: npt.NDArray[np.uint8] = np.zeros(len(at_us), np.uint8)
    for one in inputs.values():
        place = np.searchsorted(one.time_us, at_us, side="right") - 1
        own = np.where(place >= 0, one.quality[np.maximum(place, 0)] if len(one.quality) else 0, 0)
        quality = np.maximum(quality, np.where(own < Quality.BAD, own, 0)).astype(np.uint8)
    quality[np.isnan(value)] = Quality.BAD
    return value, quality


class _Calculator:
    def __init__(self, inputs: Mapping[str, Input], at_us: type_i8) -> None:
        self.inputs = inputs
        self.at_us = at_us

    def of(self, node: Node) -> type_f8:
        match node:
            case Number(value):
                return np.full(len(self.at_us), value)
            case Name(name):
                return self.held(name, 0)[0]
            case Linear(operand, factor, shift):
                return self.of(operand) * factor + shift
            case Measured(operand) | Bare(operand):
                return self.of(operand)
            case Power(operand, exponent):
                return _finite(self.of(operand) ** float(exponent))
            case Past():
                return self.past(node)
            case Window(name, operand, span_us):
                return over_time(name, self.at_us, self.of(operand), span_us)
            case Call(name, operands):
                return _CALLS[name]([self.of(operand) for operand in operands])

    def held(self, name: str, back: int) -> tuple[type_f8, type_i8]:
        """Return an input's value at each moment, ``back`` samples earlier, and the time of that sample."""
        one = self.inputs.get(name)
        if one is None or not len(one.time_us):
            return np.full(len(self.at_us), np.nan), np.zeros(len(self.at_us), np.int64)
        place = np.searchsorted(one.time_us, self.at_us, side="right") - 1 - back
        value = np.where(place >= 0, one.value[np.maximum(place, 0)], np.nan)
        return value, one.time_us[np.maximum(place, 0)]

    def past(self, node: Past) -> type_f8:
        if isinstance(node.operand, Name):
            now, now_us = self.held(node.operand.name, 0)
            before, before_us = self.held(node.operand.name, 1)
        else:
            now, now_us = self.of(node.operand), self.at_us
            before, before_us = np.full(len(now), np.nan), now_us.copy()
            before[1:], before_us[1:] = now[:-1], now_us[:-1]
        if node.name == "prev":
            return before
        growth = now - before
        if node.name == "delta":
            return growth
        return _finite(growth / (now_us - before_us) * node.span_us)


def _finite(values: type_f8) -> type_f8:
    return np.where(np.isfinite(values), values, np.nan)


def _truth(value: type_f8) -> type_f8:
    return np.where(np.isnan(value), np.nan, (value != 0).astype(np.float64))


def _both(parts: Sequence[type_f8]) -> type_f8:
    """Return ``and``: false when one is false, whatever is not known of the others."""
    truths = np.stack([_truth(part) for part in parts])
    return np.where((truths == 0).any(axis=0), 0.0, np.where(np.isnan(truths).any(axis=0), np.nan, 1.0))


def _either(parts: Sequence[type_f8]) -> type_f8:
    truths = np.stack([_truth(part) for part in parts])
    return np.where((truths == 1).any(axis=0), 1.0, np.where(np.isnan(truths).any(axis=0), np.nan, 0.0))


def _compared(compare: Callable[[type_f8, type_f8], npt.NDArray[np.bool_]]) -> Callable[[Sequence[type_f8]], type_f8]:
    def work(parts: Sequence[type_f8]) -> type_f8:
        unknown = np.isnan(parts[0]) | np.isnan(parts[1])
        return np.where(unknown, np.nan, compare(parts[0], parts[1]).astype(np.float64))

    return work


def _chosen(parts: Sequence[type_f8]) -> type_f8:
    truth = _truth(parts[0])
    return np.where(np.isnan(truth), np.nan, np.where(truth == 1, parts[1], parts[2]))


_CALLS: Mapping[str, Callable[[Sequence[type_f8]], type_f8]] = {
    "+": lambda p: _finite(p[0] + p[1]),
    "-": lambda p: _finite(p[0] - p[1]),
    "*": lambda p: _finite(p[0] * p[1]),
    "/": lambda p: _finite(p[0] / p[1]),
    "neg": lambda p: -p[0],
    "<": _compared(np.less),
    "<=": _compared(np.less_equal),
    ">": _compared(np.greater),
    ">=": _compared(np.greater_equal),
    "==": _compared(np.equal),
    "!=": _compared(np.not_equal),
    "and": _both,
    "or": _either,
    "not": lambda p: 1.0 - _truth(p[0]),
    "if": _chosen,
    "min": lambda p: np.minimum.reduce(p),
    "max": lambda p: np.maximum.reduce(p),
    "abs": lambda p: np.abs(p[0]),
    "round": lambda p: np.round(p[0]),
    "floor": lambda p: np.floor(p[0]),
    "ceil": lambda p: np.ceil(p[0]),
    "sqrt": lambda p: _finite(np.sqrt(p[0])),
    "exp": lambda p: _finite(np.exp(p[0])),
    "log": lambda p: _finite(np.log(p[0])),
    "log10": lambda p: _finite(np.log10(p[0])),
    "clip": lambda p: np.minimum(np.maximum(p[0], p[1]), p[2]),
}


def over_time(name: str, at_us: type_i8, value: type_f8, span_us: int) -> type_f8:
    """Return ``avg`` (by time), ``min`` or ``max`` of what held in the last ``span_us`` before each moment, and at it.

    Moments without a value count for nothing; without any value in the time there is none.
    """
    if not len(at_us):
        return value
    first = np.maximum(np.searchsorted(at_us, at_us - span_us, side="right") - 1, 0)
    if name != "avg":
        return _extreme(value, first, np.minimum if name == "min" else np.maximum)
    lasts = np.zeros(len(at_us))
    lasts[:-1] = np.diff(at_us)
    good = ~np.isnan(value)
    held = np.where(good, value, 0.0)
    area = np.concatenate([[0.0], np.cumsum(held * lasts)])
    covered = np.concatenate([[0.0], np.cumsum(good * lasts)])
    index = np.arange(len(at_us))
    # what the first value held before the time began is not part of it
    early = np.maximum(at_us - span_us - at_us[first], 0)
    total = area[index] - area[first] - held[first] * early
    time = covered[index] - covered[first] - good[first] * early
    average: type_f8 = np.divide(total, time, out=value.copy(), where=time > 0)
    return average


def _extreme(value: type_f8, first: type_i8, pick: Callable[[type_f8, type_f8], type_f8]) -> type_f8:
    """Return the extreme of ``value[first[i] : i + 1]`` for each i, NaN left out.

    A table of doubling spans: each range is covered by two of one length; the levels are made one after another.
    """
    choose = np.fmin if pick is np.minimum else np.fmax
    count = len(value)
    length = np.arange(count) - first + 1
    level = np.log2(length).astype(np.int64)
    found = np.empty(count)
    table, size = value.copy(), 1
    for step in range(int(level.max()) + 1):
        here = np.flatnonzero(level == step)
        found[here] = choose(table[first[here]], table[here - size + 1])
        if size * 2 <= count:
            table = choose(table[: count - 2 * size + 1], table[size : count - size + 1])
        size *= 2
    return found
