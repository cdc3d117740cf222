# mypy: disable-error-code="no-untyped-call,import-untyped"
"""Forty tables as one argument: kernels get the address of a block that says where each table lies.

A kernel that hands forty arrays to the next is compiled ten times as long as one that hands on a number, since every
array is seven values. ``block[T]`` holds a table's address and up to three lengths; `grid`, `row`, `reals` and `cube`
make arrays of that again, without any reference counted. Whoever calls a kernel keeps the arrays alive: see `Block`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

WORDS = 4
"""Words of a table's entry: its address and three lengths."""

NAMES = (
    "op", "op_ptr", "modes", "mach", "cal", "setup", "dem_ptr", "keeps", "cap_ptr", "cap", "inn_ptr", "inn", "out_ptr",
    "out", "grp_ptr", "grp", "fixed", "fix_ptr", "fix", "place", "ends", "dem", "node", "hint", "state", "waits",
    "last", "bound", "active", "left", "keys", "values", "want", "bias", "prio", "todo", "routing_ptr", "job_ptr",
    "job_ops", "due", "weight", "job_release", "weights", "wish", "near", "tail", "done", "late", "sure", "best",
    "best_waits", "history", "costs", "rng", "counts",
)  # fmt: skip
(
    T_OP, T_OP_PTR, T_MODES, T_MACH, T_CAL, T_SETUP, T_DEM_PTR, T_KEEPS, T_CAP_PTR, T_CAP, T_INN_PTR, T_INN, T_OUT_PTR,
    T_OUT, T_GRP_PTR, T_GRP, T_FIXED, T_FIX_PTR, T_FIX, T_PLACE, T_ENDS, T_DEM, T_NODE, T_HINT, T_STATE, T_WAITS,
    T_LAST, T_BOUND, T_ACTIVE, T_LEFT, T_KEYS, T_VALUES, T_WANT, T_BIAS, T_PRIO, T_TODO, T_ROUTING_PTR, T_JOB_PTR,
    T_JOB_OPS, T_DUE, T_WEIGHT, T_JOB_RELEASE, T_WEIGHTS, T_WISH, T_NEAR, T_TAIL, T_DONE, T_LATE, T_SURE, T_BEST,
    T_BEST_WAITS, T_HISTORY, T_COSTS, T_RNG, T_COUNTS,
) = range(len(NAMES))  # fmt: skip
_AT = {name: WORDS * index for index, name in enumerate(NAMES)}
_DIMENSIONS = (
    dict.fromkeys(NAMES, 1)
    | {"setup": 3}
    | dict.fromkeys(
        (
            "op",
            "modes",
            "mach",
            "cal",
            "cap",
            "inn",
            "out",
            "place",
            "ends",
            "dem",
            "node",
            "hint",
            "bias",
            "wish",
            "best",
        ),
        2,
    )
)
_REAL = frozenset(("weight", "weights", "near", "late", "sure", "history", "costs"))


class Block:
    """Where tables lie. It keeps them alive as long as it knows them."""

    __slots__ = ("_held", "_words")

    def __init__(self) -> None:
        self._words = np.zeros(WORDS * len(NAMES), np.int64)
        self._held: dict[str, npt.NDArray[Any]] = {}

    def set(self, **tables: npt.NDArray[Any]) -> None:
        """Say where tables lie.

        Raises
        ------
        TypeError
            A table is not what kernels take it for: contiguous, of 64 bits, of its number of dimensions.
        """
        words = self._words
        for name, table in tables.items():
            if self._held.get(name) is table:
                continue
            kind = "f" if name in _REAL else "i"
            if table.dtype.kind != kind or table.dtype.itemsize != 8 or table.ndim != _DIMENSIONS[name]:
                raise TypeError(f"{name}: {table.dtype} of {table.ndim} dimensions cannot be such a table.")
            if not table.flags.c_contiguous:
                raise TypeError(f"{name} does not lie in one piece.")
            at = _AT[name]
            words[at] = table.__array_interface__["data"][0]
            words[at + 1 : at + 1 + table.ndim] = table.shape
            self._held[name] = table

    @property
    def address(self) -> int:
        """What kernels take."""
        return int(self._words.__array_interface__["data"][0])


def _accessor(dtype: Any, dimensions: int) -> Any:
    """Make a function of (address of a block, table) that compiles to a few loads."""
    array_type = types.Array(dtype, dimensions, "C")

    def typed(_context: Any, _block: Any, _table: Any) -> tuple[Any, Any]:
        def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            word = ir.IntType(64)
            first = builder.inttoptr(args[0], word.as_pointer())
            entry = builder.gep(first, [builder.mul(args[1], word(WORDS))])
            address = builder.load(entry)
            shape = [builder.load(builder.gep(entry, [word(1 + axis)])) for axis in range(dimensions)]
            strides = [word(8)]
            for length in reversed(shape[1:]):
                strides.insert(0, builder.mul(strides[0], length))
            array = make_array(array_type)(context, builder)
            data = builder.inttoptr(address, context.get_data_type(dtype).as_pointer())
            shaped, strided = cgutils.pack_array(builder, shape), cgutils.pack_array(builder, strides)
            populate_array(array, data=data, shape=shaped, strides=strided, itemsize=word(8), meminfo=None)
            return array._getvalue()

        return array_type(types.int64, types.int64), generate

    return intrinsic(typed)


_row, _grid = _accessor(types.int64, 1), _accessor(types.int64, 2)
row = cast(Callable[[int, int], npt.NDArray[np.int64]], _row)
grid = cast(Callable[[int, int], npt.NDArray[np.int64]], _grid)
cube = cast(Callable[[int, int], npt.NDArray[np.int64]], _accessor(types.int64, 3))
reals = cast(Callable[[int, int], npt.NDArray[np.float64]], _accessor(types.float64, 1))
